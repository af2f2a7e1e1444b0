/** What groups and the consistency groups of old do alike. */
import { invalid, notFound } from '#base/fault.ts'
import type { Rq } from '#stack/route.ts'
import type { Cinder } from '../house.ts'
import type { GroupRow, GroupSnapshotRow, GroupTypeRow } from '../store/group-tables.ts'
import { groupSnapshotById, groupSnapshotsOf, insertGroup, insertGroupSnapshot, moveGroup, moveGroupSnapshot, setGroup } from '../store/groups.ts'
import { insertSnapshot, snapshotsOf, snapshotsOfGroup } from '../store/snapshots.ts'
import type { TypeRow } from '../store/tables.ts'
import { insertVolume, moveVolume, newVolume, setVolume, volumeById, volumesByIds, volumesOfGroup } from '../store/volumes.ts'
import { loadType, seen } from './load.ts'
import { insistOnQuota } from './quota-check.ts'
import { newSnapshot } from './snapshots.ts'

type AnyRq = Pick<Rq, 'context' | 'authorize' | 'allows'>

interface NewGroup {
  name: string | null
  description: string | null
  availability_zone: string | null
  volume_types: readonly string[]
  type: GroupTypeRow
}

export async function makeGroup(house: Cinder, rq: AnyRq, wish: NewGroup): Promise<GroupRow> {
  const types: TypeRow[] = []
  for (const one of wish.volume_types) types.push(await loadType(house, rq, one, 'id or name'))
  if (types.length === 0) throw invalid('A group needs at least one volume type.', { field: 'volume_types' })
  const row = groupRow(house, rq, { ...wish, volume_types: types.map((type) => type.id), group_type_id: wish.type.id })
  const extra_specs = Object.assign({}, ...types.map((type) => JSON.parse(type.extra_specs) as Record<string, string>)) as Record<string, string>
  await house.db.transaction(async (tx) => {
    await insistOnQuota(house, tx, row.project_id, { groups: 1 })
    await insertGroup(tx, row)
    const work = { group_id: row.id, project_id: row.project_id, wish: { size_gb: 0, availability_zone: wish.availability_zone, extra_specs, multiattach: false } }
    await house.engine.start(tx as never, house.flows.createGroup, work, about(row))
  })
  return row
}

function groupRow(house: Cinder, rq: AnyRq, given: Pick<GroupRow, 'name' | 'description' | 'group_type_id'> & { availability_zone: string | null; volume_types: readonly string[] } & Partial<Pick<GroupRow, 'host' | 'group_snapshot_id' | 'source_group_id'>>): GroupRow {
  if (rq.context.project_id === undefined) throw invalid('A group belongs to a project: the token has none.', { field: 'project_id' })
  return {
    id: house.world.random.uuid(),
    project_id: rq.context.project_id,
    user_id: rq.context.user_id ?? '',
    name: given.name,
    description: given.description,
    status: 'creating',
    availability_zone: given.availability_zone ?? house.config.availability_zone,
    host: given.host ?? null,
    group_type_id: given.group_type_id,
    volume_types: JSON.stringify(given.volume_types),
    group_snapshot_id: given.group_snapshot_id ?? null,
    source_group_id: given.source_group_id ?? null,
    replication_status: 'disabled',
    created_at: house.world.clock.now(),
    updated_at: null,
  }
}

const about = (row: GroupRow) => ({ resource_kind: 'group', resource_id: row.id, project_id: row.project_id })

/** Copies every volume of a group, as it is or as a group snapshot has it. */
export async function copyGroup(house: Cinder, rq: AnyRq, wish: { name: string | null; description: string | null; source: GroupRow; snapshot?: GroupSnapshotRow }): Promise<GroupRow> {
  const { source, snapshot } = wish
  const now = house.world.clock.now()
  const row = groupRow(house, rq, { ...source, name: wish.name, description: wish.description, volume_types: JSON.parse(source.volume_types) as string[], group_snapshot_id: snapshot?.id ?? null, source_group_id: snapshot ? null : source.id })
  const taken = snapshot ? await snapshotsOfGroup(house.db, snapshot.id) : []
  const originals = snapshot ? await volumesByIds(house.db, taken.map((one) => one.volume_id)) : await volumesOfGroup(house.db, source.id)
  if (originals.length === 0) throw invalid(`Invalid ${snapshot ? 'group snapshot' : 'group'}: it has no volumes.`)
  const host = originals.find((one) => one.host !== null)?.host
  if (!host) throw invalid('Invalid group: Its volumes are on no backend.')
  const volumes = originals.map((original) => {
    const from = taken.find((one) => one.volume_id === original.id)
    const size = from?.volume_size ?? original.size
    const copy = newVolume({
      id: house.world.random.uuid(),
      project_id: row.project_id,
      user_id: row.user_id,
      name: original.name,
      description: original.description,
      size,
      availability_zone: original.availability_zone,
      host: original.host,
      volume_type_id: original.volume_type_id,
      snapshot_id: from?.id ?? null,
      source_volid: from ? null : original.id,
      group_id: row.id,
      bootable: original.bootable,
      metadata: original.metadata,
      image_metadata: original.image_metadata,
      created_at: now,
    })
    const made = from ? ({ from: 'snapshot', snapshot_id: from.id, volume_id: original.id } as const) : ({ from: 'volume', volume_id: original.id } as const)
    return { copy, work: { volume_id: copy.id, size_gb: size, source: made } }
  })
  await house.db.transaction(async (tx) => {
    await insistOnQuota(house, tx, row.project_id, { groups: 1 })
    await insistOnQuota(house, tx, row.project_id, { volumes: volumes.length, gigabytes: volumes.reduce((sum, one) => sum + one.copy.size, 0) })
    await insertGroup(tx, row)
    for (const { copy } of volumes) await insertVolume(tx, copy)
    await house.engine.start(tx as never, house.flows.cloneGroup, { group_id: row.id, project_id: row.project_id, host, volumes: volumes.map((one) => one.work) }, about(row))
  })
  return row
}

export async function removeGroup(house: Cinder, row: GroupRow, withVolumes: boolean): Promise<void> {
  const volumes = await volumesOfGroup(house.db, row.id)
  if (volumes.length > 0 && !withVolumes) throw invalid(`Invalid group: Group ${row.id} still contains volumes. The delete-volumes flag is required to delete it.`)
  if ((await groupSnapshotsOf(house.db, row.id)).length > 0) throw invalid(`Invalid group: Group ${row.id} still has group snapshots.`)
  for (const volume of volumes) {
    if (volume.attach_status !== 'detached') throw invalid(`Invalid group: Volume ${volume.id} in group ${row.id} is attached. Need to detach first.`)
    if ((await snapshotsOf(house.db, volume.id)).length > 0) throw invalid(`Invalid group: Volume ${volume.id} in group ${row.id} has dependent snapshots.`)
  }
  await house.db.transaction(async (tx) => {
    const updated_at = house.world.clock.now()
    if (!(await moveGroup(tx, row.id, ['available', 'error', 'error_deleting'], { status: 'deleting', updated_at }))) throw invalid(`Invalid group: Group status must be available or error, but current status is: ${row.status}.`)
    for (const { id } of volumes) await setVolume(tx, id, { status: 'deleting', updated_at })
    await house.engine.start(tx as never, house.flows.deleteGroup, { group_id: row.id, project_id: row.project_id }, about(row))
  })
}

export async function changeGroup(house: Cinder, rq: AnyRq, row: GroupRow, given: { name?: string | null; description?: string | null; add: readonly string[]; remove: readonly string[] }): Promise<void> {
  if (given.name === undefined && given.description === undefined && given.add.length === 0 && given.remove.length === 0) throw invalid('Name, description, add_volumes, and remove_volumes can not be all empty in the request body.', { field: 'group' })
  if (given.add.some((id) => given.remove.includes(id))) throw invalid('Invalid volume: The same volume is in add_volumes and remove_volumes.')
  const types = JSON.parse(row.volume_types) as string[]
  await house.db.transaction(async (tx) => {
    const updated_at = house.world.clock.now()
    const patch = { ...(given.name === undefined ? {} : { name: given.name }), ...(given.description === undefined ? {} : { description: given.description }), updated_at }
    if (!(await moveGroup(tx, row.id, ['available'], patch)) && (given.add.length > 0 || given.remove.length > 0)) throw invalid(`Invalid group: Group status must be available, but current status is: ${row.status}.`)
    await setGroup(tx, row.id, patch)
    for (const id of given.remove) {
      const volume = await volumeById(tx, id)
      if (volume?.group_id !== row.id) throw invalid(`Invalid volume: Cannot remove volume ${id.slice(0, 64)} from group ${row.id} because it is not in the group.`, { field: 'remove_volumes' })
      await setVolume(tx, id, { group_id: null, updated_at })
    }
    for (const id of given.add) {
      const volume = seen(rq, await volumeById(tx, id), `Volume ${id.slice(0, 64)}`)
      if (volume.group_id !== null && volume.group_id !== row.id) throw invalid(`Invalid volume: Cannot add volume ${id} to group ${row.id} because it is already in group ${volume.group_id}.`, { field: 'add_volumes' })
      if (!types.includes(volume.volume_type_id ?? '')) throw invalid(`Invalid volume: Cannot add volume ${id} to group ${row.id} because its type is not supported by the group.`, { field: 'add_volumes' })
      if (row.host !== null && volume.host !== null && volume.host.split('#')[0] !== row.host.split('#')[0]) throw invalid(`Invalid volume: Volume ${id} is not local to group ${row.id}.`, { field: 'add_volumes' })
      if (!(await moveVolume(tx, id, ['available', 'in-use'], { group_id: row.id, updated_at }))) throw invalid(`Invalid volume: Cannot add volume ${id} to group ${row.id} because it is ${volume.status}.`, { field: 'add_volumes' })
    }
  })
}

export async function makeGroupSnapshot(house: Cinder, rq: AnyRq, group: GroupRow, names: { name: string | null; description: string | null }): Promise<GroupSnapshotRow> {
  const now = house.world.clock.now()
  const volumes = await volumesOfGroup(house.db, group.id)
  if (volumes.length === 0) throw invalid('Invalid group: Cannot create group snapshot because the group has no volume.', { field: 'group_id' })
  const busy = volumes.find((one) => one.status !== 'available' && one.status !== 'in-use')
  if (busy) throw invalid(`Invalid group: Volume ${busy.id} is ${busy.status}.`, { field: 'group_id' })
  const row: GroupSnapshotRow = { id: house.world.random.uuid(), project_id: group.project_id, user_id: rq.context.user_id ?? '', group_id: group.id, group_type_id: group.group_type_id, ...names, status: 'creating', created_at: now, updated_at: null }
  const snapshots = volumes.map((volume) => ({ volume, row: newSnapshot({ id: house.world.random.uuid(), volume, user_id: row.user_id, name: row.name, description: row.description, metadata: {}, now, group_snapshot_id: row.id }) }))
  await house.db.transaction(async (tx) => {
    const gigabytes = house.config.no_snapshot_gb_quota ? {} : { gigabytes: snapshots.reduce((sum, one) => sum + one.row.volume_size, 0) }
    await insistOnQuota(house, tx, row.project_id, { snapshots: snapshots.length, ...gigabytes })
    await insertGroupSnapshot(tx, row)
    for (const one of snapshots) await insertSnapshot(tx, one.row)
    const work = { group_id: group.id, project_id: row.project_id, group_snapshot_id: row.id, snapshots: snapshots.map((one) => ({ snapshot_id: one.row.id, volume_id: one.volume.id, host: one.volume.host! })) }
    await house.engine.start(tx as never, house.flows.createGroupSnapshot, work, { resource_kind: 'group_snapshot', resource_id: row.id, project_id: row.project_id })
  })
  return row
}

export async function removeGroupSnapshot(house: Cinder, row: GroupSnapshotRow): Promise<void> {
  const taken = await snapshotsOfGroup(house.db, row.id)
  const hosts = new Map((await volumesByIds(house.db, taken.map((one) => one.volume_id))).map((volume) => [volume.id, volume.host]))
  await house.db.transaction(async (tx) => {
    if (!(await moveGroupSnapshot(tx, row.id, ['available', 'error', 'error_deleting'], { status: 'deleting', updated_at: house.world.clock.now() }))) throw invalid(`Invalid group snapshot: status must be available or error, but it is ${row.status}.`)
    const work = { group_snapshot_id: row.id, snapshots: taken.map((one) => ({ snapshot_id: one.id, volume_id: one.volume_id, host: hosts.get(one.volume_id) ?? null })) }
    await house.engine.start(tx as never, house.flows.deleteGroupSnapshot, work, { resource_kind: 'group_snapshot', resource_id: row.id, project_id: row.project_id })
  })
}

export async function loadGroupSnapshot(house: Cinder, rq: AnyRq, id: string): Promise<GroupSnapshotRow> {
  const row = await groupSnapshotById(house.db, id)
  if (!row) throw notFound(`Group snapshot ${id.slice(0, 100)} could not be found.`)
  return seen(rq, row, `Group snapshot ${id.slice(0, 100)}`)
}
