/** What agents tell: that they live, and what is wired. */
import type { Heartbeat, MetadataAnswer, MetadataQuestion, PortStatusReport } from '#neutron/contract/rpc.ts'
import type { Neutron } from '#neutron/house.ts'
import { rowsIn } from '#neutron/store/rows.ts'
import type { PortRow } from '#neutron/store/tables.ts'
import { but, store } from '#neutron/store/store.ts'
import { holdersOf } from '#neutron/store/addresses.ts'
import { refreshTrunksOf } from './trunks.ts'
import { networksBehind } from '#neutron/store/routers.ts'

export async function takeHeartbeat(house: Neutron, beat: Heartbeat): Promise<void> {
  const now = house.now()
  await house.db.transaction(async (tx) => {
    const known = new Map((await store.agents.all(tx, { host: beat.host }, ['id', 'agent_type'])).map((row) => [row.agent_type, row.id]))
    for (const state of beat.agents) {
      const id = known.get(state.agent_type)
      const facts = { binary: state.binary, topic: state.topic, configurations: JSON.stringify(state.configurations), availability_zone: beat.availability_zone, started_at: beat.started_at, heartbeat_timestamp: now }
      if (id) await store.agents.change(tx, { id }, facts)
      else await store.agents.add(tx, { id: house.world.random.uuid(), agent_type: state.agent_type, host: beat.host, admin_state_up: 1, description: null, created_at: now, ...facts })
    }
    // Rows by their ids, and new ones by a unique key.
  }, { guarded: true })
}

/** DOWN → ACTIVE when wired, with the device's name for the hypervisor; Nova hears of guests' ports. */
export async function takeReport(house: Neutron, report: PortStatusReport): Promise<void> {
  const active = new Map(report.ports.map((one) => [one.id, one]))
  if (active.size + (report.routers?.length ?? 0) === 0) return
  // Most reports say what is known already; those cost one read.
  if (!(await news(house, report))) return
  await house.db.transaction(async (tx) => {
    const moved: string[] = []
    for (const row of (await rowsIn(tx as never, 'neutron_ports', 'id', [...active.keys()])) as unknown as PortRow[]) {
      const said = active.get(row.id)!
      const next = nextOf(row, report.host, said)
      if (!next) continue
      await store.ports.change(tx, { id: row.id }, { ...next, updated_at: house.now(), revision_number: row.revision_number + 1 })
      if (next.status !== row.status) moved.push(row.id)
      if (next.status !== row.status) house.notices.nova(tx, next.status === 'ACTIVE' ? 'network-vif-plugged' : 'network-vif-unplugged', row)
    }
    if (moved.length > 0) await refreshTrunksOf(house, tx, moved)
    for (const router of report.routers ?? []) {
      const status = router.status === 'ACTIVE' ? 'ACTIVE' : 'DOWN'
      const fips = await store.floatingIps.all(tx, { router_id: router.id, status: but(status) }, ['id', 'status', 'revision_number', 'floating_ip_address'])
      for (const fip of fips) if (router.floating_ips.includes(fip.floating_ip_address)) await store.floatingIps.change(tx, { id: fip.id }, { status, updated_at: house.now(), revision_number: fip.revision_number + 1 })
    }
  })
}

async function news(house: Neutron, report: PortStatusReport): Promise<boolean> {
  const said = new Map(report.ports.map((one) => [one.id, one]))
  const rows = (await rowsIn(house.db as never, 'neutron_ports', 'id', [...said.keys()], ['id', 'status', 'admin_state_up', 'binding:host_id', 'binding:vif_type', 'binding:vif_details'])) as unknown as PortRow[]
  if (rows.some((row) => nextOf(row, report.host, said.get(row.id)!))) return true
  const fips = await rowsIn(house.db as never, 'neutron_floatingips', 'router_id', (report.routers ?? []).map((one) => one.id), ['router_id', 'status', 'floating_ip_address'])
  return fips.some((fip) => report.routers!.some((router) => router.id === fip.router_id && router.status !== fip.status && router.floating_ips.includes(fip.floating_ip_address as string)))
}

function nextOf(row: PortRow, host: string, said: PortStatusReport['ports'][number]): Pick<PortRow, 'status' | 'binding:vif_type' | 'binding:vif_details'> | undefined {
  // A late report about a port that has moved on says nothing.
  if (row['binding:host_id'] !== host) return undefined
  const status = said.status === 'ACTIVE' && row.admin_state_up === 1 ? 'ACTIVE' : 'DOWN'
  const details = row['binding:vif_details']
  const next = said.device === undefined ? details : JSON.stringify({ ...(JSON.parse(details) as object), tap_name: said.device, ...(said.netns === undefined ? {} : { netns: said.netns }) })
  const type = said.status === 'ACTIVE' && row['binding:vif_type'] === 'binding_failed' ? 'tap' : row['binding:vif_type']
  return status === row.status && next === details && type === row['binding:vif_type'] ? undefined : { status, 'binding:vif_type': type, 'binding:vif_details': next }
}

/** The guest that has an address, on a network or on one of a router's networks. */
export async function instanceAt(house: Neutron, ask: MetadataQuestion): Promise<MetadataAnswer | null> {
  let networks: string[] = []
  if (ask.network_id !== undefined) networks = [ask.network_id]
  else if (ask.router_id !== undefined) networks = await networksBehind(house.db, ask.router_id)
  const rows = await holdersOf(house.db, networks, ask.remote_address)
  const guests = rows.filter((row) => row.device_id !== '' && row.device_owner.startsWith('compute:'))
  // Two networks of one router may not overlap, so more than one answer is a reason to give none.
  return guests.length === 1 ? { instance_id: guests[0]!.device_id, project_id: guests[0]!.project_id } : null
}
