/**
 * How many SQL statements each kind of request costs, held against kept numbers (`test/sql-counts.json`): a request whose cost grows with what
 * there is (N+1) or by carelessness fails here. Who saves some lowers the number; who must add one raises it and says why.
 * Creations of servers and volumes have some room: their workers begin before the answer is read. `ONDOL_KEEP_SQL_COUNTS=1` writes the file anew; `ONDOL_SHOW_SQL=volume` prints the statements of what is named so.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { type Cloud, startCloud } from './start-cloud.ts'

const file = new URL('test/sql-counts.json', import.meta.url)
const kept = JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>
const seen: Record<string, number> = {}
const statements: string[] = []
let cloud: Cloud
let headers: Record<string, string>
let serial = 0

before(async () => {
  cloud = await startCloud({ port: null, onQuery: (sql) => void statements.push(sql) })
  const { username, password, project_name } = cloud.credentials.admin
  const domain = { name: 'Default' }
  const body = { auth: { identity: { methods: ['password'], password: { user: { name: username, domain, password: password.reveal() } } }, scope: { project: { name: project_name, domain } } } }
  const answer = await cloud.fetch('/identity/v3/auth/tokens', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const token = answer.headers.get('x-subject-token')!
  headers = { 'x-auth-token': token, 'x-subject-token': token, 'content-type': 'application/json', 'openstack-api-version': 'compute 2.96, placement 1.39' }
})
after(async () => {
  await cloud.close()
  if (process.env.ONDOL_KEEP_SQL_COUNTS) writeFileSync(file, `${JSON.stringify(seen, null, 2)}\n`)
})

type Made = { id: string } & Record<string, unknown>

async function ask(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const answer = await cloud.fetch(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const text = await answer.text()
  assert.ok(answer.status < 300, `${method} ${path} answered ${answer.status}: ${text.slice(0, 300)}`)
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
}

/** The least of several runs: what agents and workers do meanwhile only ever adds. */
async function counted(name: string, work: () => Promise<unknown>): Promise<void> {
  await work()
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 4; i++) {
    statements.length = 0
    await work()
    least = Math.min(least, statements.length)
  }
  if (process.env.ONDOL_SHOW_SQL && name.includes(process.env.ONDOL_SHOW_SQL)) console.log(`${name}\n${statements.join('\n')}`)
  seen[name] = least
  if (!process.env.ONDOL_KEEP_SQL_COUNTS) assert.ok(least <= (kept[name] ?? -1), `${name}: ${least} statements, ${kept[name] ?? 'no number'} kept`)
}

interface Noun {
  name: string
  path: string
  body(): unknown
  /** Of an answer that has the object under a name. */
  key?: string
  list?: string
}

const nouns = (network: string, image: string): Noun[] => [
  { name: 'project', path: '/identity/v3/projects', key: 'project', body: () => ({ project: { name: `p${++serial}` } }) },
  { name: 'user', path: '/identity/v3/users', key: 'user', body: () => ({ user: { name: `u${++serial}` } }) },
  { name: 'image', path: '/image/v2/images', body: () => ({ name: 'i', disk_format: 'raw', container_format: 'bare' }) },
  { name: 'network', path: '/networking/v2.0/networks', key: 'network', body: () => ({ network: { name: 'n' } }) },
  { name: 'subnet', path: '/networking/v2.0/subnets', key: 'subnet', body: () => ({ subnet: { network_id: network, ip_version: 4, cidr: `10.77.${++serial}.0/24` } }) },
  { name: 'port', path: '/networking/v2.0/ports', key: 'port', body: () => ({ port: { network_id: network } }) },
  { name: 'security group', path: '/networking/v2.0/security-groups', key: 'security_group', body: () => ({ security_group: { name: 'g' } }) },
  { name: 'router', path: '/networking/v2.0/routers', key: 'router', body: () => ({ router: { name: 'r' } }) },
  { name: 'flavor', path: '/compute/v2.1/flavors', key: 'flavor', list: '/compute/v2.1/flavors/detail', body: () => ({ flavor: { name: `f${++serial}`, ram: 64, vcpus: 1, disk: 1 } }) },
  { name: 'server', path: '/compute/v2.1/servers', key: 'server', list: '/compute/v2.1/servers/detail', body: () => ({ server: { name: 's', flavorRef: '42', imageRef: image, networks: [{ uuid: network }] } }) },
  { name: 'volume', path: '/volume/v3/volumes', key: 'volume', list: '/volume/v3/volumes/detail', body: () => ({ volume: { name: 'v', size: 1 } }) },
  { name: 'resource provider', path: '/placement/resource_providers', body: () => ({ name: `rp${++serial}` }) },
]

test('no request costs more statements than its kept number', async () => {
  const { network } = (await ask('POST', '/networking/v2.0/networks', { network: { name: 'counted' } })) as { network: Made }
  await ask('POST', '/networking/v2.0/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.76.0.0/16' } })
  const { images } = (await ask('GET', '/image/v2/images')) as { images: Made[] }
  await counted('token validate', () => ask('GET', '/identity/v3/auth/tokens'))
  for (const { name, path, body, key, list } of nouns(network.id, images[0]!.id)) {
    let last = ''
    // Counted to its answer: what goes on behind a 202 is the workers'.
    await counted(`${name} create`, async () => {
      const answer = await ask('POST', path, body())
      const made = (key === undefined ? answer : answer[key]) as { id?: string; uuid?: string }
      last = made.id ?? made.uuid!
    })
    if (name === 'server') await until(async () => ((await ask('GET', `${path}/detail?status=BUILD`)) as { servers: unknown[] }).servers.length === 0)
    await counted(`${name} show`, () => ask('GET', `${path}/${last}`))
    // By now there are five of each: a statement per row would show.
    await counted(`${name} list`, () => ask('GET', list ?? path))
  }
})

async function until(done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setImmediate(resolve))
}
