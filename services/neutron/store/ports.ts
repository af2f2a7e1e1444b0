/** Ports of a network that belong to others than its owner. */
import type { Q } from './tables.ts'

/** Devices of the network itself count for nobody. */
const OWN = ['network:dhcp', 'network:router_gateway', 'network:floatingip']

export interface StrangerAsk {
  network_id: string
  owner: string
  /** Only this project; absent: any that is not in `guests`. */
  project?: string
  guests: readonly string[]
}

export async function strangerAt(db: Q, ask: StrangerAsk): Promise<boolean> {
  let query = db.query.selectFrom('neutron_ports').select('id').where('network_id', '=', ask.network_id).where('project_id', '!=', ask.owner).where('project_id', '!=', '').where('device_owner', 'not in', OWN)
  if (ask.project !== undefined) query = query.where('project_id', '=', ask.project)
  else if (ask.guests.length > 0) query = query.where('project_id', 'not in', ask.guests)
  return (await query.executeTakeFirst()) !== undefined
}
