/** Bandwidth limits of a port (QoS). What goes to the guest is shaped on the tap, what comes from it on a shadow device. */
import type { QosPlan } from '../plan.ts'
import type { Host } from './host.ts'
import { linkChanges, linkRemoval } from './links.ts'
import { ifbName, tapName } from './names.ts'

/** Holds over an older limit. `before` is what this process set last; undefined when it does not know. */
export async function ensureLimits(host: Host, portId: string, qos: QosPlan | undefined, before: QosPlan | undefined): Promise<void> {
  const { fabric, tools } = host
  const tap = tapName(portId)
  const ifb = ifbName(portId)
  const toGuest = qos?.ingress_kbps
  const fromGuest = qos?.egress_kbps
  if (fromGuest !== undefined && !fabric.links.has(ifb)) {
    await fabric.change((links) => linkChanges(links, { ifname: ifb, kind: 'ifb', create: [['link', 'add', ifb, 'type', 'ifb']], up: true }))
  }
  const commands: string[][] = []
  if (toGuest !== undefined) commands.push(['qdisc', 'replace', 'dev', tap, 'root', ...bucket(toGuest, qos?.ingress_burst_kb)])
  else if (before?.ingress_kbps !== undefined) commands.push(['qdisc', 'del', 'dev', tap, 'root'])
  if (fromGuest !== undefined) {
    if (before?.egress_kbps === undefined) {
      commands.push(['qdisc', 'replace', 'dev', tap, 'ingress'])
      commands.push(['filter', 'replace', 'dev', tap, 'parent', 'ffff:', 'protocol', 'all', 'prio', '1', 'handle', '800::1', 'u32', 'match', 'u32', '0', '0', 'action', 'mirred', 'egress', 'redirect', 'dev', ifb])
    }
    commands.push(['qdisc', 'replace', 'dev', ifb, 'root', ...bucket(fromGuest, qos?.egress_burst_kb)])
  } else if (before?.egress_kbps !== undefined) commands.push(['qdisc', 'del', 'dev', tap, 'ingress'])
  await tools.tc.batch(commands, fabric.netns)
  if (fromGuest === undefined && fabric.links.has(ifb)) await fabric.change((links) => linkRemoval(links, ifb))
}

function bucket(kbps: number, burstKb: number | undefined): string[] {
  return ['tbf', 'rate', `${kbps}kbit`, 'burst', String(burstBytes(kbps, burstKb)), 'latency', '50ms']
}

/** Neutron's default burst is 80 % of the rate for one second. */
export function burstBytes(kbps: number, burstKb: number | undefined): number {
  return Math.max(Math.round(((burstKb === undefined || burstKb === 0 ? kbps * 0.8 : burstKb) * 1000) / 8), 3000)
}
