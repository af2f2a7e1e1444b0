/**
 * Writes the wishes of consumers, all or none, in a transaction of the caller:
 *
 *   consumers by generation → providers by generation (from here on nobody else claims of them) → rows → sums → judgement
 *
 * The judgement comes last, over what the database now holds, so that it needs no assumption about isolation; a claim that is refused
 * throws and the transaction leaves nothing.
 */
import { conflict, invalid } from '#base/fault.ts'
import type { Resources } from '../contract/allocations.ts'
import { CONCURRENT_UPDATE } from '../contract/codes.ts'
import { claimProblem, stockKey } from '../core/claim.ts'
import { allocationsDelete, allocationsInsert, allocationsOfConsumers } from './allocations.ts'
import { consumerAdvance, consumersDelete, consumersGet, consumersInsert } from './consumers.ts'
import { generationsAdvance } from './generations.ts'
import { inventoriesOf, inventoryRecount } from './inventories.ts'
import { providersGet } from './providers.ts'
import { classesMissing } from './resource-classes.ts'
import type { AllocationRow, ConsumerRow, PlacementTx } from './tables.ts'

export interface Claim {
  consumer_uuid: string
  /** By provider. Empty: release everything. */
  allocations: Readonly<Record<string, Resources>>
  project_id: string
  user_id: string
  /** Null: there is no such consumer yet. Undefined: not asked. */
  consumer_generation: number | null | undefined
  /** Undefined: as it is. */
  consumer_type: string | undefined
}

/** Faults: `invalid` for what does not exist, `conflict` for stale generations (`placement.concurrent_update`) and for too little room. */
export async function claimsWrite(tx: PlacementTx, claims: readonly Claim[], now: number): Promise<void> {
  const known = await consumersGet(tx, claims.map((claim) => claim.consumer_uuid))
  for (const claim of claims) assertGeneration(claim, known.get(claim.consumer_uuid))
  const wanted = claims.flatMap((claim) => rowsOf(claim, now))
  const missing = await classesMissing(tx, wanted.map((row) => row.resource_class))
  if (missing.length > 0) throw invalid(`Unable to allocate inventory for consumer ${claims.map((claim) => claim.consumer_uuid).join(', ')}: No such resource class ${missing[0]}.`, { field: 'resources' })

  for (const { consumer_uuid, project_id, user_id, consumer_type } of claims) {
    const seen = known.get(consumer_uuid)
    if (seen) await consumerAdvance(tx, seen, { project_id, user_id, consumer_type: consumer_type ?? seen.consumer_type }, now)
  }
  const released = await allocationsOfConsumers(tx, [...known.keys()])
  await holdProviders(tx, claims, wanted, released, now)

  await allocationsDelete(tx, [...known.keys()])
  await allocationsInsert(tx, wanted)
  const touched = [...released, ...wanted]
  await inventoryRecount(tx, distinct(touched, 'resource_provider_uuid'), distinct(touched, 'resource_class'))
  const stocks = new Map((await inventoriesOf(tx, distinct(wanted, 'resource_provider_uuid'))).map((row) => [stockKey(row.resource_provider_uuid, row.resource_class), row]))
  const problem = claimProblem(wanted, stocks, released)
  if (problem) throw conflict(`Unable to allocate inventory: ${problem}`)

  const empty = claims.filter((claim) => Object.keys(claim.allocations).length === 0)
  await consumersDelete(tx, empty.filter((claim) => known.has(claim.consumer_uuid)).map((claim) => claim.consumer_uuid))
  await consumersInsert(tx, claims.filter((claim) => !known.has(claim.consumer_uuid) && !empty.includes(claim)).map((claim) => consumerOf(claim, now)))
}

/** Releases everything a consumer has; false when that is nothing. */
export async function claimRelease(tx: PlacementTx, consumer: string, now: number): Promise<boolean> {
  let released: AllocationRow[] = []
  // The consumer's row first, which everyone takes who changes what it has. One that came between the two is met at the second try.
  for (let held = 0, tries = 0; held === 0 && tries < 2; tries++) {
    held = await consumersDelete(tx, [consumer])
    released = await allocationsOfConsumers(tx, [consumer])
    if (released.length === 0) return false
  }
  const providers = distinct(released, 'resource_provider_uuid')
  await generationsAdvance(tx, providers, 0, now)
  await allocationsDelete(tx, [consumer])
  await inventoryRecount(tx, providers, distinct(released, 'resource_class'))
  return true
}

function assertGeneration({ consumer_generation: got }: Claim, consumer: ConsumerRow | undefined): void {
  if (got === undefined || got === (consumer?.generation ?? null)) return
  throw conflict(`consumer generation conflict - expected ${consumer?.generation ?? 'null'} but got ${got ?? 'None'}`, { code: CONCURRENT_UPDATE, field: 'consumer_generation' })
}

/** Providers that are claimed of, and those of a consumer that gives up all it has, change; others that lose something are only held. */
async function holdProviders(tx: PlacementTx, claims: readonly Claim[], wanted: readonly AllocationRow[], released: readonly AllocationRow[], now: number): Promise<void> {
  const leaving = new Set(claims.filter((claim) => Object.keys(claim.allocations).length === 0).map((claim) => claim.consumer_uuid))
  const claimed = new Set(distinct(wanted, 'resource_provider_uuid'))
  const left = released.filter((row) => leaving.has(row.consumer_uuid)).map((row) => row.resource_provider_uuid)
  const changed = claimed.union(new Set(left))
  const held = distinct(released, 'resource_provider_uuid').filter((uuid) => !changed.has(uuid))
  const found = await generationsAdvance(tx, changed, 1, now, held)
  if (found === changed.size) return
  const there = await providersGet(tx, [...changed])
  const lost = [...changed].find((uuid) => !there.has(uuid))
  throw invalid(`Allocation for resource provider '${lost}' that does not exist.`, { field: 'allocations' })
}

function rowsOf({ consumer_uuid, allocations }: Claim, now: number): AllocationRow[] {
  return Object.entries(allocations).flatMap(([resource_provider_uuid, resources]) =>
    Object.entries(resources).map(([resource_class, used]) => ({ consumer_uuid, resource_provider_uuid, resource_class, used, created_at: now })),
  )
}

function consumerOf({ consumer_uuid, project_id, user_id, consumer_type }: Claim, now: number): ConsumerRow {
  return { uuid: consumer_uuid, generation: 1, project_id, user_id, consumer_type: consumer_type ?? null, created_at: now, updated_at: now }
}

function distinct<Key extends 'resource_provider_uuid' | 'resource_class'>(rows: readonly AllocationRow[], key: Key): string[] {
  return [...new Set(rows.map((row) => row[key]))]
}
