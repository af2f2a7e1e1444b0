/** A router's nftables text: address translation, floating IPs, and the way of metadata requests to our listener. Pure. */
import { invalid } from '#base/fault.ts'
import { familyOf, parseAddress } from '../address.ts'
import type { AddressLimitPlan, ConntrackHelperPlan, RouterPlan } from '../plan.ts'
import { burstBytes } from './limits.ts'

/** Where the router's namespace listens for 169.254.169.254. */
export const METADATA_PORT = 9697

const CHAINS = ['prerouting', 'local', 'postrouting', 'input', 'limit_in', 'limit_out'] as const

/** Text that may be applied over itself; the hooks stay, so running connections are not disturbed. */
export function routerText(table: string, router: RouterPlan, metadata: boolean): string {
  const floating = router.floating_ips.map(({ floating_ip_address, fixed_ip_address }) => [v4(floating_ip_address), v4(fixed_ip_address)] as const)
  const translate = [
    ...router.port_forwardings.map((forward) => {
      const outer = v4(forward.floating_ip_address)
      const inner = v4(forward.internal_ip_address)
      if (forward.protocol === 'icmp') return `ip daddr ${outer} meta l4proto icmp dnat to ${inner}`
      return `ip daddr ${outer} ${forward.protocol} dport ${port(forward.external_port)} dnat to ${inner}:${port(forward.internal_port)}`
    }),
    'dnat to ip daddr map @inward',
  ]
  const gateway = router.gateway?.fixed_ips.map(({ ip_address }) => ip_address).find((address) => familyOf(address) === 4)
  const rules: Record<(typeof CHAINS)[number], string[]> = {
    prerouting: [...(metadata ? [`iifname "qr-*" ip daddr 169.254.169.254 tcp dport 80 redirect to :${METADATA_PORT}`] : []), ...translate],
    local: translate,
    postrouting: [
      // Between tenant networks nothing is translated, unless it came to a floating IP of this router.
      'iifname != "qg-*" oifname != "qg-*" ct status & dnat != dnat accept',
      'snat to ip saddr map @outward',
      ...(gateway !== undefined && router.gateway?.enable_snat ? [`oifname "qg-*" snat to ${v4(gateway)}`] : []),
      // From inside to an own floating IP: the answer must come back through here.
      ...(gateway !== undefined ? [`iifname != "qg-*" ct status & dnat == dnat snat to ${v4(gateway)}`] : []),
    ],
    // Only what was redirected may talk to the listener.
    limit_in: (router.limits ?? []).flatMap((limit) => limitRules(limit, 'ingress')),
    limit_out: (router.limits ?? []).flatMap((limit) => limitRules(limit, 'egress')),
    input: [`tcp dport ${METADATA_PORT} ct status & dnat != dnat drop`, `iifname "qg-*" tcp dport ${METADATA_PORT} drop`],
  }
  return `table ip ${table} {
 map inward { type ipv4_addr : ipv4_addr; }
 map outward { type ipv4_addr : ipv4_addr; }
 chain prerouting {
  type nat hook prerouting priority dstnat; policy accept;
 }
 chain local {
  type nat hook output priority -100; policy accept;
 }
 chain postrouting {
  type nat hook postrouting priority srcnat; policy accept;
 }
 chain input {
  type filter hook input priority 0; policy accept;
 }
 chain limit_in {
  type filter hook prerouting priority raw; policy accept;
 }
 chain limit_out {
  type filter hook postrouting priority 110; policy accept;
 }
}
${CHAINS.map((chain) => `flush chain ip ${table} ${chain}\n`).join('')}flush map ip ${table} inward
flush map ip ${table} outward
${elements(table, 'inward', floating)}${elements(
    table,
    'outward',
    floating.map(([outer, inner]) => [inner, outer] as const),
  )}${CHAINS.flatMap((chain) => rules[chain].map((rule) => `add rule ip ${table} ${chain} ${rule}\n`)).join('')}`
}

/** Before translation on the way in, after it on the way out: the address is the one outside. What is beyond the rate is dropped. */
function limitRules(limit: AddressLimitPlan, direction: 'ingress' | 'egress'): string[] {
  const kbps = limit[`${direction}_kbps`]
  if (kbps === undefined || familyOf(parseAddress(limit.ip_address)) !== 4) return []
  const side = direction === 'ingress' ? 'iifname "qg-*" ip daddr' : 'oifname "qg-*" ip saddr'
  const rate = Math.max(1, Math.round(kbps * 125))
  // The kernel's bucket holds one second at the rate, and the burst beyond it.
  const beyond = burstBytes(kbps, limit[`${direction}_burst_kb`]) - rate
  return [`${side} ${parseAddress(limit.ip_address)} limit rate over ${rate} bytes/second${beyond > 0 ? ` burst ${beyond} bytes` : ''} drop`]
}

/** The helpers of a router in a table of their own: a kernel that lacks one must not cost the others. */
export function helperText(table: string, helpers: readonly ConntrackHelperPlan[]): string {
  const own = `${table}_helpers`
  const name = ({ helper, protocol }: ConntrackHelperPlan): string => `${helper}_${protocol}`.replaceAll('-', '_')
  const objects = new Map(helpers.map((one) => [name(one), one]))
  return `table ip ${own}
delete table ip ${own}
table ip ${own} {
${[...objects].map(([key, { helper, protocol }]) => ` ct helper ${key} {\n  type "${helper}" protocol ${protocol};\n }\n`).join('')} chain prerouting {
  type filter hook prerouting priority mangle; policy accept;
${helpers.map((one) => `  ${one.protocol} dport ${port(one.port)} ct helper set "${name(one)}"\n`).join('')} }
}
`
}

/** A fixed address with two floating IPs leaves by the first: a map holds each key once. */
function elements(table: string, map: string, pairs: readonly (readonly [string, string])[]): string {
  const first = new Map<string, string>()
  for (const [key, value] of pairs) if (!first.has(key)) first.set(key, value)
  return first.size === 0 ? '' : `add element ip ${table} ${map} { ${[...first].map(([key, value]) => `${key} : ${value}`).join(', ')} }\n`
}

function v4(text: string): string {
  const address = parseAddress(text)
  if (familyOf(address) !== 4) throw invalid(`'${text}' is not an IPv4 address`, { field: 'floating_ip_address' })
  return address
}

function port(value: number): number {
  if (!Number.isInteger(value) || value < 1 || value > 65535) throw invalid(`${value} is not a port`, { field: 'external_port' })
  return value
}
