/**
 * Every route of every house, asked by nobody and by a stranger about what somebody else owns (A15). Bodies are made from the routes' own schemas,
 * and name the owner's things wherever a property can. No route can be forgotten: they come from the houses.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Route } from '#stack/route.ts'
import type { Schema } from '#stack/schema.ts'
import { sample } from '#stack/test/sample.ts'
import { atVersion, isVersioned } from '#stack/version.ts'
import { sql } from 'kysely'
import { type Cloud, startCloud } from './start-cloud.ts'
import { type Json, type Person, person, possessions } from './test/possessions.ts'

let cloud: Cloud
let stranger: Person
let has: Record<string, string>

before(async () => {
  cloud = await startCloud({ port: null })
  await cloud.guestImage
  const { admin: boss, user } = cloud.credentials
  const admin = await person(cloud, boss.username, boss.password.reveal(), boss.project_name)
  const owner = await person(cloud, user.username, user.password.reveal(), user.project_name)
  const { project } = (await admin.ask('POST', '/identity/v3/projects', { project: { name: 'elsewhere' } })).json
  const made = (await admin.ask('POST', '/identity/v3/users', { user: { name: 'stranger', password: 'of another project' } })).json
  const { roles } = (await admin.ask('GET', '/identity/v3/roles')).json
  for (const role of roles as Json[]) if (['member', 'reader', 'manager'].includes(role.name)) await admin.ask('PUT', `/identity/v3/projects/${project.id}/users/${made.user.id}/roles/${role.id}`)
  stranger = await person(cloud, 'stranger', 'of another project', 'elsewhere')
  has = await possessions(owner, admin)
})
after(() => cloud?.close())

interface Asked {
  service: string
  route: Route
  path: string
  /** Whether the path names something of the owner. */
  theirs: boolean
}

/** Each route with the owner's things in its path; what the owner has none of becomes an id of nothing. */
function asked(): Asked[] {
  return [...cloud.controls].flatMap(([service, { plate, routes }]) =>
    routes.map((route): Asked => {
      let theirs = false
      const noun = route.path.split('/').findLast((word, i, words) => words[i + 1] === '{id}') ?? ''
      const path = route.path.replace(/\{([\w+]+)\}/g, (_, name: string) => {
        const key = name.replace('+', '')
        const id = (route.path.includes('OS-EC2') ? has[`OS-EC2/${key}`] : undefined) ?? has[`${service}:${key}`] ?? (key === 'id' ? (has[`${service}:${noun}`] ?? has[`floatingips/${noun}`]) : has[key])
        // The path of Cinder names the caller's own project.
        if (service === 'cinder' && key === 'project_id') return stranger.project
        if (id === undefined) return '00000000-0000-4000-8000-000000000000'
        theirs = true
        return id
      })
      return { service, route, path: `${plate.mount}${path}`, theirs }
    }),
  )
}

const NAMED: Record<string, string> = { volumeId: 'volume_id', volume: 'volume_id', uuid: 'network_id', imageRef: 'image_id', image_id: 'image_id', port: 'port_id', source_volid: 'volume_id', volume_uuid: 'volume_id', internal_port_id: 'port_id', object_id: 'network_id', subnetpool_id: 'subnetpool_id', tenant: 'project_id' }

/** Neutron has tables of attributes instead of schemas: bodies by the end of the path. */
function neutronBodies(): [RegExp, unknown][] {
  const { network_id, subnet_id, port_id, router_id, security_group_id, floatingip_id } = has
  const forwarding = { internal_port_id: port_id, internal_ip_address: '10.99.0.9', internal_port: 81, external_port: 8081, protocol: 'tcp' }
  return [
    [/\/tags$/, { tags: ['stolen'] }],
    [/_router_interface$/, { subnet_id }],
    [/_extraroutes$/, { router: { routes: [{ destination: '10.1.0.0/24', nexthop: '10.99.0.9' }] } }],
    [/_allowed_address_pairs$/, { port: { allowed_address_pairs: [{ ip_address: '10.99.0.77' }] } }],
    [/_addresses$/, { address_group: { addresses: ['10.1.1.0/24'] } }],
    [/_subports$/, { sub_ports: [{ port_id, segmentation_type: 'vlan', segmentation_id: 5 }] }],
    [/port_forwardings(\/\{id\})?$/, { port_forwarding: forwarding }],
    [/conntrack_helpers(\/\{id\})?$/, { conntrack_helper: { helper: 'tftp', protocol: 'udp', port: 69 } }],
    [/\/subnets$/, { subnet: { network_id, cidr: '10.98.0.0/24', ip_version: 4 } }],
    [/\/ports$/, { port: { network_id } }],
    [/\/floatingips$/, { floatingip: { floating_network_id: network_id, port_id } }],
    [/\/security-group-rules$/, { security_group_rule: { security_group_id, direction: 'ingress', protocol: 'udp' } }],
    [/\/rbac-policies$/, { rbac_policy: { object_type: 'network', object_id: network_id, action: 'access_as_shared', target_tenant: '*' } }],
    [/\/trunks$/, { trunk: { port_id } }],
    [/\/ndp_proxies$/, { ndp_proxy: { router_id, port_id } }],
    [/\/local_ips$/, { local_ip: { local_port_id: port_id } }],
    [/\/routers$/, { router: { external_gateway_info: { network_id } } }],
    [/\/log\/logs$/, { log: { resource_type: 'security_group', resource_id: security_group_id } }],
    [/\/floatingips\/\{id\}$/, { floatingip: { port_id, description: floatingip_id } }],
    [/\/([a-z]+(?:-[a-z]+)*)s\/\{id\}$/, 'by name'],
  ]
}

/** A body by the newest schema of the route, with the owner's ids where a name asks for one. */
function bodyOf({ service, route }: Asked): unknown {
  if (route.method === 'GET' || route.method === 'HEAD' || route.method === 'DELETE') return undefined
  if (service === 'neutron') {
    const [match, body] = neutronBodies().find(([end]) => end.test(route.path)) ?? []
    const noun = match?.exec(route.path)?.[1]?.replaceAll('-', '_')
    return body === 'by name' ? { [noun === 'policie' ? 'policy' : noun!]: { name: 'stolen', description: 'stolen' } } : (body ?? {})
  }
  const schema = route.body === undefined ? undefined : isVersioned(route.body) ? atVersion(route.body as never, route.until ?? Number.MAX_SAFE_INTEGER) : route.body
  const made = schema === undefined ? undefined : sample(schema as Schema, (name) => (['user_id', 'project_id', 'tenant_id'].includes(name) ? undefined : has[NAMED[name] ?? name]))
  return made ?? (route.action ? { [route.action]: null } : {})
}

/** Rows that name the owner or a thing of the owner, by table, as text. Logs of what was asked and signs of life are no possessions. */
async function rowsOfOwner(): Promise<Map<string, string[]>> {
  const ids = [...new Set(Object.values(has).filter((id) => id.length >= 32))]
  const found = new Map<string, string[]>()
  const tables = (await sql<{ name: string }>`select name from sqlite_master where type = 'table' and name not like 'sqlite_%'`.execute(cloud.db.query as never)).rows
  for (const { name } of tables) {
    if (/^(flows|traces?)$|_(services|agents|epochs|hosts|revocations|lockouts)$/.test(name)) continue
    const { rows } = await sql<object>`select * from ${sql.table(name)}`.execute(cloud.db.query as never)
    const own = rows.map((row) => JSON.stringify(row)).filter((text) => ids.some((id) => text.includes(id)))
    if (own.length > 0) found.set(name, own.sort())
  }
  return found
}

test('without a token every route but the public ones is closed', async () => {
  const open: string[] = []
  for (const one of asked()) {
    if (one.route.access !== undefined && one.route.access !== 'token') continue
    const answer = await cloud.fetch(one.path, { method: one.route.method, headers: { 'content-type': 'application/json' }, ...(one.route.method === 'GET' || one.route.method === 'HEAD' ? {} : { body: '{}' }) })
    await answer.arrayBuffer()
    if (answer.status !== 401) open.push(`${one.service} ${one.route.method} ${one.route.path} ${one.route.action ?? ''}: ${answer.status}`)
  }
  assert.deepEqual(open, [])
})

test('A15: a stranger sees, changes and uses nothing that is somebody else\'s, whatever the resource and the verb', async (t) => {
  const before = await rowsOfOwner()
  const told: string[] = []
  const broken: string[] = []
  const answers: Record<number, number> = {}
  let count = 0
  for (const one of asked()) {
    const body = bodyOf(one)
    const names = Object.values(has).some((id) => id.length >= 32 && JSON.stringify(body ?? null).includes(id))
    if (!one.theirs && !names) continue
    const { status, text } = await stranger.ask(one.route.method, one.path, body)
    count++
    answers[status] = (answers[status] ?? 0) + 1
    const line = `${one.service} ${one.route.method} ${one.route.path} ${one.route.action ?? ''}: ${status} ${text.slice(0, 200)}`
    if (status >= 500 && status !== 501) broken.push(line)
    if (status < 300 && !mayAnswer(one, text)) told.push(`${line} ${JSON.stringify(body)}`)
  }
  t.diagnostic(`${count} requests: ${JSON.stringify(answers)}`)
  assert.deepEqual(broken, [])
  assert.deepEqual(told, [])
  const now = await rowsOfOwner()
  for (const [name, rows] of before) assert.deepEqual(now.get(name), rows, name)
  assert.deepEqual([...now.keys()].sort(), [...before.keys()].sort())
  assert.ok(((answers[403] ?? 0) + (answers[404] ?? 0)) / count > 0.6, `most are refused for whose it is: ${JSON.stringify(answers)}`)
})

/**
 * Lists that are filtered by what the stranger may see: they answer, and name nothing of the owner. The defaults of quotas are the same for all, what
 * a browser asks before it asks tells nothing.
 */
function mayAnswer({ route }: Asked, text: string): boolean {
  if (route.method === 'OPTIONS' || route.path === '/v2.1/os-quota-sets/{tenant_id}/defaults') return true
  return (route.method === 'GET' || route.method === 'HEAD') && !Object.values(has).some((id) => id.length >= 32 && text.includes(id))
}
