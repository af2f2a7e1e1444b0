/** What a store must take without others feeling it, over real sockets: slow clients, clients that vanish, idle connections, an engine that is away, slow or lying. */
import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { VirtualClock } from '#base/clock.ts'
import { listen } from '#base/http/server.ts'
import { s3Bytes } from '../drivers/s3/s3-bytes.ts'
import { reconcile } from '../flows/keep-order.ts'
import { A, swiftKit } from './kit.ts'
import { fakeStore } from './s3-store.maker.ts'

const kit = await swiftKit()
const server = await listen(kit.handler, {})
after(async () => {
  await server.close(100)
  await kit.close()
})
await kit.ask('PUT', `${A}/box`)
const HEADERS = 'Host: x\r\nX-Auth-Token: persona:member\r\n'

async function until(what: string, good: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + 30_000
  while (!(await good())) {
    if (performance.now() > end) assert.fail(`never: ${what}`)
    await delay(5)
  }
}

/** A connection, and what came over it so far. */
async function open(text: string): Promise<{ socket: Socket; said(): string }> {
  const socket = connect(server.port, '127.0.0.1')
  let said = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (said += chunk)).on('error', () => {})
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write(text)
  return { socket, said: () => said }
}

const temporary = async (): Promise<string[]> => readdir(join(kit.bytesDir, 'tmp')).catch(() => [])
const put = (name: string, size: number): string => `PUT ${A}/box/${name} HTTP/1.1\r\n${HEADERS}Content-Length: ${size}\r\n\r\n`

test('forty clients of a byte at a time keep nobody waiting, and their uploads end well', async () => {
  const size = 70_000
  const slow = await Promise.all(Array.from({ length: 40 }, (_, i) => open(put(`slow-${i}`, size))))
  for (const { socket } of slow) socket.write('a')
  // Others come and go meanwhile.
  for (let i = 0; i < 50; i++) {
    assert.equal((await fetch(`${server.url}${A}/box/quick-${i}`, { method: 'PUT', headers: { 'x-auth-token': 'persona:member' }, body: 'quick' })).status, 201)
    slow[i % slow.length]!.socket.write('a')
  }
  assert.ok(slow.every(({ said }) => said() === ''), 'nobody is answered before the end')
  for (const [i, { socket }] of slow.entries()) socket.write('a'.repeat(size - 1 - (i < 10 ? 2 : 1)))
  await until('all are answered', () => slow.every(({ said }) => said().startsWith('HTTP/1.1 201')))
  for (const { socket } of slow) socket.destroy()
  assert.equal((await kit.ask('HEAD', `${A}/box/slow-39`)).headers.etag, createHash('md5').update('a'.repeat(size)).digest('hex'))
})

test('of clients that vanish in the middle nothing is left', async () => {
  const before = (await kit.ask('HEAD', `${A}/box`)).headers['x-container-object-count']
  const gone = await Promise.all(Array.from({ length: 30 }, (_, i) => open(put(`gone-${i}`, i % 2 ? 50_000 : 5_000_000))))
  for (const { socket } of gone) socket.write(Buffer.alloc(40_000))
  for (const [i, { socket }] of gone.entries()) if (i % 2 === 0) socket.write(Buffer.alloc(300_000))
  await until('large ones have begun', async () => (await temporary()).length === 15)
  for (const { socket } of gone) socket.destroy()
  await until('their files are away', async () => (await temporary()).length === 0)
  assert.equal((await kit.ask('HEAD', `${A}/box`)).headers['x-container-object-count'], before)
  for (const i of [0, 1]) assert.equal((await kit.ask('HEAD', `${A}/box/gone-${i}`)).status, 404)
})

test('readers that stop reading hold no more than their pieces', async () => {
  const size = 24 << 20
  await kit.ask('PUT', `${A}/box/large`, { body: Buffer.alloc(size, 7) })
  globalThis.gc?.()
  const before = process.memoryUsage().arrayBuffers
  const readers = await Promise.all(Array.from({ length: 20 }, () => open(`GET ${A}/box/large HTTP/1.1\r\n${HEADERS}\r\n`)))
  await until('all have begun', () => readers.every(({ said }) => said().startsWith('HTTP/1.1 200')))
  for (const { socket } of readers) socket.pause()
  assert.equal((await fetch(`${server.url}${A}/box/quick-0`, { headers: { 'x-auth-token': 'persona:member' } })).status, 200)
  const grown = process.memoryUsage().arrayBuffers - before
  assert.ok(grown < 20 * 6 * (1 << 20), `${grown >> 20} MiB for 20 readers of 24 MiB`)
  for (const { socket } of readers) socket.destroy()
})

test('a thousand idle connections cost the others nothing', async () => {
  const idle = await Promise.all(Array.from({ length: 1000 }, () => open('')))
  for (let i = 0; i < 20; i++) assert.equal((await fetch(`${server.url}${A}/box/quick-${i}`, { headers: { 'x-auth-token': 'persona:member' } })).status, 200)
  for (const { socket } of idle) socket.destroy()
})

test('an engine that is away, slow or lying is 503 with Retry-After; what was acknowledged stays, and orphans go', async () => {
  const store = await fakeStore()
  const clock = new VirtualClock(Date.now())
  const own = await swiftKit({}, { clock, bytes: s3Bytes({ url: store.url, bucket: 'bytes', region: 'us-east-1', access_key: 'key', secret_key: 'secret', timeout: 300 }, clock, () => randomUUID().replaceAll('-', '')) })
  try {
    const { ask } = own
    await ask('PUT', `${A}/box`)
    const upload = async (name: string, size = 1000): Promise<[number, unknown]> => {
      const { status, headers } = await ask('PUT', `${A}/box/${name}`, { body: Buffer.alloc(size, name), headers: { 'content-length': String(size) } })
      return [status, headers['retry-after']]
    }
    assert.deepEqual(await upload('kept'), [201, undefined])
    assert.deepEqual(await upload('kept-large', 9 << 20), [201, undefined])
    const held = store.objects.size
    for (const [how, turn] of [['lies', () => (store.lying = true)], ['is broken', () => (store.failing = 500)], ['never answers', () => (store.hanging = true)]] as const) {
      turn()
      // The driver tries again after a moment of the clock.
      const trying = Promise.all([upload('refused'), upload('refused-large', 9 << 20), upload('kept')])
      let over = false
      void trying.finally(() => (over = true)).catch(() => {})
      while (!over) await Promise.all([clock.advance(1000), delay(5)])
      assert.deepEqual(await trying, [[503, '5'], [503, '5'], [503, '5']], `a store that ${how}`)
      store.lying = store.hanging = false
      store.failing = undefined
      assert.equal((await ask('GET', `${A}/box/kept`)).text, Buffer.alloc(1000, 'kept').toString(), how)
    }
    assert.equal((await ask('HEAD', `${A}/box`)).headers['x-container-object-count'], '2')
    assert.ok(store.objects.size > held, 'the lies lie there')
    await clock.advance(3 * 86_400_000)
    await reconcile(own.house)
    assert.deepEqual([store.objects.size, store.uploads.size], [held, 0])
    assert.equal((await ask('GET', `${A}/box/kept`)).text, Buffer.alloc(1000, 'kept').toString())
  } finally {
    await own.close()
    await store.close()
  }
})
