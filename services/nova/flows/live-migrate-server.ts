/**
 * live-migrate-server: claim (+) → prepare (+) → migrate → arrive → clean. Until the guest runs at the destination everything can be undone;
 * from then on there is only forward.
 */
import { type FaultData, faultFromData, faultToData, isFault } from '#base/fault.ts'
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import type { MigrationTarget } from '#nova/drivers/interface.ts'
import { activatePortBinding, createPortBinding, deletePortBinding, listPorts } from '#neutron/contract/network.ts'
import { POWER_NUMBER } from '../core/states.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf } from '../store/block-devices.ts'
import { migrationByUuid, patchMigration } from '../store/server-migrations.ts'
import type { BlockDeviceRow, FlavorSnapshot, MigrationRow, NicInfo } from '../store/tables.ts'
import { type Owner, release, returnClaim } from './claims.ts'
import { callCompute } from './computes.ts'
import { guestWish } from './guest.ts'
import { adoptAttachments, connectElsewhere, letStraysGo } from './moving-volumes.ts'
import { nicOf } from './ports.ts'
import { claimElsewhere } from './claim-elsewhere.ts'
import type { Place } from './scheduling.ts'
import { letGo, liveServer, type ServerWork, settle } from './state.ts'

export interface LiveMigrateServer extends ServerWork {
  migration: string
  was: string
  source: { host_id: string; host: string }
  owner: Owner
  zone?: string
  requested_host?: string
  /** The host was named and is not to be judged. */
  force_host?: string
}

interface Prepared {
  target: MigrationTarget
  devices: BlockDeviceRow[]
}

const LOCKS = ['migrating'] as const

export const liveMigrateServerFlow = (nova: Nova): Flow<LiveMigrateServer> => {
  const mark = (p: LiveMigrateServer, status: string, more: Partial<MigrationRow> = {}): Promise<void> => patchMigration(nova.db, p.migration, { status, ...more, updated_at: nova.world.clock.now() })
  return defineFlow<LiveMigrateServer>(
    'live-migrate-server',
    {
      deadline: nova.config.action_deadline,
      failed: async (p, fault, cancelled) => {
        const move = await migrationByUuid(nova.db, p.migration)
        await mark(p, move?.status === 'cancelled' ? 'cancelled' : 'failed')
        await letGo(nova, p, LOCKS, fault, cancelled, { vm_state: p.was })
      },
    },
    async (f, p) => {
      const place = await f.step(
        'claim',
        async (signal) => {
          const at = await claimElsewhere(nova, p, p.source.host_id, signal)
          await mark(p, 'preparing', { dest_compute: at.host, dest_node: at.node, dest_host_id: at.host_id, dest_host: at.host_ip })
          return at
        },
        async () => {
          // Cancelled past that: its deletion ends the guest on both hosts, and with it both claims.
          if ((await migrationByUuid(nova.db, p.migration))?.status !== 'post-migrating') await returnClaim(nova, p.server_id, p.migration, p.owner)
        },
      )
      const prepared = await f.step(
        'prepare',
        (signal) => prepare(nova, p, place, signal),
        () => unprepare(nova, p, place),
      )
      // Whether the guest has left is known only in here, also to one who takes over: that it could not leave is a result.
      const { fault } = await f.must('migrate', (signal) => depart(nova, p, prepared, mark, signal))
      if (fault) throw faultFromData(fault)
      const power = await f.must('arrive', () => arrive(nova, p, place, prepared))
      await f.must('clean', () => clean(nova, p))
      await f.must('settle', async () => {
        const now = nova.world.clock.now()
        const server = await liveServer(nova, p.server_id)
        const ports = (await nova.client.call(await nova.service(), 'neutron', listPorts, { query: { device_id: server.id } })).ports
        const nics = (JSON.parse(server.network_info) as NicInfo[]).map((nic) => {
          const port = ports.find((one) => one.id === nic.port_id)
          return port ? nicOf(port, nic, nic.own) : nic
        })
        await settle(nova, f, p, LOCKS, { vm_state: power === 'paused' ? 'paused' : 'active', power_state: POWER_NUMBER[power], host: place.host, node: place.node, host_id: place.host_id, availability_zone: place.zone, network_info: JSON.stringify(nics), progress: 0 }, place.host, (tx) =>
          patchMigration(tx, p.migration, { status: 'completed', updated_at: now }),
        )
      })
    },
  )
}

/** Hours may pass with a busy guest; the deadline of the flow ends it. */
async function depart(nova: Nova, p: LiveMigrateServer, { target }: Prepared, mark: (p: LiveMigrateServer, status: string) => Promise<void>, signal: AbortSignal): Promise<{ fault?: FaultData }> {
  if ((await migrationByUuid(nova.db, p.migration))?.status === 'post-migrating') return {}
  try {
    await mark(p, 'running')
    await callCompute(nova, p.source.host_id, 'migrateOut', { server_id: p.server_id, target }, { signal, timeout: nova.config.action_deadline })
  } catch (thrown) {
    // Not the wish has ended but this process.
    if (signal.aborted && !isFault(signal.reason)) throw thrown
    // It may have left while nobody heard of it.
    const progress = await callCompute(nova, p.source.host_id, 'migrationProgress', { server_id: p.server_id }, { wait: 0, timeout: 3_000 }).catch(() => undefined)
    if (progress?.status !== 'completed') return { fault: faultToData(signal.aborted ? signal.reason : thrown) }
  }
  await mark(p, 'post-migrating')
  return {}
}

async function prepare(nova: Nova, p: LiveMigrateServer, place: Place, signal: AbortSignal): Promise<Prepared> {
  const server = await liveServer(nova, p.server_id)
  const nics = JSON.parse(server.network_info) as NicInfo[]
  const caller = await nova.service()
  let devices: BlockDeviceRow[] = []
  try {
    devices = await connectElsewhere(nova, server.id, await blockDevicesOf(nova.db, server.id), place)
    const there: NicInfo[] = []
    for (const nic of nics) {
      const { binding } = await nova.client.call(caller, 'neutron', createPortBinding, { params: { id: nic.port_id }, body: { binding: { host: place.host } } }).catch((thrown: unknown) => {
        // Asked a second time after a crash: it is there.
        if (isFault(thrown) && thrown.code === 'PortBindingAlreadyExists') return { binding: undefined }
        throw thrown
      })
      const tap = binding?.vif_details.tap_name ?? nic.tap
      there.push({ ...nic, ...(tap === undefined ? {} : { tap }) })
    }
    const guest = await guestWish(nova, { server, flavor: JSON.parse(server.flavor) as FlavorSnapshot, devices, nics: there })
    const layout = await callCompute(nova, server.host_id!, 'layout', { server_id: server.id }, { signal })
    return { target: await whenWired(nova, signal, () => callCompute(nova, place.host_id, 'prepareIncoming', { guest, layout }, { signal })), devices }
  } catch (thrown) {
    await unprepare(nova, p, place).catch((again: unknown) => nova.world.log.module('nova.migrate').warn('Failed to undo a preparation', { server: p.server_id, error: again }))
    throw thrown
  }
}

/** A binding that is not active has no state to wait for: the host says that the wires are not there yet, and is asked again. */
async function whenWired<T>(nova: Nova, signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  const { clock } = nova.world
  const until = clock.now() + nova.config.vif_plugging_timeout
  for (;;) {
    try {
      return await ask()
    } catch (thrown) {
      if (!isFault(thrown) || thrown.code !== 'tap.absent' || clock.now() >= until) throw thrown
      await clock.sleep(250, signal)
    }
  }
}

async function unprepare(nova: Nova, p: LiveMigrateServer, place: Place): Promise<void> {
  // Once the guest runs at the destination nothing may end it there.
  if ((await migrationByUuid(nova.db, p.migration))?.status === 'post-migrating') return
  await callCompute(nova, place.host_id, 'ensureNoGuest', { server_id: p.server_id, host_id: place.host_id })
  const server = await liveServer(nova, p.server_id)
  const caller = await nova.service()
  for (const nic of JSON.parse(server.network_info) as NicInfo[]) {
    await nova.client.call(caller, 'neutron', deletePortBinding, { params: { id: nic.port_id, host: place.host } }).catch((thrown: unknown) => {
      if (!isFault(thrown, 'not_found')) throw thrown
    })
  }
  await letStraysGo(nova, server.id, await blockDevicesOf(nova.db, server.id))
}

async function arrive(nova: Nova, p: LiveMigrateServer, place: Place, prepared: Prepared) {
  const server = await liveServer(nova, p.server_id)
  const caller = await nova.service()
  for (const nic of JSON.parse(server.network_info) as NicInfo[]) {
    await nova.client.call(caller, 'neutron', activatePortBinding, { params: { id: nic.port_id, host: place.host } }).catch((thrown: unknown) => {
      if (!isFault(thrown) || thrown.code !== 'PortBindingAlreadyActive') throw thrown
    })
  }
  const { power_state } = await callCompute(nova, place.host_id, 'finishIncoming', { server_id: server.id, paused: p.was === 'paused' })
  await adoptAttachments(nova, prepared.devices)
  await letStraysGo(nova, server.id, prepared.devices)
  return power_state
}

async function clean(nova: Nova, p: LiveMigrateServer): Promise<void> {
  await callCompute(nova, p.source.host_id, 'ensureNoGuest', { server_id: p.server_id, host_id: p.source.host_id })
  await release(nova, p.migration)
  const server = await liveServer(nova, p.server_id)
  const caller = await nova.service()
  for (const nic of JSON.parse(server.network_info) as NicInfo[]) {
    await nova.client.call(caller, 'neutron', deletePortBinding, { params: { id: nic.port_id, host: p.source.host } }).catch((thrown: unknown) => {
      if (!isFault(thrown, 'not_found')) throw thrown
    })
  }
}
