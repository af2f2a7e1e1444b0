/**
 * nftables. One `apply` is one transaction of the kernel: either all of the text holds afterwards or none of it, and no packet
 * sees a half-made state.
 */
import { Fault, internal } from '#base/fault.ts'
import type { Run } from '#base/process/run.ts'
import { runInNamespace } from './namespace.ts'

export interface Nft {
  /** Text in nft's own language. Throws `internal` with what nft said. */
  apply(text: string, netns?: string): Promise<void>
  /** The whole ruleset as text, without counters' state. */
  ruleset(netns?: string): Promise<string>
  /** The objects of `nft -j list …`: tables, chains, maps, rules; each is an object with one key. */
  list(what: readonly string[], netns?: string): Promise<Record<string, unknown>[]>
}

export function createNft(run: Run): Nft {
  return {
    async apply(text, netns) {
      if (text.trim() === '') return
      try {
        await runInNamespace(run, netns)('nft', ['-f', '-'], { input: text })
      } catch (thrown) {
        const said = thrown instanceof Fault ? String(thrown.data.stderr ?? '') : ''
        throw internal(`nft refused a ruleset${said === '' ? '' : `: ${said.split('\n', 1)[0]}`}`, { detail: said, cause: thrown })
      }
    },
    ruleset: async (netns) => (await runInNamespace(run, netns)('nft', ['-s', 'list', 'ruleset'])).stdout,
    async list(what, netns) {
      const { stdout } = await runInNamespace(run, netns)('nft', ['-j', 'list', ...what])
      return (JSON.parse(stdout) as { nftables: Record<string, unknown>[] }).nftables
    },
  }
}
