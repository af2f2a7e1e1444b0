/**
 * Work that must stay true for ever (law 2). A reconciler takes no input: it reads the wish and the world, and moves the world. It is
 * woken by a signal that carries no data and by a slow clock; rounds never overlap; the next round is the retry.
 */
import { runInScope } from './scope.ts'
import type { World } from './world.ts'

export interface Reconciler {
  /** Asks for a round soon; calls during a round make one more. */
  wake(): void
  /** Runs a round now and waits for it. */
  round(): Promise<void>
  close(): Promise<void>
}

export interface ReconcilerOptions {
  name: string
  /** Milliseconds between rounds nobody asked for. */
  every: number
  /** Milliseconds until the next round after one that failed. Default `every`. */
  retry?: number
  world: World
  run: (signal: AbortSignal) => Promise<void>
}

export function startReconciler(options: ReconcilerOptions): Reconciler {
  const { world, name } = options
  const log = world.log.module(name)
  const stop = new AbortController()
  let running: Promise<void> | undefined
  let again = false
  let cancel = (): void => {}
  const round = async (): Promise<void> => {
    cancel()
    let failed = false
    do {
      again = false
      failed = false
      try {
        await runInScope({ request_id: `req-${world.random.uuid()}` }, () => options.run(stop.signal))
      } catch (thrown) {
        failed = true
        if (!stop.signal.aborted) log.warn('Failed a round', { error: thrown })
      }
    } while (again && !stop.signal.aborted)
    running = undefined
    if (!stop.signal.aborted) cancel = world.clock.after(failed ? (options.retry ?? options.every) : options.every, wake)
  }
  const wake = (): void => {
    if (stop.signal.aborted) return
    if (running) again = true
    else running = Promise.resolve().then(round)
  }
  cancel = world.clock.after(options.every, wake)
  return {
    wake,
    async round() {
      wake()
      await running
    },
    async close() {
      stop.abort(new Error('closing'))
      cancel()
      await running
    },
  }
}
