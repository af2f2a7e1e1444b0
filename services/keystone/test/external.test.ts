/** REMOTE_USER is a login for those who come through a web server that is trusted for it, and words for everybody else. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Answer } from '#stack/test/house-kit.ts'
import { type KeystoneKit, keystoneKit } from './kit.ts'

let k: KeystoneKit
let admin: string
before(async () => {
  k = await keystoneKit({ external: { trust_headers_from: ['local'], use_remote_domain: true } })
  admin = await k.admin()
})
after(() => k.close())

const SCOPE = { project: { name: 'demo', domain: { id: 'default' } } }
const login = (headers: Record<string, string>, methods: string[] = ['external'], identity: object = {}): Promise<Answer> => k.ask('POST', '/v3/auth/tokens', { headers, body: { auth: { identity: { methods, ...identity }, scope: SCOPE } } })

test('a trusted peer names a user', async () => {
  for (const [headers, methods] of [[{ remote_user: 'demo' }, ['external']], [{ 'remote-user': 'demo' }, []], [{ remote_user: 'demo', remote_domain: 'Default' }, ['external']]] as const) {
    const answer = await login(headers, [...methods])
    assert.equal(answer.status, 201, answer.text)
    const { user, methods: said, project } = answer.json.token
    assert.deepEqual([user.name, said, project.name], ['demo', ['external'], 'demo'])
  }
})

test('nobody, somebody unknown, disabled or from outside is not let in', async () => {
  for (const headers of [{}, { remote_user: '' }, { remote_user: 'nobody' }, { remote_user: 'demo', remote_domain: 'nowhere' }, { remote_user: 'demo, admin' }] as Record<string, string>[]) assert.equal((await login(headers)).status, 401, JSON.stringify(headers))
  const { user } = (await k.ask('POST', '/v3/users', { token: admin, body: { user: { name: 'off', password: 'p', enabled: false } } })).json
  assert.equal((await login({ remote_user: user.name })).status, 401)
})

test('it counts only where it is asked for, and all methods must mean one user', async () => {
  const password = { user: { name: 'demo', domain: { id: 'default' }, password: 'demo-secret' } }
  assert.equal((await login({ remote_user: 'admin' }, ['external', 'password'], { password })).status, 401)
  const both = await login({ remote_user: 'demo' }, ['external', 'password'], { password })
  assert.deepEqual([...both.json.token.methods].sort(), ['external', 'password'])
  const alone = await login({ remote_user: 'admin' }, ['password'], { password })
  assert.deepEqual([alone.json.token.user.name, alone.json.token.methods], ['demo', ['password']])
})

test('further factors are still asked for', async () => {
  const { user } = (await k.ask('POST', '/v3/users', { token: admin, body: { user: { name: 'careful', password: 'p', options: { multi_factor_auth_rules: [['external', 'totp']] } } } })).json
  const answer = await login({ remote_user: user.name })
  assert.equal(answer.status, 401)
  assert.ok(answer.headers['openstack-auth-receipt'])
})

test('from all other peers it is nothing, whatever they say', async () => {
  const from = async (remote: string, methods: string[], headers: Record<string, string> = {}): Promise<number> => {
    const body = JSON.stringify({ auth: { identity: { methods } } })
    const answer = await k.keystone.handler({ method: 'POST', path: '/v3/auth/tokens', query: '', headers: { 'content-type': 'application/json', remote_user: 'admin', ...headers }, body, origin: 'http://127.0.0.1:5000', remote })
    return answer.status
  }
  assert.equal(await from('local', []), 201)
  assert.equal(await from('10.0.0.1', ['external']), 401)
  assert.equal(await from('10.0.0.1', ['external'], { 'x-forwarded-for': 'local', forwarded: 'for=local' }), 401)
  assert.equal(await from('10.0.0.1', []), 400, 'no method at all')
})
