/** What lists of images filter and sort by. */
import { boolean, integer, oneOf, text } from '#stack/resource/field.ts'
import type { Resource } from '#stack/resource/resource.ts'

export const imageResource: Resource = {
  one: 'image',
  many: 'images',
  path: '/v2/images',
  table: 'glance_images',
  fields: {
    id: text(),
    name: text(),
    status: text(),
    disk_format: text(),
    container_format: text(),
    checksum: text(),
    os_hash_value: text(),
    owner: text(),
    size: integer(),
    min_ram: integer(),
    min_disk: integer(),
    protected: boolean(),
    visibility: oneOf(['public', 'private', 'shared', 'community', 'all'], { filter: false }),
    created_at: { ...integer(), parse: (given) => instant(given) },
    updated_at: { ...integer(), parse: (given) => instant(given) },
  },
}

/** ISO 8601 as milliseconds. */
function instant(given: string): number | undefined {
  const ms = Date.parse(given)
  return Number.isNaN(ms) ? undefined : ms
}

export const taskResource: Resource = {
  one: 'task',
  many: 'tasks',
  path: '/v2/tasks',
  table: 'glance_tasks',
  fields: { id: text(), type: text(), status: text(), owner: text(), created_at: { ...integer(), parse: instant }, updated_at: { ...integer(), parse: instant } },
}

export const namespaceResource: Resource = {
  one: 'namespace',
  many: 'namespaces',
  path: '/v2/metadefs/namespaces',
  table: 'glance_metadefs',
  fields: { id: text(), namespace: text(), owner: text(), created_at: { ...integer(), parse: instant }, updated_at: { ...integer(), parse: instant } },
}
