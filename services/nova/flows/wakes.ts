/** Whoever waits for something about a server is woken here; the wake carries no news (S10): look for yourself. */
import type { Clock } from '#base/clock.ts'
import { type FaultData, faultFromData } from '#base/fault.ts'

export class Wakes {
  readonly #waiting = new Map<string, Set<() => void>>()
  readonly #clock: Clock
  /** Servers that this process inserted a moment ago: nothing of them can exist elsewhere yet, so nothing need be looked for. */
  readonly #newClaims = new Set<string>()
  readonly #newPorts = new Set<string>()
  readonly #toRefresh = new Set<string>()
  readonly #outcomes = new Map<string, FaultData | 'well' | undefined>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  inserted(serverId: string): void {
    this.#newClaims.add(serverId)
    this.#newPorts.add(serverId)
  }

  /** True once: a step that runs again must look. */
  claimFresh(serverId: string): boolean {
    return this.#newClaims.delete(serverId)
  }

  portsFresh(serverId: string): boolean {
    return this.#newPorts.delete(serverId)
  }

  refreshLater(serverId: string): void {
    this.#toRefresh.add(serverId)
  }

  /** True once when something about its ports was told while it was built. */
  wantsRefresh(serverId: string): boolean {
    return this.#toRefresh.delete(serverId)
  }

  /** Whoever asks for an action's end, asks before it begins. */
  expect(actionId: string): void {
    this.#outcomes.set(actionId, undefined)
  }

  ended(actionId: string, serverId: string, outcome: FaultData | 'well'): void {
    this.#newClaims.delete(serverId)
    this.#newPorts.delete(serverId)
    if (this.#outcomes.has(actionId)) this.#outcomes.set(actionId, outcome)
    this.wake(serverId)
  }

  /** The end of an expected action; throws the fault it ended with. */
  async outcome(actionId: string, serverId: string, signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        const known = this.#outcomes.get(actionId)
        if (known === 'well') return
        if (known) throw faultFromData(known)
        await this.wait(serverId, 1_000, signal)
      }
    } finally {
      this.#outcomes.delete(actionId)
    }
  }

  wake(serverId: string): void {
    for (const go of this.#waiting.get(serverId) ?? []) go()
  }

  /** Resolves when woken or after `ms`; rejects when aborted. */
  wait(serverId: string, ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(serverId) ?? new Set()
      this.#waiting.set(serverId, waiting)
      const end = (): void => {
        stop()
        signal.removeEventListener('abort', onAbort)
        waiting.delete(go)
        if (waiting.size === 0) this.#waiting.delete(serverId)
      }
      const go = (): void => {
        end()
        resolve()
      }
      const onAbort = (): void => {
        end()
        reject(signal.reason)
      }
      const stop = this.#clock.after(ms, go)
      waiting.add(go)
      if (signal.aborted) onAbort()
      else signal.addEventListener('abort', onAbort, { once: true })
    })
  }
}
