/**
 * Names of what the driver makes. All of it is known again by its name after a restart: a namespace by the prefix, a device by
 * the first eleven characters of its object's id as in Neutron (device names end at 15 characters), a chain by the whole id.
 */
import { createHash } from 'node:crypto'
import { invalid } from '#base/fault.ts'

export interface Names {
  /** The namespace with all bridges and taps of the host. */
  fabric: string
  router(id: string): string
  dhcp(networkId: string): string
  /** The id of the router or network that a namespace of ours belongs to. */
  owner(netns: string): { kind: 'router' | 'dhcp'; id: string } | undefined
  /** nft's table, in every family and namespace. */
  table: string
  /** The host's end of the cable to a physical network. */
  hostEnd(physicalNetwork: string): string
}

export function names(prefix: string): Names {
  if (!/^[a-z][a-z0-9]{0,7}$/.test(prefix)) throw invalid('The prefix of the network driver is one to eight lower-case letters and digits', { field: 'prefix' })
  const router = `${prefix}-r-`
  const dhcp = `${prefix}-d-`
  return {
    fabric: `${prefix}-fabric`,
    router: (id) => router + checked(id),
    dhcp: (id) => dhcp + checked(id),
    owner: (netns) =>
      netns.startsWith(router) ? { kind: 'router', id: netns.slice(router.length) } : netns.startsWith(dhcp) ? { kind: 'dhcp', id: netns.slice(dhcp.length) } : undefined,
    table: prefix,
    hostEnd: (physical) => short(`${prefix}-`, physical),
  }
}

export const tapName = (portId: string): string => `tap${checked(portId).slice(0, 11)}`
/** The shadow device that slows what leaves a guest. */
export const ifbName = (portId: string): string => `ifb${checked(portId).slice(0, 11)}`
export const bridgeName = (networkId: string): string => `brq${checked(networkId).slice(0, 11)}`
export const vxlanName = (vni: number): string => `vxlan-${vni}`
/** Cables of routers and DHCP: the fabric's end, and the end in the namespace. */
export const routerFabricEnd = (portId: string): string => `rp-${checked(portId).slice(0, 11)}`
export const routerEnd = (portId: string): string => `qr-${checked(portId).slice(0, 11)}`
export const gatewayEnd = (portId: string): string => `qg-${checked(portId).slice(0, 11)}`
export const dhcpFabricEnd = (portId: string): string => `dp-${checked(portId).slice(0, 11)}`
export const dhcpEnd = (portId: string): string => `ns-${checked(portId).slice(0, 11)}`
export const physicalName = (physicalNetwork: string): string => short('phy-', physicalNetwork)

/** An id as part of an nft name. */
export const inNft = (id: string): string => checked(id).replaceAll('-', '_')
/** The set with a remote group's members of one family. */
export const setName = (family: 4 | 6, id: string): string => `set${family}_${inNft(id)}`
export const fromNft = (name: string): string => name.replaceAll('_', '-')

/** Ids reach command lines and paths. */
function checked(id: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) throw invalid(`'${id}' is not a UUID`, { field: 'id' })
  return id
}

function short(start: string, name: string): string {
  const whole = start + name
  if (whole.length <= 15 && /^[\w-]+$/.test(name)) return whole
  return start + createHash('sha256').update(name).digest('hex').slice(0, 15 - start.length)
}
