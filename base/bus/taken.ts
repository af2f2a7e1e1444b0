/**
 * The server's side of calls: a request that comes again is not done again. While it is done its caller gets signs; when it is done, the answer,
 * and for a while once more as often as it is asked. What was forgotten since is done again: handlers ensure, so twice does no harm.
 */
import type { World } from '../world.ts'
import { WORKING, WORKING_EVERY } from './calls.ts'

/** What is quicker gives no sign, milliseconds. */
const FIRST_SIGN = 1_000
/** Answers that are kept, and their characters together. */
const KEPT = 500
const KEPT_TEXT = 4 << 20

type Reply = (text: string) => void

export class Taken {
  readonly #world: World
  readonly #running = new Map<string, { reply: Reply }>()
  readonly #answers = new Map<string, string>()
  #kept = 0

  constructor(world: World) {
    this.#world = world
  }

  /** `run` gives the answer, or undefined when nobody waits for one. Resolves when it is given; at once for what is being done already. */
  async take(id: string, run: () => Promise<string | undefined>, reply: Reply): Promise<void> {
    const again = this.#running.get(id)
    if (again) {
      // Its caller may have another address by now.
      again.reply = reply
      reply(WORKING)
      return
    }
    const known = this.#answers.get(id)
    if (known !== undefined) return reply(known)
    const entry = { reply }
    this.#running.set(id, entry)
    let stop = this.#world.clock.after(FIRST_SIGN, () => sign())
    const sign = (): void => {
      entry.reply(WORKING)
      stop = this.#world.clock.after(WORKING_EVERY, sign)
    }
    try {
      const answer = await run()
      if (answer === undefined) return
      this.#keep(id, answer)
      entry.reply(answer)
    } finally {
      stop()
      this.#running.delete(id)
    }
  }

  #keep(id: string, answer: string): void {
    this.#answers.set(id, answer)
    this.#kept += answer.length
    for (const [old, text] of this.#answers) {
      if (this.#answers.size <= KEPT && this.#kept <= KEPT_TEXT) break
      this.#answers.delete(old)
      this.#kept -= text.length
    }
  }
}
