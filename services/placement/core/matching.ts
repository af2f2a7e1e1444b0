/**
 * Matches a request against one anchor: the root of a tree, with the tree, and the providers of others that share with it. A candidate
 * takes a provider for every choice there is: one per resource class of the unsuffixed group, one for each suffixed group. A provider that
 * would be overdrawn is given up at once, so that wide trees stay cheap and a limit is reached early.
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
  /** By suffix. */
  mappings: ReadonlyMap<string, readonly Provider[]>
}

/** What is chosen at one step: for the unsuffixed group, who gives one class; for another, who satisfies it. */
interface Choice {
  group: RequestGroup
  resources: readonly (readonly [string, number])[]
}

/** A request made ready to be matched against many anchors. */
export interface MatchPlan {
  request: CandidateRequest
  /** Those of the unsuffixed group first. */
  choices: readonly Choice[]
  /** How many those are. */
  shared: number
}

export function matchPlan(request: CandidateRequest): MatchPlan {
  const [together, alone] = [true, false].map((unsuffixed) => request.groups.filter((group) => (group.suffix === '') === unsuffixed))
  const byClass = together!.flatMap((group) => Object.entries(group.resources).map((entry): Choice => ({ group, resources: [entry] })))
  const byGroup = alone!.map((group): Choice => ({ group, resources: Object.entries(group.resources) }))
  return { request, choices: [...byClass, ...byGroup], shared: byClass.length }
}

/** Shows `visit` each candidate of the anchor until it answers false; then, and only then, the answer is false. */
export function visitCandidates(anchor: Anchor, { request, choices, shared }: MatchPlan, visit: (candidate: Candidate) => boolean): boolean {
  if (!satisfies([anchor.root], request.root)) return true
  const options = choices.map((choice) => optionsOf(choice, anchor))
  if (options.some((providers) => providers.length === 0)) return true
  const byUuid = new Map(request.same_subtrees.length === 0 ? [] : [anchor.root, ...anchor.sharing].flatMap((one) => one.tree.map((node) => [node.uuid, node])))
  const chosen: Provider[] = []
  const claims = new Map<Provider, Resources>()

  const choose = (): boolean => {
    const at = chosen.length
    if (at === shared && shared > 0 && !satisfies(chosen, choices[0]!.group)) return true
    const choice = choices[at]
    if (!choice) {
      const mappings = mappingsOf(choices, chosen)
      if (!keepsSubtrees(request, mappings, byUuid) || (!request.nested && !oneOfEachTree(claims))) return true
      const copy = new Map<Provider, Resources>()
      for (const [provider, resources] of claims) copy.set(provider, { ...resources })
      return visit({ claims: copy, mappings })
    }
    for (const provider of options[at]!) {
      if (request.isolate && at >= shared && chosen.indexOf(provider, shared) >= 0) continue
      if (!take(claims, provider, choice.resources)) continue
      chosen.push(provider)
      const goOn = choose()
      chosen.pop()
      giveBack(claims, provider, choice.resources)
      if (!goOn) return false
    }
    return true
  }
  return choose()
}

/** Who may be chosen. */
function optionsOf({ group, resources }: Choice, anchor: Anchor): readonly Provider[] {
  const { tree } = anchor.root
  const all = anchor.sharing.length === 0 ? tree : [...tree, ...anchor.sharing]
  const gives = (one: Provider): boolean => resources.every(([name, amount]) => hasRoomFor(one, name, amount))
  if (group.suffix !== '') {
    const inTree = group.in_tree === undefined ? all : all.filter((one) => one.root_provider_uuid === group.in_tree)
    return inTree.filter((one) => gives(one) && satisfies([one], group) && inAggregates(one, undefined, group))
  }
  // `in_tree` keeps the whole unsuffixed group to that tree, sharing with no other.
  const near = group.in_tree === undefined ? all : anchor.root.uuid === group.in_tree ? tree : []
  return near.filter((one) => gives(one) && !group.forbidden.some((trait) => one.traits.has(trait)) && inAggregates(one, anchor, group))
}

function hasRoomFor(provider: Provider, name: string, amount: number): boolean {
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
function take(claims: Map<Provider, Resources>, provider: Provider, resources: Choice['resources']): boolean {
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

function giveBack(claims: Map<Provider, Resources>, provider: Provider, resources: Choice['resources']): void {
  const mine = claims.get(provider)
  if (!mine) return
  for (const [name, amount] of resources) {
    mine[name]! -= amount
    if (mine[name] === 0) delete mine[name]
  }
  if (Object.keys(mine).length === 0) claims.delete(provider)
}

function mappingsOf(choices: readonly Choice[], chosen: readonly Provider[]): Map<string, Provider[]> {
  const mappings = new Map<string, Provider[]>()
  choices.forEach(({ group: { suffix } }, i) => {
    const list = mappings.get(suffix)
    if (!list) mappings.set(suffix, [chosen[i]!])
    else if (!list.includes(chosen[i]!)) list.push(chosen[i]!)
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
