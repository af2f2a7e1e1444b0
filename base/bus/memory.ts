/**
 * The bus inside one process: the same envelope through a JSON copy, so that nothing is shared by accident. Time is the World's,
 * servers of a topic take turns, and one-way messages arrive in the order in which they were sent.
 */
import { conflict, type Fault, timedOut, unavailable } from '../fault.ts'
import type { World } from '../world.ts'
import { Desk } from './desk.ts'
import { openAnswer, seal, unseal } from './envelope.ts'
import type { BusFaults } from './faults.ts'
import type { Bus, MessageKind } from './interface.ts'

export type { BusFaults } from './faults.ts'

interface Seat {
  desk: Desk
  exclusive: boolean
}

export function memoryBus(world: World, faults?: BusFaults, sender = 'memory'): Bus {
  const topics = new Map<string, { seats: Seat[]; next: number }>()
  const waiting = new Set<(reason: unknown) => void>()
  let closed: Fault | undefined

  const pick = (topic: string): Desk | undefined => {
    const entry = topics.get(topic)
    return entry?.seats[entry.next++ % entry.seats.length]?.desk
  }

  const deliver = (desk: Desk, text: string, signal?: AbortSignal): Promise<string | undefined> => desk.handle(unseal(text)!, signal ? { signal } : {})

  const oneWay = (desk: Desk, topic: string, method: string, kind: MessageKind, payload: unknown): void => {
    const { text } = seal(world, sender, kind, topic, method, payload)
    const fate = faults?.deliver(topic, method, kind) ?? 0
    if (fate === 'lose') return
    const go = (): void => void deliver(desk, text)
    if (typeof fate === 'number' && fate > 0) world.clock.after(fate, go)
    else queueMicrotask(go)
    if (fate === 'double') queueMicrotask(go)
  }

  return {
    async call(topic, method, payload, options = {}) {
      if (closed) throw closed
      options.signal?.throwIfAborted()
      const desk = pick(topic)
      if (!desk) throw unavailable(`Nobody serves ${topic}`, { code: 'bus.nobody' })
      const limit = options.timeout ?? 60_000
      const { text } = seal(world, sender, 'call', topic, method, payload, limit)
      const fate = faults?.deliver(topic, method, 'call') ?? 0
      const given = new AbortController()
      const answer = await new Promise<string>((resolve, reject) => {
        const giveUp = (reason: unknown): void => {
          given.abort(reason)
          reject(reason)
        }
        const stop = world.clock.after(limit, () => giveUp(timedOut(`${topic} did not answer ${method} in ${limit} ms`, { code: 'bus.timeout' })))
        const onAbort = (): void => giveUp(options.signal!.reason)
        options.signal?.addEventListener('abort', onAbort, { once: true })
        waiting.add(giveUp)
        const done = (result: string | undefined): void => {
          if (result !== undefined) resolve(result)
        }
        given.signal.addEventListener('abort', () => {
          stop()
          options.signal?.removeEventListener('abort', onAbort)
          waiting.delete(giveUp)
        })
        if (fate === 'lose') return
        const go = (): void => void deliver(desk, text, given.signal).then(done)
        if (typeof fate === 'number' && fate > 0) world.clock.after(fate, go)
        else go()
        if (fate === 'double') go()
      }).finally(() => {
        if (!given.signal.aborted) given.abort()
      })
      return openAnswer(answer)
    },
    async cast(topic, method, payload) {
      if (closed) throw closed
      const desk = pick(topic)
      if (desk) oneWay(desk, topic, method, 'cast', payload)
    },
    async fanout(topic, method, payload) {
      if (closed) throw closed
      for (const { desk } of topics.get(topic)?.seats ?? []) oneWay(desk, topic, method, 'fanout', payload)
    },
    async serve(topic, handlers, options = {}) {
      if (closed) throw closed
      const entry = topics.get(topic) ?? { seats: [], next: 0 }
      if (entry.seats.some((seat) => seat.exclusive) || (options.exclusive && entry.seats.length > 0)) throw conflict(`Another server serves ${topic} alone`, { code: 'bus.exclusive' })
      const seat: Seat = { desk: new Desk(world, handlers, options), exclusive: options.exclusive ?? false }
      entry.seats.push(seat)
      topics.set(topic, entry)
      return {
        async close() {
          const at = entry.seats.indexOf(seat)
          if (at >= 0) entry.seats.splice(at, 1)
          if (entry.seats.length === 0 && topics.get(topic) === entry) topics.delete(topic)
          await seat.desk.drained()
        },
      }
    },
    async close() {
      if (closed) return
      closed = unavailable('The message bus is closed', { code: 'bus.closed' })
      const desks = [...topics.values()].flatMap((entry) => entry.seats.map((seat) => seat.desk))
      topics.clear()
      await Promise.all(desks.map((desk) => desk.drained()))
      for (const giveUp of waiting) giveUp(closed)
    },
  }
}
