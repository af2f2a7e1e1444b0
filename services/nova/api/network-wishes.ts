/** `networks` of a create, resolved with the user's own eyes: what they may not see they cannot use. */
import { conflict, forbidden, invalid, isFault } from '#base/fault.ts'
import { listNetworks, listPorts, type Network, showPort } from '#neutron/contract/network.ts'
import type { Caller } from '#stack/client.ts'
import { operation } from '#stack/contract.ts'
import type { Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import type { NicWish } from '../flows/ports.ts'
import type { Nova } from '../house.ts'

export interface NetworkWish {
  uuid?: string
  port?: string | null
  fixed_ip?: string
  tag?: string
}

const autoAllocated = operation<{ params: { project_id: string } }, { auto_allocated_topology: { id: string } }>('GET', '/v2.0/auto-allocated-topology/{project_id}')
const FIELDS = ['id', 'name', 'mtu', 'project_id', 'tenant_id', 'shared', 'router:external', 'subnets', 'admin_state_up']

export async function resolveNetworks(nova: Nova, rq: Rq<unknown>, caller: Caller, wish: readonly NetworkWish[] | 'none' | 'auto' | undefined, count: number): Promise<NicWish[]> {
  if (wish === 'none') return []
  if (wish === undefined || wish === 'auto' || wish.length === 0) return automatic(nova, rq, caller, wish === 'auto')
  const nics: NicWish[] = []
  for (const one of wish) nics.push(one.port ? await ofPort(nova, rq, caller, one, count) : ofNetwork(one, count))
  const ids = [...new Set(nics.map((nic) => nic.network_id))]
  const { networks } = await nova.client.call(caller, 'neutron', listNetworks, { query: { id: ids, fields: FIELDS } })
  const found = new Map(networks.map((network) => [network.id, network]))
  const missing = ids.filter((id) => !found.has(id))
  // A port may stand in a network that its owner cannot see: an administrator put it there.
  const unseen = missing.filter((id) => nics.some((nic) => nic.network_id === id && nic.port_id === undefined))
  if (unseen.length > 0) throw invalid(`Network ${unseen.join(', ')} could not be found.`, { field: 'networks' })
  for (const network of networks) {
    if (network['router:external'] && !network.shared && nics.some((nic) => nic.network_id === network.id && nic.port_id === undefined) && !rq.allows('network:attach_external_network')) {
      throw forbidden(`It is not allowed to create an interface on external network ${network.id}`)
    }
    if (network.subnets.length === 0 && nics.some((nic) => nic.network_id === network.id && nic.port_id === undefined)) throw invalid(`Network ${network.id} requires a subnet in order to boot instances on.`, { field: 'networks' })
  }
  const taken = nics.filter((nic) => nic.fixed_ip !== undefined)
  for (const nic of taken) {
    const { ports } = await nova.client.call(caller, 'neutron', listPorts, { query: { network_id: nic.network_id, fixed_ips: `ip_address=${nic.fixed_ip}`, fields: ['device_id'] } })
    if (ports.length > 0) throw invalid(`Fixed IP address ${nic.fixed_ip} is already in use on instance ${ports[0]!.device_id}.`, { field: 'fixed_ip' })
  }
  return nics.map((nic) => named(nic, found.get(nic.network_id)))
}

const named = (nic: NicWish, network: Pick<Network, 'name' | 'mtu'> | undefined): NicWish => ({ ...nic, network_name: network?.name ?? nic.network_id, ...(network?.mtu === undefined ? {} : { mtu: network.mtu }) })

async function ofPort(nova: Nova, rq: Rq<unknown>, caller: Caller, wish: NetworkWish, count: number): Promise<NicWish> {
  if (count > 1) throw invalid('Unable to launch multiple instances with a single configured port ID. Please launch your instance one by one with different ports.', { field: 'networks' })
  const { port } = await nova.client.call(caller, 'neutron', showPort, { params: { id: wish.port! } }).catch((thrown: unknown) => {
    if (isFault(thrown, 'not_found')) throw invalid(`Port id ${wish.port} could not be found.`, { field: 'networks' })
    throw thrown
  })
  if (port.device_id !== '') throw conflict(`Port ${port.id} is still in use.`, { code: 'nova.port_in_use' })
  if (port.project_id !== rq.context.project_id && !rq.allows('context_is_admin')) throw invalid(`Port ${port.id} not usable for instance.`, { field: 'networks' })
  if (port.resource_request !== null && port.resource_request !== undefined && rq.version < v('2.72')) throw invalid('Port with resource_request is only supported starting with compute API version 2.72.', { field: 'networks' })
  return { network_id: port.network_id, network_name: port.network_id, port_id: port.id, ...(wish.tag === undefined ? {} : { tag: wish.tag }) }
}

function ofNetwork(wish: NetworkWish, count: number): NicWish {
  if (wish.uuid === undefined) throw invalid('Bad networks format: missing network uuid or port', { field: 'networks' })
  if (wish.fixed_ip !== undefined && count > 1) throw invalid('max_count cannot be greater than 1 if a fixed_ip is specified.', { field: 'networks' })
  const id = wish.uuid.startsWith('br-') ? wish.uuid.slice(-36) : wish.uuid
  return { network_id: id, network_name: id, ...(wish.fixed_ip === undefined ? {} : { fixed_ip: wish.fixed_ip }), ...(wish.tag === undefined ? {} : { tag: wish.tag }) }
}

/** Nothing was said: the project's only network, or, of `auto`, the one that Neutron makes. */
async function automatic(nova: Nova, rq: Rq<unknown>, caller: Caller, auto: boolean): Promise<NicWish[]> {
  const { networks } = await nova.client.call(caller, 'neutron', listNetworks, { query: { fields: FIELDS } })
  const usable = networks.filter((network) => (network.project_id === rq.context.project_id || network.shared) && !network['router:external'] && network.subnets.length > 0)
  if (usable.length > 1) throw conflict('Multiple possible networks found, use a Network ID to be more specific.', { code: 'nova.network_ambiguous' })
  const [only] = usable
  if (only) return [named({ network_id: only.id, network_name: only.name }, only)]
  if (!auto) return []
  const { auto_allocated_topology } = await nova.client.call(caller, 'neutron', autoAllocated, { params: { project_id: rq.context.project_id ?? '' } }).catch((thrown: unknown) => {
    throw invalid('Unable to automatically allocate a network for project.', { field: 'networks', cause: thrown })
  })
  return [{ network_id: auto_allocated_topology.id, network_name: 'auto_allocated_network' }]
}
