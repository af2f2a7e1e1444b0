/** Objects: the list of a folder, one of them, and what is done to one. Folders are what stands before a slash in names. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { ApiError } from './client.ts'
import { containerFacts } from './containers.ts'
import { inParallel } from './parallel.ts'
import { ask, fromHeader, metadataIn, quoted, storeKey, toHeader } from './object-store.ts'

export const PAGE_SIZE = 100

export interface ObjectsSearch {
  container: string
  /** Ends with a slash; none is the top. */
  folder?: string
  /** How names in the folder begin. */
  find?: string
  marker?: string
  /** The object whose details are shown. */
  object?: string
}

export interface StoredObject {
  name: string
  bytes: number
  content_type: string
  last_modified: string
  /** It is a manifest of segments. */
  slo_etag?: string
}

/** An object, or a folder in which there are some. */
export type Line = { kind: 'object'; name: string; object: StoredObject } | { kind: 'folder'; name: string }

export const FOLDER_TYPE = 'application/directory'

export const objectsQuery = (projectId: string, { container, folder = '', find = '', marker }: ObjectsSearch) =>
  queryOptions({
    queryKey: [...storeKey(projectId), 'list', container, { folder, find, marker }],
    queryFn: async ({ signal }): Promise<{ lines: Line[]; next: string | undefined }> => {
      const query = { format: 'json', delimiter: '/', prefix: folder + find || undefined, limit: PAGE_SIZE + 1, marker }
      const found = (await (await ask(projectId, 'GET', { container, query, signal })).json()) as (StoredObject | { subdir: string })[]
      const page = found.slice(0, PAGE_SIZE)
      const lines = page.map((one): Line => ('subdir' in one ? { kind: 'folder', name: one.subdir } : { kind: 'object', name: one.name, object: one }))
      // What stands for the folder itself is not in it.
      return { lines: lines.filter((line) => !(line.kind === 'object' && line.name === folder && line.object.bytes === 0)), next: found.length > PAGE_SIZE ? lines.at(-1)?.name : undefined }
    },
    placeholderData: keepPreviousData,
  })

/** The marker of the page before the one that begins with `first`; none: that is the first page. */
export async function markerBefore(projectId: string, { container, folder = '', find = '' }: ObjectsSearch, first: string): Promise<string | undefined> {
  const query = { format: 'json', delimiter: '/', prefix: folder + find || undefined, limit: PAGE_SIZE + 1, marker: first, reverse: 'true' }
  const before = (await (await ask(projectId, 'GET', { container, query })).json()) as ({ name: string } | { subdir: string })[]
  const last = before[PAGE_SIZE]
  return last && ('subdir' in last ? last.subdir : last.name)
}

/** What a name is called in its folder. */
export function shortName(name: string, folder: string): string {
  const rest = name.startsWith(folder) ? name.slice(folder.length) : name
  const short = rest.endsWith('/') && rest.length > 1 ? rest.slice(0, -1) : rest
  return short === '' ? name : short
}

/** Every object below a folder, a page at a time. */
export async function* objectsBelow(projectId: string, container: string, folder: string, signal: AbortSignal): AsyncGenerator<StoredObject[]> {
  for (let marker: string | undefined; ; ) {
    const page = (await (await ask(projectId, 'GET', { container, query: { format: 'json', prefix: folder || undefined, limit: 1000, marker }, signal })).json()) as StoredObject[]
    if (page.length === 0) return
    marker = page.at(-1)!.name
    yield page
  }
}

export interface ObjectFacts {
  bytes: number
  type: string
  etag: string
  modified: string
  metadata: Record<string, string>
  /** Seconds since the epoch. */
  deleteAt: number | undefined
  segmented: boolean
  /** Headers that a change of the metadata must say again, or they are lost. */
  kept: Record<string, string>
}

const KEPT = ['content-encoding', 'content-disposition', 'content-language', 'cache-control', 'x-object-manifest', 'x-robots-tag', 'expires']

export const objectQuery = (projectId: string, container: string, object: string) =>
  queryOptions({
    queryKey: [...storeKey(projectId), 'object', container, object],
    queryFn: async ({ signal }): Promise<ObjectFacts> => {
      const { headers } = await ask(projectId, 'HEAD', { container, object, signal })
      const at = headers.get('x-delete-at')
      return {
        bytes: Number(headers.get('content-length')),
        type: fromHeader(headers.get('content-type') ?? ''),
        etag: (headers.get('etag') ?? '').replaceAll('"', ''),
        modified: new Date(headers.get('last-modified') ?? '').toISOString(),
        metadata: metadataIn(headers, 'x-object-meta-'),
        deleteAt: at === null ? undefined : Number(at),
        segmented: headers.get('x-static-large-object') !== null,
        kept: Object.fromEntries(KEPT.flatMap((name) => (headers.has(name) ? [[name, headers.get(name)!]] : []))),
      }
    },
  })

/** `after` seconds from now it is deleted; null: never; undefined: as it was. */
export interface ObjectChange {
  type: string
  metadata: readonly (readonly [name: string, value: string])[]
  after: number | null | undefined
}

export async function changeObject(projectId: string, container: string, object: string, facts: ObjectFacts, { type, metadata, after }: ObjectChange): Promise<void> {
  const headers: Record<string, string> = { ...facts.kept, 'content-type': toHeader(type) }
  for (const [name, value] of metadata) headers[`x-object-meta-${name}`] = toHeader(value)
  if (typeof after === 'number') headers['x-delete-after'] = String(after)
  else if (after === undefined && facts.deleteAt !== undefined) headers['x-delete-at'] = String(facts.deleteAt)
  await ask(projectId, 'POST', { container, object, headers })
}

/** Throws ApiError 412 when there is one of this name. */
export async function makeFolder(projectId: string, container: string, folder: string): Promise<void> {
  await ask(projectId, 'PUT', { container, object: folder, raw: '', headers: { 'content-type': FOLDER_TYPE, 'if-none-match': '*' } })
}

export interface Spot {
  container: string
  object: string
}

/** Within the store. A segmented object is copied as its manifest: both then have the same segments. Throws ApiError 412 when there is one of this name. */
export async function copyObject(projectId: string, from: Spot & { segmented: boolean }, to: Spot): Promise<void> {
  const source = { 'x-copy-from': `${quoted(from.container)}/${quoted(from.object)}`, 'if-none-match': '*' }
  await ask(projectId, 'PUT', { ...to, raw: '', headers: source, query: { 'multipart-manifest': from.segmented ? 'get' : undefined } })
}

/** Copies, then deletes the old name. Its segments stay: they are the new one's. */
export async function moveObject(projectId: string, from: Spot & { segmented: boolean }, to: Spot): Promise<void> {
  await copyObject(projectId, from, to)
  const failures = await removeNames(projectId, from.container, [from.object])
  if (failures[0]) throw new ApiError(409, `${failures[0][0]}: ${failures[0][1]}`)
}

/** `exists`: there is one of this name already. */
export type Failed = [name: string, why: string, exists?: boolean]

/** In one request, by a list: so names that no address can hold go too. What is not there is no failure. */
export async function removeNames(projectId: string, container: string, names: readonly string[], signal?: AbortSignal): Promise<Failed[]> {
  if (names.length === 0) return []
  const raw = names.map((name) => `${quoted(container)}/${quoted(name)}\n`).join('')
  return report(await ask(projectId, 'POST', { query: { 'bulk-delete': '' }, raw, headers: { 'content-type': 'text/plain' }, ...(signal ? { signal } : {}) }))
}

/** With the segments of those that have some, where no older version needs them. Answers what is still there and why. */
async function removeObjects(projectId: string, container: string, objects: readonly StoredObject[], keepSegments: boolean, signal: AbortSignal): Promise<Failed[]> {
  const wholly = ({ slo_etag }: StoredObject): boolean => slo_etag !== undefined && !keepSegments
  const failed = await removeNames(projectId, container, objects.filter((one) => !wholly(one)).map(({ name }) => name), signal)
  for (const { name } of objects.filter(wholly)) {
    failed.push(...(await report(await ask(projectId, 'DELETE', { container, object: name, query: { 'multipart-manifest': 'delete' }, signal }))))
  }
  return failed
}

/** Requests on many answer 200 and say inside how it went. */
async function report(response: Response): Promise<Failed[]> {
  const said = (await response.json()) as { 'Response Status': string; 'Response Body'?: string; Errors: Failed[] }
  const status = Number.parseInt(said['Response Status'], 10)
  if (said.Errors.length === 0 && status >= 400 && status !== 404) throw new ApiError(status, said['Response Body'] || said['Response Status'], response.headers)
  return said.Errors.map(([name, why]) => [plainName(name), why])
}

function plainName(quotedName: string): string {
  try {
    return decodeURIComponent(quotedName)
  } catch {
    return quotedName
  }
}

/** So many go in one request, so that how many have gone is told often; and so many requests at once. */
const TOGETHER = 100
const AT_ONCE = 4

/** Folders with all that is in them. Stops where it is when the signal says so; `onProgress` is told how many have gone. */
export async function removeLines(projectId: string, container: string, lines: readonly Line[], signal: AbortSignal, onProgress: (removed: number) => void): Promise<Failed[]> {
  const failed: Failed[] = []
  const { versions } = await containerFacts(projectId, container, signal)
  let removed = 0
  const remove = (objects: readonly StoredObject[]): Promise<void> => {
    const parts = Array.from({ length: Math.ceil(objects.length / TOGETHER) }, (_, i) => objects.slice(i * TOGETHER, (i + 1) * TOGETHER))
    return inParallel(parts, AT_ONCE, signal, async (part) => {
      const left = await removeObjects(projectId, container, part, versions !== 'off', signal)
      failed.push(...left)
      onProgress((removed += part.length - left.length))
    })
  }
  await remove(lines.flatMap((line) => (line.kind === 'object' ? [line.object] : [])))
  for (const line of lines) if (line.kind === 'folder') for await (const page of objectsBelow(projectId, container, line.name, signal)) await remove(page)
  return failed
}
