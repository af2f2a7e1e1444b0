/** Forgetting connections that the kernel remembers, so that a rule or an address that was taken away stops working at once. */
import { internal } from '#base/fault.ts'
import type { Run } from '#base/process/run.ts'
import { runInNamespace } from './namespace.ts'

/** What must match; all given parts must. */
export interface ConnectionMatch {
  family: 4 | 6
  zone?: number
  /** Addresses of the first packet, as its sender wrote it. */
  orig_src?: string
  orig_dst?: string
  /** Where answers are sent: the address after source translation. */
  reply_dst?: string
}

export interface Conntrack {
  /** Matching nothing is no error. */
  forget(match: ConnectionMatch, netns?: string): Promise<void>
}

const ATTEMPTS = 10

export function createConntrack(run: Run): Conntrack {
  return {
    async forget(match, netns) {
      const args = ['-D', '-f', match.family === 4 ? 'ipv4' : 'ipv6']
      if (match.zone !== undefined) args.push('-w', String(match.zone))
      if (match.orig_src !== undefined) args.push('-s', match.orig_src)
      if (match.orig_dst !== undefined) args.push('-d', match.orig_dst)
      if (match.reply_dst !== undefined) args.push('-q', match.reply_dst)
      // Code 1 is said when nothing matched, and when one that was listed had ended by itself before its turn: then the rest was not looked at.
      for (let attempt = 1; ; attempt++) {
        const { code, stderr } = await runInNamespace(run, netns)('conntrack', args, { okCodes: [0, 1] })
        if (code === 0 || stderr.includes('have been deleted')) return
        if (attempt === ATTEMPTS) throw internal('conntrack could not forget connections', { detail: `${args.join(' ')}: ${stderr.trim()}` })
      }
    },
  }
}
