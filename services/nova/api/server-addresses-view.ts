/** Addresses of a server on the wire, by network. */
import type { NicInfo } from '../store/tables.ts'

export interface AddressView {
  version: 4 | 6
  addr: string
  'OS-EXT-IPS:type': string
  'OS-EXT-IPS-MAC:mac_addr': string
}

export function addressesView(nics: readonly NicInfo[]): Record<string, AddressView[]> {
  const addresses: Record<string, AddressView[]> = {}
  for (const nic of nics) {
    const list = (addresses[nic.network_name] ??= [])
    for (const { ip, version, floating } of nic.fixed_ips) {
      list.push({ version, addr: ip, 'OS-EXT-IPS:type': 'fixed', 'OS-EXT-IPS-MAC:mac_addr': nic.mac })
      for (const addr of floating ?? []) list.push({ version: 4, addr, 'OS-EXT-IPS:type': 'floating', 'OS-EXT-IPS-MAC:mac_addr': nic.mac })
    }
  }
  return addresses
}

/** Address and version only. */
export function plainAddresses(nics: readonly NicInfo[]): Record<string, { version: number; addr: string }[]> {
  return Object.fromEntries(Object.entries(addressesView(nics)).map(([name, list]) => [name, list.map(({ version, addr }) => ({ version, addr }))]))
}
