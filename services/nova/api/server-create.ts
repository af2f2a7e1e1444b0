/** `POST /servers`: everything that can be refused is refused here; what is accepted is durable before the 202. */
import { conflict, Fault, forbidden, invalid, isFault } from '#base/fault.ts'
import { isUuid } from '#base/ids.ts'
import { createAttachment, deleteAttachment } from '#cinder/contract/attachments.ts'
import { showSnapshot, showVolume } from '#cinder/contract/volumes.ts'
import { type Image, showImage } from '#glance/contract/images.ts'
import type { Tx } from '#base/sql/database.ts'
import type { Caller } from '#stack/client.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { type BlockDeviceWish, bootPlan, type BootPlan, nameDevices, type WireDevice, wishesOfV1, wishesOfV2, withImageDevices } from '../core/block-devices.ts'
import { hostnameOf } from '../core/hostnames.ts'
import { imageSnapshot } from '../core/images.ts'
import { newPassword } from '../core/passwords.ts'
import { assertWithin } from '../core/quotas.ts'
import type { QuotaName } from '../config.ts'
import type { CreateServer } from '../flows/create-server.ts'
import { securityGroupIds } from '../flows/ports.ts'
import { GUARDED } from '../flows/state.ts'
import type { Nova } from '../house.ts'
import { insertBlockDevices } from '../store/block-devices.ts'
import { flavorById, mayUseFlavor } from '../store/flavors.ts'
import { keypairOf } from '../store/keypairs.ts'
import { limitsOf, limitsWithUser } from '../store/quotas.ts'
import { serverGroupById } from '../store/server-groups.ts'
import { insertTags } from '../store/server-tags.ts'
import { groupMembers, insertServer, type Usage, usageOf, usageOfUser } from '../store/servers.ts'
import type { BlockDeviceRow, FlavorRow, FlavorSnapshot, ImageSnapshot, KeypairRow, NovaTables, ServerPrivate, ServerRow } from '../store/tables.ts'
import { linksOf } from './links.ts'
import { type NetworkWish, resolveNetworks } from './network-wishes.ts'
import { isTrue } from './schemas.ts'
import { serverCreateSchema } from './server-create-schema.ts'
import { accessAddress6, isAdmin, recordAction } from './server-steps.ts'

interface Wish {
  name: string
  flavorRef: string | number
  imageRef?: string
  adminPass?: string
  metadata?: Record<string, string>
  networks?: NetworkWish[] | 'none' | 'auto'
  'OS-DCF:diskConfig'?: 'AUTO' | 'MANUAL'
  accessIPv4?: string
  accessIPv6?: string
  availability_zone?: string
  block_device_mapping?: WireDevice[]
  block_device_mapping_v2?: WireDevice[]
  config_drive?: unknown
  key_name?: string
  min_count?: number | string
  max_count?: number | string
  return_reservation_id?: unknown
  security_groups?: { name?: string }[]
  user_data?: string | null
  personality?: { path?: string; contents?: string }[]
  description?: string | null
  tags?: string[]
  trusted_image_certificates?: string[] | null
  host?: string
  hypervisor_hostname?: string
  hostname?: string
}

interface CreateBody {
  server: Wish
  'os:scheduler_hints'?: Record<string, unknown>
  'OS-SCH-HNT:scheduler_hints'?: Record<string, unknown>
}

export const callerOf = (rq: Rq<unknown>): Caller => ({ token: rq.context.token! })

export function serverCreateRoutes(nova: Nova): Route[] {
  const create = (path: string, until?: number): Route =>
    route<CreateBody>({
      method: 'POST', path, name: 'servers.create', policy: 'os_compute_api:servers:create', body: serverCreateSchema, status: 202, ...(until === undefined ? {} : { until }),
      handle: (rq) => createServers(nova, rq),
    })
  return [create('/v2.1/servers'), create('/v2.1/os-volumes_boot', v('2.102'))]
}

async function createServers(nova: Nova, rq: Rq<CreateBody>): Promise<Reply> {
  const { server: wish } = rq.body
  const { context } = rq
  const project_id = context.project_id ?? ''
  const hints = rq.body['os:scheduler_hints'] ?? rq.body['OS-SCH-HNT:scheduler_hints'] ?? {}
  const min = Number(wish.min_count ?? 1)
  const max = Number(wish.max_count ?? min)
  if (min > max) throw invalid('min_count must be <= max_count', { field: 'min_count' })
  if (wish.trusted_image_certificates) throw invalid('Image signature verification is not available in this cloud: trusted_image_certificates cannot be honoured.', { field: 'trusted_image_certificates' })
  if (wish.networks !== undefined && wish.networks.length > 0 && wish.networks !== 'none') rq.authorize('os_compute_api:servers:create:attach_network')

  await nova.engine.room()
  const target = await targetOf(nova, rq, wish)
  const caller = callerOf(rq)
  const flavorRef = String(wish.flavorRef)
  const [flavor, key, network, groups] = await Promise.all([
    usableFlavor(nova, rq, flavorRef),
    wish.key_name === undefined ? undefined : keypair(nova, context.user_id ?? '', wish.key_name),
    resolveNetworks(nova, rq, caller, wish.networks, max),
    securityGroups(nova, rq, caller, wish.security_groups),
  ])
  const legacy = (wish.block_device_mapping?.length ?? 0) > 0
  const v2 = (wish.block_device_mapping_v2?.length ?? 0) > 0
  if (legacy && v2) throw invalid('Using different block_device_mapping syntaxes is not allowed in the same request.', { field: 'block_device_mapping' })
  if (legacy || v2) rq.authorize('os_compute_api:servers:create:attach_volume')
  const imageRef = imageIdOf(wish.imageRef)
  const asked = v2 ? wishesOfV2(wish.block_device_mapping_v2!) : legacy ? wishesOfV1(wish.block_device_mapping!, '/dev/vda', imageRef !== null) : []
  const named = imageRef === null ? undefined : await showUsableImage(nova, caller, imageRef)
  const wishes = named ? withImageDevices(asked, named) : asked
  const plan = bootPlan(wishes, wishes.some((one) => one.boot_index === 0) && !asked.some((one) => one.boot_index === 0) ? null : imageRef, { ephemeral_gb: flavor.ephemeral_gb, swap: flavor.swap })
  if (max > 1 && plan.devices.some((device) => device.source_type === 'volume')) throw invalid('Cannot attach one or more volumes to multiple instances', { field: 'max_count' })
  const image = await judgedImage(nova, rq, { caller, plan, imageRef, flavor, named })
  await judgeSources(nova, caller, plan, rq, imageRef !== null)
  const group = await groupOf(nova, project_id, hints, max)
  const files = await judgedFiles(nova, project_id, wish.personality)

  const adminPass = wish.adminPass ?? newPassword(nova.world.random)
  const zone = target.zone
  const names = Array.from({ length: max }, (_, i) => (max === 1 ? wish.name : `${wish.name}-${i + 1}`))
  const reservation_id = `r-${[...nova.world.random.bytes(8)].map((byte) => 'abcdefghijklmnopqrstuvwxyz0123456789'[byte % 36]).join('')}`
  const own: ServerPrivate = { ...(files.length > 0 ? { injected_files: files } : {}), ...(groups.ids ? { security_group_ids: groups.ids } : {}) }
  const now = nova.world.clock.now()
  const made: { row: ServerRow; devices: BlockDeviceRow[] }[] = names.map((name, launch_index) => {
    const id = nova.world.random.uuid()
    const devices = devicesOf(nova, id, plan, now)
    return {
      devices,
      row: {
        id, project_id, user_id: context.user_id ?? '', name, description: wish.description === undefined ? (rq.version >= v('2.19') ? null : name) : wish.description,
        hostname: wish.hostname === undefined ? hostnameOf(name, id) : max === 1 ? wish.hostname : `${wish.hostname}-${launch_index + 1}`,
        vm_state: 'building', task_state: 'scheduling', power_state: 0, progress: 0,
        host: null, node: null, host_id: null, availability_zone: null, pinned_az: zone ?? null,
        flavor_id: flavor.flavorid, flavor: JSON.stringify(snapshotOf(flavor)), vcpus: flavor.vcpus, memory_mb: flavor.memory_mb,
        image_id: plan.on_volume ? '' : (plan.local_image ?? ''), image: JSON.stringify(image),
        key_name: key?.name ?? null, key_data: key ? JSON.stringify({ type: key.type, public_key: key.public_key }) : null,
        user_data: wish.user_data ?? null, config_drive: isTrue(wish.config_drive) || image.properties.img_config_drive === 'mandatory' ? 'True' : '', auto_disk_config: diskConfigOf(wish, image),
        metadata: JSON.stringify(wish.metadata ?? {}), network_info: '[]', security_groups: JSON.stringify(network.length === 0 && wish.networks === 'none' ? [] : groups.names), scheduler_hints: JSON.stringify(hints), group_id: group ?? null, fault: null,
        locked_by: null, locked_reason: null, reservation_id, launch_index, access_ip_v4: wish.accessIPv4 || null, access_ip_v6: accessAddress6(wish.accessIPv6),
        root_device_name: '/dev/vda', private: JSON.stringify(own), created_at: now, updated_at: now, launched_at: null, terminated_at: null, deleted: 0, buried: 0,
      },
    }
  })
  const { user_id } = made[0]!.row
  const { limits, own: ownLimits } = await limitsWithUser(nova.db, project_id, user_id, nova.quotas)
  judgeMetadata(wish.metadata, limits.metadata_items)
  await reserveVolumes(nova, made[0]!.row.id, made.flatMap((one) => one.devices))
  const params: Omit<CreateServer, 'server_id' | 'action_id' | 'event' | 'started_at' | 'has_devices'> = { nics: network, on_volume: plan.on_volume, ...target, ...(made[0]!.row.config_drive === '' ? {} : { admin_pass: adminPass }) }
  try {
    await nova.db.transaction(async (tx) => {
      const roofs = await roofsOf(tx, { project_id, user_id, limits, own: ownLimits })
      let count = max
      // Nova makes as many as fit, as long as that is not fewer than `min_count`.
      while (count > min && roofs.some((roof) => over(roof.used, count, flavor, roof.limits))) count -= 1
      for (const roof of roofs) {
        assertWithin([
          { name: 'instances', asked: count, used: roof.used.instances, limit: roof.limits.instances },
          { name: 'cores', asked: count * flavor.vcpus, used: roof.used.cores, limit: roof.limits.cores },
          { name: 'ram', asked: count * flavor.memory_mb, used: roof.used.ram, limit: roof.limits.ram },
        ])
      }
      for (const { row, devices } of made.slice(0, count)) {
        await insertServer(tx, row)
        await insertBlockDevices(tx, devices)
        if (wish.tags) await insertTags(tx, row.id, wish.tags)
        const work = await recordAction(nova, tx, rq, row.id, 'create', 'compute__do_build_and_run_instance')
        await nova.engine.start(tx.as<unknown>(), nova.flows.createServer, { ...params, ...work, has_devices: devices.length > 0 }, { resource_kind: 'server', resource_id: row.id, project_id })
        tx.afterCommit(() => nova.wakes.inserted(row.id))
      }
    }, GUARDED)
  } catch (thrown) {
    await unreserveVolumes(nova, made.flatMap((one) => one.devices))
    throw thrown
  }
  if (isTrue(wish.return_reservation_id)) return { json: { reservation_id } }
  const { id } = made[0]!.row
  const links = linksOf(rq, 'servers', id)
  return {
    headers: { location: links[0]!.href },
    json: { server: { id, links, 'OS-DCF:diskConfig': made[0]!.row.auto_disk_config === 1 ? 'AUTO' : 'MANUAL', security_groups: groups.names.map((name) => ({ name })), adminPass } },
  }
}

type Limits = Record<QuotaName, number>

interface Roof {
  used: Usage
  limits: Limits
}

/** What is used and what may be, where there is a limit at all. Whoever adds servers to a project counts alone. */
async function roofsOf(tx: Tx<NovaTables>, { project_id, user_id, limits, own }: { project_id: string; user_id: string; limits: Limits; own: Limits | undefined }): Promise<Roof[]> {
  const limited = (one: Limits): boolean => one.instances >= 0 || one.cores >= 0 || one.ram >= 0
  if (!limited(limits) && !(own && limited(own))) return []
  await tx.hold(`nova.quota.${project_id}`)
  return [...(limited(limits) ? [{ used: await usageOf(tx, project_id), limits }] : []), ...(own && limited(own) ? [{ used: await usageOfUser(tx, project_id, user_id), limits: own }] : [])]
}

function over(used: { instances: number; cores: number; ram: number }, count: number, flavor: FlavorRow, limits: { instances: number; cores: number; ram: number }): boolean {
  const beyond = (limit: number, total: number): boolean => limit >= 0 && total > limit
  return beyond(limits.instances, used.instances + count) || beyond(limits.cores, used.cores + count * flavor.vcpus) || beyond(limits.ram, used.ram + count * flavor.memory_mb)
}

/** `zone`, `zone:host`, `zone:host:node`, `zone::node`; and the newer fields for the same. */
async function targetOf(nova: Nova, rq: Rq<unknown>, wish: Wish): Promise<Pick<CreateServer, 'zone' | 'force_host' | 'force_node' | 'requested_host' | 'requested_node'>> {
  const out: Pick<CreateServer, 'zone' | 'force_host' | 'force_node' | 'requested_host' | 'requested_node'> = {}
  const hosts = wish.host !== undefined || wish.hypervisor_hostname !== undefined || wish.availability_zone !== undefined ? [...(await nova.hosts.states()).values()] : []
  if (wish.availability_zone !== undefined) {
    const [zone, host, node, ...rest] = wish.availability_zone.split(':')
    if (rest.length > 0) throw invalid(`Unable to parse availability_zone: ${wish.availability_zone}`, { field: 'availability_zone' })
    if (host || node) {
      rq.authorize('os_compute_api:servers:create:forced_host')
      if (host && !hosts.some((one) => one.host === host)) throw invalid(`Compute host ${host} could not be found.`, { field: 'availability_zone' })
      if (node && !hosts.some((one) => one.node === node)) throw invalid(`Compute host ${node} could not be found.`, { field: 'availability_zone' })
      if (host) out.force_host = host
      if (node) out.force_node = node
    }
    if (zone) {
      const there = zone === nova.config.default_availability_zone || hosts.some((one) => one.zone === zone)
      if (!there) throw invalid('The requested availability zone is not available', { field: 'availability_zone' })
      out.zone = zone
    }
  }
  if (wish.host !== undefined || wish.hypervisor_hostname !== undefined) {
    rq.authorize('compute:servers:create:requested_destination')
    if (out.force_host || out.force_node) throw invalid('A forced host and a requested host cannot stand together.', { field: 'host' })
    if (wish.host !== undefined) {
      if (!hosts.some((one) => one.host === wish.host)) throw invalid(`Compute host ${wish.host} could not be found.`, { field: 'host' })
      out.requested_host = wish.host
    }
    if (wish.hypervisor_hostname !== undefined) {
      if (!hosts.some((one) => one.node === wish.hypervisor_hostname)) throw invalid(`Compute host ${wish.hypervisor_hostname} could not be found.`, { field: 'hypervisor_hostname' })
      out.requested_node = wish.hypervisor_hostname
    }
  }
  return out
}

export async function usableFlavor(nova: Nova, rq: Rq<unknown>, flavorRef: string): Promise<FlavorRow> {
  const id = /\/([^/]+)$/.exec(flavorRef)?.[1] ?? flavorRef
  const flavor = await flavorById(nova.db, id)
  const usable = flavor && (flavor.is_public === 1 || isAdmin(rq) || (await mayUseFlavor(nova.db, id, rq.context.project_id ?? '')))
  if (!usable) throw invalid(`Flavor ${id} could not be found.`, { field: 'flavorRef' })
  return flavor
}

export function snapshotOf(flavor: FlavorRow): FlavorSnapshot {
  const { flavorid, name, vcpus, memory_mb, root_gb, ephemeral_gb, swap, rxtx_factor } = flavor
  return { flavorid, name, vcpus, memory_mb, root_gb, ephemeral_gb, swap, rxtx_factor, extra_specs: JSON.parse(flavor.extra_specs) as Record<string, string> }
}

async function keypair(nova: Nova, userId: string, name: string): Promise<KeypairRow> {
  const key = await keypairOf(nova.db, userId, name)
  if (!key) throw invalid('Invalid key_name provided.', { field: 'key_name' })
  return key
}

async function securityGroups(nova: Nova, rq: Rq<unknown>, caller: Caller, wanted: Wish['security_groups']): Promise<{ ids?: string[]; names: string[] }> {
  const names = [...new Set((wanted ?? []).flatMap((one) => (one.name ? [one.name] : [])))]
  // Neutron puts a port without groups into the default one by itself.
  if (names.length === 0 || (names.length === 1 && names[0] === 'default')) return { names: ['default'] }
  return securityGroupIds(nova, caller, rq.context.project_id ?? '', names)
}

function imageIdOf(ref: string | undefined): string | null {
  if (ref === undefined || ref === '') return null
  const id = ref.split('/').at(-1)!
  if (!isUuid(id)) throw invalid('Invalid imageRef provided.', { field: 'imageRef' })
  return id
}

async function showUsableImage(nova: Nova, caller: Caller, id: string): Promise<Image> {
  const image = await nova.client.call(caller, 'glance', showImage, { params: { image_id: id } }).catch((thrown: unknown) => {
    if (isFault(thrown, 'not_found') || isFault(thrown, 'forbidden')) throw invalid(`Image ${id} could not be found.`, { field: 'imageRef' })
    throw thrown
  })
  if (image.status !== 'active') throw invalid(`Image ${id} is not active.`, { field: 'imageRef' })
  return image
}

/** The image that the server starts from, wherever its bytes will lie. */
async function judgedImage(nova: Nova, rq: Rq<unknown>, { caller, plan, imageRef, flavor, named }: { caller: Caller; plan: BootPlan; imageRef: string | null; flavor: FlavorRow; named: Image | undefined }): Promise<ImageSnapshot> {
  const root = plan.devices.find((device) => device.boot_index === 0)
  const id = plan.local_image ?? (root?.source_type === 'image' ? root.uuid : imageRef)
  if (id === null) {
    const meta = root?.source_type === 'volume' ? await volumeImageMetadata(nova, caller, root.uuid!) : {}
    return imageSnapshot({ ...meta })
  }
  const image = id === imageRef && named ? named : await showUsableImage(nova, caller, id)
  if (flavor.memory_mb < image.min_ram) throw invalid("Flavor's memory is too small for requested image.", { field: 'flavorRef' })
  const bytes = image.size ?? 0
  if (plan.on_volume) {
    const size = root?.volume_size ?? null
    if (root?.source_type === 'image' && size !== null && (size < image.min_disk || size * 2 ** 30 < bytes)) {
      throw invalid(`Volume is smaller than the minimum size specified in image metadata. Volume size is ${size * 2 ** 30} bytes, minimum size is ${Math.max(image.min_disk * 2 ** 30, bytes)} bytes.`, { field: 'block_device_mapping_v2' })
    }
  } else if (flavor.root_gb > 0) {
    if (bytes > flavor.root_gb * 2 ** 30) throw invalid(`Flavor's disk is too small for requested image. Flavor disk is ${flavor.root_gb * 2 ** 30} bytes, image is ${bytes} bytes.`, { field: 'flavorRef' })
    if (image.min_disk > flavor.root_gb) throw invalid(`Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is ${flavor.root_gb * 2 ** 30} bytes, minimum size is ${image.min_disk * 2 ** 30} bytes.`, { field: 'flavorRef' })
  } else if (!rq.allows('os_compute_api:servers:create:zero_disk_flavor')) {
    throw forbidden('Only volume-backed servers are allowed for flavors with zero disk.', { code: 'nova.zero_disk' })
  }
  return imageSnapshot(image)
}

async function volumeImageMetadata(nova: Nova, caller: Caller, volumeId: string): Promise<Record<string, unknown>> {
  const { volume } = await shownVolume(nova, caller, volumeId)
  const meta = volume.volume_image_metadata ?? {}
  return { ...meta, min_ram: Number(meta.min_ram ?? 0), min_disk: Number(meta.min_disk ?? 0), size: Number(meta.size ?? 0) }
}

async function shownVolume(nova: Nova, caller: Caller, volumeId: string) {
  return nova.client.call(caller, 'cinder', showVolume, { params: { volume_id: volumeId } }).catch((thrown: unknown) => {
    if (isFault(thrown, 'not_found')) throw invalid(`Block Device Mapping is Invalid: failed to get volume ${volumeId}.`, { field: 'block_device_mapping_v2' })
    throw thrown
  })
}

/** What devices are made from must be there and free, as the user sees it. */
async function judgeSources(nova: Nova, caller: Caller, plan: BootPlan, rq: Rq<unknown>, imageNamed: boolean): Promise<void> {
  for (const device of plan.devices) {
    const { uuid } = device
    if (device.source_type === 'volume') {
      const { volume } = await shownVolume(nova, caller, uuid!)
      if (volume.multiattach && rq.version < v('2.60')) throw conflict('Multiattach volumes are only supported starting with compute API version 2.60.')
      if (volume.status !== 'available' && !(volume.multiattach && volume.status === 'in-use')) {
        throw invalid(`Block Device Mapping is Invalid: volume ${uuid} is in status ${volume.status}, expected available.`, { field: 'block_device_mapping_v2' })
      }
      // With an image named beside it, the facts of what boots are that image's; whether the disk boots is its owner's affair.
      if (!imageNamed && device.boot_index === 0 && volume.bootable !== 'true') throw invalid(`Block Device ${uuid} is not bootable.`, { field: 'block_device_mapping_v2' })
    } else if (device.source_type === 'snapshot') {
      await nova.client.call(caller, 'cinder', showSnapshot, { params: { snapshot_id: uuid! } }).catch((thrown: unknown) => {
        if (isFault(thrown, 'not_found')) throw invalid(`Block Device Mapping is Invalid: failed to get snapshot ${uuid}.`, { field: 'block_device_mapping_v2' })
        throw thrown
      })
    } else if (device.source_type === 'image' && device.boot_index !== 0) {
      await showUsableImage(nova, caller, uuid!)
    }
  }
}

function devicesOf(nova: Nova, server_id: string, plan: BootPlan, now: number): BlockDeviceRow[] {
  return nameDevices<BlockDeviceWish>(plan.devices, '/dev/vda').map((device) => ({
    id: nova.world.random.uuid(), server_id, source_type: device.source_type, destination_type: device.destination_type, device_type: device.device_type ?? 'disk', disk_bus: device.disk_bus,
    guest_format: device.guest_format, boot_index: device.boot_index, device_name: device.device_name,
    image_id: device.source_type === 'image' ? device.uuid : null, snapshot_id: device.source_type === 'snapshot' ? device.uuid : null, volume_id: device.source_type === 'volume' ? device.uuid : null,
    volume_size: device.volume_size, volume_type: device.volume_type, delete_on_termination: device.delete_on_termination ? 1 : 0, attachment_id: null, connection_info: null, tag: device.tag, created_at: now,
  }))
}

/** Volumes that exist are held before the answer, so that a second server cannot be promised the same one. */
async function reserveVolumes(nova: Nova, serverId: string, devices: BlockDeviceRow[]): Promise<void> {
  try {
    for (const device of devices) {
      if (device.volume_id === null) continue
      const { attachment } = await nova.client.call(await nova.service(), 'cinder', createAttachment, { body: { attachment: { volume_uuid: device.volume_id, instance_uuid: serverId } } })
      device.attachment_id = attachment.id
    }
  } catch (thrown) {
    await unreserveVolumes(nova, devices)
    if (isFault(thrown, 'invalid') || isFault(thrown, 'conflict')) throw invalid(`Block Device Mapping is Invalid: ${thrown.message}`, { field: 'block_device_mapping_v2', cause: thrown })
    throw thrown
  }
}

async function unreserveVolumes(nova: Nova, devices: readonly BlockDeviceRow[]): Promise<void> {
  for (const { attachment_id } of devices) {
    if (attachment_id === null) continue
    await nova.client.call(await nova.service(), 'cinder', deleteAttachment, { params: { attachment_id } }).catch((thrown: unknown) => nova.world.log.module('nova.api').warn('Failed to let a volume go', { attachment_id, error: thrown }))
  }
}

async function groupOf(nova: Nova, projectId: string, hints: Readonly<Record<string, unknown>>, count: number): Promise<string | undefined> {
  if (typeof hints.group !== 'string') return undefined
  const group = await serverGroupById(nova.db, hints.group)
  if (!group || group.project_id !== projectId) throw invalid(`Instance group ${hints.group} could not be found.`, { field: 'group' })
  const limits = await limitsOf(nova.db, projectId, nova.quotas)
  const members = (await groupMembers(nova.db, group.id)).length
  if (limits.server_group_members >= 0 && members + count > limits.server_group_members) throw new Fault('over_quota', 'Quota exceeded, too many servers in group')
  return group.id
}

/** Files to put into a guest, complete and within the project's quota. */
export async function judgedFiles(nova: Nova, projectId: string, files: Wish['personality']): Promise<{ path: string; contents: string }[]> {
  if (files === undefined || files.length === 0) return []
  const limits = await limitsOf(nova.db, projectId, nova.quotas)
  const beyond = (limit: number, count: number): boolean => limit >= 0 && count > limit
  if (beyond(limits.injected_files, files.length)) throw new Fault('over_quota', 'Personality file limit exceeded')
  return files.map((file) => {
    if (file.path === undefined || file.contents === undefined) throw invalid('Bad personality format: missing path or contents', { field: 'personality' })
    if (beyond(limits.injected_file_path_bytes, Buffer.byteLength(file.path))) throw new Fault('over_quota', 'Personality file path exceeds maximum length')
    if (beyond(limits.injected_file_content_bytes, Buffer.from(file.contents, 'base64').length)) throw new Fault('over_quota', 'Personality file content exceeds maximum length')
    return { path: file.path, contents: file.contents }
  })
}

export function judgeMetadata(metadata: Readonly<Record<string, string>> | undefined, limit: number): void {
  if (limit >= 0 && Object.keys(metadata ?? {}).length > limit) throw new Fault('over_quota', `Maximum number of metadata items exceeds ${limit}`)
}

function diskConfigOf(wish: Wish, image: ImageSnapshot): number {
  const asked = wish['OS-DCF:diskConfig']
  if (asked !== undefined) return asked === 'AUTO' ? 1 : 0
  return image.properties.auto_disk_config === 'True' ? 1 : 0
}

