/** What the devices of a namespace are and what they should be: the difference as commands. Pure, but for the map it keeps current. */
import type { Command, Link } from '#host/ip.ts'

export type Links = Map<string, Link>

export interface WantedLink {
  ifname: string
  /** What `ip -d link` calls it: `bridge`, `tun`, `veth`, `vxlan`, `ifb`. */
  kind: string
  /** The commands that make it. */
  create: readonly Command[]
  up: boolean
  master?: string
  mtu?: number
  ifalias?: string
}

/** The commands that bring one device to where it should be; `links` is changed as if they had run. */
export function linkChanges(links: Links, want: WantedLink): Command[] {
  const commands: Command[] = []
  let have = links.get(want.ifname)
  if (have && have.kind !== want.kind) {
    commands.push(['link', 'del', want.ifname])
    have = undefined
  }
  if (!have) {
    commands.push(...want.create)
    have = { ifname: want.ifname, ifindex: 0, kind: want.kind, up: false, mtu: 1500, address: '' }
  }
  const set: string[] = []
  if (want.ifalias !== undefined && have.ifalias !== want.ifalias) set.push('alias', want.ifalias)
  if (want.mtu !== undefined && have.mtu !== want.mtu) set.push('mtu', String(want.mtu))
  if (want.master !== undefined && have.master !== want.master) set.push('master', want.master)
  if (have.up !== want.up) set.push(want.up ? 'up' : 'down')
  if (set.length > 0) commands.push(['link', 'set', 'dev', want.ifname, ...set])
  links.set(want.ifname, { ...have, up: want.up, ...(want.mtu === undefined ? {} : { mtu: want.mtu }), ...(want.master === undefined ? {} : { master: want.master }), ...(want.ifalias === undefined ? {} : { ifalias: want.ifalias }) })
  return commands
}

export function linkRemoval(links: Links, ifname: string): Command[] {
  if (!links.delete(ifname)) return []
  return [['link', 'del', ifname]]
}
