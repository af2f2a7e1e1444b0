/**
 * Work that several wait for and that is done once: fetching an image for ten guests that boot together. It is given up only when nobody
 * waits any more, so deleting one of the ten does not fail the other nine.
 */
interface Under<T> {
  promise: Promise<T>
  abort: AbortController
  waiting: number
}

export type SharedWork<T> = (key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>) => Promise<T>

export function sharedWork<T>(): SharedWork<T> {
  const under = new Map<string, Under<T>>()
  return async (key, signal, work) => {
    signal.throwIfAborted()
    let one = under.get(key)
    if (!one) {
      const abort = new AbortController()
      const made: Under<T> = { abort, waiting: 0, promise: work(abort.signal).finally(() => under.get(key) === made && under.delete(key)) }
      made.promise.catch(() => {})
      under.set(key, (one = made))
    }
    one.waiting += 1
    let leave: () => void = () => {}
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(signal.reason)
      signal.addEventListener('abort', leave, { once: true })
    })
    try {
      return await Promise.race([one.promise, left])
    } finally {
      signal.removeEventListener('abort', leave)
      one.waiting -= 1
      if (one.waiting === 0 && signal.aborted) {
        if (under.get(key) === one) under.delete(key)
        one.abort.abort(signal.reason)
      }
    }
  }
}
