/** Nova with a real Placement, fake neighbours and fake hosts, on one database: `await novaKit({ hosts: 2 })`. */
import type { Clock } from '#base/clock.ts'
import type { FlowFaults } from '#base/flow/engine.ts'
import { placementConfig } from '#placement/config.ts'
import placementPolicies from '#placement/contract/policies.json' with { type: 'json' }
import { controlProcess as placementControl } from '#placement/processes/control.ts'
import { withDefaults } from '#base/config.ts'
import type { HttpHandler } from '#base/http/message.ts'
import { createLog, type Level } from '#base/log.ts'
import { seededRandom } from '#base/random.ts'
import { createEnforcer } from '#stack/policy/enforcer.ts'
import type { RuleDefault } from '#stack/policy/interface.ts'
import type { AgentProcess, ControlProcess } from '#stack/house.ts'
import { type Answer, type HouseKit, houseKit, type RequestOptions } from '#stack/test/house-kit.ts'
import type { FakeHost } from '../drivers/fake/host.ts'
import { type NovaConfig, novaDefaults } from '../config.ts'
import policies from '../contract/policies.json' with { type: 'json' }
import type { Nova } from '../house.ts'
import { agentProcess } from '../processes/agent.ts'
import { controlProcess } from '../processes/control.ts'
import { FakeCinder, FakeGlance, FakeNeutron } from './fake-houses.ts'

export const NETWORK = '11111111-1111-4111-8111-111111111111'
export const IMAGE = '22222222-2222-4222-8222-222222222222'

export interface NovaKit {
  kit: HouseKit<NovaConfig>
  nova: Nova
  neutron: FakeNeutron
  glance: FakeGlance
  cinder: FakeCinder
  hosts: FakeHost[]
  control: ControlProcess
  request(method: string, target: string, options?: RequestOptions): Promise<Answer>
  placement(method: string, target: string, body?: unknown): Promise<Answer>
  /** Makes a server and answers its id; `wait: false` does not wait for ACTIVE. */
  boot(wish?: Record<string, unknown>, options?: { as?: string; wait?: boolean; version?: string; hints?: object }): Promise<string>
  act(id: string, body: object, options?: { as?: string; version?: string }): Promise<Answer>
  show(id: string, options?: { as?: string; version?: string }): Promise<Answer>
  /** Until nothing is under way for the server; its row's states. */
  settled(id: string): Promise<{ vm_state: string; task_state: string | null; status: string }>
  /** The worker dies and another one takes over. */
  restart(faults?: FlowFaults): Promise<void>
  close(): Promise<void>
}

export interface NovaKitOptions {
  hosts?: number
  config?: Partial<NovaConfig>
  clock?: Clock
  faults?: FlowFaults
  /** More neighbours, or others. */
  houses?: Readonly<Record<string, HttpHandler>>
  /** Milliseconds that a dead worker's flows wait. */
  lease?: number
}

export async function novaKit(options: NovaKitOptions = {}): Promise<NovaKit> {
  const random = seededRandom(7)
  const neutron = new FakeNeutron(random)
  const glance = new FakeGlance(random)
  const cinder = new FakeCinder(random)
  neutron.network(NETWORK)
  glance.image(IMAGE)
  const houses: Record<string, HttpHandler> = { neutron: neutron.handler, glance: glance.handler, cinder: cinder.handler, ...options.houses }
  const config: NovaConfig = { ...novaDefaults, agent_wait: 200, ...options.config, agent: { ...novaDefaults.agent, hosts: options.hosts ?? 1, ...options.config?.agent } }
  const kit = await houseKit<NovaConfig>({ config, policies: policies as RuleDefault[], houses, ...(options.clock ? { clock: options.clock } : {}) })
  // `NOVA_TEST_LOG=info node --test …` shows what the house says.
  const level = process.env.NOVA_TEST_LOG as Level | undefined
  if (level) Object.assign(kit.world, { log: createLog({ level, sinks: [{ form: 'person', sink: { write: (line) => void process.stderr.write(line) } }] }) })
  const placementEnforcer = createEnforcer({ defaults: placementPolicies as RuleDefault[] })
  const placement = placementControl({ ...kit.parts, config: withDefaults(placementConfig, {}) as never, authorizer: { check: (rule, target, context) => placementEnforcer.check(rule, target, context as never) } })
  houses.placement = placement.handler

  let nova!: Nova
  let generation = 0
  const startControl = async (faults?: FlowFaults): Promise<ControlProcess> => {
    const control = controlProcess({ ...kit.parts, owner: `worker-${++generation}` }, { ...(faults ? { faults } : {}), onHouse: (house) => (nova = house) })
    return control
  }
  // A dead worker's flows are taken over soon.
  if (options.lease !== undefined) Object.assign(kit.parts, { lease: options.lease })
  let control = await startControl(options.faults)
  await kit.migrate(placement.plate, control.plate)
  await placement.start()
  await control.start()
  const hosts: FakeHost[] = []
  const agent: AgentProcess = agentProcess(kit.parts, 'fake', { onFakeHost: (host) => hosts.push(host) })
  await agent.start()
  const flavors = [
    { id: '1', name: 'm1.tiny', ram: 64, vcpus: 1, disk: 1 },
    { id: '2', name: 'm1.small', ram: 128, vcpus: 2, disk: 2 },
  ]
  const self: NovaKit = {
    kit,
    get nova() {
      return nova
    },
    get control() {
      return control
    },
    neutron, glance, cinder, hosts,
    request: (method, target, more = {}) => kit.request(control.handler, method, target, { as: 'member', ...more }),
    placement: (method, target, body) => kit.request(placement.handler, method, target, { as: 'admin', headers: { 'openstack-api-version': 'placement 1.39' }, ...(body === undefined ? {} : { body }) }),
    async boot(wish = {}, { as = 'member', wait = true, version = '2.90', hints } = {}) {
      const answer = await self.request('POST', '/v2.1/servers', {
        as, headers: at(version), body: { server: { name: 'one', flavorRef: '1', imageRef: IMAGE, networks: [{ uuid: NETWORK }], ...wish }, ...(hints ? { 'os:scheduler_hints': hints } : {}) },
      })
      if (answer.status !== 202) throw new Error(`${answer.status} ${answer.text}`)
      const { id } = answer.json.server as { id: string }
      if (wait) await self.settled(id)
      return id
    },
    act: (id, body, { as = 'member', version = '2.90' } = {}) => self.request('POST', `/v2.1/servers/${id}/action`, { as, headers: at(version), body }),
    show: (id, { as = 'admin', version = '2.96' } = {}) => self.request('GET', `/v2.1/servers/${id}`, { as, headers: at(version) }),
    async settled(id) {
      const abort = AbortSignal.timeout(20_000)
      // No timer of the engine keeps the process alive: without this one the test would end while it waits.
      const alive = setInterval(() => {}, 1_000)
      await nova.engine.idle('server', id, undefined, abort).finally(() => clearInterval(alive))
      const row = await nova.db.query.selectFrom('nova_servers').select(['vm_state', 'task_state']).where('id', '=', id).executeTakeFirstOrThrow()
      const { statusOf } = await import('../core/states.ts')
      return { ...row, status: statusOf(row) }
    },
    async restart(faults) {
      await control.close()
      control = await startControl(faults)
      await control.start()
    },
    async close() {
      await agent.close()
      await control.close()
      await kit.close()
    },
  }
  for (const flavor of flavors) await self.request('POST', '/v2.1/flavors', { as: 'admin', body: { flavor } })
  return self
}

export const at = (version: string): Record<string, string> => ({ 'openstack-api-version': `compute ${version}` })
