/** keystoneauth's own plugins for SAML2, between two clouds and with a provider that takes passwords. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Cloud, startCloud } from '#cloud/start-cloud.ts'
import { ecpEnvelope } from '../core/saml/messages.ts'
import { childrenOf, readXml } from '../core/saml/xml.ts'
import { selfSigned } from './certificate.ts'
import { samlProviderKit } from './saml-provider.ts'

const dir = await mkdtemp(join(tmpdir(), 'ondol-saml-client-'))
const file = async (name: string, text: string): Promise<string> => {
  await writeFile(join(dir, name), text, { mode: 0o600 })
  return join(dir, name)
}
const own = selfSigned('home')
const corp = samlProviderKit(Date.now, '', '')
const start = (saml: object): Promise<Cloud> => startCloud({ port: 0, config: { 'seed.enabled': false, 'keystone.federation.saml': saml } })
const home = await start({ key_file: await file('key', own.key), certificate_file: await file('crt', own.certificate) })
const metadata_file = await file('home.xml', await (await home.fetch('/identity/v3/OS-FEDERATION/saml2/metadata')).text())
const away = await start({ providers: { home: { metadata_file, keystone: true }, corp: { entity_id: corp.entity_id, certificate_files: [await file('corp.crt', corp.certificate)] } } })

/** A provider that takes a name and a password with the envelope. */
const provider = createServer((raw, res) => {
  let text = ''
  raw.on('data', (chunk: Buffer) => (text += String(chunk)))
  raw.on('end', () => {
    if (raw.headers.authorization !== `Basic ${Buffer.from('jane:jane-secret').toString('base64')}`) return void res.writeHead(401).end()
    const request = childrenOf(childrenOf(readXml(text), 'soap', 'Body')[0]!, 'protocol', 'AuthnRequest')[0]!
    const recipient = request.attributes.get('AssertionConsumerServiceURL')!
    const response = corp.response({ recipient, in_response_to: request.attributes.get('ID'), audience: `${away.url}/identity/v3/OS-FEDERATION/saml2/sp`, attributes: { openstack_user: ['jane'] } })
    res.writeHead(200, { 'content-type': 'text/xml' }).end(ecpEnvelope(response, 'x', recipient))
  })
})
await new Promise<void>((done) => provider.listen(0, '127.0.0.1', done))
after(async () => {
  provider.close()
  provider.closeAllConnections()
  await home.close()
  await away.close()
  await rm(dir, { recursive: true, force: true })
})

async function put(cloud: Cloud, things: Record<string, object>): Promise<void> {
  const { admin } = cloud.credentials
  const auth = { identity: { methods: ['password'], password: { user: { name: admin.username, domain: { id: 'default' }, password: admin.password.reveal() } } }, scope: { project: { name: admin.project_name, domain: { id: 'default' } } } }
  const login = await cloud.fetch('/identity/v3/auth/tokens', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ auth }) })
  const headers = { 'x-auth-token': login.headers.get('x-subject-token')!, 'content-type': 'application/json' }
  for (const [path, body] of Object.entries(things)) {
    const answer = await cloud.fetch(`/identity/v3/OS-FEDERATION/${path}`, { method: 'PUT', headers, body: JSON.stringify(body) })
    assert.equal(answer.status, 201, await answer.text())
  }
}
const things: Record<string, object> = { 'mappings/m': { mapping: { rules: [{ remote: [{ type: 'openstack_user' }], local: [{ user: { name: '{0}' } }, { projects: [{ name: 'guests', roles: [{ name: 'member' }] }] }] }] } } }
for (const idp of ['home', 'corp']) {
  things[`identity_providers/${idp}`] = { identity_provider: { enabled: true, domain_id: 'default' } }
  things[`identity_providers/${idp}/protocols/saml2`] = { protocol: { mapping_id: 'm' } }
}
await put(away, things)
const at = `identity_providers/home/protocols/saml2`
await put(home, { 'service_providers/away': { service_provider: { enabled: true, auth_url: `${away.url}/identity/v3/OS-FEDERATION/${at}/auth`, sp_url: `${away.url}/identity/v3/auth/OS-FEDERATION/${at}/ecp` } } })

function python(script: string, env: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('/usr/bin/python3', ['-c', script], { env: { PATH: '/usr/bin:/bin', HOME: dir, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (out += String(chunk)))
    child.stderr.on('data', (chunk: Buffer) => (err += String(chunk)))
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve(out.trim()) : reject(new Error(err))))
  })
}

const SHOW = `
from keystoneauth1 import session
s = session.Session(auth=auth)
a = auth.get_access(s)
print(a.username, a.project_name)
print(s.get(os.environ['AWAY'] + '/auth/projects').json()['projects'][0]['name'])
`

test('k2k: a user of one cloud has a token of a project in the other', { timeout: 120_000 }, async () => {
  const { admin } = home.credentials
  const script = `import os
from keystoneauth1.identity import v3
base = v3.Password(os.environ['HOME_CLOUD'], username=os.environ['USER_NAME'], password=os.environ['SECRET'], user_domain_id='default', project_name=os.environ['PROJECT'], project_domain_id='default')
auth = v3.Keystone2Keystone(base, 'away', project_name='guests', project_domain_id='default')${SHOW}`
  const shown = await python(script, { HOME_CLOUD: `${home.url}/identity/v3`, AWAY: `${away.url}/identity/v3`, USER_NAME: admin.username, SECRET: admin.password.reveal(), PROJECT: admin.project_name })
  assert.match(shown, new RegExp(`^${admin.username}( \\([^)]*\\))? guests\\nguests$`))
})

test('v3samlpassword: the client carries the messages between the provider and the cloud', { timeout: 120_000 }, async () => {
  const env = (secret: string): Record<string, string> => ({ AWAY: `${away.url}/identity/v3`, IDP: `http://127.0.0.1:${(provider.address() as AddressInfo).port}/ecp`, SECRET: secret })
  const script = `import os
from keystoneauth1.extras._saml2.v3.saml2 import Password
auth = Password(os.environ['AWAY'], 'corp', 'saml2', os.environ['IDP'], 'jane', os.environ['SECRET'], project_name='guests', project_domain_id='default')${SHOW}`
  assert.equal(await python(script, env('jane-secret')), 'jane guests\nguests')
  await assert.rejects(python(script, env('wrong')))
})
