/** Projects, in trees below their domains. */
import { forbidden, invalid } from '#base/fault.ts'
import { structured } from '#stack/resource/field.ts'
import type { Condition } from '#stack/resource/listing.ts'
import { type Resource, type Row, toWire } from '#stack/resource/resource.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { toSecond } from '../core/instant.ts'
import { dropDomain, dropProject } from '../store/clean-up.ts'
import { ancestorsOf, getDomain, getProject, projectByName, projectIds, storeTags, subtreeOf, tagsOf } from '../store/projects.ts'
import { insertRow, rowsIn, updateRow } from '../store/rows.ts'
import type { ProjectRow } from '../store/tables.ts'
import { getUser } from '../store/users.ts'
import { projectsOfUser } from './auth/scopes.ts'
import { callerDomain, defaultDomainOf } from './domain-scope.ts'
import { description, id, name, onOff, ref, resourceOptions, TAGS } from './fields.ts'
import type { Keystone } from './house.ts'
import { allows, at, created, duplicate, enforce, equals, flagParam, listReply, mergedExtra, mergedOptions, mutable, newId, own, page, storing, there, updated, v3 } from './steps.ts'
import { userTarget } from './users.ts'

export const PROJECT: Resource = {
  one: 'project',
  many: 'projects',
  path: '/v3/projects',
  table: 'keystone_projects',
  extra: 'extra',
  fields: {
    id: id(),
    name: name(64),
    domain_id: ref(),
    description: description({ post: 'optional', put: true, default: '' }),
    enabled: onOff(),
    parent_id: ref(),
    is_domain: onOff({ post: 'optional', put: true, default: false }),
    options: resourceOptions(),
    tags: { ...structured(TAGS, { post: 'optional', put: true }), stored: 'none' },
  },
}

export function projectView(rq: Rq, row: ProjectRow, tags: readonly string[] = []): Row {
  return { ...toWire(PROJECT, row as unknown as Row), description: row.description ?? '', domain_id: row.domain_id || null, parent_id: row.parent_id || null, tags, links: { self: v3(rq, `projects/${row.id}`) } }
}

/** `target.project.domain_id` of a domain is null, as on the wire: a domain belongs to nobody's domain. */
export function projectTarget(row: ProjectRow | undefined): Row {
  return row ? { project: { id: row.id, name: row.name, domain_id: row.domain_id || null, parent_id: row.parent_id || null, is_domain: row.is_domain === 1 } } : {}
}

export async function projectViews(house: Keystone, rq: Rq, rows: readonly ProjectRow[]): Promise<Row[]> {
  const tags = await tagsOf(house.db, rows.map((row) => row.id))
  return rows.map((row) => projectView(rq, row, tags.get(row.id)))
}

export function projectRoutes(house: Keystone): Route[] {
  const { db } = house

  const list = async (rq: Rq): Promise<Reply> => {
    const domain = callerDomain(rq)
    enforce(rq, 'list_projects', domain === undefined ? {} : { domain_id: domain })
    const scope: Condition[] = []
    if (domain !== undefined) scope.push(equals('domain_id', domain))
    if (!rq.query.has('is_domain')) scope.push(equals('is_domain', 0))
    scope.push(...(await byTags(house, rq)))
    const { rows, ...more } = await page<ProjectRow>(house, rq, PROJECT, scope, new Set(['tags', 'tags-any', 'not-tags', 'not-tags-any']))
    return listReply(rq, 'projects', await projectViews(house, rq, rows), more)
  }

  const create = async (rq: Rq): Promise<Reply> => {
    const given = ((rq.body as Row | undefined)?.project ?? {}) as Row
    const wanted = given.is_domain === true ? '' : typeof given.domain_id === 'string' ? given.domain_id : typeof given.parent_id === 'string' ? ((await domainOfParent(house, given.parent_id)) ?? defaultDomainOf(rq)) : defaultDomainOf(rq)
    enforce(rq, 'create_project', { project: { ...given, domain_id: wanted || null } })
    const record = created(PROJECT, rq)
    const row: ProjectRow = {
      id: newId(house), name: record.name as string, domain_id: wanted, parent_id: (record.parent_id as string | null) ?? wanted, is_domain: record.is_domain === true ? 1 : 0, enabled: record.enabled === false ? 0 : 1,
      description: record.description as string | null, options: mergedOptions('{}', record), extra: JSON.stringify(record.extra), revoked_before: 0,
    }
    await assertPlace(house, row, record)
    await storing('project', `it is not permitted to have two projects with the same name in the same domain: ${row.name}`, () =>
      db.transaction(async (tx) => {
        await insertRow(tx, 'keystone_projects', row)
        if (record.tags) await storeTags(tx, row.id, record.tags as string[])
      }),
    )
    return { json: { project: projectView(rq, row, (record.tags as string[] | null) ?? []) } }
  }

  const find = async (rq: Rq, action: string): Promise<ProjectRow> => {
    const row = await getProject(db, rq.params.project_id!)
    enforce(rq, action, projectTarget(row))
    return there(row, 'project', rq.params.project_id!)
  }

  const show = async (rq: Rq): Promise<Reply> => {
    const project = await find(rq, 'get_project')
    const view = (await projectViews(house, rq, [project]))[0]!
    const visible = async (rows: readonly ProjectRow[]): Promise<ProjectRow[]> => {
      const mine = new Set((await projectsOfUser(house, own(rq).user_id!, own(rq).group_ids)).map((row) => row.id))
      return rows.filter((row) => mine.has(row.id) || allows(rq, 'get_project', projectTarget(row)))
    }
    for (const [list, ids] of [['parents_as_list', 'parents_as_ids'], ['subtree_as_list', 'subtree_as_ids']] as const) {
      if (flagParam(rq, list) && flagParam(rq, ids)) throw invalid(`Cannot use ${list} and ${ids} query params at the same time.`, { field: list })
    }
    if (flagParam(rq, 'parents_as_list')) view.parents = (await projectViews(house, rq, await visible(await ancestorsOf(db, project)))).map((one) => ({ project: one }))
    if (flagParam(rq, 'parents_as_ids')) view.parents = (await ancestorsOf(db, project)).reduceRight<Row | null>((inner, row) => ({ [row.id]: inner }), null)
    if (flagParam(rq, 'subtree_as_list')) view.subtree = (await projectViews(house, rq, await visible(await subtreeOf(db, project.id)))).map((one) => ({ project: one }))
    if (flagParam(rq, 'subtree_as_ids')) view.subtree = subtreeIds(project.id, await subtreeOf(db, project.id))
    return { json: { project: view } }
  }

  const update = async (rq: Rq): Promise<Reply> => {
    const project = await find(rq, 'update_project')
    const patch = updated(PROJECT, rq, project.id)
    mutable('project', project.id, project.options, patch)
    if (patch.domain_id !== undefined && patch.domain_id !== (project.domain_id || null)) throw invalid('Update of `domain_id` is not allowed.', { field: 'domain_id' })
    if (patch.parent_id !== undefined && patch.parent_id !== (project.parent_id || null)) throw forbidden('Update of `parent_id` is not allowed.')
    if (patch.is_domain !== undefined && patch.is_domain !== (project.is_domain === 1)) throw invalid('Update of `is_domain` is not allowed.', { field: 'is_domain' })
    const row: ProjectRow = {
      ...project,
      ...(patch.name === undefined ? {} : { name: patch.name as string }),
      ...(patch.description === undefined ? {} : { description: patch.description as string | null }),
      ...(patch.enabled === undefined ? {} : { enabled: patch.enabled ? 1 : 0 }),
      options: mergedOptions(project.options, patch),
      extra: mergedExtra(project.extra, patch),
    }
    if (row.enabled === 1 && project.enabled === 0 && (await ancestorsOf(db, project)).some((up) => up.enabled !== 1)) throw forbidden(`Cannot enable project ${project.id} since it has disabled parents.`)
    const disabled = row.enabled === 0 && project.enabled === 1
    if (disabled) {
      if (project.is_domain === 0 && (await subtreeOf(db, project.id)).some((down) => down.enabled === 1)) throw forbidden(`Cannot disable project ${project.id} since its subtree contains enabled projects.`)
      row.revoked_before = Math.max(toSecond(house.world.clock.now()), project.revoked_before + 1000)
    }
    await storing('project', `it is not permitted to have two projects with the same name in the same domain: ${row.name}`, () =>
      db.transaction(async (tx) => {
        const { id: _, ...columns } = row
        await updateRow(tx, 'keystone_projects', { id: project.id }, columns)
        if (patch.tags) await storeTags(tx, row.id, patch.tags as string[])
        await (disabled ? house.revoke(tx) : house.widen(tx))
      }),
    )
    return { json: { project: (await projectViews(house, rq, [row]))[0] } }
  }

  const remove = async (rq: Rq): Promise<Reply> => {
    const project = await find(rq, 'delete_project')
    mutable('project', project.id, project.options)
    if (project.is_domain === 1) {
      if (project.enabled === 1) throw forbidden('Cannot delete a domain that is enabled, please disable it first.')
      await db.transaction(async (tx) => {
        await dropDomain(tx, project.id)
        await house.revoke(tx, 'tables')
        await house.revoke(tx)
      })
      return {}
    }
    if ((await subtreeOf(db, project.id)).length > 0) throw forbidden(`Cannot delete the project ${project.id} since it is not a leaf in the hierarchy. Use the cascade option if you want to delete a whole subtree.`)
    await db.transaction(async (tx) => {
      await dropProject(tx, project.id)
      await house.revoke(tx)
    })
    return {}
  }

  const ofUser = async (rq: Rq): Promise<Reply> => {
    const user = await getUser(db, rq.params.user_id!)
    enforce(rq, 'list_user_projects', userTarget(user))
    there(user, 'user', rq.params.user_id!)
    const rows = await projectsOfUser(house, user!.id, user!.id === own(rq).user_id ? own(rq).group_ids : undefined)
    const wanted = rows.filter((row) => [...rq.query].every(([key, value]) => (key === 'name' || key === 'domain_id' || key === 'parent_id' ? row[key] === value : key === 'enabled' ? (row.enabled === 1) === flagParam(rq, key) : true)))
    return listReply(rq, 'projects', await projectViews(house, rq, wanted))
  }

  return [
    at('GET', '/v3/projects', 'projects.list', 200, list),
    at('POST', '/v3/projects', 'projects.create', 201, create),
    at('GET', '/v3/projects/{project_id}', 'projects.show', 200, show),
    at('PATCH', '/v3/projects/{project_id}', 'projects.update', 200, update),
    at('DELETE', '/v3/projects/{project_id}', 'projects.delete', 204, remove),
    at('GET', '/v3/users/{user_id}/projects', 'users.projects', 200, ofUser),
  ]
}

async function domainOfParent(house: Keystone, parent_id: string): Promise<string | undefined> {
  const parent = await getProject(house.db, parent_id)
  return parent && (parent.is_domain === 1 ? parent.id : parent.domain_id)
}

/** The parent and the domain must be there, agree, be enabled and not too deep. */
async function assertPlace(house: Keystone, row: ProjectRow, record: Row): Promise<void> {
  const { db } = house
  if (row.is_domain === 1) {
    if (record.parent_id || record.domain_id) throw invalid('A project acting as a domain cannot have a parent or a domain.', { field: 'parent_id' })
    if (await projectByName(db, '', row.name)) throw duplicate('project', `it is not permitted to have two projects acting as domains with the same name: ${row.name}`)
    row.parent_id = ''
    return
  }
  const domain = there(await getDomain(db, row.domain_id), 'domain', row.domain_id)
  if (row.parent_id === row.domain_id) {
    if (domain.enabled !== 1) throw forbidden(`Cannot create project in branch containing a disabled project: ${domain.id}.`)
    return
  }
  const parent = there(await getProject(db, row.parent_id), 'project', row.parent_id)
  if ((parent.is_domain === 1 ? parent.id : parent.domain_id) !== row.domain_id) throw invalid('Cannot create project, the parent and the project must be in the same domain.', { field: 'parent_id' })
  const above = [parent, ...(await ancestorsOf(db, parent))]
  if (above.some((up) => up.enabled !== 1)) throw forbidden(`Cannot create project in branch containing a disabled project: ${parent.id}.`)
  if (above.length >= house.config.max_project_tree_depth) throw forbidden(`Max hierarchy depth reached for ${parent.id} branch.`)
}

function subtreeIds(top: string, rows: readonly ProjectRow[]): Row | null {
  const below = Map.groupBy(rows, (row) => row.parent_id)
  const tree = (at: string): Row | null => {
    const children = below.get(at)
    return children ? Object.fromEntries(children.map((child) => [child.id, tree(child.id)])) : null
  }
  return tree(top)
}

/** `tags`: all of them, `tags-any`: one of them, `not-…`: the opposite. Only rows of the tags that are asked for are read. */
async function byTags(house: Keystone, rq: Rq): Promise<Condition[]> {
  const conditions: Condition[] = []
  for (const key of ['tags', 'tags-any', 'not-tags', 'not-tags-any'].filter((one) => rq.query.has(one))) {
    const wanted = [...new Set(rq.query.getAll(key).flatMap((text) => text.split(',')))]
    const rows = await rowsIn(house.db, 'keystone_project_tags', 'name', wanted)
    const found = [...Map.groupBy(rows, (row) => row.project_id)].filter(([, mine]) => key.endsWith('any') || mine.length === wanted.length).map(([id]) => id)
    if (!key.startsWith('not-')) conditions.push({ column: 'id', op: 'in', value: found })
    else if (found.length <= MOST_LEFT_OUT) conditions.push(...found.map((id): Condition => ({ column: 'id', op: '!=', value: id })))
    else {
      const out = new Set(found)
      conditions.push({ column: 'id', op: 'in', value: (await projectIds(house.db)).filter((id) => !out.has(id)) })
    }
  }
  return conditions
}

/** Projects that a query leaves out one by one; of more, it names those that stay. */
const MOST_LEFT_OUT = 500
