/** What Nova does by the clock, under a virtual one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '#base/clock.ts'
import { type FlowTables, listFlows } from '#base/flow/journal.ts'
import type { NovaConfig } from '../config.ts'
import { auditServer } from './flow-audit.ts'
import { at, novaKit, type NovaKit } from './kit.ts'

const MINUTE = 60_000
const VOLUME = '33333333-3333-4333-8333-333333333333'

interface Scene {
  k: NovaKit
  clock: VirtualClock
  id: string
  /** An action, to its end. */
  act(body: object, as?: string): Promise<void>
  state(): Promise<string>
}

async function withServer(config: Partial<NovaConfig>, work: (scene: Scene) => Promise<void>): Promise<void> {
  const clock = new VirtualClock()
  // Whole hours pass: whoever looks every few seconds looks seldom.
  const k = await novaKit({ hosts: 2, clock, config: { report_interval: MINUTE, service_down_time: 5 * MINUTE, sync_power_interval: 10 * MINUTE, ...config } })
  const row = () => k.nova.db.query.selectFrom('nova_servers').select('vm_state').where('id', '=', scene.id).executeTakeFirstOrThrow()
  const rest = async (): Promise<void> => {
    for (let turn = 0; turn < 1_000 && (await listFlows(k.kit.db.as<FlowTables>(), { live: true, limit: 1 })).length > 0; turn++) await clock.advance(100)
  }
  const scene: Scene = {
    k, clock, id: '',
    async act(body, as = 'member') {
      const answer = await k.act(scene.id, body, { as })
      assert.ok(answer.status < 300, answer.text)
      await rest()
    },
    state: async () => (await row()).vm_state,
  }
  try {
    scene.id = await k.boot({}, { wait: false })
    await rest()
    await work(scene)
    await rest()
    assert.deepEqual(await auditServer(k, scene.id), [])
  } finally {
    let closed = false
    const closing = k.close().finally(() => (closed = true))
    while (!closed) await clock.advance(1_000)
    await closing
  }
}

test('resize_confirm_window: a resize that nobody confirms is confirmed', () =>
  withServer({ resize_confirm_window: 600 }, async ({ clock, act, state }) => {
    await act({ resize: { flavorRef: '2' } })
    await clock.advance(8 * MINUTE)
    assert.equal(await state(), 'resized')
    await clock.advance(5 * MINUTE)
    assert.equal(await state(), 'active')
  }))

test('without a window a resize waits', () =>
  withServer({}, async ({ clock, act, state }) => {
    await act({ resize: { flavorRef: '2' } })
    await clock.advance(30 * MINUTE)
    assert.equal(await state(), 'resized')
  }))

test('shelved_offload_time: a shelved server leaves its host when its time is over, and never with -1', async () => {
  await withServer({ shelved_offload_time: 600 }, async ({ clock, act, state }) => {
    await act({ shelve: null })
    await clock.advance(8 * MINUTE)
    assert.equal(await state(), 'shelved')
    await clock.advance(5 * MINUTE)
    assert.equal(await state(), 'shelved_offloaded')
  })
  await withServer({ shelved_offload_time: -1 }, async ({ clock, act, state }) => {
    await act({ shelve: null })
    await clock.advance(30 * MINUTE)
    assert.equal(await state(), 'shelved')
  })
})

test('a server that could not leave its host when it was shelved leaves it later', () =>
  withServer({ action_deadline: MINUTE }, async ({ k, clock, act, state }) => {
    for (const host of k.hosts) host.fail('ensureNoGuest', { times: 1_000 })
    await act({ shelve: null })
    assert.equal(await state(), 'shelved')
    for (const host of k.hosts) host.fail('ensureNoGuest', { times: 1 })
    await clock.advance(10 * MINUTE)
    assert.equal(await state(), 'shelved_offloaded')
  }))

test('a resize whose settling failed is settled by the clock, and not the other way round', async () => {
  for (const [wish, other, verb] of [['confirmResize', 'revertResize', 'confirmResize'], ['revertResize', 'confirmResize', 'revertResize']] as const) {
    await withServer({ action_deadline: MINUTE }, async ({ k, clock, id, act, state }) => {
      await act({ resize: { flavorRef: '2' } })
      // Whichever host it went to: one of the two ways of letting go is asked.
      for (const host of k.hosts) for (const call of [verb, 'ensureNoGuest']) host.fail(call, { times: 1_000 })
      await act({ [wish]: null })
      assert.equal(await state(), 'resized')
      assert.equal((await k.act(id, { [other]: null })).status, 409)
      for (const host of k.hosts) for (const call of [verb, 'ensureNoGuest']) host.fail(call, { times: 1 })
      await clock.advance(10 * MINUTE)
      assert.equal(await state(), 'active')
    })
  }
})

test('reclaim_instance_interval: what was deleted can be restored until its time is over', () =>
  withServer({ reclaim_instance_interval: 600 }, async ({ k, clock, id, act, state }) => {
    const remove = async (): Promise<void> => {
      assert.equal((await k.request('DELETE', `/v2.1/servers/${id}`)).status, 204)
      await clock.advance(MINUTE)
    }
    await remove()
    assert.equal(await state(), 'soft-delete')
    await clock.advance(5 * MINUTE)
    await act({ restore: null })
    assert.equal(await state(), 'active')
    await remove()
    await clock.advance(8 * MINUTE)
    assert.equal(await state(), 'soft-delete')
    await clock.advance(4 * MINUTE)
    assert.equal(await state(), 'deleted')
  }))

test('build_deadline: a build that does not end is in ERROR', () =>
  withServer({ build_deadline: 5 * MINUTE }, async (scene) => {
    const { k, clock } = scene
    for (const host of k.hosts) host.slow('ensureGuest', 60 * MINUTE)
    scene.id = await k.boot({}, { wait: false })
    await clock.advance(4 * MINUTE)
    assert.equal(await scene.state(), 'building')
    await clock.advance(3 * MINUTE)
    assert.equal(await scene.state(), 'error')
  }))

test('a claim that a failed move could not give back is given back by the clock', () =>
  withServer({ action_deadline: MINUTE }, async ({ k, clock, id, act, state }) => {
    const { host_id } = await k.nova.db.query.selectFrom('nova_servers').select('host_id').where('id', '=', id).executeTakeFirstOrThrow()
    for (const host of k.hosts) if (host.host_id !== host_id) host.fail('prepareIncoming', { times: 1_000 })
    await act({ 'os-migrateLive': { host: null, block_migration: 'auto' } }, 'admin')
    assert.equal(await state(), 'active')
    // As if the undoing had been given up after its last try.
    const [claim] = (await k.placement('GET', `/allocations/${id}`)).json.allocations ? [true] : [false]
    assert.ok(claim)
    const [move] = await k.nova.db.query.selectFrom('nova_migrations').select(['uuid', 'status']).where('server_id', '=', id).execute()
    assert.equal(move!.status, 'failed')
    const { allocations } = (await k.placement('GET', `/allocations/${id}`)).json as { allocations: Record<string, { resources: object }> }
    const body = { allocations: { [host_id!]: { resources: allocations[host_id!]!.resources } }, project_id: 'project-a', user_id: 'u', consumer_generation: null, consumer_type: 'MIGRATION' }
    assert.equal((await k.placement('PUT', `/allocations/${move!.uuid}`, body)).status, 204)
    assert.notDeepEqual(await auditServer(k, id), [])
    await clock.advance(5 * MINUTE)
  }))

test('a volume that was held for a server by a process that died is let go', () =>
  withServer({}, async ({ k, clock, id }) => {
    k.cinder.volume(VOLUME)
    const now = clock.now()
    const attachment_id = '99999999-9999-4999-8999-999999999999'
    k.cinder.attachments.set(attachment_id, { id: attachment_id, volume_id: VOLUME, instance: id, status: 'reserved', connection_info: {}, host: '' })
    k.cinder.volumes.get(VOLUME)!.status = 'reserved'
    await k.nova.db.query.insertInto('nova_block_devices').values({
      id: '88888888-8888-4888-8888-888888888888', server_id: id, source_type: 'volume', destination_type: 'volume', device_type: 'disk', disk_bus: null, guest_format: null, boot_index: -1, device_name: '/dev/vdb', image_id: null, snapshot_id: null,
      volume_id: VOLUME, volume_size: 1, volume_type: null, delete_on_termination: 0, attachment_id: null, connection_info: null, tag: null, created_at: now,
    }).execute()
    await clock.advance(8 * MINUTE)
    assert.equal(k.cinder.attachments.size, 1)
    await clock.advance(5 * MINUTE)
    assert.equal(k.cinder.attachments.size, 0)
    const { volumeAttachments } = (await k.request('GET', `/v2.1/servers/${id}/os-volume_attachments`, { headers: at('2.90') })).json as { volumeAttachments: unknown[] }
    assert.deepEqual(volumeAttachments, [])
  }))

test('an image that a request began and did not live to hand over is deleted; one that is written stays', () =>
  withServer({}, async ({ k, clock, id, act }) => {
    await act({ createImage: { name: 'kept' } })
    const [kept] = [...k.glance.images.values()].filter((image) => image.name === 'kept')
    const orphan = k.glance.image('44444444-4444-4444-8444-444444444444', { name: 'orphan', status: 'queued', size: null })
    await k.nova.db.query.insertInto('nova_begun_images').values({ image_id: orphan.id, server_id: id, created_at: clock.now() }).execute()
    const begun = async (): Promise<string[]> => (await k.nova.db.query.selectFrom('nova_begun_images').select('image_id').execute()).map((row) => row.image_id)
    assert.deepEqual((await begun()).sort(), [kept!.id, orphan.id].sort())
    await clock.advance(8 * MINUTE)
    assert.ok(k.glance.images.has(orphan.id), 'a slow request may still come to it')
    await clock.advance(4 * MINUTE)
    assert.deepEqual(await begun(), [])
    assert.equal(k.glance.images.has(orphan.id), false)
    assert.equal(k.glance.images.get(kept!.id)!.status, 'active')
  }))
