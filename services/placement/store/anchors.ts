/**
 * Reads what the search for candidates needs, in pages of anchors: SQL names the roots of trees that may satisfy the request, in order
 * of uuid, then three queries read those trees whole. SQL only narrows; `core/matching.ts` decides.
 */
import { type RawBuilder, sql } from 'kysely'
import { SHARING_TRAIT } from '../contract/names.ts'
import type { CandidateRequest, RequestGroup } from '../core/candidate-request.ts'
import type { Stock } from '../core/inventory.ts'
import type { Anchor, Provider } from '../core/matching.ts'
import { aggregatesOf } from './aggregates.ts'
import { fits } from './fits.ts'
import type { PlacementSql } from './tables.ts'

/** Roots read at a time. Who wants fewer than that may be given any; who wants more is likely to want all. */
export const PAGE = 500

/** From `start` on to the end of all uuids, then from their beginning to `start`. Without `start`, all. */
export async function* anchors(db: PlacementSql, request: CandidateRequest, start = ''): AsyncGenerator<Anchor> {
  const sharing = await sharingProviders(db)
  const size = Math.min(PAGE, Math.max(16, request.limit ?? PAGE))
  for (const [from, to] of start === '' ? [['', undefined] as const] : [[start, undefined] as const, ['', start] as const]) {
    let after: string = from
    for (;;) {
      const roots = await rootsAfter(db, request, sharing, after, to, size)
      if (roots.length > 0) yield* await anchorsAt(db, request, roots, sharing)
      if (roots.length < size) break
      after = roots.at(-1)!
    }
  }
}

async function sharingProviders(db: PlacementSql): Promise<Provider[]> {
  const rows = await db.query
    .selectFrom('placement_provider_traits')
    .select('root_provider_uuid')
    .distinct()
    .where('trait', '=', SHARING_TRAIT)
    .execute()
  const roots = await treesAt(db, rows.map((row) => row.root_provider_uuid), true)
  return [...roots.values()].flatMap((root) => root.tree.filter((one) => one.traits.has(SHARING_TRAIT)))
}

async function anchorsAt(db: PlacementSql, request: CandidateRequest, uuids: readonly string[], sharing: readonly Provider[]): Promise<Anchor[]> {
  const wantsAggregates = sharing.length > 0 || request.groups.some((group) => group.member_of.length > 0 || group.forbidden_aggregates.length > 0)
  const roots = await treesAt(db, uuids, wantsAggregates)
  return uuids.flatMap((uuid): Anchor[] => {
    const root = roots.get(uuid)
    if (!root) return []
    if (sharing.length === 0) return [{ root, sharing }]
    const near = new Set(root.tree.flatMap((one) => one.aggregates))
    return [{ root, sharing: sharing.filter((one) => one.root_provider_uuid !== uuid && one.aggregates.some((aggregate) => near.has(aggregate))) }]
  })
}

/** Whole trees, by their roots. */
async function treesAt(db: PlacementSql, uuids: readonly string[], wantsAggregates: boolean): Promise<Map<string, Provider>> {
  if (uuids.length === 0) return new Map()
  const rows = await db.query.selectFrom('placement_providers').select(['uuid', 'parent_provider_uuid', 'root_provider_uuid', 'traits']).where('root_provider_uuid', 'in', uuids).execute()
  const inventories = await db.query
    .selectFrom('placement_inventories')
    .select(['resource_provider_uuid', 'resource_class', 'total', 'reserved', 'min_unit', 'max_unit', 'step_size', 'allocation_ratio', 'used'])
    .where('resource_provider_uuid', 'in', rows.map((row) => row.uuid))
    .execute()
  const aggregates = wantsAggregates ? await aggregatesOf(db, rows.map((row) => row.uuid)) : undefined
  const stocks = new Map<string, Map<string, Stock>>(rows.map((row) => [row.uuid, new Map()]))
  for (const row of inventories) stocks.get(row.resource_provider_uuid)?.set(row.resource_class, row)

  const trees = new Map<string, Provider[]>()
  const roots = new Map<string, Provider>()
  for (const { uuid, parent_provider_uuid, root_provider_uuid, traits } of rows) {
    let tree = trees.get(root_provider_uuid)
    if (!tree) trees.set(root_provider_uuid, (tree = []))
    const provider: Provider = { uuid, parent_provider_uuid, root_provider_uuid, traits: traitsOf(traits), aggregates: aggregates?.get(uuid) ?? [], stocks: stocks.get(uuid)!, tree }
    tree.push(provider)
    if (uuid === root_provider_uuid) roots.set(uuid, provider)
  }
  return roots
}

/** Hosts of one kind have one text of traits: it is read once. */
const traitSets = new Map<string, ReadonlySet<string>>()

function traitsOf(text: string): ReadonlySet<string> {
  let traits = traitSets.get(text)
  if (!traits) {
    if (traitSets.size > 1000) traitSets.clear()
    traits = new Set<string>(JSON.parse(text) as string[])
    traitSets.set(text, traits)
  }
  return traits
}

/**
 * Roots of trees that have room for each class, the traits and the aggregates somewhere, themselves or through a provider that shares.
 * Driven by one class that nobody shares (its inventories lie in order of roots), else by all roots.
 */
async function rootsAfter(db: PlacementSql, request: CandidateRequest, sharing: readonly Provider[], after: string, to: string | undefined, size: number): Promise<string[]> {
  const wanted = request.groups.flatMap((group) => Object.entries(group.resources))
  const sharers = (name: string): Provider[] => sharing.filter((one) => one.stocks.has(name))
  const lead = wanted.find(([name]) => sharers(name).length === 0)
  const root = sql.ref<string>(lead ? 'd.root_provider_uuid' : 'd.uuid')
  const conditions = [
    sql<boolean>`${root} > ${after}`,
    ...(to === undefined ? [] : [sql<boolean>`${root} <= ${to}`]),
    ...(lead ? [sql<boolean>`d.resource_class = ${lead[0]}`, fits('d', lead[1])] : [sql<boolean>`d.parent_provider_uuid is null`]),
    ...wanted.filter((one) => one !== lead).map(([name, amount]) => orShared(hasRoomFor(root, name, amount), root, sharers(name))),
    ...request.groups.flatMap((group) => groupConditions(group, root, sharing)),
    ...request.root.required.map((names) => sql<boolean>`exists (select 1 from placement_provider_traits t where t.resource_provider_uuid = ${root} and t.trait in (${sql.join(names)}))`),
    ...request.root.forbidden.map((name) => sql<boolean>`not exists (select 1 from placement_provider_traits t where t.resource_provider_uuid = ${root} and t.trait = ${name})`),
  ]
  const table = sql.table(lead ? 'placement_inventories' : 'placement_providers')
  const found = await sql<{ root: string }>`select distinct ${root} as root from ${table} d where ${sql.join(conditions, sql` and `)} order by ${root} limit ${sql.lit(size)}`.execute(db.query)
  return found.rows.map((row) => row.root)
}

function groupConditions(group: RequestGroup, root: RawBuilder<string>, sharing: readonly Provider[]): RawBuilder<boolean>[] {
  const out: RawBuilder<boolean>[] = []
  for (const names of group.required) {
    out.push(orShared(sql<boolean>`exists (select 1 from placement_provider_traits t where t.root_provider_uuid = ${root} and t.trait in (${sql.join(names)}))`, root, sharing))
  }
  for (const set of group.member_of) {
    out.push(orShared(memberRoots(root, set), root, sharing))
  }
  if (group.in_tree !== undefined && (group.suffix === '' || sharing.length === 0)) out.push(sql<boolean>`${root} = ${group.in_tree}`)
  return out
}

function hasRoomFor(root: RawBuilder<string>, name: string, amount: number): RawBuilder<boolean> {
  // With an offset it is asked of each root in turn until there are enough; PostgreSQL would join all of them first.
  return sql<boolean>`exists (select 1 from placement_inventories i where i.resource_class = ${name} and i.root_provider_uuid = ${root} and ${fits('i', amount)} limit 1 offset 0)`
}

/** Or one of the providers shares with something in the tree. */
function orShared(condition: RawBuilder<boolean>, root: RawBuilder<string>, sharing: readonly Provider[]): RawBuilder<boolean> {
  const aggregates = [...new Set(sharing.flatMap((one) => one.aggregates))]
  if (aggregates.length === 0) return condition
  return sql<boolean>`(${condition} or ${memberRoots(root, aggregates)})`
}

function memberRoots(root: RawBuilder<string>, aggregates: readonly string[]): RawBuilder<boolean> {
  return sql<boolean>`${root} in (select a.root_provider_uuid from placement_provider_aggregates a where a.aggregate_uuid in (${sql.join(aggregates)}))`
}
