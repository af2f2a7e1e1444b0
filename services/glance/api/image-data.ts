/** The bytes of an image: upload, staging, download. Nothing is held in memory, everything is inspected as it passes (A1–A6). */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { conflict, Fault, forbidden, invalid, isFault } from '#base/fault.ts'
import { isStream } from '#base/http/message.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import type { Problem } from '../core/formats/inspection.ts'
import { judgeImage } from '../core/image-judge.ts'
import { ImageProbe } from '../core/image-probe.ts'
import type { Glance } from '../house.ts'
import { imageById, moveImage } from '../store/images.ts'
import type { ImageRow } from '../store/tables.ts'
import { loadImage } from './load.ts'

export const imageDataRoutes = (house: Glance): Route[] => [
  route({ method: 'PUT', path: '/v2/images/{image_id}/file', name: 'images.upload', bodyKind: 'raw', status: 204, handle: (rq) => upload(house, rq as Rq<never>) }),
  route({ method: 'PUT', path: '/v2/images/{image_id}/stage', name: 'images.stage', bodyKind: 'raw', status: 204, handle: (rq) => stage(house, rq as Rq<never>) }),
  route({ method: 'GET', path: '/v2/images/{image_id}/file', name: 'images.download', bodyKind: 'none', status: 200, handle: (rq) => download(house, rq as Rq<never>) }),
]

async function upload(house: Glance, rq: Rq<never>): Promise<Reply> {
  insistOnBytes(rq)
  const { row } = await loadImage(house, rq, 'upload_image')
  await beginWriting(house, row, 'saving', 'queued')
  try {
    await keepBytes(house, row, row.id, bodyOf(rq))
  } catch (thrown) {
    await abandon(house, row.id, 'saving')
    throw thrown
  }
  return { headers: { 'content-type': 'text/html; charset=UTF-8' } }
}

async function stage(house: Glance, rq: Rq<never>): Promise<Reply> {
  insistOnBytes(rq)
  const { row } = await loadImage(house, rq, 'upload_image')
  await beginWriting(house, row, 'uploading', 'queued')
  try {
    const size = await house.store.write(`${row.id}.staged`, limited(bodyOf(rq), house.config.image_size_cap))
    await moveImage(house.db, row.id, ['uploading'], { size, updated_at: house.world.clock.now() })
  } catch (thrown) {
    await moveImage(house.db, row.id, ['uploading'], { status: 'queued', updated_at: house.world.clock.now() })
    throw thrown
  }
  return { headers: { 'content-type': 'text/html; charset=UTF-8' } }
}

/**
 * Writes the bytes under the image's id, judges them, and makes the image active; a problem leaves neither bytes nor an active image.
 * The row must be in `saving` or `importing`.
 */
export async function keepBytes(house: Glance, row: ImageRow, id: string, source: AsyncIterable<Uint8Array>): Promise<void> {
  if (row.disk_format === null || row.container_format === null) throw invalid('Disk format and container format must be set before data is uploaded.', { field: 'disk_format' })
  const claim = { disk_format: row.disk_format, container_format: row.container_format }
  const limits = { max_virtual_size: house.config.max_virtual_size }
  const probe = new ImageProbe()
  const md5 = createHash('md5')
  const sha512 = createHash('sha512')
  const refuse = (problem: Problem | undefined): void => {
    if (problem) throw new Fault('unsupported_media', `The image was refused: ${problem.reason}`, { code: 'image.refused', field: 'disk_format' })
  }
  async function* inspected(): AsyncGenerator<Uint8Array> {
    let judged = false
    for await (const chunk of limited(source, house.config.image_size_cap)) {
      md5.update(chunk)
      sha512.update(chunk)
      probe.write(chunk)
      if (!judged && probe.found) {
        judged = true
        refuse(judgeImage(probe.found, claim, limits).problem)
      }
      yield chunk
    }
  }
  const size = await house.store.write(id, inspected())
  const finding = judgeImage(probe.finish(), claim, limits)
  if (finding.problem) await house.store.ensureNo(id)
  refuse(finding.problem)
  const done = await moveImage(house.db, row.id, ['saving', 'importing'], {
    status: 'active',
    size,
    virtual_size: finding.virtual_size ?? (claim.disk_format === 'raw' ? size : null),
    checksum: md5.digest('hex'),
    os_hash_algo: 'sha512',
    os_hash_value: sha512.digest('hex'),
    updated_at: house.world.clock.now(),
  })
  if (!done) {
    await house.store.ensureNo(id)
    throw new Fault('gone', `Image ${row.id} was deleted while its data was uploaded.`)
  }
}

/** After a failed upload the image waits for another one, as if nothing had come. */
async function abandon(house: Glance, imageId: string, from: string): Promise<void> {
  await house.store.ensureNo(imageId)
  await moveImage(house.db, imageId, [from], { status: 'queued', size: null, updated_at: house.world.clock.now() })
}

async function beginWriting(house: Glance, row: ImageRow, to: string, from: string): Promise<void> {
  if (row.disk_format === null || row.container_format === null) throw invalid('Disk format and container format must be set before data is uploaded.', { field: 'disk_format' })
  if (await moveImage(house.db, row.id, [from], { status: to, updated_at: house.world.clock.now() })) return
  const now = (await imageById(house.db, row.id)) ?? row
  throw conflict(`Image status transition from ${now.status} to ${to} is not allowed`)
}

function insistOnBytes(rq: Rq<never>): void {
  const type = (rq.http.headers['content-type'] ?? '').split(';')[0]!.trim()
  if (type !== 'application/octet-stream') throw new Fault('unsupported_media', `Unsupported Content-Type ${type}: use application/octet-stream`)
  rq.http.sendContinue?.()
}

function bodyOf(rq: Rq<never>): AsyncIterable<Uint8Array> {
  const { body } = rq.http
  if (body === undefined) return Readable.from([])
  return isStream(body) ? body : Readable.from([Buffer.from(body as Uint8Array)])
}

async function* limited(source: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<Uint8Array> {
  let size = 0
  for await (const chunk of source) {
    size += chunk.length
    if (size > limit) throw new Fault('too_large', `The image is larger than the limit of ${limit} bytes.`)
    yield chunk
  }
}

async function download(house: Glance, rq: Rq<never>): Promise<Reply> {
  const { row } = await loadImage(house, rq, 'download_image')
  if (row.status === 'deactivated' && !rq.allows('context_is_admin', {})) throw forbidden('The requested image has been deactivated. Image data download is forbidden.')
  if (row.status === 'queued' || row.status === 'saving' || row.status === 'uploading' || row.status === 'importing') return { status: 204 }
  const size = row.size ?? 0
  const range = rangeOf(rq.http.headers.range ?? rq.http.headers['content-range'], size)
  const found = await house.store.read(row.id, range).catch((thrown: unknown) => {
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
