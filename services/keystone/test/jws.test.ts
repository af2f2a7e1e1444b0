/** Tokens of the provider `jws`: what they say, who reads them, and what is refused although it looks like one. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHmac, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { controlProcess } from '../processes/control.ts'
import { keystoneManage } from '../processes/manage.ts'
import { type KeystoneKit, keystoneKit } from './kit.ts'

let k: KeystoneKit
let keys: string
before(async () => {
  k = await keystoneKit({ token: { provider: 'jws' } })
  keys = join(k.kit.parts.dataDir, 'jws-keys')
})
after(() => k.close())

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const claimsIn = (token: string): Record<string, unknown> => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>
const status = async (token: string): Promise<number> => (await k.ask('GET', '/v3/auth/projects', { token })).status
const publicPem = async (): Promise<string> => readFile(join(keys, 'public', (await readdir(join(keys, 'public')))[0]!), 'utf8')
const privatePem = (): Promise<string> => readFile(join(keys, 'private', 'private.pem'), 'utf8')

function signed(head: object, claims: object, key: string): string {
  const text = `${part(head)}.${part(claims)}`
  return `${text}.${sign('sha256', Buffer.from(text), { key: createPrivateKey(key), dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

test('a token says what Keystone says, and dies as every token does', async () => {
  const { token, answer } = await k.login('demo', 'demo-secret')
  const claims = claimsIn(token)
  assert.deepEqual(JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()), { alg: 'ES256', typ: 'JWT' })
  assert.deepEqual(Object.keys(claims).sort(), ['exp', 'iat', 'openstack_audit_ids', 'openstack_methods', 'openstack_project_id', 'sub'])
  assert.equal(claims.sub, answer.json.token.user.id)
  assert.equal(claims.openstack_project_id, answer.json.token.project.id)
  assert.deepEqual(claims.openstack_audit_ids, answer.json.token.audit_ids)
  assert.equal(Number(claims.exp) * 1000, Date.parse(answer.json.token.expires_at))
  const another = controlProcess(k.kit.parts)
  assert.equal((await another.validateToken(token, ''))?.user_name, 'demo', 'a process that did not issue it reads it')
  assert.equal(await status(token), 200)
  assert.equal((await k.ask('DELETE', '/v3/auth/tokens', { token, headers: { 'x-subject-token': token } })).status, 204)
  assert.equal(await status(token), 401)
})

test('every kind of token comes back as what it was', async () => {
  for (const scope of [{ system: { all: true } }, { domain: { id: 'default' } }, 'unscoped']) {
    const { token, answer } = await k.login('admin', 'admin-secret', scope)
    assert.equal(answer.status, 201, answer.text)
    const other = controlProcess(k.kit.parts)
    const facts = await other.validateToken(token, '')
    assert.equal(facts?.system_scope, typeof scope === 'object' && 'system' in scope ? 'all' : undefined)
    assert.equal(facts?.domain_id, typeof scope === 'object' && 'domain' in scope ? 'default' : undefined)
  }
})

test('a token is believed for its signature by ES256 and for nothing else', async () => {
  const { token } = await k.login('admin', 'admin-secret')
  const claims = claimsIn(token)
  const pem = await publicPem()
  const hmac = (head: object): string => {
    const text = `${part(head)}.${part(claims)}`
    return `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`
  }
  const stranger = generateKeyPairSync('ec', { namedCurve: 'prime256v1', publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } })
  const key = await privatePem()
  const [head, body, tail] = token.split('.') as [string, string, string]
  const forged: Record<string, string> = {
    'no algorithm': `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.`,
    'no algorithm, a signature of another token': `${part({ alg: 'none', typ: 'JWT' })}.${body}.${tail}`,
    'the public key as a secret': hmac({ alg: 'HS256', typ: 'JWT' }),
    'the public key as a secret, under the right name': hmac({ alg: 'ES256', typ: 'JWT' }),
    'a right signature under another name': signed({ alg: 'ES384', typ: 'JWT' }, claims, key),
    'an extension that nobody understands': signed({ alg: 'ES256', crit: ['x'], x: 1 }, claims, key),
    'a key that came along': signed({ alg: 'ES256', typ: 'JWT', jwk: { kty: 'EC' } }, claims, stranger.privateKey),
    'another user': `${head}.${part({ ...claims, sub: 'admin' })}.${tail}`,
    'a signature of nothing': `${head}.${body}.${Buffer.alloc(64).toString('base64url')}`,
    'a signature in DER': `${head}.${body}.${sign('sha256', Buffer.from(`${head}.${body}`), createPrivateKey(key)).toString('base64url')}`,
    'claims of another kind': signed({ alg: 'ES256', typ: 'JWT' }, { sub: claims.sub, iat: claims.iat, exp: claims.exp }, key),
    'time without end': signed({ alg: 'ES256', typ: 'JWT' }, { ...claims, exp: 'never' }, key),
    'over its time': signed({ alg: 'ES256', typ: 'JWT' }, { ...claims, exp: 1 }, key),
    'two parts': `${head}.${body}`,
    'a Fernet token': Buffer.concat([Buffer.from([0x80]), Buffer.alloc(120)]).toString('base64url'),
  }
  for (const [what, text] of Object.entries(forged)) assert.equal(await status(text), 401, what)
  assert.equal(await status(signed({ alg: 'ES256', typ: 'JWT' }, claims, key)), 200, 'the same made rightly is taken, so the others are refused for what they are')
})

test('a new pair signs, and what the old one signed stays good while its public key lies there', async () => {
  const manage = keystoneManage({ world: k.kit.world, config: k.kit.parts.config, db: k.kit.parts.db, dataDir: k.kit.parts.dataDir })
  const { token } = await k.login('demo', 'demo-secret')
  await assert.rejects(manage.createJwsKeys(false), /is there already/)
  const old = await privatePem()
  await manage.createJwsKeys(true)
  assert.notEqual(await privatePem(), old)
  assert.equal((await readdir(join(keys, 'public'))).length, 2)
  assert.equal((await stat(join(keys, 'private', 'private.pem'))).mode & 0o077, 0)
  const fresh = controlProcess(k.kit.parts)
  const { token: next } = await fresh.issueFor('demo', 'demo')
  assert.equal((await fresh.validateToken(token, ''))?.user_name, 'demo')
  assert.equal((await fresh.validateToken(next.reveal(), ''))?.user_name, 'demo')
  await writeFile(join(keys, 'public', 'not-a-key.pem'), await privatePem())
  const careful = controlProcess(k.kit.parts)
  assert.equal((await careful.validateToken(token, ''))?.user_name, 'demo', 'what is no public key is left out')
})

/** Keystone's own code, given only the folder of public keys; then a token of its making. */
const READER = `
import json, sys
import keystone.conf
from keystone.token.providers.jws import core
keystone.conf.configure()
conf = keystone.conf.CONF
conf([], project='keystone', default_config_files=[])
conf.set_override('jws_public_key_repository', sys.argv[1] + '/public', 'jwt_tokens')
conf.set_override('jws_private_key_repository', sys.argv[1] + '/private', 'jwt_tokens')
provider = core.Provider()
read = [provider.validate_token(token) for token in sys.argv[2:]]
user, methods, audit, system, domain, project = read[0][:6]
made = provider.token_formatter.create_token(user, read[0][13], ['sJkcT7cgTiKBhpS9AtKCNw'], methods, project_id=project)[0]
print(json.dumps({'read': read, 'made': made}))
`

test('the code of a real Keystone reads our tokens, and we read its', async (t) => {
  const run = promisify(execFile)
  const has = await run('/usr/bin/python3', ['-c', 'import keystone.token.providers.jws']).then(() => true, () => false)
  if (!has) return t.skip('keystone is not installed')
  const scoped = await k.login('demo', 'demo-secret')
  const system = await k.login('admin', 'admin-secret', { system: { all: true } })
  const { stdout } = await run('/usr/bin/python3', ['-W', 'ignore', '-c', READER, keys, scoped.token, system.token], { timeout: 120_000 })
  const { read, made } = JSON.parse(stdout) as { read: unknown[][]; made: string }
  const { token } = scoped.answer.json
  assert.deepEqual(read[0]!.slice(0, 6), [token.user.id, token.methods, token.audit_ids, null, null, token.project.id])
  assert.deepEqual(read[0]!.slice(12), [token.issued_at, token.expires_at])
  assert.equal(read[1]![3], 'all')
  const facts = await controlProcess(k.kit.parts).validateToken(made, '')
  assert.equal(facts?.project_id, token.project.id)
  assert.deepEqual(facts?.audit_ids, ['sJkcT7cgTiKBhpS9AtKCNw'])
})
