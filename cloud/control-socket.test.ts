/** What `ondol status` and `ondol operations` ask of a running cloud. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { FlowView } from '#base/flow/definition.ts'
import type { FlowTables } from '#base/flow/journal.ts'
import type { Listening } from '#base/http/server.ts'
import { ask, placeOf } from './cli/place.ts'
import { controlSocket } from './control-socket.ts'
import { type Cloud, startCloud } from './start-cloud.ts'
import type { Degraded, ServiceStatus } from './status.ts'

let cloud: Cloud
let dir: string
let socket: Listening

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ondol-control-'))
  cloud = await startCloud({ port: null })
  socket = await controlSocket(placeOf(dir).socket, {
    cloud,
    machine: { url: cloud.url, world: cloud.world, agents: [] },
    trace: cloud.world.trace,
    traceDir: dir,
    drivers: { kind: 'fake', why: [], host: 'here' } as never,
    startedAt: cloud.world.clock.now(),
    startMs: 1,
    stop: () => {},
  })
})
after(async () => {
  await socket?.close()
  await cloud?.close()
  await rm(dir, { recursive: true, force: true })
})

const operate = (verb: string, resource: string) => ask(placeOf(dir), 'POST', `/operations/${verb}`, `resource=${resource}`) as Promise<{ live: number; taken: number; restarted: string | null }>
const flows = async (query = 'all=1') => ((await ask(placeOf(dir), 'GET', '/operations', query)) as { flows: FlowView[] }).flows

/** A server of the demo project that is ACTIVE, and how to ask as its user. */
async function server(): Promise<{ id: string; status(): Promise<string> }> {
  const { username, password, project_name } = cloud.credentials.user
  const domain = { name: 'Default' }
  const login = await cloud.fetch('/identity/v3/auth/tokens', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: username, domain, password: password.reveal() } } }, scope: { project: { name: project_name, domain } } } }) })
  const headers = { 'x-auth-token': login.headers.get('x-subject-token')!, 'content-type': 'application/json' }
  const get = async (path: string): Promise<Record<string, never>> => (await (await cloud.fetch(path, { headers })).json()) as Record<string, never>
  const { images } = (await get('/image/v2/images')) as unknown as { images: { id: string }[] }
  const { networks } = (await get('/networking/v2.0/networks?name=private')) as unknown as { networks: { id: string }[] }
  const made = await cloud.fetch('/compute/v2.1/servers', { method: 'POST', headers, body: JSON.stringify({ server: { name: 's', flavorRef: '42', imageRef: images[0]!.id, networks: [{ uuid: networks[0]!.id }] } }) })
  const { id } = ((await made.json()) as { server: { id: string } }).server
  const status = async (): Promise<string> => ((await get(`/compute/v2.1/servers/${id}`)) as unknown as { server: { status: string } }).server.status
  while ((await status()) === 'BUILD') await new Promise((resolve) => setImmediate(resolve))
  return { id, status }
}

test('status names every agent, and nothing is degraded', async () => {
  const status = (await ask(placeOf(dir), 'GET', '/status')) as { services: ServiceStatus[]; degraded: Degraded[] }
  for (const name of ['nova-compute', 'neutron-linuxbridge-agent', 'cinder-volume', 'keystone']) assert.ok(status.services.some((one) => one.name === name && one.state === 'up'), `${name} is not up`)
  assert.deepEqual(status.degraded, [])
})

test('verbs are legal when nothing is to be done, and say so', async () => {
  const { id } = await server()
  for (const verb of ['cancel', 'take-over', 'retry']) for (const resource of [id, 'nothing']) assert.deepEqual(await operate(verb, resource), { live: 0, taken: 0, restarted: null })
})

test('an operation that failed begins anew, and one that somebody has is taken from them', async () => {
  const { id, status } = await server()
  const db = cloud.db.as<FlowTables>()
  const [built] = await db.query.selectFrom('flows').selectAll().where('resource_id', '=', id).execute()
  await db.query.updateTable('flows').set({ state: 'failed' }).where('id', '=', built!.id).execute()
  assert.equal((await operate('retry', id)).restarted, 'create-server')
  const live = (await flows('')).filter((flow) => flow.resource_id === id)
  assert.deepEqual(live.map((flow) => [flow.name, flow.state, flow.owner]), [['create-server', 'queued', null]])
  // As if another process had it: it is taken from it, and what that one still writes is refused.
  await db.query.updateTable('flows').set({ owner: 'elsewhere', lease_until: cloud.world.clock.now() + 3_600_000, state: 'running' }).where('id', '=', live[0]!.id).execute()
  assert.deepEqual(await operate('take-over', id), { live: 1, taken: 1, restarted: null })
  const [taken] = await db.query.selectFrom('flows').selectAll().where('id', '=', live[0]!.id).execute()
  assert.deepEqual([taken!.owner, taken!.lease_until, taken!.epoch], [null, 0, 2])
  assert.deepEqual(await operate('cancel', id), { live: 1, taken: 1, restarted: null })
  // The server was whole all the while: what is done twice does no harm.
  assert.equal(await status(), 'ACTIVE')
})
