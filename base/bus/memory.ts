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
  away: boolean
}

/** The bus in memory can also play the deaths of its servers. */
export interface MemoryBus extends Bus {
  /** The topics that are served now. */
  topics(): string[]
  /** The process behind a topic dies: what it did is answered by nobody. It is away for `ms` and comes back without a memory of messages. */
  die(topic: string, ms: number): void
}

export function memoryBus(world: World, faults?: BusFaults, sender = 'memory'): MemoryBus {
  const topics = new Map<string, { seats: Seat[]; next: number }>()
  const calls = new Calls(world, sender)
  let closed: Fault | undefined

  const pick = (topic: string): Seat | undefined => {
    const entry = topics.get(topic)
    if (!entry) return undefined
    for (let tries = entry.seats.length; tries > 0; tries--) {
      const seat = entry.seats[entry.next++ % entry.seats.length]!
      if (!seat.away) return seat
    }
    return undefined
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
    const { taken } = seat
    const reply = (answer: string): void => {
      // Who has died since answers nobody.
      if (seat.taken === taken) underFaults(faults?.deliver(topic, method, 'answer') ?? 0, () => calls.onText(id, answer))
    }
    underFaults(faults?.deliver(topic, method, 'call') ?? 0, () => void (seat.taken === taken && taken.take(id, () => seat.desk.handle(unseal(text)!, { signal }), reply)))
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
      for (const { desk, away } of topics.get(topic)?.seats ?? []) if (!away) oneWay(desk, topic, method, 'fanout', payload)
    },
    async serve(topic, handlers, options = {}) {
      if (closed) throw closed
      const entry = topics.get(topic) ?? { seats: [], next: 0 }
      if (entry.seats.some((seat) => seat.exclusive) || (options.exclusive && entry.seats.length > 0)) throw conflict(`Another server serves ${topic} alone`, { code: 'bus.exclusive' })
      const seat: Seat = { desk: new Desk(world, handlers, options), taken: new Taken(world), exclusive: options.exclusive ?? false, away: false }
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
    topics: () => [...topics.keys()],
    die(topic, ms) {
      for (const seat of topics.get(topic)?.seats ?? []) {
        if (seat.away) continue
        seat.away = true
        seat.taken = new Taken(world)
        world.clock.after(ms, () => {
          seat.away = false
        })
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
