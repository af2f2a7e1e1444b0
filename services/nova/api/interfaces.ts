/** Interfaces of a server: Neutron's ports, seen and changed from here. */
import { conflict, invalid, isFault, notFound } from '#base/fault.ts'
import { listPorts, type Port, showPort } from '#neutron/contract/network.ts'
import type { Schema } from '#stack/schema.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import { byVersion, v } from '#stack/version.ts'
import { assertMay } from '../core/states.ts'
import type { Nova } from '../house.ts'
import type { NicInfo, ServerRow } from '../store/tables.ts'
import { type NetworkWish, resolveNetworks } from './network-wishes.ts'
import { deviceTag, envelope, object, uuidText } from './schemas.ts'
import { callerOf } from './server-create.ts'
import { authorizedServer, beginWork, isAdmin } from './server-steps.ts'

interface InterfaceWish {
  port_id?: string
  net_id?: string
  fixed_ips?: { ip_address: string }[]
  tag?: string
}

const wishSchema = (tagged: boolean): Schema =>
  envelope(
    'interfaceAttachment',
    object({
      port_id: uuidText, net_id: uuidText, fixed_ips: { type: 'array', minItems: 1, maxItems: 1, items: object({ ip_address: { type: 'string', pattern: '^[0-9a-fA-F:.]+$' } }, ['ip_address']) }, ...(tagged ? { tag: deviceTag } : {}),
    }),
  )

export function interfaceRoutes(nova: Nova): Route[] {
  const path = '/v2.1/servers/{server_id}/os-interface'
  return [
    route({
      method: 'GET', path, name: 'interfaces.list', status: 200,
      async handle(rq) {
        const server = await authorizedServer(nova, rq, 'os-attach-interfaces:list')
        const { ports } = await nova.client.call(await nova.service(), 'neutron', listPorts, { query: { device_id: server.id } })
        return { json: { interfaceAttachments: ports.map((port) => view(rq, port, server)) } }
      },
    }),
    route<{ interfaceAttachment: InterfaceWish }>({
      method: 'POST', path, name: 'interfaces.create', status: 200, body: byVersion({ '2.1': wishSchema(false), '2.49': wishSchema(true) }),
      async handle(rq) {
        return attach(nova, rq, await authorizedServer(nova, rq, 'os-attach-interfaces:create'), rq.body.interfaceAttachment)
      },
    }),
    route({
      method: 'GET', path: `${path}/{port_id}`, name: 'interfaces.show', status: 200,
      async handle(rq) {
        const server = await authorizedServer(nova, rq, 'os-attach-interfaces:show')
        return { json: { interfaceAttachment: view(rq, await portOf(nova, server, rq.params.port_id!), server) } }
      },
    }),
    route({
      method: 'DELETE', path: `${path}/{port_id}`, name: 'interfaces.delete', status: 202,
      async handle(rq) {
        const server = await authorizedServer(nova, rq, 'os-attach-interfaces:delete')
        assertMay('detachInterface', server, isAdmin(rq))
        const { id } = await portOf(nova, server, rq.params.port_id!)
        await beginWork(nova, rq, server, { action: 'detach_interface', event: 'compute_detach_interface', legal: 'detachInterface', flow: nova.flows.detachInterface, params: { port_id: id } })
        return {}
      },
    }),
  ]
}

async function attach(nova: Nova, rq: Rq<unknown>, server: ServerRow, wish: InterfaceWish): Promise<Reply> {
  if (wish.port_id !== undefined && wish.net_id !== undefined) throw invalid('Must not input both network_id and port_id', { field: 'net_id' })
  if (wish.fixed_ips !== undefined && wish.net_id === undefined) throw invalid('Must input network_id when request IP address', { field: 'fixed_ips' })
  assertMay('attachInterface', server, isAdmin(rq))
  if (server.host_id === null) throw conflict(`Instance ${server.id} is not ready`)
  const asked: NetworkWish[] | undefined =
    wish.port_id !== undefined ? [{ port: wish.port_id, ...(wish.tag === undefined ? {} : { tag: wish.tag }) }] : wish.net_id !== undefined ? [{ uuid: wish.net_id, ...(wish.fixed_ips ? { fixed_ip: wish.fixed_ips[0]!.ip_address } : {}), ...(wish.tag === undefined ? {} : { tag: wish.tag }) }] : undefined
  const [nic] = await resolveNetworks(nova, rq, callerOf(rq), asked, 1).catch((thrown: unknown) => {
    // A port or network that is not there is not found here, and a wrong wish at create.
    if (isFault(thrown, 'invalid') && /could not be found/.test(thrown.message)) throw notFound(thrown.message, { cause: thrown })
    throw thrown
  })
  if (!nic) throw invalid('There is no network to attach the server to.')
  const had = (JSON.parse(server.network_info) as NicInfo[]).map((one) => one.port_id)
  const work = await beginWork(nova, rq, server, { action: 'attach_interface', event: 'compute_attach_interface', legal: 'attachInterface', flow: nova.flows.attachInterface, params: { wish: nic, had }, also: async (_tx, about) => nova.wakes.expect(about.action_id) })
  await nova.wakes.outcome(work.action_id, server.id, rq.http.signal ?? new AbortController().signal)
  const { ports } = await nova.client.call(await nova.service(), 'neutron', listPorts, { query: { device_id: server.id } })
  const port = ports.find((one) => !had.includes(one.id))
  if (!port) throw conflict('The interface was taken away meanwhile.')
  return { json: { interfaceAttachment: view(rq, port, server) } }
}

async function portOf(nova: Nova, server: ServerRow, portId: string): Promise<Port> {
  const { port } = await nova.client.call(await nova.service(), 'neutron', showPort, { params: { id: portId } }).catch((thrown: unknown) => {
    if (isFault(thrown, 'not_found')) throw notFound(`Port id ${portId} could not be found.`, { cause: thrown })
    throw thrown
  })
  if (port.device_id !== server.id) throw notFound(`Instance ${server.id} does not have a port with id ${portId}`)
  return port
}

function view(rq: Rq<unknown>, port: Port, server: ServerRow): Record<string, unknown> {
  const tag = (JSON.parse(server.network_info) as NicInfo[]).find((nic) => nic.port_id === port.id)?.tag ?? null
  return { port_id: port.id, net_id: port.network_id, mac_addr: port.mac_address, port_state: port.status, fixed_ips: port.fixed_ips.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address })), ...(rq.version >= v('2.70') ? { tag } : {}) }
}
