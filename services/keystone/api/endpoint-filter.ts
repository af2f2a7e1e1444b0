/** OS-EP-FILTER: which endpoints a project sees, one by one or by groups of endpoints that are alike. */
import { invalid, notFound } from '#base/fault.ts'
import { structured, text } from '#stack/resource/field.ts'
import { type Resource, type Row, toWire } from '#stack/resource/resource.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { endpointsOfGroup } from '../store/memory-tables.ts'
import { getProject } from '../store/projects.ts'
import { deleteRows, findRow, findRows, insertRow, rowsIn, updateRow } from '../store/rows.ts'
import type { EndpointGroupRow, EndpointRow } from '../store/tables.ts'
import { endpointView } from './catalog.ts'
import { description, id } from './fields.ts'
import type { Keystone } from './house.ts'
import { projectViews } from './projects.ts'
import { at, created, enforce, listReply, newId, page, there, updated, v3 } from './steps.ts'

const GROUP: Resource = {
  one: 'endpoint_group',
  many: 'endpoint_groups',
  path: '/v3/OS-EP-FILTER/endpoint_groups',
  table: 'keystone_endpoint_groups',
  fields: { id: id(), name: text({ min: 1, max: 255 }, { post: 'required', put: true }), description: description(), filters: structured({ type: 'object' }, { post: 'required', put: true }) },
}

const FILTERS = new Set(['interface', 'service_id', 'region_id', 'region', 'enabled', 'name', 'id', 'url'])
const BASE = '/v3/OS-EP-FILTER'

export function endpointFilterRoutes(house: Keystone): Route[] {
  return [...groupRoutes(house), ...groupProjectRoutes(house), ...endpointRoutes(house)]
}

const view = (rq: Rq, row: EndpointGroupRow): Row => ({ ...toWire(GROUP, row as unknown as Row), links: { self: v3(rq, `OS-EP-FILTER/endpoint_groups/${row.id}`) } })

function assertFilters(filters: unknown): void {
  for (const [key, value] of Object.entries(filters as Row)) {
    if (!FILTERS.has(key)) throw invalid(`An endpoint group cannot filter by ${key}.`, { field: 'filters' })
    if (key === 'interface' && !['public', 'internal', 'admin'].includes(value as string)) throw invalid('The filter interface is one of public, internal and admin.', { field: 'filters' })
  }
}

async function groupOf(house: Keystone, rq: Rq): Promise<EndpointGroupRow> {
  return there(await findRow(house.db, 'keystone_endpoint_groups', { id: rq.params.endpoint_group_id! }), 'endpoint group', rq.params.endpoint_group_id!)
}

function groupRoutes(house: Keystone): Route[] {
  const { db } = house
  const one = `${BASE}/endpoint_groups/{endpoint_group_id}`
  const show = async (rq: Rq): Promise<Reply> => {
    enforce(rq, 'get_endpoint_group')
    return { json: { endpoint_group: view(rq, await groupOf(house, rq)) } }
  }
  return [
    at('GET', `${BASE}/endpoint_groups`, 'endpoint_groups.list', 200, async (rq) => {
      enforce(rq, 'list_endpoint_groups')
      const { rows, ...more } = await page<EndpointGroupRow>(house, rq, GROUP)
      return listReply(rq, 'endpoint_groups', rows.map((row) => view(rq, row)), more)
    }),
    at('POST', `${BASE}/endpoint_groups`, 'endpoint_groups.create', 201, async (rq) => {
      enforce(rq, 'create_endpoint_group')
      const record = created(GROUP, rq)
      assertFilters(record.filters)
      const row: EndpointGroupRow = { id: newId(house), name: record.name as string, description: record.description as string | null, filters: JSON.stringify(record.filters) }
      await insertRow(db, 'keystone_endpoint_groups', row)
      return { json: { endpoint_group: view(rq, row) } }
    }),
    at('GET', one, 'endpoint_groups.show', 200, show),
    at('HEAD', one, 'endpoint_groups.check', 200, show),
    at('PATCH', one, 'endpoint_groups.update', 200, async (rq) => {
      enforce(rq, 'update_endpoint_group')
      const group = await groupOf(house, rq)
      const patch = updated(GROUP, rq, group.id)
      if (patch.filters !== undefined) assertFilters(patch.filters)
      const columns = { ...(patch.name === undefined ? {} : { name: patch.name as string }), ...(patch.description === undefined ? {} : { description: patch.description as string | null }), ...(patch.filters === undefined ? {} : { filters: JSON.stringify(patch.filters) }) }
      await db.transaction(async (tx) => {
        await updateRow(tx, 'keystone_endpoint_groups', { id: group.id }, columns)
        await house.widen(tx, 'tables')
      })
      return { json: { endpoint_group: view(rq, { ...group, ...columns }) } }
    }),
    at('DELETE', one, 'endpoint_groups.delete', 204, async (rq) => {
      enforce(rq, 'delete_endpoint_group')
      const group = await groupOf(house, rq)
      await db.transaction(async (tx) => {
        await deleteRows(tx, 'keystone_project_endpoint_groups', { endpoint_group_id: group.id })
        await deleteRows(tx, 'keystone_endpoint_groups', { id: group.id })
        await house.widen(tx, 'tables')
      })
      return {}
    }),
    at('GET', `${one}/endpoints`, 'endpoint_groups.endpoints', 200, async (rq) => {
      enforce(rq, 'list_endpoints_associated_with_endpoint_group')
      const rows = endpointsOfGroup(await groupOf(house, rq), await findRows(db, 'keystone_endpoints', {}, 'id'))
      return listReply(rq, 'endpoints', rows.map((row) => endpointView(house, rq, row)))
    }),
    at('GET', `${one}/projects`, 'endpoint_groups.projects', 200, async (rq) => {
      enforce(rq, 'list_projects_associated_with_endpoint_group')
      const group = await groupOf(house, rq)
      const ids = (await findRows(db, 'keystone_project_endpoint_groups', { endpoint_group_id: group.id })).map((row) => row.project_id)
      return listReply(rq, 'projects', await projectViews(house, rq, await rowsIn(db, 'keystone_projects', 'id', ids)))
    }),
  ]
}

function groupProjectRoutes(house: Keystone): Route[] {
  const { db } = house
  const path = `${BASE}/endpoint_groups/{endpoint_group_id}/projects/{project_id}`
  const pair = async (rq: Rq, action: string): Promise<{ endpoint_group_id: string; project_id: string }> => {
    enforce(rq, action)
    const group = await groupOf(house, rq)
    return { endpoint_group_id: group.id, project_id: there(await getProject(db, rq.params.project_id!), 'project', rq.params.project_id!).id }
  }
  const known = async (rq: Rq, action: string): Promise<{ endpoint_group_id: string; project_id: string }> => {
    const key = await pair(rq, action)
    if (!(await findRow(db, 'keystone_project_endpoint_groups', key))) throw notFound('Could not find Endpoint Group Association.')
    return key
  }
  const show = async (rq: Rq): Promise<Reply> => {
    await known(rq, 'get_endpoint_group_in_project')
    return { json: { endpoint_group: view(rq, await groupOf(house, rq)) } }
  }
  return [
    at('PUT', path, 'endpoint_groups.add_project', 204, async (rq) => {
      const key = await pair(rq, 'add_endpoint_group_to_project')
      await db.transaction(async (tx) => {
        if (!(await findRow(tx, 'keystone_project_endpoint_groups', key))) await insertRow(tx, 'keystone_project_endpoint_groups', key)
        await house.widen(tx, 'tables')
      })
      return {}
    }),
    at('GET', path, 'endpoint_groups.show_project', 200, show),
    at('HEAD', path, 'endpoint_groups.check_project', 200, show),
    at('DELETE', path, 'endpoint_groups.remove_project', 204, async (rq) => {
      const key = await known(rq, 'remove_endpoint_group_from_project')
      await db.transaction(async (tx) => {
        await deleteRows(tx, 'keystone_project_endpoint_groups', key)
        await house.widen(tx, 'tables')
      })
      return {}
    }),
    at('GET', `${BASE}/projects/{project_id}/endpoint_groups`, 'project_endpoint_groups.list', 200, async (rq) => {
      enforce(rq, 'list_endpoint_groups_for_project')
      there(await getProject(db, rq.params.project_id!), 'project', rq.params.project_id!)
      const ids = (await findRows(db, 'keystone_project_endpoint_groups', { project_id: rq.params.project_id! })).map((row) => row.endpoint_group_id)
      return listReply(rq, 'endpoint_groups', (await rowsIn(db, 'keystone_endpoint_groups', 'id', ids)).map((row) => view(rq, row)))
    }),
  ]
}

function endpointRoutes(house: Keystone): Route[] {
  const { db } = house
  const path = `${BASE}/projects/{project_id}/endpoints/{endpoint_id}`
  const pair = async (rq: Rq, action: string): Promise<{ endpoint_id: string; project_id: string }> => {
    enforce(rq, action)
    const endpoint = there(await findRow(db, 'keystone_endpoints', { id: rq.params.endpoint_id! }), 'endpoint', rq.params.endpoint_id!)
    return { endpoint_id: endpoint.id, project_id: there(await getProject(db, rq.params.project_id!), 'project', rq.params.project_id!).id }
  }
  const known = async (rq: Rq, action: string): Promise<{ endpoint_id: string; project_id: string }> => {
    const key = await pair(rq, action)
    if (!(await findRow(db, 'keystone_project_endpoints', key))) throw notFound(`Endpoint ${key.endpoint_id} not found in project ${key.project_id}.`)
    return key
  }
  const check = async (rq: Rq): Promise<Reply> => {
    await known(rq, 'check_endpoint_in_project')
    return {}
  }
  return [
    at('PUT', path, 'project_endpoints.add', 204, async (rq) => {
      const key = await pair(rq, 'add_endpoint_to_project')
      await db.transaction(async (tx) => {
        if (!(await findRow(tx, 'keystone_project_endpoints', key))) await insertRow(tx, 'keystone_project_endpoints', key)
        await house.widen(tx, 'tables')
      })
      return {}
    }),
    at('GET', path, 'project_endpoints.check', 204, check),
    at('HEAD', path, 'project_endpoints.check', 204, check),
    at('DELETE', path, 'project_endpoints.remove', 204, async (rq) => {
      const key = await known(rq, 'remove_endpoint_from_project')
      await db.transaction(async (tx) => {
        await deleteRows(tx, 'keystone_project_endpoints', key)
        await house.widen(tx, 'tables')
      })
      return {}
    }),
    at('GET', `${BASE}/projects/{project_id}/endpoints`, 'project_endpoints.list', 200, async (rq) => {
      enforce(rq, 'list_endpoints_for_project')
      const project = there(await getProject(db, rq.params.project_id!), 'project', rq.params.project_id!)
      const all = await findRows(db, 'keystone_endpoints', {}, 'id')
      const ids = new Set((await findRows(db, 'keystone_project_endpoints', { project_id: project.id })).map((row) => row.endpoint_id))
      for (const { endpoint_group_id } of await findRows(db, 'keystone_project_endpoint_groups', { project_id: project.id })) {
        const group = await findRow(db, 'keystone_endpoint_groups', { id: endpoint_group_id })
        if (group) for (const row of endpointsOfGroup(group, all)) ids.add(row.id)
      }
      return listReply(rq, 'endpoints', all.filter((row: EndpointRow) => ids.has(row.id)).map((row) => endpointView(house, rq, row)))
    }),
    at('GET', `${BASE}/endpoints/{endpoint_id}/projects`, 'endpoint_projects.list', 200, async (rq) => {
      enforce(rq, 'list_projects_for_endpoint')
      there(await findRow(db, 'keystone_endpoints', { id: rq.params.endpoint_id! }), 'endpoint', rq.params.endpoint_id!)
      const ids = (await findRows(db, 'keystone_project_endpoints', { endpoint_id: rq.params.endpoint_id! })).map((row) => row.project_id)
      return listReply(rq, 'projects', await projectViews(house, rq, await rowsIn(db, 'keystone_projects', 'id', ids)))
    }),
  ]
}

