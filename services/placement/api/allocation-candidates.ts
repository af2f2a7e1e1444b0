/** The search for candidates: parse, check the names, read anchors page by page, match, and stop at the limit. */
import { invalid } from '#base/fault.ts'
import type { Reply, Rq } from '#stack/route.ts'
import { type ApiVersion, v } from '#stack/version.ts'
import type { Resources } from '../contract/allocations.ts'
import { type CandidateRequest, candidateRequest } from '../core/candidate-request.ts'
import { capacityOf } from '../core/inventory.ts'
import { type Candidate, candidateKey, matchPlan, type Provider, visitCandidates } from '../core/matching.ts'
import { SHARING_TRAIT } from '../contract/names.ts'
import type { Placement } from '../house.ts'
import { anchors, PAGE } from '../store/anchors.ts'
import { providersGet } from '../store/providers.ts'
import { classesMissing } from '../store/resource-classes.ts'
import { traitsMissing } from '../store/traits.ts'
import { freshness } from './freshness.ts'

export const listAllocationCandidates = (house: Placement) => async (rq: Rq): Promise<Reply> => {
  const asked = candidateRequest(rq.query, rq.version)
  await assertNames(house, asked)
  const request = await treesFound(house, asked)
  const found = request ? await search(house, request) : { candidates: [], providers: new Set<Provider>() }
  const json = {
    allocation_requests: found.candidates.map((candidate) => requestWire(candidate, rq.version)),
    provider_summaries: Object.fromEntries([...found.providers].map((provider) => [provider.uuid, summaryWire(provider, asked, rq.version)])),
  }
  return { json, headers: freshness(house, rq) }
}

async function assertNames(house: Placement, { groups, root }: CandidateRequest): Promise<void> {
  const classes = await classesMissing(house.db, groups.flatMap((group) => Object.keys(group.resources)))
  if (classes.length > 0) throw invalid(`Invalid resource class in resources parameter: No such resource class ${classes[0]}.`, { field: 'resources' })
  const traits = await traitsMissing(house.db, [root, ...groups].flatMap(({ required, forbidden }) => [...required.flat(), ...forbidden]))
  if (traits.length > 0) throw invalid(`No such trait(s): ${traits.join(', ')}.`, { field: 'required' })
}

/** The request with every `in_tree` as the root of that tree; undefined when one names nothing. */
async function treesFound(house: Placement, request: CandidateRequest): Promise<CandidateRequest | undefined> {
  const named = request.groups.flatMap((group) => group.in_tree ?? [])
  if (named.length === 0) return request
  const known = await providersGet(house.db, named)
  if (named.some((uuid) => !known.has(uuid))) return undefined
  return { ...request, groups: request.groups.map((group) => (group.in_tree === undefined ? group : { ...group, in_tree: known.get(group.in_tree)!.root_provider_uuid })) }
}

/** Candidates, and every provider of the trees they touch. */
async function search(house: Placement, request: CandidateRequest): Promise<{ candidates: Candidate[]; providers: Set<Provider> }> {
  const { randomize_allocation_candidates: randomize, max_allocation_candidates: most } = house.config
  const limit = Math.min(request.limit ?? Number.POSITIVE_INFINITY, most < 0 ? Number.POSITIVE_INFINITY : most)
  const candidates: Candidate[] = []
  const providers = new Set<Provider>()
  const seen = new Set<string>()
  const plan = matchPlan(request)
  const keep = (candidate: Candidate): boolean => {
    // What a provider shares may be found from several anchors.
    if ([...candidate.mappings.values()].some((list) => list.some((one) => one.traits.has(SHARING_TRAIT)))) {
      const key = candidateKey(candidate)
      if (seen.has(key)) return true
      seen.add(key)
    }
    candidates.push(candidate)
    for (const provider of candidate.claims.keys()) for (const one of request.nested ? provider.tree : [provider]) providers.add(one)
    return candidates.length < limit
  }
  for await (const anchor of anchors(house.db, request, randomize && limit < PAGE ? house.world.random.uuid() : '')) if (!visitCandidates(anchor, plan, keep)) break
  return { candidates, providers }
}

function requestWire({ claims, mappings }: Candidate, version: ApiVersion): unknown {
  const entries = [...claims].map(([provider, resources]): [string, Resources] => [provider.uuid, resources])
  if (version < v('1.12')) return { allocations: entries.map(([uuid, resources]) => ({ resource_provider: { uuid }, resources })) }
  const allocations = Object.fromEntries(entries.map(([uuid, resources]) => [uuid, { resources }]))
  if (version < v('1.34')) return { allocations }
  return { allocations, mappings: Object.fromEntries([...mappings].map(([suffix, list]) => [suffix, list.map((one) => one.uuid)])) }
}

/** Before 1.27 only the classes that were asked for. */
function summaryWire({ stocks, traits, parent_provider_uuid, root_provider_uuid }: Provider, request: CandidateRequest, version: ApiVersion): unknown {
  const asked = (name: string): boolean => request.groups.some((group) => name in group.resources)
  const resources: Record<string, { capacity: number; used: number }> = {}
  for (const [name, stock] of stocks) if (version >= v('1.27') || asked(name)) resources[name] = { capacity: Math.trunc(capacityOf(stock)), used: stock.used }
  return {
    resources,
    ...(version < v('1.17') ? {} : { traits: [...traits] }),
    ...(version < v('1.29') ? {} : { parent_provider_uuid, root_provider_uuid }),
  }
}
