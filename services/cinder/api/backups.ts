/** Backups: list, show, make, change, restore, delete, and moving their records between clouds. */
import { invalid } from '#base/fault.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { backupList } from '../contract/lists.ts'
import { BACKUP_STATUSES } from '../core/states.ts'
import type { Cinder } from '../house.ts'
import { backupById, backupsOfVolume, insertBackup, moveBackup, parentsAmong, setBackup } from '../store/backups.ts'
import type { BackupRow, VolumeFacts } from '../store/more-tables.ts'
import { moveSnapshot, snapshotById } from '../store/snapshots.ts'
import type { VolumeRow } from '../store/tables.ts'
import { typeById, typeByName } from '../store/types.ts'
import { insertVolume, newVolume, moveVolume, volumeById } from '../store/volumes.ts'
import { recordOf, rowOf } from './backup-record.ts'
import { actionBody, BOOLEAN, DESCRIPTION, envelope, flagOf, METADATA, NAME, trimmed, UUID, UUID_OR_NULL } from './body.ts'
import { loadVolume, seen, targetOf } from './load.ts'
import { pageOf } from './pages.ts'
import { insistOnQuota } from './quota-check.ts'
import { linksOf, stamp } from './volume-view.ts'

interface Create {
  backup: { volume_id: string; container?: string | null; name?: string | null; description?: string | null; incremental?: unknown; force?: unknown; snapshot_id?: string | null; metadata?: Record<string, string> | null; availability_zone?: string | null }
}
interface Update {
  backup: { name?: string | null; description?: string | null; metadata?: Record<string, string> | null }
}
interface Restore {
  restore: { volume_id?: string | null; name?: string | null }
}
interface Import {
  'backup-record': { backup_service: string; backup_url: string }
}

const metadata = { anyOf: [METADATA, { type: 'null' }] }
const word = { type: ['string', 'null'], maxLength: 255 }
const createBody = envelope('backup', { volume_id: UUID, container: word, name: NAME, description: DESCRIPTION, incremental: BOOLEAN, force: BOOLEAN, snapshot_id: UUID_OR_NULL, metadata, availability_zone: word }, ['volume_id'])
const importBody = envelope('backup-record', { backup_service: { type: 'string', minLength: 1, maxLength: 255 }, backup_url: { type: 'string', minLength: 1 } }, ['backup_service', 'backup_url'])
const path = '/backups/{backup_id}/action'
const A = 'volume_extension:backup_admin_actions:'

export const backupRoutes = (house: Cinder): Route[] => [
  route({ method: 'GET', path: '/backups', name: 'backups.list', status: 200, handle: (rq) => list(house, rq as Rq<never>, false) }),
  route({ method: 'GET', path: '/backups/detail', name: 'backups.list_detail', status: 200, handle: (rq) => list(house, rq as Rq<never>, true) }),
  route<Create>({ method: 'POST', path: '/backups', name: 'backups.create', body: createBody, status: 202, handle: (rq) => create(house, rq) }),
  route<Import>({ method: 'POST', path: '/backups/import_record', name: 'backups.import', policy: 'backup:backup-import', body: importBody, status: 201, handle: (rq) => importRecord(house, rq) }),
  route({ method: 'GET', path: '/backups/{backup_id}', name: 'backups.show', status: 200, handle: (rq) => show(house, rq) }),
  route<Update>({ method: 'PUT', path: '/backups/{backup_id}', name: 'backups.update', since: v('3.9'), body: envelope('backup', { name: NAME, description: DESCRIPTION, metadata }), status: 200, handle: (rq) => update(house, rq) }),
  route({ method: 'DELETE', path: '/backups/{backup_id}', name: 'backups.delete', bodyKind: 'none', status: 202, handle: (rq) => remove(house, rq, 'backup:delete', false) }),
  route<Restore>({ method: 'POST', path: '/backups/{backup_id}/restore', name: 'backups.restore', body: envelope('restore', { volume_id: UUID_OR_NULL, name: NAME }), status: 202, handle: (rq) => restore(house, rq) }),
  route({ method: 'GET', path: '/backups/{backup_id}/export_record', name: 'backups.export', status: 200, handle: (rq) => exportRecord(house, rq) }),
  route({ method: 'POST', path, action: 'os-force_delete', name: 'backups.force_delete', status: 202, handle: (rq) => remove(house, rq, `${A}force_delete`, true) }),
  route<{ status: string }>({ method: 'POST', path, action: 'os-reset_status', name: 'backups.reset_status', body: actionBody('os-reset_status', { type: 'object', required: ['status'], properties: { status: { type: 'string' } } }), status: 202, handle: (rq) => resetStatus(house, rq) }),
]

type Viewer = Pick<Rq, 'context' | 'version' | 'base' | 'allows'>

const summary = (rq: Viewer, row: BackupRow): Record<string, unknown> => ({ id: row.id, name: row.name, links: linksOf(rq, 'backups', row.id) })

function detail(rq: Viewer, row: BackupRow, isParent: boolean): Record<string, unknown> {
  const { version } = rq
  return {
    ...summary(rq, row),
    status: row.status,
    size: row.size,
    object_count: row.object_count,
    availability_zone: row.availability_zone,
    container: row.container,
    created_at: stamp(row.created_at),
    updated_at: stamp(row.updated_at),
    description: row.description,
    fail_reason: row.fail_reason,
    volume_id: row.volume_id,
    is_incremental: row.parent_id !== null,
    has_dependent_backups: isParent,
    snapshot_id: row.snapshot_id,
    data_timestamp: stamp(row.data_timestamp),
    ...(version >= v('3.18') && rq.allows('backup:backup_project_attribute', targetOf(row)) ? { 'os-backup-project-attr:project_id': row.project_id } : {}),
    ...(version >= v('3.43') ? { metadata: JSON.parse(row.metadata) as unknown } : {}),
    ...(version >= v('3.56') ? { user_id: row.user_id } : {}),
    ...(version >= v('3.64') && row.encryption_key_id !== null ? { encryption_key_id: row.encryption_key_id } : {}),
  }
}

async function load(house: Cinder, rq: Pick<Rq, 'context' | 'authorize' | 'allows' | 'params'>, rule: string): Promise<BackupRow> {
  const id = rq.params.backup_id!
  const row = seen(rq, await backupById(house.db, id), `Backup ${id.slice(0, 100)}`)
  rq.authorize(rule, targetOf(row))
  return row
}

async function list(house: Cinder, rq: Rq<never>, detailed: boolean): Promise<Reply> {
  rq.authorize('backup:get_all')
  const page = await pageOf<BackupRow>(house, rq, { resource: backupList })
  const parents = detailed ? await parentsAmong(house.db, page.rows.map((row) => row.id)) : new Set<string>()
  return { json: { backups: page.rows.map((row) => (detailed ? detail(rq, row, parents.has(row.id)) : summary(rq, row))), ...page.extras } }
}

async function show(house: Cinder, rq: Rq): Promise<Reply> {
  const row = await load(house, rq, 'backup:get')
  return { json: { backup: detail(rq, row, (await parentsAmong(house.db, [row.id])).size > 0) } }
}

async function create(house: Cinder, rq: Rq<Create>): Promise<Reply> {
  const given = rq.body.backup
  const volume = await loadVolume(house, rq, given.volume_id, 'backup:create')
  const snapshot = given.snapshot_id ? seen(rq, await snapshotById(house.db, given.snapshot_id), `Snapshot ${given.snapshot_id}`) : undefined
  if (snapshot && snapshot.volume_id !== volume.id) throw invalid(`Invalid snapshot: Snapshot ${snapshot.id} is not of volume ${volume.id}.`, { field: 'snapshot_id' })
  const force = flagOf(given.force, 'force')
  const from = force ? ['available', 'in-use'] : ['available']
  const refuse = (): never => {
    throw invalid(`Invalid volume: The volume to be backed up must be available${force ? ' or in-use' : ''}, but the current status is "${volume.status}".`, { field: 'volume_id' })
  }
  if (volume.host === null || (!snapshot && !from.includes(volume.status))) refuse()
  const incremental = flagOf(given.incremental, 'incremental')
  // A backup belongs to whoever makes it, and builds on what is theirs.
  const project_id = rq.context.project_id ?? volume.project_id
  const parent = incremental ? (await backupsOfVolume(house.db, volume.id)).find((one) => one.status === 'available' && one.project_id === project_id) : undefined
  if (incremental && !parent) throw invalid('Invalid backup: No backups available to do an incremental backup.', { field: 'incremental' })
  const now = house.world.clock.now()
  const id = house.world.random.uuid()
  const facts: VolumeFacts = {
    name: volume.name,
    bootable: volume.bootable === 1,
    metadata: JSON.parse(volume.metadata) as Record<string, string>,
    image_metadata: volume.image_metadata === null ? null : (JSON.parse(volume.image_metadata) as Record<string, string>),
    volume_type_id: volume.volume_type_id,
  }
  const row: BackupRow = {
    id,
    project_id,
    user_id: rq.context.user_id ?? '',
    volume_id: volume.id,
    snapshot_id: snapshot?.id ?? null,
    parent_id: parent?.id ?? null,
    name: trimmed(given.name),
    description: trimmed(given.description),
    container: given.container ?? null,
    status: 'creating',
    fail_reason: null,
    size: snapshot?.volume_size ?? volume.size,
    object_count: 0,
    availability_zone: (rq.version >= v('3.51') ? given.availability_zone : null) ?? volume.availability_zone,
    host: volume.host,
    metadata: JSON.stringify((rq.version >= v('3.43') ? given.metadata : null) ?? {}),
    data_id: id,
    volume_facts: JSON.stringify(facts),
    encryption_key_id: null,
    data_timestamp: snapshot?.created_at ?? now,
    created_at: now,
    updated_at: null,
  }
  await house.db.transaction(async (tx) => {
    await insistOnQuota(house, tx, row.project_id, { backups: 1, backup_gigabytes: row.size })
    if (snapshot) {
      if (!(await moveSnapshot(tx, snapshot.id, ['available'], { status: 'backing-up', updated_at: now }))) throw invalid(`Invalid snapshot: The snapshot to be backed up must be available, but the current status is "${snapshot.status}".`, { field: 'snapshot_id' })
    } else if (!(await moveVolume(tx, volume.id, from, { status: 'backing-up', previous_status: volume.status, updated_at: now }))) refuse()
    await insertBackup(tx, row)
    const work = { backup_id: id, project_id: row.project_id, volume_id: volume.id, snapshot_id: row.snapshot_id, parent_data_id: parent?.data_id ?? null, host: volume.host!, was: snapshot ? null : volume.status }
    await house.engine.start(tx as never, house.flows.createBackup, work, about(row))
  })
  return { json: { backup: { ...summary(rq, row), ...(rq.version >= v('3.43') ? { metadata: JSON.parse(row.metadata) as unknown } : {}) } } }
}

const about = (row: BackupRow) => ({ resource_kind: 'backup', resource_id: row.id, project_id: row.project_id })

async function update(house: Cinder, rq: Rq<Update>): Promise<Reply> {
  const row = await load(house, rq, 'backup:update')
  const { name, description, metadata: pairs } = rq.body.backup
  const withMetadata = rq.version >= v('3.43') && pairs !== undefined && pairs !== null
  if (name === undefined && description === undefined && !withMetadata) throw invalid('Must specify name, description or metadata for update.', { field: 'backup' })
  const patch = {
    ...(name === undefined ? {} : { name: trimmed(name) }),
    ...(description === undefined ? {} : { description: trimmed(description) }),
    ...(withMetadata ? { metadata: JSON.stringify(pairs) } : {}),
    updated_at: house.world.clock.now(),
  }
  await setBackup(house.db, row.id, patch)
  const next = { ...row, ...patch }
  return { json: { backup: { ...summary(rq, next), ...(rq.version >= v('3.43') ? { metadata: JSON.parse(next.metadata) as unknown } : {}) } } }
}

async function remove(house: Cinder, rq: Rq, rule: string, force: boolean): Promise<Reply> {
  const row = await load(house, rq, rule)
  if ((await parentsAmong(house.db, [row.id])).size > 0) throw invalid('Invalid backup: Incremental backups exist for this backup.')
  await house.db.transaction(async (tx) => {
    const patch = { status: 'deleting', updated_at: house.world.clock.now() }
    if (force) await setBackup(tx, row.id, patch)
    else if (!(await moveBackup(tx, row.id, ['available', 'error', 'error_deleting'], patch))) throw invalid(`Invalid backup: Backup status must be available or error, but it is ${row.status}.`)
    await house.engine.start(tx as never, house.flows.deleteBackup, { backup_id: row.id, data_id: row.data_id, project_id: row.project_id, host: row.host }, about(row))
  })
  return {}
}

async function restore(house: Cinder, rq: Rq<Restore>): Promise<Reply> {
  const row = await load(house, rq, 'backup:restore')
  const project_id = rq.context.project_id ?? row.project_id
  const facts = JSON.parse(row.volume_facts) as VolumeFacts
  const { volume_id, name } = rq.body.restore
  const old = volume_id ? seen(rq, await volumeById(house.db, volume_id), `Volume ${volume_id}`) : undefined
  if (old && old.size < row.size) throw invalid(`Invalid input received: volume size ${old.size} is too small to restore backup of size ${row.size}.`, { field: 'volume_id' })
  const type = (facts.volume_type_id === null ? undefined : await typeById(house.db, facts.volume_type_id)) ?? (await typeByName(house.db, house.config.default_volume_type))
  const now = house.world.clock.now()
  const volume: VolumeRow = old ?? newVolume({
    id: house.world.random.uuid(),
    project_id,
    user_id: rq.context.user_id ?? '',
    name: trimmed(name) ?? `restore_backup_${row.id}`,
    description: 'auto-created_from_restore_from_backup',
    size: row.size,
    status: 'restoring-backup',
    availability_zone: house.config.availability_zone,
    volume_type_id: type?.id ?? null,
    backup_id: row.id,
    bootable: facts.bootable ? 1 : 0,
    metadata: JSON.stringify(facts.metadata),
    image_metadata: facts.image_metadata === null ? null : JSON.stringify(facts.image_metadata),
    created_at: now,
  })
  await house.db.transaction(async (tx) => {
    if (!(await moveBackup(tx, row.id, ['available'], { status: 'restoring', updated_at: now }))) throw invalid(`Invalid backup: Backup status must be available, but it is ${row.status}.`)
    if (old) {
      if (!(await moveVolume(tx, old.id, ['available'], { status: 'restoring-backup', previous_status: old.status, updated_at: now }))) throw invalid('Invalid volume: Volume to be restored to must be available', { field: 'volume_id' })
    } else {
      await insistOnQuota(house, tx, project_id, { volumes: 1, gigabytes: row.size, per_volume: row.size, type_id: volume.volume_type_id })
      await insertVolume(tx, volume)
    }
    const wish = { size_gb: row.size, availability_zone: volume.availability_zone, extra_specs: JSON.parse(type?.extra_specs ?? '{}') as Record<string, string>, multiattach: false }
    const work = { backup_id: row.id, data_id: row.data_id, project_id, volume_id: volume.id, size_gb: volume.size, host: old?.host ?? null, wish, bootable: facts.bootable }
    await house.engine.start(tx as never, house.flows.restoreBackup, work, { resource_kind: 'volume', resource_id: volume.id, project_id })
  })
  return { json: { restore: { backup_id: row.id, volume_id: volume.id, volume_name: volume.name ?? '' } } }
}

async function exportRecord(house: Cinder, rq: Rq): Promise<Reply> {
  const row = await load(house, rq, 'backup:export-import')
  if (row.status !== 'available') throw invalid(`Invalid backup: Backup status must be available and not ${row.status}.`)
  return { json: { 'backup-record': recordOf(row) } }
}

async function importRecord(house: Cinder, rq: Rq<Import>): Promise<Reply> {
  const row = rowOf(rq.body['backup-record'], { project_id: rq.context.project_id ?? '', user_id: rq.context.user_id ?? '', now: house.world.clock.now() })
  try {
    await insertBackup(house.db, row)
  } catch (thrown) {
    if (isDuplicate(house.db.engine, thrown)) throw invalid(`Invalid backup: Backup ${row.id} already exists in database.`, { field: 'backup_url' })
    throw thrown
  }
  return { json: { backup: summary(rq, row) } }
}

async function resetStatus(house: Cinder, rq: Rq<{ status: string }>): Promise<Reply> {
  const row = await load(house, rq, `${A}reset_status`)
  const status = rq.body.status.toLowerCase()
  if (!(BACKUP_STATUSES as readonly string[]).includes(status)) throw invalid(`Invalid input for field/attribute status. Value: ${status.slice(0, 100)}.`, { field: 'status' })
  await setBackup(house.db, row.id, { status, updated_at: house.world.clock.now() })
  return {}
}
