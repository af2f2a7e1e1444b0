/**
 * Live migration without shared disks. The destination opens its disks for the source by NBD; the source mirrors them, then sends memory, and
 * just before the guest changes over it lets the mirrors go, so that both sides never write. Overlays travel, images do not: both hosts
 * have the same image below.
 *
 * Both go through the agents (`host/tunnels.ts`): QEMU listens on unix sockets alone, for it lives in a namespace that the other host does not reach.
 * The destination acknowledges the whole of the memory, and stands still until `finishIncoming`: a way that breaks at any byte leaves one guest, here.
 *
 * The record says `leaving` before anything starts and `left` when the guest is gone: from then on nothing starts it here.
 */
import { conflict, Fault, invalid, isFault, timedOut, unavailable } from '#base/fault.ts'
import type { QmpConnection } from '#host/qmp.ts'
import { bridgeUnix, joinUnix, type Offer, type Way } from '#host/tunnels.ts'
import type { GuestSpec, ImageSource, LiveMigratable, MachineLayout, MigrationProgress, MigrationTarget } from '../interface.ts'
import type { QemuParts } from './parts.ts'
import { nodeNames } from './plugging.ts'
import { haltMachine, killMachine, startMachine } from './power.ts'
import type { GuestRecord } from './record.ts'
import type { LiveGuest } from './sessions.ts'

const POLL = 50
const DEFAULT_TIMEOUT = 3_600_000

interface QueryMigrate {
  status?: string
  'error-desc'?: string
  ram?: { total: number; remaining: number; transferred: number }
}

/** Slots come with the guest: they tell of every plugging in its life, and a disk in another's slot would be written to as the other. */
export interface Layout {
  machine_type: string
  slots: Record<string, number>
}

type Prepare = (spec: GuestSpec, layout: Layout, source: ImageSource, signal: AbortSignal, found: GuestRecord | undefined) => Promise<GuestRecord>

export function liveMigratable(parts: QemuParts, prepare: Prepare): LiveMigratable {
  const { turn, turnOnAny, sessions, records } = parts
  const offered = new Map<string, Offer[]>()
  return {
    layout: (serverId) =>
      turn('layout', serverId, async (record) => {
        if (!(await sessions.live(serverId))) throw conflict('The server is not running.')
        const { machine_type, slots } = record
        return { machine_type, slots } satisfies Layout
      }),
    prepareIncoming: (spec, layout, source, listenHost) =>
      turnOnAny('prepareIncoming', spec.server_id, async (found, signal) => {
        const read = readLayout(layout, spec)
        if (found && found.stage !== 'arriving' && found.stage !== 'making') throw conflict('The server is on this host already.')
        const running = await sessions.live(spec.server_id)
        if (running && (await sessions.status(running)) !== 'inmigrate') throw conflict('The server has arrived.', { code: 'arrived' })
        await killMachine(parts, spec.server_id)
        const record = await prepare(spec, read, source, signal, found && { ...found, stage: 'making' })
        record.stage = 'arriving'
        await records.save(record)
        const live = await startMachine(parts, record, signal, { incoming: true, paused: true })
        return listen(parts, record, live.qmp, listenHost, offered)
      }),
    finishIncoming: (serverId, { paused = false } = {}) =>
      turn('finishIncoming', serverId, async (record) => {
        if (record.stage === 'ready') return
        const live = await sessions.live(serverId)
        if (!live || (await sessions.status(live)) === 'inmigrate') throw conflict('The server has not arrived.')
        withdraw(offered, serverId)
        // With an export left the next migration or suspension would fail.
        for (const name of exportsOf(record)) await live.qmp.execute('block-export-del', { id: name, mode: 'hard' }).catch(() => {})
        await live.qmp.execute('nbd-server-stop').catch(() => {})
        // The record first: a guest that runs is never `arriving`.
        record.stage = 'ready'
        await records.save(record)
        if (!paused) await live.qmp.execute('cont')
      }),
    migrateOut: (serverId, target, options = {}) =>
      turnOnAny('migrateOut', serverId, async (record, signal) => {
        if (!record) throw conflict('The server is not on this host.')
        if (record.stage === 'left') return
        const live = await sessions.live(serverId)
        if (!live) throw conflict('The server is not running.')
        if (record.stage === 'leaving' && (await sessions.status(live)) === 'postmigrate') {
          await left(parts, record)
          return
        }
        record.stage = 'leaving'
        await records.save(record)
        const { outgoingMemory, outgoingDisks } = records.place(serverId).sockets
        const bridges = await Promise.all([bridgeUnix(outgoingMemory, wayOf(target.uri, target.memory)), bridgeUnix(outgoingDisks, wayOf(target.uri, target.disks.key))])
        try {
          await migrate(parts, record, live, target, options.timeout ?? DEFAULT_TIMEOUT, signal)
        } catch (thrown) {
          await stay(parts, record, live)
          throw thrown
        } finally {
          for (const bridge of bridges) bridge.close()
        }
        await left(parts, record)
      }),
    migrationProgress: async (serverId) => progress(await sessions.live(serverId), (await parts.recordOf(serverId)).stage),
    // These two come while `migrateOut` holds the guest's line.
    async abortMigration(serverId) {
      const live = await sessions.live(serverId)
      if (!live) return
      await live.qmp.execute('migrate_cancel')
      for (const { device } of await live.qmp.execute<{ device: string }[]>('query-block-jobs')) {
        if (device.startsWith(MIRROR)) await live.qmp.execute('block-job-cancel', { device, force: true }).catch(() => {})
      }
    },
    async forceMigration(serverId) {
      const live = await sessions.live(serverId)
      if (live && (await live.qmp.execute<QueryMigrate>('query-migrate')).status === 'active') await live.qmp.execute('stop')
    },
  }
}

function readLayout(layout: MachineLayout, spec: GuestSpec): Layout {
  const { machine_type, slots } = layout as Partial<Layout>
  if (typeof machine_type !== 'string' || typeof slots !== 'object') throw invalid('The layout of the machine is not known.', { field: 'layout' })
  const there = Object.keys(slots).filter((key) => /^(volume|nic):/.test(key)).sort()
  const wished = [...spec.volumes.map((volume) => `volume:${volume.volume_id}`), ...spec.nics.map((nic) => `nic:${nic.port_id}`)].sort()
  if (there.join() !== wished.join()) throw invalid('The volumes and cards are not those of the running machine.', { field: 'layout', detail: `${there.join()} against ${wished.join()}` })
  return { machine_type, slots: { ...slots } }
}

const MIRROR = 'mirror-'

/** Of both sides: the destination acknowledges by `return-path`. */
const CAPABILITIES = [
  { capability: 'events', state: true },
  { capability: 'return-path', state: true },
]

function exportsOf(record: GuestRecord): string[] {
  return Object.keys(record.disks)
}

// --- destination

async function listen(parts: QemuParts, record: GuestRecord, qmp: QmpConnection, host: string, offered: Map<string, Offer[]>): Promise<MigrationTarget> {
  await qmp.execute('migrate-set-capabilities', { capabilities: CAPABILITIES })
  const { incomingMemory, incomingDisks } = parts.records.place(record.server_id).sockets
  const names = exportsOf(record)
  await qmp.execute('nbd-server-start', { addr: { type: 'unix', data: { path: incomingDisks } } })
  for (const name of names) await qmp.execute('block-export-add', { type: 'nbd', id: name, 'node-name': name, name, writable: true })
  await qmp.execute('migrate-incoming', { uri: `unix:${incomingMemory}` })
  const memory = await parts.tunnels.offer(host, joinUnix(incomingMemory))
  const disks = await parts.tunnels.offer(host, joinUnix(incomingDisks))
  withdraw(offered, record.server_id)
  offered.set(record.server_id, [memory, disks])
  return { uri: `tcp:${host.includes(':') ? `[${host}]` : host}:${memory.way.port}`, memory: memory.way.key, disks: { key: disks.way.key, exports: names } }
}

function withdraw(offered: Map<string, Offer[]>, serverId: string): void {
  for (const offer of offered.get(serverId) ?? []) offer.withdraw()
  offered.delete(serverId)
}

function wayOf(uri: string, key: string): Way {
  const found = /^tcp:(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(uri)
  if (!found) throw invalid('The target of the migration is not understood.', { field: 'uri' })
  return { host: (found[1] ?? found[2])!, port: Number(found[3]), key }
}

// --- source

async function migrate(parts: QemuParts, record: GuestRecord, { qmp }: LiveGuest, target: MigrationTarget, timeout: number, signal: AbortSignal): Promise<void> {
  const { clock } = parts.world
  const deadline = clock.now() + timeout
  const { outgoingMemory, outgoingDisks } = parts.records.place(record.server_id).sockets
  await clearMirrors(qmp)
  await qmp.execute('migrate-set-capabilities', { capabilities: [...CAPABILITIES, { capability: 'pause-before-switchover', state: true }, { capability: 'auto-converge', state: true }] })
  for (const name of target.disks.exports) {
    const node = `${MIRROR}${name}`
    const server = { type: 'unix', path: outgoingDisks }
    await qmp.execute('blockdev-add', { driver: 'nbd', 'node-name': node, server, export: name })
    const ready = qmp.waitEvent(['BLOCK_JOB_READY', 'BLOCK_JOB_COMPLETED', 'BLOCK_JOB_CANCELLED'], { timeout, signal, match: ({ data }) => data.device === node })
    const sync = record.disks[name]?.base ? 'top' : 'full'
    await qmp.execute('blockdev-mirror', { 'job-id': node, device: name, target: node, sync })
    const event = await ready
    if (event.event !== 'BLOCK_JOB_READY') throw unavailable('The disks of the server could not be copied.', { detail: event.data.error })
  }
  await qmp.execute('migrate', { uri: `unix:${outgoingMemory}` })
  for (;;) {
    const now = await qmp.execute<QueryMigrate>('query-migrate')
    if (now.status === 'pre-switchover') {
      await endMirrors(qmp, target.disks.exports)
      await qmp.execute('migrate-continue', { state: 'pre-switchover' })
    } else if (now.status === 'completed') break
    else if (now.status === 'cancelled') throw conflict('The live migration was aborted.', { code: 'migration.aborted' })
    else if (now.status === 'failed') throw unavailable('The live migration failed.', { code: 'migration.failed', detail: now['error-desc'] })
    if (clock.now() > deadline) throw timedOut('The live migration took too long.', { code: 'migration.timeout' })
    await clock.sleep(POLL, signal)
  }
}

/** The guest stands still: the mirrors are complete, and cancelling a ready mirror without force leaves the copy whole. */
async function endMirrors(qmp: QmpConnection, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const device = `${MIRROR}${name}`
    const ended = qmp.waitEvent(['BLOCK_JOB_COMPLETED', 'BLOCK_JOB_CANCELLED'], { timeout: 60_000, match: ({ data }) => data.device === device })
    await qmp.execute('block-job-cancel', { device })
    const event = await ended
    if (event.event !== 'BLOCK_JOB_COMPLETED' || event.data.error !== undefined) throw unavailable('The disks of the server could not be copied.', { detail: event.data.error })
    await qmp.execute('blockdev-del', { 'node-name': device })
  }
}

async function clearMirrors(qmp: QmpConnection): Promise<void> {
  for (const { device } of await qmp.execute<{ device: string }[]>('query-block-jobs')) {
    if (!device.startsWith(MIRROR)) continue
    const ended = qmp.waitEvent(['BLOCK_JOB_COMPLETED', 'BLOCK_JOB_CANCELLED'], { timeout: 60_000, match: ({ data }) => data.device === device })
    await qmp.execute('block-job-cancel', { device, force: true }).then(
      () => ended,
      () => {},
    )
  }
  for (const name of await nodeNames(qmp)) if (name.startsWith(MIRROR)) await qmp.execute('blockdev-del', { 'node-name': name })
}

/** After a failure before the end: the guest goes on here. When memory has all gone over, it must not: there it may be running. */
async function stay(parts: QemuParts, record: GuestRecord, { qmp }: LiveGuest): Promise<void> {
  try {
    await qmp.execute('migrate_cancel')
    await clearMirrors(qmp)
    const { status } = await qmp.execute<{ status: string }>('query-status')
    if (status === 'postmigrate') {
      await left(parts, record)
      return
    }
    if (status === 'paused' || status === 'finish-migrate') await qmp.execute('cont')
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown
    if (!isFault(thrown, 'unavailable')) parts.world.log.module('nova.qemu').warn('A failed live migration left traces', { server_id: record.server_id, error: thrown })
  }
  record.stage = 'ready'
  await parts.records.save(record)
}

async function left(parts: QemuParts, record: GuestRecord): Promise<void> {
  record.stage = 'left'
  await parts.records.save(record)
  await haltMachine(parts, record)
}

async function progress(live: LiveGuest | undefined, stage: GuestRecord['stage']): Promise<MigrationProgress> {
  const none = { memory_total: 0, memory_processed: 0, memory_remaining: 0, disk_total: 0, disk_processed: 0, disk_remaining: 0 }
  if (!live) return { status: stage === 'left' ? 'completed' : 'none', ...none }
  const [now, jobs] = await Promise.all([
    live.qmp.execute<QueryMigrate>('query-migrate'),
    live.qmp.execute<{ device: string; len: number; offset: number }[]>('query-block-jobs'),
  ])
  const mirrors = jobs.filter(({ device }) => device.startsWith(MIRROR))
  const total = mirrors.reduce((sum, job) => sum + job.len, 0)
  const done = mirrors.reduce((sum, job) => sum + job.offset, 0)
  const active = mirrors.length > 0 || ['setup', 'active', 'pre-switchover', 'device', 'cancelling'].includes(now.status ?? '')
  const status = now.status === 'completed' ? 'completed' : active ? 'active' : now.status === 'failed' ? 'failed' : 'none'
  return {
    status,
    memory_total: now.ram?.total ?? 0,
    memory_processed: now.ram?.transferred ?? 0,
    memory_remaining: now.ram?.remaining ?? 0,
    disk_total: total,
    disk_processed: done,
    disk_remaining: total - done,
  }
}
