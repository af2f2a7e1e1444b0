/** What a mapping makes of somebody from outside: a row that stands for them, memberships for a time, projects and roles. */
import { createHash } from 'node:crypto'
import { unauthenticated } from '#base/fault.ts'
import { type Attributes, oneValue } from '../../core/attributes.ts'
import type { Mapped } from '../../core/mapping.ts'
import { projectByName } from '../../store/projects.ts'
import { deleteRows, findRow, insertRow, rowsIn, updateRow } from '../../store/rows.ts'
import type { IdentityProviderRow, ProtocolRow, UserRow } from '../../store/tables.ts'
import { getUser, userByName } from '../../store/users.ts'
import type { Keystone } from '../house.ts'
import { newId } from '../steps.ts'

const refused = (detail: string): never => {
  throw unauthenticated('The request you have made requires authentication.', { detail })
}

export async function localUser(house: Keystone, wanted: Mapped['user']): Promise<UserRow> {
  const domain = await domainNamed(house, wanted.domain)
  const user = wanted.id ? await getUser(house.db, wanted.id) : wanted.name && domain ? await userByName(house.db, domain, wanted.name) : undefined
  return user ?? refused('The mapping names a local user who is not there')
}

async function domainNamed(house: Keystone, domain: { id?: string; name?: string } | undefined): Promise<string | undefined> {
  if (domain?.id) return domain.id
  return domain?.name ? (await projectByName(house.db, '', domain.name))?.id : undefined
}

/** One question for all ids and one for all names; an id that is not there refuses, a name that is not there says nothing. */
export async function groupsOf(house: Keystone, mapped: Mapped): Promise<string[]> {
  const known = new Set((await rowsIn(house.db, 'keystone_groups', 'id', mapped.group_ids)).map((row) => row.id))
  for (const id of mapped.group_ids) if (!known.has(id)) refused(`The mapping names a group that is not there: ${id}`)
  const domains = new Map<string, string | undefined>()
  for (const { domain } of mapped.groups) {
    const key = JSON.stringify(domain)
    if (!domains.has(key)) domains.set(key, await domainNamed(house, domain))
  }
  const rows = await rowsIn(house.db, 'keystone_groups', 'name', [...new Set(mapped.groups.map((one) => one.name))])
  const wanted = new Set(mapped.groups.map(({ name, domain }) => JSON.stringify([domains.get(JSON.stringify(domain)), name])))
  return [...new Set([...known, ...rows.filter((row) => wanted.has(JSON.stringify([row.domain_id, row.name]))).map((row) => row.id)])]
}

/** The row that stands for somebody from outside; made at the first login. */
export async function shadow(house: Keystone, idp: IdentityProviderRow, protocol: ProtocolRow, wanted: Mapped['user'], found: Attributes): Promise<UserRow> {
  const name = wanted.name ?? wanted.id ?? oneValue(found, 'REMOTE_USER') ?? refused('The mapping names no user')
  if (name.length > 255) return refused('The name of the user is longer than 255')
  const whole = wanted.id ?? encodeURIComponent(name)
  const unique_id = whole.length > 255 ? createHash('sha256').update(whole).digest('hex') : whole
  return house.db.transaction(async (tx) => {
    const key = { idp_id: idp.id, protocol_id: protocol.id, unique_id }
    const known = await findRow(tx, 'keystone_federated_users', key)
    if (known) {
      if (known.display_name !== name) await updateRow(tx, 'keystone_federated_users', key, { display_name: name })
      const user = await getUser(tx, known.user_id)
      if (user) return user
      await deleteRows(tx, 'keystone_federated_users', key)
    }
    const taken = await userByName(tx, idp.domain_id, name)
    const row: UserRow = {
      id: newId(house), domain_id: idp.domain_id, name: taken ? `${name.slice(0, 120)} (${unique_id})`.slice(0, 255) : name, enabled: 1, default_project_id: null, options: '{}', extra: wanted.email ? JSON.stringify({ email: wanted.email }) : '{}',
      created_at: house.world.clock.now(), last_active_at: null, failed_auth_count: 0, failed_auth_at: null, revoked_before: 0, federated: 1,
    }
    await insertRow(tx, 'keystone_users', row)
    await insertRow(tx, 'keystone_federated_users', { user_id: row.id, ...key, display_name: name })
    return row
  })
}

export async function keepMemberships(house: Keystone, user_id: string, idp_id: string, groups: readonly string[]): Promise<void> {
  const verified_at = house.world.clock.now()
  await house.db.transaction(async (tx) => {
    await deleteRows(tx, 'keystone_expiring_memberships', { user_id, idp_id })
    for (const group_id of groups) await insertRow(tx, 'keystone_expiring_memberships', { user_id, group_id, idp_id, verified_at })
    await house.widen(tx)
  })
}

/** Projects that the mapping promises, made at need, with the roles it gives there. */
export async function provision(house: Keystone, idp: IdentityProviderRow, actor_id: string, mapped: Mapped): Promise<void> {
  for (const wanted of mapped.projects) {
    if (wanted.name.length > 64) refused('The name of a project is longer than 64')
    const domain_id = (await domainNamed(house, wanted.domain)) ?? idp.domain_id
    await house.db.transaction(async (tx) => {
      let project = await projectByName(tx, domain_id, wanted.name)
      if (!project) {
        project = { id: newId(house), name: wanted.name, domain_id, parent_id: domain_id, is_domain: 0, enabled: 1, description: '', options: '{}', extra: '{}', revoked_before: 0 }
        await insertRow(tx, 'keystone_projects', project)
      }
      for (const { name } of wanted.roles) {
        const role = (await findRow(tx, 'keystone_roles', { domain_id: '', name })) ?? (await findRow(tx, 'keystone_roles', { domain_id, name })) ?? refused(`The mapping names a role that is not there: ${name}`)
        const row = { actor_kind: 'user', actor_id, target_kind: 'project', target_id: project.id, role_id: role.id, inherited: 0 } as const
        if (!(await findRow(tx, 'keystone_assignments', row))) await insertRow(tx, 'keystone_assignments', row)
      }
      await house.widen(tx)
    })
  }
}
