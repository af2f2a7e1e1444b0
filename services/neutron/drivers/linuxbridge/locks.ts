/** Who may work at the same time: work on one object is done in order, work on the whole host alone. */
export class Locks {
  readonly #tails = new Map<string, Promise<unknown>>()
  #exclusive: Promise<unknown> = Promise.resolve()

  /** After all earlier work on `key` and after any work on the whole. */
  one<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = Promise.all([this.#exclusive, this.#tails.get(key)])
    const mine = before.then(work)
    const tail = mine.then(nothing, nothing)
    this.#tails.set(key, tail)
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key)
    })
    return mine
  }

  /** After everything that was asked for earlier; what is asked for later waits. */
  all<T>(work: () => Promise<T>): Promise<T> {
    const mine = Promise.all([this.#exclusive, ...this.#tails.values()]).then(work)
    this.#exclusive = mine.then(nothing, nothing)
    return mine
  }
}

const nothing = (): void => {}
