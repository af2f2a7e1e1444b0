/** Finds an image for a caller: what they may not see is not there. */
import { notFound } from '#base/fault.ts'
import type { Rq } from '#stack/route.ts'
import type { Glance } from '../house.ts'
import { imageById } from '../store/images.ts'
import { memberOf } from '../store/members.ts'
import type { ImageRow } from '../store/tables.ts'
import { imageTarget } from './image-view.ts'

export interface Loaded {
  row: ImageRow
  target: Record<string, unknown>
}

/** Loads what the caller may see, and judges `rule` on it. 404 hides what is not theirs to see, 403 refuses what is. */
export async function loadImage(house: Glance, rq: Rq<never>, rule: string): Promise<Loaded> {
  const imageId = rq.params.image_id!
  const row = await imageById(house.db, imageId)
  if (!row) throw notFound(`No image found with ID ${imageId}`)
  const own = row.owner !== null && row.owner === rq.context.project_id
  const isMember = row.visibility === 'shared' && !own && rq.context.project_id !== undefined && (await memberOf(house.db, imageId, rq.context.project_id)) !== undefined
  const target = imageTarget(row, rq.context, isMember)
  if (!rq.allows('get_image', target) && !rq.allows(rule, target)) throw notFound(`No image found with ID ${imageId}`)
  rq.authorize(rule, target)
  return { row, target }
}
