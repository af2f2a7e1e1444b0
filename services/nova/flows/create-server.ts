/**
 * create-server: claim a host → ports (+) → volumes → guest (+) → ACTIVE. A host that cannot build the guest is given up and the next one
 * tried. What fails for good leaves the server in ERROR with the reason; its deletion takes the rest away.
 */
import { defineFlow, type Flow, type FlowRun } from '#base/flow/definition.ts'
import { type FaultData, faultFromData, faultToData, isFault } from '#base/fault.ts'
import type { Allocations } from '#placement/contract/allocations.ts'
import { POWER_NUMBER } from '../core/states.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf } from '../store/block-devices.ts'
import { patchServer } from '../store/servers.ts'
import type { FlavorSnapshot, NicInfo, ServerPrivate, ServerRow } from '../store/tables.ts'
import { callCompute } from './computes.ts'
import { claim, release } from './claims.ts'
import { guestWish } from './guest.ts'
import { refreshNetwork } from './network-info.ts'
import { awaitWires, ensurePorts, type NicWish, releasePorts } from './ports.ts'
import { groupFacts, groupHolds, type Place, placeServer } from './scheduling.ts'
import { letGo, liveServer, moveServer, type ServerWork, settle } from './state.ts'
import { unholdVolumes } from './unhold-volumes.ts'
import { completeVolumes, connectVolumes, ensureVolumesHeld } from './volumes.ts'

export interface CreateServer extends ServerWork {
  nics: NicWish[]
  on_volume: boolean
  has_devices: boolean
  zone?: string
  force_host?: string
  force_node?: string
  requested_host?: string
  requested_node?: string
  /** Only when the config drive is to carry it. */
  admin_pass?: string
}

/** Every task_state a build passes through. */
export const BUILD_LOCKS = ['scheduling', 'block_device_mapping', 'networking', 'spawning'] as const

interface Built {
  nics: NicInfo[]
  /** This host could not: the next one is tried, with the same ports. */
  fault?: FaultData
}

export const createServerFlow = (nova: Nova): Flow<CreateServer> =>
  defineFlow<CreateServer>(
    'create-server',
    {
      deadline: nova.config.build_deadline,
      failed: async (p, fault, cancelled) => {
        await letGo(nova, p, BUILD_LOCKS, fault, cancelled, { vm_state: 'error', host: null, node: null, host_id: null })
      },
    },
    async (f, p) => {
      const tried: string[] = []
      let before: FaultData | undefined
      for (let attempt = 0; ; attempt++) {
        const again = attempt === 0 ? '' : `-${attempt}`
        const place = await f.step(
          `claim${again}`,
          () => takeHost(nova, p, tried, before),
          () => release(nova, p.server_id),
        )
        tried.push(place.host_id)
        const last = attempt + 1 >= nova.config.scheduling.max_attempts || p.force_host !== undefined || p.requested_host !== undefined
        const built = await f.step(
          `build${again}`,
          (signal) => build(nova, p, place, attempt, last, signal),
          (result) => unbuild(nova, p, place, result),
        )
        if (built.fault) {
          if (last) throw faultFromData(built.fault)
          before = built.fault
          continue
        }
        await f.step('active', () => activate(nova, f, p, place))
        return
      }
    },
  )

/** Claims a host and writes it down, both before anything is made there. */
async function takeHost(nova: Nova, p: CreateServer, tried: readonly string[], before: FaultData | undefined): Promise<Place> {
  const server = await liveServer(nova, p.server_id)
  const fresh = nova.wakes.claimFresh(p.server_id) && before === undefined
  if (before) await release(nova, p.server_id)
  const flavor = JSON.parse(server.flavor) as FlavorSnapshot
  const place = await placeServer(
    nova,
    { server, flavor, on_volume: p.on_volume, ignore: tried, zone: p.zone, force_host: p.force_host, force_node: p.force_node, requested_host: p.requested_host, requested_node: p.requested_node },
    async (at, allocations: Allocations) => {
      if (!(await claim(nova, server.id, server, allocations, fresh))) return false
      if (server.group_id === null) return true
      // Two members may have chosen at once. Both write down their choice, then look: of those that still choose, the lesser id stays.
      await moveServer(nova, nova.db, server.id, { task_state: BUILD_LOCKS }, { host_id: at.host_id })
      const group = await groupFacts(nova, server.group_id, server.id, (member) => member.task_state !== 'scheduling' || member.id < server.id)
      if (group === undefined || groupHolds(group, at.host_id)) return true
      await moveServer(nova, nova.db, server.id, { task_state: BUILD_LOCKS }, { host_id: null })
      await release(nova, server.id)
      return false
    },
  ).catch((thrown: unknown) => {
    // When all hosts were tried, why the last one failed says more than that none is left.
    throw before && isFault(thrown) && thrown.code === 'nova.no_valid_host' ? faultFromData(before) : thrown
  })
  await moveServer(nova, nova.db, server.id, { task_state: BUILD_LOCKS }, { host: place.host, node: place.node, host_id: place.host_id, availability_zone: place.zone, task_state: p.has_devices ? 'block_device_mapping' : 'networking' })
  return place
}

/** Ports, volumes and guest on one host. A fault of this host is a result, so that the next host can be tried; cleaned up after itself. */
async function build(nova: Nova, p: CreateServer, place: Place, attempt: number, last: boolean, signal: AbortSignal): Promise<Built> {
  let nics: NicInfo[] = []
  try {
    const server = await liveServer(nova, p.server_id)
    const own = JSON.parse(server.private) as ServerPrivate
    const made = await ensurePorts(nova, {
      server_id: server.id,
      project_id: server.project_id,
      zone: place.zone,
      host: place.host,
      wishes: p.nics,
      known_new: attempt === 0 && nova.wakes.portsFresh(server.id),
      ...(own.security_group_ids === undefined ? {} : { security_group_ids: own.security_group_ids }),
    })
    nics = made.nics
    await moveServer(nova, nova.db, server.id, { task_state: BUILD_LOCKS }, { network_info: JSON.stringify(nics), task_state: 'spawning' })
    let devices = p.has_devices ? await blockDevicesOf(nova.db, server.id) : []
    if (p.has_devices) {
      devices = await ensureVolumesHeld(nova, server, devices, signal)
      devices = await connectVolumes(nova, devices, place)
    }
    await awaitWires(nova, server.id, made.ports, signal)
    const flavor = JSON.parse(server.flavor) as FlavorSnapshot
    const guest = await guestWish(nova, { server: { ...server, availability_zone: place.zone, network_info: JSON.stringify(nics) }, flavor, devices, nics, admin_pass: p.admin_pass })
    await callCompute(nova, place.host_id, 'ensureGuest', { guest, power: 'running' }, { signal })
    await completeVolumes(nova, devices)
    nova.hosts.built(place.host_id, true)
    return { nics }
  } catch (thrown) {
    // Not the wish has ended but this process: whoever takes the flow over goes on from what is there.
    if (signal.aborted && !isFault(signal.reason)) throw thrown
    if (!signal.aborted) nova.hosts.built(place.host_id, false)
    await callCompute(nova, place.host_id, 'ensureNoGuest', { server_id: p.server_id, host_id: place.host_id }, { wait: 0 }).catch(() => {})
    if (!isHostsFault(thrown) || last || signal.aborted) {
      await forgetPorts(nova, p.server_id, nics).catch(() => {})
      if (p.has_devices) await unholdVolumes(nova, p.server_id).catch(() => {})
      throw thrown
    }
    nova.world.log.module('nova.build').warn('Failed to build a server on a host and tries another', { server: p.server_id, host: place.host, error: thrown })
    return { nics, fault: faultToData(thrown) }
  }
}

/** What another host may do better. A wrong wish is wrong everywhere. */
function isHostsFault(thrown: unknown): boolean {
  if (!isFault(thrown)) return true
  return ['internal', 'unavailable', 'timeout', 'insufficient_storage', 'not_implemented'].includes(thrown.kind) || thrown.code === 'nova.binding_failed'
}

async function unbuild(nova: Nova, p: CreateServer, place: Place, built: Built | undefined): Promise<void> {
  if (!built?.fault) await callCompute(nova, place.host_id, 'ensureNoGuest', { server_id: p.server_id, host_id: place.host_id })
  await forgetPorts(nova, p.server_id, built?.nics ?? p.nics.flatMap(({ port_id }) => (port_id === undefined ? [] : [{ port_id, own: false }])))
  if (p.has_devices) await unholdVolumes(nova, p.server_id)
}

/** Its record names no port that is gone. */
async function forgetPorts(nova: Nova, serverId: string, nics: readonly Pick<NicInfo, 'port_id' | 'own'>[]): Promise<void> {
  await releasePorts(nova, serverId, nics)
  await patchServer(nova.db, serverId, { network_info: '[]' })
}

async function activate(nova: Nova, f: FlowRun, p: CreateServer, place: Place): Promise<void> {
  const patch: Partial<ServerRow> = { vm_state: 'active', power_state: POWER_NUMBER.running, launched_at: nova.world.clock.now(), progress: 0 }
  await settle(nova, f, p, BUILD_LOCKS, patch, place.host)
  if (nova.wakes.wantsRefresh(p.server_id)) await refreshNetwork(nova, p.server_id)
}
