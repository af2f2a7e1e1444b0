/** A backup's record, to be kept apart from the cloud that made it. */
import { invalid } from '#base/fault.ts'
import { isUuid } from '#base/ids.ts'
import type { BackupRow, VolumeFacts } from '../store/more-tables.ts'

const SERVICE = 'cinder.backup.drivers.posix.PosixBackupDriver'

export function recordOf(row: BackupRow): { backup_service: string; backup_url: string } {
  const { host: _h, project_id: _p, user_id: _u, ...kept } = row
  return { backup_service: SERVICE, backup_url: Buffer.from(JSON.stringify({ ...kept, driver_host: row.host })).toString('base64') }
}

/** Throws `invalid` for anything that is not such a record. */
export function rowOf(record: { backup_service: string; backup_url: string }, by: { project_id: string; user_id: string; now: number }): BackupRow {
  if (record.backup_service !== SERVICE) throw invalid(`Records of ${record.backup_service.slice(0, 100)} cannot be imported; only those of ${SERVICE}.`, { field: 'backup_service' })
  let given: Partial<BackupRow> & { driver_host?: unknown }
  try {
    given = JSON.parse(Buffer.from(record.backup_url, 'base64').toString()) as typeof given
  } catch (thrown) {
    throw invalid("Invalid input received: Can't parse backup record.", { field: 'backup_url', cause: thrown })
  }
  const uuid = (value: unknown, field: string): string => {
    if (typeof value !== 'string' || !isUuid(value)) throw invalid(`Invalid input received: the record's ${field} is no UUID.`, { field: 'backup_url' })
    return value
  }
  const text = (value: unknown): string | null => (typeof value === 'string' ? value.slice(0, 255) : null)
  const whole = (value: unknown): number => (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0)
  return {
    id: uuid(given.id, 'id'),
    project_id: by.project_id,
    user_id: by.user_id,
    volume_id: uuid(given.volume_id, 'volume_id'),
    snapshot_id: null,
    parent_id: given.parent_id ? uuid(given.parent_id, 'parent_id') : null,
    name: text(given.name),
    description: text(given.description),
    container: text(given.container),
    status: 'available',
    fail_reason: null,
    size: Math.max(1, whole(given.size)),
    object_count: whole(given.object_count),
    availability_zone: text(given.availability_zone) ?? '',
    host: text(given.driver_host),
    metadata: JSON.stringify(pairs(given.metadata)),
    data_id: uuid(given.data_id ?? given.id, 'data_id'),
    volume_facts: JSON.stringify(factsOf(given.volume_facts)),
    encryption_key_id: null,
    data_timestamp: whole(given.data_timestamp) || by.now,
    created_at: whole(given.created_at) || by.now,
    updated_at: by.now,
  }
}

function parsed(value: unknown): Record<string, unknown> {
  try {
    const found = typeof value === 'string' ? (JSON.parse(value) as unknown) : value
    return typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function pairs(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(parsed(value)).filter((pair): pair is [string, string] => typeof pair[1] === 'string'))
}

function factsOf(value: unknown): VolumeFacts {
  const { name, bootable, metadata, image_metadata, volume_type_id } = parsed(value)
  return {
    name: typeof name === 'string' ? name : null,
    bootable: bootable === true,
    metadata: pairs(metadata),
    image_metadata: image_metadata ? pairs(image_metadata) : null,
    volume_type_id: typeof volume_type_id === 'string' ? volume_type_id : null,
  }
}
