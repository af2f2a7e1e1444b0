/** Domains, projects, users with their passwords, groups, roles, assignments. */
import { blob, count, flagOf, type ForeignKeystone, type ForeignRow, micros, naive, word, words } from '../foreign-keystone.ts'
import { findRow, updateRow } from '../rows.ts'
import type { AssignmentRow, ProjectRow, UserRow } from '../tables.ts'
import type { Arrival } from './arrival.ts'

/** Stands for "no domain" in the columns of Keystone that may not be null. */
const ROOT = '<<keystone.domain.root>>'
const NOBODY = '<<null>>'
const ASIDE = '-before-import'

const USER_OPTIONS: Readonly<Record<string, string>> = {
  1000: 'ignore_change_password_upon_first_use',
  1001: 'ignore_password_expiry',
  1002: 'ignore_lockout_failure_attempts',
  1003: 'lock_password',
  1004: 'ignore_user_inactivity',
  MFAR: 'multi_factor_auth_rules',
  MFAE: 'multi_factor_auth_enabled',
}
const OTHER_OPTIONS: Readonly<Record<string, string>> = { IMMU: 'immutable' }

export async function importIdentity(at: Arrival, foreign: ForeignKeystone): Promise<void> {
  await projects(at, foreign)
  await users(at, foreign)
  await groups(at, foreign)
  await roles(at, foreign)
  await assignments(at, foreign)
}

function optionsBy(rows: readonly ForeignRow[], owner: string, names: Readonly<Record<string, string>>): Map<string, Record<string, unknown>> {
  const found = new Map<string, Record<string, unknown>>()
  for (const row of rows) {
    const name = names[word(row.option_id)]
    if (name === undefined || row.option_value === null) continue
    const options = found.get(word(row[owner])) ?? {}
    options[name] = typeof row.option_value === 'string' ? (JSON.parse(row.option_value) as unknown) : row.option_value
    found.set(word(row[owner]), options)
  }
  return found
}

async function projects(at: Arrival, foreign: ForeignKeystone): Promise<void> {
  const options = optionsBy(foreign.project_option, 'project_id', OTHER_OPTIONS)
  for (const row of foreign.project) {
    const id = word(row.id)
    if (id === ROOT) continue
    const is_domain = flagOf(row.is_domain)
    const domain_id = is_domain ? '' : word(row.domain_id)
    const name = word(row.name)
    const own: ProjectRow = {
      id, name, domain_id, parent_id: is_domain ? '' : (words(row.parent_id) ?? domain_id), is_domain, enabled: flagOf(row.enabled, 1), description: words(row.description), options: JSON.stringify(options.get(id) ?? {}), extra: JSON.stringify(blob(row.extra)), revoked_before: 0,
    }
    const taken = await findRow(at.tx, 'keystone_projects', { domain_id, name })
    if (taken && taken.id !== id) {
      await updateRow(at.tx, 'keystone_projects', { id: taken.id }, { name: `${name}${ASIDE}` })
      at.note(`The ${is_domain ? 'domain' : 'project'} ${name} that was here (${taken.id}) is now ${name}${ASIDE}.`)
    }
    await at.put('keystone_projects', { id }, own)
  }
  for (const row of foreign.project_tag) await at.put('keystone_project_tags', { project_id: word(row.project_id), name: word(row.name) }, { project_id: word(row.project_id), name: word(row.name) })
}

async function users(at: Arrival, foreign: ForeignKeystone): Promise<void> {
  const locals = new Map(foreign.local_user.map((row) => [word(row.user_id), row]))
  const nonlocals = new Map(foreign.nonlocal_user.map((row) => [word(row.user_id), row]))
  const federated = new Map(foreign.federated_user.map((row) => [word(row.user_id), row]))
  const passwords = Map.groupBy(foreign.password, (row) => String(row.local_user_id))
  const options = optionsBy(foreign.user_option, 'user_id', USER_OPTIONS)
  for (const row of foreign.user) {
    const id = word(row.id)
    const local = locals.get(id)
    const shadow = federated.get(id)
    const name = words(local?.name) ?? words(nonlocals.get(id)?.name) ?? words(shadow?.display_name) ?? words(shadow?.unique_id)
    if (name === null) {
      at.note(`The user ${id} has no name and was left out.`)
      continue
    }
    const domain_id = word(row.domain_id)
    const own: UserRow = {
      id, domain_id, name, enabled: flagOf(row.enabled, 1), default_project_id: words(row.default_project_id), options: JSON.stringify(options.get(id) ?? {}), extra: JSON.stringify(blob(row.extra)), created_at: naive(row.created_at) ?? at.now,
      last_active_at: naive(row.last_active_at), failed_auth_count: count(local?.failed_auth_count), failed_auth_at: naive(local?.failed_auth_at), revoked_before: 0, federated: shadow ? (local ? 2 : 1) : 0,
    }
    const taken = await findRow(at.tx, 'keystone_users', { domain_id, name })
    if (taken && taken.id !== id) {
      await updateRow(at.tx, 'keystone_users', { id: taken.id }, { name: `${name}${ASIDE}` })
      at.note(`The user ${name} that was here (${taken.id}) is now ${name}${ASIDE}.`)
    }
    if (!(await at.put('keystone_users', { id }, own)) || !local) continue
    const own_passwords = (passwords.get(String(local.id)) ?? []).filter((one) => one.password_hash !== null).sort((a, b) => count(a.created_at_int) - count(b.created_at_int) || count(a.id) - count(b.id))
    for (const [i, one] of own_passwords.entries()) {
      const password = { id: at.newId(), user_id: id, hash: word(one.password_hash), created_at: micros(one.created_at_int) ?? at.now, expires_at: micros(one.expires_at_int), self_service: flagOf(one.self_service), generation: i + 1 }
      await at.put('keystone_passwords', { user_id: id, generation: i + 1 }, password)
    }
  }
}

async function groups(at: Arrival, foreign: ForeignKeystone): Promise<void> {
  for (const row of foreign.group) {
    const domain_id = word(row.domain_id)
    const taken = await findRow(at.tx, 'keystone_groups', { domain_id, name: word(row.name) })
    if (taken && taken.id !== word(row.id)) await updateRow(at.tx, 'keystone_groups', { id: taken.id }, { name: `${taken.name}${ASIDE}` })
    await at.put('keystone_groups', { id: word(row.id) }, { id: word(row.id), domain_id, name: word(row.name), description: words(row.description), extra: JSON.stringify(blob(row.extra)) })
  }
  for (const row of foreign.user_group_membership) {
    const key = { user_id: word(row.user_id), group_id: word(row.group_id) }
    await at.put('keystone_memberships', key, key)
  }
}

async function roles(at: Arrival, foreign: ForeignKeystone): Promise<void> {
  const options = optionsBy(foreign.role_option, 'role_id', OTHER_OPTIONS)
  for (const row of foreign.role) {
    const id = word(row.id)
    const domain_id = [ROOT, NOBODY].includes(word(row.domain_id)) ? '' : word(row.domain_id)
    const ours = await findRow(at.tx, 'keystone_roles', { domain_id, name: word(row.name) })
    at.roles.set(id, ours?.id ?? id)
    if (!ours) await at.put('keystone_roles', { id }, { id, name: word(row.name), domain_id, description: words(row.description), options: JSON.stringify(options.get(id) ?? {}), extra: JSON.stringify(blob(row.extra)) })
  }
  for (const row of foreign.implied_role) {
    const key = { prior_role_id: roleOf(at, row.prior_role_id), implied_role_id: roleOf(at, row.implied_role_id) }
    if (key.prior_role_id !== key.implied_role_id) await at.put('keystone_implied_roles', key, key)
  }
}

export const roleOf = (at: Arrival, id: unknown): string => at.roles.get(word(id)) ?? word(id)

async function assignments(at: Arrival, foreign: ForeignKeystone): Promise<void> {
  const put = async (row: ForeignRow, target_kind: AssignmentRow['target_kind'], target_id: string): Promise<void> => {
    const own: AssignmentRow = { actor_kind: word(row.type).startsWith('Group') ? 'group' : 'user', actor_id: word(row.actor_id), target_kind, target_id, role_id: roleOf(at, row.role_id), inherited: flagOf(row.inherited) }
    await at.put('keystone_assignments', own, own)
  }
  for (const row of foreign.assignment) await put(row, word(row.type).endsWith('Domain') ? 'domain' : 'project', word(row.target_id))
  for (const row of foreign.system_assignment) await put(row, 'system', 'system')
}
