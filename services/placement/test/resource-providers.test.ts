import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { placementWire, type Wire } from './wire.ts'

let wire: Wire
before(async () => void (wire = await placementWire()))
after(() => wire.close())
const body = (content: unknown) => ({ body: content })
const parents = async (uuid: string): Promise<unknown[]> => {
  const { parent_provider_uuid, root_provider_uuid } = (await wire.call('GET', `/resource_providers/${uuid}`)).json
  return [parent_provider_uuid, root_provider_uuid]
}

test('a provider from birth to death', async () => {
  const uuid = '2290D4AF9E6E400B9D651EE01376F71A'
  const dashed = '2290d4af-9e6e-400b-9d65-1ee01376f71a'
  const made = await wire.call('POST', '/resource_providers', body({ name: 'one', uuid }))
  assert.deepEqual([made.status, made.json.uuid, made.headers.location], [200, dashed, `http://127.0.0.1:5000/resource_providers/${dashed}`])
  const again = await wire.call('POST', '/resource_providers', body({ name: 'two', uuid: dashed }))
  assert.deepEqual([again.status, again.json.errors[0].code], [409, 'placement.duplicate_name'])
  assert.match(again.json.errors[0].detail, new RegExp(`uuid: ${dashed} already exists`))
  const namesake = await wire.call('POST', '/resource_providers', body({ name: 'one' }))
  assert.match(namesake.json.errors[0].detail, /name: one already exists/)
  const renamed = await wire.call('PUT', `/resource_providers/${dashed}`, body({ name: 'another' }))
  assert.deepEqual([renamed.status, renamed.json.name, renamed.json.generation], [200, 'another', 0])
  assert.equal((await wire.call('GET', '/resource_providers?name=another')).json.resource_providers.length, 1)
  assert.equal((await wire.call('DELETE', `/resource_providers/${dashed}`)).status, 204)
  assert.equal((await wire.call('DELETE', `/resource_providers/${dashed}`)).status, 404)
  assert.equal((await wire.call('GET', `/resource_providers/${dashed}`)).status, 404)
  assert.equal((await wire.call('PUT', `/resource_providers/${dashed}`, body({ name: 'x' }))).status, 404)
})

test('trees grow, move whole, and make no rings', async () => {
  const root = await wire.provider({ name: 'root' })
  const middle = await wire.provider({ name: 'middle', parent: root })
  const leaf = await wire.provider({ name: 'leaf', parent: middle, inventories: { VGPU: 1 }, traits: ['HW_GPU_API_DXVA'] })
  const other = await wire.provider({ name: 'other' })
  assert.deepEqual(await parents(leaf), [middle, root])
  const move = async (uuid: string, parent: string | null, version = '1.39'): Promise<number> =>
    (await wire.call('PUT', `/resource_providers/${uuid}`, { version, body: { name: (await wire.call('GET', `/resource_providers/${uuid}`)).json.name, parent_provider_uuid: parent } })).status
  assert.equal(await move(root, leaf), 400)
  assert.equal(await move(root, root), 400)
  assert.equal(await move(middle, '00000000-0000-4000-8000-000000000000'), 400)
  assert.equal(await move(middle, other, '1.36'), 400, 'before 1.37 nobody moves')
  assert.equal(await move(middle, root, '1.36'), 200, 'to stay is not to move')
  assert.equal(await move(middle, other), 200)
  assert.deepEqual([await parents(middle), await parents(leaf)], [[other, other], [middle, other]])
  const found = (await wire.call('GET', `/allocation_candidates?resources=VGPU:1&required=HW_GPU_API_DXVA&in_tree=${other}`)).json
  assert.equal(found.provider_summaries[leaf].root_provider_uuid, other, 'what it has moved along')
  assert.deepEqual(Object.keys(found.provider_summaries).sort(), [leaf, middle, other].sort())
  assert.equal(await move(middle, null), 200)
  assert.deepEqual([await parents(middle), await parents(leaf)], [[null, middle], [middle, middle]])
  const inTree = (await wire.call('GET', `/resource_providers?in_tree=${leaf}`)).json.resource_providers
  assert.deepEqual(inTree.map((one: { name: string }) => one.name).sort(), ['leaf', 'middle'])
})

test('a parent and a provider with claims stay', async () => {
  const parent = await wire.provider({ name: 'parent', inventories: { VCPU: 2 } })
  const child = await wire.provider({ name: 'child', parent })
  assert.equal((await wire.call('DELETE', `/resource_providers/${parent}`)).json.errors[0].code, 'placement.resource_provider.cannot_delete_parent')
  assert.equal((await wire.call('DELETE', `/resource_providers/${child}`)).status, 204)
  const consumer = await wire.claim({ [parent]: { VCPU: 1 } })
  assert.equal((await wire.call('DELETE', `/resource_providers/${parent}`)).json.errors[0].code, 'placement.resource_provider.inuse')
  assert.equal((await wire.call('DELETE', `/allocations/${consumer}`)).status, 204)
  assert.equal((await wire.call('DELETE', `/resource_providers/${parent}`)).status, 204)
})

test('the list filters by room, by all of its filters at once, and refuses what it does not know', async () => {
  const full = await wire.provider({ name: 'full', inventories: { VCPU: 2 }, traits: ['COMPUTE_NODE'] })
  await wire.claim({ [full]: { VCPU: 2 } })
  const free = await wire.provider({ name: 'free', inventories: { VCPU: 2, MEMORY_MB: 64 }, traits: ['COMPUTE_NODE'] })
  const names = async (query: string): Promise<unknown> => (await wire.call('GET', `/resource_providers?${query}`)).json.resource_providers?.map((one: { name: string }) => one.name)
  assert.deepEqual(await names('resources=VCPU:1'), ['free'])
  assert.deepEqual(await names('resources=VCPU:1,MEMORY_MB:65'), [])
  assert.deepEqual(await names(`required=COMPUTE_NODE&resources=VCPU:1&uuid=${free}&name=free`), ['free'])
  assert.deepEqual(await names('required=!COMPUTE_NODE&name=free'), [])
  for (const query of ['required=CUSTOM_NONE', 'resources=CUSTOM_NONE:1', 'uuid=spam', 'unknown=1', 'required=', 'resources=VCPU']) {
    assert.equal((await wire.call('GET', `/resource_providers?${query}`)).status, 400, query)
  }
})

test('media types, methods and paths', async () => {
  const post = (headers: Record<string, string>, content: string | undefined) => wire.kit.request(wire.handler, 'POST', '/resource_providers', { as: 'admin', headers, body: content })
  assert.equal((await post({ 'content-type': 'text/plain' }, 'a provider please')).status, 415)
  assert.equal((await post({}, 'a provider please')).status, 400)
  assert.equal((await post({}, undefined)).status, 415)
  assert.equal((await post({ 'content-type': 'application/json' }, '{')).status, 400)
  assert.equal((await post({ 'content-type': 'application/json; charset=utf-8' }, '{"name":"typed"}')).status, 201)
  assert.equal((await wire.call('GET', '/resource_providers', { headers: { accept: 'text/plain' } })).status, 406)
  assert.equal((await wire.call('GET', '/resource_providers', { headers: { accept: 'text/html,*/*;q=0.8' } })).status, 200)
  const refused = await wire.call('DELETE', '/resource_providers')
  assert.deepEqual([refused.status, refused.headers.allow], [405, 'GET, POST'])
  assert.equal((await wire.call('GET', '/nowhere')).status, 404)
})

test('a name that is no name is refused, any letters are welcome', async () => {
  for (const name of [undefined, '', 'x'.repeat(201), 5]) assert.equal((await wire.call('POST', '/resource_providers', body({ name }))).status, 400)
  assert.equal((await wire.call('POST', '/resource_providers', body({ name: '온돌 😊' }))).json.name, '온돌 😊')
})
