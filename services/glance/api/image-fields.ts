/** What a client may say of an image, checked the same way for a create and for every change. */
import { Fault, forbidden, invalid } from '#base/fault.ts'
import { isUuid } from '#base/ids.ts'
import type { Schema } from '#stack/schema.ts'
import type { ImageRow } from '../store/tables.ts'
import type { GlanceConfig } from '../config.ts'

export const DISK_FORMATS = ['ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'ploop', 'iso', 'luks', null] as const
export const CONTAINER_FORMATS = ['ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker', 'compressed', null] as const

/** Set by the service alone. */
export const READ_ONLY = new Set(['status', 'size', 'virtual_size', 'checksum', 'os_hash_algo', 'os_hash_value', 'created_at', 'updated_at', 'self', 'file', 'schema', 'direct_url', 'stores', 'id'])
/** Prefix of what Glance keeps for itself. */
const RESERVED = /^os_glance_/

export const imageProperties = {
  id: { type: 'string', pattern: '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$' },
  name: { type: ['null', 'string'], maxLength: 255 },
  visibility: { enum: ['community', 'public', 'private', 'shared'] },
  protected: { type: 'boolean' },
  os_hidden: { type: 'boolean' },
  owner: { type: ['null', 'string'], maxLength: 255 },
  container_format: { enum: CONTAINER_FORMATS },
  disk_format: { enum: DISK_FORMATS },
  tags: { type: 'array', items: { type: 'string', maxLength: 255 } },
  min_ram: { type: 'integer', minimum: 0, maximum: 2_147_483_647 },
  min_disk: { type: 'integer', minimum: 0, maximum: 2_147_483_647 },
  locations: { type: 'array' },
} as const

export const createSchema: Schema = { type: 'object', properties: imageProperties, additionalProperties: { type: ['string', 'null'], maxLength: 65_535 } }

/** Columns from wire fields; anything that is no field is a custom property. */
export function applyFields(fields: Readonly<Record<string, unknown>>, onto: Pick<ImageRow, 'properties' | 'tags'>, config: GlanceConfig): Partial<ImageRow> {
  const patch: Partial<ImageRow> = {}
  const properties = JSON.parse(onto.properties) as Record<string, string>
  for (const [name, value] of Object.entries(fields)) {
    if (READ_ONLY.has(name)) throw forbidden(`Attribute '${name}' is read-only.`, { field: name })
    if (RESERVED.test(name)) throw forbidden(`Attribute '${name}' is reserved.`, { field: name })
    switch (name) {
      case 'protected':
      case 'os_hidden':
        patch[name] = value ? 1 : 0
        break
      case 'tags':
        patch.tags = JSON.stringify([...new Set(value as string[])])
        break
      case 'name':
      case 'owner':
      case 'container_format':
      case 'disk_format':
        patch[name] = value as string | null
        break
      case 'visibility':
        patch.visibility = value as string
        break
      case 'min_ram':
      case 'min_disk':
        patch[name] = value as number
        break
      case 'locations':
        if ((value as unknown[]).length > 0) throw forbidden('It is not allowed to set locations: upload or import the data.', { field: 'locations' })
        break
      default:
        if (typeof value !== 'string' && value !== null) throw invalid(`Property ${name} must be text.`, { field: name })
        properties[name] = (value ?? '') as string
    }
  }
  patch.properties = JSON.stringify(properties)
  checkBounds(patch, config)
  return patch
}

export function checkBounds(row: Partial<ImageRow>, config: GlanceConfig): void {
  const tags = row.tags === undefined ? [] : (JSON.parse(row.tags) as string[])
  if (tags.length > config.max_tags) throw new Fault('too_large', `The limit of ${config.max_tags} tags was exceeded: ${tags.length}.`, { field: 'tags' })
  const properties = row.properties === undefined ? {} : (JSON.parse(row.properties) as object)
  if (Object.keys(properties).length > config.max_properties) throw new Fault('too_large', `The limit of ${config.max_properties} properties was exceeded.`)
}

/** The two formats of an Amazon image must be the same, as Glance demands. */
export function checkFormats(row: Pick<ImageRow, 'container_format' | 'disk_format'>): void {
  const amazon = ['aki', 'ari', 'ami']
  const { container_format: container, disk_format: disk } = row
  if (container === null || disk === null) return
  if ((amazon.includes(container) || amazon.includes(disk)) && container !== disk) {
    throw invalid(`Invalid mix of disk and container formats. When setting a disk or container format to one of '${amazon.join(', ')}', the container and disk formats must match.`, { field: 'disk_format' })
  }
}

export function checkId(imageId: string): void {
  if (!isUuid(imageId)) throw invalid(`Invalid image id format: ${imageId.slice(0, 64)}`, { field: 'id' })
}
