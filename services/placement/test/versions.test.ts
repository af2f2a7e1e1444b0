/** Every microversion edge that a client can see. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { formatVersion } from '#stack/version.ts'
import { placementWire, type Wire } from './wire.ts'

const AGGREGATE = '11111111-1111-4111-8111-111111111111'
let wire: Wire
let host: string
before(async () => {
  wire = await placementWire()
  host = await wire.provider({ name: 'host', inventories: { VCPU: 8, MEMORY_MB: 4096, DISK_GB: 100 }, traits: ['HW_CPU_X86_AVX'], aggregates: [AGGREGATE] })
})
after(() => wire.close())

const at = async (version: string, method: string, target: string, body?: unknown) => wire.call(method, target, { version, body })
const keysAt = async (version: string, target: string): Promise<string[]> => Object.keys((await at(version, 'GET', target)).json).sort()
const project = { project_id: 'p', user_id: 'u' }

test('the document, the header and what nobody speaks', async () => {
  const root = await at('latest', 'GET', '/')
  assert.deepEqual(root.json, { versions: [{ id: 'v1.0', max_version: '1.39', min_version: '1.0', status: 'CURRENT', links: [{ rel: 'self', href: '' }] }] })
  assert.equal(root.headers['openstack-api-version'], 'placement 1.39')
  assert.equal(root.headers.vary, 'openstack-api-version')
  assert.equal((await wire.kit.request(wire.handler, 'GET', '/')).headers['openstack-api-version'], 'placement 1.0')
  const unknown = await at('1.40', 'GET', '/')
  assert.equal(unknown.status, 406)
  assert.equal(unknown.json.errors[0].max_version, '1.39')
  assert.equal((await at('1.2.3', 'GET', '/')).status, 400)
})

test('every operation is unknown one version before it appears', async () => {
  for (const route of wire.routes.filter((one) => one.since !== undefined)) {
    const earlier = wire.routes.some((one) => one.method === route.method && one.path === route.path && one.until === route.since! - 1)
    const target = route.path.replaceAll(/\{(uuid|consumer_uuid)\}/g, host).replace('{resource_class}', 'VCPU').replace('{name}', 'CUSTOM_NOTHING')
    const answer = await at(formatVersion(route.since! - 1), route.method, target, {})
    if (earlier) assert.notEqual(answer.status, 404, route.name)
    else assert.deepEqual([answer.status, answer.json.errors[0].detail], [404, 'The resource could not be found.'], route.name)
  }
})

test('1.1, 1.6, 1.11: links of a provider', async () => {
  const rels = async (version: string): Promise<string[]> => (await at(version, 'GET', `/resource_providers/${host}`)).json.links.map((one: { rel: string }) => one.rel)
  assert.deepEqual(await rels('1.0'), ['self', 'inventories', 'usages'])
  assert.deepEqual(await rels('1.1'), ['self', 'inventories', 'usages', 'aggregates'])
  assert.deepEqual(await rels('1.6'), ['self', 'inventories', 'usages', 'aggregates', 'traits'])
  assert.deepEqual(await rels('1.11'), ['self', 'inventories', 'usages', 'aggregates', 'traits', 'allocations'])
})

test('1.3, 1.4, 1.14, 1.18: filters of the list of providers', async () => {
  for (const [since, query] of [['1.3', `member_of=${AGGREGATE}`], ['1.4', 'resources=VCPU:1'], ['1.14', `in_tree=${host}`], ['1.18', 'required=HW_CPU_X86_AVX']] as const) {
    const [, minor] = since.split('.')
    assert.equal((await at(`1.${Number(minor) - 1}`, 'GET', `/resource_providers?${query}`)).status, 400, query)
    assert.equal((await at(since, 'GET', `/resource_providers?${query}`)).json.resource_providers.length, 1, query)
  }
})

test('1.5: all inventories may be deleted; before, the method is not allowed', async () => {
  const other = await wire.provider({ name: 'other', inventories: { VCPU: 1 } })
  const refused = await at('1.4', 'DELETE', `/resource_providers/${other}/inventories`)
  assert.equal(refused.status, 405)
  assert.equal(refused.headers.allow, 'GET, POST, PUT')
  assert.equal((await at('1.5', 'DELETE', `/resource_providers/${other}/inventories`)).status, 204)
})

test('1.7: PUT of a class makes sure of it; before, it renames', async () => {
  assert.equal((await at('1.7', 'PUT', '/resource_classes/CUSTOM_ONE')).status, 201)
  assert.equal((await at('1.7', 'PUT', '/resource_classes/CUSTOM_ONE')).status, 204)
  const renamed = await at('1.6', 'PUT', '/resource_classes/CUSTOM_ONE', { name: 'CUSTOM_TWO' })
  assert.deepEqual([renamed.status, renamed.json.name], [200, 'CUSTOM_TWO'])
  assert.equal((await at('1.6', 'PUT', '/resource_classes/VCPU', { name: 'CUSTOM_THREE' })).status, 400)
})

test('1.8, 1.12, 1.28, 1.34, 1.38: the body of a claim', async () => {
  const list = [{ resource_provider: { uuid: host }, resources: { VCPU: 1 } }]
  const map = { [host]: { resources: { VCPU: 1 } } }
  const bodies: [string, string, unknown][] = [
    ['1.0', '1.7', { allocations: list }],
    ['1.8', '1.11', { allocations: list, ...project }],
    ['1.12', '1.27', { allocations: map, ...project }],
    ['1.28', '1.33', { allocations: map, ...project, consumer_generation: null }],
    ['1.34', '1.37', { allocations: map, ...project, consumer_generation: null, mappings: { '': [host] } }],
    ['1.38', '1.39', { allocations: map, ...project, consumer_generation: null, mappings: { '': [host] }, consumer_type: 'INSTANCE' }],
  ]
  for (const [i, [since, until, body]] of bodies.entries()) {
    for (const version of [since, until]) {
      const consumer = wire.kit.world.random.uuid()
      const answer = await at(version, 'PUT', `/allocations/${consumer}`, body)
      assert.equal(answer.status, 204, `${version}: ${answer.text}`)
      assert.equal((await at('1.0', 'DELETE', `/allocations/${consumer}`)).status, 204)
    }
    // Mappings are optional, so a body of 1.28 is still one of 1.34.
    const next = bodies[i + 1]
    if (next && since !== '1.28') assert.equal((await at(next[0], 'PUT', `/allocations/${wire.kit.world.random.uuid()}`, body)).status, 400, `${since} at ${next[0]}`)
  }
})

test('1.12, 1.28, 1.38: what a consumer shows', async () => {
  const consumer = await wire.claim({ [host]: { VCPU: 1 } })
  assert.deepEqual(await keysAt('1.11', `/allocations/${consumer}`), ['allocations'])
  assert.deepEqual(await keysAt('1.12', `/allocations/${consumer}`), ['allocations', 'project_id', 'user_id'])
  assert.deepEqual(await keysAt('1.28', `/allocations/${consumer}`), ['allocations', 'consumer_generation', 'project_id', 'user_id'])
  assert.deepEqual(await keysAt('1.38', `/allocations/${consumer}`), ['allocations', 'consumer_generation', 'consumer_type', 'project_id', 'user_id'])
  const ofHost = async (version: string): Promise<unknown> => (await at(version, 'GET', `/resource_providers/${host}/allocations`)).json.allocations[consumer]
  assert.deepEqual(await ofHost('1.27'), { resources: { VCPU: 1 } })
  assert.deepEqual(await ofHost('1.28'), { resources: { VCPU: 1 }, consumer_generation: 1 })
  assert.equal((await at('1.0', 'DELETE', `/allocations/${consumer}`)).status, 204)
})

test('1.14: trees', async () => {
  assert.equal((await at('1.13', 'POST', '/resource_providers', { name: 'child', parent_provider_uuid: host })).status, 400)
  const made = await at('1.14', 'POST', '/resource_providers', { name: 'child', parent_provider_uuid: host })
  assert.equal(made.status, 201)
  const child = String(made.headers.location).split('/').at(-1)!
  assert.deepEqual(await keysAt('1.13', `/resource_providers/${child}`), ['generation', 'links', 'name', 'uuid'])
  const shown = (await at('1.14', 'GET', `/resource_providers/${child}`)).json
  assert.deepEqual([shown.parent_provider_uuid, shown.root_provider_uuid], [host, host])
  assert.equal((await at('1.36', 'PUT', `/resource_providers/${child}`, { name: 'child', parent_provider_uuid: null })).status, 400)
  assert.equal((await at('1.37', 'PUT', `/resource_providers/${child}`, { name: 'child', parent_provider_uuid: null })).status, 200)
  assert.equal((await at('1.0', 'DELETE', `/resource_providers/${child}`)).status, 204)
})

test('1.15: how old an answer is', async () => {
  for (const target of ['/', '/resource_providers', `/resource_providers/${host}`, `/resource_providers/${host}/inventories`, `/resource_providers/${host}/inventories/VCPU`, `/resource_providers/${host}/aggregates`, `/resource_providers/${host}/traits`, `/resource_providers/${host}/usages`, `/resource_providers/${host}/allocations`, `/allocations/${host}`, '/traits', '/traits/HW_CPU_X86_AVX', '/resource_classes', '/resource_classes/VCPU', '/usages?project_id=p', '/allocation_candidates?resources=VCPU:1']) {
    const before = await at('1.14', 'GET', target)
    assert.equal(before.headers['last-modified'], undefined, target)
    const since = await at('1.15', 'GET', target)
    assert.equal(since.headers['cache-control'], 'no-cache', target)
    assert.match(String(since.headers['last-modified']), /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/, target)
  }
})

test('1.19: aggregates carry the generation and are guarded by it', async () => {
  const { generation } = (await at('1.39', 'GET', `/resource_providers/${host}`)).json
  assert.deepEqual((await at('1.18', 'PUT', `/resource_providers/${host}/aggregates`, [AGGREGATE])).json, { aggregates: [AGGREGATE] })
  const stale = await at('1.23', 'PUT', `/resource_providers/${host}/aggregates`, { aggregates: [], resource_provider_generation: generation + 1 })
  assert.deepEqual([stale.status, stale.json.errors[0].code], [409, 'placement.concurrent_update'])
  const set = await at('1.19', 'PUT', `/resource_providers/${host}/aggregates`, { aggregates: [AGGREGATE], resource_provider_generation: generation })
  assert.deepEqual(set.json, { aggregates: [AGGREGATE], resource_provider_generation: generation + 1 })
})

test('1.20: POST of a provider answers it', async () => {
  const bare = await at('1.19', 'POST', '/resource_providers', { name: 'bare' })
  assert.deepEqual([bare.status, bare.text], [201, ''])
  const shown = await at('1.20', 'POST', '/resource_providers', { name: 'shown' })
  assert.deepEqual([shown.status, shown.json.name, shown.json.generation], [200, 'shown', 0])
})

test('1.22, 1.39: forbidden traits, any of several, repeated', async () => {
  const count = async (version: string, query: string): Promise<unknown> => {
    const answer = await at(version, 'GET', `/resource_providers?${query}`)
    return answer.status === 200 ? answer.json.resource_providers.filter((one: { uuid: string }) => one.uuid === host).length : answer.status
  }
  assert.equal(await count('1.21', 'required=!HW_CPU_X86_AVX'), 400)
  assert.equal(await count('1.22', 'required=!HW_CPU_X86_AVX'), 0)
  assert.equal(await count('1.22', 'required=!HW_CPU_X86_AVX2'), 1)
  assert.equal(await count('1.38', 'required=in:HW_CPU_X86_AVX,HW_CPU_X86_AVX2'), 400)
  assert.equal(await count('1.39', 'required=in:HW_CPU_X86_AVX,HW_CPU_X86_AVX2'), 1)
  assert.equal(await count('1.38', 'required=HW_CPU_X86_AVX2&required=HW_CPU_X86_AVX'), 1)
  assert.equal(await count('1.39', 'required=HW_CPU_X86_AVX2&required=HW_CPU_X86_AVX'), 0)
})

test('1.23: errors have a code', async () => {
  assert.equal((await at('1.22', 'GET', '/resource_providers/none')).json.errors[0].code, undefined)
  const error = (await at('1.23', 'GET', '/resource_providers/none')).json.errors[0]
  assert.deepEqual([error.code, error.title, error.status], ['placement.undefined_code', 'Not Found', 404])
  assert.match(error.request_id, /^req-/)
})

test('1.24, 1.32: repeated and forbidden aggregates', async () => {
  const status = async (version: string, query: string): Promise<number> => (await at(version, 'GET', `/resource_providers?${query}`)).status
  assert.equal(await status('1.23', `member_of=${AGGREGATE}&member_of=${AGGREGATE}`), 400)
  assert.equal(await status('1.24', `member_of=${AGGREGATE}&member_of=${AGGREGATE}`), 200)
  assert.equal(await status('1.31', `member_of=!${AGGREGATE}`), 400)
  assert.equal(await status('1.32', `member_of=!${AGGREGATE}`), 200)
})

test('1.26: an inventory may be reserved whole', async () => {
  const spare = await wire.provider({ name: 'spare' })
  const wish = { resource_class: 'VCPU', total: 4, reserved: 4 }
  assert.equal((await at('1.25', 'POST', `/resource_providers/${spare}/inventories`, wish)).status, 400)
  assert.equal((await at('1.26', 'POST', `/resource_providers/${spare}/inventories`, wish)).status, 201)
})

test('1.38: usages by type of consumer', async () => {
  const typed = await wire.claim({ [host]: { VCPU: 2 } })
  const untyped = wire.kit.world.random.uuid()
  assert.equal((await at('1.12', 'PUT', `/allocations/${untyped}`, { allocations: { [host]: { resources: { VCPU: 1 } } }, ...project })).status, 204)
  const usages = async (version: string, query = ''): Promise<unknown> => (await at(version, 'GET', `/usages?project_id=p${query}`)).json.usages
  assert.deepEqual(await usages('1.37'), { VCPU: 3 })
  assert.deepEqual(await usages('1.38'), { INSTANCE: { VCPU: 2, consumer_count: 1 }, unknown: { VCPU: 1, consumer_count: 1 } })
  assert.deepEqual(await usages('1.38', '&consumer_type=all'), { all: { VCPU: 3, consumer_count: 2 } })
  assert.deepEqual(await usages('1.38', '&consumer_type=unknown'), { unknown: { VCPU: 1, consumer_count: 1 } })
  assert.deepEqual(await usages('1.38', '&consumer_type=INSTANCE'), { INSTANCE: { VCPU: 2, consumer_count: 1 } })
  assert.equal((await at('1.37', 'GET', '/usages?project_id=p&consumer_type=all')).status, 400)
  for (const consumer of [typed, untyped]) await at('1.0', 'DELETE', `/allocations/${consumer}`)
})

test('candidates, edge by edge', async () => {
  const query = '/allocation_candidates?resources=VCPU:1'
  const refused: [string, string][] = [
    ['1.16', '&limit=1'],
    ['1.17', '&required=HW_CPU_X86_AVX'],
    ['1.21', `&member_of=${AGGREGATE}`],
    ['1.25', '&resources1=MEMORY_MB:64&group_policy=none'],
    ['1.31', `&in_tree=${host}`],
    ['1.33', '&resources_NAME=MEMORY_MB:64'],
    ['1.35', '&root_required=HW_CPU_X86_AVX'],
    ['1.36', '&resources1=MEMORY_MB:64&same_subtree=1'],
  ]
  for (const [since, rest] of refused) {
    const minor = Number(since.split('.')[1])
    assert.equal((await at(`1.${minor - 1}`, 'GET', query + rest)).status, 400, rest)
    const answer = await at(since, 'GET', query + rest)
    assert.deepEqual([answer.status, answer.json.allocation_requests?.length], [200, 1], `${rest}: ${answer.text}`)
  }
  const summary = async (version: string): Promise<unknown> => (await at(version, 'GET', query)).json.provider_summaries[host]
  assert.deepEqual(await summary('1.10'), { resources: { VCPU: { capacity: 8, used: 0 } } })
  assert.deepEqual(await summary('1.17'), { resources: { VCPU: { capacity: 8, used: 0 } }, traits: ['HW_CPU_X86_AVX'] })
  const all = { VCPU: { capacity: 8, used: 0 }, MEMORY_MB: { capacity: 4096, used: 0 }, DISK_GB: { capacity: 100, used: 0 } }
  assert.deepEqual(await summary('1.27'), { resources: all, traits: ['HW_CPU_X86_AVX'] })
  assert.deepEqual(await summary('1.29'), { resources: all, traits: ['HW_CPU_X86_AVX'], parent_provider_uuid: null, root_provider_uuid: host })
  const request = async (version: string): Promise<unknown> => (await at(version, 'GET', query)).json.allocation_requests[0]
  assert.deepEqual(await request('1.11'), { allocations: [{ resource_provider: { uuid: host }, resources: { VCPU: 1 } }] })
  assert.deepEqual(await request('1.12'), { allocations: { [host]: { resources: { VCPU: 1 } } } })
  assert.deepEqual(await request('1.34'), { allocations: { [host]: { resources: { VCPU: 1 } } }, mappings: { '': [host] } })
})
