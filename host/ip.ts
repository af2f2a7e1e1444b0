/**
 * iproute2: links, addresses, routes and network namespaces. Changes go through `ip -batch -`, so that many of them cost one
 * process; reads come as JSON. A command is an array of words (law 12): a word that could break out of its place is refused.
 *
 *     await ip.batch([['link', 'add', 'br1', 'type', 'bridge'], ['link', 'set', 'br1', 'up']], 'ondol-fabric')
 */
import { Fault, internal } from '#base/fault.ts'
import type { Run } from '#base/process/run.ts'

/** One interface as the kernel tells it. */
export interface Link {
  ifname: string
  ifindex: number
  /** `bridge`, `veth`, `vxlan`, `tun`, `ifb` …; undefined for loopback and hardware. */
  kind?: string
  /** The bridge it is a port of. */
  master?: string
  /** Administratively up. */
  up: boolean
  mtu: number
  /** MAC address, lower case. */
  address: string
  ifalias?: string
}

export interface LinkWithAddresses extends Link {
  /** `192.0.2.1/24`, `fe80::1/64`. */
  addresses: string[]
}

export interface Route {
  /** `default` or a prefix. */
  dst: string
  gateway?: string
  dev?: string
  protocol?: string
}

export type Command = readonly string[]

export interface Ip {
  /** Runs the commands in order as one process and stops at the first that fails. */
  batch(commands: readonly Command[], netns?: string): Promise<void>
  links(netns?: string): Promise<Link[]>
  addresses(netns?: string): Promise<LinkWithAddresses[]>
  /** Routes of the main table. */
  routes(family: 4 | 6, netns?: string): Promise<Route[]>
  namespaces(): Promise<string[]>
}

interface RawLink {
  ifname?: string
  ifindex?: number
  flags?: string[]
  mtu?: number
  address?: string
  master?: string
  ifalias?: string
  linkinfo?: { info_kind?: string }
  addr_info?: { local?: string; prefixlen?: number }[]
}

const PLAIN = /^[\w.:/@%+=,-]+$/
const QUOTABLE = /^[\w.:/@%+=, -]+$/

/** One line of a batch file (`ip`, `bridge` and `tc` read the same form). Refuses words that would be read as anything but one word. */
export function batchLine(command: Command): string {
  return command
    .map((word) => {
      if (PLAIN.test(word)) return word
      if (QUOTABLE.test(word)) return `"${word}"`
      throw internal('A word cannot stand in a batch command', { detail: JSON.stringify(word) })
    })
    .join(' ')
}

/** The arguments that make `ip`, `bridge` or `tc` work in a namespace. */
export function inNetns(netns: string | undefined): string[] {
  return netns === undefined ? [] : ['-n', netns]
}

export function createIp(run: Run): Ip {
  const json = async <T>(args: readonly string[], netns: string | undefined): Promise<T[]> => {
    const { stdout } = await run('ip', [...inNetns(netns), '-j', ...args])
    const text = stdout.trim()
    return text === '' ? [] : (JSON.parse(text) as T[])
  }
  return {
    async batch(commands, netns) {
      if (commands.length === 0) return
      const input = `${commands.map(batchLine).join('\n')}\n`
      try {
        await run('ip', [...inNetns(netns), '-batch', '-'], { input })
      } catch (thrown) {
        throw failedLine(thrown, commands)
      }
    },
    links: async (netns) => (await json<RawLink>(['-d', 'link', 'show'], netns)).flatMap(readLink),
    addresses: async (netns) =>
      (await json<RawLink>(['-d', 'addr', 'show'], netns)).flatMap((raw) =>
        readLink(raw).map((link) => ({ ...link, addresses: (raw.addr_info ?? []).flatMap(({ local, prefixlen }) => (local === undefined ? [] : [`${local}/${prefixlen}`])) })),
      ),
    routes: (family, netns) => json<Route>([`-${family}`, 'route', 'show'], netns),
    namespaces: async () => (await json<{ name: string }>(['netns', 'list'], undefined)).map(({ name }) => name),
  }
}

function readLink(raw: RawLink): Link[] {
  if (raw.ifname === undefined) return []
  return [
    {
      ifname: raw.ifname,
      ifindex: raw.ifindex ?? 0,
      up: raw.flags?.includes('UP') ?? false,
      mtu: raw.mtu ?? 0,
      address: raw.address ?? '',
      ...(raw.linkinfo?.info_kind === undefined ? {} : { kind: raw.linkinfo.info_kind }),
      ...(raw.master === undefined ? {} : { master: raw.master }),
      ...(raw.ifalias === undefined ? {} : { ifalias: raw.ifalias }),
    },
  ]
}

/** Puts the command that failed into the fault: `Command failed -:3` alone tells nobody anything. */
function failedLine(thrown: unknown, commands: readonly Command[]): unknown {
  if (!(thrown instanceof Fault)) return thrown
  const said = String(thrown.data.stderr ?? thrown.detail ?? '')
  const number = /Command failed -:(\d+)/.exec(said)?.[1]
  const command = number === undefined ? undefined : commands[Number(number) - 1]
  const why = said.split('\n').find((line) => line !== '' && !line.startsWith('Command failed'))
  return internal(`ip failed${why === undefined ? '' : `: ${why}`}`, { detail: command?.join(' ') ?? thrown.detail, data: { stderr: said }, cause: thrown })
}
