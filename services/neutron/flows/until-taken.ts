/** Wake-ups while the message broker is away: held until it takes them, so that agents need not wait for their slow clock. */
import { isFault } from '#base/fault.ts'
import type { World } from '#base/world.ts'

/** With what a message waits by itself, some minutes. */
const TRIES = 60
const PAUSE = 1_000

/** Throws what the last try threw, and anything but `bus.disconnected` at once. */
export async function untilTaken(world: World, send: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await send()
      return
    } catch (thrown) {
      if (tries === TRIES || !isFault(thrown) || (thrown.code !== 'bus.disconnected' && thrown.code !== 'bus.refused')) throw thrown
      await world.clock.sleep(PAUSE)
    }
  }
}
