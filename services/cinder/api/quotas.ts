/** Quota sets and classes, and the limits of a project. */
import { invalid } from '#base/fault.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import type { Cinder } from '../house.ts'
import { deleteLimits, limitsOf, setLimit, usageOf } from '../store/quotas.ts'
import { allTypes } from '../store/types.ts'
import { queryFlag } from './body.ts'
import { configured, limitFinder, RESOURCES } from './quota-check.ts'

const LIMIT = { anyOf: [{ type: 'integer', minimum: -1, maximum: 2_147_483_647 }, { type: 'string', pattern: '^(-1|[0-9]{1,10})$' }] }
const body = (one: string): object => ({ type: 'object', required: [one], properties: { [one]: { type: 'object', additionalProperties: { anyOf: [...LIMIT.anyOf, { type: 'null' }] }, properties: { tenant_id: { type: 'string' }, id: { type: 'string' }, class_name: { type: 'string' } } } } })

type Limits = Record<string, number | string | null>

export const quotaRoutes = (house: Cinder): Route[] => [
  route({ method: 'GET', path: '/os-quota-sets/{target_project}', name: 'quotas.show', status: 200, handle: (rq) => show(house, rq) }),
  route({ method: 'GET', path: '/os-quota-sets/{target_project}/defaults', name: 'quotas.defaults', status: 200, handle: (rq) => defaults(house, rq) }),
  route<{ quota_set: Limits }>({ method: 'PUT', path: '/os-quota-sets/{target_project}', name: 'quotas.update', body: body('quota_set'), status: 200, handle: (rq) => update(house, rq) }),
  route({ method: 'DELETE', path: '/os-quota-sets/{target_project}', name: 'quotas.delete', bodyKind: 'none', status: 200, handle: (rq) => remove(house, rq) }),
  route({ method: 'GET', path: '/os-quota-class-sets/{class_name}', name: 'quota_classes.show', policy: 'volume_extension:quota_classes:get', status: 200, handle: (rq) => showClass(house, rq) }),
  route<{ quota_class_set: Limits }>({ method: 'PUT', path: '/os-quota-class-sets/{class_name}', name: 'quota_classes.update', policy: 'volume_extension:quota_classes:update', body: body('quota_class_set'), status: 200, handle: (rq) => updateClass(house, rq) }),
  route({ method: 'GET', path: '/limits', name: 'limits.show', status: 200, handle: (rq) => limits(house, rq) }),
]

/** Every resource that can be limited: the common ones, and each of a type. */
async function resources(house: Cinder): Promise<string[]> {
  const types = await allTypes(house.db)
  return [...RESOURCES, ...types.flatMap(({ name }) => [`volumes_${name}`, `gigabytes_${name}`, `snapshots_${name}`])]
}

const targetOf = (rq: Rq): { project_id: string } => ({ project_id: rq.params.target_project! })

async function used(house: Cinder, projectId: string): Promise<(resource: string) => number> {
  const counts = await usageOf(house.db, projectId, { snapshotsCount: !house.config.no_snapshot_gb_quota })
  const ids = new Map((await allTypes(house.db)).map((type) => [type.name, type.id]))
  return (resource) => {
    const [kind, name] = [resource.split('_')[0]!, resource.slice(resource.indexOf('_') + 1)]
    return counts.get(resource) ?? counts.get(`${kind}_${ids.get(name) ?? ''}`) ?? 0
  }
}

async function show(house: Cinder, rq: Rq): Promise<Reply> {
  rq.authorize('volume_extension:quotas:show', targetOf(rq))
  const id = rq.params.target_project!
  const limit = await limitFinder(house, house.db, id)
  const names = await resources(house)
  if (!queryFlag(rq.query, 'usage')) return { json: { quota_set: { id, ...Object.fromEntries(names.map((name) => [name, limit(name)])) } } }
  const inUse = await used(house, id)
  return { json: { quota_set: { id, ...Object.fromEntries(names.map((name) => [name, { limit: limit(name), in_use: inUse(name), reserved: 0, allocated: 0 }])) } } }
}

async function classLimits(house: Cinder, name: string): Promise<Record<string, number>> {
  const set = await limitsOf(house.db, 'class', name)
  return Object.fromEntries((await resources(house)).map((resource) => [resource, set.get(resource) ?? configured(house, resource)]))
}

async function defaults(house: Cinder, rq: Rq): Promise<Reply> {
  rq.authorize('volume_extension:quotas:show', targetOf(rq))
  return { json: { quota_set: { id: rq.params.target_project!, ...(await classLimits(house, 'default')) } } }
}

const NO_LIMIT = new Set(['tenant_id', 'id', 'class_name'])

async function parsed(house: Cinder, given: Limits, what: string): Promise<[string, number][]> {
  const known = new Set(await resources(house))
  const bad = Object.keys(given).filter((name) => !known.has(name) && !NO_LIMIT.has(name))
  if (bad.length > 0) throw invalid(`Bad key(s) in ${what}: ${bad.join(',').slice(0, 200)}`, { field: bad[0]! })
  return Object.entries(given).flatMap(([name, value]) => {
    if (NO_LIMIT.has(name) || value === null) return []
    const limit = Number(value)
    if (!Number.isInteger(limit) || limit < -1 || limit > 2_147_483_647) throw invalid(`Quota limit for ${name} must be a whole number from -1 to 2147483647.`, { field: name })
    return [[name, limit]]
  })
}

async function update(house: Cinder, rq: Rq<{ quota_set: Limits }>): Promise<Reply> {
  rq.authorize('volume_extension:quotas:update', targetOf(rq))
  const id = rq.params.target_project!
  const set = await parsed(house, rq.body.quota_set, 'quota set')
  await house.db.transaction(async (tx) => {
    for (const [name, limit] of set) await setLimit(tx, 'project', id, name, limit)
  })
  const limit = await limitFinder(house, house.db, id)
  return { json: { quota_set: Object.fromEntries((await resources(house)).map((name) => [name, limit(name)])) } }
}

async function remove(house: Cinder, rq: Rq): Promise<Reply> {
  rq.authorize('volume_extension:quotas:delete', targetOf(rq))
  await deleteLimits(house.db, rq.params.target_project!)
  return {}
}

async function showClass(house: Cinder, rq: Rq): Promise<Reply> {
  const name = rq.params.class_name!
  return { json: { quota_class_set: { id: name, ...(await classLimits(house, name)) } } }
}

async function updateClass(house: Cinder, rq: Rq<{ quota_class_set: Limits }>): Promise<Reply> {
  const name = rq.params.class_name!
  const set = await parsed(house, rq.body.quota_class_set, 'quota class set')
  await house.db.transaction(async (tx) => {
    for (const [resource, limit] of set) await setLimit(tx, 'class', name, resource, limit)
  })
  return { json: { quota_class_set: await classLimits(house, name) } }
}

async function limits(house: Cinder, rq: Rq): Promise<Reply> {
  const other = rq.version >= v('3.39') && rq.allows('context_is_admin', {}) ? rq.query.get('project_id') : null
  const project = other ?? rq.context.project_id ?? ''
  rq.authorize('limits_extension:used_limits', { project_id: project })
  const limit = await limitFinder(house, house.db, project)
  const inUse = await used(house, project)
  const absolute = {
    maxTotalVolumes: limit('volumes'),
    maxTotalSnapshots: limit('snapshots'),
    maxTotalVolumeGigabytes: limit('gigabytes'),
    maxTotalBackups: limit('backups'),
    maxTotalBackupGigabytes: limit('backup_gigabytes'),
    totalVolumesUsed: inUse('volumes'),
    totalSnapshotsUsed: inUse('snapshots'),
    totalGigabytesUsed: inUse('gigabytes'),
    totalBackupsUsed: inUse('backups'),
    totalBackupGigabytesUsed: inUse('backup_gigabytes'),
  }
  return { json: { limits: { rate: [], absolute } } }
}
