/** What every bus must do. `open` gives a bus of a new process; all of one run meet each other. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault, isFault } from '../../fault.ts'
import { currentScope, runInScope } from '../../scope.ts'
import { createTrace } from '../../trace.ts'
import { type World, world } from '../../world.ts'
import type { Bus, MessageInfo } from '../interface.ts'

export interface BusUnderTest {
  readonly name: string
  /** Buses that several processes have; `distinct` is false when they are one object. */
  open(world: World, sender: string): Promise<Bus>
  readonly distinct: boolean
}

let serial = 0
const freshTopic = (): string => `test.topic-${++serial}`

/** A promise and its resolver: the condition that a test waits for. */
export function signal<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((done) => (resolve = done))
  return { promise, resolve }
}

/** Resolves when it was called `count` times, with what it was called with. */
export function counter<T>(count: number): { add(value: T): void; all: Promise<T[]> } {
  const { promise, resolve } = signal<T[]>()
  const seen: T[] = []
  return {
    add(value) {
      seen.push(value)
      if (seen.length === count) resolve(seen)
    },
    all: promise,
  }
}

export function busConformance(under: BusUnderTest): void {
  const check = (what: string, run: (bus: Bus, other: Bus, topic: string, here: World) => Promise<void>): void => {
    void test(`${under.name}: ${what}`, async () => {
      const here = world()
      const bus = await under.open(here, 'one')
      const other = under.distinct ? await under.open(here, 'two') : bus
      try {
        await run(bus, other, freshTopic(), here)
      } finally {
        await bus.close()
        if (other !== bus) await other.close()
      }
    })
  }

  check('a call gets the answer, copied', async (bus, other, topic) => {
    const payload = { list: [1, { deep: 'ü' }], gone: undefined }
    let given: unknown
    await other.serve(topic, { echo: (body: unknown) => ((given = body), body) })
    const answer = await bus.call(topic, 'echo', payload)
    assert.deepEqual(answer, { list: [1, { deep: 'ü' }] })
    assert.notEqual(given, payload)
    assert.notEqual(answer, given)
    assert.equal(await bus.call(topic, 'echo', undefined), null)
  })

  check('a handler that gives nothing answers null', async (bus, other, topic) => {
    await other.serve(topic, { quiet: async () => {} })
    assert.equal(await bus.call(topic, 'quiet', {}), null)
  })

  check('a Fault crosses with kind, code and field, and any other error as internal', async (bus, other, topic) => {
    await other.serve(topic, {
      refuse: async () => {
        throw new Fault('conflict', 'It is locked', { code: 'thing.locked', field: 'thing' })
      },
      break: async () => {
        throw new TypeError('boom')
      },
    })
    await assert.rejects(bus.call(topic, 'refuse', {}), (thrown) => isFault(thrown, 'conflict') && thrown.message === 'It is locked' && thrown.code === 'thing.locked' && thrown.field === 'thing')
    await assert.rejects(bus.call(topic, 'break', {}), (thrown) => isFault(thrown, 'internal'))
  })

  check('an unknown method is a clear Fault, also one that objects inherit', async (bus, other, topic) => {
    await other.serve(topic, { known: () => 1 })
    for (const method of ['unknown', 'toString', '__proto__']) await assert.rejects(bus.call(topic, method, {}), (thrown) => isFault(thrown, 'not_implemented') && thrown.message.includes(method))
  })

  check('a call to nobody is unavailable at once', async (bus, _other, topic) => {
    const began = performance.now()
    await assert.rejects(bus.call(topic, 'any', {}), (thrown) => isFault(thrown, 'unavailable') && thrown.code === 'bus.nobody')
    assert.ok(performance.now() - began < 5_000)
  })

  check('a call to a topic whose last server has gone is unavailable at once', async (bus, other, topic) => {
    const serving = await other.serve(topic, { any: () => 1 })
    assert.equal(await bus.call(topic, 'any', {}), 1)
    await serving.close()
    await assert.rejects(bus.call(topic, 'any', {}), (thrown) => isFault(thrown, 'unavailable') && thrown.code === 'bus.nobody')
  })

  check('casts and fan-outs to nobody are dropped without a word', async (bus, _other, topic) => {
    await bus.cast(topic, 'any', {})
    await bus.fanout(topic, 'any', {})
  })

  check('the handler runs in the scope of the caller, under a span', async (bus, other, topic, here) => {
    void here
    const seen = counter<string | undefined>(3)
    await other.serve(topic, { tell: async () => seen.add(currentScope()?.request_id) })
    await runInScope({ request_id: 'req-1', project_id: 'p' }, async () => {
      await bus.call(topic, 'tell', {})
      await bus.cast(topic, 'tell', {})
      await bus.fanout(topic, 'tell', {})
    })
    assert.deepEqual(await seen.all, ['req-1', 'req-1', 'req-1'])
  })

  check('the handler is told who sent what, and until when', async (bus, other, topic, here) => {
    const { promise, resolve } = signal<MessageInfo>()
    await other.serve(topic, { look: (_body: unknown, info: MessageInfo) => resolve(info) })
    const before = here.clock.now()
    await bus.call(topic, 'look', {}, { timeout: 9_000 })
    const info = await promise
    assert.deepEqual([info.topic, info.method, info.kind, info.sender], [topic, 'look', 'call', 'one'])
    assert.match(info.id, /^[0-9a-f-]{36}$/)
    assert.ok(info.deadline! >= before + 9_000 && info.deadline! < before + 14_000)
  })

  check('a server that comes late is waited for when one wants to', async (bus, other, topic) => {
    const call = bus.call(topic, 'echo', 1, { wait: 30_000 })
    await new Promise((resolve) => setImmediate(resolve))
    await other.serve(topic, { echo: (body: unknown) => body })
    assert.equal(await call, 1)
  })

  check('a call that takes too long is a timeout, and the handler is told', async (bus, other, topic) => {
    const told = signal<unknown>()
    await other.serve(topic, {
      hang: (_body: unknown, info: MessageInfo) =>
        new Promise<void>((resolve) =>
          info.signal.addEventListener('abort', () => {
            told.resolve(info.signal.aborted)
            resolve()
          }),
        ),
    })
    // Long enough to arrive on a busy machine: what is too late already is not begun.
    await assert.rejects(bus.call(topic, 'hang', {}, { timeout: 1_500 }), (thrown) => isFault(thrown, 'timeout'))
    assert.equal(await told.promise, true)
  })

  check('a call that the caller gives up ends with the reason', async (bus, other, topic) => {
    const started = signal()
    const free = signal()
    await other.serve(topic, {
      async hang() {
        started.resolve()
        await free.promise
      },
    })
    const abort = new AbortController()
    const call = bus.call(topic, 'hang', {}, { signal: abort.signal })
    call.catch(() => {})
    await started.promise
    abort.abort(new Error('changed my mind'))
    await assert.rejects(call, /changed my mind/)
    await assert.rejects(bus.call(topic, 'hang', {}, { signal: abort.signal }), /changed my mind/)
    free.resolve()
  })

  check('servers of a topic share calls and casts in turn; a fan-out reaches all', async (bus, other, topic) => {
    const casts = counter<string>(4)
    const fans = counter<string>(2)
    const server = (who: string) => ({ who: () => who, cast: () => casts.add(who), fan: () => fans.add(who) })
    await bus.serve(topic, server('a'))
    await other.serve(topic, server('b'))
    const calls: unknown[] = []
    for (let i = 0; i < 4; i++) calls.push(await bus.call(topic, 'who', {}))
    assert.deepEqual(calls.toSorted(), ['a', 'a', 'b', 'b'])
    for (let i = 0; i < 4; i++) await bus.cast(topic, 'cast', {})
    assert.deepEqual((await casts.all).toSorted(), ['a', 'a', 'b', 'b'])
    await bus.fanout(topic, 'fan', {})
    assert.deepEqual((await fans.all).toSorted(), ['a', 'b'])
  })

  check('casts arrive in the order in which they were sent', async (bus, other, topic) => {
    const seen = counter<number>(20)
    await other.serve(topic, { at: (body: { n: number }) => seen.add(body.n) }, { concurrency: 1 })
    for (let n = 0; n < 20; n++) await bus.cast(topic, 'at', { n })
    assert.deepEqual(await seen.all, Array.from({ length: 20 }, (_, n) => n))
  })

  check('no more are handled at once than was said, and all are handled', async (bus, other, topic) => {
    let now = 0
    let most = 0
    await other.serve(
      topic,
      {
        async work() {
          most = Math.max(most, ++now)
          await new Promise((resolve) => setImmediate(resolve))
          now--
        },
      },
      { concurrency: 3 },
    )
    await Promise.all(Array.from({ length: 30 }, () => bus.call(topic, 'work', {})))
    assert.equal(most, 3)
  })

  check('closing a serving waits for what is under way, and its answer arrives', async (bus, other, topic) => {
    const started = signal()
    const free = signal()
    const serving = await other.serve(topic, {
      async slow() {
        started.resolve()
        await free.promise
        return 'done'
      },
    })
    const call = bus.call(topic, 'slow', {})
    await started.promise
    let closed = false
    const closing = serving.close().then(() => (closed = true))
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(closed, false)
    free.resolve()
    assert.equal(await call, 'done')
    await closing
  })

  check('a topic served exclusively has one server', async (bus, other, topic) => {
    const serving = await bus.serve(topic, { who: () => 'first' }, { exclusive: true })
    await assert.rejects(other.serve(topic, { who: () => 'second' }, { exclusive: true }), (thrown) => isFault(thrown, 'conflict'))
    assert.equal(await other.call(topic, 'who', {}), 'first')
    await serving.close()
    await other.serve(topic, { who: () => 'second' }, { exclusive: true })
    assert.equal(await bus.call(topic, 'who', {}), 'second')
  })

  check('a closed bus refuses', async (bus, _other, topic) => {
    await bus.close()
    await bus.close()
    const closed = (thrown: unknown): boolean => isFault(thrown, 'unavailable')
    await assert.rejects(bus.call(topic, 'any', {}), closed)
    await assert.rejects(bus.cast(topic, 'any', {}), closed)
    await assert.rejects(bus.serve(topic, {}), closed)
  })

  void test(`${under.name}: a span of kind rpc stands in the trace`, async () => {
    const plain = world()
    const here = { ...plain, trace: createTrace(plain.clock) }
    const bus = await under.open(here, 'one')
    await bus.serve('nova.test', { look: () => 1 })
    await runInScope({ request_id: 'req-span' }, () => bus.call('nova.test', 'look', {}))
    assert.deepEqual(
      here.trace.of('req-span').map((span) => [span.kind, span.service, span.name]),
      [['rpc', 'nova', 'nova.test look']],
    )
    await bus.close()
  })
}
