import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { VirtualClock } from '#base/clock.ts'
import { withDefaults } from '#base/config.ts'
import { isFault } from '#base/fault.ts'
import { houseKit } from '#stack/test/house-kit.ts'
import { type SwiftConfig, swiftConfig } from '../config.ts'
import { policiesOf, poolOf } from '../core/policies.ts'
import { memoryBytes } from '../drivers/fake/memory-bytes.ts'
import { reconcile, sweep } from '../flows/keep-order.ts'
import { moveBytes } from '../flows/move-bytes.ts'
import { controlProcess } from '../processes/control.ts'
import { objectCarriers } from '../store/moves.ts'
import { A, type SwiftKit, swiftKit } from './kit.ts'

const POLICIES = [{ name: 'standard', default: true }, { name: 'gold', aliases: ['best'], driver: 'memory' }, { name: 'old', deprecated: true, driver: 'files' }]

const lying = async (kit: SwiftKit, container: string): Promise<string[]> => {
  const row = await kit.house.db.query.selectFrom('swift_containers').selectAll().where('name', '=', container).executeTakeFirstOrThrow()
  return (await objectCarriers(kit.house.db, row.id, '', 1000)).map((one) => poolOf(one.bytes_id))
}

test('a container has the policy it was made with, and its bytes lie there', async () => {
  const kit = await swiftKit({ policies: POLICIES })
  try {
    const { ask } = kit
    assert.deepEqual((await ask('GET', '/info')).json.swift.policies, [{ name: 'standard', aliases: 'standard', default: true }, { name: 'gold', aliases: 'gold, best' }])
    for (const [name, policy] of [['plain', undefined], ['shiny', 'BEST']] as const) {
      assert.equal((await ask('PUT', `${A}/${name}`, { headers: policy ? { 'x-storage-policy': policy } : {} })).status, 201)
      assert.equal((await ask('PUT', `${A}/${name}/o`, { body: name })).status, 201)
      assert.equal((await ask('GET', `${A}/${name}/o`)).text, name)
    }
    assert.deepEqual([await lying(kit, 'plain'), await lying(kit, 'shiny')], [[''], ['gold']])
    assert.equal((await ask('HEAD', `${A}/shiny`)).headers['x-storage-policy'], 'gold')
    assert.equal((await ask('PUT', `${A}/shiny`, { headers: { 'x-storage-policy': 'standard' } })).status, 409)
    assert.equal((await ask('PUT', `${A}/shiny`, { headers: { 'x-storage-policy': 'gold' } })).status, 202)
    for (const policy of ['old', 'none']) assert.equal((await ask('PUT', `${A}/new`, { headers: { 'x-storage-policy': policy } })).status, 400, policy)
    const account = await ask('HEAD', A)
    assert.deepEqual([account.headers['x-account-storage-policy-gold-bytes-used'], account.headers['x-account-storage-policy-standard-object-count']], ['5', '1'])
    assert.equal((await ask('DELETE', `${A}/shiny/o`)).status, 204)
  } finally {
    await kit.close()
  }
})

test('what a policy may not say is an error that names the key', () => {
  const s3 = { url: 'http://192.0.2.1', bucket: 'b', access_key: 'a', secret_key: 's' }
  const cases: [object[], string][] = [
    [[], 'swift.policies'],
    [[{ name: 'a b' }], 'swift.policies[0].name'],
    [[{ name: 'a' }, { name: 'A' }], 'swift.policies[1].name'],
    [[{ name: 'a' }, { name: 'b', aliases: ['A'] }], 'swift.policies[1].aliases[0]'],
    [[{ name: 'a', default: true }, { name: 'b', default: true }], 'swift.policies[1].default'],
    [[{ name: 'a', deprecated: true }], 'swift.policies[0].deprecated'],
    [[{ name: 'a', drivr: 'files' }], 'swift.policies[0].drivr'],
    [[{ name: 'a', driver: 'tape' }], 'swift.policies[0].driver'],
    [[{ name: 'a', path: '/x' }], 'swift.policies[0].path'],
    [[{ name: 'a', driver: 'files', path: 'x' }], 'swift.policies[0].path'],
    [[{ name: 'a', driver: 's3' }], 'swift.policies[0].s3'],
    [[{ name: 'a', driver: 's3', s3: { ...s3, url: 'nowhere' } }], 'swift.policies[0].s3.url'],
    [[{ name: 'a', driver: 's3', s3: { ...s3, secret_key: '' } }], 'swift.policies[0].s3.secret_key'],
    [[{ name: 'a', driver: 's3', s3: { ...s3, acces_key: 'x' } }], 'swift.policies[0].s3.acces_key'],
    [[{ name: 'a', driver: 's3', s3 }, { name: 'b', driver: 's3', s3 }], 'swift.policies[1].s3.bucket'],
    [[{ name: 'a', driver: 'files', path: '/x' }, { name: 'b', driver: 'files', path: '/x/' }], 'swift.policies[1].path'],
  ]
  for (const [given, field] of cases) assert.throws(() => policiesOf(given as never), (thrown) => isFault(thrown, 'invalid') && thrown.message.startsWith(field), field)
})

test('a policy that lost its name is refused as a reason to remove anything', async () => {
  const clock = new VirtualClock(1_800_000_000_000)
  const kit = await swiftKit({ policies: POLICIES }, { clock })
  try {
    await kit.ask('PUT', `${A}/shiny`, { headers: { 'x-storage-policy': 'gold' } })
    await kit.ask('PUT', `${A}/shiny/o`, { body: 'kept' })
    await clock.advance(3 * 86_400_000)
    const { bytes } = kit.house
    // As after a restart with the policy under another name.
    kit.house.bytes = { ...bytes, names: ['', 'silver'], of: (pool) => bytes.of(pool === 'silver' ? 'gold' : pool) }
    assert.deepEqual(await reconcile(kit.house), { removed: 0 })
    kit.house.bytes = bytes
    assert.deepEqual(await reconcile(kit.house), { removed: 0 })
    assert.equal((await kit.ask('GET', `${A}/shiny/o`)).text, 'kept')
  } finally {
    await kit.close()
  }
})

test('several processes serve one store: what one took the other gives, and counts agree', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-bytes-'))
  const kit = await houseKit<SwiftConfig>({ config: withDefaults(swiftConfig, { durability: 'fast', policies: [{ name: 'shared', driver: 'files', path: dir }] }) as SwiftConfig, policies: [] })
  const two = [controlProcess(kit.parts), controlProcess(kit.parts)]
  try {
    await kit.migrate(two[0]!.plate)
    const ask = (which: number, method: string, below: string, body?: string) => kit.request(two[which % 2]!.handler, method, `${A}/box${below}`, { as: 'member', ...(body === undefined ? {} : { body, headers: { 'content-length': String(body.length) } }) })
    assert.equal((await ask(0, 'PUT', '')).status, 201)
    // Names come again, so that both replace what the other has.
    await Promise.all(Array.from({ length: 60 }, async (_, i) => assert.equal((await ask(i, 'PUT', `/o${i % 20}`, `${i}`.repeat(i % 3 === 0 ? 40_000 : 3))).status, 201)))
    for (let i = 0; i < 20; i++) {
      const [one, other] = [await ask(0, 'GET', `/o${i}`), await ask(1, 'GET', `/o${i}`)]
      assert.equal(one.status, 200)
      assert.equal(one.text, other.text)
    }
    await Promise.all(Array.from({ length: 10 }, async (_, i) => assert.equal((await ask(i, 'DELETE', `/o${i}`)).status, 204)))
    const rows = (await ask(1, 'GET', '?format=json')).json as { bytes: number }[]
    const head = await ask(0, 'HEAD', '')
    const headers = Object.fromEntries(Object.entries(head.headers).map(([name, value]) => [name.toLowerCase(), value]))
    assert.equal(headers['x-container-object-count'], '10')
    assert.equal(headers['x-container-bytes-used'], String(rows.reduce((sum, one) => sum + one.bytes, 0)))
  } finally {
    for (const one of two) await one.close()
    await kit.close()
    await rm(dir, { recursive: true, force: true })
  }
})

test('a container moves to another policy while it is written, read and deleted from', async () => {
  const clock = new VirtualClock(1_800_000_000_000)
  const kit = await swiftKit({ policies: POLICIES, driver: 'memory' }, { clock, bytes: memoryBytes(() => clock.now()) })
  try {
    const { ask, house } = kit
    await ask('PUT', `${A}/box`, { headers: { 'x-versions-enabled': 'true' } })
    await ask('PUT', `${A}/stays`)
    await ask('PUT', `${A}/stays/o`, { body: 'here' })
    for (let i = 0; i < 150; i++) await ask('PUT', `${A}/box/o${i % 120}`, { body: `first ${i}` })
    await ask('PUT', `${A}/box/empty`, { body: '', headers: { 'content-length': '0' } })
    let done = false
    // Everything that may happen to an object in the middle of it.
    const users = (async () => {
      for (let i = 0; !done || i < 40; i++) {
        const answers = await Promise.all([ask('PUT', `${A}/box/o${i % 50}`, { body: `second ${i}` }), ask('DELETE', `${A}/box/o${60 + (i % 20)}`), ask('GET', `${A}/box/o${90 + (i % 30)}`), ask('POST', `${A}/box/o${100 + (i % 10)}`, { headers: { 'x-object-meta-a': `${i}` } })])
        assert.deepEqual([answers[0]!.status, answers[2]!.status], [201, 200])
      }
    })()
    const moved = await moveBytes(house, 'gold', { account: 'AUTH_project-a', container: 'box' })
    done = true
    await users
    assert.deepEqual(moved.failed, [])
    assert.ok(moved.objects >= 100, `${moved.objects}`)
    // What was written between the reading of a policy and its change may lie where it was; a second round leaves nothing.
    await moveBytes(house, 'gold', { account: 'AUTH_project-a', container: 'box' })
    assert.deepEqual(new Set(await lying(kit, 'box')), new Set(['gold']))
    assert.deepEqual(await lying(kit, 'stays'), [''])
    assert.equal((await moveBytes(house, 'gold', { account: 'AUTH_project-a', container: 'box' })).objects, 0)
    assert.equal((await ask('HEAD', `${A}/box`)).headers['x-storage-policy'], 'gold')
    await clock.advance(2 * 86_400_000)
    await sweep(house)
    await reconcile(house)
    const list = (await ask('GET', `${A}/box?versions&format=json`)).json as { name: string; version_id: string; hash: string; content_type: string }[]
    for (const one of list) {
      if (one.content_type.startsWith('application/x-deleted')) continue
      const got = await ask('GET', `${A}/box/${one.name}?version-id=${one.version_id}`)
      assert.deepEqual([got.status, got.headers.etag], [200, one.hash], `${one.name} ${one.version_id}`)
      if (one.name !== 'empty') assert.match(got.text, /^(first|second) \d+$/)
    }
    // In the old place lies what was never moved, and nothing else.
    const left: string[] = []
    for await (const id of house.bytes.of('')!.list(clock.now())) left.push(id)
    assert.equal(left.length, 1)
  } finally {
    await kit.close()
  }
})

test('a move refuses what is not there', async () => {
  const kit = await swiftKit({ policies: POLICIES })
  try {
    await assert.rejects(moveBytes(kit.house, 'silver', {}), /There is no storage policy silver: standard, gold, old/)
    await assert.rejects(moveBytes(kit.house, 'gold', { account: 'AUTH_x', container: 'none' }), /There is no container AUTH_x\/none/)
  } finally {
    await kit.close()
  }
})

test('an account that was deleted is reaped after its time: containers, versions, uploads in parts, bytes in every place', async () => {
  const clock = new VirtualClock(1_800_000_000_000)
  const kit = await swiftKit({ policies: POLICIES, driver: 'memory', reap_after_seconds: 3600 }, { clock })
  try {
    const { ask, house } = kit
    for (const [name, headers] of [['plain', {}], ['shiny', { 'x-storage-policy': 'gold', 'x-versions-enabled': 'true' }]] as const) {
      await ask('PUT', `${A}/${name}`, { headers })
      for (let i = 0; i < 3; i++) assert.equal((await ask('PUT', `${A}/${name}/o`, { body: `${i}` })).status, 201)
    }
    const { id } = await house.db.query.selectFrom('swift_containers').select('id').where('name', '=', 'plain').executeTakeFirstOrThrow()
    await house.db.query.insertInto('swift_uploads').values({ id: 'u', container_id: id, name: 'big', headers: '{}', created_at: 1 }).execute()
    await house.db.query.insertInto('swift_upload_parts').values({ upload_id: 'u', number: 1, bytes_id: await house.bytes.write('', [Buffer.from('part')] as never), size: 4, etag: '', secret_id: null, checksum: null, created_at: 1 }).execute()
    assert.equal((await ask('DELETE', A, { as: 'admin' })).status, 403)
    assert.equal((await ask('DELETE', A, { as: 'ResellerAdmin@other' })).status, 204)
    assert.equal((await ask('GET', A)).status, 410)
    assert.equal((await ask('PUT', `${A}/plain/late`, { body: 'x' })).status, 409)
    await clock.advance(1_800_000)
    await sweep(house)
    assert.equal((await ask('GET', `${A}/plain/o`)).text, '2', 'not yet')
    await clock.advance(1_900_000)
    await sweep(house)
    await clock.advance(100_000)
    await sweep(house)
    for (const table of ['swift_accounts', 'swift_containers', 'swift_objects', 'swift_versions', 'swift_uploads', 'swift_upload_parts', 'swift_cleanup'] as const) assert.deepEqual(await house.db.query.selectFrom(table).selectAll().execute(), [], table)
    for (const pool of ['', 'gold']) for await (const left of house.bytes.of(pool)!.list(clock.now())) assert.fail(`${left} is left`)
    // A new account of the same name is empty.
    await ask('PUT', `${A}/plain`)
    assert.equal((await ask('HEAD', A)).headers['x-account-container-count'], '1')
  } finally {
    await kit.close()
  }
})

test('a quota for one policy holds for that policy alone', async () => {
  const kit = await swiftKit({ policies: POLICIES })
  try {
    const { ask } = kit
    await ask('PUT', `${A}/plain`)
    await ask('PUT', `${A}/shiny`, { headers: { 'x-storage-policy': 'gold' } })
    assert.equal((await ask('POST', A, { headers: { 'x-account-quota-bytes-policy-gold': '10' } })).status, 403)
    assert.equal((await ask('POST', A, { as: 'ResellerAdmin@other', headers: { 'x-account-quota-bytes-policy-none': '10' } })).status, 400)
    assert.equal((await ask('POST', A, { as: 'ResellerAdmin@other', headers: { 'x-account-quota-bytes-policy-gold': '10', 'x-account-quota-count-policy-gold': '2' } })).status, 204)
    assert.equal((await ask('HEAD', A)).headers['x-account-quota-bytes-policy-gold'], '10')
    const put = async (path: string, body: string): Promise<number> => (await ask('PUT', `${A}/${path}`, { body, headers: { 'content-length': String(body.length) } })).status
    assert.deepEqual([await put('shiny/a', '123456'), await put('shiny/b', '123456'), await put('plain/b', '1234567890123'), await put('shiny/c', '1234'), await put('shiny/d', '')], [201, 413, 201, 201, 413])
    assert.equal((await ask('POST', A, { as: 'ResellerAdmin@other', headers: { 'x-remove-account-quota-bytes-policy-gold': 'x', 'x-account-quota-count-policy-gold': '' } })).status, 204)
    assert.equal(await put('shiny/b', '123456'), 201)
  } finally {
    await kit.close()
  }
})
