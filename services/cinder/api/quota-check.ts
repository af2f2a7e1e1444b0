/** Limits of a project, and the check that stands in every transaction that uses more. */
import { overQuota } from '#base/fault.ts'
import type { Sql, Tx } from '#base/sql/database.ts'
import { roomOf } from '#stack/quota.ts'
import { type Excess, excess } from '../core/quota.ts'
import type { Cinder } from '../house.ts'
import { limitsOf, takeTurn, usageOf } from '../store/quotas.ts'
import type { CinderTables } from '../store/tables.ts'
import { allTypes, typesByIds } from '../store/types.ts'

export const RESOURCES = ['volumes', 'per_volume_gigabytes', 'snapshots', 'gigabytes', 'backups', 'backup_gigabytes', 'groups'] as const

export function configured(house: Cinder, resource: string): number {
  const { config } = house
  const known: Record<string, number> = {
    volumes: config.quota_volumes,
    per_volume_gigabytes: config.per_volume_size_limit,
    snapshots: config.quota_snapshots,
    gigabytes: config.quota_gigabytes,
    backups: config.quota_backups,
    backup_gigabytes: config.quota_backup_gigabytes,
    groups: config.quota_groups,
  }
  return known[resource] ?? -1
}

/** The project's own limit, else the default class's, else the configuration's; or Keystone's, when it keeps them. */
export async function limitFinder(house: Cinder, db: Sql<CinderTables>, projectId: string): Promise<(resource: string) => number> {
  if (house.unifiedLimits) {
    return roomOf(house.unifiedLimits, projectId, (resource) => configured(house, resource), async (projects) => {
      const used = new Map<string, number>()
      for (const id of projects) for (const [resource, amount] of await usageOf(db, id, { snapshotsCount: !house.config.no_snapshot_gb_quota })) used.set(resource, (used.get(resource) ?? 0) + amount)
      // What is of a type is counted by the type's id, and limited by its name.
      const ids = new Map((await allTypes(db)).map((type) => [type.name, type.id]))
      return (resource) => used.get(resource) ?? used.get(`${resource.split('_')[0]}_${ids.get(resource.slice(resource.indexOf('_') + 1)) ?? ''}`) ?? 0
    })
  }
  const own = await limitsOf(db, 'project', projectId)
  const common = await limitsOf(db, 'class', 'default')
  return (resource) => own.get(resource) ?? common.get(resource) ?? configured(house, resource)
}

export interface Wanted {
  volumes?: number
  gigabytes?: number
  snapshots?: number
  backups?: number
  backup_gigabytes?: number
  groups?: number
  /** Size of the volume itself, for the limit of one. */
  per_volume?: number
  /** Counts against limits of this type too. */
  type_id?: string | null
}

/** Throws `over_quota` when the project may not have so much more. */
export async function insistOnQuota(house: Cinder, tx: Tx<CinderTables>, projectId: string, wanted: Wanted): Promise<void> {
  await takeTurn(tx, projectId)
  const limit = await limitFinder(house, tx, projectId)
  if (wanted.per_volume !== undefined) {
    const most = limit('per_volume_gigabytes')
    if (most >= 0 && wanted.per_volume > most) throw overQuota(`Requested volume size ${wanted.per_volume}G is larger than maximum allowed limit ${most}G.`, { code: 'quota', field: 'size' })
  }
  const only = wanted.backups !== undefined ? 'backups' : wanted.groups !== undefined ? 'groups' : 'volumes'
  const used = await usageOf(tx, projectId, { snapshotsCount: !house.config.no_snapshot_gb_quota, only })
  const wishes = (['volumes', 'snapshots', 'gigabytes', 'backups', 'backup_gigabytes', 'groups'] as const).flatMap((resource) => (wanted[resource] === undefined ? [] : [{ resource: resource as string, amount: wanted[resource] }]))
  let found = excess(wishes, limit, (resource) => used.get(resource) ?? 0)
  if (!found && wanted.type_id) {
    const type = (await typesByIds(tx, [wanted.type_id]))[0]
    if (type) {
      const typed = wishes.map(({ resource, amount }) => ({ resource: `${resource}_${type.name}`, amount }))
      found = excess(typed, limit, (resource) => used.get(`${resource.slice(0, resource.length - type.name.length)}${type.id}`) ?? 0)
    }
  }
  if (found) throw overQuota(wording(found), { code: 'quota', field: found.resource })
}

function wording({ resource, limit, used, wanted }: Excess): string {
  if (resource.startsWith('gigabytes')) return `Requested volume or snapshot exceeds allowed ${resource} quota. Requested ${wanted}G, quota is ${limit}G and ${used}G has been consumed.`
  if (resource === 'backup_gigabytes') return `Requested backup exceeds allowed Backup gigabytes quota. Requested ${wanted}G, quota is ${limit}G and ${used}G has been consumed.`
  if (resource === 'groups') return `Maximum number of groups allowed (${limit}) exceeded`
  return `Maximum number of ${resource.split('_')[0]} allowed (${limit}) exceeded for quota '${resource}'.`
}
