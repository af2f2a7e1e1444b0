/**
 * A file becomes an object. Up to the size of a segment it goes in one request; a larger one as segments in `<container>_segments`, where
 * other clients of Swift put them too, and a manifest (SLO). What has arrived need not be sent again when the rest is tried once more.
 */
import { ApiError } from '../api/client.ts'
import { containerFacts, makeContainer } from '../api/containers.ts'
import { removeNames } from '../api/objects.ts'
import { ask, pathOf, type StoreInfo, toHeader } from '../api/object-store.ts'
import { session } from '../session.ts'
import { FileGone } from './file-gone.ts'
import { put } from './put.ts'

/** Bytes; the store's own limit may be lower. */
const SEGMENT = 256 * 2 ** 20
const SMALL = 2 ** 20
const ATTEMPTS = 3

export interface Segment {
  name: string
  etag: string
  size: number
}

export interface Upload {
  projectId: string
  container: string
  name: string
  /** Before it had to be another because this one was taken. */
  wanted: string
  file: File
  /** An object of this name may be replaced; else ApiError 412. */
  replace: boolean
  /** What has arrived; grows. */
  segments: Segment[]
}

export const segmentContainer = (container: string): string => `${container}_segments`

export function segmentSize(size: number, info: StoreInfo): number {
  const most = Math.min(SEGMENT, info.swift.max_file_size)
  return Math.min(info.swift.max_file_size, Math.max(most, Math.ceil(size / (info.slo?.max_manifest_segments ?? 1000))))
}

export async function uploadFile(upload: Upload, info: StoreInfo, signal: AbortSignal, onProgress: (sent: number) => void): Promise<void> {
  try {
    await sendFile(upload, info, signal, onProgress)
  } catch (thrown) {
    // A browser says the same of a file that it cannot read and of a line that breaks.
    const unread = thrown instanceof ApiError && thrown.status === 0 && !signal.aborted && (await upload.file.slice(0, 1).arrayBuffer().then(() => false, () => true))
    throw unread ? new FileGone() : thrown
  }
}

async function sendFile(upload: Upload, info: StoreInfo, signal: AbortSignal, onProgress: (sent: number) => void): Promise<void> {
  const { projectId, container, name, file, replace } = upload
  // A small file is sent at once: the store refuses it when there is one. A large one is better not sent in vain.
  const old = replace || file.size > SMALL ? await there(upload, signal) : undefined
  if (old && !replace) throw new ApiError(412, 'There is an object of this name.', old)
  // Segments of what is replaced would be held by nothing, but where it stays as a version.
  const loose = old?.has('x-static-large-object') && (await containerFacts(projectId, container, signal)).versions === 'off' ? await segmentsOf(upload, signal) : []
  const headers = { ...(file.type ? { 'content-type': toHeader(file.type) } : {}), ...(replace ? {} : { 'if-none-match': '*' }) }
  const send = async (query: string, more: { content: Blob | string }, progress: (sent: number) => void): Promise<void> =>
    void (await put(`${pathOf(projectId, container, name)}${query}`, { token: await session.tokenFor(projectId), headers, signal, onProgress: progress, ...more }))
  const length = segmentSize(file.size, info)
  if (file.size <= length) await send('', { content: file }, onProgress)
  else {
    await sendSegments(upload, length, signal, onProgress)
    const manifest = upload.segments.map((one) => ({ path: `/${segmentContainer(container)}/${one.name}`, etag: one.etag, size_bytes: one.size }))
    await send('?multipart-manifest=put', { content: JSON.stringify(manifest) }, () => {})
  }
  const kept = new Set(upload.segments.map((one) => one.name))
  for (const [box, names] of loose) await removeNames(projectId, box, names.filter((one) => box !== segmentContainer(container) || !kept.has(one)))
}

/** Takes away what arrived of a file that will not be finished. */
export async function dropSegments(upload: Upload): Promise<void> {
  const { projectId, container, segments } = upload
  const { signal } = new AbortController()
  // An answer that was lost may have been a success.
  const used = (await there(upload, signal))?.has('x-static-large-object') ? new Set((await segmentsOf(upload, signal)).flatMap(([, names]) => names)) : new Set()
  await removeNames(projectId, segmentContainer(container), segments.map(({ name }) => name).filter((name) => !used.has(name)))
}

async function there({ projectId, container, name }: Upload, signal: AbortSignal): Promise<Headers | undefined> {
  try {
    return (await ask(projectId, 'HEAD', { container, object: name, signal })).headers
  } catch (thrown) {
    if (thrown instanceof ApiError && thrown.status === 404) return undefined
    throw thrown
  }
}

async function segmentsOf({ projectId, container, name }: Upload, signal: AbortSignal): Promise<[container: string, names: string[]][]> {
  const manifest = (await (await ask(projectId, 'GET', { container, object: name, query: { 'multipart-manifest': 'get' }, signal })).json()) as { name?: string }[]
  const found = new Map<string, string[]>()
  for (const { name: path } of manifest) {
    const [, box, rest] = /^\/([^/]+)\/([\s\S]+)$/.exec(path ?? '') ?? []
    if (box !== undefined && rest !== undefined) found.set(box, [...(found.get(box) ?? []), rest])
  }
  return [...found]
}

/** What is here of this very file since an upload was broken off, by a tab that was closed or a machine that stopped. Complete sets may be in use. */
async function leftBehind(projectId: string, box: string, prefix: string, size: number, length: number, signal: AbortSignal): Promise<Segment[]> {
  const listed = (await (await ask(projectId, 'GET', { container: box, query: { format: 'json', prefix }, signal })).json()) as { name: string; hash: string; bytes: number }[]
  const sets = new Map<string, Segment[]>()
  for (const { name, hash, bytes } of listed) {
    const cut = name.lastIndexOf('/')
    const set = sets.get(name.slice(0, cut)) ?? []
    sets.set(name.slice(0, cut), set)
    if (Number(name.slice(cut + 1)) === set.length && bytes === length) set.push({ name, etag: hash, size: bytes })
  }
  return [...sets.values()].filter((set) => set.length * length < size).sort((a, b) => b.length - a.length)[0] ?? []
}

async function sendSegments({ projectId, container, name, file, segments }: Upload, length: number, signal: AbortSignal, onProgress: (sent: number) => void): Promise<void> {
  const box = segmentContainer(container)
  if (segments.length === 0) {
    // Where the bytes of the object itself would lie, unless it is there already and lies elsewhere.
    const { policy } = await containerFacts(projectId, container, signal)
    await makeContainer(projectId, box, { policy }).catch((thrown: unknown) => {
      if (!(thrown instanceof ApiError) || thrown.status !== 409) throw thrown
    })
  }
  const same = `${name}/slo/${file.lastModified}/${file.size}/`
  if (segments.length === 0) segments.push(...(await leftBehind(projectId, box, same, file.size, length, signal)))
  // Not two uploads of one name into the same segments.
  const stamp = segments[0]?.name.slice(0, segments[0].name.lastIndexOf('/')) ?? `${same}${Date.now()}`
  let sent = segments.reduce((sum, { size }) => sum + size, 0)
  while (sent < file.size) {
    const before = sent
    const content = file.slice(before, before + length)
    const segment = `${stamp}/${String(segments.length).padStart(8, '0')}`
    const headers = await again(signal, async () => put(pathOf(projectId, box, segment), { token: await session.tokenFor(projectId), headers: { 'content-type': 'application/octet-stream' }, content, signal, onProgress: (part) => onProgress(before + part) }))
    segments.push({ name: segment, etag: (headers.get('etag') ?? '').replaceAll('"', ''), size: content.size })
    sent += content.size
    onProgress(sent)
  }
}

/** The line breaks, the store is away for a moment: once more. */
async function again<Out>(signal: AbortSignal, run: () => Promise<Out>): Promise<Out> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (thrown) {
      const passing = thrown instanceof ApiError && (thrown.status === 0 || thrown.status >= 500) && thrown.status !== 507
      if (!passing || attempt === ATTEMPTS || signal.aborted) throw thrown
    }
  }
}
