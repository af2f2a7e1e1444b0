/** Glance alone, with a Keystone that knows its own door. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import type { VirtualClock } from '#base/clock.ts'
import { withDefaults } from '#base/config.ts'
import type { FlowFaults } from '#base/flow/engine.ts'
import type { HttpHandler } from '#base/http/message.ts'
import type { ControlProcess } from '#stack/house.ts'
import type { RuleDefault } from '#stack/policy/interface.ts'
import { type Answer, type HouseKit, houseKit, type RequestOptions } from '#stack/test/house-kit.ts'
import { glanceConfig, type GlanceConfig } from '../config.ts'
import { controlProcess } from '../processes/control.ts'
import { plate } from '../service.ts'

export const BYTES = { 'content-type': 'application/octet-stream' }
const RAW = { name: 'one', disk_format: 'raw', container_format: 'bare' }

export interface GlanceKit {
  kit: HouseKit<GlanceConfig>
  control: ControlProcess
  ask(method: string, target: string, options?: RequestOptions): Promise<Answer>
  make(fields?: object): Promise<string>
  until(target: string, good: (json: never) => boolean): Promise<Answer>
  close(): Promise<void>
}

const keystone: HttpHandler = async (request) => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(
    request.path === '/v3/services' ? { services: [{ id: 's', type: 'image', name: 'glance', enabled: true }] } : { endpoints: [{ id: 'e', service_id: 's', interface: 'public', region_id: 'RegionOne', url: 'http://127.0.0.1:5000/image' }] },
  ),
})

export async function glanceKit(config: Partial<GlanceConfig> = {}, more: { clock?: VirtualClock; faults?: FlowFaults } = {}): Promise<GlanceKit> {
  const policies = JSON.parse(await readFile(new URL('../contract/policies.json', import.meta.url), 'utf8')) as RuleDefault[]
  const kit = await houseKit({ config: { ...(withDefaults(glanceConfig, {}) as GlanceConfig), ...config }, policies, houses: { keystone }, ...(more.clock ? { clock: more.clock } : {}) })
  await kit.migrate(plate)
  const control = controlProcess({ ...kit.parts, ...(more.faults ? { flowFaults: more.faults } : {}) })
  await control.start()
  const ask: GlanceKit['ask'] = (method, target, options = {}) => kit.request(control.handler, method, target, { as: 'member', ...options })
  return {
    kit,
    control,
    ask,
    async make(fields = {}) {
      const made = await ask('POST', '/v2/images', { body: { ...RAW, ...fields } })
      assert.equal(made.status, 201, made.text)
      return made.json.id as string
    },
    async until(target, good) {
      const end = performance.now() + 60_000
      for (let turn = 0; performance.now() < end; turn++) {
        const answer = await ask('GET', target)
        if (answer.status === 200 && good(answer.json as never)) return answer
        await new Promise<void>((resolve) => (turn < 200 ? setImmediate(resolve) : setTimeout(resolve, 5)))
      }
      throw new Error(`${target} did not come about`)
    },
    async close() {
      await control.close(1000)
      await kit.close()
    },
  }
}
