/**
 * Many callers, one process: what is asked for while a run is under way is gathered into the next run. When a gathered run
 * fails, its parts are run one by one, so that the fault reaches only the caller it belongs to.
 */
interface Waiting<Part> {
  part: Part
  resolve: () => void
  reject: (thrown: unknown) => void
}

export type Gather<Part> = (part: Part) => Promise<void>

export function gather<Part>(runAll: (parts: readonly Part[]) => Promise<void>): Gather<Part> {
  let waiting: Waiting<Part>[] = []
  let running = false

  const work = async (): Promise<void> => {
    running = true
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        await runAll(batch.map(({ part }) => part))
        for (const { resolve } of batch) resolve()
      } catch (thrown) {
        if (batch.length === 1) batch[0]!.reject(thrown)
        else for (const one of batch) await runAll([one.part]).then(one.resolve, one.reject)
      }
    }
    running = false
  }

  return (part) =>
    new Promise((resolve, reject) => {
      waiting.push({ part, resolve, reject })
      // One turn later, so that callers who were started together are gathered together.
      if (!running) {
        running = true
        queueMicrotask(() => void work())
      }
    })
}
