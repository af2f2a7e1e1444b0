/** Where the caller may go: projects, domains and the system, and the catalog of where they are. */
import { forbidden } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { assignmentsOf, groupIdsOf } from '../../store/assignments.ts'
import { expiringGroupIdsOf } from '../../store/federated-users.ts'
import { subtreeOf } from '../../store/projects.ts'
import { findRows, rowsIn } from '../../store/rows.ts'
import type { AssignmentRow, ProjectRow } from '../../store/tables.ts'
import { domainView } from '../domains.ts'
import type { Keystone } from '../house.ts'
import { projectViews } from '../projects.ts'
import { at, enforce, listReply, own, selfUrl } from '../steps.ts'

async function assignmentsOfUser(house: Keystone, user_id: string, groups: readonly string[] = []): Promise<AssignmentRow[]> {
  const { db } = house
  const expiring = await expiringGroupIdsOf(db, user_id, house.world.clock.now(), house.config.federation.default_authorization_ttl * 60_000)
  return assignmentsOf(db, [user_id, ...(await groupIdsOf(db, user_id)), ...expiring, ...groups])
}

/** Every project in which the user has a role, inherited ones included. */
export async function projectsOfUser(house: Keystone, user_id: string, groups?: readonly string[]): Promise<ProjectRow[]> {
  const { db } = house
  const rows = await assignmentsOfUser(house, user_id, groups)
  const found = new Map<string, ProjectRow>()
  const direct = rows.filter((row) => row.target_kind === 'project' && row.inherited === 0).map((row) => row.target_id)
  for (const project of await rowsIn(db, 'keystone_projects', 'id', [...new Set(direct)])) found.set(project.id, project)
  for (const { target_id, target_kind } of rows.filter((row) => row.inherited === 1)) {
    const below = target_kind === 'domain' ? await findRows(db, 'keystone_projects', { domain_id: target_id }) : await subtreeOf(db, target_id)
    for (const project of below) found.set(project.id, project)
  }
  return [...found.values()].sort((a, b) => a.id.localeCompare(b.id))
}

export async function domainsOfUser(house: Keystone, user_id: string, groups?: readonly string[]): Promise<ProjectRow[]> {
  const rows = await assignmentsOfUser(house, user_id, groups)
  const ids = rows.filter((row) => row.target_kind === 'domain' && row.inherited === 0).map((row) => row.target_id)
  return rowsIn(house.db, 'keystone_projects', 'id', [...new Set(ids)])
}

export function scopeRoutes(house: Keystone): Route[] {
  const projects = async (rq: Rq): Promise<Reply> => {
    enforce(rq, 'get_auth_projects')
    const rows = (await projectsOfUser(house, own(rq).user_id!, own(rq).group_ids)).filter((row) => row.enabled === 1 && row.is_domain === 0)
    return listReply(rq, 'projects', await projectViews(house, rq, rows))
  }
  const domains = async (rq: Rq): Promise<Reply> => {
    enforce(rq, 'get_auth_domains')
    const rows = (await domainsOfUser(house, own(rq).user_id!, own(rq).group_ids)).filter((row) => row.enabled === 1)
    return listReply(rq, 'domains', rows.map((row) => domainView(rq, row)))
  }
  const system = async (rq: Rq): Promise<Reply> => {
    enforce(rq, 'get_auth_system')
    const rows = await assignmentsOfUser(house, own(rq).user_id!, own(rq).group_ids)
    return { json: { system: rows.some((row) => row.target_kind === 'system') ? [{ all: true }] : [], links: { self: selfUrl(rq) } } }
  }
  const catalog = async (rq: Rq): Promise<Reply> => {
    enforce(rq, 'get_auth_catalog')
    const known = await house.tokens.validate(rq.context.token!.reveal())
    if (!known?.project) throw forbidden('You are not authorized to perform the requested action: A project-scoped token is required to produce a service catalog.')
    const { token } = JSON.parse(await house.tokens.bodyOf(known, true)) as { token: { catalog: unknown } }
    return { json: { catalog: token.catalog, links: { self: selfUrl(rq) } } }
  }
  return [
    at('GET', '/v3/auth/catalog', 'auth.catalog', 200, catalog),
    at('GET', '/v3/auth/projects', 'auth.projects', 200, projects),
    at('GET', '/v3/auth/domains', 'auth.domains', 200, domains),
    at('GET', '/v3/auth/system', 'auth.system', 200, system),
  ]
}
