import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { placementWire, type Wire } from './wire.ts'

let wire: Wire
before(async () => void (wire = await placementWire()))
after(() => wire.close())

const shown = async (uuid: string): Promise<unknown> => (await wire.call('GET', `/resource_providers/${uuid}/usages`)).json
const reshape = (inventories: unknown, allocations: unknown) => wire.call('POST', '/reshaper', { as: 'service', body: { inventories, allocations } })
const owner = { project_id: 'p', user_id: 'u', consumer_type: 'INSTANCE' }

test('inventory and claims move to a child together', async () => {
  const host = await wire.provider({ name: 'host', inventories: { VCPU: 8, VGPU: 4 } })
  const gpu = await wire.provider({ name: 'gpu', parent: host })
  const consumer = await wire.claim({ [host]: { VCPU: 1, VGPU: 2 } })
  const plan = (generation: number, amount: number) =>
    [
      {
        [host]: { resource_provider_generation: generation, inventories: { VCPU: { total: 8 } } },
        [gpu]: { resource_provider_generation: 0, inventories: { VGPU: { total: 4 } } },
      },
      { [consumer]: { ...owner, consumer_generation: 1, allocations: { [host]: { resources: { VCPU: 1 } }, [gpu]: { resources: { VGPU: amount } } } } },
    ] as const
  const before = [await shown(host), await shown(gpu)]
  const [inventories] = plan(2, 2)
  assert.equal((await reshape(inventories, {})).json.errors[0].code, 'placement.inventory.inuse')
  assert.equal((await reshape(...plan(1, 2))).json.errors[0].code, 'placement.concurrent_update')
  assert.equal((await reshape(...plan(2, 5))).status, 409, 'too much')
  assert.deepEqual([await shown(host), await shown(gpu)], before, 'all or nothing')

  assert.equal((await reshape(...plan(2, 2))).status, 204)
  assert.deepEqual(await shown(host), { resource_provider_generation: 5, usages: { VCPU: 1 } })
  assert.deepEqual(await shown(gpu), { resource_provider_generation: 3, usages: { VGPU: 2 } })
  assert.equal((await wire.call('GET', `/allocations/${consumer}`)).json.consumer_generation, 2)
})

test('what is unknown', async () => {
  const nobody = '00000000-0000-4000-8000-000000000000'
  const host = await wire.provider({ name: 'other' })
  const none = await reshape({ [nobody]: { resource_provider_generation: 0, inventories: {} } }, {})
  assert.deepEqual([none.status, none.json.errors[0].code], [400, 'placement.resource_provider.not_found'])
  assert.equal((await reshape({ [host]: { resource_provider_generation: 0, inventories: { CUSTOM_NONE: { total: 1 } } } }, {})).status, 400)
  assert.equal((await reshape({}, {})).status, 400)
})
