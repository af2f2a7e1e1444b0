/** Images as volumes are made from them: which one is meant, its format, and what the volume keeps of it. */
import { invalid, isFault, notFound } from '#base/fault.ts'
import { isUuid } from '#base/ids.ts'
import { type Image, listImages, showImage } from '#glance/contract/images.ts'
import type { Rq } from '#stack/route.ts'
import type { ImageFormat } from '../drivers/interface.ts'
import type { Cinder } from '../house.ts'

/** An image by id or name that the user may use, active. */
export async function imageOf(house: Cinder, rq: Pick<Rq, 'context'>, ref: string): Promise<Image> {
  const caller = { token: rq.context.token! }
  const id = ref.split('/').at(-1)!
  let image: Image
  if (isUuid(id)) {
    image = await house.client.call(caller, 'glance', showImage, { params: { image_id: id } }).catch((thrown: unknown) => {
      throw isFault(thrown, 'not_found') ? notFound(`Image ${id} could not be found.`, { field: 'imageRef' }) : thrown
    })
  } else {
    const { images } = await house.client.call(caller, 'glance', listImages, { query: { name: ref } })
    if (images.length !== 1) throw invalid('Invalid image identifier or unable to access requested image.', { field: 'imageRef' })
    image = images[0]!
  }
  if (image.status !== 'active') throw invalid(`Invalid input received: Image ${image.id} is not active.`, { field: 'imageRef' })
  return image
}

export function formatOf(image: Image): ImageFormat {
  const format = image.disk_format ?? 'raw'
  if (['raw', 'iso', 'aki', 'ari', 'ami'].includes(format)) return 'raw'
  if (['qcow2', 'vmdk', 'vdi', 'vhd', 'vhdx', 'ploop'].includes(format)) return format as ImageFormat
  throw invalid(`Images of format ${format} cannot become volumes.`, { field: 'imageRef' })
}

const NO_PROPERTY = new Set(['id', 'name', 'status', 'visibility', 'owner', 'created_at', 'updated_at', 'tags', 'self', 'file', 'schema', 'stores', 'locations', 'direct_url', 'protected', 'os_hidden', 'virtual_size', 'checksum', 'container_format', 'disk_format', 'min_disk', 'min_ram', 'size'])

export function imageMetadata(image: Image): Record<string, string> {
  const metadata: Record<string, string> = { signature_verified: 'False' }
  for (const [name, value] of Object.entries(image)) if (!NO_PROPERTY.has(name) && value !== null && typeof value !== 'object') metadata[name] = String(value)
  for (const name of ['checksum', 'container_format', 'disk_format', 'min_disk', 'min_ram', 'size'] as const) metadata[name] = String(image[name] ?? '')
  return { ...metadata, image_id: image.id, image_name: image.name ?? '' }
}
