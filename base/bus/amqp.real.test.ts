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
    await dying.serve('test.dies', { any: () => (taken.resolve(), new Promise(() => {})) })
    await bus.cast('test.dies', 'any', { n: 1 })
    await taken.promise
    const seen = signal<unknown>()
    await bus.serve('test.dies', { any: (body: unknown) => seen.resolve(body) })
    way.cut()
    assert.deepEqual(await seen.promise, { n: 1 })
    await bus.close()
    // Its handler hangs for ever, by design of this test.
    void dying.close()
  })

  test('amqp: a connection that breaks comes back, with what was served over it', async () => {
    const way = await breakableWay(Number(new URL(rabbit.url).port))
    const bus = await open('one')
    const shaken = await amqpBus(world(), { url: way.url, name: 'shaken' })
    await shaken.serve('test.shaken', { echo: (body: unknown) => body })
    await bus.serve('test.steady', { echo: (body: unknown) => body })
    for (let n = 0; n < 3; n++) {
      way.breakNow()
      assert.deepEqual(await shaken.call('test.steady', 'echo', { n }), { n })
      assert.deepEqual(await bus.call('test.shaken', 'echo', { n }), { n })
    }
    await shaken.close()
    await bus.close()
    way.cut()
  })

  test('amqp: after a power cut of the broker, calls under way have failed, topics are served again, wake-ups are still there', async () => {
    const [asking, serving] = [await open('asking'), await open('serving')]
    const started = signal()
    const woken = counter<number>(2)
    await serving.serve('test.cut', {
      echo: (body: unknown) => body,
      hang: () => (started.resolve(), new Promise(() => {})),
      wake: (body: { n: number }) => woken.add(body.n),
    })
    const away = await serving.serve('test.cut-away', { wake: () => {} })
    await away.close()
    await asking.cast('test.cut-away', 'wake', { n: 1 })
    const hanging = asking.call('test.cut', 'hang', {})
    hanging.catch(() => {})
    await started.promise
    await rabbit.kill()
    await assert.rejects(hanging, (thrown) => isFault(thrown, 'unavailable') && thrown.code === 'bus.disconnected')
    await rabbit.start()
    // The server comes back by itself; until then nobody serves, or nothing is connected.
    for (;;) {
      try {
        assert.deepEqual(await asking.call('test.cut', 'echo', { again: true }, { timeout: 5_000 }), { again: true })
        break
      } catch (thrown) {
        assert.ok(isFault(thrown, 'unavailable') || isFault(thrown, 'timeout'), String(thrown))
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
    await serving.serve('test.cut-away', { wake: (body: { n: number }) => woken.add(body.n) })
    await asking.cast('test.cut', 'wake', { n: 2 })
    assert.deepEqual((await woken.all).toSorted(), [1, 2])
    await asking.close()
    // Its handler hangs for ever, by design of this test: it is left to the end of the process.
    void serving.close()
  })

  test('amqp: a broker that is not there is unavailable, in the time given', async () => {
    await assert.rejects(amqpBus(world(), { url: 'amqp://127.0.0.1:1', name: 'x', startPatience: 300 }), (thrown) => isFault(thrown, 'unavailable'))
  })
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
