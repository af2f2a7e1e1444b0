/** unshelve-server: back on where it still is, or claim (+) → build (+) on any host, from the image that shelving made. */
import { isFault } from '#base/fault.ts'
import { defineFlow, type Flow, type FlowRun } from '#base/flow/definition.ts'
import { POWER_NUMBER } from '../core/states.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf } from '../store/block-devices.ts'
import type { FlavorSnapshot, NicInfo, ServerPrivate, ServerRow } from '../store/tables.ts'
import { claim, release } from './claims.ts'
import { callCompute } from './computes.ts'
import { guestWish } from './guest.ts'
import { leaveHost } from './leave-host.ts'
import { awaitWires, rebindPorts } from './ports.ts'
import { type Place, placeServer } from './scheduling.ts'
import { letGo, liveServer, moveServer, passengersSeated, type ServerWork, settle } from './state.ts'
import { completeVolumes, connectVolumes, isOnVolume } from './volumes.ts'

export interface UnshelveServer extends ServerWork {
  offloaded: boolean
  zone?: string
  requested_host?: string
}

const LOCKS = ['unshelving', 'spawning'] as const

export const unshelveServerFlow = (nova: Nova): Flow<UnshelveServer> =>
  defineFlow<UnshelveServer>('unshelve-server', { deadline: nova.config.action_deadline, failed: (p, fault, cancelled) => letGo(nova, p, LOCKS, fault, cancelled) }, async (f, p) => {
    let place: Place | undefined
    let nics: NicInfo[] | undefined
    if (p.offloaded) {
      const at = await f.step(
        'claim',
        async (signal) => {
          await passengersSeated(nova, p.server_id, signal)
          const server = await liveServer(nova, p.server_id)
          const ask = { server, flavor: JSON.parse(server.flavor) as FlavorSnapshot, on_volume: isOnVolume(await blockDevicesOf(nova.db, server.id)), ignore: [], zone: p.zone, requested_host: p.requested_host }
          return placeServer(nova, ask, (_at, allocations) => claim(nova, server.id, server, allocations, false))
        },
        () => release(nova, p.server_id),
      )
      place = at
      nics = await f.step(
        'build',
        (signal) => build(nova, p, at, signal),
        () => leaveHost(nova, p.server_id, at.host_id),
      )
    } else {
      await f.step(
        'on',
        async (signal) => {
          await passengersSeated(nova, p.server_id, signal)
          const server = await liveServer(nova, p.server_id)
          await callCompute(nova, server.host_id!, 'powerOn', { server_id: server.id }, { signal })
        },
        async () => {
          const server = await liveServer(nova, p.server_id)
          if (server.host_id !== null) await callCompute(nova, server.host_id, 'powerOff', { server_id: server.id })
        },
      )
    }
    await f.step('settle', () => back(nova, f, p, place, nics))
  })

async function build(nova: Nova, p: UnshelveServer, place: Place, signal: AbortSignal): Promise<NicInfo[]> {
  try {
    const server = await liveServer(nova, p.server_id)
    await moveServer(nova, nova.db, server.id, { task_state: LOCKS }, { task_state: 'spawning' })
    const own = JSON.parse(server.private) as ServerPrivate
    const devices = await connectVolumes(nova, await blockDevicesOf(nova.db, server.id), place)
    const { nics, ports } = await rebindPorts(nova, server, place.host)
    await awaitWires(nova, server.id, ports, signal)
    const from: ServerRow = { ...server, availability_zone: place.zone, ...(own.shelved_image_id === undefined ? {} : { image_id: own.shelved_image_id }) }
    const guest = await guestWish(nova, { server: from, flavor: JSON.parse(server.flavor) as FlavorSnapshot, devices, nics })
    await callCompute(nova, place.host_id, 'ensureGuest', { guest, power: 'running' }, { signal })
    await completeVolumes(nova, devices)
    return nics
  } catch (thrown) {
    if (!signal.aborted || isFault(signal.reason)) await leaveHost(nova, p.server_id, place.host_id).catch((again: unknown) => nova.world.log.module('nova.shelve').warn('Failed to undo a build', { server: p.server_id, error: again }))
    throw thrown
  }
}

async function back(nova: Nova, f: FlowRun, p: UnshelveServer, place: Place | undefined, nics: NicInfo[] | undefined): Promise<void> {
  const server = await liveServer(nova, p.server_id)
  const { shelved_at: _at, shelved_image_id: image_id, ...own } = JSON.parse(server.private) as ServerPrivate
  const there = place ? { host: place.host, node: place.node, host_id: place.host_id, availability_zone: place.zone } : {}
  const cards = nics ? { network_info: JSON.stringify(nics), launched_at: nova.world.clock.now() } : {}
  await settle(nova, f, p, LOCKS, { vm_state: 'active', power_state: POWER_NUMBER.running, private: JSON.stringify(own), ...there, ...cards }, place?.host ?? server.host, async (tx) => {
    if (image_id !== undefined) await nova.engine.start(tx.as(), nova.flows.dropImage, { image_id }, { resource_kind: 'image', resource_id: image_id, project_id: server.project_id })
  })
}
