/** Finds the image that glance-download is to copy: in the caller's name, so that nobody copies what they may not read. */
import { isFault } from '#base/fault.ts'
import { isUuid } from '#base/ids.ts'
import { listEndpoints, listServices } from '#keystone/contract/operations.ts'
import type { Rq } from '#stack/route.ts'
import type { Glance } from '../house.ts'
import type { ImageRow } from '../store/tables.ts'
import { loadImage } from './load.ts'

export type Source = { row: ImageRow } | { why_not: string }

export async function sourceRegion(house: Glance, rq: Pick<Rq, 'context' | 'authorize' | 'allows'>, method: { glance_image_id?: string; glance_region?: string; glance_service_interface?: string }): Promise<Source> {
  const { glance_region, glance_service_interface = 'public' } = method
  if (glance_region !== undefined && !(await isHere(house, glance_region, glance_service_interface))) return { why_not: `There is no image service with a ${glance_service_interface.slice(0, 50)} interface in region ${glance_region.slice(0, 100)}.` }
  const id = method.glance_image_id!
  const image_id = isUuid(id) ? id : id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  try {
    const { row } = await loadImage(house, { ...rq, params: { image_id } } as unknown as Rq<never>, 'download_image')
    return row.status === 'active' ? { row } : { why_not: `Image ${image_id} is ${row.status}.` }
  } catch (thrown) {
    if (isFault(thrown, 'not_found') || isFault(thrown, 'forbidden')) return { why_not: `Image ${image_id} could not be found.` }
    throw thrown
  }
}

/** Only this cloud's own Glance is asked: a token is never sent anywhere else. */
async function isHere(house: Glance, region: string, face: string): Promise<boolean> {
  if (!['public', 'internal', 'admin'].includes(face)) return false
  const caller = await house.serviceCaller()
  const { services } = await house.client.call(caller, 'keystone', listServices, { query: { type: 'image' } })
  const { endpoints } = await house.client.call(caller, 'keystone', listEndpoints, { query: { interface: face } })
  return endpoints.some((one) => one.region_id === region && services.some((service) => service.id === one.service_id) && [house.publicUrl(), '{public_url}'].some((root) => one.url.startsWith(root)))
}
