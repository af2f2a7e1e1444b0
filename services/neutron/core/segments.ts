/** Network types: what each takes, what its frames cost, and which place in the world a segment occupies. */
import { Fault, invalid } from '#base/fault.ts'
import type { Random } from '#base/random.ts'
import type { NeutronConfig } from '#neutron/config.ts'

export interface SegmentAsk {
  network_type: string
  physical_network: string | null
  segmentation_id: number | null
}

const refuse = (text: string): Fault => invalid(`Invalid input for operation: ${text}.`, { code: 'InvalidInput' })

/** Judges what was asked for. A missing segmentation id is for the allocator. */
export function checkSegment(ask: SegmentAsk, config: Pick<NeutronConfig, 'flat_networks' | 'vlan_ranges'>): void {
  const { network_type: type, physical_network: physical, segmentation_id: id } = ask
  switch (type) {
    case 'local':
    case 'vxlan':
      if (physical !== null) throw refuse(`physical_network prohibited for ${type} provider network`)
      if (type === 'local' && id !== null) throw refuse('segmentation_id prohibited for local provider network')
      if (id !== null && (id < 1 || id > 2 ** 24 - 1)) throw refuse(`Value for segmentation_id ${id} is out of range 1 to ${2 ** 24 - 1}`)
      return
    case 'flat':
      if (physical === null || physical === '') throw refuse('physical_network required for flat provider network')
      if (!config.flat_networks.includes('*') && !config.flat_networks.includes(physical)) throw refuse(`physical_network '${physical}' unknown for flat provider network`)
      if (id !== null) throw refuse('segmentation_id prohibited for flat provider network')
      return
    case 'vlan':
      if (physical === null || physical === '') {
        if (Object.keys(config.vlan_ranges).length === 0 || id !== null) throw refuse('physical_network required for VLAN provider network')
        return
      }
      if (id !== null && (id < 1 || id > 4094)) throw refuse(`segmentation_id out of range (1 through 4094)`)
      if (id === null && !config.vlan_ranges[physical]) throw refuse(`physical_network '${physical}' unknown for VLAN provider network`)
      return
    default:
      throw refuse(`network_type value '${type}' not supported`)
  }
}

/** What no two segments may share. */
export function placeOf(segment: SegmentAsk, networkId: string): string {
  switch (segment.network_type) {
    case 'local':
      return `local:${networkId}`
    case 'flat':
      return `flat:${segment.physical_network!}`
    default:
      return `${segment.network_type}:${segment.physical_network ?? ''}:${segment.segmentation_id!}`
  }
}

export function placeTaken(segment: SegmentAsk): Fault {
  const conflict = (code: string, text: string): Fault => new Fault('conflict', text, { code })
  if (segment.network_type === 'flat') return conflict('FlatNetworkInUse', `Unable to create the flat network. Physical network ${segment.physical_network!} is in use.`)
  if (segment.network_type === 'vlan') return conflict('VlanIdInUse', `Unable to create the network. The VLAN ${segment.segmentation_id!} on physical network ${segment.physical_network!} is in use.`)
  return conflict('TunnelIdInUse', `Unable to create the network. The tunnel ID ${segment.segmentation_id!} is in use.`)
}

/** Largest MTU inside a network of this type: VXLAN over IPv4 takes 50 bytes of every frame. */
export function maxMtu(type: string, config: Pick<NeutronConfig, 'global_physnet_mtu'>): number {
  return type === 'vxlan' ? config.global_physnet_mtu - 50 : config.global_physnet_mtu
}

/** Some numbers of a range to try, each once, in random order. */
export function candidates(random: Random, range: { min: number; max: number }, count: number): number[] {
  const size = range.max - range.min + 1
  if (size <= count) return shuffled(random, Array.from({ length: size }, (_, i) => range.min + i))
  const found = new Set<number>()
  while (found.size < count) found.add(range.min + random.below(size))
  return [...found]
}

function shuffled(random: Random, list: number[]): number[] {
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    ;[list[i], list[j]] = [list[j]!, list[i]!]
  }
  return list
}

/** The lowest number of a range that is not taken, or undefined. `taken` is sorted. */
export function firstGap(range: { min: number; max: number }, taken: readonly number[]): number | undefined {
  let next = range.min
  for (const one of taken) {
    if (one > next) break
    if (one === next) next++
  }
  return next <= range.max ? next : undefined
}
