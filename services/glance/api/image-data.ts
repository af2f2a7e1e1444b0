/** The bytes of an image: upload, staging, download. Nothing is held in memory, everything is inspected as it passes (A1–A6). */
import { Readable } from 'node:stream'
import { conflict, Fault, forbidden, invalid, isFault } from '#base/fault.ts'
import { isStream, passing } from '#base/http/message.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { limited, NOTHING_KEPT, writeJudged } from '../flows/keep-bytes.ts'
import { asUpload } from '../flows/uploads.ts'
import { defaultStore, type Glance, stagedId } from '../house.ts'
import { imageById, moveImage } from '../store/images.ts'
import type { ImageRow } from '../store/tables.ts'
import { loadImage } from './load.ts'
import { insistOnRoom } from './quota.ts'

export const imageDataRoutes = (house: Glance): Route[] => [
  route({ method: 'PUT', path: '/v2/images/{image_id}/file', name: 'images.upload', bodyKind: 'raw', status: 204, handle: (rq) => upload(house, rq as Rq<never>) }),
  route({ method: 'PUT', path: '/v2/images/{image_id}/stage', name: 'images.stage', bodyKind: 'raw', status: 204, handle: (rq) => stage(house, rq as Rq<never>) }),
  route({ method: 'GET', path: '/v2/images/{image_id}/file', name: 'images.download', bodyKind: 'none', status: 200, handle: (rq) => download(house, rq as Rq<never>) }),
]

async function upload(house: Glance, rq: Rq<never>): Promise<Reply> {
  insistOnBytes(rq)
  const { row } = await loadImage(house, rq, 'upload_image')
  const storeId = storeOf(house, rq.http.headers['x-image-meta-store'])
  const store = house.stores.get(storeId)!
  await insistOnRoom(house, house.db, row.owner, { image_count_uploading: 1, image_size_total: sizeSaid(rq) })
  await beginWriting(house, row, 'saving', 'queued')
  await asUpload(house, row.id, async () => {
    try {
      const kept = await writeJudged(house, row, store, row.id, bodyOf(rq))
      const done = await moveImage(house.db, row.id, ['saving'], { status: 'active', ...kept, stores: JSON.stringify([storeId]), updated_at: house.world.clock.now() })
      if (!done) throw new Fault('gone', `Image ${row.id} was deleted while its data was uploaded.`)
    } catch (thrown) {
      // The image waits for another upload, as if nothing had come.
      await store.ensureNo(row.id)
      await moveImage(house.db, row.id, ['saving'], { status: 'queued', ...NOTHING_KEPT, updated_at: house.world.clock.now() })
      throw thrown
    }
  })
  return { headers: { 'content-type': 'text/html; charset=UTF-8' } }
}

/** The store that a client names, or the default one. */
export function storeOf(house: Glance, wanted: string | undefined): string {
  if (wanted === undefined || wanted === '') return defaultStore(house)
  if (!house.stores.has(wanted)) throw invalid(`Store for identifier ${wanted.slice(0, 100)} not found`, { field: 'X-Image-Meta-Store' })
  return wanted
}

async function stage(house: Glance, rq: Rq<never>): Promise<Reply> {
  insistOnBytes(rq)
  const { row } = await loadImage(house, rq, 'upload_image')
  await insistOnRoom(house, house.db, row.owner, { image_count_uploading: 1, image_stage_total: sizeSaid(rq) })
  await beginWriting(house, row, 'uploading', 'queued')
  await asUpload(house, row.id, async () => {
    try {
      const size = await house.staging.write(stagedId(row.id), limited(bodyOf(rq), house.config.image_size_cap))
      await moveImage(house.db, row.id, ['uploading'], { size, updated_at: house.world.clock.now() })
    } catch (thrown) {
      await moveImage(house.db, row.id, ['uploading'], { status: 'queued', updated_at: house.world.clock.now() })
      throw thrown
    }
  })
  return { headers: { 'content-type': 'text/html; charset=UTF-8' } }
}

async function beginWriting(house: Glance, row: ImageRow, to: string, from: string): Promise<void> {
  if (row.disk_format === null || row.container_format === null) throw invalid('Disk format and container format must be set before data is uploaded.', { field: 'disk_format' })
  if (await moveImage(house.db, row.id, [from], { status: to, updated_at: house.world.clock.now() })) return
  const now = (await imageById(house.db, row.id)) ?? row
  throw conflict(`Image status transition from ${now.status} to ${to} is not allowed`)
}

/** Bytes that are to come, where the client says it. */
function sizeSaid(rq: Rq<never>): number {
  return Number(rq.http.headers['content-length'] ?? 0) || 0
}

function insistOnBytes(rq: Rq<never>): void {
  const type = (rq.http.headers['content-type'] ?? '').split(';')[0]!.trim()
  if (type !== 'application/octet-stream') throw new Fault('unsupported_media', `Unsupported Content-Type ${type}: use application/octet-stream`)
  rq.http.sendContinue?.()
}

function bodyOf(rq: Rq<never>): AsyncIterable<Uint8Array> {
  const { body } = rq.http
  if (body === undefined) return Readable.from([])
  // A caller in this process may want its pieces again.
  if (isStream(body)) return rq.http.remote === 'local' ? body : passing(body)
  return Readable.from([Buffer.from(body as Uint8Array)])
}

async function download(house: Glance, rq: Rq<never>): Promise<Reply> {
  const { row } = await loadImage(house, rq, 'download_image')
  if (row.status === 'deactivated' && !rq.allows('context_is_admin', {})) throw forbidden('The requested image has been deactivated. Image data download is forbidden.')
  if (row.status === 'queued' || row.status === 'saving' || row.status === 'uploading' || row.status === 'importing') return { status: 204 }
  const size = row.size ?? 0
  const range = rangeOf(rq.http.headers.range ?? rq.http.headers['content-range'], size)
  const cached = await house.cache.find(row.id)
  const holder = (JSON.parse(row.stores) as string[]).find((id) => house.stores.has(id)) ?? defaultStore(house)
  const found = await (cached ?? house.stores.get(holder)!).read(row.id, range).catch((thrown: unknown) => {
    if (isFault(thrown, 'not_found')) throw new Fault('not_found', `No image data found for image ${row.id}`)
    throw thrown
  })
  const length = range ? range.end - range.start + 1 : size
  return {
    status: range ? 206 : 200,
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(length),
      ...(range ? { 'content-range': `bytes ${range.start}-${range.end}/${size}` } : row.checksum ? { 'content-md5': row.checksum } : {}),
    },
    body: found.stream,
  }
}

/** One range; several are answered whole, as HTTP allows. */
function rangeOf(header: string | undefined, size: number): { start: number; end: number } | undefined {
  if (header === undefined) return undefined
  const match = /^bytes[= ](\d*)-(\d*)(?:\/.*)?$/.exec(header.trim())
  if (!match || (match[1] === '' && match[2] === '')) throw new Fault('range', `Invalid range header: ${header.slice(0, 100)}`, { field: 'Range' })
  const start = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1])
  const end = match[1] === '' || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1)
  if (start > end) throw new Fault('range', `The range ${header.slice(0, 100)} is outside the image of ${size} bytes.`, { field: 'Range' })
  return { start, end }
}
