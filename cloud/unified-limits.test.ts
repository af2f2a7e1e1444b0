/** `quota.driver: unified`: limits that Keystone keeps bind the projects of Nova, Cinder, Glance and Neutron, each in its own words. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Cloud, startCloud } from './start-cloud.ts'

interface Answer {
  status: number
  text: string
  json: any // oxlint-disable-line no-explicit-any -- as of the wire
}

let cloud: Cloud
let admin: string
let demo: string
let project: string
const services = new Map<string, string>()

async function ask(method: string, path: string, token: string, body?: object, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await cloud.fetch(path, { method, headers: { 'x-auth-token': token, 'content-type': 'application/json', ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const text = await answer.text()
  return { status: answer.status, text, json: text.startsWith('{') ? JSON.parse(text) : undefined }
}

async function login(user: 'admin' | 'user'): Promise<string> {
  const { username, password, project_name } = cloud.credentials[user]
  const domain = { id: 'default' }
  const answer = await cloud.fetch('/identity/v3/auth/tokens', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: username, domain, password: password.reveal() } } }, scope: { project: { name: project_name, domain } } } }),
  })
  assert.equal(answer.status, 201)
  project = ((await answer.json()) as { token: { project: { id: string } } }).token.project.id
  return answer.headers.get('x-subject-token')!
}

/** A house has heard of a limit within a second. */
async function heard(path: string, of: (json: Answer['json']) => unknown, most: number): Promise<void> {
  const until = Date.now() + 30_000
  let last: unknown
  do {
    last = of((await ask('GET', path, demo)).json)
    if (last === most) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  } while (Date.now() < until)
  assert.equal(last, most)
}

async function answers(status: number, words: RegExp, answer: Promise<Answer>): Promise<Answer> {
  const { status: got, text } = await answer
  assert.equal(got, status, text)
  assert.match(text, words)
  return answer
}

const register = async (service: string, resource_name: string, default_limit: number): Promise<string> => {
  const made = await ask('POST', '/identity/v3/registered_limits', admin, { registered_limits: [{ service_id: services.get(service), region_id: 'RegionOne', resource_name, default_limit }] })
  assert.equal(made.status, 201, made.text)
  return made.json.registered_limits[0].id as string
}
const limit = async (service: string, resource_name: string, resource_limit: number): Promise<string> => {
  const made = await ask('POST', '/identity/v3/limits', admin, { limits: [{ service_id: services.get(service), region_id: 'RegionOne', project_id: project, resource_name, resource_limit }] })
  assert.equal(made.status, 201, made.text)
  return made.json.limits[0].id as string
}

async function begin(model: 'flat' | 'strict_two_level'): Promise<void> {
  cloud = await startCloud({ port: null, config: { 'quota.driver': 'unified', 'keystone.unified_limit.enforcement_model': model, 'keystone.list_limit': 2 } })
  admin = await login('admin')
  demo = await login('user')
  for (const name of ['nova', 'cinder', 'glance', 'neutron']) services.set(name, (await ask('GET', `/identity/v3/services?name=${name}`, admin)).json.services[0].id)
}
before(() => begin('flat'))
after(() => cloud.close())

test('Neutron', async () => {
  const network = () => ask('POST', '/networking/v2.0/networks', demo, { network: {} })
  const path = `/networking/v2.0/quotas/${project}`
  assert.equal((await network()).status, 201, 'what nobody registered keeps the limit of the house')
  await register('neutron', 'network', 5)
  await limit('neutron', 'network', 1)
  await heard(path, (json) => json.quota.network, 1)
  await answers(409, /"type":"OverQuota".*Quota exceeded for resources: \['network'\]/, network())
  assert.equal((await ask('PUT', path, admin, { quota: { network: 9 } })).status, 403, 'the house keeps no quotas now')
})

test('Cinder, and a limit that is raised', async () => {
  const volume = () => ask('POST', `/volume/v3/${project}/volumes`, demo, { volume: { size: 1 } })
  const limits = (most: number) => heard(`/volume/v3/${project}/limits`, (json) => json.limits.absolute.maxTotalVolumes, most)
  await register('cinder', 'volumes', 50)
  const id = await limit('cinder', 'volumes', 0)
  await limits(0)
  await answers(413, /Maximum number of volumes allowed \(0\) exceeded/, volume())
  assert.equal((await ask('PATCH', `/identity/v3/limits/${id}`, admin, { limit: { resource_limit: 1 } })).status, 200)
  await limits(1)
  await answers(202, /"volume"/, volume())
  await answers(413, /Maximum number of volumes allowed \(1\) exceeded/, volume())
})

test('Glance', async () => {
  const image = () => ask('POST', '/image/v2/images', demo, { name: 'one', disk_format: 'raw', container_format: 'bare' })
  const usage = (resource: string, most: number) => heard('/image/v2/info/usage', (json) => json.usage[resource].limit, most)
  await register('glance', 'image_count_total', 0)
  await usage('image_count_total', 0)
  await answers(413, /image_count_total is over limit of 0/, image())
  await limit('glance', 'image_count_total', 1)
  await register('glance', 'image_size_total', 1)
  await usage('image_size_total', 1)
  const made = await answers(201, /queued/, image())
  await answers(413, /image_count_total is over limit of 1/, image())
  const said = { 'content-type': 'application/octet-stream', 'content-length': String(2 * 2 ** 20) }
  await answers(413, /image_size_total is over limit of 1 due to current usage 0 and delta 2/, ask('PUT', `/image/v2/images/${made.json.id}/file`, demo, {}, said))
})

test('Nova', async () => {
  const flavors = (await ask('GET', '/compute/v2.1/flavors', demo)).json.flavors as { id: string }[]
  const images = (await ask('GET', '/image/v2/images?status=active', demo)).json.images as { id: string }[]
  const path = `/compute/v2.1/os-quota-sets/${project}`
  for (const [resource, most] of [['servers', 10], ['class:VCPU', 0], ['server_groups', 0]] as const) await register('nova', resource, most)
  await heard(path, ({ quota_set }) => quota_set.server_groups, 0)
  const { quota_set } = (await ask('GET', path, demo)).json
  assert.deepEqual([quota_set.instances, quota_set.cores, quota_set.server_groups, quota_set.ram], [10, 0, 0, 51_200])
  const server = { server: { name: 's', flavorRef: flavors[0]!.id, imageRef: images[0]!.id, networks: 'none' } }
  await answers(403, /Quota exceeded for cores: Requested \d+, but already used 0 of 0 cores/, ask('POST', '/compute/v2.1/servers', demo, server, { 'openstack-api-version': 'compute 2.37' }))
  await answers(403, /Quota exceeded, too many server groups/, ask('POST', '/compute/v2.1/os-server-groups', demo, { server_group: { name: 'g', policies: ['affinity'] } }))
})

test('two levels: what one project of a domain uses, another has not', async () => {
  await cloud.close()
  await begin('strict_two_level')
  for (const [service, resource] of [['neutron', 'subnetpool'], ['cinder', 'volumes'], ['glance', 'image_count_total'], ['nova', 'server_groups']] as const) await register(service, resource, 1)
  const adminProject = (await ask('GET', '/identity/v3/auth/projects', admin)).json.projects.find((one: { name: string }) => one.name === 'admin').id as string
  const group = { server_group: { name: 'g', policies: ['affinity'] } }
  const pool = { subnetpool: { name: 'p', prefixes: ['10.1.0.0/16'] } }
  assert.equal((await ask('POST', '/compute/v2.1/os-server-groups', admin, group)).status, 200)
  assert.equal((await ask('POST', `/volume/v3/${adminProject}/volumes`, admin, { volume: { size: 1 } })).status, 202)
  assert.equal((await ask('POST', '/networking/v2.0/subnetpools', admin, pool)).status, 201)
  await heard(`/networking/v2.0/quotas/${project}`, (json) => json.quota.subnetpool, 0)
  await heard(`/volume/v3/${project}/limits`, (json) => json.limits.absolute.maxTotalVolumes, 0)
  // The image of the cloud itself is the administrator's.
  await heard('/image/v2/info/usage', (json) => json.usage.image_count_total.limit, 0)
  await heard(`/compute/v2.1/os-quota-sets/${project}`, (json) => json.quota_set.server_groups, 0)
  await answers(409, /OverQuota/, ask('POST', '/networking/v2.0/subnetpools', demo, pool))
  await answers(413, /Maximum number of volumes/, ask('POST', `/volume/v3/${project}/volumes`, demo, { volume: { size: 1 } }))
  await answers(413, /image_count_total is over limit/, ask('POST', '/image/v2/images', demo, { name: 'i' }))
  await answers(403, /too many server groups/, ask('POST', '/compute/v2.1/os-server-groups', demo, group))
})
