/**
 * What simulated users keep in the object store, and what they know of it: for each name what may stand there. An answer that never came, or a 5xx,
 * leaves it open whether the thing was done; every other answer decides it.
 */
import { createHash } from 'node:crypto'
import type { Random } from '#base/random.ts'
import type { Answer } from './operations.ts'

/** A path below the account; the body goes as it is. */
export type Store = (method: string, path: string, more?: { body?: string; headers?: Record<string, string> }) => Promise<Answer & { etag: string }>

/** What may stand under a name; null: nothing. */
type Maybe = Set<string | null>

export interface Shelf {
  /** container → object → what may stand there. A container that is not in it is not there, or its making was never answered. */
  readonly containers: Map<string, Map<string, Maybe>>
  /** `container/object` that somebody changes just now. */
  readonly busy: Set<string>
  readonly broken: string[]
  serial: number
  /** Operations done beside the first one of a turn. */
  more: number
}

export const emptyShelf = (): Shelf => ({ containers: new Map(), busy: new Set(), broken: [], serial: 0, more: 0 })

interface Keeper {
  readonly random: Random
  readonly shelf: Shelf
  readonly store: Store
}

const NAMES = 6
const open = (status: number): boolean => status >= 500
const text = (maybe: Maybe): string => [...maybe].map((one) => (one === null ? 'nothing' : `${one.length} bytes`)).join(' or ')

/** Some operations one after another; the last answer, undefined when there was nothing to do. */
export async function keep(keeper: Keeper): Promise<Answer | undefined> {
  let answer: Answer | undefined
  for (let left = 1 + keeper.random.below(6); left > 0; left--) {
    const next = await keepOnce(keeper)
    if (next && answer) keeper.shelf.more++
    answer = next ?? answer
  }
  return answer
}

async function keepOnce(keeper: Keeper): Promise<Answer | undefined> {
  const { random, shelf, store } = keeper
  const container = `shelf-${random.below(3)}`
  const dice = random.below(20)
  if (!shelf.containers.has(container)) {
    const made = await store('PUT', `/${container}`)
    if (made.status < 300 && !shelf.containers.has(container)) shelf.containers.set(container, new Map())
    return made
  }
  if (dice === 0) return removeContainer(keeper, container)
  const name = `thing-${random.below(NAMES)}`
  if (dice < 9) return change(keeper, container, name, `${name} ${++shelf.serial} `.repeat(1 + random.below(40)))
  if (dice < 12) return change(keeper, container, name, null)
  if (dice < 14) return copy(keeper, container, name, `thing-${random.below(NAMES)}`)
  return look(keeper, container, name)
}

/** Nobody else of this user changes the name meanwhile. */
async function alone<T>({ shelf }: Keeper, path: string, work: () => Promise<T>): Promise<T | undefined> {
  if (shelf.busy.has(path)) return undefined
  shelf.busy.add(path)
  return work().finally(() => shelf.busy.delete(path))
}

const known = ({ shelf }: Keeper, container: string, name: string): Maybe => shelf.containers.get(container)?.get(name) ?? new Set([null])
const learn = ({ shelf }: Keeper, container: string, name: string, maybe: Maybe): void => void shelf.containers.get(container)?.set(name, maybe)

async function change(keeper: Keeper, container: string, name: string, body: string | null): Promise<Answer | undefined> {
  const path = `/${container}/${name}`
  return alone(keeper, path, async () => {
    const before = known(keeper, container, name)
    const answer = await keeper.store(body === null ? 'DELETE' : 'PUT', path, body === null ? {} : { body })
    const { status } = answer
    if (open(status)) learn(keeper, container, name, new Set([...before, body]))
    else if (status < 300) learn(keeper, container, name, new Set([body]))
    else if (status === 404 && body === null) {
      if (!before.has(null)) keeper.shelf.broken.push(`object ${path} was to be deleted and was not found, though ${text(before)} was acknowledged`)
      learn(keeper, container, name, new Set([null]))
    }
    if (status === 201 && body !== null && answer.etag !== createHash('md5').update(body).digest('hex')) keeper.shelf.broken.push(`object ${path} was acknowledged with the wrong checksum`)
    return answer
  })
}

async function copy(keeper: Keeper, container: string, from: string, to: string): Promise<Answer | undefined> {
  const path = `/${container}/${to}`
  if (from === to) return undefined
  return alone(keeper, `/${container}/${from}`, () =>
    alone(keeper, path, async () => {
      const [source, before] = [known(keeper, container, from), known(keeper, container, to)]
      const answer = await keeper.store('PUT', path, { headers: { 'x-copy-from': `/${container}/${from}` } })
      if (open(answer.status)) learn(keeper, container, to, new Set([...before, ...[...source].filter((one) => one !== null)]))
      else if (answer.status < 300) learn(keeper, container, to, new Set([...source].filter((one) => one !== null)))
      else if (answer.status === 404 && !source.has(null)) keeper.shelf.broken.push(`object /${container}/${from} was to be copied and was not found, though ${text(source)} was acknowledged`)
      return answer
    }),
  )
}

export async function look(keeper: Pick<Keeper, 'shelf' | 'store'>, container: string, name: string): Promise<Answer> {
  const path = `/${container}/${name}`
  const quiet = !keeper.shelf.busy.has(path)
  const before = known(keeper as Keeper, container, name)
  const answer = await keeper.store('GET', path)
  const meanwhile = keeper.shelf.busy.has(path) || known(keeper as Keeper, container, name) !== before
  if (quiet && !meanwhile && !open(answer.status)) {
    const found = answer.status === 200 ? answer.text : null
    if (!before.has(found)) keeper.shelf.broken.push(`object ${path} holds ${found === null ? 'nothing' : `${found.length} bytes`}, and ${text(before)} was acknowledged`)
  }
  return answer
}

async function removeContainer(keeper: Keeper, container: string): Promise<Answer | undefined> {
  const { shelf, store } = keeper
  const inside = shelf.containers.get(container)!
  if ([...shelf.busy].some((path) => path.startsWith(`/${container}/`))) return undefined
  // Until it is decided nobody begins anything in it.
  shelf.containers.delete(container)
  const answer = await store('DELETE', `/${container}`)
  if (answer.status < 300) {
    for (const [name, maybe] of inside) if (!maybe.has(null)) shelf.broken.push(`container ${container} was deleted with ${name} in it`)
    shelf.containers.delete(container)
  } else if (open(answer.status)) {
    for (const maybe of inside.values()) maybe.add(null)
    shelf.containers.set(container, inside)
  } else if (answer.status === 404) {
    for (const [name, maybe] of inside) if (!maybe.has(null)) shelf.broken.push(`container ${container} with ${name} in it is not there`)
  } else shelf.containers.set(container, inside)
  return answer
}
