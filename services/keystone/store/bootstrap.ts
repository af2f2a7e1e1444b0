/** Makes what a cloud cannot be without. Everything is looked up by name first, so that it may run at every start. */
import type { Tx } from '#base/sql/database.ts'
import type { BootstrapWish } from '../contract/bootstrap.ts'
import { findRow, findRows, insertRow, updateRow } from './rows.ts'
import type { AssignmentRow, KeystoneTables, ProjectRow, UserRow } from './tables.ts'
import { currentPassword } from './users.ts'

type T = Tx<KeystoneTables>

export interface BootstrapMeans {
  now: number
  newId(): string
  /** Hashes of the wish's passwords by user name, made before the transaction. */
  hashes: ReadonlyMap<string, string>
}

const ROLES = ['admin', 'manager', 'member', 'reader', 'service'] as const
const IMPLIES = [['admin', 'manager'], ['manager', 'member'], ['member', 'reader']] as const
const DEFAULT = 'default'

/** True when anything was made or changed. */
export async function bootstrap(tx: T, wish: BootstrapWish, means: BootstrapMeans): Promise<boolean> {
  // Holds this row until the end: of several processes that start together, one goes first.
  await updateRow(tx, 'keystone_epochs', { name: 'tables' }, { name: 'tables' })
  let changed = false
  const insert = async <N extends keyof KeystoneTables>(table: N, row: KeystoneTables[N]): Promise<void> => {
    changed = true
    await insertRow(tx, table, row)
  }
  const project = async (name: string): Promise<string> => {
    const found = await findRow(tx, 'keystone_projects', { domain_id: DEFAULT, name })
    if (found) return found.id
    const row: ProjectRow = { id: means.newId(), name, domain_id: DEFAULT, parent_id: DEFAULT, is_domain: 0, enabled: 1, description: '', options: '{}', extra: '{}', revoked_before: 0 }
    await insert('keystone_projects', row)
    return row.id
  }
  const user = async (name: string, default_project_id: string | null, renew = false): Promise<string> => {
    const found = await findRow(tx, 'keystone_users', { domain_id: DEFAULT, name })
    const row: UserRow = found ?? {
      id: means.newId(), domain_id: DEFAULT, name, enabled: 1, default_project_id, options: '{}', extra: '{}', created_at: means.now, last_active_at: null, failed_auth_count: 0, failed_auth_at: null, revoked_before: 0, federated: 0,
    }
    if (!found) await insert('keystone_users', row)
    const hash = means.hashes.get(name)
    const before = hash ? await currentPassword(tx, row.id) : undefined
    if (hash && (!before || renew)) await insert('keystone_passwords', { id: means.newId(), user_id: row.id, hash, created_at: means.now, expires_at: null, self_service: 0, generation: (before?.generation ?? 0) + 1 })
    return row.id
  }

  if (!(await findRow(tx, 'keystone_projects', { id: DEFAULT }))) {
    await insert('keystone_projects', { id: DEFAULT, name: 'Default', domain_id: '', parent_id: '', is_domain: 1, enabled: 1, description: 'The default domain', options: '{}', extra: '{}', revoked_before: 0 })
  }
  const roles = new Map<string, string>()
  for (const name of ROLES) {
    const found = await findRow(tx, 'keystone_roles', { domain_id: '', name })
    const id = found?.id ?? means.newId()
    // Nobody deletes or renames by mistake what every policy names.
    if (!found) await insert('keystone_roles', { id, name, domain_id: '', description: null, options: '{"immutable":true}', extra: '{}' })
    roles.set(name, id)
  }
  for (const name of wish.roles ?? []) {
    if (!(await findRow(tx, 'keystone_roles', { domain_id: '', name }))) await insert('keystone_roles', { id: means.newId(), name, domain_id: '', description: null, options: '{}', extra: '{}' })
  }
  for (const [prior, implied] of IMPLIES) {
    const key = { prior_role_id: roles.get(prior)!, implied_role_id: roles.get(implied)! }
    if (!(await findRow(tx, 'keystone_implied_roles', key))) await insert('keystone_implied_roles', key)
  }
  const grant = async (actor_id: string, role: string, target_kind: AssignmentRow['target_kind'], target_id: string): Promise<void> => {
    const role_id = roles.get(role) ?? (await findRow(tx, 'keystone_roles', { domain_id: '', name: role }))?.id
    if (role_id === undefined) return
    const row: AssignmentRow = { actor_kind: 'user', actor_id, target_kind, target_id, role_id, inherited: 0 }
    if (!(await findRow(tx, 'keystone_assignments', row))) await insert('keystone_assignments', row)
  }

  const adminProject = await project(wish.admin.project)
  const admin = await user(wish.admin.name, null)
  await grant(admin, 'admin', 'project', adminProject)
  await grant(admin, 'admin', 'domain', DEFAULT)
  await grant(admin, 'admin', 'system', 'system')
  const serviceProject = await project('service')
  for (const { name } of wish.services) {
    const id = await user(name, null, true)
    for (const role of ['admin', 'service']) await grant(id, role, 'project', serviceProject)
  }
  for (const { name, project: where, roles: held } of wish.users) {
    const place = await project(where)
    const id = await user(name, null)
    for (const role of held) await grant(id, role, 'project', place)
  }

  if (!(await findRow(tx, 'keystone_regions', { id: wish.region }))) await insert('keystone_regions', { id: wish.region, description: '', parent_region_id: null, extra: '{}' })
  for (const { name, type, url } of wish.catalog) {
    const service = (await findRows(tx, 'keystone_services', { type, name }))[0] ?? { id: means.newId(), type, name, description: null, enabled: 1, extra: '{}' }
    if (!(await findRow(tx, 'keystone_services', { id: service.id }))) await insert('keystone_services', service)
    const template = url.replaceAll('{project_id}', '$(project_id)s')
    const endpoints = await findRows(tx, 'keystone_endpoints', { service_id: service.id, region_id: wish.region })
    for (const face of ['public', 'internal', 'admin']) {
      const endpoint = endpoints.find((one) => one.interface === face)
      if (!endpoint) await insert('keystone_endpoints', { id: means.newId(), service_id: service.id, interface: face, region_id: wish.region, url: template, enabled: 1, extra: '{}' })
      else if (endpoint.url !== template) {
        changed = true
        await updateRow(tx, 'keystone_endpoints', { id: endpoint.id }, { url: template })
      }
    }
  }
  return changed
}
