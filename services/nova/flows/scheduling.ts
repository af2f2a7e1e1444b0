/** Finds a host with room, and hands over to whoever claims it: Placement's candidates, then filters and weighers (pure), best first. */
import { invalid, unavailable } from '#base/fault.ts'
import { type AllocationRequest, listAllocationCandidates } from '#placement/contract/allocation-candidates.ts'
import type { Allocations } from '#placement/contract/allocations.ts'
import { needsOf } from '../core/resources.ts'
import { schedule } from '../core/scheduler/schedule.ts'
import type { Candidate, GroupFacts, HostState, ScheduleRequest } from '../core/scheduler/types.ts'
import type { Nova } from '../house.ts'
import { serverGroupById } from '../store/server-groups.ts'
import { groupMembers, serversByIds } from '../store/servers.ts'
import type { FlavorSnapshot, ImageSnapshot, ServerRow } from '../store/tables.ts'

/** Where a server is put. */
export interface Place {
  host_id: string
  host: string
  node: string
  zone: string
  host_ip: string
}

export interface ScheduleAsk {
  server: ServerRow
  flavor: FlavorSnapshot
  on_volume: boolean
  /** Hosts that are out: tried already, or left. */
  ignore: readonly string[]
  zone?: string | undefined
  force_host?: string | undefined
  force_node?: string | undefined
  requested_host?: string | undefined
  requested_node?: string | undefined
}

/** Asks hosts in their order until `take` says that one was taken. Throws when none was. */
export async function placeServer(nova: Nova, ask: ScheduleAsk, take: (place: Place, allocations: Allocations) => Promise<boolean>): Promise<Place> {
  const { config } = nova
  const image = JSON.parse(ask.server.image) as ImageSnapshot
  const { query } = needsOf(ask.flavor, ask.on_volume, image.properties)
  const states = await nova.hosts.states()
  const only = ask.force_host ?? ask.requested_host
  const tree = only === undefined ? undefined : [...states.values()].find((state) => state.host === only)?.host_id
  if (only !== undefined && tree === undefined) throw noHost()
  // The best of a hundred at random is nearly as good as the best of all, and costs a tenth; and those who choose at one moment choose apart.
  const { placement_sample: few, max_placement_results: all } = config.scheduling
  const plain = tree === undefined && ask.zone === undefined && ask.server.group_id === null && ask.server.scheduler_hints === '{}'
  for (const limit of plain && few > 0 && few < Math.min(all, states.size) ? [few, all] : [all]) {
    const place = await placeAmong(nova, ask, { image, states, query: { ...query, limit, ...(tree === undefined ? {} : { in_tree: tree }) }, last: limit === all }, take)
    if (place) return place
  }
  throw noHost()
}

interface Search {
  image: ImageSnapshot
  states: ReadonlyMap<string, HostState>
  query: Record<string, unknown>
  last: boolean
}

async function placeAmong(nova: Nova, ask: ScheduleAsk, { image, states, query, last }: Search, take: (place: Place, allocations: Allocations) => Promise<boolean>): Promise<Place | undefined> {
  const { config, world } = nova
  const answer = await nova.client.call(await nova.service(), 'placement', listAllocationCandidates, { query: query as never })
  const requests = new Map<string, AllocationRequest>()
  const candidates: Candidate[] = []
  for (const request of answer.allocation_requests) {
    const root = Object.keys(request.allocations).map((id) => answer.provider_summaries[id]?.root_provider_uuid ?? id)[0]
    const host = root === undefined ? undefined : states.get(root)
    if (!host || requests.has(host.host_id)) continue
    requests.set(host.host_id, request)
    const room = answer.provider_summaries[host.host_id]?.resources ?? {}
    const free = (name: string): number => (room[name] ? room[name].capacity - room[name].used : 0)
    const chosen = nova.hosts.chosen(host.host_id)
    candidates.push({ host, free_vcpus: free('VCPU') - (chosen?.vcpus ?? 0), free_ram_mb: free('MEMORY_MB') - (chosen?.memory_mb ?? 0), free_disk_gb: free('DISK_GB') })
  }
  const request = await requestOf(nova, ask, image)
  const { ranked, refused } = schedule(request, candidates, { ...config.scheduling, kind: config.scheduler }, world.random, Math.max(config.scheduling.max_attempts, 10))
  for (const { host } of ranked) {
    const place: Place = { host_id: host.host_id, host: host.host, node: host.node, zone: host.zone, host_ip: host.host_ip }
    const decided = nova.hosts.choosing(host.host_id, ask.flavor)
    try {
      if (!(await take(place, requests.get(host.host_id)!.allocations))) continue
      nova.hosts.placed(host.host_id)
      return place
    } finally {
      decided()
    }
  }
  if (last) world.log.module('nova.scheduler').warn('Found no host for a server', { server: ask.server.id, with_room: candidates.length, refused, taken_meanwhile: ranked.length })
  return undefined
}

function noHost() {
  return unavailable('No valid host was found. There are not enough hosts available.', { code: 'nova.no_valid_host' })
}

async function requestOf(nova: Nova, ask: ScheduleAsk, image: ImageSnapshot): Promise<ScheduleRequest> {
  const { server } = ask
  const hints = JSON.parse(server.scheduler_hints) as Record<string, unknown>
  const hostsOf = async (hint: unknown): Promise<ReadonlySet<string> | undefined> => {
    if (hint === undefined || hint === null) return undefined
    const ids = [hint].flat().map(String)
    return new Set((await serversByIds(nova.db, ids)).filter((row) => row.deleted === 0 && row.host_id !== null).map((row) => row.host_id!))
  }
  const same = await hostsOf(hints.same_host)
  const different = await hostsOf(hints.different_host)
  const group = server.group_id === null ? undefined : await groupFacts(nova, server.group_id, server.id)
  return {
    project_id: server.project_id,
    flavor: ask.flavor,
    image_properties: image.properties,
    image_id: server.image_id,
    ignore_host_ids: new Set(ask.ignore),
    ...(ask.zone === undefined ? {} : { zone: ask.zone }),
    ...(ask.force_host === undefined ? {} : { force_host: ask.force_host }),
    ...(ask.force_node === undefined ? {} : { force_node: ask.force_node }),
    ...(ask.requested_host === undefined ? {} : { requested_host: ask.requested_host }),
    ...(ask.requested_node === undefined ? {} : { requested_node: ask.requested_node }),
    ...(same === undefined ? {} : { same_host_ids: same }),
    ...(different === undefined ? {} : { different_host_ids: different }),
    ...(hints.query === undefined ? {} : { query: typeof hints.query === 'string' ? parsedQuery(hints.query) : hints.query }),
    ...(typeof hints.build_near_host_ip === 'string' ? { near: { ip: hints.build_near_host_ip, cidr: typeof hints.cidr === 'string' ? hints.cidr : '/24' } } : {}),
    ...(group === undefined ? {} : { group }),
  }
}

function parsedQuery(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid('The scheduler hint "query" is not JSON.', { field: 'query' })
  }
}

/** undefined when the group is gone meanwhile. */
export async function groupFacts(nova: Nova, groupId: string, except: string, counts: (member: { id: string; task_state: string | null }) => boolean = () => true): Promise<GroupFacts | undefined> {
  const group = await serverGroupById(nova.db, groupId)
  if (!group) return undefined
  const members = new Map<string, number>()
  for (const member of await groupMembers(nova.db, groupId)) {
    if (member.id !== except && member.host_id !== null && counts(member)) members.set(member.host_id, (members.get(member.host_id) ?? 0) + 1)
  }
  const rules = JSON.parse(group.rules) as { max_server_per_host?: number }
  return { policy: group.policy, max_server_per_host: rules.max_server_per_host ?? 1, members }
}

/** After the claim: do the group's rules still hold, with what others placed meanwhile? Soft policies always do. */
export function groupHolds(group: GroupFacts, hostId: string): boolean {
  if (group.policy === 'anti-affinity') return (group.members.get(hostId) ?? 0) < group.max_server_per_host
  if (group.policy === 'affinity') return group.members.size === 0 || group.members.has(hostId)
  return true
}
