/** The CPU profile of this process while something runs: which functions the time was spent in, themselves. */
import { Session } from 'node:inspector/promises'
import { writeFile } from 'node:fs/promises'

export interface SelfTime {
  name: string
  /** Share of the time that was not idle, per cent. */
  share: number
}

export interface Profiling {
  stop(top?: number, file?: string): Promise<SelfTime[]>
}

export async function startProfile(): Promise<Profiling> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 100 })
  await session.post('Profiler.start')
  return {
    async stop(top = 40, file) {
      const { profile } = await session.post('Profiler.stop')
      session.disconnect()
      if (file) await writeFile(file, JSON.stringify(profile))
      const nameOf = new Map<number, string>()
      for (const node of profile.nodes) {
        const { functionName, url, lineNumber } = node.callFrame
        const place = url.replace(/^.*\/node_modules\//, '').replace(/^file:\/\/.*?\/(base|stack|cloud|host|services)\//, '$1/')
        nameOf.set(node.id, `${functionName || '(anonymous)'}${place ? ` ${place}:${lineNumber + 1}` : ''}`)
      }
      const spent = new Map<string, number>()
      let busy = 0
      profile.samples?.forEach((id, i) => {
        const name = nameOf.get(id)!
        const delta = profile.timeDeltas?.[i] ?? 0
        if (name === '(idle)') return
        busy += delta
        spent.set(name, (spent.get(name) ?? 0) + delta)
      })
      return [...spent].sort((a, b) => b[1] - a[1]).slice(0, top).map(([name, time]) => ({ name, share: (time / busy) * 100 }))
    },
  }
}
