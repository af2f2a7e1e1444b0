/** Taking ports away, with everything that hangs on them. */
import type { Neutron } from '#neutron/house.ts'
import type { PortRow, T } from '#neutron/store/tables.ts'

export type Leaving = Pick<PortRow, 'id' | 'device_owner' | 'device_id' | 'binding:host_id'> & Partial<Pick<PortRow, 'security_groups' | 'network_id' | 'project_id'>>

export async function deletePortRows(house: Neutron, tx: T, ports: readonly Leaving[]): Promise<void> {
  const ids = ports.map((port) => port.id)
  const of = ids.length === 1 ? (['=', ids[0]] as const) : (['in', ids] as const)
  const [op, value] = of as readonly ['in', string[]]
  await tx.query.deleteFrom('neutron_ip_allocations').where('port_id', op, value).execute()
  if (ports.some((port) => port.security_groups !== '[]')) await tx.query.deleteFrom('neutron_port_security_groups').where('port_id', op, value).execute()
  const bound = ports.filter((port) => port['binding:host_id'] !== '')
  if (bound.length > 0) await tx.query.deleteFrom('neutron_port_bindings').where('port_id', op, value).execute()
  await tx.query.deleteFrom('neutron_ports').where('id', op, value).execute()
  for (const port of bound) {
    house.notices.changed(tx, { ports: [port.id], ...(port.network_id === undefined ? {} : { networks: [port.network_id] }) }, port['binding:host_id'])
    house.notices.nova(tx, 'network-vif-deleted', port)
  }
  const sets = [...new Set(bound.flatMap((port) => JSON.parse(port.security_groups ?? '[]') as string[]))]
  if (sets.length > 0) house.notices.changed(tx, { sets })
}
