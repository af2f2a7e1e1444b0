/**
 * A18: secrets that people and services send, planted in every kind of request, at the most talkative level of the log: none of them stands in the log, in
 * the trace, in a fault, or on the bus of notifications; and in the database only what has to be given back (and then as the house keeps it).
 */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { createHmac } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createLog } from '#base/log.ts'
import { sql } from 'kysely'
import { type Cloud, startCloud } from './start-cloud.ts'
import { type Person, person } from './test/possessions.ts'

let cloud: Cloud
let dir: string
const lines: string[] = []
/** What was planted, by what it is. */
const canaries = new Map<string, string>()

function canary(what: string, given?: string): string {
  const value = given ?? `canary-${what.replaceAll(' ', '-')}-${'x1Y'.repeat(6)}`
  canaries.set(what, value)
  return value
}

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ondol-secrets-'))
  const log = createLog({ level: 'debug', sinks: [{ form: 'json', sink: { write: (text: string) => void lines.push(text) } }] })
  cloud = await startCloud({ port: null, dataDir: dir, world: { log } })
  await cloud.guestImage
})
after(async () => {
  await cloud?.close()
  await rm(dir, { recursive: true, force: true })
})

async function plant(): Promise<Person> {
  const { admin: boss, user } = cloud.credentials
  const admin = await person(cloud, boss.username, canary('password of an administrator', boss.password.reveal()), boss.project_name)
  canary('token', admin.token)
  const own = await person(cloud, user.username, canary('password of a user', user.password.reveal()), user.project_name)
  canary('token of a user', own.token)
  const identity = '/identity/v3'
  const domain = { id: 'default' }
  // A login that fails, and a body that is no login at all.
  const failed = (password: string) => ({ auth: { identity: { methods: ['password'], password: { user: { name: user.username, domain, password } } } } })
  await admin.ask('POST', `${identity}/auth/tokens`, failed(canary('wrong password')))
  await admin.ask('POST', `${identity}/auth/tokens`, { auth: { identity: { methods: ['password'], password: { user: { password: canary('password in a bad body'), id: 7 } } } } })
  await admin.ask('GET', `${identity}/users`, undefined, { 'x-auth-token': canary('forged token') })
  const { id } = (await admin.ask('POST', `${identity}/users`, { user: { name: 'kept', password: canary('password of a new user') } })).json.user
  await own.ask('POST', `${identity}/users/${id}/password`, { user: { original_password: canary('original password'), password: canary('next password') } })
  await admin.ask('PATCH', `${identity}/users/${id}`, { user: { password: canary('reset password'), enabled: 'nonsense' } })
  canary('secret of an application credential', (await own.ask('POST', `${identity}/users/${own.user}/application_credentials`, { application_credential: { name: 'x' } })).json.application_credential.secret)
  await own.ask('POST', `${identity}/users/${own.user}/application_credentials`, { application_credential: { name: 'y', secret: canary('chosen secret') } })
  const ec2 = (await own.ask('POST', `${identity}/users/${own.user}/credentials/OS-EC2`, { tenant_id: own.project })).json.credential
  canary('EC2 secret', ec2.secret)
  await own.ask('POST', `${identity}/credentials`, { credential: { type: 'totp', user_id: own.user, blob: canary('TOTP seed', 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ') } })
  await admin.ask('PUT', `${identity}/domains/default/config`, { config: { ldap: { url: 'ldap://127.0.0.1', user: 'cn=x', password: canary('password of a directory') } } })
  const { consumer } = (await admin.ask('POST', `${identity}/OS-OAUTH1/consumers`, { consumer: { description: 'x' } })).json
  canary('secret of a consumer', consumer.secret)

  const compute = '/compute/v2.1'
  const flavor = (await own.ask('GET', `${compute}/flavors`)).json.flavors[0].id
  const image = (await own.ask('GET', '/image/v2/images?visibility=public')).json.images[0].id
  const server = { name: 'x', flavorRef: flavor, imageRef: image, networks: 'none', adminPass: canary('password of a server'), config_drive: true, user_data: Buffer.from(canary('user data')).toString('base64') }
  canary('user data as sent', server.user_data)
  const made = (await own.ask('POST', `${compute}/servers`, { server })).json.server
  for (let i = 0; i < 500 && (await own.ask('GET', `${compute}/servers/${made.id}`)).json.server.status !== 'ACTIVE'; i++) await new Promise((resolve) => setTimeout(resolve, 10))
  await own.ask('POST', `${compute}/servers/${made.id}/action`, { changePassword: { adminPass: canary('changed password') } })
  await own.ask('POST', `${compute}/servers/${made.id}/action`, { rebuild: { imageRef: '00000000-0000-4000-8000-000000000000', adminPass: canary('password of a rebuild') } })
  const { remote_console } = (await own.ask('POST', `${compute}/servers/${made.id}/remote-consoles`, { remote_console: { protocol: 'vnc', type: 'novnc' } })).json
  canary('console token', /token(?:=|%3D)([\w-]+)/.exec(remote_console.url)![1]!)
  await cloud.fetch(remote_console.url)
  const pair = (await own.ask('POST', `${compute}/os-keypairs`, { keypair: { name: 'made' } }, { 'openstack-api-version': 'compute 2.1' })).json.keypair
  canary('private key', pair.private_key.split('\n')[3])

  await own.ask('PUT', `/image/v2/images`, { name: 'x' })
  const box = `/object-store/v1/AUTH_${own.project}/box`
  await own.ask('PUT', box, undefined, { 'x-container-meta-temp-url-key': canary('temp URL key'), 'x-container-sync-key': canary('container sync key') })
  const until = 4_102_444_800
  const signature = createHmac('sha256', canaries.get('temp URL key')!).update(`GET\n${until}\n/v1/AUTH_${own.project}/box/thing`).digest('hex')
  await cloud.fetch(`${box}/thing?temp_url_sig=${canary('temp URL signature', signature)}&temp_url_expires=${until}`)
  await cloud.fetch(`/s3/box/thing?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${ec2.access}%2F20261121%2FRegionOne%2Fs3%2Faws4_request&X-Amz-Date=20261121T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=${canary('S3 signature', 'ab'.repeat(32))}`)
  await own.ask('POST', `/volume/v3/${own.project}/volume-transfers/${made.id}/accept`, { accept: { auth_key: canary('key of a transfer') } })
  canary('transfer key made', await transferKey(own))
  return admin
}

async function transferKey(own: Person): Promise<string> {
  const { id } = (await own.ask('POST', `/volume/v3/${own.project}/volumes`, { volume: { size: 1 } })).json.volume
  for (let i = 0; i < 500 && (await own.ask('GET', `/volume/v3/${own.project}/volumes/${id}`)).json.volume.status !== 'available'; i++) await new Promise((resolve) => setTimeout(resolve, 10))
  return (await own.ask('POST', `/volume/v3/${own.project}/volume-transfers`, { transfer: { volume_id: id } })).json.transfer.auth_key
}

/** What may be kept in the clear, and where: its owner or its server gets it back, or the house signs with it. */
const GIVEN_BACK: Record<string, RegExp> = {
  'user data as sent': /^nova_/,
  'temp URL key': /^swift_/,
  'container sync key': /^swift_/,
  'console token': /^nova_console/,
  'secret of a consumer': /^keystone_consumers$/,
  'password of a directory': /^keystone_domain_config$/,
}

test('A18: no secret stands in the log, the trace, a fault or the database', async () => {
  await plant()
  const where: string[] = []
  const search = (place: string, text: string, excused: (what: string) => boolean = () => false): void => {
    for (const [what, value] of canaries) if (text.includes(value) && !excused(what)) where.push(`${what} in ${place}: …${text.slice(Math.max(0, text.indexOf(value) - 160), text.indexOf(value) + 20)}`)
  }
  assert.ok(lines.some((line) => line.includes('"level":"debug"') || line.includes('"level":"info"')), 'the log was written')
  search('the log', lines.join('\n'))
  const tables = (await sql<{ name: string }>`select name from sqlite_master where type = 'table' and name not like 'sqlite_%'`.execute(cloud.db.query as never)).rows
  for (const { name } of tables) {
    const { rows } = await sql<object>`select * from ${sql.table(name)}`.execute(cloud.db.query as never)
    for (const row of rows) search(`table ${name}`, JSON.stringify(row), (what) => GIVEN_BACK[what]?.test(name) === true)
  }
  // Files beside the database: the log of the trace among them. `clouds.yaml` and the houses' keys are what they are for.
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || /clouds\.yaml|secrets|ondol\.db|\.key$/.test(entry.name)) continue
    const path = join(entry.parentPath, entry.name)
    search(path.slice(dir.length), await readFile(path, 'latin1'), (what) => what.startsWith('user data') || what === 'password of a server')
  }
  assert.deepEqual([...new Set(where)], [])
})
