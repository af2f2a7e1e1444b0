/**
 * Matches a request against one anchor: the root of a tree, with the tree, and the providers of others that share with it. A candidate
 * is one choice of providers for every group. Choices are made slot by slot and given up as soon as a provider would be overdrawn,
 * so that wide trees stay cheap and a limit is reached early.
 *
 * The unsuffixed group has a slot per resource class, any of which may fall on another provider; a suffixed group has one slot.
 */
import type { Resources } from '../contract/allocations.ts'
import type { CandidateRequest, RequestGroup } from './candidate-request.ts'
import type { TraitFilter } from './filters.ts'
import { capacityOf, hasRoom, type Stock } from './inventory.ts'
import { isOneSubtree } from './provider-tree.ts'

export interface Provider {
  uuid: string
  parent_provider_uuid: string | null
  root_provider_uuid: string
  traits: ReadonlySet<string>
  /** Read only when the request or sharing needs them. */
  aggregates: readonly string[]
  /** By resource class. */
  stocks: ReadonlyMap<string, Stock>
  /** All of its tree, itself included. */
  tree: readonly Provider[]
}

export interface Anchor {
  root: Provider
  /** Providers of other trees that share with this one. */
  sharing: readonly Provider[]
}

export interface Candidate {
  /** What to claim of whom. */
  claims: ReadonlyMap<Provider, Resources>
  /** By suffix, in the order of the groups. */
  mappings: ReadonlyMap<string, readonly Provider[]>
}

interface Slot {
  group: RequestGroup
  resources: readonly (readonly [string, number])[]
  providers: readonly Provider[]
}

export function* candidatesOf(anchor: Anchor, request: CandidateRequest): Generator<Candidate> {
  if (!satisfies([anchor.root], request.root)) return
  const slots = request.groups.toSorted((a, b) => Number(a.suffix !== '') - Number(b.suffix !== '')).flatMap((group) => slotsOf(group, anchor))
  if (slots.some((slot) => slot.providers.length === 0)) return
  const byUuid = new Map(request.same_subtrees.length === 0 ? [] : [anchor.root, ...anchor.sharing].flatMap((one) => one.tree.map((node) => [node.uuid, node])))
  const shared = slots.filter((slot) => slot.group.suffix === '').length
  const chosen: Provider[] = []
  const claims = new Map<Provider, Resources>()

  function* choose(): Generator<Candidate> {
    const at = chosen.length
    if (at === shared && shared > 0 && !satisfies(chosen, slots[0]!.group)) return
    const slot = slots[at]
    if (!slot) {
      const mappings = mappingsOf(request.groups, slots, chosen)
      if (!keepsSubtrees(request, mappings, byUuid) || (!request.nested && !oneOfEachTree(claims))) return
      yield { claims: new Map([...claims].map(([provider, resources]) => [provider, { ...resources }])), mappings }
      return
    }
    for (const provider of slot.providers) {
      if (request.isolate && at >= shared && chosen.indexOf(provider, shared) >= 0) continue
      if (!take(claims, provider, slot.resources)) continue
      chosen.push(provider)
      yield* choose()
      chosen.pop()
      giveBack(claims, provider, slot.resources)
    }
  }
  yield* choose()
}

function slotsOf(group: RequestGroup, anchor: Anchor): Slot[] {
  const resources = Object.entries(group.resources)
  const { tree } = anchor.root
  const all = anchor.sharing.length === 0 ? tree : [...tree, ...anchor.sharing]
  const inTree = group.in_tree === undefined ? all : all.filter((one) => one.root_provider_uuid === group.in_tree)
  if (group.suffix !== '') {
    const fit = inTree.filter((one) => resources.every(([name, amount]) => gives(one, name, amount)) && satisfies([one], group) && inAggregates(one, undefined, group))
    return [{ group, resources, providers: fit }]
  }
  // `in_tree` keeps the whole unsuffixed group to that tree, sharing with no other.
  const near = group.in_tree === undefined ? all : anchor.root.uuid === group.in_tree ? tree : []
  const clean = near.filter((one) => !group.forbidden.some((trait) => one.traits.has(trait)))
  return resources.map((entry) => ({
    group,
    resources: [entry],
    providers: clean.filter((one) => gives(one, ...entry) && inAggregates(one, anchor, group)),
  }))
}

function gives(provider: Provider, name: string, amount: number): boolean {
  const stock = provider.stocks.get(name)
  return stock !== undefined && hasRoom(stock, amount)
}

/** Together they have one of each required set, and none has a forbidden one. */
function satisfies(providers: readonly Provider[], { required, forbidden }: Readonly<{ required: TraitFilter['required'] | RequestGroup['required']; forbidden: readonly string[] }>): boolean {
  return required.every((names) => names.some((name) => providers.some((one) => one.traits.has(name)))) && !forbidden.some((name) => providers.some((one) => one.traits.has(name)))
}

/**
 * A suffixed group asks it of the provider itself. For the unsuffixed one, what the root of a tree is a member of holds for all of the
 * tree; a provider of another tree must itself be a member.
 */
function inAggregates(provider: Provider, anchor: Anchor | undefined, group: RequestGroup): boolean {
  if (group.member_of.length === 0 && group.forbidden_aggregates.length === 0) return true
  const member = (one: Provider): boolean => group.member_of.every((set) => set.some((uuid) => one.aggregates.includes(uuid)))
  const barred = (one: Provider): boolean => group.forbidden_aggregates.some((uuid) => one.aggregates.includes(uuid))
  const root = anchor?.root ?? provider
  const own = provider.root_provider_uuid === root.uuid
  return (member(provider) || (own && member(root))) && !barred(provider) && !barred(root)
}

/** Adds to the claims unless a provider would be overdrawn; then nothing is changed and the answer is false. */
function take(claims: Map<Provider, Resources>, provider: Provider, resources: Slot['resources']): boolean {
  if (resources.length === 0) return true
  const mine = claims.get(provider)
  for (const [name, amount] of resources) {
    const sum = (mine?.[name] ?? 0) + amount
    const stock = provider.stocks.get(name)!
    if (stock.used + sum > Math.trunc(capacityOf(stock)) || sum > stock.max_unit) return false
  }
  const into = mine ?? {}
  for (const [name, amount] of resources) into[name] = (into[name] ?? 0) + amount
  if (!mine) claims.set(provider, into)
  return true
}

function giveBack(claims: Map<Provider, Resources>, provider: Provider, resources: Slot['resources']): void {
  const mine = claims.get(provider)
  if (!mine) return
  for (const [name, amount] of resources) {
    mine[name]! -= amount
    if (mine[name] === 0) delete mine[name]
  }
  if (Object.keys(mine).length === 0) claims.delete(provider)
}

function mappingsOf(groups: readonly RequestGroup[], slots: readonly Slot[], chosen: readonly Provider[]): Map<string, Provider[]> {
  const mappings = new Map<string, Provider[]>(groups.map((group) => [group.suffix, []]))
  slots.forEach((slot, i) => {
    const list = mappings.get(slot.group.suffix)!
    if (!list.includes(chosen[i]!)) list.push(chosen[i]!)
  })
  return mappings
}

function keepsSubtrees(request: CandidateRequest, mappings: ReadonlyMap<string, readonly Provider[]>, byUuid: ReadonlyMap<string, Provider>): boolean {
  return request.same_subtrees.every((suffixes) => isOneSubtree(byUuid, new Set(suffixes.flatMap((suffix) => mappings.get(suffix)!.map((one) => one.uuid)))))
}

function oneOfEachTree(claims: ReadonlyMap<Provider, Resources>): boolean {
  return new Set([...claims.keys()].map((one) => one.root_provider_uuid)).size === claims.size
}

/** Says the same for candidates that are the same, whatever anchor they were found from. */
export function candidateKey({ claims, mappings }: Candidate): string {
  const claimed = [...claims].flatMap(([provider, resources]) => Object.entries(resources).map(([name, amount]) => `${provider.uuid} ${name} ${amount}`)).sort()
  const mapped = [...mappings].map(([suffix, providers]) => `${suffix}=${providers.map((one) => one.uuid).sort().join()}`).sort()
  return [...claimed, ...mapped].join(';')
}
