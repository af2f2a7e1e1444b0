/** Taking ports away, with everything that hangs on them. */
import type { Neutron } from '#neutron/house.ts'
import type { PortRow, T } from '#neutron/store/tables.ts'
import { remoteAmong } from '#neutron/store/security-groups.ts'
import { store } from '#neutron/store/store.ts'

export type Leaving = Pick<PortRow, 'id' | 'device_owner' | 'device_id' | 'binding:host_id'> & Partial<Pick<PortRow, 'security_groups' | 'network_id' | 'project_id'>>

export async function deletePortRows(house: Neutron, tx: T, ports: readonly Leaving[]): Promise<void> {
  const ids = ports.map((port) => port.id)
  const bound = ports.filter((port) => port['binding:host_id'] !== '')
  await store.allocations.drop(tx, { port_id: ids })
  if (ports.some((port) => port.security_groups !== '[]')) await store.portGroups.drop(tx, { port_id: ids })
  if (bound.length > 0) await store.portBindings.drop(tx, { port_id: ids })
  await store.ports.drop(tx, { id: ids })
  for (const port of bound) {
    house.notices.changed(tx, { ports: [port.id], ...(port.network_id === undefined ? {} : { networks: [port.network_id] }) }, port['binding:host_id'])
    house.notices.nova(tx, 'network-vif-deleted', port)
  }
  const sets = await remoteAmong(tx, [...new Set(bound.flatMap((port) => JSON.parse(port.security_groups ?? '[]') as string[]))])
  if (sets.length > 0) house.notices.changed(tx, { sets })
}
