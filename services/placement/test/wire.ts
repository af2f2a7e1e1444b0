/** A Placement alone, for tests, and the words in which they speak to it. */
import type { HttpHandler } from '#base/http/message.ts'
import type { RuleDefault } from '#stack/policy/interface.ts'
import { type Answer, houseKit, type HouseKit, type RequestOptions } from '#stack/test/house-kit.ts'
import { type PlacementConfig, placementDefaults } from '../config.ts'
import policies from '../contract/policies.json' with { type: 'json' }
import { controlProcess } from '../processes/control.ts'
import type { Route } from '#stack/route.ts'

export interface Wire {
  kit: HouseKit<PlacementConfig>
  routes: readonly Route[]
  handler: HttpHandler
  /** As admin, at 1.39 unless said otherwise. */
  call(method: string, target: string, options?: RequestOptions & { version?: string }): Promise<Answer>
  /** Makes a provider with inventories, traits and aggregates; answers its uuid. */
  provider(wish: ProviderWish): Promise<string>
  /** Claims for a new consumer; answers its uuid. */
  claim(allocations: Record<string, Record<string, number>>): Promise<string>
  close(): Promise<void>
}

export interface ProviderWish {
  name: string
  uuid?: string
  parent?: string
  /** A number is a total. */
  inventories?: Record<string, number | Record<string, number>>
  traits?: string[]
  aggregates?: string[]
}

export async function placementWire(config: Partial<PlacementConfig> = {}): Promise<Wire> {
  const kit = await houseKit<PlacementConfig>({ config: { ...placementDefaults, ...config }, policies: policies as readonly RuleDefault[] })
  const house = controlProcess(kit.parts)
  await kit.migrate(house.plate)
  const call: Wire['call'] = (method, target, { version = '1.39', headers, as = 'admin', ...options } = {}) =>
    kit.request(house.handler, method, target, { as, ...options, headers: { 'openstack-api-version': `placement ${version}`, ...(method === 'POST' || method === 'PUT' ? { 'content-type': 'application/json' } : {}), ...headers } })
  const must = async (method: string, target: string, body?: unknown): Promise<Answer> => {
    const answer = await call(method, target, { body })
    if (answer.status >= 400) throw new Error(`${method} ${target}: ${answer.status} ${answer.text}`)
    return answer
  }
  return {
    kit,
    routes: house.routes,
    handler: house.handler,
    call,
    async provider({ name, uuid = kit.world.random.uuid(), parent, inventories = {}, traits = [], aggregates = [] }) {
      await must('POST', '/resource_providers', { name, uuid, ...(parent === undefined ? {} : { parent_provider_uuid: parent }) })
      let generation = 0
      for (const symbol of Object.keys(inventories)) if (symbol.startsWith('CUSTOM_')) await must('PUT', `/resource_classes/${symbol}`)
      for (const symbol of traits) if (symbol.startsWith('CUSTOM_')) await must('PUT', `/traits/${symbol}`)
      if (Object.keys(inventories).length > 0) {
        const records = Object.fromEntries(Object.entries(inventories).map(([symbol, given]) => [symbol, typeof given === 'number' ? { total: given } : given]))
        await must('PUT', `/resource_providers/${uuid}/inventories`, { resource_provider_generation: generation++, inventories: records })
      }
      if (traits.length > 0) await must('PUT', `/resource_providers/${uuid}/traits`, { resource_provider_generation: generation++, traits })
      if (aggregates.length > 0) await must('PUT', `/resource_providers/${uuid}/aggregates`, { resource_provider_generation: generation++, aggregates })
      return uuid
    },
    async claim(allocations) {
      const uuid = kit.world.random.uuid()
      const wish = Object.fromEntries(Object.entries(allocations).map(([provider, resources]) => [provider, { resources }]))
      await must('PUT', `/allocations/${uuid}`, { allocations: wish, project_id: 'p', user_id: 'u', consumer_generation: null, consumer_type: 'INSTANCE' })
      return uuid
    },
    close: () => kit.close(),
  }
}
