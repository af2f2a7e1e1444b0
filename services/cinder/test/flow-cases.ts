/** How each flow of Cinder is broken, and what must be found then. */
import assert from 'node:assert/strict'
import { VirtualClock } from '#base/clock.ts'
import type { FlowFaults } from '#base/flow/engine.ts'
import { type FlowTables, listFlows } from '#base/flow/journal.ts'
import type { FlowCase, Trial } from '#base/flow/kit.ts'
import { type CinderKit, cinderKit } from './cinder-kit.ts'

const IMAGE = '5f1b2c3d-0000-4000-8000-0000000000aa'

interface Scene {
  cinder: CinderKit
  clock: VirtualClock
  /** What `prepare` made, by name. */
  made: Record<string, string>
}

interface Case {
  name: string
  prepare?(scene: Scene): Promise<void>
  act(scene: Scene): Promise<void>
  failed(scene: Scene, step: string, died: boolean): Promise<void>
  finished(scene: Scene): Promise<void>
}

/** Lets everything that is under way come to its end. */
async function rest({ cinder, clock }: Scene): Promise<void> {
  const live = () => listFlows(cinder.kit.db.as<FlowTables>(), { live: true, limit: 10 })
  // Bytes on disk take real time, so many short moments of the virtual one.
  for (let turn = 0; turn < 20_000 && (await live()).length > 0; turn++) await clock.advance(100)
  assert.deepEqual(await live(), [], 'a flow never ended')
}

async function ok(scene: Scene, method: string, path: string, body?: unknown): Promise<Record<string, Record<string, string>>> {
  const answer = await scene.cinder.ask(method, `/v3${path}`, { as: 'admin', ...(body === undefined ? {} : { body }) })
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`)
  return answer.json as Record<string, Record<string, string>>
}

const look = async (scene: Scene, path: string): Promise<Record<string, unknown> | undefined> => {
  const answer = await scene.cinder.ask('GET', `/v3${path}`, { as: 'admin' })
  return answer.status === 404 ? undefined : (Object.values(answer.json as object)[0] as Record<string, unknown>)
}

const disksOf = ({ cinder }: Scene, id: string): string[] => [cinder.backends.one, cinder.backends.two].filter((backend) => backend.volumes.has(id)).map((backend) => backend.pool_name)

async function makeVolume(scene: Scene, fields: object = {}): Promise<string> {
  const { volume } = await ok(scene, 'POST', '/volumes', { volume: { size: 1, ...fields } })
  await rest(scene)
  assert.equal((await look(scene, `/volumes/${volume!.id}`))?.status, 'available')
  return volume!.id!
}

async function makeSnapshot(scene: Scene, volume_id: string): Promise<string> {
  const { snapshot } = await ok(scene, 'POST', '/snapshots', { snapshot: { volume_id } })
  await rest(scene)
  return snapshot!.id!
}

async function makeGroup(scene: Scene): Promise<void> {
  const { group_type } = await ok(scene, 'POST', '/group_types', { group_type: { name: 'g' } })
  const { volume_type } = await ok(scene, 'GET', '/types/default')
  const { group } = await ok(scene, 'POST', '/groups', { group: { name: 'g', group_type: group_type!.id, volume_types: [volume_type!.id] } })
  await rest(scene)
  scene.made.group = group!.id!
  scene.made.volume = await makeVolume(scene, { group_id: group!.id })
}

const act = (scene: Scene, action: string, body: unknown = {}) => ok(scene, 'POST', `/volumes/${scene.made.volume}/action`, { [action]: body })
const volume = (scene: Scene) => look(scene, `/volumes/${scene.made.volume}`)
const withVolume = async (scene: Scene): Promise<void> => void (scene.made.volume = await makeVolume(scene))
const withTwo = async (scene: Scene): Promise<void> => {
  for (const name of ['one', 'two']) await ok(scene, 'POST', '/types', { volume_type: { name, extra_specs: { volume_backend_name: name } } })
  scene.made.volume = await makeVolume(scene, { volume_type: 'one' })
}
const withBackup = async (scene: Scene): Promise<void> => {
  await withVolume(scene)
  const { backup } = await ok(scene, 'POST', '/backups', { backup: { volume_id: scene.made.volume } })
  await rest(scene)
  scene.made.backup = backup!.id!
}
const statuses = async (scene: Scene, ...paths: string[]): Promise<unknown[]> => Promise.all(paths.map(async (path) => (await look(scene, path))?.status))

const cases: Case[] = [
  {
    name: 'create-volume',
    act: async (scene) => void (scene.made.volume = (await ok(scene, 'POST', '/volumes', { volume: { size: 1, imageRef: IMAGE } })).volume!.id!),
    async failed(scene) {
      assert.equal((await volume(scene))?.status, 'error')
      assert.deepEqual(disksOf(scene, scene.made.volume!), [])
      assert.equal(((await look(scene, '/messages')) as unknown as unknown[]).length, 1)
    },
    async finished(scene) {
      assert.equal((await volume(scene))?.status, 'available')
      assert.equal(disksOf(scene, scene.made.volume!).length, 1)
    },
  },
  {
    name: 'delete-volume',
    async prepare(scene) {
      await withVolume(scene)
      scene.made.snapshot = await makeSnapshot(scene, scene.made.volume!)
    },
    act: async (scene) => void (await ok(scene, 'DELETE', `/volumes/${scene.made.volume}?cascade=true`)),
    async failed(scene) {
      assert.equal((await volume(scene))?.status, 'error_deleting')
      await ok(scene, 'DELETE', `/volumes/${scene.made.volume}?cascade=true`)
      await rest(scene)
      await this.finished(scene)
    },
    async finished(scene) {
      assert.equal(await volume(scene), undefined)
      assert.equal(await look(scene, `/snapshots/${scene.made.snapshot}`), undefined)
      assert.deepEqual(disksOf(scene, scene.made.volume!), [])
    },
  },
  {
    name: 'extend-volume',
    prepare: withVolume,
    act: (scene) => act(scene, 'os-extend', { new_size: 3 }).then(() => {}),
    async failed(scene, step) {
      const found = await volume(scene)
      assert.deepEqual([found?.status, found?.size], ['available', step === 'tell nova' || step === 'publish' ? 3 : 1])
    },
    finished: async (scene) => assert.deepEqual([(await volume(scene))?.status, (await volume(scene))?.size], ['available', 3]),
  },
  {
    name: 'create-snapshot',
    prepare: withVolume,
    act: async (scene) => void (scene.made.snapshot = (await ok(scene, 'POST', '/snapshots', { snapshot: { volume_id: scene.made.volume } })).snapshot!.id!),
    async failed(scene) {
      assert.deepEqual(await statuses(scene, `/snapshots/${scene.made.snapshot}`), ['error'])
      for (const backend of Object.values(scene.cinder.backends)) assert.equal(backend.volumes.get(scene.made.volume!)?.snapshots.size ?? 0, 0)
    },
    finished: async (scene) => assert.deepEqual(await statuses(scene, `/snapshots/${scene.made.snapshot}`), ['available']),
  },
  {
    name: 'delete-snapshot',
    async prepare(scene) {
      await withVolume(scene)
      scene.made.snapshot = await makeSnapshot(scene, scene.made.volume!)
    },
    act: async (scene) => void (await ok(scene, 'DELETE', `/snapshots/${scene.made.snapshot}`)),
    async failed(scene) {
      assert.deepEqual(await statuses(scene, `/snapshots/${scene.made.snapshot}`), ['error_deleting'])
      await this.act(scene)
      await rest(scene)
      await this.finished(scene)
    },
    finished: async (scene) => assert.equal(await look(scene, `/snapshots/${scene.made.snapshot}`), undefined),
  },
  {
    name: 'revert-volume',
    async prepare(scene) {
      await withVolume(scene)
      scene.made.snapshot = await makeSnapshot(scene, scene.made.volume!)
    },
    act: (scene) => act(scene, 'revert', { snapshot_id: scene.made.snapshot }).then(() => {}),
    failed: async (scene) => assert.deepEqual(await statuses(scene, `/volumes/${scene.made.volume}`, `/snapshots/${scene.made.snapshot}`), ['error', 'available']),
    finished: async (scene) => assert.deepEqual(await statuses(scene, `/volumes/${scene.made.volume}`, `/snapshots/${scene.made.snapshot}`), ['available', 'available']),
  },
  {
    name: 'upload-image',
    prepare: withVolume,
    act: (scene) => act(scene, 'os-volume_upload_image', { image_name: 'up' }).then(() => {}),
    async failed(scene) {
      assert.equal((await volume(scene))?.status, 'available')
      assert.deepEqual([...scene.cinder.images.keys()], [IMAGE])
    },
    async finished(scene) {
      assert.equal((await volume(scene))?.status, 'available')
      assert.deepEqual([...scene.cinder.images.values()].map((one) => one.image.status), ['active', 'active'])
    },
  },
  {
    name: 'reimage-volume',
    prepare: withVolume,
    act: (scene) => act(scene, 'os-reimage', { image_id: IMAGE }).then(() => {}),
    failed: async (scene, step) => assert.equal((await volume(scene))?.status, step === 'reimage' ? 'error' : 'available'),
    finished: async (scene) => assert.deepEqual([(await volume(scene))?.status, (await volume(scene))?.bootable], ['available', 'true']),
  },
  {
    name: 'retype-volume',
    prepare: withTwo,
    act: (scene) => act(scene, 'os-retype', { new_type: 'two', migration_policy: 'on-demand' }).then(() => {}),
    async failed(scene, step) {
      const moved = step === 'delete the old one' || step === 'publish'
      assert.deepEqual([(await volume(scene))?.status, (await volume(scene))?.volume_type], ['available', moved ? 'two' : 'one'])
      assert.deepEqual(disksOf(scene, scene.made.volume!), [moved ? 'two' : 'one'])
    },
    async finished(scene) {
      assert.deepEqual([(await volume(scene))?.status, (await volume(scene))?.volume_type], ['available', 'two'])
      assert.deepEqual(disksOf(scene, scene.made.volume!), ['two'])
    },
  },
  {
    name: 'migrate-volume',
    prepare: withTwo,
    act: (scene) => act(scene, 'os-migrate_volume', { host: 'test-host@two#two' }).then(() => {}),
    async failed(scene, step) {
      const at = step === 'delete the old one' || step === 'publish' ? 'two' : 'one'
      assert.deepEqual([(await volume(scene))?.status, (await volume(scene))?.['os-vol-host-attr:host']], ['available', `test-host@${at}#${at}`])
      assert.deepEqual(disksOf(scene, scene.made.volume!), [at])
    },
    finished: async (scene) => assert.deepEqual(disksOf(scene, scene.made.volume!), ['two']),
  },
  {
    name: 'unmanage-volume',
    prepare: withVolume,
    act: (scene) => act(scene, 'os-unmanage').then(() => {}),
    failed: async (scene) => assert.equal((await volume(scene))?.status, 'error'),
    async finished(scene) {
      assert.equal(await volume(scene), undefined)
      assert.ok(Object.values(scene.cinder.backends).some((backend) => backend.manageable.has(`volume-${scene.made.volume}`)))
    },
  },
  {
    name: 'manage-volume',
    async prepare({ cinder }) {
      cinder.backends.one.manageable.set('found', { size: 2 ** 30, blocks: new Map() })
    },
    act: async (scene) => void (scene.made.volume = (await ok(scene, 'POST', '/manageable_volumes', { volume: { host: 'test-host@one#one', ref: { 'source-name': 'found' } } })).volume!.id!),
    async failed(scene) {
      assert.equal((await volume(scene))?.status, 'error_managing')
      assert.deepEqual(disksOf(scene, scene.made.volume!), [])
      assert.equal(scene.cinder.backends.one.manageable.size, 1, 'what was there before is there no more')
    },
    finished: async (scene) => assert.deepEqual([(await volume(scene))?.status, disksOf(scene, scene.made.volume!)], ['available', ['one']]),
  },
  {
    name: 'create-backup',
    prepare: withVolume,
    act: async (scene) => void (scene.made.backup = (await ok(scene, 'POST', '/backups', { backup: { volume_id: scene.made.volume } })).backup!.id!),
    failed: async (scene) => assert.deepEqual(await statuses(scene, `/volumes/${scene.made.volume}`, `/backups/${scene.made.backup}`), ['available', 'error']),
    finished: async (scene) => assert.deepEqual(await statuses(scene, `/volumes/${scene.made.volume}`, `/backups/${scene.made.backup}`), ['available', 'available']),
  },
  {
    name: 'restore-backup',
    prepare: withBackup,
    act: async (scene) => void (scene.made.restored = (await ok(scene, 'POST', `/backups/${scene.made.backup}/restore`, { restore: {} })).restore!.volume_id!),
    async failed(scene) {
      assert.deepEqual(await statuses(scene, `/volumes/${scene.made.restored}`, `/backups/${scene.made.backup}`), ['error', 'available'])
      assert.deepEqual(disksOf(scene, scene.made.restored!), [])
    },
    finished: async (scene) => assert.deepEqual(await statuses(scene, `/volumes/${scene.made.restored}`, `/backups/${scene.made.backup}`), ['available', 'available']),
  },
  {
    name: 'delete-backup',
    prepare: withBackup,
    act: async (scene) => void (await ok(scene, 'DELETE', `/backups/${scene.made.backup}`)),
    async failed(scene) {
      assert.deepEqual(await statuses(scene, `/backups/${scene.made.backup}`), ['error_deleting'])
      await this.act(scene)
      await rest(scene)
      await this.finished(scene)
    },
    finished: async (scene) => assert.equal(await look(scene, `/backups/${scene.made.backup}`), undefined),
  },
  {
    name: 'create-group',
    async prepare(scene) {
      scene.made.group_type = (await ok(scene, 'POST', '/group_types', { group_type: { name: 'g' } })).group_type!.id!
      scene.made.type = (await ok(scene, 'GET', '/types/default')).volume_type!.id!
    },
    act: async (scene) => void (scene.made.group = (await ok(scene, 'POST', '/groups', { group: { name: 'g', group_type: scene.made.group_type, volume_types: [scene.made.type] } })).group!.id!),
    failed: async (scene) => assert.deepEqual(await statuses(scene, `/groups/${scene.made.group}`), ['error']),
    finished: async (scene) => assert.deepEqual(await statuses(scene, `/groups/${scene.made.group}`), ['available']),
  },
  {
    name: 'clone-group',
    prepare: makeGroup,
    act: async (scene) => void (scene.made.copy = (await ok(scene, 'POST', '/groups/action', { 'create-from-src': { name: 'c', source_group_id: scene.made.group } })).group!.id!),
    async failed(scene) {
      assert.deepEqual(await statuses(scene, `/groups/${scene.made.copy}`), ['error'])
      assert.equal(scene.cinder.backends.one.volumes.size + scene.cinder.backends.two.volumes.size, 1)
    },
    finished: async (scene) => assert.deepEqual(await statuses(scene, `/groups/${scene.made.copy}`), ['available']),
  },
  {
    name: 'delete-group',
    prepare: makeGroup,
    act: async (scene) => void (await ok(scene, 'POST', `/groups/${scene.made.group}/action`, { delete: { 'delete-volumes': true } })),
    async failed(scene) {
      assert.deepEqual(await statuses(scene, `/groups/${scene.made.group}`), ['error_deleting'])
      await this.act(scene)
      await rest(scene)
      await this.finished(scene)
    },
    async finished(scene) {
      assert.deepEqual(await statuses(scene, `/groups/${scene.made.group}`, `/volumes/${scene.made.volume}`), [undefined, undefined])
      assert.deepEqual(disksOf(scene, scene.made.volume!), [])
    },
  },
  {
    name: 'create-group-snapshot',
    prepare: makeGroup,
    act: async (scene) => void (scene.made.snapshot = (await ok(scene, 'POST', '/group_snapshots', { group_snapshot: { name: 's', group_id: scene.made.group } })).group_snapshot!.id!),
    failed: async (scene) => assert.deepEqual(await statuses(scene, `/group_snapshots/${scene.made.snapshot}`), ['error']),
    finished: async (scene) => assert.deepEqual(await statuses(scene, `/group_snapshots/${scene.made.snapshot}`), ['available']),
  },
  {
    name: 'delete-group-snapshot',
    async prepare(scene) {
      await makeGroup(scene)
      scene.made.snapshot = (await ok(scene, 'POST', '/group_snapshots', { group_snapshot: { name: 's', group_id: scene.made.group } })).group_snapshot!.id!
      await rest(scene)
    },
    act: async (scene) => void (await ok(scene, 'DELETE', `/group_snapshots/${scene.made.snapshot}`)),
    async failed(scene) {
      assert.deepEqual(await statuses(scene, `/group_snapshots/${scene.made.snapshot}`), ['error_deleting'])
      await this.act(scene)
      await rest(scene)
      await this.finished(scene)
    },
    finished: async (scene) => assert.equal(await look(scene, `/group_snapshots/${scene.made.snapshot}`), undefined),
  },
]

type CinderTrial = Trial & { scene: Scene }

export const flowCases: FlowCase[] = cases.map((one) => ({
  flow: one.name,
  async make(): Promise<CinderTrial> {
    let faults: FlowFaults = {}
    const clock = new VirtualClock()
    const cinder = await cinderKit({}, { clock, faults: { before: (flow, step) => faults.before?.(flow, step), after: (flow, step) => faults.after?.(flow, step) } })
    cinder.images.set(IMAGE, { image: { id: IMAGE, name: 'i', status: 'active', disk_format: 'raw', container_format: 'bare', size: 4096, virtual_size: null, min_disk: 0, min_ram: 0 }, data: Buffer.alloc(4096, 'i') })
    const scene: Scene = { cinder, clock, made: {} }
    await one.prepare?.(scene)
    return {
      scene,
      async run(given) {
        faults = given
        await one.act(scene)
        await rest(scene)
        faults = {}
      },
      async close() {
        const closing = cinder.close()
        await clock.advance(2000)
        await closing
      },
    }
  },
  failed: (trial, step, died) => one.failed((trial as CinderTrial).scene, step, died),
  finished: (trial) => one.finished((trial as CinderTrial).scene),
}))
