/** How the cloud is, what is degraded, and what to do about it: for `ondol status`. */
import { faultChain } from '#base/fault.ts'
import type { FlowView } from '#base/flow/definition.ts'
import { type FlowTables, listFlows } from '#base/flow/journal.ts'
import type { ControlParts } from './control-socket.ts'
import type { Cloud } from './start-cloud.ts'

const HOUR = 3_600_000

export interface ServiceStatus {
  name: string
  host: string
  state: 'up' | 'down' | 'disabled'
  detail: string
}

export interface Degraded {
  what: string
  todo: string
}

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
  const degraded: Degraded[] = []
  const flows = await listFlows(cloud.db.as<FlowTables>(), { limit: 1000 }).catch((thrown: unknown): FlowView[] => {
    degraded.push({ what: `The database does not answer: ${faultChain(thrown)}`, todo: 'Machines go on. Bring the database back; nothing else needs to be restarted.' })
    return []
  })
  if (!cloud.bus.up) degraded.push({ what: 'The message broker cannot be reached', todo: 'Machines go on and what is under way waits. Bring the broker back; every process connects again by itself.' })
  const services = [...cloud.controls.values()].map(({ plate }): ServiceStatus => ({ name: plate.name, host: drivers.host, state: 'up', detail: `${cloud.url}${plate.mount}` }))
  // With the database away nobody can be asked.
  if (degraded.length === 0) services.push(...(await agentsOf(cloud)))
  for (const { name, host } of services.filter((one) => one.state === 'down')) degraded.push({ what: `${name} on ${host} gives no sign`, todo: `Its machines, networks and disks go on; nothing new is placed there. Start it again on ${host}: ./ondol up` })
  const live = flows.filter((flow) => !['done', 'failed', 'cancelled'].includes(flow.state))
  degraded.push(...flowTroubles(live, now), ...(await guestImageTrouble(cloud)))
  const database = await cloud.databaseMove.view()
  if (database.state === 'stopped' || database.state === 'failed') {
    degraded.push({ what: `A move of the database to ${database.to} stands still: ${database.error ?? `${database.behind ?? 0} changes wait for it`}`, todo: `Go on: ./ondol data move --to …; or give it up: ./ondol data move --abandon` })
  }
  return { ...own, database, flows: { live: live.length, failed: flows.filter((flow) => flow.state === 'failed' && now - flow.updated_at < HOUR).length }, services, degraded }
}

function flowTroubles(live: readonly FlowView[], now: number): Degraded[] {
  return live
    .filter((flow) => flow.deadline_at < now)
    .map((flow) => ({
      what: `${flow.house} ${flow.name} of ${flow.resource_id} is past its deadline and is being undone (step ${flow.step})`,
      todo: `See why: ./ondol trace ${flow.request_id}; try its step at once: ./ondol operations retry ${flow.id}`,
    }))
}

/** Nothing while it is being made. */
async function guestImageTrouble(cloud: Cloud): Promise<Degraded[]> {
  const state = await Promise.race([cloud.guestImage.then(() => undefined, (thrown: unknown) => faultChain(thrown)), Promise.resolve(undefined)])
  return state === undefined ? [] : [{ what: `The image ondol-guest could not be made: ${state}`, todo: 'Mend what it names and start again (./ondol down; ./ondol up), or upload an image of your own.' }]
}

interface Reported {
  binary: string
  host: string
  state?: string
  alive?: boolean
  status?: string
  admin_state_up?: boolean
  disabled_reason?: string | null
}

/** What Nova, Neutron and Cinder know of their agents, by their own APIs. */
async function agentsOf(cloud: Cloud): Promise<ServiceStatus[]> {
  const { username, password, project_name } = cloud.credentials.admin
  const domain = { name: 'Default' }
  const login = await cloud.fetch('/identity/v3/auth/tokens', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: username, domain, password: password.reveal() } } }, scope: { project: { name: project_name, domain } } } }),
  })
  const token = login.headers.get('x-subject-token') ?? ''
  const all = await Promise.all(
    [['/compute/v2.1/os-services', 'services'], ['/networking/v2.0/agents', 'agents'], ['/volume/v3/os-services', 'services']].map(async ([path, noun]) => {
      const answer = await cloud.fetch(path!, { headers: { 'x-auth-token': token } })
      return answer.ok ? ((await answer.json()) as Record<string, Reported[]>)[noun!]! : []
    }),
  )
  return all.flat().map(({ binary, host, state, alive, status, admin_state_up, disabled_reason }) => ({
    name: binary,
    host,
    state: (alive ?? state === 'up') ? (status === 'disabled' || admin_state_up === false ? 'disabled' : 'up') : 'down',
    detail: disabled_reason ?? '',
  }))
}
