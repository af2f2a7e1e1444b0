/** Regions, services and endpoints: what the catalog is made of. */
import { conflict, invalid } from '#base/fault.ts'
import { oneOf, text } from '#stack/resource/field.ts'
import { type Resource, type Row, toRow, toWire } from '#stack/resource/resource.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { deleteRows, findRow, findRows, insertRow, updateRow } from '../store/rows.ts'
import type { EndpointRow, RegionRow, ServiceRow } from '../store/tables.ts'
import { shownUrl } from './auth/token-body.ts'
import { description, id, onOff, ref } from './fields.ts'
import type { Keystone } from './house.ts'
import { at, created, enforce, listReply, mergedExtra, newId, page, storing, there, updated, v3 } from './steps.ts'

const REGION_ID = { max: 255, null: true }

export const REGION: Resource = {
  one: 'region',
  many: 'regions',
  path: '/v3/regions',
  table: 'keystone_regions',
  extra: 'extra',
  fields: { id: text({ max: 255 }, { post: 'optional' }), description: description({ post: 'optional', put: true, default: '' }), parent_region_id: text(REGION_ID, { post: 'optional', put: true }) },
}

export const SERVICE: Resource = {
  one: 'service',
  many: 'services',
  path: '/v3/services',
  table: 'keystone_services',
  extra: 'extra',
  fields: {
    id: id(),
    type: text({ min: 1, max: 255 }, { post: 'required', put: true }),
    name: text({ max: 255, null: true }, { post: 'optional', put: true }),
    description: description(),
    enabled: onOff(),
  },
}

export const ENDPOINT: Resource = {
  one: 'endpoint',
  many: 'endpoints',
  path: '/v3/endpoints',
  table: 'keystone_endpoints',
  extra: 'extra',
  fields: {
    id: id(),
    interface: oneOf(['admin', 'internal', 'public'], { post: 'required', put: true }),
    service_id: ref({ post: 'required', put: true }),
    region_id: text(REGION_ID, { post: 'optional', put: true }),
    region: { ...text(REGION_ID, { post: 'optional', put: true, filter: false, sort: false }), stored: 'none' },
    url: text({ min: 1, max: 2048, pattern: '^[a-zA-Z0-9+.-]+:.+' }, { post: 'required', put: true, filter: false }),
    enabled: onOff(),
  },
}

export const regionView = (rq: Rq, row: RegionRow): Row => ({ ...toWire(REGION, row as unknown as Row), links: { self: v3(rq, `regions/${encodeURIComponent(row.id)}`) } })

export function serviceView(rq: Rq, row: ServiceRow): Row {
  const view = { ...toWire(SERVICE, row as unknown as Row), links: { self: v3(rq, `services/${row.id}`) } } as Row
  if (view.description === null) delete view.description
  if (view.name === null) delete view.name
  return view
}

export function endpointView(house: Keystone, rq: Rq, row: EndpointRow): Row {
  return { ...toWire(ENDPOINT, row as unknown as Row), url: shownUrl(row.url, house.publicUrl()), region: row.region_id, links: { self: v3(rq, `endpoints/${row.id}`) } }
}

export function catalogRoutes(house: Keystone): Route[] {
  return [...regionRoutes(house), ...serviceRoutes(house), ...endpointRoutes(house)]
}

function regionRoutes(house: Keystone): Route[] {
  const { db } = house
  const find = async (rq: Rq, action: string): Promise<RegionRow> => {
    enforce(rq, action)
    return there(await findRow(db, 'keystone_regions', { id: rq.params.region_id! }), 'region', rq.params.region_id!)
  }
  const assertParent = async (own: string, parent: string | null): Promise<void> => {
    for (let up = parent; up; ) {
      if (up === own) throw invalid('A region cannot be its own ancestor.', { field: 'parent_region_id' })
      up = there(await findRow(db, 'keystone_regions', { id: up }), 'region', up).parent_region_id
    }
  }
  const create = async (rq: Rq): Promise<Reply> => {
    enforce(rq, 'create_region')
    const body = (rq.body as Row | undefined)?.region as Row | undefined
    const given = rq.params.region_id
    if (given !== undefined && body?.id !== undefined && body.id !== given) throw invalid('Conflicting region IDs specified', { field: 'id' })
    if (body?.id === '') delete body.id
    const record = created(REGION, rq)
    const row: RegionRow = { id: given ?? (record.id as string | null) ?? newId(house), description: (record.description as string | null) ?? '', parent_region_id: record.parent_region_id as string | null, extra: JSON.stringify(record.extra) }
    await assertParent(row.id, row.parent_region_id)
    await storing('region', `Duplicate ID, ${row.id}`, () => db.transaction((tx) => insertRow(tx, 'keystone_regions', row)))
    return { status: 201, json: { region: regionView(rq, row) } }
  }
  const update = async (rq: Rq): Promise<Reply> => {
    const region = await find(rq, 'update_region')
    const patch = updated(REGION, rq, region.id)
    const row: RegionRow = {
      ...region,
      ...(patch.description === undefined ? {} : { description: (patch.description as string | null) ?? '' }),
      ...(patch.parent_region_id === undefined ? {} : { parent_region_id: patch.parent_region_id as string | null }),
      extra: mergedExtra(region.extra, patch),
    }
    await assertParent(row.id, row.parent_region_id)
    const { id: _, ...columns } = row
    await updateRow(db, 'keystone_regions', { id: region.id }, columns)
    return { json: { region: regionView(rq, row) } }
  }
  const remove = async (rq: Rq): Promise<Reply> => {
    const region = await find(rq, 'delete_region')
    if ((await findRows(db, 'keystone_endpoints', { region_id: region.id })).length > 0) throw conflict(`Unable to delete region ${region.id} because it or its child regions have associated endpoints.`)
    await db.transaction(async (tx) => {
      let level = [region.id]
      while (level.length > 0) {
        const below: string[] = []
        for (const at of level) {
          if ((await findRows(tx, 'keystone_endpoints', { region_id: at })).length > 0) throw conflict(`Unable to delete region ${region.id} because it or its child regions have associated endpoints.`)
          below.push(...(await findRows(tx, 'keystone_regions', { parent_region_id: at })).map((row) => row.id))
          await deleteRows(tx, 'keystone_regions', { id: at })
        }
        level = below
      }
    })
    return {}
  }
  return [
    at('GET', '/v3/regions', 'regions.list', 200, async (rq) => {
      enforce(rq, 'list_regions')
      const { rows, ...more } = await page<RegionRow>(house, rq, REGION)
      return listReply(rq, 'regions', rows.map((row) => regionView(rq, row)), more)
    }),
    at('POST', '/v3/regions', 'regions.create', 201, create),
    at('GET', '/v3/regions/{region_id}', 'regions.show', 200, async (rq) => ({ json: { region: regionView(rq, await find(rq, 'get_region')) } })),
    at('PUT', '/v3/regions/{region_id}', 'regions.create_by_id', 201, create),
    at('PATCH', '/v3/regions/{region_id}', 'regions.update', 200, update),
    at('DELETE', '/v3/regions/{region_id}', 'regions.delete', 204, remove),
  ]
}

function serviceRoutes(house: Keystone): Route[] {
  const { db } = house
  const find = async (rq: Rq, action: string): Promise<ServiceRow> => {
    enforce(rq, action)
    return there(await findRow(db, 'keystone_services', { id: rq.params.service_id! }), 'service', rq.params.service_id!)
  }
  return [
    at('GET', '/v3/services', 'services.list', 200, async (rq) => {
      enforce(rq, 'list_services')
      const { rows, ...more } = await page<ServiceRow>(house, rq, SERVICE)
      return listReply(rq, 'services', rows.map((row) => serviceView(rq, row)), more)
    }),
    at('POST', '/v3/services', 'services.create', 201, async (rq) => {
      enforce(rq, 'create_service')
      const row = { ...toRow(SERVICE, created(SERVICE, rq)), id: newId(house) } as unknown as ServiceRow
      await db.transaction(async (tx) => {
        await insertRow(tx, 'keystone_services', row)
        await house.widen(tx, 'tables')
      })
      return { json: { service: serviceView(rq, row) } }
    }),
    at('GET', '/v3/services/{service_id}', 'services.show', 200, async (rq) => ({ json: { service: serviceView(rq, await find(rq, 'get_service')) } })),
    at('PATCH', '/v3/services/{service_id}', 'services.update', 200, async (rq) => {
      const service = await find(rq, 'update_service')
      const patch = updated(SERVICE, rq, service.id)
      const columns = { ...(toRow(SERVICE, patch) as Partial<ServiceRow>), extra: mergedExtra(service.extra, patch) }
      await db.transaction(async (tx) => {
        await updateRow(tx, 'keystone_services', { id: service.id }, columns)
        await house.widen(tx, 'tables')
      })
      return { json: { service: serviceView(rq, { ...service, ...columns }) } }
    }),
    at('DELETE', '/v3/services/{service_id}', 'services.delete', 204, async (rq) => {
      const service = await find(rq, 'delete_service')
      await db.transaction(async (tx) => {
        for (const endpoint of await findRows(tx, 'keystone_endpoints', { service_id: service.id })) await dropEndpoint(tx, endpoint.id)
        await deleteRows(tx, 'keystone_policy_associations', { service_id: service.id })
        await deleteRows(tx, 'keystone_services', { id: service.id })
        await house.widen(tx, 'tables')
      })
      return {}
    }),
  ]
}

async function dropEndpoint(tx: Parameters<typeof deleteRows>[0], endpoint_id: string): Promise<void> {
  await deleteRows(tx, 'keystone_project_endpoints', { endpoint_id })
  await deleteRows(tx, 'keystone_policy_associations', { endpoint_id })
  await deleteRows(tx, 'keystone_endpoints', { id: endpoint_id })
}

const PLACEHOLDERS = new Set(['tenant_id', 'project_id', 'user_id', 'public_bind_host', 'admin_bind_host', 'compute_host', 'admin_port', 'public_port', 'public_endpoint', 'admin_endpoint'])

/** A URL may hold `$(project_id)s` and the like, and nothing that would be filled with anything else. */
function assertUrl(url: string): void {
  for (const [, key] of url.matchAll(/[$%]\((\w+)\)/g)) if (!PLACEHOLDERS.has(key!)) throw invalid(`The endpoint URL has an unknown placeholder: ${key}`, { field: 'url' })
  if (/[$%]\((?!\w+\)s)/.test(url)) throw invalid('The endpoint URL has a malformed placeholder.', { field: 'url' })
}

function endpointRoutes(house: Keystone): Route[] {
  const { db } = house
  const find = async (rq: Rq, action: string): Promise<EndpointRow> => {
    const row = there(await findRow(db, 'keystone_endpoints', { id: rq.params.endpoint_id! }), 'endpoint', rq.params.endpoint_id!)
    enforce(rq, action)
    return row
  }
  /** `region` is the old name; a region that it names comes into being. */
  const region = async (patch: Row): Promise<string | null | undefined> => {
    const region_id = (patch.region_id ?? patch.region) as string | null | undefined
    if (typeof region_id !== 'string') return region_id
    if (await findRow(db, 'keystone_regions', { id: region_id })) return region_id
    if (patch.region_id !== undefined && patch.region_id !== null) throw invalid(`Could not find region: ${region_id}.`, { field: 'region_id' })
    await storing('region', `Duplicate ID, ${region_id}`, () => db.transaction((tx) => insertRow(tx, 'keystone_regions', { id: region_id, description: '', parent_region_id: null, extra: '{}' })))
    return region_id
  }
  const assertService = async (service_id: unknown): Promise<void> => {
    if (typeof service_id === 'string' && !(await findRow(db, 'keystone_services', { id: service_id }))) throw invalid(`Could not find service: ${service_id}.`, { field: 'service_id' })
  }
  return [
    at('GET', '/v3/endpoints', 'endpoints.list', 200, async (rq) => {
      enforce(rq, 'list_endpoints')
      const { rows, ...more } = await page<EndpointRow>(house, rq, ENDPOINT)
      return listReply(rq, 'endpoints', rows.map((row) => endpointView(house, rq, row)), more)
    }),
    at('POST', '/v3/endpoints', 'endpoints.create', 201, async (rq) => {
      enforce(rq, 'create_endpoint')
      const record = created(ENDPOINT, rq)
      assertUrl(record.url as string)
      await assertService(record.service_id)
      const row = { ...toRow(ENDPOINT, record), region_id: (await region(record)) ?? null, id: newId(house) } as unknown as EndpointRow
      await db.transaction(async (tx) => {
        await insertRow(tx, 'keystone_endpoints', row)
        await house.widen(tx, 'tables')
      })
      return { json: { endpoint: endpointView(house, rq, row) } }
    }),
    at('GET', '/v3/endpoints/{endpoint_id}', 'endpoints.show', 200, async (rq) => ({ json: { endpoint: endpointView(house, rq, await find(rq, 'get_endpoint')) } })),
    at('PATCH', '/v3/endpoints/{endpoint_id}', 'endpoints.update', 200, async (rq) => {
      const endpoint = await find(rq, 'update_endpoint')
      const patch = updated(ENDPOINT, rq, endpoint.id)
      if (typeof patch.url === 'string') assertUrl(patch.url)
      await assertService(patch.service_id)
      const region_id = await region(patch)
      const columns = { ...(toRow(ENDPOINT, patch) as Partial<EndpointRow>), ...(region_id === undefined ? {} : { region_id }), extra: mergedExtra(endpoint.extra, patch) }
      await db.transaction(async (tx) => {
        await updateRow(tx, 'keystone_endpoints', { id: endpoint.id }, columns)
        await house.widen(tx, 'tables')
      })
      return { json: { endpoint: endpointView(house, rq, { ...endpoint, ...columns }) } }
    }),
    at('DELETE', '/v3/endpoints/{endpoint_id}', 'endpoints.delete', 204, async (rq) => {
      const endpoint = await find(rq, 'delete_endpoint')
      await db.transaction(async (tx) => {
        await dropEndpoint(tx, endpoint.id)
        await house.widen(tx, 'tables')
      })
      return {}
    }),
  ]
}
