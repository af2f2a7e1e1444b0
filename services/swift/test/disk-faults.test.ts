/**
 * Every call by which the driver `files` writes, failing once: no room is 507, a broken disk 503, both with what stood there untouched; and what a sync
 * has failed for is never acknowledged, nor counted on afterwards.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { afterEach, test } from 'node:test'
import { pattern } from '../drivers/conformance.ts'
import { folderSync } from '../drivers/files/disk.ts'
import { audit } from '../flows/keep-order.ts'
import { A, swiftKit } from './kit.ts'

type Call = (...args: never[]) => unknown
const real = { open: fs.open, openSync: fs.openSync, write: fs.write, writeSync: fs.writeSync, writev: fs.writev, writevSync: fs.writevSync, fdatasync: fs.fdatasync, read: fs.read, readSync: fs.readSync }
const realPromises = { mkdir: fs.promises.mkdir, rename: fs.promises.rename }

/** Paths that belong to the store; those of others are let alone. */
const OURS = /\/bytes(\/|$)/
/** Calls that were tripped. */
let tripped = 0
const ours = new Set<number>()

/** The call of this name, and all of its kind, fail so while `count` lasts. */
function trip(verb: string, code: string, count: number): void {
  let left = count
  tripped = 0
  const error = (): Error => Object.assign(new Error(`${code}: ${verb}`), { code })
  const hit = (name: string, about: unknown): boolean => {
    if (!name.startsWith(verb) || left <= 0) return false
    if (typeof about === 'string' ? !OURS.test(about) : typeof about === 'number' && !ours.has(about)) return false
    left--
    tripped++
    return true
  }
  const set = (name: keyof typeof real, value: Call): void => void (fs[name] = value as never)
  mend()
  for (const name of Object.keys(real) as (keyof typeof real)[]) {
    const call = real[name] as unknown as (...args: unknown[]) => unknown
    if (name.endsWith('Sync')) {
      set(name, ((...args: unknown[]) => {
        if (hit(name, args[0])) throw error()
        const out = call(...args)
        if (name === 'openSync' && typeof args[0] === 'string' && OURS.test(args[0])) ours.add(out as number)
        return out
      }) as Call)
    } else {
      set(name, ((...args: unknown[]) => {
        const done = args.at(-1) as (thrown: Error | null, ...more: unknown[]) => void
        if (hit(name, args[0])) return void setImmediate(() => done(error()))
        if (name !== 'open') return call(...args)
        return call(...args.slice(0, -1), (thrown: Error | null, fd: number) => {
          if (!thrown && typeof args[0] === 'string' && OURS.test(args[0])) ours.add(fd)
          done(thrown, fd)
        })
      }) as Call)
    }
  }
  for (const name of Object.keys(realPromises) as (keyof typeof realPromises)[]) {
    const call = realPromises[name] as unknown as (...args: unknown[]) => Promise<unknown>
    fs.promises[name] = (async (...args: unknown[]) => {
      if (hit(name, args[0])) throw error()
      return call(...args)
    }) as never
  }
  syncBuiltinESMExports()
}

function mend(): void {
  Object.assign(fs, real)
  Object.assign(fs.promises, realPromises)
  syncBuiltinESMExports()
}
afterEach(mend)

const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')
/** Nothing fails; what is opened from now on is known. */
const watch = (): void => trip('nothing', '', 0)
const SIZES = { small: 2000, large: 700_000 }
const CALLS = { small: ['open', 'mkdir', 'write', 'fdatasync'], large: ['open', 'mkdir', 'write', 'fdatasync', 'rename'] } as const

for (const [size, calls] of Object.entries(CALLS) as ['small' | 'large', readonly string[]][]) {
  for (const call of calls) {
    for (const [code, status] of [['ENOSPC', 507], ['EDQUOT', 507], ['EIO', 503]] as const) {
      test(`${size}: ${code} at ${call}`, async () => {
        watch()
        const kit = await swiftKit({ durability: 'safe', audit_files_per_second: 10_000 })
        try {
          await kit.ask('PUT', `${A}/box`)
          const put = async (name: string, seed: number): Promise<number> => {
            const body = pattern(SIZES[size], seed)
            return (await kit.ask('PUT', `${A}/box/${name}`, { body, headers: { 'content-length': String(body.length) } })).status
          }
          // A new store has its folders to make; where there are no new ones, what stands is replaced.
          if (call !== 'mkdir') assert.equal(await put('o', 1), 201)
          // A pack is opened once; the next is, when something was wrong with this one.
          if (call === 'open' && size === 'small') await kit.house.bytes.close()
          trip(call, code, 1)
          const answer = await kit.ask('PUT', `${A}/box/o`, { body: pattern(SIZES[size], 2), headers: { 'content-length': String(SIZES[size]) } })
          mend()
          assert.deepEqual([tripped, answer.status], [1, status])
          if (status === 503) assert.equal(answer.headers['retry-after'], '5')
          const got = await kit.ask('GET', `${A}/box/o`)
          if (call === 'mkdir') assert.equal(got.status, 404)
          else assert.deepEqual([got.status, got.headers.etag], [200, md5(pattern(SIZES[size], 1))])
          assert.equal((await kit.ask('HEAD', `${A}/box`)).headers['x-container-object-count'], call === 'mkdir' ? '0' : '1')
          // And on with it.
          assert.equal(await put('next', 3), 201)
          assert.equal(await put('o', 4), 201)
          assert.deepEqual(await audit(kit.house), { bad: 0 })
        } finally {
          mend()
          await kit.close()
        }
      })
    }
  }
}

test('what stood there is what it was when its successor found no room, however long that lasts', async () => {
  watch()
  const kit = await swiftKit({ durability: 'safe' })
  try {
    await kit.ask('PUT', `${A}/box`)
    const body = pattern(300_000, 1)
    const { etag } = (await kit.ask('PUT', `${A}/box/o`, { body, headers: { 'content-length': String(body.length) } })).headers
    trip('write', 'ENOSPC', Infinity)
    for (const size of [10, 300_000]) assert.deepEqual(await Promise.all(Array.from({ length: 8 }, async () => (await kit.ask('PUT', `${A}/box/o`, { body: Buffer.alloc(size), headers: { 'content-length': String(size) } })).status)), Array.from({ length: 8 }, () => 507))
    mend()
    const got = await kit.ask('GET', `${A}/box/o`)
    assert.deepEqual([got.status, got.headers.etag], [200, etag])
  } finally {
    mend()
    await kit.close()
  }
})

test('after a sync that failed nothing more goes to that pack, and all who waited for it are told', async () => {
  watch()
  const kit = await swiftKit({ durability: 'safe' })
  try {
    await kit.ask('PUT', `${A}/box`)
    const put = async (name: string): Promise<number> => (await kit.ask('PUT', `${A}/box/${name}`, { body: name, headers: { 'content-length': String(name.length) } })).status
    const packOf = async (name: string): Promise<string> => (await kit.house.db.query.selectFrom('swift_objects').select('bytes_id').where('name', '=', name).executeTakeFirstOrThrow()).bytes_id.split('-')[1]!
    assert.equal(await put('first'), 201)
    trip('fdatasync', 'EIO', 1)
    // The first goes alone; those that come meanwhile wait for the next sync.
    const statuses = await Promise.all(Array.from({ length: 20 }, (_, i) => put(`o${i}`)))
    mend()
    assert.ok(statuses.includes(503))
    assert.equal(await put('last'), 201)
    assert.notEqual(await packOf('last'), await packOf('first'))
    for (const [i, status] of statuses.entries()) {
      assert.equal((await kit.ask('GET', `${A}/box/o${i}`)).status, status === 201 ? 200 : 404)
      if (status === 201) assert.notEqual(await packOf(`o${i}`), await packOf('first'))
    }
  } finally {
    mend()
    await kit.close()
  }
})

test('a sync of a folder that failed is told to those as well who came while it ran', async () => {
  const { mkdtemp, rm } = await import('node:fs/promises')
  const dir = await mkdtemp('/tmp/ondol-sync-')
  try {
    let syncs = 0
    let go!: () => void
    const held = new Promise<void>((resolve) => (go = resolve))
    fs.fdatasync = ((_fd: number, done: (thrown: Error | null) => void) => {
      if (syncs++ === 0) void held.then(() => done(Object.assign(new Error('EIO'), { code: 'EIO' })))
      else done(null)
    }) as never
    syncBuiltinESMExports()
    const sync = folderSync()
    const first = sync(dir)
    const behind = [sync(dir), sync(dir)]
    go()
    assert.deepEqual((await Promise.allSettled([first, ...behind])).map((one) => one.status), ['rejected', 'rejected', 'rejected'])
    await sync(dir)
    assert.equal(syncs, 2)
  } finally {
    mend()
    await rm(dir, { recursive: true })
  }
})
