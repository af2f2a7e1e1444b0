/** A small S3 store in memory on a loopback port, which can go away, lie and forget: what the driver `s3` is tested against. */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface FakeStore {
  url: string
  objects: Map<string, { bytes: Buffer; etag: string; at: number }>
  uploads: Map<string, Map<number, Buffer>>
  /** Answers this to everything. */
  failing: number | undefined
  /** Takes everything and never answers. */
  hanging: boolean
  /** Says that it took something else. */
  lying: boolean
  /** Has the first word on every request; undefined: as it should. */
  meddle: ((asked: Asked) => Meddling | undefined) | undefined
  /** Most entries of one page of a list. */
  page: number
  /** Its clock. */
  now(): number
  close(): Promise<void>
}

export interface Asked { method: string; key: string; query: URLSearchParams }
/** `answer`: instead of what it would say. `hang`: nothing. `break`: the connection ends at once. `cut`: half of the answer, and then the connection ends. `body`: other bytes, under the length that the right ones have or their own. */
export type Meddling = { answer: [number, string?, Record<string, string>?] } | 'hang' | 'break' | 'cut' | { body: (bytes: Buffer) => Buffer; length?: 'old' } | { headers: Record<string, string> } | { status: number }

export async function fakeStore(): Promise<FakeStore> {
  const buckets = new Set<string>()
  const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')
  const store: FakeStore = { url: '', objects: new Map(), uploads: new Map(), failing: undefined, hanging: false, lying: false, meddle: undefined, page: 1000, now: () => Date.now(), close: async () => {} }
  const uploadKeys = new Map<string, string>()
  const partsAt = new Map<string, number>()
  const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  let serial = 0
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      const url = new URL(request.url!, 'http://store')
      const [, bucket = '', ...rest] = url.pathname.split('/')
      const key = rest.map(decodeURIComponent).join('/')
      const { method } = request
      const query = url.searchParams
      const meddling = store.meddle?.({ method: method!, key, query })
      const say = (status: number, text: string | Buffer = '', headers: Record<string, string> = {}): void => {
        let bytes: Buffer = Buffer.from(text as string)
        const all: Record<string, string> = { 'content-length': String(bytes.length), ...headers }
        let said = status
        if (meddling === 'cut') {
          // With no answer to cut there is nothing to send.
          response.writeHead(status, { ...all, 'content-length': String(Math.max(Number(all['content-length']), 100)) }).write(bytes.subarray(0, bytes.length >> 1), () => response.destroy())
          return
        }
        if (typeof meddling === 'object' && 'body' in meddling) {
          bytes = meddling.body(bytes)
          if (meddling.length !== 'old') all['content-length'] = String(bytes.length)
        }
        if (typeof meddling === 'object' && 'headers' in meddling) Object.assign(all, meddling.headers)
        if (typeof meddling === 'object' && 'status' in meddling) said = meddling.status
        response.writeHead(said, all)
        if (bytes.length < Number(all['content-length']) && method !== 'HEAD') response.write(bytes, () => response.destroy())
        else response.end(bytes)
      }
      if (meddling === 'hang') return
      if (meddling === 'break') return void response.destroy()
      if (typeof meddling === 'object' && 'answer' in meddling) return void response.writeHead(meddling.answer[0], meddling.answer[2]).end(meddling.answer[1])
      if (store.hanging) return
      if (store.failing !== undefined) return say(store.failing)
      if (!request.headers.authorization?.startsWith('AWS4-HMAC-SHA256 Credential=key/')) return say(403)
      if (key === '') {
        if (method === 'PUT') buckets.add(bucket)
        if (!buckets.has(bucket)) return say(404)
        if (method !== 'GET') return say(200)
        if (query.has('uploads')) {
          const after = query.get('upload-id-marker') ?? ''
          const all = [...uploadKeys].filter(([id]) => after === '' || Number(id.slice(1)) > Number(after.slice(1)))
          const shown = all.slice(0, store.page)
          return say(200, `<ListMultipartUploadsResult><IsTruncated>${all.length > shown.length}</IsTruncated>${all.length > shown.length ? `<NextKeyMarker>${shown.at(-1)![1]}</NextKeyMarker><NextUploadIdMarker>${shown.at(-1)![0]}</NextUploadIdMarker>` : ''}${shown.map(([id, of]) => `<Upload><Key>${escaped(of)}</Key><UploadId>${id}</UploadId><Initiated>${new Date(0).toISOString()}</Initiated></Upload>`).join('')}</ListMultipartUploadsResult>`)
        }
        const from = query.get('continuation-token') ?? ''
        const all = [...store.objects].filter(([of]) => of > from && of.startsWith(query.get('prefix') ?? '')).sort(([a], [b]) => (a < b ? -1 : 1))
        const shown = all.slice(0, store.page)
        return say(200, `<ListBucketResult><IsTruncated>${all.length > shown.length}</IsTruncated>${all.length > shown.length ? `<NextContinuationToken>${shown.at(-1)![0]}</NextContinuationToken>` : ''}${shown.map(([of, one]) => `<Contents><Key>${escaped(of)}</Key><Size>${one.bytes.length}</Size><LastModified>${new Date(one.at).toISOString()}</LastModified></Contents>`).join('')}</ListBucketResult>`)
      }
      const upload = query.get('uploadId')
      if (method === 'POST' && query.has('uploads')) {
        const id = `u${++serial}`
        store.uploads.set(id, new Map())
        uploadKeys.set(id, key)
        return say(200, `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`)
      }
      if (method === 'PUT') {
        const kept = store.lying ? body.subarray(0, body.length - 1) : body
        if (upload === null) store.objects.set(key, { bytes: kept, etag: md5(kept), at: store.now() })
        else {
          store.uploads.get(upload)?.set(Number(query.get('partNumber')), kept)
          partsAt.set(upload, store.now())
        }
        return say(200, '', { etag: `"${md5(kept)}"` })
      }
      if (method === 'GET' && upload !== null) return store.uploads.has(upload) ? say(200, `<ListPartsResult><IsTruncated>false</IsTruncated>${[...store.uploads.get(upload)!.keys()].map((n) => `<Part><PartNumber>${n}</PartNumber><LastModified>${new Date(partsAt.get(upload)!).toISOString()}</LastModified></Part>`).join('')}</ListPartsResult>`) : say(404)
      if (method === 'POST' && upload !== null) {
        const parts = store.uploads.get(upload)
        if (!parts) return say(404, '<Error><Code>NoSuchUpload</Code></Error>')
        const bytes = Buffer.concat([...parts].sort(([a], [b]) => a - b).map(([, part]) => part))
        store.objects.set(key, { bytes, etag: `${md5(bytes)}-${parts.size}`, at: store.now() })
        store.uploads.delete(upload)
        uploadKeys.delete(upload)
        return say(200, '<CompleteMultipartUploadResult></CompleteMultipartUploadResult>')
      }
      if (method === 'DELETE') {
        if (upload === null) store.objects.delete(key)
        else {
          store.uploads.delete(upload)
          uploadKeys.delete(upload)
        }
        return say(204)
      }
      const found = store.objects.get(key)
      if (!found) return say(404)
      if (method === 'GET' && Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0) >= found.bytes.length) return say(416)
      const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')
      const part = range ? found.bytes.subarray(Number(range[1]), Number(range[2]) + 1) : found.bytes
      return say(range ? 206 : 200, method === 'HEAD' ? '' : part, { 'content-length': String(part.length), etag: `"${found.etag}"` })
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  store.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  store.close = () =>
    new Promise((done) => {
      server.close(() => done())
      server.closeAllConnections()
    })
  return store
}
