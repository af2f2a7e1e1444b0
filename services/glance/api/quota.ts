/** What a project may have of images, by Keystone's limits and under real Glance's names; without them there is no limit. Sizes are MiB. */
import { overQuota } from '#base/fault.ts'
import type { Sql } from '#base/sql/database.ts'
import { type LimitOf, roomOf } from '#stack/quota.ts'
import type { Glance } from '../house.ts'
import { usageOf } from '../store/images.ts'
import type { GlanceTables } from '../store/tables.ts'

const RESOURCES = ['image_size_total', 'image_stage_total', 'image_count_total', 'image_count_uploading'] as const
type Resource = (typeof RESOURCES)[number]

const MIB = 2 ** 20

async function used(db: Sql<GlanceTables>, project: string): Promise<Record<Resource, number>> {
  const { count, uploading, size, staged } = await usageOf(db, project)
  return { image_size_total: Math.floor(size / MIB), image_stage_total: Math.floor(staged / MIB), image_count_total: count, image_count_uploading: uploading }
}

export async function limitFinder(house: Glance, db: Sql<GlanceTables>, project: string): Promise<LimitOf> {
  if (!house.unifiedLimits) return () => -1
  return roomOf(house.unifiedLimits, project, () => -1, async (projects) => {
    const sum = new Map<string, number>()
    for (const id of projects) for (const [resource, amount] of Object.entries(await used(db, id))) sum.set(resource, (sum.get(resource) ?? 0) + amount)
    return (resource) => sum.get(resource) ?? 0
  })
}

/** Throws `over_quota` when the owner may not have so much more. `wanted`: a number of images, or bytes where the resource is a size. */
export async function insistOnRoom(house: Glance, db: Sql<GlanceTables>, owner: string | null, wanted: Partial<Record<Resource, number>>): Promise<void> {
  if (!house.unifiedLimits || owner === null) return
  const limit = await limitFinder(house, db, owner)
  const now = await used(db, owner)
  for (const resource of RESOURCES) {
    const asked = wanted[resource]
    if (asked === undefined) continue
    const delta = resource.startsWith('image_count') ? asked : Math.ceil(asked / MIB)
    const most = limit(resource)
    if (most >= 0 && now[resource] + delta > most) throw overQuota(`Project ${owner} is over a limit for [Resource ${resource} is over limit of ${most} due to current usage ${now[resource]} and delta ${delta}]`, { code: 'quota', field: resource })
  }
}
