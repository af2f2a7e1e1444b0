/** What an operator does beside the API; and two API processes on one database that never hear of each other. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryBus } from '#base/bus/memory.ts'
import { Secret } from '#base/secret.ts'
import { tokenDoor } from '#stack/token-door.ts'
import { controlProcess } from '../processes/control.ts'
import { keystoneManage } from '../processes/manage.ts'
import { ADMIN, type KeystoneKit, keystoneKit } from './kit.ts'

const manageOf = (k: KeystoneKit) => keystoneManage({ world: k.kit.world, config: k.kit.parts.config, db: k.kit.parts.db, dataDir: k.kit.parts.dataDir })

test('bootstrap may be repeated, and gives a lost administrator back', async () => {
  const k = await keystoneKit()
  try {
    const manage = manageOf(k)
    assert.equal(await manage.bootstrap(new Secret(ADMIN), 'RegionOne'), false)
    assert.equal(await manage.bootstrap(new Secret('another-secret'), 'RegionOne'), true)
    assert.equal(await manage.bootstrap(new Secret('another-secret'), 'RegionOne'), false)
    assert.equal((await k.login('admin', ADMIN)).answer.status, 401)
    assert.equal((await k.login('admin', 'another-secret')).answer.status, 201)
    await manage.resetPassword('demo', 'found-again')
    assert.equal((await k.login('demo', 'found-again')).answer.status, 201)
    await assert.rejects(manage.resetPassword('nobody', 'x'), /Could not find user: nobody/)
  } finally {
    await k.close()
  }
})

test('keys are made, rotated and migrated, and nothing that was sealed is lost', async () => {
  const k = await keystoneKit()
  try {
    const manage = manageOf(k)
    const admin = await k.admin()
    const { user } = (await k.ask('GET', '/v3/auth/tokens', { token: admin, headers: { 'x-subject-token': admin } })).json.token
    const made = await k.ask('POST', '/v3/credentials', { token: admin, body: { credential: { type: 'cert', user_id: user.id, blob: 'sealed' } } })
    assert.equal(made.status, 201, made.text)
    assert.deepEqual(await manage.setupKeys('fernet'), [1, 0])
    assert.deepEqual(await manage.setupKeys('receipt'), [1, 0])
    await manage.rotateTokenKeys()
    await manage.rotateReceiptKeys()
    assert.deepEqual(await manage.setupKeys('fernet'), [2, 1, 0])
    assert.equal(await manage.rotateCredentialKeys(), 1)
    assert.equal(await manage.migrateCredentials(), 0)
    assert.equal((await k.ask('GET', '/v3/auth/tokens', { token: admin, headers: { 'x-subject-token': admin } })).status, 200)
    assert.equal((await manageOf(k).doctor()).some(({ name }) => name === 'credentials'), false)
    assert.equal(await manage.purgeMapped(), 0)
  } finally {
    await k.close()
  }
})

test('a token revoked in one process is refused by another within a second, with no message between them', async () => {
  const k = await keystoneKit()
  const bus = memoryBus(k.kit.world)
  const parts = { ...k.kit.parts, bus, owner: 'other' }
  parts.tokens = tokenDoor(async (token, id) => other.validateToken(token, id), k.kit.world.clock)
  const other = controlProcess(parts)
  await other.start()
  try {
    const { token } = await k.login('demo', 'demo-secret')
    const there = async () => (await k.kit.request(other.handler, 'GET', '/v3/auth/projects', { headers: { 'x-auth-token': token } })).status
    assert.equal(await there(), 200)
    assert.equal((await k.ask('DELETE', '/v3/auth/tokens', { token, headers: { 'x-subject-token': token } })).status, 204)
    const began = performance.now()
    while ((await there()) !== 401) {
      assert.ok(performance.now() - began < 1500, 'still accepted after a second')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  } finally {
    await other.close()
    await bus.close()
    await k.close()
  }
})
