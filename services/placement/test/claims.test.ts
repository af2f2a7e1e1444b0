/** Claims: they fit, they are whole, and however many come at once they never overdraw. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { seededRandom } from '#base/random.ts'
import type { PlacementTables } from '../store/tables.ts'
import { placementWire, type Wire } from './wire.ts'

let wire: Wire
before(async () => void (wire = await placementWire()))
after(() => wire.close())

const owner = { project_id: 'p', user_id: 'u', consumer_type: 'INSTANCE' }
const put = (consumer: string, allocations: Record<string, Record<string, number>>, consumer_generation: number | null) =>
  wire.call('PUT', `/allocations/${consumer}`, { body: { ...owner, consumer_generation, allocations: Object.fromEntries(Object.entries(allocations).map(([uuid, resources]) => [uuid, { resources }])) } })
const codeOf = (answer: { status: number; json: { errors: { code: string }[] } }): [number, string] => [answer.status, answer.json.errors[0]!.code]
const fresh = (): string => wire.kit.world.random.uuid()

/** What must hold whenever nothing is under way. */
async function audit(): Promise<void> {
  const db = wire.kit.db.as<PlacementTables>()
  const allocations = await db.query.selectFrom('placement_allocations').selectAll().execute()
  const sums = new Map<string, number>()
  for (const row of allocations) {
    const key = `${row.resource_provider_uuid} ${row.resource_class}`
    sums.set(key, (sums.get(key) ?? 0) + row.used)
  }
  for (const row of await db.query.selectFrom('placement_inventories').selectAll().execute()) {
    const sum = sums.get(`${row.resource_provider_uuid} ${row.resource_class}`) ?? 0
    assert.equal(row.used, sum, 'used is the sum of the allocations')
    assert.ok(sum <= (row.total - row.reserved) * row.allocation_ratio, 'no inventory is overdrawn')
  }
  const consumers = await db.query.selectFrom('placement_consumers').select('uuid').execute()
  assert.deepEqual(new Set(consumers.map((row) => row.uuid)), new Set(allocations.map((row) => row.consumer_uuid)), 'consumers are those that have allocations')
}

test('a claim obeys units, steps, reservation and ratio', async () => {
  const host = await wire.provider({ name: 'units', inventories: { DISK_GB: { total: 100, reserved: 20, min_unit: 10, max_unit: 60, step_size: 10, allocation_ratio: 1.5 } } })
  for (const [amount, text] of [[5, 'constraints'], [15, 'constraints'], [70, 'constraints']] as const) {
    const answer = await put(fresh(), { [host]: { DISK_GB: amount } }, null)
    assert.deepEqual(codeOf(answer), [409, 'placement.undefined_code'])
    assert.match(answer.json.errors[0].detail, new RegExp(text))
  }
  assert.equal((await put(fresh(), { [host]: { DISK_GB: 60 } }, null)).status, 204)
  assert.equal((await put(fresh(), { [host]: { DISK_GB: 60 } }, null)).status, 204)
  assert.match((await put(fresh(), { [host]: { DISK_GB: 10 } }, null)).json.errors[0].detail, /exceed the capacity/)
  await audit()
})

test('what does not exist is a bad request, what cannot be had is a conflict', async () => {
  const host = await wire.provider({ name: 'plain', inventories: { VCPU: 4 } })
  assert.equal((await put(fresh(), { [fresh()]: { VCPU: 1 } }, null)).status, 400)
  assert.equal((await put(fresh(), { [host]: { CUSTOM_NOBODY: 1 } }, null)).status, 400)
  assert.equal((await put('nonsense', { [host]: { VCPU: 1 } }, null)).status, 400)
  assert.equal((await put(fresh(), { [host]: { MEMORY_MB: 1 } }, null)).status, 409)
  await audit()
})

test('the generation of a consumer guards it', async () => {
  const host = await wire.provider({ name: 'guarded', inventories: { VCPU: 4 } })
  const consumer = fresh()
  assert.deepEqual(codeOf(await put(consumer, { [host]: { VCPU: 1 } }, 3)), [409, 'placement.concurrent_update'])
  assert.equal((await put(consumer, { [host]: { VCPU: 1 } }, null)).status, 204)
  assert.deepEqual(codeOf(await put(consumer, { [host]: { VCPU: 2 } }, null)), [409, 'placement.concurrent_update'])
  assert.equal((await put(consumer, { [host]: { VCPU: 2 } }, 1)).status, 204)
  assert.equal((await wire.call('GET', `/allocations/${consumer}`)).json.consumer_generation, 2)
  assert.equal((await put(consumer, {}, 2)).status, 204)
  assert.deepEqual((await wire.call('GET', `/allocations/${consumer}`)).json, { allocations: {} })
  assert.equal((await put(consumer, {}, null)).status, 204, 'nothing for nobody is nothing')
  assert.equal((await wire.call('DELETE', `/allocations/${consumer}`)).status, 404)
  await audit()
})

test('several consumers move at once or not at all', async () => {
  const [from, to] = [await wire.provider({ name: 'from', inventories: { VCPU: 4 } }), await wire.provider({ name: 'to', inventories: { VCPU: 4 } })]
  const server = await wire.claim({ [from]: { VCPU: 3 } })
  const migration = fresh()
  const move = (amount: number) =>
    wire.call('POST', '/allocations', {
      body: {
        [server]: { ...owner, consumer_generation: 1, allocations: { [to]: { resources: { VCPU: amount } } } },
        [migration]: { ...owner, consumer_type: 'MIGRATION', consumer_generation: null, allocations: { [from]: { resources: { VCPU: 3 } } } },
      },
    })
  assert.equal((await move(5)).status, 409)
  assert.deepEqual(Object.keys((await wire.call('GET', `/allocations/${server}`)).json.allocations), [from])
  assert.deepEqual((await wire.call('GET', `/allocations/${migration}`)).json, { allocations: {} })
  assert.equal((await move(3)).status, 204)
  assert.deepEqual(Object.keys((await wire.call('GET', `/allocations/${server}`)).json.allocations), [to])
  assert.deepEqual((await wire.call('GET', `/resource_providers/${from}/usages`)).json.usages, { VCPU: 3 })
  await audit()
})

test('a provider that shrank below its claims can only be relieved', async () => {
  const host = await wire.provider({ name: 'shrunk', inventories: { VCPU: 8 } })
  const consumer = await wire.claim({ [host]: { VCPU: 6 } })
  const { resource_provider_generation } = (await wire.call('GET', `/resource_providers/${host}/inventories`)).json
  const shrunk = await wire.call('PUT', `/resource_providers/${host}/inventories`, { body: { resource_provider_generation, inventories: { VCPU: { total: 4 } } } })
  assert.equal(shrunk.status, 200)
  assert.equal((await put(consumer, { [host]: { VCPU: 7 } }, 1)).status, 409)
  assert.equal((await put(fresh(), { [host]: { VCPU: 1 } }, null)).status, 409)
  assert.equal((await put(consumer, { [host]: { VCPU: 5 } }, 1)).status, 204)
  assert.equal((await put(consumer, { [host]: { VCPU: 2 } }, 2)).status, 204)
  await audit()
})

test('however claims, moves, releases and changes of inventory meet, nothing is overdrawn', async () => {
  for (const seed of [1, 2, 3]) {
    const random = seededRandom(seed)
    const hosts: string[] = []
    for (let i = 0; i < 3; i++) hosts.push(await wire.provider({ name: `race-${seed}-${i}`, inventories: { VCPU: { total: 8, allocation_ratio: 2 }, MEMORY_MB: 1024 } }))
    const consumers = Array.from({ length: 12 }, fresh)
    const tally = { done: 0, refused: 0 }
    const act = async (): Promise<void> => {
      const consumer = consumers[random.below(consumers.length)]!
      const seen = (await wire.call('GET', `/allocations/${consumer}`)).json.consumer_generation ?? null
      const amounts = (): Record<string, number> => ({ VCPU: 1 + random.below(6), MEMORY_MB: 1 + random.below(400) })
      const chosen = hosts.filter(() => random.below(2) === 0)
      const answer =
        random.below(5) === 0
          ? await wire.call('DELETE', `/allocations/${consumer}`)
          : await put(consumer, Object.fromEntries(chosen.map((host) => [host, amounts()])), seen)
      assert.ok([204, 404, 409].includes(answer.status), answer.text)
      if (answer.status === 204) tally.done++
      else tally.refused++
    }
    for (let round = 0; round < 15; round++) {
      await Promise.all(Array.from({ length: 10 }, act))
      await audit()
    }
    assert.ok(tally.done > 20 && tally.refused > 20, `seed ${seed}: both happen (${JSON.stringify(tally)})`)
  }
})
