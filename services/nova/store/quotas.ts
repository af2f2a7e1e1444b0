/** Limits that differ from the configured ones. */
import type { QuotaName } from '../config.ts'
import { roomOf, type UnifiedLimits } from '#stack/quota.ts'
import { serverGroupCount } from './server-groups.ts'
import { type NovaSql, usageOf } from './servers.ts'
import type { QuotaRow } from './tables.ts'

export interface QuotaSource {
  defaults: Readonly<Record<QuotaName, number>>
  /** Keystone's instead of our own. */
  unified?: UnifiedLimits | undefined
}

/** What our limits are called in Keystone, as real Nova calls them. */
const REGISTERED: Readonly<Record<QuotaName, string>> = {
  instances: 'servers', cores: 'class:VCPU', ram: 'class:MEMORY_MB', metadata_items: 'server_metadata_items', key_pairs: 'server_key_pairs', server_groups: 'server_groups', server_group_members: 'server_group_members',
  injected_files: 'server_injected_files', injected_file_content_bytes: 'server_injected_file_content_bytes', injected_file_path_bytes: 'server_injected_file_path_bytes',
}
const NAMES = Object.keys(REGISTERED) as QuotaName[]

async function unifiedOf(sql: NovaSql, projectId: string, unified: UnifiedLimits, defaults: Readonly<Record<QuotaName, number>>): Promise<Record<QuotaName, number>> {
  const configured = new Map(NAMES.map((name) => [REGISTERED[name], defaults[name]]))
  const room = await roomOf(unified, projectId, (resource) => configured.get(resource) ?? -1, async (projects) => {
    const used = new Map<string, number>()
    const add = (name: QuotaName, amount: number): void => void used.set(REGISTERED[name], (used.get(REGISTERED[name]) ?? 0) + amount)
    for (const id of projects) {
      const { instances, cores, ram } = await usageOf(sql, id)
      add('instances', instances)
      add('cores', cores)
      add('ram', ram)
      add('server_groups', await serverGroupCount(sql, id))
    }
    return (resource) => used.get(resource) ?? 0
  })
  return Object.fromEntries(NAMES.map((name) => [name, room(REGISTERED[name])])) as Record<QuotaName, number>
}

/** Row owner for the default class, whose limits hold for every project that has none of its own. */
export const DEFAULT_CLASS = 'class:default'

export async function limitsOf(sql: NovaSql, projectId: string, source: QuotaSource): Promise<Record<QuotaName, number>> {
  return source.unified ? unifiedOf(sql, projectId, source.unified, source.defaults) : layered(sql, [DEFAULT_CLASS, projectId], source.defaults)
}

/** The project's limits, and those of one user in it if there are any of his own. */
export async function limitsWithUser(sql: NovaSql, projectId: string, userId: string, source: QuotaSource): Promise<{ limits: Record<QuotaName, number>; own?: Record<QuotaName, number> }> {
  if (source.unified) return { limits: await unifiedOf(sql, projectId, source.unified, source.defaults) }
  const rows = await rowsOf(sql, [DEFAULT_CLASS, projectId], ['', userId])
  const limits = laid(rows, [DEFAULT_CLASS, projectId], source.defaults)
  const mine = rows.filter((row) => row.project_id === projectId && row.user_id === userId && userId !== '' && row.resource in limits)
  return mine.length === 0 ? { limits } : { limits, own: { ...limits, ...Object.fromEntries(mine.map((row) => [row.resource, row.hard_limit])) } }
}

/** What holds for one user in a project: his own limits where he has them, else the project's. */
export async function userLimitsOf(sql: NovaSql, projectId: string, userId: string, source: QuotaSource): Promise<Record<QuotaName, number>> {
  const { limits, own } = await limitsWithUser(sql, projectId, userId, source)
  return own ?? limits
}

/** A class that nobody has set has the configured limits. */
export async function classLimits(sql: NovaSql, name: string, source: QuotaSource): Promise<Record<QuotaName, number>> {
  return layered(sql, [`class:${name}`], source.defaults)
}

/** Only what was set, of a project (`userId` empty) or a user in it; resources of other houses too, which Nova keeps and does not use. */
export async function ownLimits(sql: NovaSql, owner: string, userId = ''): Promise<Record<string, number>> {
  const rows = await sql.query.selectFrom('nova_quotas').selectAll().where('project_id', '=', owner).where('user_id', '=', userId).execute()
  return Object.fromEntries(rows.map((row) => [row.resource, row.hard_limit]))
}

/** In the caller's transaction. `owner`: a project, or `class:<name>`. */
export async function setLimits(sql: NovaSql, owner: string, userId: string, limits: Readonly<Record<string, number>>): Promise<void> {
  const names = Object.keys(limits)
  if (names.length === 0) return
  await sql.query.deleteFrom('nova_quotas').where('project_id', '=', owner).where('user_id', '=', userId).where('resource', 'in', names).execute()
  await sql.query.insertInto('nova_quotas').values(names.map((resource) => ({ project_id: owner, user_id: userId, resource, hard_limit: limits[resource]! }))).execute()
}

/** Back to the defaults: of the user, or of the project and every user in it. */
export async function dropLimits(sql: NovaSql, projectId: string, userId?: string): Promise<void> {
  let q = sql.query.deleteFrom('nova_quotas').where('project_id', '=', projectId)
  if (userId !== undefined) q = q.where('user_id', '=', userId)
  await q.execute()
}

async function layered(sql: NovaSql, owners: readonly string[], defaults: Readonly<Record<QuotaName, number>>): Promise<Record<QuotaName, number>> {
  return laid(await rowsOf(sql, owners, ['']), owners, defaults)
}

function rowsOf(sql: NovaSql, owners: readonly string[], users: readonly string[]): Promise<QuotaRow[]> {
  return sql.query.selectFrom('nova_quotas').selectAll().where('project_id', 'in', owners).where('user_id', 'in', users).execute()
}

/** Later owners over earlier ones. */
function laid(rows: readonly QuotaRow[], owners: readonly string[], defaults: Readonly<Record<QuotaName, number>>): Record<QuotaName, number> {
  const limits: Record<QuotaName, number> = { ...defaults }
  for (const owner of owners) {
    for (const row of rows) if (row.project_id === owner && row.user_id === '' && row.resource in limits) limits[row.resource as QuotaName] = row.hard_limit
  }
  return limits
}
