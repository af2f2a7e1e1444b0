/** Traffic control. Changes go through `tc -batch -`, one process for many. */
import type { Run } from '#base/process/run.ts'
import { batchLine, type Command, inNetns } from './ip.ts'

export interface Tc {
  batch(commands: readonly Command[], netns?: string): Promise<void>
}

export function createTc(run: Run): Tc {
  return {
    async batch(commands, netns) {
      if (commands.length > 0) await run('tc', [...inNetns(netns), '-batch', '-'], { input: `${commands.map(batchLine).join('\n')}\n` })
    },
  }
}
