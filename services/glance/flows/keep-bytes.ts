/** Writes bytes into a store while they are inspected (A1–A6): what is refused leaves nothing behind. */
import { createHash } from 'node:crypto'
import { Fault, invalid } from '#base/fault.ts'
import type { Problem } from '../core/formats/inspection.ts'
import { judgeImage } from '../core/image-judge.ts'
import { ImageProbe } from '../core/image-probe.ts'
import type { StoreDriver } from '../drivers/interface.ts'
import type { Glance } from '../house.ts'
import type { ImageRow } from '../store/tables.ts'

export type Kept = Pick<ImageRow, 'size' | 'virtual_size' | 'checksum' | 'os_hash_algo' | 'os_hash_value'>

export const NOTHING_KEPT: Kept = { size: null, virtual_size: null, checksum: null, os_hash_algo: null, os_hash_value: null }

export async function writeJudged(house: Glance, formats: Pick<ImageRow, 'disk_format' | 'container_format'>, store: StoreDriver, id: string, source: AsyncIterable<Uint8Array>): Promise<Kept> {
  const { disk_format, container_format } = formats
  if (disk_format === null || container_format === null) throw invalid('Disk format and container format must be set before data is uploaded.', { field: 'disk_format' })
  const claim = { disk_format, container_format }
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
  const size = await store.write(id, inspected())
  const finding = judgeImage(probe.finish(), claim, limits)
  if (finding.problem) await store.ensureNo(id)
  refuse(finding.problem)
  return { size, virtual_size: finding.virtual_size ?? (claim.disk_format === 'raw' ? size : null), checksum: md5.digest('hex'), os_hash_algo: 'sha512', os_hash_value: sha512.digest('hex') }
}

export async function* limited(source: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<Uint8Array> {
  let size = 0
  for await (const chunk of source) {
    size += chunk.length
    if (size > limit) throw new Fault('too_large', `The image is larger than the limit of ${limit} bytes.`)
    yield chunk
  }
}
