/** An image row as it stands on the wire. */
import { isoSeconds } from '#base/clock.ts'
import type { Context } from '#stack/context.ts'
import type { ImageRow } from '../store/tables.ts'

export function imageView(row: ImageRow): Record<string, unknown> {
  const path = `/v2/images/${row.id}`
  return {
    ...(JSON.parse(row.properties) as Record<string, string>),
    name: row.name,
    disk_format: row.disk_format,
    container_format: row.container_format,
    visibility: row.visibility,
    size: row.size,
    virtual_size: row.virtual_size,
    status: row.status,
    checksum: row.checksum,
    protected: row.protected === 1,
    min_ram: row.min_ram,
    min_disk: row.min_disk,
    owner: row.owner,
    os_hidden: row.os_hidden === 1,
    os_hash_algo: row.os_hash_algo,
    os_hash_value: row.os_hash_value,
    id: row.id,
    created_at: isoSeconds(row.created_at),
    updated_at: isoSeconds(row.updated_at),
    tags: JSON.parse(row.tags) as string[],
    self: path,
    file: `${path}/file`,
    schema: '/v2/schemas/image',
    ...(row.stores === '[]' ? {} : { stores: listed(row.stores) }),
    ...(row.importing_to === null ? {} : { os_glance_importing_to_stores: listed(row.importing_to) }),
    ...(row.failed_import === null ? {} : { os_glance_failed_import: listed(row.failed_import) }),
  }
}

const listed = (ids: string): string => (JSON.parse(ids) as string[]).join(',')

/** What the policy judges of an image. */
export function imageTarget(row: ImageRow, context: Context, isMember: boolean): Record<string, unknown> {
  return {
    project_id: row.owner,
    tenant_id: row.owner,
    owner: row.owner,
    // Being shared with somebody makes the image visible to them only.
    visibility: row.visibility === 'shared' && !isMember && row.owner !== context.project_id ? 'private' : row.visibility,
    member_id: isMember ? context.project_id : null,
    status: row.status,
    protected: row.protected === 1,
  }
}
