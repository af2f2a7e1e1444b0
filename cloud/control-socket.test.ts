/** What `ondol operations` and `ondol status` ask, over the socket that they ask it through. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { FlowView } from '#base/flow/definition.ts'
import { type FlowRow, type FlowTables, insertFlow } from '#base/flow/journal.ts'
import type { Outcome } from '#base/flow/oversight.ts'
import { remoteHandler } from '#base/http/client.ts'
import { readBody } from '#base/http/message.ts'
import { realClock } from '#base/clock.ts'
import { noTrace } from '#base/trace.ts'
import { controlSocket } from './control-socket.ts'
import { type Cloud, startCloud } from './start-cloud.ts'
import type { Degraded } from './status.ts'

let dir: string
let cloud: Cloud
let stop: () => Promise<void>
let ask: (method: string, path: string, query?: Record<string, string>) => Promise<{ status: number; text: string; json: any }>

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ondol-control-'))
  cloud = await startCloud({ port: null })
  const socket = await controlSocket(join(dir, 'control.sock'), { cloud, machine: { url: cloud.url, world: cloud.world, agents: [] }, trace: noTrace, traceDir: dir, drivers: { kind: 'fake', why: [], host: 'here' } as never, startedAt: realClock.now(), startMs: 1, stop: () => {} })
  const handler = remoteHandler(`unix:${join(dir, 'control.sock')}`)
  ask = async (method, path, query = {}) => {
    const answer = await handler({ method, path, query: new URLSearchParams(query).toString(), headers: {}, body: undefined, origin: '', remote: '' })
    const text = (await readBody(answer.body, 2 ** 20))!.toString()
    return { status: answer.status, text, json: text.startsWith('{') ? JSON.parse(text) : undefined }
  }
  stop = async () => {
    handler.close()
    await socket.close()
  }
})
after(async () => {
  await stop()
  await cloud.close()
  await rm(dir, { recursive: true, force: true })
})

/** A row of a house that is not here, so that no worker takes it. */
async function row(patch: Partial<FlowRow> = {}): Promise<FlowRow> {
  const id = cloud.world.random.uuid()
  const now = cloud.world.clock.now()
  const made: FlowRow = { id, house: 'elsewhere', name: 'create-thing', state: 'running', step: 'paint', resource_kind: 'thing', resource_id: cloud.world.random.uuid(), project_id: null, request_id: `req-${id}`, params: '{}', scope: '{}', journal: '[]', owner: 'a-worker', lease_until: now + 10_000, epoch: 1, cancel: 0, error: null, attempts: 1, created_at: now, deadline_at: now + 60_000, updated_at: now, ...patch }
  await insertFlow(cloud.db.as<FlowTables>(), made)
  return made
}
const stored = async (id: string): Promise<FlowRow> => cloud.db.as<FlowTables>().query.selectFrom('flows').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
const verb = async (name: string, of: string): Promise<Outcome[]> => (await ask('POST', '/operations', { verb: name, of })).json.outcomes as Outcome[]

test('lists what is under way with step, owner, age, deadline and request', async () => {
  const live = await row()
  const over = await row({ state: 'failed', owner: null })
  const { flows } = (await ask('GET', '/operations')).json as { flows: FlowView[] }
  const found = flows.find(({ id }) => id === live.id)!
  for (const key of ['step', 'owner', 'created_at', 'deadline_at', 'request_id', 'resource_id'] as const) assert.equal(found[key], live[key], key)
  assert.equal(flows.some(({ id }) => id === over.id), false)
  assert.ok(((await ask('GET', '/operations', { all: '1' })).json.flows as FlowView[]).some(({ id }) => id === over.id))
})

for (const by of ['id', 'resource_id', 'request_id'] as const) {
  test(`cancels by ${by}; a second time says that it was done`, async () => {
    const live = await row()
    assert.deepEqual((await verb('cancel', live[by])).map((one) => [one.id, one.done]), [[live.id, true]])
    assert.equal((await stored(live.id)).cancel, 1)
    const [again] = await verb('cancel', live[by])
    assert.equal(again!.done, false)
    assert.match(again!.message, /already/)
  })
}

test('takes over: the owner is fenced off and nobody holds it', async () => {
  const live = await row()
  assert.equal((await verb('take-over', live.id))[0]!.done, true)
  const now = await stored(live.id)
  assert.deepEqual([now.owner, now.lease_until, now.epoch, now.state], [null, 0, 2, 'running'])
  assert.equal((await verb('take-over', live.id))[0]!.done, false)
})

test('retries with a new deadline; of what has failed only a deletion begins again', async () => {
  const late = await row({ created_at: 1_000, deadline_at: 61_000 })
  assert.equal((await verb('retry', late.id))[0]!.done, true)
  assert.ok((await stored(late.id)).deadline_at > cloud.world.clock.now())
  const failed = await row({ state: 'failed', owner: null })
  const [answer] = await verb('retry', failed.id)
  assert.deepEqual([answer!.done, /API/.test(answer!.message)], [false, true])
  const undeleted = await row({ name: 'delete-thing', state: 'failed', owner: null, error: '{"kind":"internal","message":"broken"}' })
  assert.equal((await verb('retry', undeleted.resource_id))[0]!.done, true)
  // It is under way now: asking again finds that one, and it may be tried anew too.
  const [second] = await verb('retry', undeleted.resource_id)
  assert.notEqual(second!.id, undeleted.id)
})

test('every verb is legal in every state, and says something', async () => {
  for (const state of ['queued', 'running', 'unwinding', 'done', 'failed', 'cancelled'] as const) {
    for (const name of ['cancel', 'take-over', 'retry']) {
      const one = await row({ state, ...(state === 'queued' ? { owner: null } : {}) })
      const [answer] = await verb(name, one.id)
      assert.ok(answer!.message.length > 10, `${name} of ${state}`)
    }
  }
  assert.deepEqual(await verb('cancel', 'unknown'), [])
  assert.equal((await ask('POST', '/operations', { verb: 'explode', of: 'x' })).status, 400)
  assert.equal((await ask('POST', '/operations', { verb: 'cancel' })).status, 400)
})

test('status says nothing of a cloud that is well, and what to do about one that is not', async () => {
  await cloud.db.as<FlowTables>().query.deleteFrom('flows').where('house', '=', 'elsewhere').execute()
  const degraded = async (): Promise<Degraded[]> => (await ask('GET', '/status')).json.degraded as Degraded[]
  assert.deepEqual(await degraded(), [])
  const late = await row({ deadline_at: cloud.world.clock.now() - 60_000 })
  const hosts = cloud.db.as<{ nova_services: { host: string; binary: string; last_seen_at: number } }>()
  await hosts.query.updateTable('nova_services').set({ last_seen_at: 0 }).where('binary', '=', 'nova-compute').execute()
  const told = await degraded()
  assert.ok(told.some(({ what, todo }) => what.includes(late.resource_id) && todo.includes(`operations retry ${late.id}`)), JSON.stringify(told))
  assert.ok(told.some(({ what, todo }) => /nova-compute on .* gives no sign/.test(what) && todo.includes('ondol up')), JSON.stringify(told))
})
