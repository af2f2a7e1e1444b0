/** Trunks and the ports in them. */
import { rowsIn } from './rows.ts'
import type { Q, SubportRow, TrunkRow } from './tables.ts'

export async function trunkOf(db: Q, portId: string): Promise<{ id: string; as: 'parent' | 'subport' } | undefined> {
  const parent = await db.query.selectFrom('neutron_trunks').select('id').where('port_id', '=', portId).executeTakeFirst()
  if (parent) return { id: parent.id, as: 'parent' }
  const sub = await db.query.selectFrom('neutron_subports').select('trunk_id').where('port_id', '=', portId).executeTakeFirst()
  return sub && { id: sub.trunk_id, as: 'subport' }
}

export async function subportsOf(db: Q, trunkIds: readonly string[]): Promise<SubportRow[]> {
  return (await rowsIn(db as never, 'neutron_subports', 'trunk_id', trunkIds)) as unknown as SubportRow[]
}

/** `trunk_details` of those ports that lead a trunk. */
export async function trunkDetails(db: Q, portIds: readonly string[]): Promise<Map<string, object>> {
  const trunks = (portIds.length > 50 ? await db.query.selectFrom('neutron_trunks').selectAll().execute() : await rowsIn(db as never, 'neutron_trunks', 'port_id', portIds)) as unknown as TrunkRow[]
  if (trunks.length === 0) return new Map()
  const subports = await subportsOf(db, trunks.map((trunk) => trunk.id))
  const macs = new Map((await rowsIn(db as never, 'neutron_ports', 'id', subports.map((one) => one.port_id), ['id', 'mac_address'])).map((row) => [row.id, row.mac_address]))
  const byTrunk = Map.groupBy(subports, (one) => one.trunk_id)
  return new Map(
    trunks.map((trunk) => [
      trunk.port_id,
      { trunk_id: trunk.id, sub_ports: (byTrunk.get(trunk.id) ?? []).map((one) => ({ port_id: one.port_id, segmentation_type: one.segmentation_type, segmentation_id: one.segmentation_id, mac_address: macs.get(one.port_id) })) },
    ]),
  )
}

/** What a trunk asks of the network of one of its ports. */
export async function networkOfPort(db: Q, portId: string): Promise<{ mtu: number; 'provider:network_type': string; 'provider:segmentation_id': number | null } | undefined> {
  return db.query.selectFrom('neutron_networks').innerJoin('neutron_ports', 'network_id', 'neutron_networks.id').select(['mtu', 'provider:network_type', 'provider:segmentation_id']).where('neutron_ports.id', '=', portId).executeTakeFirst()
}
