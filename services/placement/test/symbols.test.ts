/** Traits and resource classes: the standard ones stand, custom ones come and go. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { STANDARD_CLASSES } from '../contract/resource-classes.ts'
import { STANDARD_TRAITS } from '../contract/traits.ts'
import { placementWire, type Wire } from './wire.ts'

let wire: Wire
before(async () => void (wire = await placementWire()))
after(() => wire.close())

test('traits', async () => {
  const first = await wire.call('PUT', '/traits/CUSTOM_ONE')
  assert.deepEqual([first.status, first.headers.location], [201, 'http://127.0.0.1:5000/traits/CUSTOM_ONE'])
  assert.equal((await wire.call('PUT', '/traits/CUSTOM_ONE')).status, 204)
  for (const name of ['ONE', 'CUSTOM_one', 'HW_CPU_X86_AVX', `CUSTOM_${'X'.repeat(250)}`]) assert.equal((await wire.call('PUT', `/traits/${name}`)).status, 400, name)
  assert.equal((await wire.call('GET', '/traits/CUSTOM_ONE')).status, 204)
  assert.equal((await wire.call('GET', '/traits/HW_CPU_X86_AVX')).status, 204)
  assert.equal((await wire.call('GET', '/traits/CUSTOM_NONE')).status, 404)
  const list = async (query: string): Promise<string[]> => (await wire.call('GET', `/traits?${query}`)).json.traits
  assert.deepEqual(await list(''), [...STANDARD_TRAITS, 'CUSTOM_ONE'])
  assert.deepEqual(await list('name=startswith:CUSTOM'), ['CUSTOM_ONE'])
  assert.deepEqual(await list('name=in:CUSTOM_ONE,COMPUTE_NODE,NONE'), ['COMPUTE_NODE', 'CUSTOM_ONE'])
  assert.equal((await wire.call('GET', '/traits?name=CUSTOM')).status, 400)
  assert.equal((await wire.call('GET', '/traits?associated=maybe')).status, 400)
  assert.equal((await wire.call('DELETE', '/traits/COMPUTE_NODE')).status, 400)

  const host = await wire.provider({ name: 'host', traits: ['CUSTOM_ONE', 'COMPUTE_NODE'] })
  assert.deepEqual(await list('associated=true'), ['COMPUTE_NODE', 'CUSTOM_ONE'])
  assert.equal((await list('associated=false')).length, STANDARD_TRAITS.length - 1)
  assert.equal((await wire.call('DELETE', '/traits/CUSTOM_ONE')).status, 409)
  const of = `/resource_providers/${host}/traits`
  assert.deepEqual((await wire.call('GET', of)).json, { traits: ['COMPUTE_NODE', 'CUSTOM_ONE'], resource_provider_generation: 1 })
  const put = (traits: string[], generation: number) => wire.call('PUT', of, { body: { traits, resource_provider_generation: generation } })
  assert.equal((await put(['CUSTOM_NONE'], 1)).status, 400)
  assert.equal((await put([], 0)).json.errors[0].code, 'placement.concurrent_update')
  assert.equal((await put(['CUSTOM_ONE', 'COMPUTE_NODE'], 1)).json.resource_provider_generation, 1, 'the same again changes nothing')
  assert.deepEqual((await put(['COMPUTE_NODE'], 1)).json, { traits: ['COMPUTE_NODE'], resource_provider_generation: 2 })
  assert.equal((await wire.call('DELETE', '/traits/CUSTOM_ONE')).status, 204)
  assert.equal((await wire.call('DELETE', '/traits/CUSTOM_ONE')).status, 404)
  assert.equal((await wire.call('DELETE', of)).status, 204)
  assert.deepEqual((await wire.call('GET', of)).json, { traits: [], resource_provider_generation: 3 })
})

test('resource classes', async () => {
  const made = await wire.call('POST', '/resource_classes', { body: { name: 'CUSTOM_GOLD' } })
  assert.deepEqual([made.status, made.headers.location], [201, 'http://127.0.0.1:5000/resource_classes/CUSTOM_GOLD'])
  assert.equal((await wire.call('POST', '/resource_classes', { body: { name: 'CUSTOM_GOLD' } })).status, 409)
  for (const name of ['GOLD', 'CUSTOM_gold', `CUSTOM_${'X'.repeat(250)}`]) {
    assert.equal((await wire.call('POST', '/resource_classes', { body: { name } })).status, 400, name)
    assert.equal((await wire.call('PUT', `/resource_classes/${name}`)).status, 400, name)
  }
  assert.deepEqual((await wire.call('GET', '/resource_classes/CUSTOM_GOLD')).json, { name: 'CUSTOM_GOLD', links: [{ rel: 'self', href: '/resource_classes/CUSTOM_GOLD' }] })
  assert.equal((await wire.call('GET', '/resource_classes/CUSTOM_NONE')).status, 404)
  const names = (await wire.call('GET', '/resource_classes')).json.resource_classes.map((one: { name: string }) => one.name)
  assert.deepEqual(names, [...STANDARD_CLASSES, 'CUSTOM_GOLD'])

  const host = await wire.provider({ name: 'vault', inventories: { CUSTOM_GOLD: 5 } })
  await wire.claim({ [host]: { CUSTOM_GOLD: 2 } })
  assert.equal((await wire.call('DELETE', '/resource_classes/CUSTOM_GOLD')).status, 409)
  assert.equal((await wire.call('DELETE', '/resource_classes/VCPU')).status, 400)
  assert.equal((await wire.call('DELETE', '/resource_classes/CUSTOM_NONE')).status, 404)
  const rename = (from: string, to: string) => wire.call('PUT', `/resource_classes/${from}`, { version: '1.6', body: { name: to } })
  assert.equal((await rename('CUSTOM_NONE', 'CUSTOM_OTHER')).status, 404)
  assert.equal((await rename('CUSTOM_GOLD', 'CUSTOM_SILVER')).status, 200)
  assert.deepEqual((await wire.call('GET', `/resource_providers/${host}/usages`)).json.usages, { CUSTOM_SILVER: 2 }, 'its inventories and allocations take the name')
})
