/** What a server's row knows of its ports, read anew from Neutron. */
import { listNetworks, listPorts } from '#neutron/contract/network.ts'
import { listFloatingIps } from '#neutron/contract/router.ts'
import type { Nova } from '../house.ts'
import { patchServer, serverById } from '../store/servers.ts'
import type { NicInfo } from '../store/tables.ts'
import { nicOf } from './ports.ts'

/** What the row knows of the server's ports, read anew: addresses, floating addresses, ports that are gone. */
export async function refreshNetwork(nova: Nova, serverId: string): Promise<void> {
  const caller = await nova.service()
  const { ports } = await nova.client.call(caller, 'neutron', listPorts, { query: { device_id: serverId } })
  const byId = new Map(ports.map((port) => [port.id, port]))
  const floating = ports.length === 0 ? [] : await floatingIps(nova, ports.map((port) => port.id))
  const server = await serverById(nova.db, serverId)
  if (!server) return
  const known = JSON.parse(server.network_info) as NicInfo[]
  const unknown = ports.filter((port) => !known.some((nic) => nic.port_id === port.id))
  const names = new Map<string, string>()
  if (unknown.length > 0) for (const network of (await nova.client.call(caller, 'neutron', listNetworks, { query: { id: unknown.map((port) => port.network_id), fields: ['id', 'name'] } })).networks) names.set(network.id, network.name)
  const nics = [
    ...known.flatMap((nic) => {
      const port = byId.get(nic.port_id)
      return port ? [nicOf(port, nic, nic.own)] : []
    }),
    // While something is under way a port may be on its way in or out: whoever moves it writes it down.
    ...(server.task_state === null && known.length === 0 ? unknown.map((port) => nicOf(port, { network_name: names.get(port.network_id) ?? port.network_id }, false)) : []),
  ]
  for (const nic of nics) {
    for (const fixed of nic.fixed_ips) {
      const found = floating.filter((one) => one.port_id === nic.port_id && one.fixed_ip_address === fixed.ip).map((one) => one.floating_ip_address)
      if (found.length > 0) fixed.floating = found
    }
  }
  const text = JSON.stringify(nics)
  if (text !== server.network_info) await patchServer(nova.db, serverId, { network_info: text })
}

async function floatingIps(nova: Nova, portIds: readonly string[]): Promise<{ port_id: string | null; fixed_ip_address: string | null; floating_ip_address: string }[]> {
  return (await nova.client.call(await nova.service(), 'neutron', listFloatingIps, { query: { port_id: portIds } })).floatingips
}
