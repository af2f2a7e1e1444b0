/** A value that cannot be printed (law 10): logs, JSON, templates and `util.inspect` all show stars. */
import { inspect } from 'node:util'

const MASK = '***'

export class Secret<T = string> {
  readonly #value: T

  constructor(value: T) {
    this.#value = value
  }

  /** The one way to the value: easy to find in a review. */
  reveal(): T {
    return this.#value
  }

  toString(): string {
    return MASK
  }

  toJSON(): string {
    return MASK
  }

  [Symbol.toPrimitive](): string {
    return MASK
  }

  [inspect.custom](): string {
    return MASK
  }
}
