/** Keystone as Debian's own Python sees it: each way of logging in that keystoneauth has, and every identity command of `openstack`. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { type Cloud, startCloud } from '#cloud/start-cloud.ts'

const run = promisify(execFile)
let dir: string
let cloud: Cloud
let front: Server

/** A script of this folder, with JSON on both sides. */
async function python<T>(script: string, wish: object, args: readonly string[] = [], env: Record<string, string> = {}): Promise<T> {
  const asked = run('/usr/bin/python3', ['-W', 'ignore', join(import.meta.dirname, script), ...args], { timeout: 240_000, maxBuffer: 2 ** 26, env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', PYTHONDONTWRITEBYTECODE: '1', ...env } })
  asked.child.stdin!.end(JSON.stringify(wish))
  return JSON.parse((await asked).stdout) as T
}

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ondol-identity-'))
  cloud = await startCloud({ config: { 'http.client_certificates.trust_from': ['127.0.0.1'] } })
})
after(async () => {
  front?.closeAllConnections()
  front?.close()
  await cloud?.close()
  if (dir) await rm(dir, { recursive: true, force: true })
})

const who = (login: 'admin' | 'user') => {
  const { username, password, project_name } = cloud.credentials[login]
  return { url: `${cloud.url}/identity/v3`, username, password: password.reveal(), project: project_name }
}

interface Said {
  methods: string[]
  project: string
  user: string
}

test('every way in of keystoneauth', { timeout: 300_000 }, async () => {
  // An administrator of their own: at the end one factor is not enough for them.
  const auth = { headers: { 'content-type': 'application/json', 'x-auth-token': await adminToken() } }
  const { user } = (await (await cloud.fetch('/identity/v3/users', { ...auth, method: 'POST', body: JSON.stringify({ user: { name: 'many-ways', password: 'a-secret' } }) })).json()) as { user: { id: string } }
  const { projects } = (await (await cloud.fetch('/identity/v3/projects?name=admin', auth)).json()) as { projects: { id: string }[] }
  const { roles } = (await (await cloud.fetch('/identity/v3/roles?name=admin', auth)).json()) as { roles: { id: string }[] }
  assert.equal((await cloud.fetch(`/identity/v3/projects/${projects[0]!.id}/users/${user.id}/roles/${roles[0]!.id}`, { ...auth, method: 'PUT' })).status, 204)
  const { half, ...said } = await python<{ half: string; [plugin: string]: Said | string }>('keystoneauth-plugins.py', { ...who('admin'), username: 'many-ways', password: 'a-secret' })
  const tokens = Object.entries(said) as [string, Said][]
  const methods = Object.fromEntries(tokens.map(([name, one]) => [name, [...one.methods].sort()]))
  assert.deepEqual(methods, {
    v3password: ['password'],
    v3token: ['password', 'token'],
    password: ['password'],
    token: ['password', 'token'],
    v3totp: ['totp'],
    v3applicationcredential: ['application_credential'],
    v3oauth1: ['oauth1'],
    v3multifactor: ['password', 'totp'],
  })
  assert.equal(half, 'MissingAuthMethods', 'keystoneauth knows the answer with a receipt')
  for (const [name, one] of tokens) assert.deepEqual([one.project, one.user], ['admin', 'many-ways'], name)
})

/** Debian's keystoneauth is older than v3oauth2clientcredential and v3oauth2mtlsclientcredential: what those send, and no more. */
const OAUTH2 = `
import json, sys, requests
wish = json.load(sys.stdin)
form = {'grant_type': 'client_credentials'}
secret = requests.post(wish['url'] + '/OS-OAUTH2/token', data=form, auth=(wish['id'], wish['secret'])).json()
own = requests.get(wish['url'] + '/auth/projects', headers={'Authorization': 'Bearer ' + secret['access_token']}).status_code
pair = (wish['certificate'], wish['key'])
tls = requests.post(wish['front'] + '/OS-OAUTH2/token', data={**form, 'client_id': wish['user']}, cert=pair, verify=wish['ca'])
bearer = {'Authorization': 'Bearer ' + tls.json().get('access_token', ''), 'X-Auth-Token': tls.json().get('access_token', '')}
ask = lambda **more: requests.get(wish['front'] + '/auth/projects', headers=bearer, verify=wish['ca'], **more).status_code
print(json.dumps({'secret': own, 'tls': tls.status_code, 'with': ask(cert=pair), 'without': ask(), 'other': ask(cert=(wish['certificate2'], wish['key2']))}))
`

test('OAuth 2.0 by a secret, and by a certificate through a TLS front', { timeout: 120_000 }, async () => {
  const openssl = (...args: string[]) => run('openssl', args, { cwd: dir })
  const key = (name: string) => openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', `${name}.key`)
  await key('ca')
  await openssl('req', '-x509', '-new', '-key', 'ca.key', '-subj', '/CN=ca', '-days', '2', '-out', 'ca.pem')
  for (const [name, subject] of [['front', '/CN=127.0.0.1'], ['client', '/CN=demo/O=Default'], ['other', '/CN=demo/O=Default']] as const) {
    await key(name)
    await openssl('req', '-new', '-key', `${name}.key`, '-subj', subject, '-out', `${name}.csr`)
    await writeFile(join(dir, 'san'), 'subjectAltName=IP:127.0.0.1\n')
    await openssl('x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'san', '-out', `${name}.pem`)
  }
  const pem = (name: string) => readFile(join(dir, name), 'utf8')
  front = createServer({ key: await pem('front.key'), cert: await pem('front.pem'), ca: await pem('ca.pem'), requestCert: true, rejectUnauthorized: false }, (asked, answer) => {
    const socket = asked.socket as TLSSocket
    const { 'client-cert': _, ...headers } = asked.headers
    const { raw } = socket.getPeerCertificate()
    if (socket.authorized && raw) headers['client-cert'] = `:${raw.toString('base64')}:`
    const on = request(cloud.url + asked.url, { method: asked.method, headers }, (inner) => {
      answer.writeHead(inner.statusCode!, inner.headers)
      inner.pipe(answer)
    })
    asked.pipe(on)
  })
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')

  const token = await adminToken()
  const auth = { headers: { 'content-type': 'application/json', 'x-auth-token': token } }
  const ask = async (method: string, path: string, body?: object, as = auth) => (await cloud.fetch(`/identity/v3${path}`, { ...as, method, ...(body ? { body: JSON.stringify(body) } : {}) })).json() as Promise<any> // oxlint-disable-line no-explicit-any -- as of the wire
  const { users } = await ask('GET', '/users?name=demo')
  const { projects } = await ask('GET', '/projects?name=demo')
  await ask('PATCH', `/users/${users[0].id}`, { user: { default_project_id: projects[0].id } })
  await ask('PUT', '/OS-FEDERATION/mappings/oauth2_mapping', { mapping: { rules: [{ local: [{ user: { name: '{0}', domain: { name: '{1}' } } }], remote: [{ type: 'SSL_CLIENT_SUBJECT_DN_CN' }, { type: 'SSL_CLIENT_SUBJECT_DN_O' }, { type: 'SSL_CLIENT_ISSUER_DN_CN', any_one_of: ['ca'] }] }] } })
  const { username, password, project } = who('user')
  const login = await cloud.fetch('/identity/v3/auth/tokens', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: username, domain: { id: 'default' }, password } } }, scope: { project: { name: project, domain: { id: 'default' } } } } }) })
  const mine = { headers: { ...auth.headers, 'x-auth-token': login.headers.get('x-subject-token')! } }
  const { application_credential } = await ask('POST', `/users/${users[0].id}/application_credentials`, { application_credential: { name: 'oauth2' } }, mine)
  await writeFile(join(dir, 'oauth2.py'), OAUTH2)
  const file = (name: string) => join(dir, name)
  const wish = { url: `${cloud.url}/identity/v3`, front: `https://127.0.0.1:${(front.address() as AddressInfo).port}/identity/v3`, id: application_credential.id, secret: application_credential.secret, user: users[0].id, ca: file('ca.pem'), certificate: file('client.pem'), key: file('client.key'), certificate2: file('other.pem'), key2: file('other.key') }
  const asked = run('/usr/bin/python3', ['-W', 'ignore', file('oauth2.py')], { timeout: 60_000 })
  asked.child.stdin!.end(JSON.stringify(wish))
  assert.deepEqual(JSON.parse((await asked).stdout), { secret: 200, tls: 200, with: 200, without: 401, other: 401 })
})

async function adminToken(): Promise<string> {
  const { username, password, project } = who('admin')
  const domain = { id: 'default' }
  const answer = await cloud.fetch('/identity/v3/auth/tokens', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: username, domain, password } } }, scope: { project: { name: project, domain } } } }) })
  return answer.headers.get('x-subject-token')!
}

/** What is written after `->` is kept: `name=field`. `@name` is a file. */
const LINES = `
catalog list
catalog show identity
domain create d1 --description one
domain list
domain set d1 --disable
domain show d1
project create p1 --domain default --tag green --property colour=blue -> p=id
project list --tags green
project set p1 --description changed
project show p1
user create u1 --password first --project p1 --email u1@example.org -> u=id
user list --project p1
user set u1 --description changed
user show u1
group create g1
group list
group set g1 --description changed
group show g1
group add user g1 u1
group contains user g1 u1
group remove user g1 u1
role create r1
role list
role set r1 --description changed
role show r1
role add --user u1 --project p1 member
role add --user u1 --system all reader
role assignment list --names --user u1
role assignment list --effective --project p1 --names
implied role create r1 --implied-role reader
implied role list
implied role delete r1 --implied-role reader
role remove --user u1 --system all reader
region create reg1
region list
region set reg1 --description changed
region show reg1
service create --name s1 garden
service list --long
service set s1 --description changed
service show s1
endpoint create s1 public http://garden.example.org/%(project_id)s --region reg1 -> e=id
endpoint list --service s1
endpoint set $e --url http://garden.example.org/v2
endpoint show $e
endpoint add project $e p1
endpoint list --project p1
endpoint remove project $e p1
endpoint group create eg1 @filters
endpoint group list
endpoint group set eg1 --description changed
endpoint group show eg1
endpoint group add project eg1 p1
endpoint group list --project p1
endpoint group remove project eg1 p1
endpoint group delete eg1
registered limit create --service s1 --region reg1 --default-limit 5 rakes -> rl=id
registered limit list
registered limit set $rl --default-limit 9
registered limit show $rl
limit create --project p1 --service s1 --region reg1 --resource-limit 4 rakes -> l=id
limit list --project p1
limit set $l --resource-limit 3
limit show $l
limit delete $l
registered limit delete $rl
credential create --type cert u1 sealed -> c=id
credential list --user u1
credential set --user u1 --type cert --data other $c
credential show $c
credential delete $c
ec2 credentials create --user u1 --project p1 -> a=access
ec2 credentials list --user u1
ec2 credentials show --user u1 $a
ec2 credentials delete --user u1 $a
application credential create ac1 --role admin --access-rules @rules
application credential list
application credential show ac1
access rule list -> ar=ID
access rule show $ar
application credential delete ac1
access rule delete $ar
consumer create --description one -> ck=id cs=secret
consumer list
consumer set $ck --description changed
consumer show $ck
request token create --consumer-key $ck --consumer-secret $cs --project admin -> rk=key rs=secret
request token authorize --request-key $rk --role admin -> v=oauth_verifier
access token create --consumer-key $ck --consumer-secret $cs --request-key $rk --request-secret $rs --verifier $v
consumer delete $ck
identity provider create idp1 --remote-id https://idp.example.org
identity provider list
identity provider set idp1 --description changed
identity provider show idp1
mapping create m1 --rules @mapping
mapping list
mapping set m1 --rules @mapping
mapping show m1
federation protocol create mapped --identity-provider idp1 --mapping m1
federation protocol list --identity-provider idp1
federation protocol set mapped --identity-provider idp1 --mapping m1
federation protocol show mapped --identity-provider idp1
federation domain list
federation project list
federation protocol delete mapped --identity-provider idp1
identity provider delete idp1
mapping delete m1
service provider create sp1 --auth-url https://sp.example.org/v3/auth --service-provider-url https://sp.example.org/ecp
service provider list
service provider set sp1 --description changed
service provider show sp1
service provider delete sp1
policy create @policy --type application/json -> po=id
policy list
policy set $po --type text/plain
policy show $po
policy delete $po
trust create --project admin --role admin admin u1 -> t=id
trust list
trust show $t
trust delete $t
endpoint delete $e
service delete s1
region delete reg1
role remove --user u1 --project p1 member
role delete r1
group delete g1
user delete u1
project delete p1
domain delete d1
project show p1
token issue -> tok=id
token revoke $tok
user password set --original-password PASSWORD --password another-secret
`

test('every identity command of openstack', { timeout: 300_000 }, async () => {
  const files: Record<string, unknown> = {
    filters: { interface: 'public' },
    rules: [{ path: '/v2.1/servers', method: 'GET', service: 'compute' }],
    mapping: [{ local: [{ user: { name: '{0}' } }], remote: [{ type: 'REMOTE_USER' }] }],
    policy: { admin: 'role:admin' },
  }
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), JSON.stringify(content))
  const { url, username, password, project } = who('admin')
  const lines = LINES.trim().split('\n').map((line) => {
    const [command, kept] = line.split(' -> ') as [string, string?]
    const argv = command.split(' ').map((word) => (word.startsWith('@') ? join(dir, word.slice(1)) : word === 'PASSWORD' ? password : word))
    return { argv, ...(kept ? { keep: Object.fromEntries(kept.split(' ').map((pair) => pair.split('='))) as Record<string, string> } : {}) }
  })
  const env = { OS_AUTH_URL: url, OS_USERNAME: username, OS_PASSWORD: password, OS_PROJECT_NAME: project, OS_USER_DOMAIN_ID: 'default', OS_PROJECT_DOMAIN_ID: 'default', OS_IDENTITY_API_VERSION: '3', OS_REGION_NAME: 'RegionOne', HOME: dir }
  const { results, commands } = await python<{ results: { argv: string[]; code: number; out: string; err: string }[]; commands: string[] }>('openstack-commands.py', { lines }, ['openstack.identity.v3'], env)
  // It was deleted before: so a command that fails is seen to fail.
  const gone = results.findLastIndex((one) => one.argv.join(' ') === 'project show p1')
  assert.notEqual(results[gone]!.code, 0)
  assert.deepEqual(results.filter((one, i) => one.code !== 0 && i !== gone).map((one) => `${one.argv.join(' ')}: ${one.err.trim()}${one.out}`), [])
  assert.equal(results.length, lines.length)
  const said = lines.map(({ argv }) => argv.join('_'))
  assert.deepEqual(commands.filter((name) => !said.some((line) => line === name || line.startsWith(`${name}_`))), [], 'commands that were not tried')
  const shown = (start: string): string => results.find((one) => one.argv.join(' ').startsWith(start))!.out
  assert.match(shown('project show p1'), /colour.*blue|blue/)
  assert.match(shown('role assignment list --effective'), /reader/)
  assert.match(shown('limit show'), /resource_limit\s*\|\s*3/)
})
