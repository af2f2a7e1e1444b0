/** What can be done to a volume beside attaching it: `POST /volumes/{volume_id}/action`. */
import { Fault, invalid } from '#base/fault.ts'
import { createImage } from '#glance/contract/images.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { backendOf } from '../contract/volume-rpc.ts'
import { schedule } from '../core/scheduler.ts'
import { ATTACH_STATUSES, isMigrating, MIGRATION_STATUSES, VOLUME_STATUSES } from '../core/states.ts'
import { pools } from '../flows/schedule.ts'
import type { Cinder } from '../house.ts'
import { attachmentsOf } from '../store/attachments.ts'
import { allServices } from '../store/services.ts'
import { moveSnapshot, snapshotById, snapshotsOf } from '../store/snapshots.ts'
import type { VolumeRow } from '../store/tables.ts'
import { typeById, typesByIds } from '../store/types.ts'
import { moveVolume, setVolume, setVolumeMetadata } from '../store/volumes.ts'
import { BOOLEAN, COUNT, flagOf, METADATA, UUID } from './body.ts'
import { loadType, seen, targetOf } from './load.ts'
import { insistOnQuota } from './quota-check.ts'
import { volumeAction } from './volume-action.ts'
import { formatOf, imageMetadata, imageOf } from './volume-image.ts'
import { beginDelete } from './volumes.ts'
import { typeView } from './types.ts'
import { stamp } from './volume-view.ts'

const ADMIN = 'volume_extension:volume_admin_actions:'

const object = (properties: object, required: readonly string[] = []): object => ({ type: 'object', properties, required })

export const volumeActionRoutes = (house: Cinder): Route[] =>
  [
    volumeAction<{ new_size: number | string }>('os-extend', 'volume:extend', object({ new_size: COUNT }, ['new_size']), extend),
    volumeAction<{ readonly: unknown }>('os-update_readonly_flag', 'volume:update_readonly_flag', object({ readonly: BOOLEAN }, ['readonly']), setReadonly),
    volumeAction<{ bootable: unknown }>('os-set_bootable', 'volume:update', object({ bootable: BOOLEAN }, ['bootable']), setBootable, { status: 200 }),
    volumeAction('os-force_delete', `${ADMIN}force_delete`, {}, (h, _rq, volume) => beginDelete(h, volume, { cascade: true, force: true })),
    volumeAction<Statuses>('os-reset_status', `${ADMIN}reset_status`, object({ status: { type: ['string', 'null'] }, attach_status: { type: ['string', 'null'] }, migration_status: { type: ['string', 'null'] } }), resetStatus),
    volumeAction<Upload>('os-volume_upload_image', 'volume_extension:volume_actions:upload_image', UPLOAD, upload),
    volumeAction<{ metadata: Record<string, string> }>('os-set_image_metadata', 'volume_extension:volume_image_metadata:set', object({ metadata: METADATA }, ['metadata']), setImageMetadata, { status: 200 }),
    volumeAction<{ key: string }>('os-unset_image_metadata', 'volume_extension:volume_image_metadata:remove', object({ key: { type: 'string', minLength: 1, maxLength: 255 } }, ['key']), unsetImageMetadata, { status: 200 }),
    volumeAction('os-show_image_metadata', 'volume:get_volume_metadata', {}, async (_h, _rq, volume) => ({ json: { metadata: JSON.parse(volume.image_metadata ?? '{}') as unknown } }), { status: 200 }),
    volumeAction<{ new_type: string; migration_policy?: string | null }>('os-retype', 'volume:retype', object({ new_type: { type: 'string', minLength: 1 }, migration_policy: { enum: ['on-demand', 'never', null] } }, ['new_type']), retype),
    volumeAction<{ host?: string | null; cluster?: string | null }>('os-migrate_volume', `${ADMIN}migrate_volume`, object({ host: { type: ['string', 'null'], maxLength: 255 }, force_host_copy: BOOLEAN, lock_volume: BOOLEAN, cluster: { type: ['string', 'null'] } }), migrate),
    volumeAction('os-migrate_volume_completion', `${ADMIN}migrate_volume_completion`, object({ new_volume: UUID }, ['new_volume']), async () => {
      throw invalid('Invalid volume: No migration of this volume waits to be completed: they complete themselves.')
    }),
    volumeAction<{ error?: unknown }>('os-extend_volume_completion', `${ADMIN}extend_volume_completion`, object({ error: BOOLEAN }), async () => {
      throw invalid('Invalid volume: No extension of this volume waits to be completed: they complete themselves.')
    }, { since: v('3.71') }),
    volumeAction<{ snapshot_id: string }>('revert', 'volume:revert_to_snapshot', object({ snapshot_id: UUID }, ['snapshot_id']), revert, { since: v('3.40') }),
    volumeAction<{ image_id: string; reimage_reserved?: unknown }>('os-reimage', 'volume:reimage', object({ image_id: UUID, reimage_reserved: BOOLEAN }, ['image_id']), reimage, { since: v('3.68') }),
    volumeAction('os-unmanage', 'volume_extension:volume_unmanage', {}, unmanage),
  ].map((one) => one(house))

async function extend(house: Cinder, rq: Rq<{ new_size: number | string }>, volume: VolumeRow): Promise<void> {
  const size = Number(rq.body.new_size)
  const attached = volume.status === 'in-use' && rq.version >= v('3.42')
  if (attached) rq.authorize('volume:extend_attached_volume', targetOf(volume))
  const from = attached ? ['in-use'] : ['available']
  const refuse = (): never => {
    throw invalid(`Invalid volume: Volume ${volume.id} status must be '${rq.version >= v('3.42') ? "('available', 'in-use')" : "('available',)"}' to extend, currently ${volume.status}.`)
  }
  if (!from.includes(volume.status) || volume.host === null) refuse()
  if (size <= volume.size) throw invalid(`Invalid input received: New size for extend must be greater than current size. (current: ${volume.size}, extended: ${size}).`, { field: 'new_size' })
  await house.db.transaction(async (tx) => {
    await insistOnQuota(house, tx, volume.project_id, { gigabytes: size - volume.size, per_volume: size, type_id: volume.volume_type_id })
    // The new size counts from now on; a failure gives it back.
    if (!(await moveVolume(tx, volume.id, from, { status: 'extending', previous_status: volume.status, updated_at: house.world.clock.now() }))) refuse()
    const work = { volume_id: volume.id, project_id: volume.project_id, host: volume.host!, size_gb: size, old_size_gb: volume.size, was: volume.status }
    await house.engine.start(tx as never, house.flows.extendVolume, work, about(volume))
  })
}

const about = (volume: VolumeRow) => ({ resource_kind: 'volume', resource_id: volume.id, project_id: volume.project_id })

async function setReadonly(house: Cinder, rq: Rq<{ readonly: unknown }>, volume: VolumeRow): Promise<void> {
  const readonly = flagOf(rq.body.readonly, 'readonly') ? 1 : 0
  if (!(await moveVolume(house.db, volume.id, ['available'], { readonly, updated_at: house.world.clock.now() }))) {
    throw invalid(`Invalid volume: Volume ${volume.id} status must be available to update readonly flag, but current status is: ${volume.status}.`)
  }
}

async function setBootable(house: Cinder, rq: Rq<{ bootable: unknown }>, volume: VolumeRow): Promise<void> {
  await setVolume(house.db, volume.id, { bootable: flagOf(rq.body.bootable, 'bootable') ? 1 : 0, updated_at: house.world.clock.now() })
}

interface Statuses {
  status?: string | null
  attach_status?: string | null
  migration_status?: string | null
}

/** No state may be claimed that the attachments contradict: that way lies a volume in two guests (S6). */
async function resetStatus(house: Cinder, rq: Rq<Statuses>, volume: VolumeRow): Promise<void> {
  const { status, attach_status, migration_status } = rq.body
  if (status === undefined && attach_status === undefined && migration_status === undefined) throw invalid("Must specify 'status', 'attach_status' or 'migration_status' for update.", { field: 'status' })
  const check = (value: string | null | undefined, allowed: readonly string[], field: string): string | undefined => {
    if (value === undefined || value === null) return undefined
    const lower = value.toLowerCase()
    if (!allowed.includes(lower)) throw invalid(`Must specify a valid status: ${value.slice(0, 100)} is none.`, { field })
    return lower
  }
  const next = check(status, VOLUME_STATUSES, 'status')
  const attach = check(attach_status, ATTACH_STATUSES, 'attach_status')
  const migration = check(migration_status, MIGRATION_STATUSES, 'migration_status')
  const held = (await attachmentsOf(house.db, [volume.id])).length > 0
  if (held && (next === 'available' || attach === 'detached')) throw invalid('Invalid volume: The volume has attachments; delete them, and it is available.', { field: 'status' })
  await setVolume(house.db, volume.id, {
    ...(next === undefined ? {} : { status: next }),
    ...(attach === undefined ? {} : { attach_status: attach }),
    ...(migration === undefined ? {} : { migration_status: migration === 'none' ? null : migration }),
    updated_at: house.world.clock.now(),
  })
}

interface Upload {
  image_name: string
  force?: unknown
  disk_format?: string
  container_format?: string
  visibility?: string
  protected?: unknown
}

const UPLOAD = object(
  {
    image_name: { type: 'string', minLength: 1, maxLength: 255 },
    force: BOOLEAN,
    disk_format: { enum: ['raw', 'vmdk', 'vdi', 'qcow2', 'vhd', 'vhdx', 'ploop'] },
    container_format: { enum: ['ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker', 'compressed'] },
    visibility: { enum: ['community', 'public', 'private', 'shared'] },
    protected: BOOLEAN,
  },
  ['image_name'],
)

async function upload(house: Cinder, rq: Rq<Upload>, volume: VolumeRow): Promise<Reply> {
  const { image_name, disk_format = 'raw', container_format = 'bare' } = rq.body
  if (disk_format !== 'raw' && disk_format !== 'qcow2') throw invalid(`Volumes are uploaded as raw or qcow2, not as ${disk_format}.`, { field: 'disk_format' })
  if (container_format !== 'bare') throw invalid(`Volumes are uploaded in a bare container, not as ${container_format}.`, { field: 'container_format' })
  const visibility = rq.version >= v('3.1') ? (rq.body.visibility ?? 'private') : 'private'
  const isProtected = rq.version >= v('3.1') && flagOf(rq.body.protected, 'protected')
  if (visibility === 'public') rq.authorize('volume_extension:volume_actions:upload_public', targetOf(volume))
  const from = flagOf(rq.body.force, 'force') ? ['available', 'in-use'] : ['available']
  const refuse = (): never => {
    throw invalid(`Invalid volume: Volume ${volume.id} status must be available, but current status is: ${volume.status}.`)
  }
  if (!from.includes(volume.status) || volume.host === null) refuse()
  const inherited = JSON.parse(volume.image_metadata ?? '{}') as Record<string, string>
  const properties = Object.fromEntries(Object.entries(inherited).filter(([name]) => !OF_THE_OLD_IMAGE.has(name) && !name.startsWith('os_glance')))
  // In the user's name: the image is theirs, and so are Glance's refusals.
  const image = await house.client.call({ token: rq.context.token! }, 'glance', createImage, {
    body: {
      ...properties,
      name: image_name,
      disk_format,
      container_format,
      visibility: visibility as 'private',
      protected: isProtected,
      ...(inherited.min_ram ? { min_ram: Number(inherited.min_ram) || 0 } : {}),
      min_disk: Math.max(Number(inherited.min_disk ?? 0) || 0, 0),
    },
  })
  const now = house.world.clock.now()
  await house.db.transaction(async (tx) => {
    if (!(await moveVolume(tx, volume.id, from, { status: 'uploading', previous_status: volume.status, updated_at: now }))) refuse()
    const work = { volume_id: volume.id, project_id: volume.project_id, host: volume.host!, image_id: image.id, format: disk_format as 'raw' | 'qcow2', was: volume.status }
    await house.engine.start(tx as never, house.flows.uploadImage, work, about(volume))
  })
  const [type] = volume.volume_type_id === null ? [] : await typesByIds(house.db, [volume.volume_type_id])
  return {
    json: {
      'os-volume_upload_image': {
        id: volume.id,
        updated_at: stamp(now),
        status: 'uploading',
        display_description: volume.description,
        size: volume.size,
        volume_type: type ? typeView(rq, type) : null,
        image_id: image.id,
        container_format,
        disk_format,
        image_name,
        ...(rq.version >= v('3.1') ? { visibility, protected: isProtected } : {}),
      },
    },
  }
}

const OF_THE_OLD_IMAGE = new Set(['signature_verified', 'image_id', 'image_name', 'checksum', 'container_format', 'disk_format', 'min_disk', 'min_ram', 'size', 'owner_specified.openstack.md5', 'owner_specified.openstack.sha256'])

async function setImageMetadata(house: Cinder, rq: Rq<{ metadata: Record<string, string> }>, volume: VolumeRow): Promise<Reply> {
  const metadata = { ...(JSON.parse(volume.image_metadata ?? '{}') as Record<string, string>), ...rq.body.metadata }
  await house.db.transaction((tx) => setVolumeMetadata(tx, volume.id, 'image', metadata, house.world.clock.now()))
  return { json: { metadata } }
}

async function unsetImageMetadata(house: Cinder, rq: Rq<{ key: string }>, volume: VolumeRow): Promise<void> {
  const { [rq.body.key]: found, ...rest } = JSON.parse(volume.image_metadata ?? '{}') as Record<string, string>
  if (found === undefined) throw new Fault('not_found', 'Metadata item was not found', { field: 'key' })
  await house.db.transaction((tx) => setVolumeMetadata(tx, volume.id, 'image', rest, house.world.clock.now()))
}

async function retype(house: Cinder, rq: Rq<{ new_type: string; migration_policy?: string | null }>, volume: VolumeRow): Promise<void> {
  const type = await loadType(house, rq, rq.body.new_type, 'id or name').catch(() => {
    throw invalid(`Invalid input received: Invalid volume_type passed: ${rq.body.new_type.slice(0, 100)}.`, { field: 'new_type' })
  })
  if (type.id === volume.volume_type_id) throw invalid(`Invalid input received: New volume_type same as original: ${type.name}.`, { field: 'new_type' })
  const refuse = (): never => {
    throw invalid(`Invalid volume: Volume ${volume.id} status must be available or in-use, and must not be migrating or part of a group; it is ${volume.status}.`)
  }
  if (isMigrating(volume.migration_status) || volume.group_id !== null || volume.host === null) refuse()
  const extra_specs = JSON.parse(type.extra_specs) as Record<string, string>
  const old = volume.volume_type_id === null ? undefined : await typeById(house.db, volume.volume_type_id)
  const shared = (specs: Record<string, string>): boolean => /^<is>\s*true$/i.test(specs.multiattach ?? '')
  const becomesShared = shared(extra_specs)
  if (volume.status === 'in-use' && becomesShared !== shared(JSON.parse(old?.extra_specs ?? '{}') as Record<string, string>)) throw invalid('Invalid input received: Changing the multiattach capability of a volume in use is not possible.', { field: 'new_type' })
  const wish = { size_gb: 0, availability_zone: volume.availability_zone, extra_specs, multiattach: becomesShared }
  const fits = schedule(await pools(house), { ...wish, on: backendOf(volume.host!) }).hosts.length > 0
  const mayMove = rq.body.migration_policy === 'on-demand'
  if (!fits && mayMove && volume.status === 'in-use') throw invalid('Invalid volume: A volume in use cannot be moved to another backend.')
  if (!fits && mayMove && (await snapshotsOf(house.db, volume.id)).length > 0) throw invalid('Invalid volume: A volume with snapshots cannot be moved to another backend.')
  await house.db.transaction(async (tx) => {
    const patch = { status: 'retyping', previous_status: volume.status, multiattach: becomesShared ? 1 : 0, updated_at: house.world.clock.now() }
    await insistOnQuota(house, tx, volume.project_id, { volumes: 0, gigabytes: 0, type_id: type.id })
    if (!(await moveVolume(tx, volume.id, ['available', 'in-use'], patch))) refuse()
    // Where it may not move and cannot stay, the scheduler finds nothing and the volume stays what it was.
    const target = fits ? null : mayMove ? { ...wish, size_gb: volume.size, not_on: backendOf(volume.host!) } : { ...wish, on: backendOf(volume.host!) }
    const work = { volume_id: volume.id, project_id: volume.project_id, host: volume.host!, size_gb: volume.size, was: volume.status, new_type_id: type.id, wish: target }
    await house.engine.start(tx as never, house.flows.retypeVolume, work, about(volume))
  })
}

async function migrate(house: Cinder, rq: Rq<{ host?: string | null; cluster?: string | null }>, volume: VolumeRow): Promise<void> {
  const host = rq.body.host ?? ''
  if (host === '') throw invalid('Invalid input for field/attribute host: a destination host is needed; there are no clusters.', { field: 'host' })
  if (volume.status === 'in-use') throw invalid('Invalid volume: A volume in use cannot be migrated; detach it first.')
  if (isMigrating(volume.migration_status) || volume.group_id !== null || volume.host === null) throw invalid(`Invalid volume: Volume ${volume.id} is migrating, in a group or on no backend.`)
  if ((await snapshotsOf(house.db, volume.id)).length > 0) throw invalid(`Invalid volume: Volume ${volume.id} must not have snapshots.`)
  const service = (await allServices(house.db, 'cinder-volume')).find((one) => one.host === backendOf(host))
  if (!service || service.disabled === 1) throw invalid(`Invalid input received: No available service named '${host.slice(0, 200)}'`, { field: 'host' })
  const { pool_name } = JSON.parse(service.facts) as { pool_name: string }
  const target = `${service.host}#${pool_name}`
  if (backendOf(volume.host) === service.host) throw invalid('Invalid input received: Destination host must be different than the current host.', { field: 'host' })
  await house.db.transaction(async (tx) => {
    const patch = { status: 'maintenance', previous_status: volume.status, migration_status: 'starting', updated_at: house.world.clock.now() }
    if (!(await moveVolume(tx, volume.id, ['available'], patch))) throw invalid(`Invalid volume: Volume ${volume.id} status must be available, but current status is: ${volume.status}.`)
    const work = { volume_id: volume.id, project_id: volume.project_id, host: volume.host!, target, size_gb: volume.size, was: volume.status }
    await house.engine.start(tx as never, house.flows.migrateVolume, work, about(volume))
  })
}

async function revert(house: Cinder, rq: Rq<{ snapshot_id: string }>, volume: VolumeRow): Promise<void> {
  const snapshot = seen(rq, await snapshotById(house.db, rq.body.snapshot_id), `Snapshot ${rq.body.snapshot_id}`)
  if (snapshot.volume_id !== volume.id) throw invalid(`Invalid snapshot: Specified snapshot ${snapshot.id} is not of volume ${volume.id}.`, { field: 'snapshot_id' })
  if ((await snapshotsOf(house.db, volume.id)).at(-1)?.id !== snapshot.id) throw invalid(`Invalid volume: Specified snapshot ${snapshot.id} isn't the latest one of volume ${volume.id}.`, { field: 'snapshot_id' })
  if (volume.size !== snapshot.volume_size) throw invalid(`Invalid input received: Can't revert volume ${volume.id} to its latest snapshot. The volume size must be equal to the snapshot size.`, { field: 'snapshot_id' })
  await house.db.transaction(async (tx) => {
    const updated_at = house.world.clock.now()
    if (!(await moveVolume(tx, volume.id, ['available'], { status: 'reverting', previous_status: volume.status, updated_at }))) throw invalid(`Invalid volume: Can't revert volume ${volume.id} to its latest snapshot. Volume's status must be 'available'.`)
    if (!(await moveSnapshot(tx, snapshot.id, ['available'], { status: 'restoring', updated_at }))) throw invalid(`Invalid snapshot: Can't revert volume ${volume.id}: the snapshot's status must be 'available'.`)
    const work = { snapshot_id: snapshot.id, volume_id: volume.id, project_id: volume.project_id, host: volume.host! }
    await house.engine.start(tx as never, house.flows.revertVolume, work, about(volume))
  })
}

async function reimage(house: Cinder, rq: Rq<{ image_id: string; reimage_reserved?: unknown }>, volume: VolumeRow): Promise<void> {
  const reserved = flagOf(rq.body.reimage_reserved, 'reimage_reserved')
  if (reserved) rq.authorize('volume:reimage_reserved', targetOf(volume))
  const image = await imageOf(house, rq, rq.body.image_id)
  const bytes = Math.max(image.size ?? 0, image.virtual_size ?? 0)
  if (Math.max(Math.ceil(bytes / 2 ** 30), image.min_disk) > volume.size) throw invalid(`Invalid input received: Size of specified image ${Math.ceil(bytes / 2 ** 30)}GB is larger than volume size ${volume.size}GB.`, { field: 'image_id' })
  const from = ['available', 'error', ...(reserved ? ['reserved'] : [])]
  const format = formatOf(image)
  await house.db.transaction(async (tx) => {
    if (volume.host === null || !(await moveVolume(tx, volume.id, from, { status: 'downloading', previous_status: volume.status, updated_at: house.world.clock.now() }))) {
      throw new Fault('conflict', `Volume ${volume.id} status must be available${reserved ? ' or reserved' : ''} or error to re-image, but is ${volume.status}.`)
    }
    const work = { volume_id: volume.id, project_id: volume.project_id, host: volume.host, image_id: image.id, format, image_metadata: imageMetadata(image), size_gb: volume.size, was: volume.status }
    await house.engine.start(tx as never, house.flows.reimageVolume, work, about(volume))
  })
}

async function unmanage(house: Cinder, _rq: Rq<unknown>, volume: VolumeRow): Promise<void> {
  if ((await snapshotsOf(house.db, volume.id)).length > 0) throw invalid('Invalid volume: Unmanage of a volume with snapshots is not possible: its snapshots are inside it.')
  await house.db.transaction(async (tx) => {
    if (volume.attach_status !== 'detached' || volume.host === null || !(await moveVolume(tx, volume.id, ['available', 'error'], { status: 'unmanaging', previous_status: volume.status, updated_at: house.world.clock.now() }))) {
      throw invalid(`Invalid volume: Volume ${volume.id} status must be available or error to be unmanaged, but is ${volume.status}.`)
    }
    await house.engine.start(tx as never, house.flows.unmanageVolume, { volume_id: volume.id, project_id: volume.project_id, host: volume.host }, about(volume))
  })
}

