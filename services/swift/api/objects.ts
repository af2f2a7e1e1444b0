/** Objects: upload, download, ranges, conditions, copies, metadata. Bytes pass as a stream; the row comes after them. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { Fault, invalid, notFound } from '#base/fault.ts'
import { isStream } from '#base/http/message.ts'
import { hexId } from '#base/ids.ts'
import type { Reply, Rq } from '#stack/route.ts'
import { type Metadata, mergeMetadata } from '../core/metadata.ts'
import type { Swift } from '../house.ts'
import { announceBytes, containerOf, objectOf, putObject, removeObject, setObject } from '../store/rows.ts'
import type { ContainerRow, ObjectRow } from '../store/tables.ts'
import { admit, type Names, namesOf, timestamp } from './door.ts'

const ALSO = ['content-encoding', 'content-disposition', 'content-language', 'cache-control', 'expires']
const MISSING = ['x-object-manifest', 'x-symlink-target']
const HTML = { 'content-type': 'text/html; charset=UTF-8' }
const DAY = 86_400_000

export async function object(house: Swift, rq: Rq, names: Names): Promise<Reply> {
  const { method, headers } = rq.http
  for (const name of MISSING) if (headers[name] !== undefined) throw new Fault('not_implemented', `${name} is not there yet.`, { field: name })
  for (const name of ['multipart-manifest', 'version-id']) if (rq.query.has(name)) throw new Fault('not_implemented', `The query ${name} is not there yet.`, { field: name })
  const reading = method === 'GET' || method === 'HEAD'
  const into = await admitted(house, rq, names, reading || method === 'COPY' ? 'read' : 'write')
  if (!into) throw notFound('The resource could not be found.')
  if (method === 'PUT') return headers['x-copy-from'] === undefined ? upload(house, rq, into, names) : copy(house, rq, pathNames(headers['x-copy-from'], headers['x-copy-from-account'] ?? names.account), names)
  if (method === 'COPY') {
    if (headers.destination === undefined) throw new Fault('precondition', 'Destination header required')
    return copy(house, rq, names, pathNames(headers.destination, headers['destination-account'] ?? names.account))
  }
  const row = await living(house, into, names.object)
  if (!row) throw notFound('The resource could not be found.')
  if (method === 'DELETE') {
    if (!(await removeObject(house.db, into.id, names.object, house.world.clock.now()))) throw notFound('The resource could not be found.')
    return { status: 204, headers: { ...HTML } }
  }
  if (method === 'POST') {
    const metadata = JSON.stringify(mergeMetadata({}, headers, 'object', ALSO))
    const patch = { metadata, delete_at: deleteAt(house, rq), created_at: house.world.clock.now(), ...(headers['content-type'] ? { content_type: headers['content-type'] } : {}) }
    if (!(await setObject(house.db, row, patch))) throw new Fault('conflict', 'The object was replaced meanwhile.')
    return { status: 202, headers: { ...HTML } }
  }
  return download(house, rq, row)
}

async function admitted(house: Swift, rq: Rq, names: Names, kind: 'read' | 'write'): Promise<ContainerRow | undefined> {
  const row = await containerOf(house.db, names.account, names.container)
  admit(rq, names, kind, row && (JSON.parse(row.metadata) as Metadata)[`x-container-${kind}`])
  return row
}

async function living(house: Swift, into: ContainerRow, name: string): Promise<ObjectRow | undefined> {
  const row = await objectOf(house.db, into.id, name)
  return row && (row.delete_at === null || row.delete_at > house.world.clock.now()) ? row : undefined
}

function pathNames(path: string, account: string): Names {
  const names = namesOf(`/v1/${account}/${path.replace(/^\//, '')}`)
  if (names.object === '') throw new Fault('precondition', 'The path must be of the form <container name>/<object name>')
  return names
}

async function upload(house: Swift, rq: Rq, into: ContainerRow, names: Names): Promise<Reply> {
  const { headers, body } = rq.http
  const size = headers['content-length']
  if (size === undefined && headers['transfer-encoding'] === undefined && body === undefined) throw new Fault('length_required', 'Missing Content-Length header.')
  if (Number(size ?? 0) > house.config.max_file_size) throw new Fault('too_large', 'Your request is too large.')
  if (headers['if-none-match'] !== undefined) {
    if (headers['if-none-match'] !== '*') throw invalid('Value for If-None-Match must be *', { field: 'If-None-Match' })
    if (await living(house, into, names.object)) throw new Fault('precondition', 'The object exists already.')
  }
  const metadata = mergeMetadata({}, headers, 'object', ALSO)
  const delete_at = deleteAt(house, rq)
  rq.http.sendContinue?.()
  const source = body === undefined ? Readable.from([]) : isStream(body) ? body : Readable.from([Buffer.from(body as Uint8Array)])
  const etag = headers.etag?.replaceAll('"', '').toLowerCase()
  return store(house, into, names, source, { metadata, delete_at, content_type: headers['content-type'] || 'application/octet-stream', etag })
}

interface Given { metadata: Metadata; delete_at: number | null; content_type: string; etag: string | undefined }

async function store(house: Swift, into: ContainerRow, names: Names, source: AsyncIterable<Uint8Array>, given: Given): Promise<Reply> {
  const bytesId = hexId(house.world.random)
  await announceBytes(house.db, bytesId, house.world.clock.now() + DAY)
  const md5 = createHash('md5')
  let size = 0
  let etag = ''
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      size += chunk.length
      if (size > house.config.max_file_size) throw new Fault('too_large', 'Your request is too large.')
      md5.update(chunk)
      yield chunk
    }
    etag = md5.digest('hex')
    if (given.etag !== undefined && given.etag !== etag) throw new Fault('unprocessable', 'Unable to process the contained instructions: the ETag does not fit the data.')
  }
  await house.bytes.write(bytesId, counted())
  const now = house.world.clock.now()
  await putObject(house.db, { container_id: into.id, name: names.object, bytes_id: bytesId, size, etag, content_type: given.content_type, metadata: JSON.stringify(given.metadata), created_at: now, delete_at: given.delete_at }, now)
  return { status: 201, headers: { ...HTML, etag, 'last-modified': new Date(now).toUTCString() } }
}

async function copy(house: Swift, rq: Rq, from: Names, to: Names): Promise<Reply> {
  const source = await admitted(house, rq, from, 'read')
  const into = await admitted(house, rq, to, 'write')
  const row = source && (await living(house, source, from.object))
  if (!row || !into) throw notFound('The resource could not be found.')
  const fresh = rq.http.headers['x-fresh-metadata'] === 'true'
  const metadata = { ...(fresh ? {} : (JSON.parse(row.metadata) as Metadata)), ...mergeMetadata({}, rq.http.headers, 'object', ALSO) }
  const bytes = row.size === 0 ? Readable.from([]) : await house.bytes.read(row.bytes_id, 0, row.size - 1)
  const content_type = rq.http.headers['content-type'] || row.content_type
  const reply = await store(house, into, to, bytes, { metadata, delete_at: deleteAt(house, rq) ?? (fresh ? null : row.delete_at), content_type, etag: row.etag })
  return { ...reply, headers: { ...reply.headers, 'x-copied-from': `${encodeURIComponent(from.container)}/${from.object.split('/').map(encodeURIComponent).join('/')}`, 'x-copied-from-last-modified': new Date(row.created_at).toUTCString(), 'x-copied-from-account': from.account } }
}

function deleteAt(house: Swift, rq: Rq): number | null {
  const { headers } = rq.http
  const [name, base] = headers['x-delete-after'] !== undefined ? (['x-delete-after', house.world.clock.now()] as const) : (['x-delete-at', 0] as const)
  const text = headers[name]
  if (text === undefined || text === '') return null
  if (!/^\d{1,11}$/.test(text)) throw invalid(`Non-integer ${name === 'x-delete-at' ? 'X-Delete-At' : 'X-Delete-After'}`, { field: name })
  const at = base + Number(text) * 1000
  if (at <= house.world.clock.now()) throw invalid('X-Delete-At in past', { field: name })
  return at
}

async function download(house: Swift, rq: Rq, row: ObjectRow): Promise<Reply> {
  const { headers: asked, method } = rq.http
  const seconds = Math.floor(row.created_at / 1000) * 1000
  const headers: Record<string, string> = { ...(JSON.parse(row.metadata) as Metadata), 'content-type': row.content_type, etag: row.etag, 'last-modified': new Date(row.created_at).toUTCString(), 'x-timestamp': timestamp(row.created_at), 'accept-ranges': 'bytes' }
  if (row.delete_at !== null) headers['x-delete-at'] = String(Math.floor(row.delete_at / 1000))
  const fits = (list: string): boolean => list.split(',').some((one) => ['*', row.etag].includes(one.trim().replace(/^W\//, '').replaceAll('"', '')))
  const instant = (text: string | undefined): number => (text === undefined ? Number.NaN : Date.parse(text))
  if (asked['if-match'] !== undefined && !fits(asked['if-match'])) return { status: 412, headers: { ...headers, 'content-length': '0' } }
  if (seconds > instant(asked['if-unmodified-since'])) return { status: 412, headers: { ...headers, 'content-length': '0' } }
  if (asked['if-none-match'] !== undefined ? fits(asked['if-none-match']) : seconds <= instant(asked['if-modified-since'])) return { status: 304, headers }
  const match = /^bytes=(\d*)-(\d*)$/.exec(asked.range ?? '')
  const size = Number(row.size)
  let [start, end, status] = [0, size - 1, 200]
  if (match && match[1] + match[2]! !== '' && method === 'GET') {
    start = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1])
    end = match[1] === '' || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1)
    if (start > end) throw new Fault('range', 'The Range requested is not available.', { field: 'Range' })
    status = 206
    headers['content-range'] = `bytes ${start}-${end}/${size}`
  }
  headers['content-length'] = String(end - start + 1)
  if (method === 'HEAD' || size === 0) return { status, headers }
  return { status, headers, body: await house.bytes.read(row.bytes_id, start, end) }
}
