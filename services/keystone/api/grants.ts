/** Roles granted: to a user or a group, on a project, a domain or the system, for itself or for all projects below it. */
import { forbidden, notFound } from '#base/fault.ts'
import type { Row } from '#stack/resource/resource.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { listAssignments } from '../store/assignments.ts'
import { getDomain, getProject } from '../store/projects.ts'
import { deleteRows, findRow, insertRow, rowsIn } from '../store/rows.ts'
import type { AssignmentRow, GroupRow, ProjectRow, RoleRow, UserRow } from '../store/tables.ts'
import { getUser } from '../store/users.ts'
import { domainTarget } from './domains.ts'
import { groupTarget } from './groups.ts'
import type { Keystone } from './house.ts'
import { projectTarget } from './projects.ts'
import { roleTarget, roleView } from './roles.ts'
import { at, enforce, listReply, there } from './steps.ts'
import { userTarget } from './users.ts'

interface Shape {
  actor: 'user' | 'group'
  target: 'project' | 'domain' | 'system'
  inherited: boolean
}

interface Parties {
  user: UserRow | undefined
  group: GroupRow | undefined
  project: ProjectRow | undefined
  domain: ProjectRow | undefined
  role: RoleRow | undefined
}

export function grantRoutes(house: Keystone): Route[] {
  const routes: Route[] = []
  for (const actor of ['user', 'group'] as const) {
    for (const target of ['project', 'domain', 'system'] as const) routes.push(...shapeRoutes(house, { actor, target, inherited: false }))
    for (const target of ['project', 'domain'] as const) routes.push(...shapeRoutes(house, { actor, target, inherited: true }))
  }
  return routes
}

function shapeRoutes(house: Keystone, shape: Shape): Route[] {
  const { db } = house
  const { actor, target, inherited } = shape
  const where = target === 'system' ? '/v3/system' : `/v3/${inherited ? 'OS-INHERIT/' : ''}${target}s/{${target}_id}`
  const roles = `${where}/${actor}s/{${actor}_id}/roles`
  const end = inherited ? '/inherited_to_projects' : ''
  const action = (verb: 'check' | 'create' | 'revoke'): string => (target === 'system' ? `${verb}_system_grant_for_${actor}` : `${verb}_grant`)

  const parties = async (rq: Rq, rule: string): Promise<Parties> => {
    const { user_id, group_id, project_id, domain_id, role_id } = rq.params
    const found: Parties = {
      user: user_id === undefined ? undefined : await getUser(db, user_id),
      group: group_id === undefined ? undefined : await findRow(db, 'keystone_groups', { id: group_id }),
      project: project_id === undefined ? undefined : await getProject(db, project_id),
      domain: domain_id === undefined ? undefined : await getDomain(db, domain_id),
      role: role_id === undefined ? undefined : await findRow(db, 'keystone_roles', { id: role_id }),
    }
    const facts: Row = { ...userTarget(found.user), ...groupTarget(found.group), ...projectTarget(found.project), ...domainTarget(found.domain), ...roleTarget(found.role) }
    enforce(rq, rule, facts)
    if (role_id !== undefined) there(found.role, 'role', role_id)
    if (project_id !== undefined) there(found.project, 'project', project_id)
    if (domain_id !== undefined) there(found.domain, 'domain', domain_id)
    return found
  }
  const key = (rq: Rq): AssignmentRow => ({
    actor_kind: actor,
    actor_id: rq.params[`${actor}_id`]!,
    target_kind: target,
    target_id: target === 'system' ? 'system' : rq.params[`${target}_id`]!,
    role_id: rq.params.role_id ?? '',
    inherited: inherited ? 1 : 0,
  })
  const knownActor = (rq: Rq, found: Parties): void => {
    if (actor === 'user') there(found.user, 'user', rq.params.user_id!)
    else there(found.group, 'group', rq.params.group_id!)
  }
  const lost = (row: AssignmentRow): Error => notFound(`Could not find role assignment with role: ${row.role_id}, user or group: ${row.actor_id}, project, domain, or system: ${row.target_id}.`)

  const list = async (rq: Rq): Promise<Reply> => {
    const found = await parties(rq, target === 'system' ? `list_system_grants_for_${actor}` : 'list_grants')
    knownActor(rq, found)
    const { actor_kind, actor_id, target_kind, target_id, inherited: flag } = key(rq)
    const rows = await listAssignments(db, { actor_kind, actor_ids: [actor_id], target_kind, target_ids: [target_id], inherited: flag })
    const held = await rowsIn(db, 'keystone_roles', 'id', rows.map((row) => row.role_id))
    return listReply(rq, 'roles', held.map((row) => roleView(rq, row)))
  }
  const check = async (rq: Rq): Promise<Reply> => {
    knownActor(rq, await parties(rq, action('check')))
    if (!(await findRow(db, 'keystone_assignments', key(rq)))) throw lost(key(rq))
    return {}
  }
  const grant = async (rq: Rq): Promise<Reply> => {
    const found = await parties(rq, action('create'))
    knownActor(rq, found)
    assertRoleFits(found, target)
    const row = key(rq)
    await db.transaction(async (tx) => {
      if (await findRow(tx, 'keystone_assignments', row)) return
      await insertRow(tx, 'keystone_assignments', row)
      await house.widen(tx)
    })
    return {}
  }
  const revoke = async (rq: Rq): Promise<Reply> => {
    await parties(rq, action('revoke'))
    const row = key(rq)
    await db.transaction(async (tx) => {
      if ((await deleteRows(tx, 'keystone_assignments', row)) === 0) throw lost(row)
      if (actor === 'user' && target === 'project') await deleteRows(tx, 'keystone_application_credentials', { user_id: row.actor_id, project_id: row.target_id })
      await house.revoke(tx)
    })
    return {}
  }
  const name = (verb: string): string => `grants.${verb}_${target}_${actor}${inherited ? '_inherited' : ''}`
  // Keystone has no list of what a project passes down.
  const lists = inherited && target === 'project' ? [] : [at('GET', `${roles}${end}`, name('list'), 200, list)]
  return [
    ...lists,
    at('PUT', `${roles}/{role_id}${end}`, name('create'), 204, grant),
    at('GET', `${roles}/{role_id}${end}`, name('check'), 204, check),
    at('HEAD', `${roles}/{role_id}${end}`, name('check'), 204, check),
    at('DELETE', `${roles}/{role_id}${end}`, name('revoke'), 204, revoke),
  ]
}

/** A role of a domain is granted on projects of that domain only, and on any domain: Keystone judges projects alone. */
function assertRoleFits(found: Parties, target: Shape['target']): void {
  const own = found.role!.domain_id
  if (own === '' || target === 'domain') return
  const place = target === 'project' ? found.project!.domain_id || found.project!.id : found.domain?.id
  if (place !== own) throw forbidden(`Project ${found.project?.id ?? place ?? 'system'} must be in the same domain as the role ${found.role!.id} being assigned.`)
}

