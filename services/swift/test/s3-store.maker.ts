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
  close(): Promise<void>
}

export async function fakeStore(): Promise<FakeStore> {
  const buckets = new Set<string>()
  const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')
  const store: FakeStore = { url: '', objects: new Map(), uploads: new Map(), failing: undefined, hanging: false, lying: false, close: async () => {} }
  const uploadKeys = new Map<string, string>()
  let serial = 0
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      const url = new URL(request.url!, 'http://store')
      const [, bucket = '', ...rest] = url.pathname.split('/')
      const key = rest.map(decodeURIComponent).join('/')
      const say = (status: number, text: string | Buffer = '', headers: Record<string, string> = {}): void => void response.writeHead(status, headers).end(text)
      const { method } = request
      const query = url.searchParams
      if (store.hanging) return
      if (store.failing !== undefined) return say(store.failing)
      if (!request.headers.authorization?.startsWith('AWS4-HMAC-SHA256 Credential=key/')) return say(403)
      if (key === '') {
        if (method === 'PUT') buckets.add(bucket)
        if (!buckets.has(bucket)) return say(404)
        if (method !== 'GET') return say(200)
        if (query.has('uploads')) return say(200, `<ListMultipartUploadsResult>${[...uploadKeys].map(([id, of]) => `<Upload><Key>${of}</Key><UploadId>${id}</UploadId><Initiated>${new Date(0).toISOString()}</Initiated></Upload>`).join('')}</ListMultipartUploadsResult>`)
        return say(200, `<ListBucketResult><IsTruncated>false</IsTruncated>${[...store.objects].map(([of, one]) => `<Contents><Key>${of}</Key><Size>${one.bytes.length}</Size><LastModified>${new Date(one.at).toISOString()}</LastModified></Contents>`).join('')}</ListBucketResult>`)
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
        if (upload === null) store.objects.set(key, { bytes: kept, etag: md5(kept), at: Date.now() })
        else store.uploads.get(upload)!.set(Number(query.get('partNumber')), kept)
        return say(200, '', { etag: `"${md5(kept)}"` })
      }
      if (method === 'POST' && upload !== null) {
        const parts = store.uploads.get(upload)!
        const bytes = Buffer.concat([...parts].sort(([a], [b]) => a - b).map(([, part]) => part))
        store.objects.set(key, { bytes, etag: `${md5(bytes)}-${parts.size}`, at: Date.now() })
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
