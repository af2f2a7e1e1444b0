/** Runs over all of them, so many at once; stops beginning new ones when the signal says so, and then throws what it says. */
export async function inParallel<Item>(items: readonly Item[], atOnce: number, signal: AbortSignal, run: (item: Item) => Promise<void>): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => {
    while (next < items.length) {
      signal.throwIfAborted()
      await run(items[next++]!)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work))
}
