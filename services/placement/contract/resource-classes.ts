/** Resource classes: what can be counted and claimed. Standard ones are fixed; custom ones are made by users. */
import { operation } from '#stack/contract.ts'
import type { Schema } from '#stack/schema.ts'
import { CUSTOM_SYMBOL } from './names.ts'
import type { Link } from './resource-providers.ts'

/** The names of os-resource-classes, in their order. */
export const STANDARD_CLASSES: readonly string[] = [
  'VCPU',
  'MEMORY_MB',
  'DISK_GB',
  'PCI_DEVICE',
  'SRIOV_NET_VF',
  'NUMA_SOCKET',
  'NUMA_CORE',
  'NUMA_THREAD',
  'NUMA_MEMORY_MB',
  'IPV4_ADDRESS',
  'VGPU',
  'VGPU_DISPLAY_HEAD',
  'NET_BW_EGR_KILOBIT_PER_SEC',
  'NET_BW_IGR_KILOBIT_PER_SEC',
  'PCPU',
  'MEM_ENCRYPTION_CONTEXT',
  'FPGA',
  'PGPU',
  'NET_PACKET_RATE_KILOPACKET_PER_SEC',
  'NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC',
  'NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC',
]
const standard = new Set(STANDARD_CLASSES)

export function isStandardClass(name: string): boolean {
  return standard.has(name)
}

export interface ResourceClass {
  name: string
  links: Link[]
}

export const resourceClassName: Schema = {
  type: 'object',
  properties: { name: { type: 'string', pattern: CUSTOM_SYMBOL, maxLength: 255 } },
  required: ['name'],
  additionalProperties: false,
}

const VERSION = 'placement 1.39'
type One = { params: { name: string } }

export const listResourceClasses = operation<Record<never, never>, { resource_classes: ResourceClass[] }>('GET', '/resource_classes', VERSION)
export const showResourceClass = operation<One, ResourceClass>('GET', '/resource_classes/{name}', VERSION)
/** May be repeated. */
export const ensureResourceClass = operation<One>('PUT', '/resource_classes/{name}', VERSION)
export const deleteResourceClass = operation<One>('DELETE', '/resource_classes/{name}', VERSION)
