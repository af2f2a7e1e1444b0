/** A network's DHCP plan as dnsmasq's ranges, hosts and options. Pure; every value from a user is checked here (threat A20). */
import type { DhcpHost, DhcpOption, DhcpRange } from '#host/dnsmasq.ts'
import { familyOf, netmask, parseAddress, parseMac, parsePrefix, prefixText, addressText } from '../address.ts'
import { checkDhcpOption, hostName } from '../check.ts'
import type { DhcpPlan, DhcpReservation, SubnetPlan } from '../plan.ts'

export const METADATA_ADDRESS = '169.254.169.254'

export interface DhcpFiles {
  ranges: DhcpRange[]
  hosts: DhcpHost[]
  options: DhcpOption[]
  names: { address: string; names: string[] }[]
}

const subnetTag = (subnetId: string): string => `subnet-${subnetId}`
const portTag = (portId: string): string => `port-${portId}`

export function dhcpFiles(plan: DhcpPlan, domain: string, metadata: boolean): DhcpFiles {
  const served = new Map(plan.network.subnets.filter(({ enable_dhcp }) => enable_dhcp).map((subnet) => [subnet.id, subnet]))
  const files: DhcpFiles = { ranges: [], hosts: [], options: [], names: [] }
  for (const subnet of served.values()) {
    const range = rangeOf(subnet)
    if (range) files.ranges.push(range)
    files.options.push(...subnetOptions(plan, subnet, metadata))
  }
  for (const port of plan.reservations) {
    const mac = parseMac(port.mac_address)
    const tags = port.extra_dhcp_opts.length > 0 ? [portTag(port.port_id)] : []
    for (const { subnet_id, ip_address } of port.fixed_ips) {
      const address = parseAddress(ip_address)
      const name = hostName(port, address)
      files.names.push({ address, names: [`${name}.${domain}`, name] })
      const subnet = served.get(subnet_id)
      if (!subnet || (subnet.ip_version === 6 && subnet.ipv6_address_mode === 'slaac')) continue
      files.hosts.push({ mac, tags, name, ...(subnet.ipv6_address_mode === 'dhcpv6-stateless' ? {} : { address }) })
    }
    files.options.push(...portOptions(port))
  }
  return files
}

function rangeOf(subnet: SubnetPlan): DhcpRange | undefined {
  const { first, length, family } = parsePrefix(subnet.cidr)
  if (family === 6 && (subnet.ipv6_address_mode === null || subnet.ipv6_address_mode === 'slaac')) return undefined
  return { tag: subnetTag(subnet.id), network: addressText(family, first), mask: family === 4 ? netmask(length) : String(length) }
}

function subnetOptions(plan: DhcpPlan, subnet: SubnetPlan, metadata: boolean): DhcpOption[] {
  const tag = subnetTag(subnet.id)
  const servers = subnet.dns_nameservers.map(parseAddress)
  if (subnet.ip_version === 6) {
    const six = servers.filter((server) => familyOf(server) === 6)
    return six.length === 0 ? [] : [{ tag, option: 'option6:dns-server', value: six.map((server) => `[${server}]`).join(',') }]
  }
  const options: DhcpOption[] = [{ tag, option: 'option:mtu', value: String(plan.network.mtu) }]
  if (servers.length > 0) options.push({ tag, option: 'option:dns-server', value: servers.join(',') })
  const gateway = subnet.gateway_ip === null ? undefined : parseAddress(subnet.gateway_ip)
  const own = plan.port.fixed_ips.find(({ subnet_id }) => subnet_id === subnet.id)?.ip_address
  const routes = [
    ...(metadata && own !== undefined ? [`${METADATA_ADDRESS}/32,${parseAddress(own)}`] : []),
    ...subnet.host_routes.map(({ destination, nexthop }) => `${wholePrefix(destination)},${parseAddress(nexthop)}`),
    // A client that takes option 121 ignores the router option (RFC 3442), so the default route stands in both.
    ...(gateway === undefined || subnet.host_routes.some(({ destination }) => wholePrefix(destination) === '0.0.0.0/0') ? [] : [`0.0.0.0/0,${gateway}`]),
  ]
  if (routes.length > 0) options.push({ tag, option: '121', value: routes.join(',') }, { tag, option: '249', value: routes.join(',') })
  // Without a gateway dnsmasq would name itself.
  options.push({ tag, option: 'option:router', value: gateway ?? '' })
  return options
}

function wholePrefix(text: string): string {
  const prefix = parsePrefix(text)
  const written = prefixText(prefix)
  return written.includes('/') ? written : `${written}/${prefix.length}`
}

function portOptions(port: DhcpReservation): DhcpOption[] {
  return port.extra_dhcp_opts.map((opt) => {
    checkDhcpOption(opt)
    const kind = opt.ip_version === 6 ? 'option6' : 'option'
    return { tag: portTag(port.port_id), option: /^\d+$/.test(opt.opt_name) && opt.ip_version === 4 ? opt.opt_name : `${kind}:${opt.opt_name}`, value: opt.opt_value }
  })
}
