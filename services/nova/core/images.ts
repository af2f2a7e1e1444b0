/** What a server keeps of the image it was made from. */
import type { ImageSnapshot } from '../store/tables.ts'

const OWN = new Set([
  'id', 'name', 'status', 'visibility', 'owner', 'container_format', 'disk_format', 'size', 'virtual_size', 'min_ram', 'min_disk', 'protected', 'os_hidden', 'checksum', 'os_hash_algo', 'os_hash_value', 'tags', 'created_at',
  'updated_at', 'self', 'file', 'schema', 'locations', 'direct_url', 'kernel_id', 'ramdisk_id', 'image_id', 'image_name', 'stores',
])

/** Accepts Glance's image, and the metadata that Cinder keeps of an image. */
export function imageSnapshot(image: Readonly<Record<string, unknown>>): ImageSnapshot {
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)
  return {
    min_disk: Number(image.min_disk ?? 0),
    min_ram: Number(image.min_ram ?? 0),
    size: Number(image.size ?? 0),
    disk_format: text(image.disk_format),
    container_format: text(image.container_format),
    kernel_id: text(image.kernel_id) ?? '',
    ramdisk_id: text(image.ramdisk_id) ?? '',
    properties: Object.fromEntries(Object.entries(image).filter(([key, value]) => !OWN.has(key) && value !== null)),
  }
}
