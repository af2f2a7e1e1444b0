/** The disks that a create asks for: both spellings of the wire, judged, in one shape. Pure. */
import { Fault, invalid } from '#base/fault.ts'

export interface BlockDeviceWish {
  source_type: 'image' | 'volume' | 'snapshot' | 'blank'
  destination_type: 'local' | 'volume'
  /** Of the source: image, volume or snapshot. */
  uuid: string | null
  volume_size: number | null
  volume_type: string | null
  boot_index: number
  device_name: string | null
  device_type: string | null
  disk_bus: string | null
  guest_format: string | null
  delete_on_termination: boolean
  tag: string | null
}

/** `block_device_mapping_v2`. Numbers and booleans may come as text. */
export interface WireDevice {
  source_type?: string
  destination_type?: string
  uuid?: string
  volume_id?: string
  snapshot_id?: string
  image_id?: string
  volume_size?: number | string | null
  volume_type?: string | null
  boot_index?: number | string | null
  device_name?: string | null
  device_type?: string | null
  disk_bus?: string | null
  guest_format?: string | null
  delete_on_termination?: boolean | string
  no_device?: boolean | string | null
  virtual_name?: string
  tag?: string
}

const wrong = (message: string): Fault => invalid(message, { field: 'block_device_mapping_v2' })
const truth = (value: unknown): boolean => value === true || (typeof value === 'string' && ['1', 'true', 't', 'yes', 'y', 'on'].includes(value.toLowerCase()))

export function wishesOfV2(devices: readonly WireDevice[]): BlockDeviceWish[] {
  return devices.flatMap((device): BlockDeviceWish[] => {
    if (truth(device.no_device)) return []
    const source = device.source_type ?? 'blank'
    if (!['image', 'volume', 'snapshot', 'blank'].includes(source)) throw wrong(`Block Device Mapping is Invalid: Invalid source_type field.`)
    const uuid = device.uuid ?? null
    if (source === 'blank' && uuid !== null) throw wrong('Invalid device UUID.')
    if (source !== 'blank' && uuid === null) throw wrong('Missing device UUID.')
    const boot_index = device.boot_index === null || device.boot_index === undefined || device.boot_index === 'None' || device.boot_index === '' ? -1 : Number(device.boot_index)
    if (!Number.isInteger(boot_index)) throw wrong('Boot index is invalid.')
    const destination = device.destination_type ?? (source === 'blank' ? 'local' : 'volume')
    if (source === 'image' && destination === 'local' && boot_index !== 0) throw wrong('Mapping image to local is not supported.')
    if ((source === 'snapshot' || source === 'volume') && destination === 'local') throw wrong('Block Device Mapping is Invalid: failed to get snapshot/volume as a local disk.')
    if (destination === 'local' && device.volume_type) throw wrong('Specifying a volume_type with destination_type=local is not supported.')
    return [
      {
        source_type: source as BlockDeviceWish['source_type'],
        destination_type: destination as BlockDeviceWish['destination_type'],
        uuid,
        volume_size: sizeOf(device.volume_size),
        volume_type: device.volume_type ?? null,
        boot_index: Math.max(-1, boot_index),
        device_name: nameOf(device.device_name),
        device_type: device.device_type ?? null,
        disk_bus: device.disk_bus ?? null,
        guest_format: device.guest_format ?? null,
        delete_on_termination: device.delete_on_termination === undefined ? destination === 'local' : truth(device.delete_on_termination),
        tag: device.tag ?? null,
      },
    ]
  })
}

/** The image of a server on volumes names snapshots of them; what the request says of a device, or of the root, comes first. */
export function withImageDevices(asked: readonly BlockDeviceWish[], image: Readonly<Record<string, unknown>>): BlockDeviceWish[] {
  if (typeof image.block_device_mapping !== 'string') return [...asked]
  let said: WireDevice[]
  try {
    said = JSON.parse(image.block_device_mapping) as typeof said
  } catch {
    throw wrong('Block Device Mapping is Invalid: the image names devices in a form that cannot be read.')
  }
  if (!Array.isArray(said)) return [...asked]
  const kept = said.map((device) => Object.fromEntries(Object.entries(device).filter(([, value]) => value !== null)) as WireDevice)
  const own = truth(image.bdm_v2) ? wishesOfV2(kept.map((device) => ({ ...device, ...(device.source_type === 'blank' ? {} : { uuid: device.snapshot_id ?? device.volume_id ?? device.image_id }) }) as WireDevice)) : wishesOfV1(kept, nameOf(image.root_device_name as string | undefined) ?? '/dev/vda', false)
  const names = new Set(asked.map((one) => one.device_name))
  const rooted = asked.some((one) => one.boot_index === 0)
  return [...asked, ...own.filter((one) => (one.device_name === null || !names.has(one.device_name)) && !(rooted && one.boot_index === 0))]
}

/** The first spelling: volumes and their snapshots only; `vda` or nothing boots. */
export function wishesOfV1(devices: readonly WireDevice[], rootName: string, hasImage: boolean): BlockDeviceWish[] {
  const wishes = devices.flatMap((device): BlockDeviceWish[] => {
    if (truth(device.no_device)) return []
    if (device.virtual_name !== undefined && device.volume_id === undefined && device.snapshot_id === undefined) {
      const swap = device.virtual_name === 'swap'
      return [{ ...blank(device), guest_format: swap ? 'swap' : null, volume_size: sizeOf(device.volume_size) }]
    }
    const uuid = device.volume_id ?? device.snapshot_id
    if (uuid === undefined) throw wrong('Missing device UUID.')
    return [
      {
        ...blank(device),
        source_type: device.volume_id === undefined ? 'snapshot' : 'volume',
        destination_type: 'volume',
        uuid,
        volume_size: sizeOf(device.volume_size),
        delete_on_termination: truth(device.delete_on_termination),
      },
    ]
  })
  const root = wishes.find((wish) => wish.device_name === rootName || (wish.device_name !== null && wish.device_name.replace(/^\/dev\//, '') === rootName.replace(/^\/dev\//, ''))) ?? (hasImage ? undefined : wishes[0])
  if (root) root.boot_index = 0
  return wishes
}

const blank = (device: WireDevice): BlockDeviceWish => ({
  source_type: 'blank', destination_type: 'local', uuid: null, volume_size: null, volume_type: null, boot_index: -1, device_name: nameOf(device.device_name), device_type: null, disk_bus: null, guest_format: null, delete_on_termination: true, tag: null,
})

function sizeOf(size: number | string | null | undefined): number | null {
  if (size === null || size === undefined || size === '') return null
  const number = Number(size)
  if (!Number.isInteger(number) || number < 0) throw wrong('Invalid volume_size.')
  return number === 0 ? null : number
}

function nameOf(name: string | null | undefined): string | null {
  if (name === null || name === undefined || name === '') return null
  if (/\s/.test(name)) throw wrong('Device name contains spaces.')
  return name
}

export interface BootPlan {
  devices: BlockDeviceWish[]
  /** The root disk is a volume. */
  on_volume: boolean
  /** The image of a root disk of the host's own. */
  local_image: string | null
}

/** Judges the whole: exactly one thing boots first, indexes follow each other, local disks fit the flavor. */
export function bootPlan(wishes: readonly BlockDeviceWish[], imageRef: string | null, flavor: { ephemeral_gb: number; swap: number }): BootPlan {
  const devices = wishes.map((wish) => ({ ...wish }))
  const bootable = devices.filter((device) => device.boot_index >= 0)
  const root = bootable.filter((device) => device.boot_index === 0)
  const fromImageItself = root.length === 1 && root[0]!.source_type === 'image' && root[0]!.destination_type === 'local'
  const implicit = imageRef !== null && root.length === 0
  const indexes = bootable.map((device) => device.boot_index).concat(implicit ? [0] : []).toSorted((a, b) => a - b)
  if (indexes.length === 0 && imageRef === null) throw wrong('Invalid image identifier or unable to use image.')
  if (indexes.some((index, i) => index !== i)) throw wrong('Block Device Mapping is Invalid: Boot sequence for the instance and image/block device mapping combination is not valid.')
  if (imageRef !== null && root.length === 1 && !fromImageItself && root[0]!.source_type !== 'blank' && root[0]!.uuid !== imageRef && root[0]!.source_type === 'image') {
    throw wrong('Block Device Mapping is Invalid: Boot sequence for the instance and image/block device mapping combination is not valid.')
  }
  for (const device of devices) {
    if (device.source_type === 'image' && device.destination_type === 'volume' && device.volume_size === null) throw wrong('Images with destination_type \'volume\' need to have a non-zero size specified')
    if (device.source_type === 'blank' && device.destination_type === 'volume' && device.volume_size === null) throw wrong('Blank volumes (source: \'blank\', dest: \'volume\') need to have non-zero size')
  }
  const local = devices.filter((device) => device.source_type === 'blank' && device.destination_type === 'local')
  const swaps = local.filter((device) => device.guest_format === 'swap')
  if (swaps.length > 1) throw wrong('Block Device Mapping is Invalid: You specified more local devices than the limit allows')
  for (const swap of swaps) if ((swap.volume_size ?? 0) > flavor.swap) throw wrong('Swap drive requested is larger than instance type allows.')
  const ephemeral = local.filter((device) => device.guest_format !== 'swap')
  if (ephemeral.reduce((sum, device) => sum + (device.volume_size ?? 0), 0) > flavor.ephemeral_gb) throw wrong('Ephemeral disks requested are larger than the instance type allows.')
  const on_volume = root.length === 1 && root[0]!.destination_type === 'volume'
  return { devices: devices.filter((device) => !(device.source_type === 'image' && device.destination_type === 'local')), on_volume, local_image: on_volume ? null : (fromImageItself ? root[0]!.uuid : imageRef) }
}

/** Names for those that have none: `/dev/vda` is the root disk's. */
export function nameDevices<D extends { device_name: string | null; boot_index: number }>(devices: readonly D[], rootName: string, taken: readonly string[] = []): D[] {
  const prefix = rootName.replace(/[a-z]$/, '')
  const used = new Set([rootName, ...taken, ...devices.flatMap((device) => (device.device_name === null ? [] : [long(device.device_name)]))])
  return devices.map((device) => {
    if (device.boot_index === 0) return { ...device, device_name: rootName }
    if (device.device_name !== null) return { ...device, device_name: long(device.device_name) }
    const name = nextName(prefix, used)
    used.add(name)
    return { ...device, device_name: name }
  })
}

const long = (name: string): string => (name.startsWith('/dev/') ? name : `/dev/${name}`)

export function nextName(prefix: string, used: ReadonlySet<string>): string {
  for (let i = 1; i < 26 * 27; i++) {
    const letters = i < 26 ? String.fromCodePoint(97 + i) : String.fromCodePoint(96 + Math.floor(i / 26)) + String.fromCodePoint(97 + (i % 26))
    if (!used.has(prefix + letters)) return prefix + letters
  }
  throw new Fault('over_quota', 'The maximum allowed number of disk devices is reached.')
}
