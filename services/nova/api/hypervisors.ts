/** Hypervisors: hosts as their drivers report them. Known by number before 2.53, by uuid since; without figures of use from 2.88. */
import { type Fault, invalid, notFound } from '#base/fault.ts'
import { isUuidLike } from '#base/ids.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import type { Schema } from '#stack/schema.ts'
import { byVersion, v } from '#stack/version.ts'
import type { ComputeFacts } from '#nova/drivers/interface.ts'
import type { Nova } from '../house.ts'
import { computeNodes, services } from '../store/computes.ts'
import { type HostUsage, hostUsages, NO_USAGE, serversOnHosts } from '../store/host-usage.ts'
import type { ComputeNodeRow, ServiceRow } from '../store/tables.ts'
import { nextLink } from './links.ts'
import { limitOf } from './paging.ts'
import { boolOf, last, querySchema } from './queries.ts'
import { isUp } from './service-steps.ts'

const SINCE_253 = ['limit', 'marker', 'hypervisor_hostname_pattern', 'with_servers']
const flagText: Schema = { type: 'string', pattern: '^(?:[Tt]([Rr][Uu][Ee])?|[Yy]([Ee][Ss])?|[Oo][Nn]|1|[Ff]([Aa][Ll][Ss][Ee])?|[Nn][Oo]?|[Oo][Ff][Ff]|0)$' }
const values = { with_servers: flagText, hypervisor_hostname_pattern: { type: 'string', minLength: 1, maxLength: 255 } }
const listQuery = byVersion<Schema>({ '2.1': querySchema([], false), '2.33': querySchema(['limit', 'marker'], false), '2.53': querySchema(SINCE_253, false, values), '2.75': querySchema(SINCE_253, true, values) })
const showQuery = byVersion<Schema>({ '2.1': querySchema([], false), '2.53': querySchema(['with_servers'], false, values), '2.75': querySchema(['with_servers'], true, values) })

export function hypervisorRoutes(nova: Nova): Route[] {
  const all = '/v2.1/os-hypervisors'
  const one = `${all}/{hypervisor_id}`
  const p = (verb: string): string => `os_compute_api:os-hypervisors:${verb}`
  return [
    route({ method: 'GET', path: all, name: 'hypervisors.index', policy: p('list'), query: listQuery, status: 200, handle: (rq) => list(nova, rq, false) }),
    route({ method: 'GET', path: `${all}/detail`, name: 'hypervisors.detail', policy: p('list-detail'), query: listQuery, status: 200, handle: (rq) => list(nova, rq, true) }),
    route({ method: 'GET', path: `${all}/statistics`, name: 'hypervisors.statistics', until: v('2.87'), policy: p('statistics'), status: 200, handle: () => statistics(nova) }),
    // Afterwards the word is an id, and a bad one.
    route({ method: 'GET', path: `${all}/statistics`, name: 'hypervisors.no-statistics', since: v('2.88'), policy: p('show'), status: 200, handle: () => badId('statistics') }),
    route({ method: 'GET', path: one, name: 'hypervisors.show', policy: p('show'), query: showQuery, status: 200, handle: (rq) => show(nova, rq) }),
    route({ method: 'GET', path: `${one}/uptime`, name: 'hypervisors.uptime', until: v('2.87'), policy: p('uptime'), status: 200, handle: (rq) => uptime(nova, rq) }),
    route({ method: 'GET', path: `${one}/search`, name: 'hypervisors.search', until: v('2.52'), policy: p('search'), status: 200, handle: (rq) => search(nova, rq, false) }),
    route({ method: 'GET', path: `${one}/servers`, name: 'hypervisors.servers', until: v('2.52'), policy: p('servers'), status: 200, handle: (rq) => search(nova, rq, true) }),
  ]
}

interface Node {
  row: ComputeNodeRow
  service: ServiceRow
  facts: ComputeFacts
}

async function nodes(nova: Nova): Promise<Node[]> {
  const [rows, all] = await Promise.all([computeNodes(nova.db), services(nova.db)])
  const serviceOf = new Map(all.map((service) => [service.id, service]))
  return rows.flatMap((row) => {
    const service = serviceOf.get(row.service_id)
    return service ? [{ row, service, facts: JSON.parse(row.facts) as ComputeFacts }] : []
  })
}

const byUuid = (rq: Rq<unknown>): boolean => rq.version >= v('2.53')
const idOf = (rq: Rq<unknown>, row: ComputeNodeRow): string | number => (byUuid(rq) ? row.uuid : row.id)

async function list(nova: Nova, rq: Rq<unknown>, detail: boolean): Promise<Reply> {
  const { version, query } = rq
  const pattern = version >= v('2.53') ? last(query, 'hypervisor_hostname_pattern') : undefined
  const paged = version >= v('2.33')
  const limit = paged ? limitOf(query, nova.config.max_limit) : Number.MAX_SAFE_INTEGER
  const marker = paged ? last(query, 'marker') : undefined
  if (pattern !== undefined && (query.has('limit') || marker !== undefined)) throw invalid('Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported.', { field: 'hypervisor_hostname_pattern' })
  let found = await nodes(nova)
  if (pattern !== undefined) {
    found = matching(found, pattern)
    if (found.length === 0) throw noMatch(pattern)
  }
  if (marker !== undefined) {
    const at = found.findIndex(({ row }) => String(idOf(rq, row)) === marker)
    if (at < 0) throw invalid(`marker [${marker.slice(0, 100)}] not found`, { field: 'marker' })
    found = found.slice(at + 1)
  }
  const page = found.slice(0, limit)
  const withServers = byUuid(rq) && boolOf(last(query, 'with_servers') ?? 'false') === true
  const hypervisors = await views(nova, rq, page, { detail, withServers })
  return { json: { hypervisors, ...(paged && found.length > page.length && page.length > 0 ? { hypervisors_links: nextLink(rq, String(idOf(rq, page.at(-1)!.row))) } : {}) } }
}

const matching = (all: readonly Node[], pattern: string): Node[] => all.filter(({ row }) => row.hypervisor_hostname.toLowerCase().includes(pattern.toLowerCase()))
const noMatch = (pattern: string) => notFound(`No hypervisor matching '${pattern}' could be found.`)

async function search(nova: Nova, rq: Rq<unknown>, withServers: boolean): Promise<Reply> {
  const pattern = rq.params.hypervisor_id!
  const found = matching(await nodes(nova), pattern)
  if (found.length === 0) throw noMatch(pattern)
  return { json: { hypervisors: await views(nova, rq, found, { detail: false, withServers }) } }
}

const noHypervisor = (id: string): Fault => notFound(`Compute host ${id} could not be found.`)

function badId(id: string): never {
  throw invalid(`Invalid uuid ${id}`, { field: 'hypervisor_id' })
}

async function load(nova: Nova, rq: Rq<unknown>): Promise<Node> {
  const id = rq.params.hypervisor_id!
  if (byUuid(rq) && !isUuidLike(id)) badId(id)
  const node = (await nodes(nova)).find(({ row }) => String(idOf(rq, row)) === id)
  if (!node) throw noHypervisor(id)
  return node
}

async function show(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const withServers = byUuid(rq) && boolOf(last(rq.query, 'with_servers') ?? 'false') === true
  return { json: { hypervisor: (await views(nova, rq, [await load(nova, rq)], { detail: true, withServers }))[0] } }
}

async function uptime(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const node = await load(nova, rq)
  if (!isUp(nova, node.service)) throw invalid(`Compute service of ${node.row.host} is unavailable at this time.`)
  return { json: { hypervisor: { ...brief(nova, rq, node), uptime: node.facts.uptime ?? '' } } }
}

function brief(nova: Nova, rq: Rq<unknown>, { row, service }: Node): Record<string, unknown> {
  return { id: idOf(rq, row), hypervisor_hostname: row.hypervisor_hostname, state: isUp(nova, service) ? 'up' : 'down', status: service.disabled === 1 ? 'disabled' : 'enabled' }
}

async function views(nova: Nova, rq: Rq<unknown>, page: readonly Node[], { detail, withServers }: { detail: boolean; withServers: boolean }): Promise<unknown[]> {
  const ids = page.map(({ row }) => row.uuid)
  const figures = detail && rq.version < v('2.88')
  const usages = figures ? await hostUsages(nova.db, ids) : new Map<string, HostUsage>()
  const servers = withServers ? await serversOnHosts(nova.db, ids) : new Map<string, { uuid: string; name: string }[]>()
  return page.map((node) => {
    const { row, service, facts } = node
    const own = servers.get(row.uuid)
    return {
      ...brief(nova, rq, node),
      ...(detail
        ? {
            hypervisor_type: facts.hypervisor_type,
            hypervisor_version: facts.hypervisor_version,
            host_ip: row.host_ip,
            service: { id: byUuid(rq) ? service.uuid : service.id, host: service.host, disabled_reason: service.disabled_reason },
          }
        : {}),
      ...(figures ? { ...usageView(nova, facts, usages.get(row.uuid) ?? NO_USAGE), cpu_info: rq.version >= v('2.28') ? cpuInfo(facts) : JSON.stringify(cpuInfo(facts)) } : {}),
      ...(detail && rq.version >= v('2.88') ? { uptime: isUp(nova, service) ? (facts.uptime ?? null) : null } : {}),
      ...(own ? { servers: own } : withServers && rq.version >= v('2.75') ? { servers: [] } : {}),
    }
  })
}

const cpuInfo = ({ cpu_info: { arch, model, vendor, topology, features } }: ComputeFacts) => ({ arch, model, vendor, topology, features })

/** As Nova reports: what servers were promised, and what is kept for the host; more than all there is may be promised. */
function usageView(nova: Nova, facts: ComputeFacts, usage: HostUsage) {
  const memory_mb_used = usage.memory_mb + nova.config.reserved_host_memory_mb
  const local_gb_used = usage.local_gb + Math.ceil(nova.config.reserved_host_disk_mb / 1_024)
  return {
    vcpus: facts.vcpus,
    vcpus_used: usage.vcpus,
    memory_mb: facts.memory_mb,
    memory_mb_used,
    free_ram_mb: facts.memory_mb - memory_mb_used,
    local_gb: facts.local_gb,
    local_gb_used,
    free_disk_gb: facts.local_gb - local_gb_used,
    disk_available_least: facts.local_gb_free,
    running_vms: usage.instances,
    current_workload: usage.busy,
  }
}

async function statistics(nova: Nova): Promise<Reply> {
  const enabled = (await nodes(nova)).filter(({ service }) => service.disabled === 0)
  const usages = await hostUsages(nova.db)
  const views = enabled.map(({ row, facts }) => usageView(nova, facts, usages.get(row.uuid) ?? NO_USAGE))
  const zero = { vcpus: 0, vcpus_used: 0, memory_mb: 0, memory_mb_used: 0, free_ram_mb: 0, local_gb: 0, local_gb_used: 0, free_disk_gb: 0, disk_available_least: 0, running_vms: 0, current_workload: 0 }
  for (const one of views) for (const key of Object.keys(zero) as (keyof typeof zero)[]) zero[key] += one[key]
  return { json: { hypervisor_statistics: { count: enabled.length, ...zero } } }
}
