/** Fixed and floating addresses of a server by the old actions, until 2.43; Neutron's ports do it since. */
import { conflict, invalid, isFault, notFound } from '#base/fault.ts'
import { listPorts, listSubnets, updatePort } from '#neutron/contract/network.ts'
import { type FloatingIp, listFloatingIps, updateFloatingIp } from '#neutron/contract/router.ts'
import type { Route, Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { refreshNetwork } from '../flows/network-info.ts'
import type { Nova } from '../house.ts'
import type { NicInfo, ServerRow } from '../store/tables.ts'
import { envelope, object } from './schemas.ts'
import { actionRoute } from './server-actions.ts'
import { callerOf } from './server-create.ts'

const address = { type: 'string', minLength: 1, maxLength: 64, pattern: '^[0-9a-fA-F.:]+$' }
const text = { type: 'string', minLength: 1, maxLength: 255 }

export function serverAddressRoutes(nova: Nova): Route[] {
  const until = v('2.43')
  return [
    actionRoute<{ networkId: string | number }>(nova, { key: 'addFixedIp', rule: 'os-multinic:add', until, body: envelope('addFixedIp', object({ networkId: { anyOf: [text, { type: 'integer', minimum: 1 }] } }, ['networkId'])) }, (rq, server) => addFixed(nova, server, String(rq.body.networkId))),
    actionRoute<{ address: string }>(nova, { key: 'removeFixedIp', rule: 'os-multinic:remove', until, body: envelope('removeFixedIp', object({ address }, ['address'])) }, (rq, server) => removeFixed(nova, server, rq.body.address)),
    actionRoute<{ address: string; fixed_address?: string }>(
      nova,
      { key: 'addFloatingIp', rule: 'os-floating-ips:add', until, body: envelope('addFloatingIp', object({ address, fixed_address: address }, ['address'])) },
      (rq, server) => addFloating(nova, rq, server, rq.body.address, rq.body.fixed_address),
    ),
    actionRoute<{ address: string }>(nova, { key: 'removeFloatingIp', rule: 'os-floating-ips:remove', until, body: envelope('removeFloatingIp', object({ address }, ['address'])) }, (rq, server) => removeFloating(nova, rq, server, rq.body.address)),
  ]
}

const nicsOf = (server: ServerRow): NicInfo[] => JSON.parse(server.network_info) as NicInfo[]

async function addFixed(nova: Nova, server: ServerRow, networkId: string): Promise<void> {
  const caller = await nova.service()
  const { ports } = await nova.client.call(caller, 'neutron', listPorts, { query: { device_id: server.id, network_id: networkId } })
  const { subnets } = await nova.client.call(caller, 'neutron', listSubnets, { query: { network_id: networkId } })
  const [port] = ports
  if (!port || subnets.length === 0) throw invalid(`Network ${networkId} is not one of instance ${server.id}, or has no subnet.`, { field: 'networkId' })
  await nova.client.call(caller, 'neutron', updatePort, { params: { id: port.id }, body: { port: { fixed_ips: [...port.fixed_ips, { subnet_id: subnets[0]!.id }] } } }).catch((thrown: unknown) => {
    if (isFault(thrown, 'conflict')) throw invalid(`No fixed IP addresses available for network: ${networkId}`, { cause: thrown })
    throw thrown
  })
  await refreshNetwork(nova, server.id)
}

async function removeFixed(nova: Nova, server: ServerRow, wanted: string): Promise<void> {
  const caller = await nova.service()
  const { ports } = await nova.client.call(caller, 'neutron', listPorts, { query: { device_id: server.id } })
  const port = ports.find((one) => one.fixed_ips.some((fixed) => fixed.ip_address === wanted))
  if (!port) throw invalid(`Fixed IP address ${wanted} is not one of instance ${server.id}.`, { field: 'address' })
  await nova.client.call(caller, 'neutron', updatePort, { params: { id: port.id }, body: { port: { fixed_ips: port.fixed_ips.filter((fixed) => fixed.ip_address !== wanted) } } })
  await refreshNetwork(nova, server.id)
}

async function floating(nova: Nova, rq: Rq<unknown>, wanted: string): Promise<FloatingIp> {
  const { floatingips } = await nova.client.call(callerOf(rq), 'neutron', listFloatingIps, { query: { floating_ip_address: wanted } })
  if (!floatingips[0]) throw notFound('floating IP not found')
  return floatingips[0]
}

async function addFloating(nova: Nova, rq: Rq<unknown>, server: ServerRow, wanted: string, fixed: string | undefined): Promise<void> {
  const all = nicsOf(server).flatMap((nic) => nic.fixed_ips.filter((one) => one.version === 4).map((one) => ({ port_id: nic.port_id, ip: one.ip })))
  if (all.length === 0) throw invalid('No fixed IPs associated to instance')
  const target = fixed === undefined ? all[0] : all.find((one) => one.ip === fixed)
  if (!target) throw invalid('Specified fixed address not assigned to instance', { field: 'fixed_address' })
  const found = await floating(nova, rq, wanted)
  await nova.client.call(callerOf(rq), 'neutron', updateFloatingIp, { params: { id: found.id }, body: { floatingip: { port_id: target.port_id, fixed_ip_address: target.ip } } }).catch((thrown: unknown) => {
    if (isFault(thrown, 'not_found') || isFault(thrown, 'conflict') || isFault(thrown, 'invalid')) throw invalid(`Unable to associate floating IP ${wanted} to fixed IP ${target.ip} for instance ${server.id}. Error: ${thrown.message}`, { cause: thrown })
    throw thrown
  })
  await refreshNetwork(nova, server.id)
  // It may have been another server's until now.
  const before = found.port_details?.device_id
  if (before && before !== server.id) await refreshNetwork(nova, before)
}

async function removeFloating(nova: Nova, rq: Rq<unknown>, server: ServerRow, wanted: string): Promise<void> {
  const found = await floating(nova, rq, wanted)
  const ports = nicsOf(server).map((nic) => nic.port_id)
  if (found.port_id === null || !ports.includes(found.port_id)) throw conflict(`Floating IP ${wanted} is not associated with instance ${server.id}.`)
  await nova.client.call(callerOf(rq), 'neutron', updateFloatingIp, { params: { id: found.id }, body: { floatingip: { port_id: null } } })
  await refreshNetwork(nova, server.id)
}
