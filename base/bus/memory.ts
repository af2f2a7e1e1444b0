/** The bus inside one process: the same envelope through a JSON copy, so that nothing is shared by accident. */
import { Fault, faultFromData, faultToData, timedOut, unavailable } from '../fault.ts'
import { currentScope, runInScope, type Scope } from '../scope.ts'
import type { World } from '../world.ts'
import type { Bus, Handlers, MessageInfo, ServeOptions } from './interface.ts'

/** Faults for simulation: what to do with one message. */
export interface BusFaults {
  /** Milliseconds to wait before delivery, or `lose`, or `double`. */
  deliver(topic: string, method: string, kind: 'call' | 'cast' | 'fanout'): number | 'lose' | 'double'
}

interface Server {
  handlers: Handlers
  limit: number
  busy: number
  waiting: (() => void)[]
  idle: (() => void)[]
  closed: boolean
}

export function memoryBus(world: World, faults?: BusFaults): Bus {
  const topics = new Map<string, { servers: Server[]; next: number }>()
  let closed = false

  const pick = (topic: string): Server | undefined => {
    const entry = topics.get(topic)
    if (!entry || entry.servers.length === 0) return undefined
    return entry.servers[entry.next++ % entry.servers.length]
  }

  const handle = async (server: Server, topic: string, method: string, body: string, scope: Scope | undefined, info: Omit<MessageInfo, 'topic' | 'method'>): Promise<string> => {
    if (server.busy >= server.limit) await new Promise<void>((resolve) => server.waiting.push(resolve))
    server.busy++
    try {
      const handler = server.handlers[method]
      if (!handler) throw new Fault('not_implemented', `${topic} knows no method ${method}`)
      const work = (): Promise<unknown> => world.trace.span('rpc', topic, method, async () => handler(JSON.parse(body) as never, { topic, method, ...info }))
      const result = await (scope ? runInScope(scope, work) : work())
      return JSON.stringify({ result: result ?? null })
    } catch (thrown) {
      return JSON.stringify({ fault: faultToData(thrown) })
    } finally {
      server.busy--
      server.waiting.shift()?.()
      if (server.busy === 0) for (const wake of server.idle.splice(0)) wake()
    }
  }

  const oneWay = (server: Server, topic: string, method: string, body: string, kind: 'cast' | 'fanout'): void => {
    const scope = currentScope()
    const fate = faults?.deliver(topic, method, kind) ?? 0
    if (fate === 'lose') return
    const times = fate === 'double' ? 2 : 1
    for (let i = 0; i < times; i++) {
      const go = (): void => {
        void handle(server, topic, method, body, scope, { signal: new AbortController().signal }).then((answer) => {
          const { fault } = JSON.parse(answer) as { fault?: { message: string } }
          if (fault) world.log.module('bus').warn('Failed to handle a message', { topic, method, error: fault.message })
        })
      }
      if (typeof fate === 'number' && fate > 0) world.clock.after(fate, go)
      else queueMicrotask(go)
    }
  }

  return {
    async call(topic, method, payload, options = {}) {
      if (closed) throw unavailable('The message bus is closed')
      const server = pick(topic)
      if (!server) throw unavailable(`Nobody serves ${topic}`, { code: 'bus.nobody' })
      const limit = options.timeout ?? 60_000
      const fate = faults?.deliver(topic, method, 'call') ?? 0
      const body = JSON.stringify(payload ?? null)
      const abort = new AbortController()
      const waits: Promise<string>[] = []
      let stop = (): void => {}
      waits.push(
        new Promise((_, reject) => {
          stop = world.clock.after(limit, () => {
            const fault = timedOut(`${topic} did not answer ${method} in ${limit} ms`)
            abort.abort(fault)
            reject(fault)
          })
        }),
      )
      if (options.signal) {
        const { signal } = options
        waits.push(
          new Promise((_, reject) => {
            const onAbort = (): void => {
              abort.abort(signal.reason)
              reject(signal.reason)
            }
            if (signal.aborted) onAbort()
            else {
              signal.addEventListener('abort', onAbort, { once: true })
              abort.signal.addEventListener('abort', () => signal.removeEventListener('abort', onAbort), { once: true })
            }
          }),
        )
      }
      const scope = currentScope()
      const info = { deadline: world.clock.now() + limit, signal: abort.signal }
      if (fate !== 'lose') {
        if (typeof fate === 'number' && fate > 0) waits.push(world.clock.sleep(fate).then(() => handle(server, topic, method, body, scope, info)))
        else waits.push(handle(server, topic, method, body, scope, info))
        if (fate === 'double') void handle(server, topic, method, body, scope, info)
      }
      for (const wait of waits) wait.catch(() => {})
      try {
        const answer = JSON.parse(await Promise.race(waits)) as { result?: unknown; fault?: Parameters<typeof faultFromData>[0] }
        if (answer.fault) throw faultFromData(answer.fault)
        return answer.result
      } finally {
        stop()
        if (!abort.signal.aborted) abort.abort()
      }
    },
    async cast(topic, method, payload) {
      const server = pick(topic)
      if (server && !closed) oneWay(server, topic, method, JSON.stringify(payload ?? null), 'cast')
    },
    async fanout(topic, method, payload) {
      if (closed) return
      for (const server of topics.get(topic)?.servers ?? []) oneWay(server, topic, method, JSON.stringify(payload ?? null), 'fanout')
    },
    async serve(topic, handlers, options: ServeOptions = {}) {
      const server: Server = { handlers, limit: options.concurrency ?? 64, busy: 0, waiting: [], idle: [], closed: false }
      const entry = topics.get(topic) ?? { servers: [], next: 0 }
      entry.servers.push(server)
      topics.set(topic, entry)
      return {
        async close() {
          entry.servers.splice(entry.servers.indexOf(server), 1)
          if (entry.servers.length === 0) topics.delete(topic)
          if (server.busy > 0) await new Promise<void>((resolve) => server.idle.push(resolve))
        },
      }
    },
    async close() {
      closed = true
      topics.clear()
    },
  }
}
