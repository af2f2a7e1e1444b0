/** Making a volume: out of nothing, a snapshot, another volume, an image or a backup. */
import { invalid, notFound } from '#base/fault.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import type { WishedSource } from '../contract/volume-rpc.ts'
import { backendOf } from '../contract/volume-rpc.ts'
import type { Cinder } from '../house.ts'
import { backupById } from '../store/backups.ts'
import { groupById } from '../store/groups.ts'
import { allServices } from '../store/services.ts'
import { snapshotById } from '../store/snapshots.ts'
import type { TypeRow, VolumeRow } from '../store/tables.ts'
import { defaultTypeOf, encryptionOf, typeById, typeByName } from '../store/types.ts'
import { insertVolume, newVolume, volumeById } from '../store/volumes.ts'
import { BOOLEAN, COUNT, DESCRIPTION, envelope, flagOf, METADATA, NAME, trimmed, UUID_OR_NULL } from './body.ts'
import { loadType, seen } from './load.ts'
import { insistOnQuota } from './quota-check.ts'
import { formatOf, imageMetadata, imageOf } from './volume-image.ts'
import { volumeView } from './volume-view.ts'

export interface VolumeCreateBody {
  volume: {
    size?: number | string | null
    name?: string | null
    description?: string | null
    display_name?: string | null
    display_description?: string | null
    availability_zone?: string | null
    snapshot_id?: string | null
    source_volid?: string | null
    imageRef?: string | null
    image_id?: string | null
    backup_id?: string | null
    volume_type?: string | null
    metadata?: Record<string, string> | null
    multiattach?: unknown
    group_id?: string | null
    consistencygroup_id?: string | null
  }
  'OS-SCH-HNT:scheduler_hints'?: { different_host?: string | string[]; same_host?: string | string[]; [hint: string]: unknown } | null
}

const createBody = envelope('volume', {
  size: { anyOf: [...COUNT.anyOf, { type: 'null' }] },
  name: NAME,
  description: DESCRIPTION,
  display_name: NAME,
  display_description: DESCRIPTION,
  availability_zone: { type: ['string', 'null'], maxLength: 255 },
  snapshot_id: { type: ['string', 'null'], maxLength: 255 },
  source_volid: { type: ['string', 'null'], maxLength: 255 },
  imageRef: { type: ['string', 'null'], maxLength: 255 },
  image_id: { type: ['string', 'null'], maxLength: 255 },
  backup_id: UUID_OR_NULL,
  volume_type: { type: ['string', 'null'], maxLength: 255 },
  metadata: { anyOf: [METADATA, { type: 'null' }] },
  multiattach: { anyOf: [BOOLEAN, { type: 'null' }] },
  group_id: UUID_OR_NULL,
  consistencygroup_id: UUID_OR_NULL,
  status: {},
  attach_status: {},
  project_id: {},
  user_id: {},
  'OS-SCH-HNT:scheduler_hints': {},
})

export const volumeCreateRoutes = (house: Cinder): Route[] => [
  route<VolumeCreateBody>({ method: 'POST', path: '/volumes', name: 'volumes.create', body: createBody, status: 202, handle: (rq) => create(house, rq) }),
]

/** What a new volume gets from what it is made of. */
interface Origin {
  source: WishedSource
  /** GiB; at least this much. */
  min_gb: number
  /** What is said when it is less. */
  tooSmall: (size: number) => string
  default_gb?: number
  type_id?: string | null
  /** Name or id of the type that an image asks for. */
  type_name?: string
  availability_zone?: string
  /** Backend that has it. */
  on?: string
  bootable: boolean
  image_metadata: Record<string, string> | null
  fields: Partial<VolumeRow>
}

const BLANK: Origin = { source: { from: 'blank' }, min_gb: 1, tooSmall: () => '', bootable: false, image_metadata: null, fields: {} }

async function create(house: Cinder, rq: Rq<VolumeCreateBody>): Promise<Reply> {
  const { project_id, user_id } = ownerOf(rq)
  if (project_id === undefined) throw invalid('A volume belongs to a project: the token has none.', { field: 'project_id' })
  rq.authorize('volume:create')
  const given = rq.body.volume
  const imageRef = given.imageRef || given.image_id
  if (imageRef) rq.authorize('volume:create_from_image')
  const origin = await originOf(house, rq, given, imageRef || null)
  const size = sizeOf(given.size, origin)
  const type = await typeFor(house, rq, given.volume_type || null, origin, project_id)
  const specs = JSON.parse(type.extra_specs) as Record<string, string>
  const multiattach = flagOf(given.multiattach, 'multiattach') || /^<is>\s*true$/i.test(specs.multiattach ?? '')
  if (multiattach) rq.authorize('volume:multiattach')
  if (await encryptionOf(house.db, type.id)) throw invalid('Encrypted volumes need a key manager, and this cloud has none.', { field: 'volume_type' })
  const availability_zone = await zoneFor(house, given.availability_zone || null, origin, specs)
  const group_id = (rq.version >= v('3.13') ? given.group_id : null) ?? null
  const group = group_id === null ? undefined : seen(rq, await groupById(house.db, group_id), `Group ${group_id}`)
  if (group && !(JSON.parse(group.volume_types) as string[]).includes(type.id)) throw invalid(`Invalid volume_type ${type.name} is not in group ${group.id}.`, { field: 'volume_type' })

  const now = house.world.clock.now()
  const row: VolumeRow = newVolume({
    id: house.world.random.uuid(),
    project_id,
    user_id,
    name: trimmed(given.name !== undefined ? given.name : given.display_name),
    description: trimmed(given.description !== undefined ? given.description : given.display_description),
    size,
    availability_zone,
    volume_type_id: type.id,
    group_id,
    bootable: origin.bootable ? 1 : 0,
    multiattach: multiattach ? 1 : 0,
    metadata: JSON.stringify(given.metadata ?? {}),
    image_metadata: origin.image_metadata === null ? null : JSON.stringify(origin.image_metadata),
    created_at: now,
    ...origin.fields,
  })
  const on = origin.on ?? (group?.host ? backendOf(group.host) : undefined)
  const hints = hintsOf(rq.body)
  const wish = { size_gb: size, availability_zone, extra_specs: specs, multiattach, ...(on === undefined ? {} : { on }), ...(hints ? { hints: await backendsOf(house, hints) } : {}) }
  await house.db.transaction(async (tx) => {
    await insistOnQuota(house, tx, project_id, { volumes: 1, gigabytes: size, per_volume: size, type_id: type.id })
    await insertVolume(tx, row)
    await house.engine.start(tx as never, house.flows.createVolume, { volume_id: row.id, project_id, size_gb: size, source: origin.source, wish }, { resource_kind: 'volume', resource_id: row.id, project_id })
  })
  return { json: { volume: volumeView(rq, row, type, []) } }
}

/** Services make volumes for users (the disk that a server boots from), and name them; of others the words are heard and mean nothing, as in Cinder. */
function ownerOf(rq: Rq<VolumeCreateBody>): { project_id: string | undefined; user_id: string } {
  const { context, body } = rq
  const { project_id, user_id } = body.volume as { project_id?: unknown; user_id?: unknown }
  if (context.roles.includes('service') && typeof project_id === 'string') return { project_id, user_id: typeof user_id === 'string' ? user_id : '' }
  return { project_id: context.project_id, user_id: context.user_id ?? '' }
}

async function originOf(house: Cinder, rq: Rq<VolumeCreateBody>, given: VolumeCreateBody['volume'], imageRef: string | null): Promise<Origin> {
  const named = [given.snapshot_id, given.source_volid, imageRef, given.backup_id].filter(Boolean)
  if (named.length > 1 && !(imageRef && given.snapshot_id)) throw invalid('A volume is made from one thing only: a snapshot, a volume, an image or a backup.', { field: 'volume' })
  if (given.snapshot_id) return fromSnapshot(house, rq, given.snapshot_id)
  if (given.source_volid) return fromVolume(house, rq, given.source_volid)
  if (imageRef) return fromImage(house, rq, imageRef)
  if (given.backup_id && rq.version >= v('3.47')) return fromBackup(house, rq, given.backup_id)
  return BLANK
}

async function fromSnapshot(house: Cinder, rq: Rq<VolumeCreateBody>, snapshotId: string): Promise<Origin> {
  const snapshot = seen(rq, await snapshotById(house.db, snapshotId), `Snapshot ${snapshotId}`)
  if (snapshot.status !== 'available') throw invalid("Invalid snapshot: Originating snapshot status must be one of 'available' values", { field: 'snapshot_id' })
  const volume = await volumeById(house.db, snapshot.volume_id)
  return {
    source: { from: 'snapshot', snapshot_id: snapshot.id, volume_id: snapshot.volume_id },
    min_gb: snapshot.volume_size,
    default_gb: snapshot.volume_size,
    tooSmall: (size) => `Invalid input received: Volume size '${size}'GB cannot be smaller than the snapshot size ${snapshot.volume_size}GB. They must be >= original snapshot size.`,
    type_id: snapshot.volume_type_id,
    ...copied(volume),
    fields: { snapshot_id: snapshot.id },
  }
}

async function fromVolume(house: Cinder, rq: Rq<VolumeCreateBody>, volumeId: string): Promise<Origin> {
  const volume = seen(rq, await volumeById(house.db, volumeId), `Volume ${volumeId}`)
  if (!['available', 'in-use', 'backing-up', 'uploading'].includes(volume.status) || volume.host === null) throw invalid(`Invalid volume: Unable to create a clone of a volume in status ${volume.status}.`, { field: 'source_volid' })
  return {
    source: { from: 'volume', volume_id: volume.id },
    min_gb: volume.size,
    default_gb: volume.size,
    tooSmall: (size) => `Invalid input received: Volume size '${size}'GB cannot be smaller than original volume size ${volume.size}GB. They must be >= original volume size.`,
    type_id: volume.volume_type_id,
    ...copied(volume),
    fields: { source_volid: volume.id },
  }
}

/** A copy boots as its original does, and lies where it lies. */
function copied(volume: VolumeRow | undefined): Pick<Origin, 'bootable' | 'image_metadata' | 'on' | 'availability_zone'> {
  if (!volume) return { bootable: false, image_metadata: null }
  return {
    bootable: volume.bootable === 1,
    image_metadata: volume.image_metadata === null ? null : (JSON.parse(volume.image_metadata) as Record<string, string>),
    availability_zone: volume.availability_zone,
    ...(volume.host === null ? {} : { on: backendOf(volume.host) }),
  }
}

async function fromBackup(house: Cinder, rq: Rq<VolumeCreateBody>, backupId: string): Promise<Origin> {
  const backup = seen(rq, await backupById(house.db, backupId), `Backup ${backupId}`)
  if (backup.status !== 'available') throw invalid(`Invalid backup: Backup status must be available to make a volume of it, but is ${backup.status}.`, { field: 'backup_id' })
  return {
    source: { from: 'backup', backup_id: backup.id },
    min_gb: backup.size,
    default_gb: backup.size,
    tooSmall: (size) => `Invalid input received: Volume size '${size}'GB cannot be smaller than the backup size ${backup.size}GB. It must be >= backup size.`,
    bootable: false,
    image_metadata: null,
    fields: { backup_id: backup.id },
  }
}

async function fromImage(house: Cinder, rq: Rq<VolumeCreateBody>, ref: string): Promise<Origin> {
  const image = await imageOf(house, rq, ref)
  const bytes = Math.max(image.size ?? 0, image.virtual_size ?? 0)
  const min_gb = Math.max(1, Math.ceil(bytes / 2 ** 30), image.min_disk)
  return {
    source: { from: 'image', image_id: image.id, format: formatOf(image) },
    min_gb,
    tooSmall: (size) =>
      size < image.min_disk
        ? `Invalid input received: Volume size ${size}GB cannot be smaller than the image minDisk size ${image.min_disk}GB.`
        : `Invalid input received: Size of specified image ${Math.ceil(bytes / 2 ** 30)}GB is larger than volume size ${size}GB.`,
    bootable: true,
    ...(typeof image.cinder_img_volume_type === 'string' && image.cinder_img_volume_type !== '' ? { type_name: image.cinder_img_volume_type } : {}),
    image_metadata: imageMetadata(image),
    fields: {},
  }
}

function sizeOf(given: number | string | null | undefined, origin: Origin): number {
  const size = given === undefined || given === null ? origin.default_gb : Number(given)
  if (size === undefined || !Number.isInteger(size) || size <= 0) throw invalid(`Invalid input received: Volume size '${String(given ?? 'None')}' must be an integer and greater than 0`, { field: 'size' })
  if (size < origin.min_gb) throw invalid(origin.tooSmall(size), { field: 'size' })
  return size
}

async function typeFor(house: Cinder, rq: Rq<VolumeCreateBody>, wanted: string | null, origin: Origin, project: string): Promise<TypeRow> {
  const named = wanted ?? origin.type_name
  if (named !== undefined) return loadType(house, rq, named, 'id or name')
  const inherited = origin.type_id ? await typeById(house.db, origin.type_id) : undefined
  if (inherited) return inherited
  const own = await defaultTypeOf(house.db, project)
  const found = (own === undefined ? undefined : await typeById(house.db, own)) ?? (await typeByName(house.db, house.config.default_volume_type))
  if (!found) throw notFound(`Default volume type ${house.config.default_volume_type} could not be found.`, { field: 'volume_type' })
  return found
}

async function zoneFor(house: Cinder, wanted: string | null, origin: Origin, specs: Readonly<Record<string, string>>): Promise<string> {
  if (wanted === null) return origin.availability_zone ?? specs['RESKEY:availability_zones']?.split(',')[0]?.trim() ?? house.config.availability_zone
  const zones = new Set((await allServices(house.db, 'cinder-volume')).map((one) => one.availability_zone))
  if (wanted !== house.config.availability_zone && !zones.has(wanted)) throw invalid(`Invalid input received: Availability zone '${wanted}' is invalid.`, { field: 'availability_zone' })
  if (origin.availability_zone !== undefined && origin.availability_zone !== wanted) throw invalid('Invalid input received: Volume must be in the same availability zone as its source.', { field: 'availability_zone' })
  return wanted
}

function hintsOf(body: VolumeCreateBody): { different_host: string[]; same_host: string[] } | undefined {
  const hints = body['OS-SCH-HNT:scheduler_hints'] ?? (body.volume as { 'OS-SCH-HNT:scheduler_hints'?: VolumeCreateBody['OS-SCH-HNT:scheduler_hints'] })['OS-SCH-HNT:scheduler_hints']
  if (!hints) return undefined
  const listOf = (value: unknown): string[] => [value ?? []].flat().map(String)
  return { different_host: listOf(hints.different_host), same_host: listOf(hints.same_host) }
}

/** Volumes of hints as the backends that have them. */
async function backendsOf(house: Cinder, hints: { different_host: string[]; same_host: string[] }): Promise<{ different_host: string[]; same_host: string[] }> {
  const at = async (ids: string[]): Promise<string[]> => {
    const hosts = await Promise.all(ids.map(async (id) => (await volumeById(house.db, id))?.host))
    return hosts.flatMap((host) => (host ? [backendOf(host)] : []))
  }
  return { different_host: await at(hints.different_host), same_host: await at(hints.same_host) }
}
