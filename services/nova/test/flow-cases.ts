/** How each flow of Nova is broken, and what must be found then, beside what holds for every server at rest (`flow-audit.ts`). */
import assert from 'node:assert/strict'
import { VirtualClock } from '#base/clock.ts'
import type { FlowFaults } from '#base/flow/engine.ts'
import { type FlowTables, listFlows } from '#base/flow/journal.ts'
import type { FlowCase, Trial } from '#base/flow/kit.ts'
import type { NovaConfig } from '../config.ts'
import { auditServer } from './flow-audit.ts'
import { at, IMAGE, NETWORK, novaKit, type NovaKit } from './kit.ts'

interface Scene {
  k: NovaKit
  clock: VirtualClock
  /** The server. */
  id: string
  made: Record<string, string>
}

interface Case {
  flow: string
  when?: string
  hosts?: number
  config?: Partial<NovaConfig>
  /** What is there before. Default: one server with a volume. */
  prepare?(scene: Scene): Promise<void>
  act(scene: Scene): Promise<void>
  /** vm_state after a failure at the step, which may have been done by one who died. */
  failed: string | ((step: string, died: boolean) => string)
  /** vm_state when it went well. */
  finished: string
  /** More that must hold. `broken` is the step that failed. */
  also?(scene: Scene, broken: string | undefined): Promise<void>
}

const DATA = '33333333-3333-4333-8333-333333333333'
const MORE = '44444444-4444-4444-8444-444444444444'
const PORT = '55555555-5555-4555-8555-555555555555'

/** Lets everything that is under way come to its end. */
async function rest({ k, clock }: Scene): Promise<void> {
  const live = () => listFlows(k.kit.db.as<FlowTables>(), { live: true, limit: 10 })
  for (let turn = 0; turn < 4_000 && (await live()).length > 0; turn++) await clock.advance(500)
  assert.deepEqual(await live(), [], 'an operation never ended')
}

/** Some answers come only when the work is done. */
async function during({ clock }: Scene, work: Promise<void>): Promise<void> {
  let done = false
  const ended = work.finally(() => (done = true))
  ended.catch(() => {})
  for (let turn = 0; turn < 4_000 && !done; turn++) await clock.advance(100)
  assert.ok(done, 'an answer never came')
  await ended
}

const good = ({ status, text }: { status: number; text: string }): void => assert.ok(status < 300, `${status} ${text}`)
const act = async (scene: Scene, body: object, options?: { as?: string; version?: string }): Promise<void> => good(await scene.k.act(scene.id, body, options))
const row = ({ k, id }: Scene) => k.nova.db.query.selectFrom('nova_servers').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
const hostOf = async (scene: Scene) => {
  const { host_id } = await row(scene)
  return scene.k.hosts.find((host) => host.host_id === host_id)!
}
const rootDisk = async (scene: Scene): Promise<string | undefined> => (await hostOf(scene)).guests.get(scene.id)?.disks.get('root')?.content

async function boot(scene: Scene, wish: object = {}): Promise<void> {
  scene.id = await scene.k.boot({ ...wish }, { wait: false })
  await rest(scene)
  // What a user would miss.
  const host = await hostOf(scene)
  host.guestWrites(scene.id, 'root', 'precious')
}

async function bootWithVolume(scene: Scene): Promise<void> {
  await boot(scene)
  await attach(scene, DATA)
}

async function attach(scene: Scene, volumeId: string): Promise<void> {
  scene.k.cinder.volume(volumeId)
  good(await scene.k.request('POST', `/v2.1/servers/${scene.id}/os-volume_attachments`, { headers: at('2.90'), body: { volumeAttachment: { volumeId } } }))
  await rest(scene)
}

const after = (...steps: ((scene: Scene) => Promise<unknown>)[]) => async (scene: Scene): Promise<void> => {
  await bootWithVolume(scene)
  for (const step of steps) {
    await during(scene, step(scene).then(() => {}))
    await rest(scene)
  }
}

const remove = async ({ k, id }: Scene): Promise<void> => good(await k.request('DELETE', `/v2.1/servers/${id}`))
const resize = (scene: Scene) => act(scene, { resize: { flavorRef: '2' } })
const migrate = (scene: Scene) => act(scene, { migrate: null }, { as: 'admin' })
const stop = (scene: Scene) => act(scene, { 'os-stop': null })
const offload = (scene: Scene) => act(scene, { shelveOffload: null }, { as: 'admin' })
const shelve = (scene: Scene) => act(scene, { shelve: null })

/** The host of the server counts as down; what it does then is its agent's affair. */
async function fence(scene: Scene): Promise<void> {
  const { host } = await row(scene)
  const services = (await scene.k.request('GET', '/v2.1/os-services?binary=nova-compute', { as: 'admin', headers: at('2.53') })).json.services as { id: string; host: string }[]
  good(await scene.k.request('PUT', `/v2.1/os-services/${services.find((one) => one.host === host)!.id}`, { as: 'admin', headers: at('2.53'), body: { forced_down: true } }))
  scene.k.nova.hosts.forget()
}

const keepsItsDisk = async (scene: Scene): Promise<void> => assert.match((await rootDisk(scene)) ?? 'no disk', /precious/)

/** Whatever failed may be asked for again, and then goes through. */
const again = (ask: (scene: Scene) => Promise<unknown>, vm_state: string) => async (scene: Scene, broken: string | undefined): Promise<void> => {
  if (broken === undefined) return
  await during(scene, ask(scene).then(() => {}))
  await rest(scene)
  assert.equal((await row(scene)).vm_state, vm_state, 'asked again')
  assert.deepEqual(await auditServer(scene.k, scene.id), [], 'asked again')
}
const both = (...checks: NonNullable<Case['also']>[]) => async (scene: Scene, broken: string | undefined): Promise<void> => {
  for (const check of checks) await check(scene, broken)
}

const cases: Case[] = [
  {
    flow: 'create-server',
    prepare: async ({ k }) => void k.cinder.volume(DATA),
    act: async (scene) => void (scene.id = await scene.k.boot({ block_device_mapping_v2: [{ boot_index: 0, uuid: IMAGE, source_type: 'image', destination_type: 'local' }, { boot_index: -1, uuid: DATA, source_type: 'volume', destination_type: 'volume' }] }, { wait: false })),
    failed: 'error',
    finished: 'active',
    also: again(remove, 'deleted'),
  },
  {
    flow: 'unhold-volumes',
    // The server cannot be built, and the volume's host does not answer then.
    prepare: async ({ k }) => {
      k.cinder.volume(DATA)
      for (const host of k.hosts) host.fail('ensureGuest', { kind: 'invalid' })
      k.cinder.failures.set('DELETE /v3/attachments/{id}', 3)
    },
    act: async (scene) => {
      scene.id = await scene.k.boot({ block_device_mapping_v2: [{ boot_index: 0, uuid: IMAGE, source_type: 'image', destination_type: 'local' }, { boot_index: -1, uuid: DATA, source_type: 'volume', destination_type: 'volume' }] }, { wait: false })
      await rest(scene)
    },
    failed: 'error',
    finished: 'error',
    also: async ({ k }) => assert.equal(k.cinder.volumes.get(DATA)!.status, 'available'),
  },
  { flow: 'delete-server', act: remove, failed: 'error', finished: 'deleted', also: again(remove, 'deleted') },
  { flow: 'delete-server', when: 'of a resized server', prepare: after(resize), act: remove, failed: 'error', finished: 'deleted', also: again(remove, 'deleted') },
  { flow: 'delete-server', when: 'of a shelved server', prepare: after(shelve), act: remove, failed: 'error', finished: 'deleted', also: again(remove, 'deleted') },
  { flow: 'soft-delete-server', config: { reclaim_instance_interval: 3_600 }, act: remove, failed: 'error', finished: 'soft-delete', also: both(keepsItsDisk, again(remove, 'deleted')) },
  { flow: 'restore-server', config: { reclaim_instance_interval: 3_600 }, prepare: after(remove), act: (scene) => act(scene, { restore: null }), failed: 'soft-delete', finished: 'active', also: both(keepsItsDisk, again((scene) => act(scene, { restore: null }), 'active')) },
  {
    flow: 'act-on-server',
    act: async (scene) => {
      await stop(scene)
      await rest(scene)
      // What the host sees becomes the state, once a minute.
      await scene.clock.advance(130_000)
    },
    failed: (step, died) => (step === 'settle' || died ? 'stopped' : 'active'),
    finished: 'stopped',
  },
  { flow: 'act-on-server', when: 'unrescue', prepare: after((scene) => act(scene, { rescue: null })), act: (scene) => act(scene, { unrescue: null }), failed: 'rescued', finished: 'active', also: both(keepsItsDisk, again((scene) => act(scene, { unrescue: null }), 'active')) },
  { flow: 'rescue-server', act: (scene) => act(scene, { rescue: null }), failed: 'error', finished: 'rescued', also: both(keepsItsDisk, again((scene) => act(scene, { rescue: null }), 'rescued')) },
  { flow: 'rebuild-server', act: (scene) => act(scene, { rebuild: { imageRef: IMAGE } }), failed: 'error', finished: 'active', also: again((scene) => act(scene, { rebuild: { imageRef: IMAGE } }), 'active') },
  { flow: 'resize-server', act: resize, failed: 'active', finished: 'resized', also: again(resize, 'resized') },
  { flow: 'resize-server', when: 'cold migration', act: migrate, failed: 'active', finished: 'resized', also: again(migrate, 'resized') },
  { flow: 'confirm-resize', prepare: after(migrate), act: (scene) => act(scene, { confirmResize: null }), failed: 'resized', finished: 'active', also: again((scene) => act(scene, { confirmResize: null }), 'active') },
  { flow: 'revert-resize', prepare: after(migrate), act: (scene) => act(scene, { revertResize: null }), failed: 'resized', finished: 'active', also: both(again((scene) => act(scene, { revertResize: null }), 'active'), keepsItsDisk) },
  { flow: 'resize-server', when: 'on the same host', hosts: 1, act: resize, failed: 'active', finished: 'resized', also: both(keepsItsDisk, again(resize, 'resized')) },
  { flow: 'confirm-resize', when: 'on the same host', hosts: 1, prepare: after(resize), act: (scene) => act(scene, { confirmResize: null }), failed: 'resized', finished: 'active', also: both(keepsItsDisk, again((scene) => act(scene, { confirmResize: null }), 'active')) },
  { flow: 'revert-resize', when: 'on the same host', hosts: 1, prepare: after(resize), act: (scene) => act(scene, { revertResize: null }), failed: 'resized', finished: 'active', also: both(again((scene) => act(scene, { revertResize: null }), 'active'), keepsItsDisk) },
  {
    flow: 'live-migrate-server',
    act: (scene) => act(scene, { 'os-migrateLive': { host: null, block_migration: 'auto' } }, { as: 'admin' }),
    failed: 'active',
    finished: 'active',
    also: both(keepsItsDisk, again((scene) => act(scene, { 'os-migrateLive': { host: null, block_migration: 'auto' } }, { as: 'admin' }), 'active')),
  },
  {
    flow: 'evacuate-server',
    prepare: after(fence),
    act: async (scene) => {
      await act(scene, { evacuate: {} }, { as: 'admin', version: '2.90' })
      await rest(scene)
      // The agent of the old host is there after all, and looks once a minute what it is to end.
      await scene.clock.advance(130_000)
    },
    failed: 'error',
    finished: 'active',
  },
  {
    flow: 'snapshot-server',
    act: (scene) => act(scene, { createImage: { name: 'shot' } }),
    failed: 'active',
    finished: 'active',
    also: async ({ k }, broken) => assert.equal([...k.glance.images.values()].filter((image) => image.name === 'shot').length, broken === undefined ? 1 : 0),
  },
  {
    flow: 'snapshot-server',
    when: 'a backup with rotation',
    prepare: after((scene) => act(scene, { createBackup: { name: 'old', backup_type: 'daily', rotation: 1 } })),
    act: async (scene) => {
      await scene.clock.advance(60_000)
      await act(scene, { createBackup: { name: 'new', backup_type: 'daily', rotation: 1 } })
    },
    failed: 'active',
    finished: 'active',
    also: async ({ k }, broken) => {
      const names = [...k.glance.images.values()].map((image) => image.name).filter((name) => name === 'old' || name === 'new')
      if (broken === undefined) assert.deepEqual(names, ['new'])
      else assert.ok(names.length === 1, `there are the backups ${names.join(', ')}`)
    },
  },
  { flow: 'shelve-server', act: shelve, failed: (step, died) => (step === 'offload' || (step === 'shelved' && died) ? 'shelved' : 'active'), finished: 'shelved_offloaded', also: shelvedOrWhole },
  { flow: 'shelve-server', when: 'that stays on its host', config: { shelved_offload_time: -1 }, act: shelve, failed: 'active', finished: 'shelved', also: shelvedOrWhole },
  { flow: 'offload-server', config: { shelved_offload_time: -1 }, prepare: after(shelve), act: offload, failed: 'shelved', finished: 'shelved_offloaded', also: shelvedOrWhole },
  { flow: 'unshelve-server', prepare: after(shelve), act: (scene) => act(scene, { unshelve: null }), failed: 'shelved_offloaded', finished: 'active', also: again((scene) => act(scene, { unshelve: null }), 'active') },
  { flow: 'unshelve-server', when: 'on its host', config: { shelved_offload_time: -1 }, prepare: after(shelve), act: (scene) => act(scene, { unshelve: null }), failed: 'shelved', finished: 'active', also: both(again((scene) => act(scene, { unshelve: null }), 'active'), keepsItsDisk) },
  { flow: 'drop-image', prepare: after(shelve), act: (scene) => act(scene, { unshelve: null }), failed: 'active', finished: 'active' },
  {
    flow: 'attach-volume',
    prepare: after(async ({ k }) => void k.cinder.volume(MORE)),
    act: async ({ k, id }) => good(await k.request('POST', `/v2.1/servers/${id}/os-volume_attachments`, { body: { volumeAttachment: { volumeId: MORE } } })),
    failed: 'active',
    finished: 'active',
    also: async ({ k }, broken) => assert.equal(k.cinder.volumes.get(MORE)!.status, broken === undefined ? 'in-use' : 'available'),
  },
  {
    flow: 'detach-volume',
    act: detachVolume,
    failed: 'active',
    finished: 'active',
    also: both(again(detachVolume, 'active'), async ({ k }) => assert.equal(k.cinder.volumes.get(DATA)!.status, 'available')),
  },
  {
    flow: 'attach-interface',
    act: async ({ k, id }) => void (await k.request('POST', `/v2.1/servers/${id}/os-interface`, { body: { interfaceAttachment: { net_id: NETWORK } } })),
    failed: 'active',
    finished: 'active',
    also: async ({ k }, broken) => assert.equal(k.neutron.ports.size, broken === undefined ? 2 : 1),
  },
  {
    flow: 'attach-interface',
    when: "of the user's own port",
    async prepare(scene) {
      await bootWithVolume(scene)
      scene.k.neutron.ports.set(PORT, { id: PORT, network_id: NETWORK, device_id: '', device_owner: '', mac_address: 'fa:16:3e:00:00:01', fixed_ips: [{ subnet_id: `subnet-of-${NETWORK}`, ip_address: '10.0.0.77' }], project_id: 'project-a', status: 'DOWN', admin_state_up: true, security_groups: [], resource_request: null, 'binding:vif_type': 'unbound', 'binding:vif_details': {} })
    },
    act: async ({ k, id }) => void (await k.request('POST', `/v2.1/servers/${id}/os-interface`, { body: { interfaceAttachment: { port_id: PORT } } })),
    failed: 'active',
    finished: 'active',
    also: async ({ k, id }, broken) => assert.equal(k.neutron.ports.get(PORT)?.device_id, broken === undefined ? id : ''),
  },
  { flow: 'detach-interface', act: detachInterface, failed: 'active', finished: 'active', also: both(again(detachInterface, 'active'), async ({ k }) => assert.equal(k.neutron.ports.size, 0)) },
  {
    flow: 'cache-images',
    async act({ k }) {
      const { aggregate } = (await k.request('POST', '/v2.1/os-aggregates', { as: 'admin', headers: at('2.81'), body: { aggregate: { name: 'a' } } })).json as { aggregate: { id: number } }
      for (const host of k.hosts) good(await k.request('POST', `/v2.1/os-aggregates/${aggregate.id}/action`, { as: 'admin', headers: at('2.81'), body: { add_host: { host: host.hostname } } }))
      for (const host of k.hosts) host.images.clear()
      good(await k.request('POST', `/v2.1/os-aggregates/${aggregate.id}/images`, { as: 'admin', headers: at('2.81'), body: { cache: [{ id: IMAGE }] } }))
    },
    failed: 'active',
    finished: 'active',
    also: async ({ k }, broken) => {
      if (broken === undefined) assert.ok(k.hosts.every((host) => host.images.has(IMAGE)))
    },
  },
]

async function detachVolume({ k, id }: Scene): Promise<void> {
  const answer = await k.request('DELETE', `/v2.1/servers/${id}/os-volume_attachments/${DATA}`)
  // Where only the last words were missing it is done already.
  assert.ok(answer.status < 300 || answer.status === 404, answer.text)
}

async function detachInterface(scene: Scene): Promise<void> {
  const { network_info } = await row(scene)
  const [nic] = JSON.parse(network_info) as { port_id: string }[]
  if (nic) good(await scene.k.request('DELETE', `/v2.1/servers/${scene.id}/os-interface/${nic.port_id}`))
}

/** A shelved server comes back with what it had; one that could not be shelved has it still. */
async function shelvedOrWhole(scene: Scene): Promise<void> {
  const { vm_state } = await row(scene)
  if (vm_state === 'active') return keepsItsDisk(scene)
  const { shelved_image_id } = JSON.parse((await row(scene)).private) as { shelved_image_id?: string }
  assert.equal(scene.k.glance.images.get(shelved_image_id ?? '')?.status, 'active', 'the image of the shelved server')
  await act(scene, { unshelve: null })
  await rest(scene)
  if ((await row(scene)).vm_state === 'active') return assert.deepEqual(await auditServer(scene.k, scene.id), [], 'unshelved')
  // Half off its host: that is brought to its end first.
  await offload(scene)
  await rest(scene)
  await act(scene, { unshelve: null })
  await rest(scene)
  assert.equal((await row(scene)).vm_state, 'active')
  assert.deepEqual(await auditServer(scene.k, scene.id), [], 'unshelved')
}

type NovaTrial = Trial & { scene: Scene }

async function check(one: Case, trial: Trial, broken: string | undefined, died = false): Promise<void> {
  const { scene } = trial as NovaTrial
  const wanted = broken === undefined ? one.finished : typeof one.failed === 'string' ? one.failed : one.failed(broken, died)
  assert.equal((await row(scene)).vm_state, wanted)
  assert.deepEqual(await auditServer(scene.k, scene.id), [])
  await one.also?.(scene, broken)
}

export const flowCases: FlowCase[] = cases.map((one) => ({
  flow: one.flow,
  ...(one.when === undefined ? {} : { when: one.when }),
  async make(): Promise<NovaTrial> {
    let faults: FlowFaults = {}
    const clock = new VirtualClock()
    const k = await novaKit({ hosts: one.hosts ?? 3, clock, lease: 2_000, config: { agent_wait: 1_000, ...one.config }, faults: { before: (flow, step) => faults.before?.(flow, step), after: (flow, step) => faults.after?.(flow, step) } })
    const scene: Scene = { k, clock, id: '', made: {} }
    await (one.prepare ?? bootWithVolume)(scene)
    return {
      scene,
      async run(given) {
        faults = given
        await during(scene, one.act(scene))
        await rest(scene)
        faults = {}
      },
      async close() {
        let closed = false
        const closing = k.close().finally(() => (closed = true))
        while (!closed) await clock.advance(1_000)
        await closing
      },
    }
  },
  failed: (trial, step, died) => check(one, trial, step, died),
  finished: (trial) => check(one, trial, undefined),
}))
