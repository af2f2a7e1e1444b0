/** How the cloud is: for `ondol status`. */
import { type FlowTables, listFlows } from '#base/flow/journal.ts'
import type { ControlParts } from './control-socket.ts'

const HOUR = 3_600_000

export async function cloudStatus(parts: ControlParts): Promise<object> {
  const { cloud, machine, drivers, startedAt } = parts
  const now = machine.world.clock.now()
  const own = {
    url: machine.url,
    pid: process.pid,
    up_ms: now - startedAt,
    start_ms: Math.round(parts.startMs),
    drivers: drivers.kind,
    why: drivers.why,
    rss_mib: Math.round(process.memoryUsage.rss() / 2 ** 20),
  }
  if (!cloud) return { ...own, compute: { host: drivers.host, agents: machine.agents }, flows: { live: 0, failed: 0 }, services: machine.agents.map((name) => ({ name: `${name} agent`, host: drivers.host, state: 'up', detail: `control plane: ${machine.url}` })), degraded: [] }
  const flows = await listFlows(cloud.db.as<FlowTables>(), { limit: 1000 })
  const live = flows.filter((flow) => !['done', 'failed', 'cancelled'].includes(flow.state))
  const failed = flows.filter((flow) => flow.state === 'failed' && now - flow.updated_at < HOUR)
  const overdue = live.filter((flow) => flow.deadline_at < now)
  const degraded = [
    ...overdue.map((flow) => ({
      what: `${flow.house} ${flow.name} of ${flow.resource_id} is past its deadline and is being undone (step ${flow.step})`,
      todo: `See why: ./ondol trace ${flow.request_id}`,
    })),
  ]
  return {
    ...own,
    flows: { live: live.length, failed: failed.length },
    services: [...cloud.controls.values()].map(({ plate }) => ({ name: plate.name, host: drivers.host, state: 'up', detail: `${cloud.url}${plate.mount}` })),
    degraded,
  }
}
