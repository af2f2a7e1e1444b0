/** `GET /v3/role_assignments`: who holds what where, as granted or as it comes out (`effective`). */
import { invalid } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { inferRoles } from '../core/role-inference.ts'
import { listAssignments } from '../store/assignments.ts'
import { ancestorsOf, getProject, subtreeOf } from '../store/projects.ts'
import { findRows, rowsIn } from '../store/rows.ts'
import type { AssignmentRow } from '../store/tables.ts'
import type { Keystone } from './house.ts'
import { at, enforce, flagParam, listReply, there, v3 } from './steps.ts'

/** One line of the answer before it is worded. */
interface Line {
  row: AssignmentRow
  user_id?: string
  group_id?: string
  role_id: string
  target_kind: AssignmentRow['target_kind']
  target_id: string
  /** Granted for the projects below; in an effective line, that it came so. */
  inherited: boolean
  prior_role_id?: string
}

export function roleAssignmentRoutes(house: Keystone): Route[] {
  const list = async (rq: Rq): Promise<Reply> => {
    const subtree = flagParam(rq, 'include_subtree')
    const asked = question(rq)
    if (subtree) {
      if (!asked.project) throw invalid('scope.project.id must be specified if include_subtree is also specified', { field: 'include_subtree' })
      const project = await getProject(house.db, asked.project)
      enforce(rq, 'list_role_assignments_for_tree', { domain_id: project?.domain_id || null, ...(project ? { project: { id: project.id, domain_id: project.domain_id || null } } : {}) })
      there(project, 'project', asked.project)
    } else enforce(rq, 'list_role_assignments', { domain_id: rq.context.domain_id ?? null })
    let lines = await (asked.effective ? effectiveLines(house, asked, subtree) : plainLines(house, asked, subtree))
    if (rq.context.domain_id !== undefined) lines = await withinDomain(house, rq.context.domain_id, lines)
    return listReply(rq, 'role_assignments', await views(house, rq, lines, flagParam(rq, 'include_names')))
  }
  return [at('GET', '/v3/role_assignments', 'role_assignments.list', 200, list)]
}

interface Question {
  user: string | undefined
  group: string | undefined
  role: string | undefined
  project: string | undefined
  domain: string | undefined
  system: boolean
  effective: boolean
  inherited: boolean | undefined
}

function question(rq: Rq): Question {
  const get = (key: string): string | undefined => rq.query.get(key) || undefined
  const inheritedTo = get('scope.OS-INHERIT:inherited_to')
  if (inheritedTo !== undefined && inheritedTo !== 'projects') throw invalid(`Invalid value for scope.OS-INHERIT:inherited_to: ${inheritedTo}`, { field: 'scope.OS-INHERIT:inherited_to' })
  const asked: Question = {
    user: get('user.id'),
    group: get('group.id'),
    role: get('role.id'),
    project: get('scope.project.id'),
    domain: get('scope.domain.id'),
    system: rq.query.has('scope.system') && rq.query.get('scope.system') !== 'false',
    effective: flagParam(rq, 'effective'),
    inherited: inheritedTo === undefined ? undefined : true,
  }
  if ([asked.project, asked.domain, asked.system || undefined].filter((one) => one !== undefined).length > 1) throw invalid('Specify a domain, a project or the system, not several', { field: 'scope' })
  if (asked.user && asked.group) throw invalid('Specify a user or group, not both', { field: 'user.id' })
  if (asked.effective && asked.group) throw invalid('Combining effective and group filter will always result in an empty list.', { field: 'effective' })
  if (asked.effective && asked.inherited && asked.domain) throw invalid('Combining effective, domain and inherited filters will always result in an empty list.', { field: 'effective' })
  return asked
}

async function plainLines(house: Keystone, asked: Question, subtree: boolean): Promise<Line[]> {
  const { db } = house
  const projects = asked.project ? [asked.project, ...(subtree ? (await subtreeOf(db, asked.project)).map((row) => row.id) : [])] : undefined
  const target_ids = projects ?? (asked.domain ? [asked.domain] : asked.system ? ['system'] : undefined)
  const rows = await listAssignments(db, {
    ...(asked.user || asked.group ? { actor_ids: [asked.user ?? asked.group!], actor_kind: asked.user ? 'user' : 'group' } : {}),
    ...(target_ids ? { target_ids, target_kind: projects ? 'project' : asked.domain ? 'domain' : 'system' } : {}),
    ...(asked.role ? { role_id: asked.role } : {}),
    ...(asked.inherited ? { inherited: 1 } : {}),
  })
  return rows.map((row) => lineOf(row))
}

function lineOf(row: AssignmentRow): Line {
  return { row, ...(row.actor_kind === 'user' ? { user_id: row.actor_id } : { group_id: row.actor_id }), role_id: row.role_id, target_kind: row.target_kind, target_id: row.target_id, inherited: row.inherited === 1 }
}

/** Groups become their members, inherited grants the projects below, roles all that follows from them. */
async function effectiveLines(house: Keystone, asked: Question, subtree: boolean): Promise<Line[]> {
  const { db } = house
  const { roles, implies } = await house.tokens.tables()
  const groups = asked.user ? (await findRows(db, 'keystone_memberships', { user_id: asked.user })).map((row) => row.group_id) : undefined
  let target_ids: string[] | undefined
  const wanted = new Set<string>()
  if (asked.project) {
    const project = there(await getProject(db, asked.project), 'project', asked.project)
    const below = subtree ? await subtreeOf(db, project.id) : []
    for (const row of [project, ...below]) wanted.add(row.id)
    target_ids = [...wanted, ...(await ancestorsOf(db, project)).map((row) => row.id)]
  } else if (asked.domain) target_ids = [asked.domain]
  else if (asked.system) target_ids = ['system']
  const rows = await listAssignments(db, { ...(asked.user ? { actor_ids: [asked.user, ...groups!] } : {}), ...(target_ids ? { target_ids } : {}) })
  const members = new Map<string, string[]>()
  const belowOf = new Map<string, string[]>()
  const lines: Line[] = []
  for (const row of rows) {
    let users = [row.actor_id]
    if (row.actor_kind === 'group') {
      if (!members.has(row.actor_id)) members.set(row.actor_id, (await findRows(db, 'keystone_memberships', { group_id: row.actor_id })).map((one) => one.user_id))
      users = asked.user ? [asked.user] : members.get(row.actor_id)!
    }
    let targets: { kind: AssignmentRow['target_kind']; id: string }[] = [{ kind: row.target_kind, id: row.target_id }]
    if (row.inherited === 1) {
      const at = `${row.target_kind} ${row.target_id}`
      // Granted above the project that is asked for: of all that lies below, it and its own subtree alone are wanted.
      if (asked.project && !wanted.has(row.target_id)) belowOf.set(at, [...wanted])
      if (!belowOf.has(at)) belowOf.set(at, (row.target_kind === 'domain' ? await findRows(db, 'keystone_projects', { domain_id: row.target_id }) : await subtreeOf(db, row.target_id)).map((one) => one.id))
      targets = belowOf.get(at)!.map((id) => ({ kind: 'project', id }))
    }
    if (asked.project) targets = targets.filter((target) => target.kind === 'project' && wanted.has(target.id))
    if (asked.domain) targets = targets.filter((target) => target.kind === 'domain')
    if (asked.inherited && row.inherited !== 1) continue
    for (const user_id of users) {
      for (const target of targets) {
        for (const role_id of inferRoles([row.role_id], implies)) {
          if (asked.role && role_id !== asked.role) continue
          if (roles.get(role_id)?.domain_id !== '') continue
          lines.push({ row, user_id, ...(row.actor_kind === 'group' ? { group_id: row.actor_id } : {}), role_id, target_kind: target.kind, target_id: target.id, inherited: row.inherited === 1, ...(role_id === row.role_id ? {} : { prior_role_id: row.role_id }) })
        }
      }
    }
  }
  return lines
}

async function withinDomain(house: Keystone, domain_id: string, lines: readonly Line[]): Promise<Line[]> {
  const projects = new Map((await rowsIn(house.db, 'keystone_projects', 'id', [...new Set(lines.filter((line) => line.target_kind === 'project').map((line) => line.target_id))])).map((row) => [row.id, row.domain_id]))
  return lines.filter((line) => (line.target_kind === 'domain' ? line.target_id === domain_id : line.target_kind === 'project' && projects.get(line.target_id) === domain_id))
}

async function views(house: Keystone, rq: Rq, lines: readonly Line[], names: boolean): Promise<object[]> {
  const named = names ? await namesOf(house, lines) : undefined
  const ref = (id: string): object => named?.get(id) ?? { id }
  return lines.map((line) => {
    const { row } = line
    const effective = line.group_id !== undefined && line.user_id !== undefined
    const place = row.target_kind === 'system' ? 'system' : `${row.inherited === 1 ? 'OS-INHERIT/' : ''}${row.target_kind}s/${row.target_id}`
    const links: Record<string, string> = { assignment: v3(rq, `${place}/${row.actor_kind}s/${row.actor_id}/roles/${row.role_id}${row.inherited === 1 ? '/inherited_to_projects' : ''}`) }
    if (effective) links.membership = v3(rq, `groups/${line.group_id}/users/${line.user_id}`)
    if (line.prior_role_id !== undefined) links.prior_role = v3(rq, `roles/${line.prior_role_id}/implies/${line.role_id}`)
    const scope: Record<string, unknown> = line.target_kind === 'system' ? { system: { all: true } } : { [line.target_kind]: ref(line.target_id) }
    if (line.inherited) scope['OS-INHERIT:inherited_to'] = 'projects'
    return { role: ref(line.role_id), ...(line.user_id !== undefined ? { user: ref(line.user_id) } : { group: ref(line.group_id!) }), scope, links }
  })
}

async function namesOf(house: Keystone, lines: readonly Line[]): Promise<Map<string, object>> {
  const { db } = house
  const ids = (pick: (line: Line) => string | undefined): string[] => [...new Set(lines.map(pick).filter((id) => id !== undefined))]
  const users = await rowsIn(db, 'keystone_users', 'id', ids((line) => line.user_id))
  const groups = await rowsIn(db, 'keystone_groups', 'id', ids((line) => line.group_id))
  const roles = await rowsIn(db, 'keystone_roles', 'id', ids((line) => line.role_id))
  const targets = await rowsIn(db, 'keystone_projects', 'id', ids((line) => (line.target_kind === 'system' ? undefined : line.target_id)))
  const domains = new Map((await rowsIn(db, 'keystone_projects', 'id', [...new Set([...users, ...groups, ...targets, ...roles].map((row) => row.domain_id).filter(Boolean))])).map((row) => [row.id, row]))
  const domain = (id: string): object => ({ domain: { id, name: domains.get(id)?.name ?? '' } })
  return new Map<string, object>([
    ...[...users, ...groups].map((row): [string, object] => [row.id, { id: row.id, name: row.name, ...domain(row.domain_id) }]),
    ...roles.map((row): [string, object] => [row.id, { id: row.id, name: row.name, ...(row.domain_id ? domain(row.domain_id) : {}) }]),
    ...targets.map((row): [string, object] => [row.id, { id: row.id, name: row.name, ...(row.is_domain === 1 ? {} : domain(row.domain_id)) }]),
  ])
}
