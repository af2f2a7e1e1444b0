/** The unmodified command of users, with keystoneauth's own plugins for OpenID Connect. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, test } from 'node:test'
import { listen } from '#base/http/server.ts'
import { keystoneKit } from './kit.ts'
import { openidProviderKit } from './openid-provider.ts'

const provider = await openidProviderKit()
const k = await keystoneKit({ federation: { openid: { corp: { issuer: provider.url, client_id: provider.client.id, client_secret: provider.client.secret } } } })
const served = await listen(k.keystone.handler, { host: '127.0.0.1', port: 0 })
after(async () => {
  await served.close(0)
  await k.close()
  await provider.close()
})
const token = await k.admin()
for (const [path, body] of Object.entries({
  'mappings/corp': { mapping: { rules: [{ remote: [{ type: 'OIDC-preferred_username' }], local: [{ user: { name: '{0}' } }, { projects: [{ name: 'home', roles: [{ name: 'member' }] }] }] }] } },
  'identity_providers/corp': { identity_provider: { enabled: true, domain_id: 'default' } },
  'identity_providers/corp/protocols/openid': { protocol: { mapping_id: 'corp' } },
})) assert.equal((await k.ask('PUT', `/v3/OS-FEDERATION/${path}`, { token, body })).status, 201)

interface Ran {
  code: number | null
  out: string
  err: string
}

/** `openstack token issue` in a project, by a way to log in. */
function issue(type: string, options: Record<string, string>): Promise<Ran> {
  const all = {
    'auth-type': type, 'auth-url': `${served.url}/v3`, 'identity-provider': 'corp', protocol: 'openid', 'project-name': 'home', 'project-domain-id': 'default', 'identity-api-version': '3', ...options,
  }
  return new Promise((resolve, reject) => {
    const child = spawn('/usr/bin/openstack', [...Object.entries(all).map(([key, value]) => `--os-${key}=${value}`), 'token', 'issue', '-f', 'json'], { env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent' }, stdio: ['ignore', 'pipe', 'pipe'] })
    const ran: Ran = { code: null, out: '', err: '' }
    child.stdout.on('data', (chunk: Buffer) => (ran.out += String(chunk)))
    child.stderr.on('data', (chunk: Buffer) => (ran.err += String(chunk)))
    child.on('error', reject)
    child.on('close', (code) => resolve({ ...ran, code }))
  })
}

const client = { 'client-id': provider.client.id, 'client-secret': provider.client.secret, 'discovery-endpoint': `${provider.url}/.well-known/openid-configuration` }

test('openstack logs in by every way that keystoneauth has for OpenID Connect', { timeout: 240_000 }, async () => {
  const there = new URL(`${provider.url}/authorization`)
  there.search = new URLSearchParams({ response_type: 'code', client_id: provider.client.id, redirect_uri: 'http://localhost/', state: 'x', code_challenge: '', code_challenge_method: 'S256' }).toString()
  const code = (await provider.login(there.href)).searchParams.get('code')!
  const ways: [string, Record<string, string>][] = [
    ['v3oidcpassword', { ...client, username: 'jane', password: 'jane-secret' }],
    ['v3oidcclientcredentials', client],
    ['v3oidcaccesstoken', { 'access-token': await provider.token() }],
    ['v3oidcauthcode', { ...client, code, 'redirect-uri': 'http://localhost/' }],
  ]
  for (const [type, options] of ways) {
    const ran = await issue(type, options)
    assert.equal(ran.code, 0, `${type}: ${ran.err}`)
    const issued = JSON.parse(ran.out) as { id: string; user_id: string; project_id: string }
    const shown = (await k.ask('GET', '/v3/auth/tokens', { token, headers: { 'x-subject-token': issued.id } })).json.token
    assert.equal(shown.user.name, 'jane', type)
    assert.equal(shown.project.name, 'home', type)
  }
})

test('and it is told when the provider or Keystone says no', { timeout: 120_000 }, async () => {
  assert.notEqual((await issue('v3oidcpassword', { ...client, username: 'jane', password: 'wrong' })).code, 0)
  const ran = await issue('v3oidcaccesstoken', { 'access-token': await provider.token({ aud: 'another' }) })
  assert.notEqual(ran.code, 0)
  assert.match(ran.err, /requires authentication/)
})
