/** Subports go where their trunk's parent is, and a trunk is as well as the ports in it. */
import type { Neutron } from '#neutron/house.ts'
import { rowsIn } from '#neutron/store/rows.ts'
import type { PortRow, T, TrunkRow } from '#neutron/store/tables.ts'
import { store } from '#neutron/store/store.ts'
import { subportsOf } from '#neutron/store/trunks.ts'
import { updatePort, wishOf } from './ports.ts'

/** The parent of a trunk was bound to another host, or to none; costs one read for a port that leads no trunk. */
export async function followParent(house: Neutron, tx: T, parentId: string, host: string): Promise<void> {
  const trunk = await store.trunks.one(tx, { port_id: parentId })
  if (!trunk) return
  const subports = await subportsOf(tx, [trunk.id])
  for (const row of (await rowsIn(tx as never, 'neutron_ports', 'id', subports.map((one) => one.port_id))) as unknown as PortRow[]) {
    if (row['binding:host_id'] !== host) await updatePort(house, tx, row, wishOf({ 'binding:host_id': host }))
  }
  await refreshTrunks(house, tx, [trunk])
}

/** Trunks of which one of these ports is the parent or a subport. */
export async function refreshTrunksOf(house: Neutron, tx: T, portIds: readonly string[]): Promise<void> {
  const parents = (await rowsIn(tx as never, 'neutron_trunks', 'port_id', portIds)) as unknown as TrunkRow[]
  const within = await rowsIn(tx as never, 'neutron_subports', 'port_id', portIds, ['trunk_id'])
  const others = (await rowsIn(tx as never, 'neutron_trunks', 'id', [...new Set(within.map((row) => row.trunk_id as string))])) as unknown as TrunkRow[]
  await refreshTrunks(house, tx, [...new Map([...parents, ...others].map((trunk) => [trunk.id, trunk])).values()])
}

async function refreshTrunks(house: Neutron, tx: T, trunks: readonly TrunkRow[]): Promise<void> {
  if (trunks.length === 0) return
  const subports = await subportsOf(tx, trunks.map((trunk) => trunk.id))
  const ids = [...trunks.map((trunk) => trunk.port_id), ...subports.map((one) => one.port_id)]
  const active = new Set((await rowsIn(tx as never, 'neutron_ports', 'id', ids, ['id', 'status'])).flatMap((row) => (row.status === 'ACTIVE' ? [row.id as string] : [])))
  for (const trunk of trunks) {
    const whole = subports.every((one) => one.trunk_id !== trunk.id || active.has(one.port_id))
    const status = !active.has(trunk.port_id) ? 'DOWN' : whole ? 'ACTIVE' : 'DEGRADED'
    if (status !== trunk.status) await store.trunks.change(tx, { id: trunk.id }, { status, updated_at: house.now(), revision_number: trunk.revision_number + 1 })
  }
}
