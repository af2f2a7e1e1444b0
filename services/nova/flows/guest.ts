/** From a server's rows to the guest that an agent is asked for, and to what the guest is told of itself. */
import { listSubnets, type Subnet } from '#neutron/contract/network.ts'
import type { GuestHints } from '#nova/drivers/interface.ts'
import type { GuestWish } from '../contract/compute-rpc.ts'
import { configDrive, type GuestFacts } from '../core/metadata.ts'
import type { Nova } from '../house.ts'
import type { BlockDeviceRow, FlavorSnapshot, ImageSnapshot, NicInfo, ServerPrivate, ServerRow } from '../store/tables.ts'
import { isOnVolume, isVolume, volumeSpec } from './volumes.ts'
import { vendorData2 } from './vendordata.ts'

/** `instance-1a2b3c4d`: what the hypervisor calls it. */
export const guestName = (serverId: string): string => `instance-${serverId.slice(0, 8)}`

const HINTS = ['hw_machine_type', 'hw_disk_bus', 'hw_cdrom_bus', 'hw_vif_model', 'hw_video_model', 'hw_firmware_type', 'hw_cpu_model', 'hw_pointer_model'] as const

export interface GuestAsk {
  server: ServerRow
  flavor: FlavorSnapshot
  devices: readonly BlockDeviceRow[]
  nics: readonly NicInfo[]
  admin_pass?: string | undefined
}

export async function guestWish(nova: Nova, ask: GuestAsk): Promise<GuestWish> {
  const { server, flavor, devices } = ask
  const image = JSON.parse(server.image) as ImageSnapshot
  const root = devices.find((device) => device.boot_index === 0 && isVolume(device))
  const blank = devices.filter((device) => device.destination_type === 'local' && device.source_type === 'blank')
  const ephemerals = blank.filter((device) => device.guest_format !== 'swap').map((device) => ({ size_gb: device.volume_size ?? 0 }))
  const swap = blank.find((device) => device.guest_format === 'swap')
  const hints: GuestHints = {}
  for (const name of HINTS) {
    const value = image.properties[name]
    if (typeof value === 'string') hints[name] = value
  }
  const commandLine = image.properties.os_command_line
  return {
    server_id: server.id,
    name: guestName(server.id),
    vcpus: flavor.vcpus,
    memory_mb: flavor.memory_mb,
    root: root ? { from: 'volume', volume_id: root.volume_id! } : { from: 'image', image_id: server.image_id, size_gb: flavor.root_gb },
    ephemerals: ephemerals.length > 0 ? ephemerals : flavor.ephemeral_gb > 0 ? [{ size_gb: flavor.ephemeral_gb }] : [],
    swap_mb: swap ? (swap.volume_size ?? 0) * 1_024 : flavor.swap,
    nics: ask.nics.map((nic) => ({ port_id: nic.port_id, mac: nic.mac, ...(nic.tap === undefined ? {} : { tap: nic.tap }), ...(nic.mtu === undefined ? {} : { mtu: nic.mtu }) })),
    volumes: devices.filter((device) => isVolume(device) && device.connection_info !== null).map(volumeSpec),
    ...(hasConfigDrive(nova, server) ? { config_drive: await driveOf(nova, ask) } : {}),
    ...(image.kernel_id === '' ? {} : { kernel_id: image.kernel_id }),
    ...(image.ramdisk_id === '' ? {} : { ramdisk_id: image.ramdisk_id }),
    ...(typeof commandLine === 'string' ? { command_line: commandLine } : {}),
    hints,
  }
}

export const hasConfigDrive = (nova: Nova, server: Pick<ServerRow, 'config_drive'>): boolean => server.config_drive !== '' || nova.config.config_drive_always

export async function driveOf(nova: Nova, ask: Omit<GuestAsk, 'flavor'>): Promise<NonNullable<GuestWish['config_drive']>> {
  const facts = { ...(await guestFacts(nova, ask)), vendordata2: await vendorData2(nova, ask.server) }
  const files = configDrive(facts, nova.world.random.bytes(512))
  return Object.fromEntries(Object.entries(files).map(([path, content]) => [path, typeof content === 'string' ? content : { base64: content.toString('base64') }]))
}

export async function guestFacts(nova: Nova, ask: Omit<GuestAsk, 'flavor'>): Promise<GuestFacts> {
  const { server, nics, devices } = ask
  const image = JSON.parse(server.image) as ImageSnapshot
  const own = JSON.parse(server.private) as ServerPrivate
  const flavor = JSON.parse(server.flavor) as FlavorSnapshot
  const networks = [...new Set(nics.map((nic) => nic.network_id))]
  const subnets = new Map<string, Subnet>()
  if (networks.length > 0) {
    const answer = await nova.client.call(await nova.service(), 'neutron', listSubnets, { query: { network_id: networks } })
    for (const subnet of answer.subnets) subnets.set(subnet.id, subnet)
  }
  const key = server.key_data === null ? undefined : (JSON.parse(server.key_data) as { type: string; public_key: string })
  return {
    server_id: server.id,
    name: server.name,
    hostname: server.hostname,
    project_id: server.project_id,
    availability_zone: server.availability_zone ?? nova.config.default_availability_zone,
    launch_index: server.launch_index,
    reservation_id: server.reservation_id,
    metadata: JSON.parse(server.metadata) as Record<string, string>,
    ...(key && server.key_name !== null ? { key: { name: server.key_name, ...key } } : {}),
    ...(server.user_data === null ? {} : { user_data: Buffer.from(server.user_data, 'base64') }),
    ...(ask.admin_pass === undefined ? {} : { admin_pass: ask.admin_pass }),
    files: (own.injected_files ?? []).map((file) => ({ path: file.path, contents: Buffer.from(file.contents, 'base64') })),
    nics: nics.map((nic) => ({
      port_id: nic.port_id,
      network_id: nic.network_id,
      mac: nic.mac,
      ...(nic.mtu === undefined ? {} : { mtu: nic.mtu }),
      ...(nic.tag === undefined ? {} : { tag: nic.tag }),
      fixed_ips: nic.fixed_ips.map((one) => ({ ip: one.ip, version: one.version, floating: one.floating, subnet: subnets.get(one.subnet_id) })),
    })),
    devices: [
      ...nics.flatMap((nic) => (nic.tag === undefined ? [] : [{ type: 'nic' as const, bus: 'none', tags: [nic.tag], mac: nic.mac }])),
      ...devices.flatMap((device) => (device.tag === null ? [] : [{ type: 'disk' as const, bus: device.disk_bus ?? 'none', tags: [device.tag], ...(device.volume_id === null ? {} : { serial: device.volume_id }), ...(device.device_name === null ? {} : { path: device.device_name }) }])),
    ],
    security_groups: JSON.parse(server.security_groups) as string[],
    flavor_name: flavor.name,
    image_id: isOnVolume(devices) ? '' : server.image_id,
    kernel_id: image.kernel_id,
    ramdisk_id: image.ramdisk_id,
    root_device: server.root_device_name || '/dev/vda',
    vendordata: nova.config.vendordata,
    dhcp_domain: nova.config.dhcp_domain,
  }
}
