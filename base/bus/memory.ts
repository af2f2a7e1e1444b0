/**
 * The bus inside one process: the same envelope through a JSON copy, so that nothing is shared by accident. Time is the World's,
 * servers of a topic take turns, and one-way messages arrive in the order in which they were sent.
 */
import { conflict, type Fault, unavailable } from '../fault.ts'
import type { World } from '../world.ts'
import { Calls, type Request } from './calls.ts'
import { Desk } from './desk.ts'
import { seal, unseal } from './envelope.ts'
import type { BusFaults } from './faults.ts'
import type { Bus, MessageKind } from './interface.ts'
import { Taken } from './taken.ts'

export type { BusFaults } from './faults.ts'

interface Seat {
  desk: Desk
  taken: Taken
  exclusive: boolean
}

export function memoryBus(world: World, faults?: BusFaults, sender = 'memory'): Bus {
  const topics = new Map<string, { seats: Seat[]; next: number }>()
  const calls = new Calls(world, sender)
  let closed: Fault | undefined

  const pick = (topic: string): Seat | undefined => {
    const entry = topics.get(topic)
    return entry?.seats[entry.next++ % entry.seats.length]
  }

  /** `go` now, later, twice or never. */
  const underFaults = (fate: number | 'lose' | 'double', go: () => void): void => {
    if (fate === 'lose') return
    if (typeof fate === 'number' && fate > 0) return void world.clock.after(fate, go)
    go()
    if (fate === 'double') go()
  }

  const send = ({ id, topic, method, text, signal }: Request): void => {
    const seat = pick(topic)
    if (!seat) throw unavailable(`Nobody serves ${topic}`, { code: 'bus.nobody' })
    const reply = (answer: string): void => underFaults(faults?.deliver(topic, method, 'answer') ?? 0, () => calls.onText(id, answer))
    underFaults(faults?.deliver(topic, method, 'call') ?? 0, () => void seat.taken.take(id, () => seat.desk.handle(unseal(text)!, { signal }), reply))
  }

  const oneWay = (desk: Desk, topic: string, method: string, kind: MessageKind, payload: unknown): void => {
    const { text } = seal(world, sender, kind, topic, method, payload)
    underFaults(faults?.deliver(topic, method, kind) ?? 0, () => queueMicrotask(() => void desk.handle(unseal(text)!)))
  }

  return {
    get up() {
      return closed === undefined
    },
    async call(topic, method, payload, options = {}) {
      if (closed) throw closed
      return calls.call(topic, method, payload, options, send)
    },
    async cast(topic, method, payload) {
      if (closed) throw closed
      const seat = pick(topic)
      if (seat) oneWay(seat.desk, topic, method, 'cast', payload)
    },
    async fanout(topic, method, payload) {
      if (closed) throw closed
      for (const { desk } of topics.get(topic)?.seats ?? []) oneWay(desk, topic, method, 'fanout', payload)
    },
    async serve(topic, handlers, options = {}) {
      if (closed) throw closed
      const entry = topics.get(topic) ?? { seats: [], next: 0 }
      if (entry.seats.some((seat) => seat.exclusive) || (options.exclusive && entry.seats.length > 0)) throw conflict(`Another server serves ${topic} alone`, { code: 'bus.exclusive' })
      const seat: Seat = { desk: new Desk(world, handlers, options), taken: new Taken(world), exclusive: options.exclusive ?? false }
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
      calls.endAll(closed)
    },
  }
}
