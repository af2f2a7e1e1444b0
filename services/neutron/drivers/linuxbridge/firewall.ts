/**
 * The fabric's nftables text. Pure: plans in, text out.
 *
 * The kernel keeps no connection state in the bridge family, so the work is shared. The bridge family looks at each frame
 * where it enters and leaves: it drops what a port may not send and writes the sender's number into the upper, the receiver's
 * into the lower half of the mark. The inet family, which bridged packets reach through br_netfilter, judges by these numbers
 * with connection state, each network in a conntrack zone of its own, so overlapping addresses do not meet.
 *
 * Every port has chains of its own, reached through verdict maps, so one port is one small transaction. A `tap…` device that
 * is in no map can neither send nor receive: between being plugged and being judged a port is mute.
 */
import { createHash } from 'node:crypto'
import { disjoint, linkLocal, parseMac, parsePrefix } from '../address.ts'
import type { AddressSetPlan, PortPlan } from '../plan.ts'
import { bridgeName, inNft, setName, tapName } from './names.ts'
import { ruleMatches } from './security-rules.ts'

/** Tables without ports. Replaces all that was there, in the same transaction. */
export function baseText(table: string): string {
  const body = baseBody(table)
  return `table bridge ${table}\ndelete table bridge ${table}\ntable inet ${table}\ndelete table inet ${table}\n${body}table inet ${table} {\n chain ${baseVersion(table)} {\n }\n}\n`
}

/** The name of an empty chain that tells which base text the kernel has. */
export function baseVersion(table: string): string {
  return `base_${createHash('sha256').update(baseBody(table)).digest('hex').slice(0, 12)}`
}

function baseBody(table: string): string {
  return `table bridge ${table} {
 map senders { type ifname : verdict; }
 map receivers { type ifname : verdict; }
 chain prerouting {
  type filter hook prerouting priority -300; policy accept;
  iifname vmap @senders
  iifname "tap*" drop
 }
 chain forward {
  type filter hook forward priority -200; policy accept;
  oifname vmap @receivers
  oifname "tap*" drop
  meta mark set meta mark and 0xffff0000
 }
}
table inet ${table} {
 map zones { type ifname : verdict; }
 map outgoing { type mark : verdict; }
 map incoming { type mark : verdict; }
 chain prerouting {
  type filter hook prerouting priority -300; policy accept;
  iifname vmap @zones
 }
 chain forward {
  type filter hook forward priority 0; policy accept;
  meta mark 0 accept
  meta mark and 0xffff0000 vmap @outgoing
  meta mark and 0x0000ffff vmap @incoming
 }
}
`
}

/** Puts a network's packets into its conntrack zone. */
export function zoneText(table: string, networkId: string, zone: number): string {
  return `table inet ${table} {
 chain zone_${zone} {
 }
}
flush chain inet ${table} zone_${zone}
add rule inet ${table} zone_${zone} ct zone set ${zone}
add element inet ${table} zones { "${bridgeName(networkId)}" : goto zone_${zone} }
`
}

export function noZoneText(table: string, networkId: string, zone: number): string {
  return `${zoneText(table, networkId, zone)}delete element inet ${table} zones { "${bridgeName(networkId)}" : goto zone_${zone} }
flush chain inet ${table} zone_${zone}
delete chain inet ${table} zone_${zone}
`
}

/** The members of a remote group, one set for each family. */
export function addressSetText(table: string, set: AddressSetPlan): string {
  return ([4, 6] as const)
    .map((family) => {
      const name = setName(family, set.id)
      const members = disjoint(set.prefixes, family)
      return `table inet ${table} {
 set ${name} {
  type ipv${family}_addr
  flags interval
  auto-merge
 }
}
flush set inet ${table} ${name}
${members.length === 0 ? '' : `add element inet ${table} ${name} { ${members.join(', ')} }\n`}`
    })
    .join('')
}

interface PortChains {
  bridge: Record<string, string[]>
  inet: Record<string, string[]>
}

/** All of one port: may be applied over an older version of itself. Throws `invalid` for a plan that makes no sense. */
export function portText(table: string, port: PortPlan, number: number): string {
  const chains = portChains(port, number)
  const declare = (family: 'bridge' | 'inet'): string => Object.keys(chains[family]).map((chain) => ` chain ${chain} {\n }\n`).join('')
  const fill = (family: 'bridge' | 'inet'): string => Object.entries(chains[family]).map(([chain, rules]) => ` chain ${chain} {\n${rules.map((rule) => `  ${rule}\n`).join('')} }\n`).join('')
  return `table bridge ${table} {
${declare('bridge')}}
table inet ${table} {
${declare('inet')}}
${flushText(table, chains)}table bridge ${table} {
${fill('bridge')}}
table inet ${table} {
${fill('inet')}}
${elements(table, port.id, number).map((element) => `add element ${element}\n`).join('')}`
}

/** Takes a port out of the maps and its chains away; holds whether or not it was there. */
export function noPortText(table: string, portId: string, number: number): string {
  const chains: PortChains = { bridge: chainNames(portId).bridge, inet: chainNames(portId).inet }
  const declare = (family: 'bridge' | 'inet'): string => `table ${family} ${table} {\n${Object.keys(chains[family]).map((chain) => ` chain ${chain} {\n }\n`).join('')}}\n`
  const all = elements(table, portId, number)
  const drop = (['bridge', 'inet'] as const).flatMap((family) => Object.keys(chains[family]).map((chain) => `delete chain ${family} ${table} ${chain}\n`)).join('')
  return declare('bridge') + declare('inet') + all.map((element) => `add element ${element}\n`).join('') + all.map((element) => `delete element ${element}\n`).join('') + flushText(table, chains) + drop
}

function flushText(table: string, chains: PortChains): string {
  return (['bridge', 'inet'] as const).flatMap((family) => Object.keys(chains[family]).map((chain) => `flush chain ${family} ${table} ${chain}\n`)).join('')
}

function chainNames(portId: string): PortChains {
  const id = inNft(portId)
  return { bridge: { [`from_${id}`]: [], [`tag_${id}`]: [] }, inet: { [`out_${id}`]: [], [`in_${id}`]: [] } }
}

function elements(table: string, portId: string, number: number): string[] {
  const id = inNft(portId)
  const tap = tapName(portId)
  return [
    `bridge ${table} senders { "${tap}" : goto from_${id} }`,
    `bridge ${table} receivers { "${tap}" : goto tag_${id} }`,
    `inet ${table} outgoing { ${number * 0x10000} : jump out_${id} }`,
    `inet ${table} incoming { ${number} : goto in_${id} }`,
  ]
}

/** Ports of the network itself are trusted, as in Neutron. */
export function isTrusted(port: PortPlan): boolean {
  return !port.port_security_enabled || port.device_owner.startsWith('network:')
}

function portChains(port: PortPlan, number: number): PortChains {
  const id = inNft(port.id)
  const trusted = isTrusted(port)
  return {
    bridge: {
      [`from_${id}`]: [...markRules(port), ...rateRules(port, 'egress'), ...(trusted ? ['accept'] : spoofRules(port, number))],
      // A trusted port gets no number, and mark 0 is judged by nobody.
      [`tag_${id}`]: [...rateRules(port, 'ingress'), `meta mark set meta mark and 0xffff0000${trusted ? '' : ` or ${number}`}`, 'accept'],
    },
    inet: { [`out_${id}`]: trusted ? ['return'] : outgoingRules(port), [`in_${id}`]: trusted ? ['accept'] : incomingRules(port) },
  }
}

/** What a guest sends carries the mark of its QoS policy, whatever it wrote itself. */
function markRules({ qos }: PortPlan): string[] {
  return qos?.dscp_mark === undefined ? [] : [`ip dscp set ${qos.dscp_mark}`, `ip6 dscp set ${qos.dscp_mark}`]
}

/** Packets beyond the rate are dropped; a burst of a tenth of a second passes when the policy names none. */
function rateRules({ qos }: PortPlan, direction: 'egress' | 'ingress'): string[] {
  const kpps = qos?.[`${direction}_kpps`]
  if (kpps === undefined) return []
  return [`limit rate over ${Math.max(1, kpps * 1000)}/second burst ${Math.max(5, (qos?.[`${direction}_burst_kpps`] || kpps / 10) * 1000)} packets drop`]
}

/** What may come out of a port at all: its own addresses and nothing that only a router or a DHCP server says. */
function spoofRules(port: PortPlan, number: number): string[] {
  const own = parseMac(port.mac_address)
  const pairs = new Map<string, string[]>([[own, port.fixed_ips.map((ip) => ip.ip_address)]])
  for (const pair of port.allowed_address_pairs) {
    const mac = parseMac(pair.mac_address ?? own)
    pairs.set(mac, [...(pairs.get(mac) ?? []), pair.ip_address])
  }
  const macs = [...pairs.keys()]
  const pass = `meta mark set ${number * 0x10000} accept`
  const targets = [...pairs].flatMap(([mac, ips]) => [...disjoint(ips, 6), linkLocal(mac)])
  return [
    'ether type { vlan, 8021ad } drop',
    `ether saddr != { ${macs.join(', ')} } drop`,
    ...[...pairs].map(([mac, ips]) => `ether saddr ${mac} arp saddr ether ${mac} ${among('arp saddr ip', ['0.0.0.0', ...ips], 4)} accept`),
    'ether type arp drop',
    'udp sport 67 udp dport 68 drop',
    'udp sport 547 udp dport 546 drop',
    `ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 ${pass}`,
    'icmpv6 type { nd-router-advert, nd-redirect } drop',
    // nft of Debian 12 cannot name the target of a neighbour advertisement: 16 bytes behind the first 8 of ICMPv6.
    `icmpv6 type nd-neighbor-advert @th,64,128 != { ${hexRanges(targets).join(', ')} } drop`,
    // Multicast reports and duplicate address detection, before there is an address.
    `ip6 saddr :: ip6 daddr ff02::/16 icmpv6 type { 131, 135, 143 } ${pass}`,
    ...[...pairs].flatMap(([mac, ips]) => (disjoint(ips, 4).length === 0 ? [] : [`ether saddr ${mac} ${among('ip saddr', ips, 4)} ${pass}`])),
    ...[...pairs].map(([mac, ips]) => `ether saddr ${mac} ${among('ip6 saddr', [linkLocal(mac), ...ips], 6)} ${pass}`),
    'drop',
  ]
}

function among(field: string, prefixes: readonly string[], family: 4 | 6): string {
  const all = disjoint(prefixes, family)
  if (all.some((prefix) => prefix.endsWith('/0'))) return family === 4 ? (field.startsWith('arp') ? 'ether type arp' : 'ether type ip') : 'ether type ip6'
  return `${field} { ${all.join(', ')} }`
}

/** IPv6 prefixes as raw numbers, for a raw payload match. */
function hexRanges(prefixes: readonly string[]): string[] {
  const hex = (value: bigint): string => `0x${value.toString(16).padStart(32, '0')}`
  return disjoint(prefixes, 6).map((text) => {
    const { first, length } = parsePrefix(text)
    return length === 128 ? hex(first) : `${hex(first)}-${hex(first + (1n << BigInt(128 - length)) - 1n)}`
  })
}

function outgoingRules(port: PortPlan): string[] {
  return [
    ...(port.stateful === false ? [] : ['ct state established,related return']),
    'icmpv6 type { 131, 132, 133, 135, 136, 143 } return',
    'udp sport 68 udp dport 67 return',
    'udp sport 546 udp dport 547 return',
    ...(port.stateful === false ? [] : ['ct state invalid drop']),
    ...rulesOf(port, 'egress').map((match) => `${match} return`),
    'drop',
  ]
}

function incomingRules(port: PortPlan): string[] {
  return [
    ...(port.stateful === false ? [] : ['ct state established,related accept']),
    'icmpv6 type { 130, 131, 132, 134, 135, 136 } accept',
    'udp sport 67 udp dport 68 accept',
    'udp sport 547 udp dport 546 accept',
    ...(port.stateful === false ? [] : ['ct state invalid drop']),
    ...rulesOf(port, 'ingress').map((match) => `${match} accept`),
    'drop',
  ]
}

/** The matches of a port's rules, each once. */
export function rulesOf(port: PortPlan, direction: 'ingress' | 'egress'): string[] {
  return [...new Set(port.security_rules.filter((rule) => rule.direction === direction).flatMap((rule) => ruleMatches(rule)))]
}
