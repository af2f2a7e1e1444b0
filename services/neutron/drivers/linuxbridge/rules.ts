/**
 * All rules of the fabric at once, for the start and the slow clock: one transaction from the plan, and only when the plan or the
 * kernel's rules changed since the last time.
 */
import { asFault, faultChain } from '#base/fault.ts'
import type { HostPlan, NetworkPlan, PortPlan } from '../plan.ts'
import { addressSetText, zoneText } from './firewall.ts'
import type { Host } from './host.ts'
import { bridgeName } from './names.ts'
import { portRules } from './port.ts'

export class WholeRules {
  #text: string | undefined
  #kernel: string | undefined
  readonly #host: Host

  constructor(host: Host) {
    this.#host = host
  }

  /** Ports whose rules could not be set, with the reason. Their former rules stay; with none they are mute. */
  async ensure(plan: HostPlan, networks: readonly NetworkPlan[], ports: readonly PortPlan[]): Promise<Map<string, string>> {
    const { fabric, tools } = this.#host
    const failed = new Map<string, string>()
    const texts = new Map<string, string>()
    for (const port of ports) {
      try {
        texts.set(port.id, portRules(this.#host, port))
      } catch (thrown) {
        failed.set(port.id, asFault(thrown).message)
        const former = fabric.portTexts.get(port.id)
        if (former !== undefined) texts.set(port.id, former)
      }
    }
    const start = plan.address_sets.map((set) => addressSetText(fabric.table, set)).join('') + networks.map(({ id }) => zoneText(fabric.table, id, fabric.zones.of(bridgeName(id)))).join('')
    const whole = start + [...texts.values()].join('')
    if (whole !== this.#text || (await tools.nft.ruleset(fabric.netns)) !== this.#kernel) {
      try {
        await fabric.replaceRules(whole)
      } catch {
        await this.#oneByOne(start, texts, failed)
      }
      this.#text = whole
      this.#kernel = await tools.nft.ruleset(fabric.netns)
    }
    fabric.zoned.clear()
    for (const { id } of networks) fabric.zoned.add(id)
    fabric.portTexts.clear()
    for (const [id, text] of texts) if (!failed.has(id)) fabric.portTexts.set(id, text)
    return failed
  }

  /** One port names a set that is not there, or the like: the others must not suffer. */
  async #oneByOne(start: string, texts: ReadonlyMap<string, string>, failed: Map<string, string>): Promise<void> {
    const { fabric } = this.#host
    await fabric.replaceRules(start)
    await Promise.all([...texts].map(([id, text]) => fabric.rules(text).catch((thrown: unknown) => failed.set(id, faultChain(thrown)))))
  }
}
