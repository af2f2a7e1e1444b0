/** Keys that lie in files which other processes change: read again now and then, and at once when what is asked of them fits none. */
import type { World } from '#base/world.ts'

/** Milliseconds between readings when a token fits no key, and when all goes well. */
const LOOK_AGAIN = 1_000
const REFRESH = 30_000

export interface Rereading {
  /** Reads now. */
  again(): Promise<void>
  /** Waits where the last reading is old; else undefined. */
  recent(): Promise<void> | undefined
  /** What `find` finds among recent keys; when it is nothing, once more among those that another process may have brought since. */
  find<T>(find: () => T | undefined): Promise<T | undefined>
}

export function rereading(world: World, read: () => Promise<void>): Rereading {
  let read_at = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined
  const again = async (): Promise<void> => {
    await read()
    read_at = world.clock.now()
  }
  const younger = (age: number): Promise<void> | undefined => {
    if (world.clock.now() - read_at < age) return undefined
    reading ??= again().finally(() => {
      reading = undefined
    })
    return reading
  }
  return {
    again,
    recent: () => younger(REFRESH),
    async find(find) {
      await younger(REFRESH)
      const found = find()
      if (found !== undefined) return found
      const looked = younger(LOOK_AGAIN)
      if (!looked) return undefined
      await looked
      return find()
    },
  }
}
