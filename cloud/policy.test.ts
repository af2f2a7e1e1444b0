/** Rules of an operator's own, told while the cloud runs; why someone is refused, asked and in the log. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { after, before, test } from 'node:test'
import { createLog } from '#base/log.ts'
import { explainPolicy, policyRules } from './policy.ts'
import { type Cloud, startCloud } from './start-cloud.ts'

let cloud: Cloud
let dir: string
let lines: string[]

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ondol-policy-'))
  lines = []
  const log = createLog({ level: 'info', sinks: [{ form: 'json', sink: { write: (text: string) => void lines.push(text) } }] })
  cloud = await startCloud({ port: null, config: { 'policy.dir': dir }, world: { log } })
})
after(async () => {
  await cloud?.close()
  await rm(dir, { recursive: true, force: true })
})

async function demoToken(): Promise<string> {
  const { username, password, project_name } = cloud.credentials.user
  const domain = { id: 'default' }
  const answer = await cloud.fetch('/identity/v3/auth/tokens', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: username, domain, password: password.reveal() } } }, scope: { project: { name: project_name, domain } } } }),
  })
  return answer.headers.get('x-subject-token')!
}

const explained = (query: string) => explainPolicy(cloud, new URLSearchParams(query))

test('the explanation names the rule, the check that failed and the role that would do', async () => {
  const answer = await explained('rule=identity:create_user&as=demo&on=demo')
  assert.equal(answer.service, 'keystone')
  assert.equal(answer.allowed, false)
  assert.deepEqual(answer.roles_that_would_do, ['admin'])
  assert.ok(answer.roles.includes('member') && answer.roles.includes('reader'), answer.roles.join())
  assert.ok(answer.failed.some(({ check }) => check === 'role:admin'))
  assert.equal((await explained('rule=identity:create_user&as=admin&on=admin')).allowed, true)
  assert.equal((await explained('rule=os_compute_api:servers:create&as=demo&on=demo')).allowed, true)
  assert.equal((await explained('rule=identity:get_user&as=demo&on_system=1')).allowed, false)
  await assert.rejects(explained('rule=identity:creat_user&as=demo&on=demo'), /did you mean identity:create_user/)
  await assert.rejects(explained('rule=identity:create_user&as=nobody&on=demo'), /Could not find user: nobody/)
})

test('a file of rules overrides the defaults and is read again when it changes; one that cannot be read changes nothing', async () => {
  const headers = { 'x-auth-token': await demoToken() }
  const list = async () => (await cloud.fetch('/identity/v3/regions', { headers })).status
  const users = async () => (await cloud.fetch('/identity/v3/users', { headers })).status
  assert.equal(await users(), 403)
  const why = lines.map((line) => JSON.parse(line)).find((line) => line.rule === 'identity:list_users')
  assert.ok(why, 'the refusal is in the log')
  assert.deepEqual(why.roles_that_would_do, ['admin'])
  assert.equal(JSON.stringify(why).includes(headers['x-auth-token']), false)

  await mkdir(join(dir, 'keystone'))
  const file = join(dir, 'keystone', 'policy.yaml')
  let stamp = 1_700_000_000
  const write = async (text: string) => {
    await writeFile(file, text)
    await utimes(file, ++stamp, stamp)
  }
  const until = async (ask: () => Promise<number>, status: number) => {
    for (let waited = 0; (await ask()) !== status; waited += 50) {
      assert.ok(waited < 5000, `never answered ${status}`)
      await delay(50)
    }
  }
  await write('"identity:list_users": "role:member"\n')
  await until(users, 200)
  assert.equal(policyRules(cloud.enforcers).find(({ name }) => name === 'identity:list_users')?.from, 'override')
  await write('"identity:list_users": "role:"member\n: ')
  await until(async () => (lines.some((line) => line.includes('Could not reload policy')) ? 1 : (await list(), 0)), 1)
  assert.equal(await users(), 200)
  await write('"identity:list_regions": "!"\n')
  await until(list, 403)
  assert.equal(await users(), 403)
})
