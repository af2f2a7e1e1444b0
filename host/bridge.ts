/** The forwarding database of bridges and VXLAN devices (`bridge fdb`). */
import type { Run } from '#base/process/run.ts'
import { batchLine, type Command, inNetns } from './ip.ts'

/** Where frames for a MAC go: on a VXLAN device `dst` is the address of the remote tunnel end. */
export interface FdbEntry {
  mac: string
  dst?: string
}

export interface Bridge {
  batch(commands: readonly Command[], netns?: string): Promise<void>
  fdb(dev: string, netns?: string): Promise<FdbEntry[]>
}

export function createBridge(run: Run): Bridge {
  return {
    async batch(commands, netns) {
      if (commands.length > 0) await run('bridge', [...inNetns(netns), '-batch', '-'], { input: `${commands.map(batchLine).join('\n')}\n` })
    },
    async fdb(dev, netns) {
      const { stdout } = await run('bridge', [...inNetns(netns), '-j', 'fdb', 'show', 'dev', dev])
      return stdout.trim() === '' ? [] : (JSON.parse(stdout) as FdbEntry[])
    },
  }
}
