/** A query for allocation candidates as values: its groups, and what it asks of each candidate as a whole. */
import { invalid } from '#base/fault.ts'
import { type ApiVersion, v } from '#stack/version.ts'
import type { Resources } from '../contract/allocations.ts'
import { QUERY_BAD_VALUE, QUERY_DUPLICATE_KEY, QUERY_MISSING_VALUE } from '../contract/codes.ts'
import { NAMED_SUFFIX, NUMBERED_SUFFIX } from '../contract/names.ts'
import { parseInTree, parseMemberOf, parseResources, parseRootTraits, parseTraits, type TraitFilter } from './filters.ts'

export interface RequestGroup {
  /** '' may be satisfied by several providers together; any other by one alone. */
  suffix: string
  resources: Resources
  /** One of each inner list. */
  required: readonly (readonly string[])[]
  forbidden: readonly string[]
  member_of: readonly (readonly string[])[]
  forbidden_aggregates: readonly string[]
  /** As asked: any provider of the wanted tree. For the matching: its root. */
  in_tree?: string
}

export interface CandidateRequest {
  groups: readonly RequestGroup[]
  limit?: number
  /** `isolate`: no provider satisfies two suffixed groups. */
  isolate: boolean
  /** Of the root of the tree that a candidate stands on. */
  root: TraitFilter
  /** The providers of each set of groups are one of them and what is below it. */
  same_subtrees: readonly (readonly string[])[]
  /** Since 1.29; before, a candidate takes one provider of a tree. */
  nested: boolean
}

const KEY = (suffix: string): RegExp => new RegExp(`^(resources|required|member_of|in_tree)(${suffix})?$`)
const NUMBERED = KEY(NUMBERED_SUFFIX)
const NAMED = KEY(NAMED_SUFFIX)

export function candidateRequest(query: URLSearchParams, version: ApiVersion): CandidateRequest {
  const limit = query.get('limit')
  const root = rootTraits(query.getAll('root_required'))
  const same_subtrees = query.getAll('same_subtree').map(subtree)
  const groups = requestGroups(query, version)
  const named = new Set(same_subtrees.flat())
  if (version >= v('1.36')) assertSubtrees(groups, named)
  else assertResources(groups)
  for (const group of groups) assertConsistent(group, version)
  const policy = query.get('group_policy')
  if (policy === null && groups.filter((one) => one.suffix !== '').length > 1) {
    throw invalid('The "group_policy" parameter is required when specifying more than one "resources{N}" parameter.', { field: 'group_policy' })
  }
  return { groups, ...(limit === null ? {} : { limit: Number(limit) }), isolate: policy === 'isolate', root, same_subtrees, nested: version >= v('1.29') }
}

function requestGroups(query: URLSearchParams, version: ApiVersion): RequestGroup[] {
  const pattern = version >= v('1.33') ? NAMED : NUMBERED
  const groups = new Map<string, RequestGroup>()
  for (const key of new Set(query.keys())) {
    const [, what, suffix = ''] = pattern.exec(key) ?? []
    if (what === undefined) continue
    const group = groups.get(suffix) ?? { suffix, resources: {}, required: [], forbidden: [], member_of: [], forbidden_aggregates: [] }
    groups.set(suffix, group)
    const given = query.getAll(key)
    const last = given.at(-1)!
    if (what === 'resources') group.resources = parseResources(last, key)
    else if (what === 'in_tree') group.in_tree = parseInTree(last, key)
    else if (what === 'required') Object.assign(group, parseTraits(given, version, key))
    else {
      const { member_of, forbidden } = parseMemberOf(given, version, key)
      Object.assign(group, { member_of, forbidden_aggregates: forbidden })
    }
  }
  return [...groups.values()]
}

function rootTraits(given: readonly string[]): TraitFilter {
  if (given.length === 0) return { required: [], forbidden: [] }
  if (given.length > 1) throw invalid("Query parameter 'root_required' may be specified only once.", { code: QUERY_DUPLICATE_KEY, field: 'root_required' })
  const root = parseRootTraits(given[0]!)
  const both = root.required.flat().filter((name) => root.forbidden.includes(name))
  if (both.length > 0) throw invalid(`Conflicting required and forbidden traits found in root_required: ${both.join(', ')}`, { code: QUERY_BAD_VALUE, field: 'root_required' })
  return root
}

function subtree(text: string): string[] {
  const suffixes = text.split(',').map((one) => one.trim())
  if (suffixes.includes('')) throw invalid('Empty string (unsuffixed group) can not be specified in `same_subtree` ', { code: QUERY_BAD_VALUE, field: 'same_subtree' })
  return suffixes
}

const hasResources = (group: RequestGroup): boolean => Object.keys(group.resources).length > 0

/** From 1.36 a group may ask for no resources, when a subtree gives it a meaning. */
function assertSubtrees(groups: readonly RequestGroup[], named: ReadonlySet<string>): void {
  if (!groups.some(hasResources)) throw invalid('There must be at least one resources or resources[$S] parameter.', { code: QUERY_MISSING_VALUE, field: 'resources' })
  const empty = groups.filter((one) => !hasResources(one) && !named.has(one.suffix)).map((one) => one.suffix)
  if (empty.length > 0) throw invalid(`Resourceless suffixed group request should be specified in \`same_subtree\` query param: bad group(s) - ${empty.join(', ')}.`, { code: QUERY_BAD_VALUE, field: 'same_subtree' })
  const suffixes = groups.map((one) => one.suffix)
  const unknown = [...named].filter((suffix) => !suffixes.includes(suffix))
  if (unknown.length > 0) throw invalid(`Real suffixes should be specified in \`same_subtree\`: ${unknown.join(', ')} not found in ${suffixes.join(', ')}.`, { code: QUERY_BAD_VALUE, field: 'same_subtree' })
}

function assertResources(groups: readonly RequestGroup[]): void {
  const orphans = groups.filter((one) => !hasResources(one))
  const traits = orphans.filter((one) => one.required.length > 0).map((one) => `required${one.suffix}`)
  if (traits.length > 0) throw invalid(`All traits parameters must be associated with resources.  Found the following orphaned traits keys: ${traits.join(', ')}`, { field: traits[0]! })
  const aggregates = orphans.filter((one) => one.member_of.length > 0 || one.forbidden_aggregates.length > 0).map((one) => `member_of${one.suffix}`)
  if (aggregates.length > 0) throw invalid(`All member_of parameters must be associated with resources. Found the following orphaned member_of keys: ${aggregates.join(', ')}`, { field: aggregates[0]! })
  if (orphans.length > 0) throw invalid('All request groups must specify resources.', { field: 'resources' })
  if (groups.length === 0) throw invalid('At least one request group (`resources` or `resources{$S}`) is required.', { field: 'resources' })
}

function assertConsistent(group: RequestGroup, version: ApiVersion): void {
  const refused = group.required.filter((names) => names.every((name) => group.forbidden.includes(name)))
  if (refused.length === 0 || version < v('1.22')) return
  const shown = refused.map((names) => `required${group.suffix}: (${[...names].sort().join(', ')})`)
  throw invalid(`Conflicting required and forbidden traits found in the following traits keys: ${shown.join(', ')}`, { field: `required${group.suffix}` })
}
