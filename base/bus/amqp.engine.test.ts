/** The bus over a RabbitMQ that this test starts. Skipped where RabbitMQ is not installed. */
import assert from 'node:assert/strict'
import { createConnection, createServer, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { isFault } from '../fault.ts'
import { world } from '../world.ts'
import { amqpBus } from './amqp.ts'
import { busConformance, counter, signal } from './test/conformance.ts'
import { startRabbitmq } from './test/rabbitmq.ts'

const rabbit = await startRabbitmq()
if (!rabbit) {
  test('RabbitMQ is not installed', { skip: true }, () => {})
} else {
  console.log(`RabbitMQ came up in ${rabbit.startedIn} ms`)
  after(() => rabbit.stop())
  const open = (sender: string) => amqpBus(world(), { url: rabbit.url, name: sender })

  busConformance({ name: 'amqp', distinct: true, open: (here, sender) => amqpBus(here, { url: rabbit.url, name: sender }) })

  test('amqp: a cast waits for a server that is away', async () => {
    const bus = await open('one')
    const first = await bus.serve('test.away', { any: () => {} })
    await first.close()
    await bus.cast('test.away', 'any', { n: 1 })
    const seen = signal<unknown>()
    await bus.serve('test.away', { any: (body: unknown) => seen.resolve(body) })
    assert.deepEqual(await seen.promise, { n: 1 })
    await bus.close()
  })

  test('amqp: a cast whose server dies before it has finished goes to another', async () => {
    const way = await breakableWay(Number(new URL(rabbit.url).port))
    const bus = await open('one')
    const dying = await amqpBus(world(), { url: way.url, name: 'dying' })
    const taken = signal()
    const free = signal()
    await dying.serve('test.dies', { any: () => (taken.resolve(), free.promise) })
    await bus.cast('test.dies', 'any', { n: 1 })
    await taken.promise
    const seen = signal<unknown>()
    await bus.serve('test.dies', { any: (body: unknown) => seen.resolve(body) })
    way.cut()
    assert.deepEqual(await seen.promise, { n: 1 })
    await bus.close()
    free.resolve()
    await dying.close()
  })

  test('amqp: a connection that breaks comes back, with what was served over it', async () => {
    const way = await breakableWay(Number(new URL(rabbit.url).port))
    const bus = await open('one')
    const shaken = await amqpBus(world(), { url: way.url, name: 'shaken' })
    await shaken.serve('test.shaken', { echo: (body: unknown) => body })
    await bus.serve('test.steady', { echo: (body: unknown) => body })
    for (let n = 0; n < 3; n++) {
      way.breakNow()
      assert.deepEqual(await answered(() => shaken.call('test.steady', 'echo', { n })), { n })
      assert.deepEqual(await answered(() => bus.call('test.shaken', 'echo', { n }, { timeout: 5_000 })), { n })
    }
    await shaken.close()
    await bus.close()
    way.cut()
  })

  test('amqp: after a power cut of the broker, calls under way have gone on or failed, topics are served again, casts too', async (t) => {
    const [asking, serving] = [await open('asking'), await open('serving')]
    const started = counter<void>(2)
    const free = signal()
    let knock: NodeJS.Timeout | undefined
    t.after(async () => {
      clearInterval(knock)
      free.resolve()
      await asking.close()
      await serving.close()
    })
    const woken = counter<number>(1)
    let hung = 0
    await serving.serve('test.cut', {
      echo: (body: unknown) => body,
      hang: async () => {
        hung++
        started.add()
        await free.promise
        return 'held out'
      },
      wake: (body: { n: number }) => woken.add(body.n),
    })
    const hanging = asking.call('test.cut', 'hang', {}, { wait: 60_000 })
    const impatient = asking.call('test.cut', 'hang', { impatient: true }, { wait: 100 })
    impatient.catch(() => {})
    // Both are under way, or the second would never have been.
    await started.all
    await rabbit.kill()
    await assert.rejects(impatient, (thrown) => isFault(thrown, 'unavailable') && thrown.code === 'bus.disconnected')
    await rabbit.start()
    assert.deepEqual(await answered(() => asking.call('test.cut', 'echo', { again: true }, { timeout: 5_000 })), { again: true })
    // Killed so young, the broker has forgotten half of the queue of casts, and it never answers: it is made anew.
    knock = setInterval(() => void asking.cast('test.cut', 'wake', { n: 2 }).catch(() => {}), 500)
    assert.deepEqual(await woken.all, [2])
    free.resolve()
    assert.equal(await hanging, 'held out')
    assert.equal(hung, 2, 'once for each call, however often it was asked')
  })

  test('amqp: a broker that is not there is unavailable, in the time given', async () => {
    await assert.rejects(amqpBus(world(), { url: 'amqp://127.0.0.1:1', name: 'x', startPatience: 300 }), (thrown) => isFault(thrown, 'unavailable'))
  })
}

/** Tries again while nobody serves yet or the loss of the connection is still being noticed, as a flow does. */
async function answered(call: () => Promise<unknown>): Promise<unknown> {
  for (let tries = 0; ; tries++) {
    try {
      return await call()
    } catch (thrown) {
      if (tries > 500 || !(isFault(thrown, 'unavailable') || isFault(thrown, 'timeout'))) throw thrown
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

/** A way to the broker that can break: `breakNow` ends the connections on it, `cut` for ever. */
async function breakableWay(port: number): Promise<{ url: string; breakNow(): void; cut(): void }> {
  const sockets = new Set<Socket>()
  const server = createServer((from) => {
    const to = createConnection(port, '127.0.0.1')
    for (const socket of [from, to]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        from.destroy()
        to.destroy()
      })
    }
    from.pipe(to).pipe(from)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  const breakNow = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `amqp://guest:guest@127.0.0.1:${(server.address() as { port: number }).port}`,
    breakNow,
    cut() {
      server.close()
      breakNow()
    },
  }
}
