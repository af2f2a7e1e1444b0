/** Neutron alone, with one host whose agents are alive. */
import { houseKit, type Answer, type HouseKit, type RequestOptions } from '#stack/test/house-kit.ts'
import type { ControlProcess } from '#stack/house.ts'
import { defaultConfig, type NeutronConfig } from '../config.ts'
import policies from '../contract/policies.json' with { type: 'json' }
import { CONTROL_TOPIC } from '../contract/rpc.ts'
import { controlProcess } from '../processes/control.ts'
import type { HttpHandler } from '#base/http/message.ts'
import type { RuleDefault } from '#stack/policy/interface.ts'

export interface NeutronKit extends HouseKit<NeutronConfig> {
  house: ControlProcess
  call(method: string, path: string, options?: RequestOptions): Promise<Answer>
  /** The answer's object; throws with the answer when the status is not 2xx. */
  must(method: string, path: string, body?: unknown, as?: string): Promise<Record<string, never>>
  /** Events that Nova was told. */
  events: { name: string; server_uuid: string; tag: string }[]
  shut(): Promise<void>
}

export const HOST = 'test-host'

export async function neutronKit(config: Partial<NeutronConfig> = {}): Promise<NeutronKit> {
  const events: NeutronKit['events'] = []
  const nova: HttpHandler = async (request) => {
    if (request.path.startsWith('/metadata')) {
      const { 'x-auth-token': _, ...headers } = request.headers
      return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ path: request.path, query: request.query, headers }) }
    }
    const body = JSON.parse(String(request.body)) as { events: NeutronKit['events'] }
    events.push(...body.events)
    return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  }
  const kit = await houseKit<NeutronConfig>({ config: { ...defaultConfig, ...config }, policies: policies as unknown as RuleDefault[], houses: { nova } })
  const house = controlProcess(kit.parts)
  await kit.migrate(house.plate)
  await house.start()
  await kit.parts.bus.call(CONTROL_TOPIC, 'heartbeat', {
    host: HOST,
    availability_zone: 'nova',
    started_at: 0,
    agents: ['Linux bridge agent', 'DHCP agent', 'L3 agent', 'Metadata agent'].map((agent_type) => ({ agent_type, binary: `neutron-${agent_type}`, topic: 'N/A', configurations: {} })),
  })
  const call: NeutronKit['call'] = (method, path, options = {}) => kit.request(house.handler, method, `/v2.0${path}`, { as: 'member', ...options })
  return {
    ...kit,
    house,
    events,
    call,
    async must(method, path, body, as = 'member') {
      const answer = await call(method, path, { as, ...(body === undefined ? {} : { body }) })
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
      return answer.json as Record<string, never>
    },
    async shut() {
      await house.close()
      await kit.close()
    },
  }
}
