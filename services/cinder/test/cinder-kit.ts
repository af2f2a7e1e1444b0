/** Cinder alone with its agent over fake backends, and fakes of Glance and Nova, for its tests. */
import { readFile } from 'node:fs/promises'
import type { Clock } from '#base/clock.ts'
import { withDefaults } from '#base/config.ts'
import type { FlowFaults } from '#base/flow/engine.ts'
import type { HttpHandler, HttpRequest, HttpResponse } from '#base/http/message.ts'
import { readBody } from '#base/http/message.ts'
import type { RuleDefault } from '#stack/policy/interface.ts'
import { type Answer, type HouseKit, houseKit, type RequestOptions } from '#stack/test/house-kit.ts'
import { cinderConfig, type CinderConfig } from '../config.ts'
import { type FakeVolumeBackend, fakeVolumeBackend } from '../drivers/fake/backend.ts'
import { agentProcess } from '../processes/agent.ts'
import { controlProcess } from '../processes/control.ts'
import { plate } from '../service.ts'

export interface CinderKit {
  kit: HouseKit<CinderConfig>
  handler: HttpHandler
  backends: { one: FakeVolumeBackend; two: FakeVolumeBackend }
  /** Images by id, as the fake Glance has them. */
  images: Map<string, { image: Record<string, unknown>; data: Buffer }>
  /** Servers by id, and the volumes that they use. */
  servers: Map<string, string[]>
  /** External events that Nova was sent. */
  events: unknown[]
  ask(method: string, target: string, options?: RequestOptions): Promise<Answer>
  /** Asks until the resource has the status, or is gone (`404`). */
  until(target: string, status: string, options?: RequestOptions): Promise<Answer>
  close(): Promise<void>
}

export async function cinderKit(config: Partial<CinderConfig> = {}, more: { clock?: Clock; faults?: FlowFaults } = {}): Promise<CinderKit> {
  const policies = JSON.parse(await readFile(new URL('../contract/policies.json', import.meta.url), 'utf8')) as RuleDefault[]
  const images: CinderKit['images'] = new Map()
  const servers: CinderKit['servers'] = new Map()
  const events: unknown[] = []
  const kit: HouseKit<CinderConfig> = await houseKit({
    config: { ...(withDefaults(cinderConfig, {}) as CinderConfig), backends: [{ name: 'one', driver: 'fake' }, { name: 'two', driver: 'fake' }], ...config },
    policies,
    ...(more.clock ? { clock: more.clock } : {}),
    houses: { glance: fakeGlance(images, () => kit.world.random.uuid()), nova: fakeNova(servers, events) },
  })
  await kit.migrate(plate)
  const control = controlProcess({ ...kit.parts, ...(more.faults ? { flowFaults: more.faults } : {}) })
  await control.start()
  const backends = { one: fakeVolumeBackend({ pool_name: 'one' }), two: fakeVolumeBackend({ pool_name: 'two', total_gb: 5000 }) }
  const agent = agentProcess(kit.parts, 'fake', backends)
  await agent.start()
  const ask: CinderKit['ask'] = (method, target, options = {}) => kit.request(control.handler, method, target, { as: 'member', ...options, headers: { 'openstack-api-version': 'volume 3.71', ...options.headers } })
  return {
    kit,
    handler: control.handler,
    backends,
    images,
    servers,
    events,
    ask,
    async until(target, status, options) {
      // Most comes at once; what files are written for takes its time on a busy machine.
      const end = performance.now() + 60_000
      for (let turn = 0; ; turn++) {
        const answer = await ask('GET', target, options)
        if (answer.status === 404 && status === '404') return answer
        const [one] = Object.values((answer.json ?? {}) as Record<string, { status?: string }>)
        if (answer.status === 200 && one?.status === status) return answer
        if (performance.now() > end) throw new Error(`${target} did not become ${status}: ${answer.status} ${answer.text}`)
        await new Promise<void>((resolve) => (turn < 200 ? setImmediate(resolve) : setTimeout(resolve, 5)))
      }
    },
    async close() {
      await agent.close()
      await control.close(1000)
      await kit.close()
    },
  }
}

const json = (status: number, body: unknown): HttpResponse => ({ status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

function fakeGlance(images: CinderKit['images'], makeId: () => string): HttpHandler {
  return async (request: HttpRequest) => {
    const [, id, file] = /^\/v2\/images(?:\/([^/]+))?(\/file)?$/.exec(request.path) ?? []
    const bytes = await readBody(request.body, 2 ** 30)
    if (id === undefined) {
      const made = { id: makeId(), status: 'queued', min_disk: 0, min_ram: 0, size: null, virtual_size: null, ...(JSON.parse(bytes!.toString()) as object) }
      images.set(made.id, { image: made, data: Buffer.alloc(0) })
      return json(201, made)
    }
    const found = images.get(id)
    if (!found) return json(404, { message: 'No image found' })
    if (request.method === 'DELETE') {
      images.delete(id)
      return { status: 204, headers: {} }
    }
    if (!file) return json(200, found.image)
    if (request.method === 'GET') return { status: 200, headers: {}, body: found.data }
    Object.assign(found.image, { status: 'active', size: bytes!.length })
    found.data = bytes!
    return { status: 204, headers: {} }
  }
}

function fakeNova(servers: CinderKit['servers'], events: unknown[]): HttpHandler {
  return async (request) => {
    if (request.path === '/v2.1/os-server-external-events') {
      const sent = (JSON.parse((await readBody(request.body, 2 ** 20))!.toString()) as { events: unknown[] }).events
      events.push(...sent)
      return json(200, { events: sent })
    }
    const volumes = servers.get(request.path.split('/').at(-1)!)
    if (!volumes) return json(404, { itemNotFound: { code: 404, message: 'Instance could not be found.' } })
    return json(200, { server: { id: 'x', 'os-extended-volumes:volumes_attached': volumes.map((id) => ({ id, delete_on_termination: false })) } })
  }
}
