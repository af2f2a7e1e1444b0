/** createImage and createBackup: a server's root disk as an image; of a server on volumes, snapshots of them and an image that names them. */
import { Fault, isFault } from '#base/fault.ts'
import { createSnapshot } from '#cinder/contract/volumes.ts'
import { createImage, type Image, imageFilePath } from '#glance/contract/images.ts'
import { type Reply, type Route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { assertMay } from '../core/states.ts'
import { isOnVolume, isVolume } from '../flows/volumes.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf } from '../store/block-devices.ts'
import { insertBegunImage } from '../store/begun-images.ts'
import { limitsOf } from '../store/quotas.ts'
import type { BlockDeviceRow, FlavorSnapshot, ImageSnapshot, ServerRow } from '../store/tables.ts'
import { envelope, metadataObject, nameText, object } from './schemas.ts'
import { actionRoute } from './server-actions.ts'
import { callerOf, judgeMetadata } from './server-create.ts'
import { beginWork, isAdmin, recordDone } from './server-steps.ts'

interface ImageWish {
  name: string
  metadata?: Record<string, string>
}
interface BackupWish extends ImageWish {
  backup_type: string
  rotation: number | string
}

const count = { anyOf: [{ type: 'integer', minimum: 0 }, { type: 'string', pattern: '^[0-9]+$' }] }

export function serverImageRoutes(nova: Nova): Route[] {
  return [
    actionRoute<ImageWish>(nova, { key: 'createImage', rule: 'servers:create_image', body: envelope('createImage', object({ name: nameText, metadata: metadataObject }, ['name'])) }, (rq, server) => snapshot(nova, rq, server, rq.body)),
    actionRoute<BackupWish>(
      nova,
      { key: 'createBackup', rule: 'os-create-backup', body: envelope('createBackup', object({ name: nameText, backup_type: { type: 'string' }, rotation: count, metadata: metadataObject }, ['name', 'backup_type', 'rotation'])) },
      (rq, server) => backup(nova, rq, server, rq.body),
    ),
  ]
}

async function snapshot(nova: Nova, rq: Rq<unknown>, server: ServerRow, wish: ImageWish): Promise<Reply> {
  await judge(nova, server, wish.metadata)
  assertMay('createImage', server, isAdmin(rq))
  const devices = await blockDevicesOf(nova.db, server.id)
  if (isOnVolume(devices)) {
    rq.authorize('os_compute_api:servers:create_image:allow_volume_backed', { project_id: server.project_id, user_id: server.user_id })
    return answer(nova, rq, await ofVolumes(nova, rq, server, devices, wish))
  }
  const { image, format } = await newImage(nova, rq, server, wish, { image_type: wish.metadata?.image_type ?? 'snapshot' })
  await beginWork(nova, rq, server, { action: 'createImage', event: 'compute_snapshot_instance', legal: 'createImage', lock: 'image_snapshot_pending', flow: nova.flows.snapshotServer, params: { image_id: image.id, format } }).catch((thrown: unknown) => dropped(nova, image.id, thrown))
  return answer(nova, rq, image.id)
}

async function backup(nova: Nova, rq: Rq<unknown>, server: ServerRow, wish: BackupWish): Promise<Reply> {
  await judge(nova, server, wish.metadata)
  assertMay('createBackup', server, isAdmin(rq))
  if (isOnVolume(await blockDevicesOf(nova.db, server.id))) throw new Fault('invalid', 'Backup is not supported for volume-backed instances.')
  const keep = Number(wish.rotation)
  const { image, format } = await newImage(nova, rq, server, wish, { image_type: 'backup', backup_type: wish.backup_type })
  await beginWork(nova, rq, server, {
    action: 'createBackup', event: 'compute_backup_instance', legal: 'createBackup', lock: 'image_backup', flow: nova.flows.snapshotServer, params: { image_id: image.id, format, rotation: { backup_type: wish.backup_type, keep } },
  }).catch((thrown: unknown) => dropped(nova, image.id, thrown))
  // A backup that is kept zero times has no name to tell.
  return keep > 0 ? answer(nova, rq, image.id) : {}
}

async function judge(nova: Nova, server: ServerRow, metadata: Record<string, string> | undefined): Promise<void> {
  const { metadata_items } = await limitsOf(nova.db, server.project_id, nova.quotas)
  judgeMetadata(metadata, metadata_items)
}

function answer(nova: Nova, rq: Rq<unknown>, imageId: string): Reply {
  return rq.version >= v('2.45') ? { json: { image_id: imageId } } : { headers: { location: `${nova.publicUrl()}/image/v2/images/${imageId}` } }
}

export async function dropped(nova: Nova, imageId: string, thrown: unknown): Promise<never> {
  const { dropImage } = await import('../flows/snapshot-server.ts')
  await dropImage(nova, imageId).catch(() => {})
  throw thrown
}

/** The queued image, made in the user's name so that it is theirs and within their quota. */
export async function newImage(nova: Nova, rq: Rq<unknown>, server: ServerRow, wish: ImageWish, facts: Record<string, string>): Promise<{ image: Image; format: 'raw' | 'qcow2' }> {
  const base = JSON.parse(server.image) as ImageSnapshot
  const flavor = JSON.parse(server.flavor) as FlavorSnapshot
  const host = server.host_id === null ? undefined : await nova.hosts.byId(server.host_id)
  // A fake host has no qcow2 to give.
  const format = host?.hypervisor_type === 'fake' || base.disk_format === 'raw' ? ('raw' as const) : ('qcow2' as const)
  const image = await nova.client
    .call(callerOf(rq), 'glance', createImage, {
      body: {
        ...inherited(base),
        ...facts,
        ...wish.metadata,
        id: await begun(nova, server), name: wish.name, visibility: 'private', disk_format: format, container_format: 'bare', min_disk: Math.max(base.min_disk, flavor.root_gb), min_ram: base.min_ram,
        instance_uuid: server.id, user_id: server.user_id, base_image_ref: server.image_id, image_location: 'snapshot', image_state: 'available', owner_id: server.project_id,
      },
    })
    .catch((thrown: unknown) => {
      if (isFault(thrown, 'over_quota')) throw new Fault('forbidden', thrown.message, { cause: thrown })
      throw thrown
    })
  return { image, format }
}

/** The id of an image that is about to be made. From here on it ends by the clock, when this request does not live to hand it to a flow. */
async function begun(nova: Nova, server: ServerRow): Promise<string> {
  const image_id = nova.world.random.uuid()
  await insertBegunImage(nova.db, { image_id, server_id: server.id, created_at: nova.world.clock.now() })
  return image_id
}

/** What an image says of its guests holds for its snapshots; what it says of itself does not. */
function inherited(base: ImageSnapshot): Record<string, string> {
  const own = /^(instance_uuid|user_id|base_image_ref|image_location|image_state|owner_id|image_type|backup_type|os_glance_|signature|img_signature|block_device_mapping|root_device_name|bdm_v2|checksum|cache_in_nova)/
  const kept = Object.entries(base.properties).filter(([key, value]) => typeof value === 'string' && !own.test(key)) as [string, string][]
  return { ...Object.fromEntries(kept), ...(base.kernel_id === '' ? {} : { kernel_id: base.kernel_id }), ...(base.ramdisk_id === '' ? {} : { ramdisk_id: base.ramdisk_id }) }
}

async function ofVolumes(nova: Nova, rq: Rq<unknown>, server: ServerRow, devices: readonly BlockDeviceRow[], wish: ImageWish): Promise<string> {
  const mapping = []
  for (const device of devices) {
    const common = { device_name: device.device_name, boot_index: device.boot_index < 0 ? null : device.boot_index, delete_on_termination: device.delete_on_termination === 1, device_type: device.device_type, disk_bus: device.disk_bus, guest_format: device.guest_format, tag: device.tag, volume_type: device.volume_type, volume_size: device.volume_size, no_device: null, image_id: null }
    if (isVolume(device) && device.volume_id !== null) {
      const { snapshot } = await nova.client.call(await nova.service(), 'cinder', createSnapshot, { body: { snapshot: { volume_id: device.volume_id, name: `snapshot for ${wish.name}`, description: '', force: true } } })
      mapping.push({ ...common, source_type: 'snapshot', destination_type: 'volume', snapshot_id: snapshot.id, volume_id: null, volume_size: snapshot.size })
    } else if (device.source_type === 'blank') mapping.push({ ...common, source_type: 'blank', destination_type: 'local', snapshot_id: null, volume_id: null })
  }
  const base = JSON.parse(server.image) as ImageSnapshot
  const caller = callerOf(rq)
  const image = await nova.client.call(caller, 'glance', createImage, {
    body: { ...inherited(base), ...wish.metadata, id: await begun(nova, server), name: wish.name, visibility: 'private', disk_format: 'raw', container_format: 'bare', min_disk: base.min_disk, min_ram: base.min_ram, block_device_mapping: JSON.stringify(mapping), bdm_v2: 'True', root_device_name: server.root_device_name },
  })
  // It has no bytes of its own.
  await nova.client.send(caller, 'glance', { method: 'PUT', path: imageFilePath(image.id), headers: { 'content-type': 'application/octet-stream' }, body: '' })
  await nova.db.transaction((tx) => recordDone(nova, tx, rq, server.id, 'createImage'))
  return image.id
}
