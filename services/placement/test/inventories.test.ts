import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { placementWire, type Wire } from './wire.ts'

let wire: Wire
before(async () => void (wire = await placementWire()))
after(() => wire.close())
const at = (uuid: string, rest = ''): string => `/resource_providers/${uuid}/inventories${rest}`
const failure = (answer: { status: number; json: { errors: { code: string }[] } }): unknown[] => [answer.status, answer.json.errors[0]!.code]
const whole = { reserved: 0, min_unit: 1, max_unit: 2_147_483_647, step_size: 1, allocation_ratio: 1 }

test('one inventory: made, shown, changed, removed, each with the generation', async () => {
  const host = await wire.provider({ name: 'one' })
  const made = await wire.call('POST', at(host), { body: { resource_class: 'VCPU', total: 8 } })
  assert.deepEqual([made.status, made.json], [201, { total: 8, ...whole, resource_provider_generation: 1 }])
  assert.equal(made.headers.location, `http://127.0.0.1:5000${at(host, '/VCPU')}`)
  assert.deepEqual(failure(await wire.call('POST', at(host), { body: { resource_class: 'VCPU', total: 8 } })), [409, 'placement.concurrent_update'])
  assert.deepEqual((await wire.call('GET', at(host, '/VCPU'))).json, made.json)
  assert.deepEqual(failure(await wire.call('PUT', at(host, '/VCPU'), { body: { total: 9, resource_provider_generation: 0 } })), [409, 'placement.concurrent_update'])
  const changed = await wire.call('PUT', at(host, '/VCPU'), { body: { total: 9, resource_provider_generation: 1, allocation_ratio: 16 } })
  assert.deepEqual([changed.json.total, changed.json.allocation_ratio, changed.json.resource_provider_generation], [9, 16, 2])
  assert.equal((await wire.call('PUT', at(host, '/DISK_GB'), { body: { total: 9, resource_provider_generation: 2 } })).status, 400)
  assert.equal((await wire.call('PUT', at(host, '/CUSTOM_NONE'), { body: { total: 9, resource_provider_generation: 2 } })).status, 404)
  assert.equal((await wire.call('GET', at(host, '/DISK_GB'))).status, 404)
  assert.equal((await wire.call('DELETE', at(host, '/DISK_GB'))).status, 404)
  assert.equal((await wire.call('DELETE', at(host, '/VCPU'))).status, 204)
  assert.deepEqual((await wire.call('GET', at(host))).json, { resource_provider_generation: 3, inventories: {} })
})

test('all at once: what is not named goes, unless it is in use', async () => {
  const host = await wire.provider({ name: 'all', inventories: { VCPU: 8, MEMORY_MB: 64 } })
  const consumer = await wire.claim({ [host]: { VCPU: 2 } })
  const put = (inventories: unknown, generation: number) => wire.call('PUT', at(host), { body: { resource_provider_generation: generation, inventories } })
  assert.deepEqual(failure(await put({ MEMORY_MB: { total: 64 } }, 2)), [409, 'placement.inventory.inuse'])
  assert.deepEqual(failure(await put({ VCPU: { total: 4 } }, 1)), [409, 'placement.concurrent_update'])
  const kept = await put({ VCPU: { total: 4 }, DISK_GB: { total: 10 } }, 2)
  assert.deepEqual([kept.status, kept.json.resource_provider_generation, Object.keys(kept.json.inventories).sort()], [200, 3, ['DISK_GB', 'VCPU']])
  assert.deepEqual((await wire.call('GET', `/resource_providers/${host}/usages`)).json.usages, { DISK_GB: 0, VCPU: 2 }, 'what is claimed stays claimed')
  assert.deepEqual(failure(await wire.call('DELETE', at(host))), [409, 'placement.inventory.inuse'])
  assert.deepEqual(failure(await wire.call('DELETE', at(host, '/VCPU'))), [409, 'placement.concurrent_update'])
  await wire.call('DELETE', `/allocations/${consumer}`)
  assert.equal((await wire.call('DELETE', at(host))).status, 204)
})

test('records that make no sense', async () => {
  const host = await wire.provider({ name: 'sense' })
  for (const record of [{ total: 0 }, { total: 2 ** 31 }, { total: 1, reserved: -1 }, { total: 1, reserved: 2 }, { total: 1, min_unit: 0 }, { total: 1, step_size: 0 }, { total: 1, max_unit: 0 }, { total: 1, allocation_ratio: 1e39 }, { total: 1, house: 1 }, { total: '1' }, {}]) {
    assert.equal((await wire.call('POST', at(host), { body: { resource_class: 'VCPU', ...record } })).status, 400, JSON.stringify(record))
  }
  assert.equal((await wire.call('POST', at(host), { body: { resource_class: 'CUSTOM_NONE', total: 1 } })).status, 400)
  assert.equal((await wire.call('PUT', at(host), { body: { resource_provider_generation: 0, inventories: { CUSTOM_NONE: { total: 1 } } } })).status, 400)
  for (const [method, rest] of [['GET', ''], ['GET', '/VCPU'], ['DELETE', ''], ['DELETE', '/VCPU']] as const) {
    assert.equal((await wire.call(method, at('00000000-0000-4000-8000-000000000000', rest))).status, 404)
  }
  assert.equal((await wire.call('GET', at(host))).json.resource_provider_generation, 0, 'nothing was changed')
})
