/** attach-interface: port (+) → guest (+) → known. detach-interface is the way back. */
import { isFault } from '#base/fault.ts'
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import { listPorts } from '#neutron/contract/network.ts'
import type { Nova } from '../house.ts'
import { patchServer, serverById } from '../store/servers.ts'
import type { NicInfo, ServerPrivate } from '../store/tables.ts'
import { callCompute } from './computes.ts'
import { awaitWires, ensurePorts, type NicWish, releasePort } from './ports.ts'
import { letGo, liveServer, type ServerWork, settle } from './state.ts'

export interface AttachInterface extends ServerWork {
  wish: NicWish
  /** Ports that the server had before: a port made by a step that died is not among them. */
  had: string[]
}

export interface DetachInterface extends ServerWork {
  port_id: string
}

export const attachInterfaceFlow = (nova: Nova): Flow<AttachInterface> =>
  defineFlow<AttachInterface>('attach-interface', { deadline: nova.config.action_deadline, failed: (p, fault, cancelled) => letGo(nova, p, [], fault, cancelled) }, async (f, p) => {
    const nic = await f.step(
      'port',
      async (signal) => {
        const server = await liveServer(nova, p.server_id)
        const own = JSON.parse(server.private) as ServerPrivate
        try {
          const { nics, ports } = await ensurePorts(nova, {
            server_id: server.id, project_id: server.project_id, zone: server.availability_zone ?? nova.config.default_availability_zone, host: server.host ?? '', wishes: [p.wish], known_new: false, except: p.had,
            ...(own.security_group_ids === undefined ? {} : { security_group_ids: own.security_group_ids }),
          })
          await awaitWires(nova, server.id, ports, signal)
          return nics[0]!
        } catch (thrown) {
          if (!signal.aborted || isFault(signal.reason)) await releaseBegun(nova, p).catch((again: unknown) => nova.world.log.module('nova.interfaces').warn('Left the port of a card that could not be attached', { server: p.server_id, error: again }))
          throw thrown
        }
      },
      (made) => (made ? releasePort(nova, made.port_id, made.own) : releaseBegun(nova, p)),
    )
    await f.step(
      'guest',
      async (signal) => {
        const server = await liveServer(nova, p.server_id)
        if (server.host_id !== null) await callCompute(nova, server.host_id, 'attachNic', { server_id: server.id, nic: cardOf(nic) }, { signal })
      },
      () => takeFromGuest(nova, p.server_id, nic.port_id),
    )
    await f.step('settle', () => settle(nova, f, p, [], {}, null, async (tx) => {
      const server = await serverById(tx, p.server_id)
      if (!server) return
      const nics = JSON.parse(server.network_info) as NicInfo[]
      if (!nics.some((one) => one.port_id === nic.port_id)) await patchServer(tx, server.id, { network_info: JSON.stringify([...nics, nic]) })
    }))
  })

/** The port that was made or taken, where nobody can tell which it is. */
async function releaseBegun(nova: Nova, p: AttachInterface): Promise<void> {
  const { ports } = await nova.client.call(await nova.service(), 'neutron', listPorts, { query: { device_id: p.server_id } })
  for (const port of ports) {
    const begun = p.wish.port_id === undefined ? port.network_id === p.wish.network_id && !p.had.includes(port.id) : port.id === p.wish.port_id
    if (begun) await releasePort(nova, port.id, p.wish.port_id === undefined)
  }
}

export const detachInterfaceFlow = (nova: Nova): Flow<DetachInterface> =>
  defineFlow<DetachInterface>('detach-interface', { deadline: nova.config.action_deadline, failed: (p, fault, cancelled) => letGo(nova, p, [], fault, cancelled) }, async (f, p) => {
    await f.step(
      'guest',
      (signal) => takeFromGuest(nova, p.server_id, p.port_id, signal),
      async () => {
        const server = await liveServer(nova, p.server_id)
        const nic = (JSON.parse(server.network_info) as NicInfo[]).find((one) => one.port_id === p.port_id)
        if (nic && server.host_id !== null) await callCompute(nova, server.host_id, 'attachNic', { server_id: server.id, nic: cardOf(nic) })
      },
    )
    // One step: a record without the port must not be followed by an undoing that gives the guest a card without one.
    await f.step('port', async () => {
      const server = await liveServer(nova, p.server_id)
      const nic = (JSON.parse(server.network_info) as NicInfo[]).find((one) => one.port_id === p.port_id)
      await releasePort(nova, p.port_id, nic?.own ?? false)
      await settle(nova, f, p, [], {}, null, async (tx) => {
        const now = await serverById(tx, p.server_id)
        if (now) await patchServer(tx, now.id, { network_info: JSON.stringify((JSON.parse(now.network_info) as NicInfo[]).filter((one) => one.port_id !== p.port_id)) })
      })
    })
  })

const cardOf = (nic: NicInfo) => ({ port_id: nic.port_id, mac: nic.mac, ...(nic.tap === undefined ? {} : { tap: nic.tap }), ...(nic.mtu === undefined ? {} : { mtu: nic.mtu }) })

async function takeFromGuest(nova: Nova, serverId: string, portId: string, signal?: AbortSignal): Promise<void> {
  const server = await liveServer(nova, serverId)
  if (server.host_id === null) return
  await callCompute(nova, server.host_id, 'detachNic', { server_id: serverId, port_id: portId }, signal ? { signal } : {}).catch((thrown: unknown) => {
    if (!isFault(thrown, 'not_found')) throw thrown
  })
}
