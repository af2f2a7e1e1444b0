/** Floating IPs: the address outside, the port inside, and the router between them. */
import { conflict, Fault, invalid, notFound } from '#base/fault.ts'
import type { Neutron } from '#neutron/house.ts'
import { routerBetween } from '#neutron/store/routers.ts'
import type { FloatingIpRow, NetworkRow, PortRow, T } from '#neutron/store/tables.ts'
import { type FixedIp, subnetsOf } from './addresses.ts'
import { createPort, wishOf } from './ports.ts'
import { but, store } from '#neutron/store/store.ts'

export const badFloating = (text: string): Fault => invalid(`Bad floatingip request: ${text}.`, { code: 'BadRequest' })

/** The port that holds the address outside. */
export async function outsidePort(house: Neutron, tx: T, fipId: string, network: NetworkRow, ask: { address: string | null; subnet_id: string | null }): Promise<PortRow> {
  if (!network['router:external']) throw badFloating(`Network ${network.id} is not a valid external network`)
  const subnets = await subnetsOf(tx, network.id)
  const wish = (fixed_ips: object[]) => wishOf({ project_id: '', device_owner: 'network:floatingip', device_id: fipId, fixed_ips })
  if (ask.address !== null || ask.subnet_id !== null) {
    return createPort(house, tx, wish([{ ...(ask.subnet_id === null ? {} : { subnet_id: ask.subnet_id }), ...(ask.address === null ? {} : { ip_address: ask.address }) }]), network, subnets)
  }
  const usable = subnets.filter((subnet) => subnet.ip_version === 4 && (subnet.service_types === '[]' || subnet.service_types.includes('"network:floatingip"')))
  for (const subnet of usable) {
    try {
      return await createPort(house, tx, wish([{ subnet_id: subnet.id }]), network, subnets)
    } catch (thrown) {
      if (!(thrown instanceof Fault && thrown.code === 'IpAddressGenerationFailure')) throw thrown
    }
  }
  throw subnets.length === 0 || usable.length > 0 || subnets.every((subnet) => subnet.ip_version === 6)
    ? conflict(`Unable to find any IP address on external network ${network.id}.`, { code: 'ExternalIpAddressExhausted' })
    : conflict(`No valid service subnet for the given device owner, network ${network.id}, service type network:floatingip.`, { code: 'IpAddressGenerationFailureNoMatchingSubnet' })
}

export interface Association {
  port_id: string
  fixed_ip_address: string
  router_id: string
}

/** Which of the port's addresses, and through which router. */
export async function associate(tx: T, fip: Pick<FloatingIpRow, 'id' | 'floating_network_id' | 'floating_ip_address'>, port: PortRow, asked: string | null | undefined): Promise<Association> {
  const fixed = (JSON.parse(port.fixed_ips) as FixedIp[]).filter((one) => !one.ip_address.includes(':'))
  let inside: FixedIp | undefined
  if (asked) {
    inside = fixed.find((one) => one.ip_address === asked)
    if (!inside) throw badFloating(`Port ${port.id} does not have fixed ip ${asked}`)
  } else {
    if (fixed.length === 0) throw badFloating(`Cannot add floating IP to port ${port.id} that has no fixed IPv4 addresses`)
    if (fixed.length > 1) throw badFloating(`Port ${port.id} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a floating IP`)
    inside = fixed[0]!
  }
  const other = await store.floatingIps.one(tx, { port_id: port.id, fixed_ip_address: inside.ip_address, floating_network_id: fip.floating_network_id, id: but(fip.id) }, ['id'])
  if (other) {
    throw conflict(`Cannot associate floating IP ${fip.floating_ip_address} (${fip.id}) with port ${port.id} using fixed IP ${inside.ip_address}, as that fixed IP already has a floating IP on external network ${fip.floating_network_id}.`, { code: 'FloatingIPPortAlreadyAssociated' })
  }
  const forwarded = await store.forwardings.one(tx, { internal_port_id: port.id, internal_ip_address: inside.ip_address }, ['id'])
  if (forwarded) throw conflict(`Bad floatingip request: Cannot associate with port ${port.id}: its address ${inside.ip_address} is forwarded to by port forwarding ${forwarded.id}.`, { code: 'BadRequest' })
  return { port_id: port.id, fixed_ip_address: inside.ip_address, router_id: await routerFor(tx, inside.subnet_id, port.id, fip.floating_network_id) }
}

export async function routerFor(tx: T, subnetId: string, portId: string, externalNetworkId: string): Promise<string> {
  const subnet = await store.subnets.one(tx, { id: subnetId }, ['gateway_ip'])
  const router = await routerBetween(tx, subnetId, subnet?.gateway_ip ?? null, externalNetworkId)
  if (!router) throw notFound(`External network ${externalNetworkId} is not reachable from subnet ${subnetId}.  Therefore, cannot associate Port ${portId} with a Floating IP.`, { code: 'ExternalGatewayForFloatingIPNotFound' })
  return router
}

/** A port goes: its floating IPs stay, without it. */
export async function leaveFloatingIps(house: Neutron, tx: T, port: Pick<PortRow, 'id'>): Promise<void> {
  const rows = await store.floatingIps.all(tx, { port_id: port.id }, ['id', 'router_id', 'revision_number'])
  for (const row of rows) {
    await store.floatingIps.change(tx, { id: row.id }, { port_id: null, fixed_ip_address: null, router_id: null, status: 'DOWN', updated_at: house.now(), revision_number: row.revision_number + 1 })
  }
  const routers = rows.flatMap((row) => row.router_id ?? [])
  if (routers.length > 0) house.notices.changed(tx, { routers })
  await store.forwardings.drop(tx, { internal_port_id: port.id })
}
