/** What goes when a thing goes: everything that hangs on a user, a project, a group, a role or a domain. */
import type { Tx } from '#base/sql/database.ts'
import { dropAssignments } from './assignments.ts'
import { deleteRows, findRows } from './rows.ts'
import type { KeystoneTables } from './tables.ts'

type T = Tx<KeystoneTables>

export async function dropUser(tx: T, id: string): Promise<void> {
  await dropAssignments(tx, 'actor_id', id)
  for (const table of ['keystone_memberships', 'keystone_passwords', 'keystone_credentials', 'keystone_application_credentials', 'keystone_access_rules', 'keystone_federated_users', 'keystone_expiring_memberships', 'keystone_oauth_tokens'] as const) {
    await deleteRows(tx, table, { user_id: id })
  }
  await deleteRows(tx, 'keystone_trusts', { trustor_user_id: id })
  await deleteRows(tx, 'keystone_trusts', { trustee_user_id: id })
  await deleteRows(tx, 'keystone_users', { id })
}

export async function dropGroup(tx: T, id: string): Promise<void> {
  await dropAssignments(tx, 'actor_id', id)
  await deleteRows(tx, 'keystone_memberships', { group_id: id })
  await deleteRows(tx, 'keystone_expiring_memberships', { group_id: id })
  await deleteRows(tx, 'keystone_groups', { id })
}

export async function dropProject(tx: T, id: string): Promise<void> {
  await dropAssignments(tx, 'target_id', id)
  for (const table of ['keystone_credentials', 'keystone_application_credentials', 'keystone_trusts', 'keystone_project_tags', 'keystone_project_endpoints', 'keystone_project_endpoint_groups', 'keystone_oauth_tokens', 'keystone_limits'] as const) {
    await deleteRows(tx, table, { project_id: id })
  }
  await tx.query.updateTable('keystone_users').set({ default_project_id: null }).where('default_project_id', '=', id).execute()
  await deleteRows(tx, 'keystone_projects', { id })
}

export async function dropRole(tx: T, id: string): Promise<void> {
  await dropAssignments(tx, 'role_id', id)
  await deleteRows(tx, 'keystone_implied_roles', { prior_role_id: id })
  await deleteRows(tx, 'keystone_implied_roles', { implied_role_id: id })
  await deleteRows(tx, 'keystone_roles', { id })
}

/** A domain with all its users, groups, projects and roles. */
export async function dropDomain(tx: T, id: string): Promise<void> {
  for (const user of await findRows(tx, 'keystone_users', { domain_id: id })) await dropUser(tx, user.id)
  for (const group of await findRows(tx, 'keystone_groups', { domain_id: id })) await dropGroup(tx, group.id)
  for (const project of await findRows(tx, 'keystone_projects', { domain_id: id })) await dropProject(tx, project.id)
  for (const role of await findRows(tx, 'keystone_roles', { domain_id: id })) await dropRole(tx, role.id)
  await deleteRows(tx, 'keystone_limits', { domain_id: id })
  await deleteRows(tx, 'keystone_domain_config', { domain_id: id })
  await deleteRows(tx, 'keystone_identity_providers', { domain_id: id })
  await dropProject(tx, id)
}
