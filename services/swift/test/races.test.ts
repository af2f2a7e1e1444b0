/** Two things at one moment: writers of several processes, and those who keep order among them. Bytes that a row holds, or will hold, never go. */
import assert from 'node:assert/strict'
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { VirtualClock } from '#base/clock.ts'
import { Fault, isFault } from '#base/fault.ts'
import type { Database } from '#base/sql/database.ts'
import { memoryBytes } from '../drivers/fake/memory-bytes.ts'
import type { BytesDriver } from '../drivers/interface.ts'
import { reconcile, sweep } from '../flows/keep-order.ts'
import { moveBytes } from '../flows/move-bytes.ts'
import { claimBucket } from '../store/buckets.ts'
import { removeContainer } from '../store/accounts.ts'
import { objectOf, putObject, restoreVersion } from '../store/objects.ts'
import type { ObjectRow, SwiftTables } from '../store/tables.ts'
import { completeUpload, insertUpload, partsOf, putPart, uploadById } from '../store/uploads.ts'
import { A, type SwiftKit, swiftKit } from './kit.ts'

const DAY = 86_400_000

async function withKit(run: (kit: SwiftKit, clock: VirtualClock, driver: ReturnType<typeof memoryBytes>) => Promise<void>, config: Record<string, unknown> = {}, wrap: (driver: BytesDriver) => BytesDriver = (driver) => driver): Promise<void> {
  const clock = new VirtualClock(1_800_000_000_000)
  const driver = memoryBytes(() => clock.now())
  const kit = await swiftKit(config, { clock, bytes: wrap(driver) })
  try {
    await kit.ask('PUT', `${A}/box`)
    await run(kit, clock, driver)
  } finally {
    await kit.close()
  }
}

const box = async ({ house }: SwiftKit): Promise<string> => (await house.db.query.selectFrom('swift_containers').select('id').where('name', '=', 'box').executeTakeFirstOrThrow()).id
const newRow = (container_id: string, name: string, more: Partial<ObjectRow>): ObjectRow => ({ container_id, name, bytes_id: '', size: 0, stored: 0, etag: 'e', content_type: 'x', metadata: '{}', listing: null, parts: null, secret_id: null, created_at: 0, delete_at: null, version_id: null, ...more })
const pieces = async function* (text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text)
}

/** An upload of one part, as old as the clock says, and the row that its end will write. */
async function begun(kit: SwiftKit, bytes: BytesDriver, id: string, now: number): Promise<{ row: ObjectRow; wanted: { number: number; etag: string }[] }> {
  const container_id = await box(kit)
  const { commits } = kit.house
  await commits.run((commit) => insertUpload(commit, { id, container_id, name: id, headers: '{}', created_at: now }))
  const bytes_id = await bytes.write(pieces('part'))
  await commits.run((commit) => putPart(commit, { upload_id: id, number: 1, bytes_id, size: 4, etag: 'p', secret_id: null, checksum: null, created_at: now }, now))
  return { row: newRow(container_id, id, { parts: JSON.stringify([{ bytes_id, size: 4 }]), size: 4, stored: 4, created_at: now }), wanted: [{ number: 1, etag: 'p' }] }
}

/** The database, whose transactions can be told to be done without anybody hearing of it. */
function deaf(): { around: (db: Database) => Database; next: { lost: boolean } } {
  const next = { lost: false }
  return {
    next,
    around: (db) => {
      const one: Database = {
        ...db,
        async transaction(work, options) {
          const done = await db.transaction(work, options)
          if (next.lost) {
            next.lost = false
            throw new Fault('unavailable', 'The database cannot be reached.', { code: 'sql.unavailable' })
          }
          return done
        },
        as: <Other>() => one as unknown as Database<Other>,
      }
      return one
    },
  }
}

test('a commit of which nobody hears whether it was done keeps the bytes of its row', async () => {
  const clock = new VirtualClock(1_800_000_000_000)
  const { around, next } = deaf()
  const kit = await swiftKit({}, { clock, around })
  try {
    await kit.ask('PUT', `${A}/box`)
    assert.equal((await kit.ask('PUT', `${A}/box/o`, { body: 'old' })).status, 201)
    next.lost = true
    assert.equal((await kit.ask('PUT', `${A}/box/o`, { body: 'new' })).status, 503)
    assert.equal((await kit.ask('GET', `${A}/box/o`)).text, 'new')
    // The same write once more, as somebody would who tries again: it must not take itself away.
    const row = (await objectOf(kit.house.db, await box(kit), 'o'))!
    await kit.house.commits.run((commit) => putObject(commit, { ...row }, {}, clock.now()))
    await clock.advance(3 * DAY)
    await sweep(kit.house)
    await reconcile(kit.house)
    assert.equal((await kit.ask('GET', `${A}/box/o`)).text, 'new')
    assert.equal((await kit.ask('HEAD', `${A}/box`)).headers['x-container-bytes-used'], '3')
  } finally {
    await kit.close()
  }
})

test('what refuses after it has written takes back all that it wrote, and its neighbours are done', async () => {
  await withKit(async (kit) => {
    const id = await box(kit)
    const run = kit.house.commits.run
    const [good, bad, also] = await Promise.allSettled([
      run((commit) => putObject(commit, newRow(id, 'a', {}), {}, 1)),
      run(async (commit) => {
        await putObject(commit, newRow(id, 'b', { size: 7 }), {}, 1)
        throw new Fault('precondition', 'no')
      }),
      run((commit) => putObject(commit, newRow(id, 'c', {}), {}, 1)),
    ])
    assert.deepEqual([good.status, bad.status, also.status], ['fulfilled', 'rejected', 'fulfilled'])
    await assert.rejects(run(async (commit) => {
      await putObject(commit, newRow(id, 'd', { size: 7 }), {}, 1)
      throw new Fault('precondition', 'no')
    }))
    const list = (await kit.ask('GET', `${A}/box?format=json`)).json as { name: string }[]
    assert.deepEqual(list.map((one) => one.name), ['a', 'c'])
    const head = await kit.ask('HEAD', `${A}/box`)
    assert.deepEqual([head.headers['x-container-object-count'], head.headers['x-container-bytes-used']], ['2', '0'])
  })
})

test('an upload in parts that its conditions refuse can be completed another time', async () => {
  await withKit(async (kit, clock, driver) => {
    const { row, wanted } = await begun(kit, driver, 'u', clock.now())
    await kit.ask('PUT', `${A}/box/u`, { body: 'stands' })
    await assert.rejects(kit.house.commits.run((commit) => completeUpload(commit, 'u', { ...row }, wanted, { fresh: true }, 1)), (thrown) => isFault(thrown, 'precondition'))
    assert.equal((await partsOf(kit.house.db, 'u')).length, 1)
    assert.equal(await kit.house.commits.run((commit) => completeUpload(commit, 'u', { ...row }, wanted, {}, 1)), 'done')
    assert.equal((await kit.ask('GET', `${A}/box/u`)).text, 'part')
  })
})

test('a part that is brought again while the upload ends is one or the other, and never gone', async () => {
  await withKit(async (kit, clock, driver) => {
    const { row, wanted } = await begun(kit, driver, 'u', clock.now())
    const again = await driver.write(pieces('part'))
    const other = await driver.write(pieces('more'))
    const bring = (bytes_id: string, etag: string) => kit.house.commits.run((commit) => putPart(commit, { upload_id: 'u', number: 1, bytes_id, size: 4, etag, secret_id: null, checksum: null, created_at: 1 }, clock.now()))
    await bring(other, 'q')
    assert.equal(await kit.house.commits.run((commit) => completeUpload(commit, 'u', { ...row }, wanted, {}, 1)), 'changed')
    await bring(again, 'p')
    assert.equal(await kit.house.commits.run((commit) => completeUpload(commit, 'u', row, wanted, {}, 1)), 'done')
    assert.equal(await bring(other, 'q'), false)
    await clock.advance(3 * DAY)
    await sweep(kit.house)
    await reconcile(kit.house)
    assert.equal((await kit.ask('GET', `${A}/box/u`)).text, 'part')
    assert.deepEqual([driver.size], [1])
  })
})

test('an upload of weeks that is completed while the reconciler looks around keeps its parts', async () => {
  let between: (() => Promise<void>) | undefined
  const wrap = (driver: BytesDriver): BytesDriver => ({
    ...driver,
    async *list(before) {
      // After the lists of composite objects were read, and before the rows are.
      await between?.()
      yield* driver.list(before)
    },
  })
  await withKit(async (kit, clock, driver) => {
    const { row, wanted } = await begun(kit, driver, 'weeks', clock.now())
    await clock.advance(20 * DAY)
    assert.deepEqual(await reconcile(kit.house), { removed: 0 })
    between = async () => void (await kit.house.commits.run((commit) => completeUpload(commit, 'weeks', row, wanted, {}, clock.now())))
    assert.deepEqual(await reconcile(kit.house), { removed: 0 })
    assert.equal((await kit.ask('GET', `${A}/box/weeks`)).text, 'part')
  }, {}, wrap)
})

test('what a mover has copied waits for its row however long', async () => {
  const clock = new VirtualClock(1_800_000_000_000)
  const kit = await swiftKit({ driver: 'memory', policies: [{ name: 'here' }, { name: 'there', driver: 'memory' }] }, { clock })
  try {
    await kit.ask('PUT', `${A}/box`)
    for (const name of ['a', 'b']) await kit.ask('PUT', `${A}/box/${name}`, { body: name })
    const write = kit.house.bytes.write
    let first = true
    kit.house.bytes.write = async (pool, source, length) => {
      // The second object of the step takes days.
      if (!first) {
        await clock.advance(4 * DAY)
        assert.deepEqual(await reconcile(kit.house), { removed: 0 })
        await sweep(kit.house)
      }
      first = false
      return write(pool, source, length)
    }
    const moved = await moveBytes(kit.house, 'there', {})
    assert.deepEqual([moved.objects, moved.failed], [2, []])
    await clock.advance(DAY)
    await sweep(kit.house)
    await reconcile(kit.house)
    for (const name of ['a', 'b']) assert.equal((await kit.ask('GET', `${A}/box/${name}`)).text, name)
    assert.equal((await kit.house.db.query.selectFrom('swift_cleanup').selectAll().execute()).length, 0)
  } finally {
    await kit.close()
  }
})

test('a version that is moved while it is restored is restored where it lies', async () => {
  const clock = new VirtualClock(1_800_000_000_000)
  const kit = await swiftKit({ driver: 'memory', policies: [{ name: 'here' }, { name: 'there', driver: 'memory' }] }, { clock })
  try {
    await kit.ask('PUT', `${A}/box`, { headers: { 'x-versions-enabled': 'true' } })
    for (const body of ['one', 'two']) {
      await clock.advance(1000)
      await kit.ask('PUT', `${A}/box/o`, { body })
    }
    const seen = await kit.house.db.query.selectFrom('swift_versions').selectAll().executeTakeFirstOrThrow()
    await moveBytes(kit.house, 'there', {})
    assert.equal(await kit.house.commits.run((commit) => restoreVersion(commit, seen, clock.now())), true)
    await clock.advance(DAY)
    await sweep(kit.house)
    assert.equal((await kit.ask('GET', `${A}/box/o`)).text, 'one')
    assert.equal((await kit.ask('GET', `${A}/box/o?version-id=${(await kit.ask('GET', `${A}/box?versions&format=json`)).json[1].version_id}`)).text, 'one')
  } finally {
    await kit.close()
  }
})

test('bytes that a row holds stay, whatever the cleanup says', async () => {
  await withKit(async (kit, clock) => {
    await kit.ask('PUT', `${A}/box/o`, { body: 'held' })
    const { bytes_id } = (await objectOf(kit.house.db, await box(kit), 'o'))!
    await kit.house.db.query.insertInto('swift_cleanup').values({ bytes_id, due_at: 0 }).execute()
    await sweep(kit.house)
    assert.equal((await kit.ask('GET', `${A}/box/o`)).text, 'held')
    await clock.advance(1)
  })
})

test('metadata may be changed while the bytes move, and a version deleted', async () => {
  const clock = new VirtualClock(1_800_000_000_000)
  const kit = await swiftKit({ driver: 'memory', policies: [{ name: 'here' }, { name: 'there', driver: 'memory' }] }, { clock })
  try {
    await kit.ask('PUT', `${A}/box`, { headers: { 'x-versions-enabled': 'true' } })
    await kit.ask('PUT', `${A}/box/o`, { body: 'one' })
    const run = kit.house.commits.run
    const moving = (async () => {
      let once = true
      kit.house.commits.run = async (work) => {
        if (once) {
          once = false
          await moveBytes(kit.house, 'there', {})
        }
        return run(work)
      }
    })()
    await moving
    assert.equal((await kit.ask('POST', `${A}/box/o`, { headers: { 'x-object-meta-color': 'red' } })).status, 202)
    assert.equal((await kit.ask('HEAD', `${A}/box/o`)).headers['x-object-meta-color'], 'red')
    const { version_id } = (await kit.ask('GET', `${A}/box?versions&format=json`)).json[0]
    let once = true
    kit.house.commits.run = async (work) => {
      if (once) {
        once = false
        await moveBytes(kit.house, 'here', {})
      }
      return run(work)
    }
    assert.equal((await kit.ask('DELETE', `${A}/box/o?version-id=${version_id}`)).status, 204)
    assert.equal((await kit.ask('GET', `${A}/box/o`)).status, 404)
  } finally {
    await kit.close()
  }
})

test('packs are written anew by what rows say: a damaged head hides nothing, and an upload that ends meanwhile keeps its part', async () => {
  const clock = new VirtualClock(Date.now())
  const kit = await swiftKit({}, { clock })
  try {
    const { ask, house } = kit
    await ask('PUT', `${A}/box`)
    const { row, wanted } = await begun(kit, house.bytes.of('') as BytesDriver, 'u', clock.now())
    for (let i = 0; i < 20; i++) await ask('PUT', `${A}/box/o${i}`, { body: `${i} `.repeat(200) })
    for (let i = 3; i < 17; i++) await ask('DELETE', `${A}/box/o${i}`)
    // The pack is closed by the end of its process, and is an hour old.
    await kit.house.bytes.close()
    const packs = join(kit.bytesDir, 'packs')
    const [pack] = await readdir(packs)
    const bytes = await readFile(join(packs, pack!))
    bytes[bytes.indexOf('OP', 200)]! ^= 0xff
    await writeFile(join(packs, pack!), bytes)
    const age = async (): Promise<void> => {
      await clock.advance(120_000)
      for (const file of await readdir(packs)) await utimes(join(packs, file), new Date(clock.now() - DAY), new Date(clock.now() - DAY))
    }
    await age()
    await sweep(house)
    await reconcile(house)
    // A part stays where it is, and its pack with it.
    assert.ok((await readdir(packs)).includes(pack!))
    assert.equal(await house.commits.run((commit) => completeUpload(commit, 'u', row, wanted, {}, clock.now())), 'done')
    await age()
    await reconcile(house)
    assert.equal((await ask('GET', `${A}/box/u`)).text, 'part')
    await ask('DELETE', `${A}/box/u`)
    await age()
    await sweep(house)
    await reconcile(house)
    assert.ok((await readdir(packs)).includes(`${pack}.old`), 'now it is written anew')
    for (const i of [0, 1, 2, 17, 18, 19]) assert.equal((await ask('GET', `${A}/box/o${i}`)).text, `${i} `.repeat(200), `o${i}`)
    // Who had read the old place before writes it into a row again: the old file waits for that.
    const place = (await objectOf(house.db, await box(kit), 'o0'))!
    const stale = `p-${pack}-${'a'}-${(400).toString(36)}-0`
    await house.db.query.insertInto('swift_versions').values({ ...place, bytes_id: stale, rank: '1', deleted: 0 }).execute()
    await clock.advance(400 * DAY)
    await reconcile(house)
    assert.ok((await readdir(packs)).includes(`${pack}.old`))
    await house.db.query.deleteFrom('swift_versions').execute()
    await reconcile(house)
    assert.ok(!(await readdir(packs)).includes(`${pack}.old`))
    for (const i of [0, 19]) assert.equal((await ask('GET', `${A}/box/o${i}`)).text, `${i} `.repeat(200))
  } finally {
    await kit.close()
  }
})

test('two processes write the same names: one wins each, versions are told apart, counts are what the rows are', async () => {
  await withKit(async (kit, clock) => {
    await kit.ask('PUT', `${A}/box`, { headers: { 'x-versions-enabled': 'true' } })
    // The other's clock is an hour behind.
    const late = new VirtualClock(clock.now() - 3_600_000)
    const two = [kit, kit.twin({ clock: late })]
    const statuses = await Promise.all(Array.from({ length: 60 }, (_, i) => two[i % 2]!.ask('PUT', `${A}/box/o${i % 3}`, { body: `${i}` }).then((answer) => answer.status)))
    assert.deepEqual([...new Set(statuses)], [201])
    const versions = (await kit.ask('GET', `${A}/box?versions&format=json`)).json as { name: string; version_id: string; is_latest: boolean; bytes: number }[]
    assert.equal(versions.length, 60)
    assert.equal(new Set(versions.map((one) => `${one.name} ${one.version_id}`)).size, 60)
    for (const name of ['o0', 'o1', 'o2']) {
      const own = versions.filter((one) => one.name === name)
      assert.deepEqual([own[0]!.is_latest, own.filter((one) => one.is_latest).length], [true, 1])
    }
    const head = await kit.ask('HEAD', `${A}/box`)
    assert.deepEqual([head.headers['x-container-object-count'], head.headers['x-container-bytes-used']], ['3', String(versions.reduce((sum, one) => sum + one.bytes, 0))])
    // A deletion by the clock that is behind is still the latest.
    assert.equal((await two[1]!.ask('DELETE', `${A}/box/o0`)).status, 204)
    assert.equal(((await kit.ask('GET', `${A}/box?versions&format=json&prefix=o0`)).json as { is_latest: boolean; content_type: string }[])[0]!.content_type, 'application/x-deleted;swift_versions_deleted=1')
    // What is begun where nothing stands is begun by one.
    for (let round = 0; round < 5; round++) {
      const fresh = await Promise.all(Array.from({ length: 12 }, (_, i) => two[i % 2]!.ask('PUT', `${A}/box/fresh-${round}`, { body: `${i}`, headers: { 'if-none-match': '*' } }).then((answer) => answer.status)))
      assert.deepEqual(fresh.filter((status) => status === 201).length, 1, fresh.join(' '))
      assert.ok(fresh.every((status) => status === 201 || status === 412))
    }
  })
})

test('a container that is deleted while others write to it has nothing in it, and what was answered holds', async () => {
  await withKit(async (kit) => {
    const two = [kit, kit.twin()]
    for (let round = 0; round < 10; round++) {
      await kit.ask('PUT', `${A}/gone`)
      const { id } = await kit.house.db.query.selectFrom('swift_containers').select('id').where('name', '=', 'gone').executeTakeFirstOrThrow()
      const [removed, ...puts] = await Promise.all([two[round % 2]!.ask('DELETE', `${A}/gone`), ...Array.from({ length: 8 }, (_, i) => two[i % 2]!.ask('PUT', `${A}/gone/o${i}`, { body: 'x' }))])
      const rows = await kit.house.db.query.selectFrom('swift_objects').select('name').where('container_id', '=', id).execute()
      if (removed!.status === 204) assert.deepEqual([rows, [...new Set(puts.map((one) => one.status))].filter((status) => status === 201)], [[], []])
      else {
        assert.equal(removed!.status, 409)
        assert.equal(rows.length, puts.filter((one) => one.status === 201).length)
        for (const row of rows) await kit.ask('DELETE', `${A}/gone/${row.name}`)
        assert.equal((await kit.ask('DELETE', `${A}/gone`)).status, 204)
      }
    }
    const { db, commits } = kit.house
    // An upload in parts does not begin in what is gone, nor does a name go to it.
    const id = await box(kit)
    await removeContainer(db, id)
    await assert.rejects(commits.run((commit) => insertUpload(commit, { id: 'u', container_id: id, name: 'x', headers: '{}', created_at: 0 })), (thrown) => isFault(thrown, 'conflict'))
    assert.equal(await uploadById(db, 'u'), undefined)
    assert.equal(await claimBucket(db as Database<SwiftTables>, { name: 'nobody', container_id: id, claimed_at: 0 }), false)
    assert.equal((await db.query.selectFrom('swift_buckets').selectAll().execute()).length, 0)
  })
})

test('a quota is never exceeded, however many come at once', async () => {
  await withKit(async (kit) => {
    const two = [kit, kit.twin()]
    await kit.ask('POST', `${A}/box`, { headers: { 'x-container-meta-quota-bytes': '100', 'x-container-meta-quota-count': '7' } })
    const storm = (path: string, size: number) => Promise.all(Array.from({ length: 24 }, (_, i) => two[i % 2]!.ask('PUT', `${A}/${path}${i}`, { body: 'x'.repeat(size) }).then((answer) => answer.status)))
    const counted = await storm('box/count-', 1)
    assert.deepEqual([counted.filter((status) => status === 201).length, [...new Set(counted)].sort()], [7, [201, 413]])
    await kit.ask('POST', `${A}/box`, { headers: { 'x-container-meta-quota-count': '' } })
    assert.equal((await storm('box/bytes-', 10)).filter((status) => status === 201).length, 9)
    assert.equal((await kit.ask('HEAD', `${A}/box`)).headers['x-container-bytes-used'], '97')
    // Of an account, over several containers.
    await kit.ask('POST', A, { as: 'servant', headers: {} })
    const reseller = kit.twin({ config: { reseller_admin_role: 'admin' } })
    assert.equal((await reseller.ask('POST', A, { as: 'admin', headers: { 'x-account-quota-bytes': '200' } })).status, 204)
    for (const name of ['one', 'two']) await kit.ask('PUT', `${A}/${name}`)
    const both = await Promise.all([storm('one/', 10), storm('two/', 10)])
    assert.equal(both.flat().filter((status) => status === 201).length, 10)
    assert.equal((await kit.ask('HEAD', A)).headers['x-account-bytes-used'], '197')
  })
})

test('while its successor comes, an object whose old versions go elsewhere is read as it was', async () => {
  await withKit(async (kit) => {
    await kit.ask('PUT', `${A}/old`)
    await kit.ask('PUT', `${A}/box`, { headers: { 'x-versions-location': 'old' } })
    await kit.ask('PUT', `${A}/box/o`, { body: 'first' })
    const body = new PassThrough()
    const coming = kit.ask('PUT', `${A}/box/o`, { body, headers: { 'transfer-encoding': 'chunked' } })
    body.write('sec')
    for (let i = 0; i < 20; i++) assert.equal((await kit.ask('GET', `${A}/box/o`)).text, 'first')
    body.end('ond')
    assert.equal((await coming).status, 201)
    assert.equal((await kit.ask('GET', `${A}/box/o`)).text, 'second')
    const two = [kit, kit.twin()]
    const statuses = await Promise.all(Array.from({ length: 20 }, (_, i) => two[i % 2]!.ask('PUT', `${A}/box/o`, { body: `${i}` }).then((answer) => answer.status)))
    assert.deepEqual([...new Set(statuses)], [201])
    assert.equal((await kit.ask('HEAD', `${A}/old`)).headers['x-container-object-count'], '21')
  })
})

test('what was cut off in the store is not taken for nobody\'s', async () => {
  const clock = new VirtualClock(1_800_000_000_000)
  const hex = 'a'.repeat(32)
  const kept = new Set([hex])
  const driver: BytesDriver = {
    ...memoryBytes(() => 0),
    // Longer by its row than the store says by now.
    write: async (source) => {
      for await (const _ of source);
      return `c-${hex}-zz`
    },
    async *list() {
      for (const one of kept) yield `c-${one}-5`
    },
    remove: async (ids) => void ids.forEach((id) => kept.delete(id.split('-')[1]!)),
  }
  const kit = await swiftKit({}, { clock, bytes: driver })
  try {
    await kit.ask('PUT', `${A}/box`)
    assert.equal((await kit.ask('PUT', `${A}/box/o`, { body: 'x' })).status, 201)
    await clock.advance(3 * DAY)
    assert.deepEqual([await reconcile(kit.house), kept.size], [{ removed: 0 }, 1])
    await kit.ask('DELETE', `${A}/box/o`)
    await clock.advance(3 * DAY)
    await sweep(kit.house)
    assert.equal(kept.size, 0)
  } finally {
    await kit.close()
  }
})
