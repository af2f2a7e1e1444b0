/** Small numbers for things with long names: marks of ports, conntrack zones of networks. 1 to 65535, the lowest free one. */
import { unavailable } from '#base/fault.ts'

export class Numbers {
  readonly #byKey = new Map<string, number>()
  readonly #taken = new Set<number>()
  #from = 1

  /** The key's number; gives one if it has none. */
  of(key: string): number {
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    while (this.#taken.has(this.#from)) this.#from++
    if (this.#from > 65535) throw unavailable('This host has no number left for another port or network')
    this.adopt(key, this.#from)
    return this.#byKey.get(key)!
  }

  get(key: string): number | undefined {
    return this.#byKey.get(key)
  }

  /** Takes over what an earlier process gave. */
  adopt(key: string, number: number): void {
    this.#byKey.set(key, number)
    this.#taken.add(number)
  }

  release(key: string): void {
    const number = this.#byKey.get(key)
    if (number === undefined) return
    this.#byKey.delete(key)
    this.#taken.delete(number)
    this.#from = Math.min(this.#from, number)
  }

  keys(): string[] {
    return [...this.#byKey.keys()]
  }
}
