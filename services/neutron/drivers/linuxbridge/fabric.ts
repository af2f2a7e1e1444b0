/**
 * The fabric: one network namespace of this host with all bridges, taps, VXLAN devices and their rules. Neither the host's own
 * firewall nor Docker's ever sees a tenant's packet there, and QEMU is started inside it.
 *
 * The class keeps what it knows of the devices, so that wiring a port needs no reading; after any failure it reads them anew.
 */
import type { Bridge } from '#host/bridge.ts'
import type { Conntrack } from '#host/conntrack.ts'
import type { Command, Ip } from '#host/ip.ts'
import { setSysctls } from '#host/namespace.ts'
import type { Nft } from '#host/nft.ts'
import type { Tc } from '#host/tc.ts'
import type { Run } from '#base/process/run.ts'
import { unavailable } from '#base/fault.ts'
import { baseText, baseVersion } from './firewall.ts'
import { type Gather, gather } from './gather.ts'
import type { Links } from './links.ts'
import { fromNft, type Names } from './names.ts'
import { Numbers } from './numbers.ts'

export interface FabricTools {
  run: Run
  ip: Ip
  nft: Nft
  bridge: Bridge
  conntrack: Conntrack
  tc: Tc
}

/** Composed when its turn comes, against the devices as they will be then. */
export type Compose = (links: Links) => readonly Command[]

const SYSCTLS = {
  // No device of the fabric has an address of its own, also no link-local one.
  'net.ipv6.conf.all.disable_ipv6': 1,
  'net.ipv6.conf.default.disable_ipv6': 1,
  'net.bridge.bridge-nf-call-iptables': 1,
  'net.bridge.bridge-nf-call-ip6tables': 1,
  'net.bridge.bridge-nf-call-arptables': 0,
}

export class Fabric {
  readonly netns: string
  readonly table: string
  readonly tools: FabricTools
  readonly portNumbers = new Numbers()
  readonly zones = new Numbers()
  /** Text of each port's rules as the kernel has it, when this process wrote it. */
  readonly portTexts = new Map<string, string>()
  /** Network ids whose zone rule stands. */
  readonly zoned = new Set<string>()
  #links: Links = new Map()
  #ready: Promise<void> | undefined
  #baseCurrent = false
  readonly #changes: Gather<Compose>
  readonly #rules: Gather<string>

  constructor(names: Names, tools: FabricTools) {
    this.netns = names.fabric
    this.table = names.table
    this.tools = tools
    this.#changes = gather((parts) => this.#runChanges(parts))
    this.#rules = gather((parts) => tools.nft.apply(parts.join(''), this.netns))
  }

  /** The devices as far as they are known. Not to be changed from outside of a `Compose`. */
  get links(): ReadonlyMap<string, Links extends Map<string, infer L> ? L : never> {
    return this.#links
  }

  /** Makes the namespace and learns what is in it. Cheap when done before. */
  ready(): Promise<void> {
    this.#ready ??= this.#open().catch((thrown: unknown) => {
      this.#ready = undefined
      throw thrown
    })
    return this.#ready
  }

  /** Somebody took the namespace away: all is to be made anew. */
  forget(): void {
    this.#ready = undefined
    this.#baseCurrent = false
    this.portTexts.clear()
    this.zoned.clear()
  }

  /** Looks at the devices again. */
  async refresh(): Promise<void> {
    this.#links = new Map((await this.tools.ip.links(this.netns)).map((link) => [link.ifname, link]))
  }

  /** Makes devices; gathered with what others want at the same time. */
  change(compose: Compose): Promise<void> {
    return this.#changes(compose)
  }

  /** Adds rules; gathered likewise. The base must be current. */
  async rules(text: string): Promise<void> {
    if (!this.#baseCurrent) throw unavailable('The rules of this host are of another version: the whole host must be ensured first')
    await this.#rules(text)
  }

  /** Replaces all rules in one transaction: no packet is judged by half of them. */
  async replaceRules(text: string): Promise<void> {
    await this.tools.nft.apply(baseText(this.table) + text, this.netns)
    this.#baseCurrent = true
  }

  async #runChanges(parts: readonly Compose[]): Promise<void> {
    const next: Links = new Map(this.#links)
    const commands = parts.flatMap((compose) => [...compose(next)])
    try {
      await this.tools.ip.batch(commands, this.netns)
      this.#links = next
    } catch (thrown) {
      await this.refresh()
      // What was known may have been stale (somebody took a device away): once more with what is there now.
      if (parts.length > 1) throw thrown
      const again: Links = new Map(this.#links)
      const second = [...parts[0]!(again)]
      try {
        await this.tools.ip.batch(second, this.netns)
        this.#links = again
      } catch (last) {
        await this.refresh()
        throw last
      }
    }
  }

  async #open(): Promise<void> {
    const { ip, nft, run } = this.tools
    if (!(await ip.namespaces()).includes(this.netns)) await ip.batch([['netns', 'add', this.netns]])
    await setSysctls(run, this.netns, SYSCTLS).catch(async () => {
      // On a common kernel br_netfilter is a module that nobody has loaded yet.
      await run('modprobe', ['br_netfilter'])
      await setSysctls(run, this.netns, SYSCTLS)
    })
    await this.refresh()
    if (!this.#links.get('lo')?.up) await ip.batch([['link', 'set', 'lo', 'up']], this.netns)
    await this.#adoptRules(await nft.list(['ruleset'], this.netns))
  }

  /** Numbers of ports and zones live in the kernel's maps: a restart goes on with the same. */
  async #adoptRules(objects: readonly Record<string, unknown>[]): Promise<void> {
    let tables = 0
    const version = baseVersion(this.table)
    for (const object of objects) {
      if ((object.table as NamedObject | undefined)?.name === this.table) tables++
      if ((object.chain as NamedObject | undefined)?.name === version) this.#baseCurrent = true
      const map = object.map as (NamedObject & { elem?: [unknown, { goto?: { target: string } }][] }) | undefined
      for (const [key, verdict] of map?.elem ?? []) {
        const target = verdict.goto?.target ?? ''
        if (map?.name === 'incoming' && target.startsWith('in_')) this.portNumbers.adopt(fromNft(target.slice(3)), Number(key))
        if (map?.name === 'zones' && target.startsWith('zone_')) this.zones.adopt(String(key), Number(target.slice(5)))
      }
    }
    if (tables === 0) await this.replaceRules('')
  }
}

interface NamedObject {
  name: string
  table?: string
}
