/** The engine behind the driver `s3`, misbehaving in every way over real sockets: nothing is acknowledged that is not there, nothing wrong is served, and what is left over goes. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { type Clock, realClock } from '#base/clock.ts'
import { listen } from '#base/http/server.ts'
import { pattern } from '../drivers/conformance.ts'
import { s3Bytes } from '../drivers/s3/s3-bytes.ts'
import { audit, reconcile, sweep } from '../flows/keep-order.ts'
import { A, swiftKit } from './kit.ts'
import { type Asked, fakeStore, type FakeStore, type Meddling } from './s3-store.maker.ts'

const SMALL = 1000
const LARGE = 11 << 20
const DAY = 86_400_000

/** Waits for nothing between its attempts. */
const clock: Clock & { ahead: number } = { ...realClock, ahead: 0, now: () => realClock.now() + clock.ahead, sleep: async () => {} }

async function withStore(run: (at: { store: FakeStore; ask: Awaited<ReturnType<typeof swiftKit>>['ask']; house: Awaited<ReturnType<typeof swiftKit>>['house']; get(name: string, range?: string): Promise<{ status: number; retry: string | null; body: Buffer | undefined }> }) => Promise<void>): Promise<void> {
  const store = await fakeStore()
  clock.ahead = 0
  const kit = await swiftKit({ audit_files_per_second: 10_000 }, { clock, bytes: s3Bytes({ url: store.url, bucket: 'bytes', region: 'us-east-1', access_key: 'key', secret_key: 'secret', timeout: 400 }, clock, () => randomUUID().replaceAll('-', '')) })
  const server = await listen(kit.handler, {})
  try {
    await kit.ask('PUT', `${A}/box`)
    await run({
      store, ask: kit.ask, house: kit.house,
      async get(name, range) {
        const answer = await fetch(`${server.url}${A}/box/${name}`, { headers: { 'x-auth-token': 'persona:member', ...(range ? { range } : {}) } }).catch(() => undefined)
        if (!answer) return { status: 503, retry: '5', body: undefined }
        return { status: answer.status, retry: answer.headers.get('retry-after'), body: await answer.arrayBuffer().then((bytes) => Buffer.from(bytes), () => undefined) }
      },
    })
  } finally {
    await server.close(100)
    await kit.close()
    await store.close()
  }
}

const ERROR = '<?xml version="1.0"?><Error><Code>InternalError</Code></Error>'
const WRITES: Record<string, (asked: Asked) => Meddling | undefined> = {
  'an error of its own': () => ({ answer: [500] }),
  'a store that is busy': () => ({ answer: [503, '<Error><Code>SlowDown</Code></Error>'] }),
  'a way elsewhere': () => ({ answer: [307, '', { location: 'http://127.0.0.1:1/' }] }),
  'a way elsewhere for ever': () => ({ answer: [301] }),
  'a refusal': () => ({ answer: [403, '<Error><Code>AccessDenied</Code></Error>'] }),
  'a bucket that is gone': () => ({ answer: [404, '<Error><Code>NoSuchBucket</Code></Error>'] }),
  'a bad request': () => ({ answer: [400, '<Error><Code>IncompleteBody</Code></Error>'] }),
  'no answer': () => 'hang',
  'a connection that ends': () => 'break',
  'half an answer': ({ method }) => (method === 'POST' ? 'cut' : 'break'),
  'another ETag': ({ method, query }) => (method === 'PUT' ? { headers: { etag: `"${'0'.repeat(32)}"` } } : query.has('uploadId') && method === 'POST' ? 'break' : undefined),
  'taken, and then an error': ({ method }) => (method === 'PUT' || method === 'POST' ? { status: 500 } : undefined),
  'no XML': ({ method }) => (method === 'POST' ? { body: () => Buffer.from('<html>Welcome to the portal') } : { answer: [502, '<html>'] }),
}
/** Of uploads in parts alone. */
const LARGE_WRITES: Record<string, (asked: Asked) => Meddling | undefined> = {
  '200 and an error in the body': ({ method, query }) => (method === 'POST' && query.has('uploadId') ? { answer: [200, ERROR] } : undefined),
  '200 and nothing in the body': ({ method, query }) => (method === 'POST' && query.has('uploadId') ? { answer: [200, ''] } : undefined),
  'less than was sent in the end': ({ method, query }) => (method === 'HEAD' && !query.has('uploadId') ? { headers: { 'content-length': '5' } } : undefined),
  'nothing there in the end': ({ method }) => (method === 'HEAD' ? { answer: [404] } : undefined),
  'an upload without a name': ({ method, query }) => (method === 'POST' && query.has('uploads') ? { answer: [200, '<InitiateMultipartUploadResult><UploadId></UploadId></InitiateMultipartUploadResult>'] } : undefined),
  'a last part that fails': ({ query }) => (query.get('partNumber') === '3' ? { answer: [503] } : undefined),
  'a store that takes nothing back either': ({ method, query }) => (method === 'DELETE' || query.get('partNumber') === '2' ? { answer: [503] } : undefined),
}

test('a write that the store spoils is 503 with Retry-After; what stood there stands, and what is left over goes', async () => {
  await withStore(async ({ store, ask, house, get }) => {
    const old = { small: pattern(SMALL, 1), large: pattern(LARGE, 2) }
    const put = async (name: string, body: Buffer): Promise<[number, unknown]> => {
      const answer = await ask('PUT', `${A}/box/${name}`, { body, headers: { 'content-length': String(body.length) } })
      return [answer.status, answer.headers['retry-after']]
    }
    for (const [name, body] of Object.entries(old)) assert.equal((await put(name, body))[0], 201)
    const held = new Set(store.objects.keys())
    for (const [faults, names] of [[WRITES, ['small', 'large']], [LARGE_WRITES, ['large']]] as const) {
      for (const [what, meddle] of Object.entries(faults)) {
        for (const name of names) {
          // The bucket is known by now; listing and reading go well.
          store.meddle = (asked) => (asked.key === '' || asked.method === 'GET' ? undefined : meddle(asked))
          assert.deepEqual(await put(name, pattern(name === 'small' ? SMALL : LARGE, 9)), [503, '5'], `${what}, ${name}`)
          store.meddle = undefined
        }
      }
    }
    for (const [name, body] of Object.entries(old)) assert.ok((await get(name)).body?.equals(body), name)
    assert.equal((await ask('HEAD', `${A}/box`)).headers['x-container-object-count'], '2')
    // What the store took and said otherwise lies there until nobody can be on the way to it any more.
    assert.ok(store.objects.size > held.size && store.uploads.size > 0)
    store.page = 2
    store.objects.set('not/ours', { bytes: Buffer.from('x'), etag: 'x', at: 0 })
    await reconcile(house)
    assert.ok(store.objects.size > held.size + 1, 'not yet')
    clock.ahead = 3 * DAY
    await sweep(house)
    await reconcile(house)
    assert.deepEqual([new Set(store.objects.keys()), store.uploads.size], [new Set([...held, 'not/ours']), 0])
    for (const [name, body] of Object.entries(old)) assert.ok((await get(name)).body?.equals(body), name)
  })
})

const READS: Record<string, (asked: Asked) => Meddling | undefined> = {
  'an error of its own': () => ({ answer: [500] }),
  'a store that is busy': () => ({ answer: [503, '<Error><Code>SlowDown</Code></Error>'] }),
  'a way elsewhere': () => ({ answer: [307, '', { location: 'http://127.0.0.1:1/' }] }),
  'a refusal': () => ({ answer: [403] }),
  'it says that nothing is there': () => ({ answer: [404] }),
  'no answer': () => 'hang',
  'a connection that ends': () => 'break',
  'half an answer': () => 'cut',
  'other bytes': () => ({ body: (bytes) => pattern(bytes.length, 77) }),
  'one bit': () => ({
    body: (bytes) => {
      bytes = Buffer.from(bytes)
      bytes[bytes.length >> 1]! ^= 1
      return bytes
    },
  }),
  'less, and it says so': () => ({ body: (bytes) => bytes.subarray(0, bytes.length - 7) }),
  'less, and it does not say so': () => ({ body: (bytes) => bytes.subarray(0, bytes.length - 7), length: 'old' }),
  'more': () => ({ body: (bytes) => Buffer.concat([bytes, bytes]) }),
  'nothing': () => ({ body: () => Buffer.alloc(0) }),
  '200 where a range was wanted': () => ({ status: 200 }),
}

test('a read that the store spoils is 503 or breaks off, and good again when the store is; nobody is blamed for a store that was away', async () => {
  await withStore(async ({ store, ask, house, get }) => {
    const bodies = { small: pattern(SMALL, 3), large: pattern(3 << 20, 4) }
    for (const [name, body] of Object.entries(bodies)) assert.equal((await ask('PUT', `${A}/box/${name}`, { body, headers: { 'content-length': String(body.length) } })).status, 201)
    for (const [what, meddle] of Object.entries(READS)) {
      for (const [name, body] of Object.entries(bodies)) {
        for (const range of [undefined, 'bytes=10-500']) {
          store.meddle = (asked) => (asked.method === 'GET' && asked.key !== '' ? meddle(asked) : undefined)
          const got = await get(name, range)
          const wanted = range ? body.subarray(10, 501) : body
          if (got.status < 300 && got.body !== undefined) assert.ok(got.body.equals(wanted), `${what}, ${name} ${range}: ${got.body.length} wrong bytes`)
          else if (got.status >= 300) assert.deepEqual([got.status, got.retry], [503, '5'], `${what}, ${name} ${range}`)
          store.meddle = undefined
          const again = await get(name, range)
          assert.ok(again.body?.equals(wanted), `${what}, ${name} ${range}, afterwards: ${again.status}`)
        }
      }
    }
    // What only seemed damaged or gone is found good by the auditor, and the report goes.
    await audit(house)
    assert.deepEqual(await house.db.query.selectFrom('swift_quarantine').selectAll().execute(), [])
    // A round while the store is away blames nobody and removes nothing.
    for (const answer of [500, 503, 403, 307] as const) {
      store.meddle = () => ({ answer: [answer] })
      assert.deepEqual(await audit(house), { bad: 0 }, String(answer))
      assert.deepEqual(await reconcile(house), { removed: 0 })
    }
    store.meddle = undefined
    assert.deepEqual(await house.db.query.selectFrom('swift_quarantine').selectAll().execute(), [])
  })
})

test('what cannot be removed now is removed later, and an upload that still receives parts is left alone', async () => {
  await withStore(async ({ store, ask, house }) => {
    assert.equal((await ask('PUT', `${A}/box/o`, { body: pattern(SMALL) })).status, 201)
    assert.equal((await ask('DELETE', `${A}/box/o`)).status, 204)
    clock.ahead = 3_600_000
    for (const answer of [503, 403, 307] as const) {
      store.meddle = ({ method }) => (method === 'DELETE' ? { answer: [answer] } : undefined)
      await sweep(house)
      assert.equal(store.objects.size, 1, String(answer))
    }
    store.meddle = undefined
    await sweep(house)
    assert.equal(store.objects.size, 0)
    // A client that is slow: begun days ago, its last part came a moment ago.
    clock.ahead = 10 * DAY
    store.now = () => clock.now()
    const { promise: paused, resolve: go } = Promise.withResolvers<void>()
    const { promise: sent, resolve: half } = Promise.withResolvers<void>()
    const body = pattern(LARGE, 5)
    const slow = ask('PUT', `${A}/box/slow`, {
      headers: { 'content-length': String(LARGE) },
      body: (await import('node:stream')).Readable.from((async function* () {
        yield body.subarray(0, 6 << 20)
        half()
        await paused
        yield body.subarray(6 << 20)
      })(), { objectMode: false }),
    })
    await sent
    for (const end = performance.now() + 30_000; [...store.uploads.values()][0]?.size !== 1 && performance.now() < end; ) await new Promise((resolve) => setImmediate(resolve))
    await reconcile(house)
    assert.equal(store.uploads.size, 1)
    go()
    assert.equal((await slow).status, 201)
    assert.equal(store.uploads.size, 0)
  })
})
