/** What a user may somewhere, without a token: for the question why policy would refuse. */
import { notFound } from '#base/fault.ts'
import { tokenRoles } from '../../core/role-inference.ts'
import type { Standing, StandingWish } from '../../contract/bootstrap.ts'
import { findRow } from '../../store/rows.ts'
import type { ProjectRow } from '../../store/tables.ts'
import type { Keystone } from '../house.ts'
import { assignedRoles, type RoleScope } from './judgement.ts'

/** Throws 404 naming the user, project or domain that is not there. */
export async function standingOf(house: Keystone, { user: wanted, domain = 'default', scope }: StandingWish): Promise<Standing> {
  const { db } = house
  const lost = (noun: string, name: string): never => {
    throw notFound(`Could not find ${noun}: ${name}.`)
  }
  const domainOf = async (name: string): Promise<ProjectRow> => {
    const found = (await findRow(db, 'keystone_projects', { id: name })) ?? (await findRow(db, 'keystone_projects', { domain_id: '', name }))
    return found?.is_domain === 1 ? found : lost('domain', name)
  }
  const home = await domainOf(domain)
  const user = (await findRow(db, 'keystone_users', { id: wanted })) ?? (await findRow(db, 'keystone_users', { domain_id: home.id, name: wanted })) ?? lost('user', wanted)
  const standing: Standing = { user_id: user.id, user_domain_id: user.domain_id, roles: [] }
  if (!scope) return standing
  let where: RoleScope
  let more: Partial<Standing>
  if ('project' in scope) {
    const project = (await findRow(db, 'keystone_projects', { id: scope.project })) ?? (await findRow(db, 'keystone_projects', { domain_id: home.id, name: scope.project })) ?? lost('project', scope.project)
    where = { project }
    more = { project_id: project.id, project_domain_id: project.domain_id }
  } else if ('domain' in scope) {
    const at = await domainOf(scope.domain)
    where = { domain_id: at.id }
    more = { domain_id: at.id }
  } else {
    where = { system: true }
    more = { system_scope: 'all' }
  }
  const { roles, implies } = await house.tokens.tables()
  const held = await assignedRoles({ db, now: house.world.clock.now(), federation_ttl: house.config.federation.default_authorization_ttl * 60_000 }, user.id, where)
  return { ...standing, ...more, roles: tokenRoles(held, implies, roles).map(({ name }) => name).sort() }
}
