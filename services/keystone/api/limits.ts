/** Unified limits: what a project or domain may have of a resource, registered once with a default and set apart where it differs. */
import { conflict, forbidden, invalid } from '#base/fault.ts'
import type { Condition } from '#stack/resource/listing.ts'
import { integer, text } from '#stack/resource/field.ts'
import type { Resource, Row } from '#stack/resource/resource.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { assertTwoLevel } from '../core/limit-tree.ts'
import { getDomain, getProject } from '../store/projects.ts'
import { deleteRows, findRow, findRows, insertRow, rowsIn, updateRow } from '../store/rows.ts'
import type { Db } from '../store/rows.ts'
import type { LimitRow, RegisteredLimitRow } from '../store/tables.ts'
import { description, id, ref } from './fields.ts'
import type { Keystone } from './house.ts'
import { allows, at, checked, enforce, equals, listReply, newId, page, storing, there, v3 } from './steps.ts'

const region = text({ max: 255, null: true }, {})
const REGISTERED: Resource = { one: 'registered_limit', many: 'registered_limits', path: '/v3/registered_limits', table: 'keystone_registered_limits', fields: { id: id(), service_id: ref(), region_id: region, resource_name: text({}, {}), default_limit: integer({}, {}), description: description() } }
const LIMIT: Resource = { one: 'limit', many: 'limits', path: '/v3/limits', table: 'keystone_limits', fields: { id: id(), service_id: ref(), region_id: region, resource_name: text({}, {}), resource_limit: integer({}, {}), project_id: ref(), domain_id: ref(), description: description() } }

const ID = { type: 'string', minLength: 1, maxLength: 64 }
const NULL_ID = { anyOf: [ID, { type: 'null' }] }
const REGION = { type: ['string', 'null'], maxLength: 255 }
const NAME = { type: 'string', minLength: 1, maxLength: 255 }
const AMOUNT = { type: 'integer', minimum: -1, maximum: 0x7fffffff }
const WORDS = { type: ['string', 'null'] }
const many = (key: string, properties: object, required: readonly string[], more: object = {}): object => ({ type: 'object', required: [key], properties: { [key]: { type: 'array', minItems: 1, items: { type: 'object', required, properties, additionalProperties: false, ...more } } } })

const MODELS = {
  flat: 'Limit enforcement and validation does not take project hierarchy into consideration.',
  strict_two_level: 'This model requires project hierarchy never exceeds a depth of two.',
} as const

export function limitRoutes(house: Keystone): Route[] {
  return [...registeredRoutes(house), ...ownRoutes(house)]
}

/** The service and the region that a limit names must be there. */
async function assertPlace(house: Keystone, service_id: string | undefined, region_id: string | null | undefined): Promise<void> {
  if (service_id !== undefined && !(await findRow(house.db, 'keystone_services', { id: service_id }))) throw invalid(`Could not find service: ${service_id}.`, { field: 'service_id' })
  if (region_id && !(await findRow(house.db, 'keystone_regions', { id: region_id }))) throw invalid(`Could not find region: ${region_id}.`, { field: 'region_id' })
}

function registeredRoutes(house: Keystone): Route[] {
  const { db } = house
  const view = (rq: Rq, row: RegisteredLimitRow): Row => ({ id: row.id, service_id: row.service_id, region_id: row.region_id || null, resource_name: row.resource_name, default_limit: row.default_limit, description: row.description, links: { self: v3(rq, `registered_limits/${row.id}`) } })
  const find = async (rq: Rq, action: string): Promise<RegisteredLimitRow> => {
    enforce(rq, action)
    return there(await findRow(db, 'keystone_registered_limits', { id: rq.params.registered_limit_id! }), 'registered limit', rq.params.registered_limit_id!)
  }
  const used = async (sql: Db, row: RegisteredLimitRow): Promise<void> => {
    if ((await findRows(sql, 'keystone_limits', { registered_limit_id: row.id })).length > 0) throw forbidden(`Unable to update or delete registered limit ${row.id} because there are project limits associated with it.`)
  }
  const create = async (rq: Rq): Promise<Reply> => {
    enforce(rq, 'create_registered_limits')
    checked(many('registered_limits', { service_id: ID, region_id: REGION, resource_name: NAME, default_limit: AMOUNT, description: WORDS }, ['service_id', 'resource_name', 'default_limit']), rq.body)
    const rows: RegisteredLimitRow[] = []
    for (const ask of (rq.body as { registered_limits: (Omit<RegisteredLimitRow, 'id' | 'region_id'> & { region_id?: string | null })[] }).registered_limits) {
      await assertPlace(house, ask.service_id, ask.region_id)
      rows.push({ id: newId(house), service_id: ask.service_id, region_id: ask.region_id ?? '', resource_name: ask.resource_name, default_limit: ask.default_limit, description: ask.description ?? null })
    }
    await storing('registered_limit', 'Duplicate entry', () =>
      db.transaction(async (tx) => {
        for (const row of rows) await insertRow(tx, 'keystone_registered_limits', row)
      }),
    )
    return { json: { registered_limits: rows.map((row) => view(rq, row)) } }
  }
  const update = async (rq: Rq): Promise<Reply> => {
    const row = await find(rq, 'update_registered_limit')
    checked({ type: 'object', required: ['registered_limit'], properties: { registered_limit: { type: 'object', properties: { service_id: ID, region_id: REGION, resource_name: NAME, default_limit: AMOUNT, description: WORDS }, additionalProperties: false } } }, rq.body)
    const patch = (rq.body as { registered_limit: Partial<RegisteredLimitRow> & { region_id?: string | null } }).registered_limit
    await assertPlace(house, patch.service_id, patch.region_id)
    const changed: RegisteredLimitRow = { ...row, ...patch, region_id: patch.region_id === undefined ? row.region_id : (patch.region_id ?? '') }
    await storing('registered_limit', 'Duplicate entry', () =>
      db.transaction(async (tx) => {
        if (changed.service_id !== row.service_id || changed.region_id !== row.region_id || changed.resource_name !== row.resource_name) await used(tx, row)
        const { id: _, ...columns } = changed
        await updateRow(tx, 'keystone_registered_limits', { id: row.id }, columns)
      }),
    )
    return { json: { registered_limit: view(rq, changed) } }
  }
  return [
    at('GET', '/v3/registered_limits', 'registered_limits.list', 200, async (rq) => {
      enforce(rq, 'list_registered_limits')
      const { rows, ...more } = await page<RegisteredLimitRow>(house, rq, REGISTERED)
      return listReply(rq, 'registered_limits', rows.map((row) => view(rq, row)), more)
    }),
    at('POST', '/v3/registered_limits', 'registered_limits.create', 201, create),
    at('GET', '/v3/registered_limits/{registered_limit_id}', 'registered_limits.show', 200, async (rq) => ({ json: { registered_limit: view(rq, await find(rq, 'get_registered_limit')) } })),
    at('PATCH', '/v3/registered_limits/{registered_limit_id}', 'registered_limits.update', 200, update),
    at('DELETE', '/v3/registered_limits/{registered_limit_id}', 'registered_limits.delete', 204, async (rq) => {
      const row = await find(rq, 'delete_registered_limit')
      await db.transaction(async (tx) => {
        await used(tx, row)
        await deleteRows(tx, 'keystone_registered_limits', { id: row.id })
      })
      return {}
    }),
  ]
}

type LimitAsk = { service_id: string; region_id?: string | null; resource_name: string; resource_limit: number; project_id?: string | null; domain_id?: string | null; description?: string | null }

function ownRoutes(house: Keystone): Route[] {
  const { db } = house
  const view = (rq: Rq, row: LimitRow): Row => ({
    id: row.id, project_id: row.project_id || null, domain_id: row.domain_id || null, service_id: row.service_id, region_id: row.region_id || null, resource_name: row.resource_name, resource_limit: row.resource_limit, description: row.description,
    links: { self: v3(rq, `limits/${row.id}`) },
  })
  const target = async (row: LimitRow | undefined): Promise<Row> => {
    if (!row) return {}
    const project = row.project_id === '' ? undefined : await getProject(db, row.project_id)
    return { limit: { id: row.id, project_id: row.project_id || null, domain_id: row.domain_id || null, ...(row.domain_id ? { domain: { id: row.domain_id } } : {}), ...(project ? { project: { id: project.id, domain_id: project.domain_id } } : {}) } }
  }
  const find = async (rq: Rq, action: string): Promise<LimitRow> => {
    const row = await findRow(db, 'keystone_limits', { id: rq.params.limit_id! })
    enforce(rq, action, await target(row))
    return there(row, 'limit', rq.params.limit_id!)
  }
  const list = async (rq: Rq): Promise<Reply> => {
    enforce(rq, 'list_limits')
    const scope: Condition[] = []
    const { domain_id, project_id } = rq.context
    if (!allows(rq, 'get_limit', { limit: { project_id: null } })) {
      if (domain_id !== undefined) {
        const projects = (await findRows(db, 'keystone_projects', { domain_id })).map((row) => row.id)
        const own = [...(await findRows(db, 'keystone_limits', { domain_id })), ...(await rowsIn(db, 'keystone_limits', 'project_id', projects))]
        scope.push({ column: 'id', op: 'in', value: own.map((row) => row.id) })
      } else scope.push(equals('project_id', project_id ?? '-'))
    }
    const { rows, ...more } = await page<LimitRow>(house, rq, LIMIT, scope)
    return listReply(rq, 'limits', rows.map((row) => view(rq, row)), more)
  }
  const create = async (rq: Rq): Promise<Reply> => {
    enforce(rq, 'create_limits')
    checked(many('limits', { service_id: ID, region_id: REGION, resource_name: NAME, resource_limit: AMOUNT, project_id: NULL_ID, domain_id: NULL_ID, description: WORDS }, ['service_id', 'resource_name', 'resource_limit']), rq.body)
    const made: LimitRow[] = []
    await storing('limit', 'Duplicate entry', () =>
      db.transaction(async (tx) => {
        made.length = 0
        for (const ask of (rq.body as { limits: LimitAsk[] }).limits) made.push(await createLimit(house, tx, ask))
      }),
    )
    return { json: { limits: made.map((row) => view(rq, row)) } }
  }
  const update = async (rq: Rq): Promise<Reply> => {
    const row = await find(rq, 'update_limit')
    checked({ type: 'object', required: ['limit'], properties: { limit: { type: 'object', properties: { resource_limit: AMOUNT, description: WORDS }, additionalProperties: false } } }, rq.body)
    const patch = (rq.body as { limit: Partial<LimitRow> }).limit
    const changed = { ...row, ...patch }
    await db.transaction(async (tx) => {
      await assertTree(house, tx, changed)
      await updateRow(tx, 'keystone_limits', { id: row.id }, patch)
    })
    return { json: { limit: view(rq, changed) } }
  }
  return [
    at('GET', '/v3/limits/model', 'limits.model', 200, (rq) => {
      enforce(rq, 'get_limit_model')
      const name = house.config.unified_limit.enforcement_model
      return { json: { model: { name, description: MODELS[name] }, links: { self: v3(rq, 'limits/model') } } }
    }),
    at('GET', '/v3/limits', 'limits.list', 200, list),
    at('POST', '/v3/limits', 'limits.create', 201, create),
    at('GET', '/v3/limits/{limit_id}', 'limits.show', 200, async (rq) => ({ json: { limit: view(rq, await find(rq, 'get_limit')) } })),
    at('PATCH', '/v3/limits/{limit_id}', 'limits.update', 200, update),
    at('DELETE', '/v3/limits/{limit_id}', 'limits.delete', 204, async (rq) => {
      const row = await find(rq, 'delete_limit')
      await deleteRows(db, 'keystone_limits', { id: row.id })
      return {}
    }),
  ]
}

async function createLimit(house: Keystone, tx: Db, ask: LimitAsk): Promise<LimitRow> {
  const { project_id, domain_id } = ask
  if ((project_id ? 1 : 0) + (domain_id ? 1 : 0) !== 1) throw invalid('A limit needs exactly one of project_id and domain_id.', { field: 'project_id' })
  await assertPlace(house, ask.service_id, ask.region_id)
  if (project_id) {
    const project = await getProject(tx, project_id)
    if (!project || project.is_domain === 1) throw invalid(`Could not find project: ${project_id}.`, { field: 'project_id' })
  } else if (!(await getDomain(tx, domain_id!))) throw invalid(`Could not find domain: ${domain_id}.`, { field: 'domain_id' })
  const registered = await findRow(tx, 'keystone_registered_limits', { service_id: ask.service_id, region_id: ask.region_id ?? '', resource_name: ask.resource_name })
  if (!registered) throw forbidden('Unable to create a limit that has no corresponding registered limit.')
  const row: LimitRow = {
    id: newId(house), registered_limit_id: registered.id, project_id: project_id ?? '', domain_id: domain_id ?? '', service_id: ask.service_id, region_id: ask.region_id ?? '', resource_name: ask.resource_name,
    resource_limit: ask.resource_limit, description: ask.description ?? null,
  }
  if (await findRow(tx, 'keystone_limits', { project_id: row.project_id, domain_id: row.domain_id, registered_limit_id: registered.id })) throw conflict('Conflict occurred attempting to store limit - Duplicate entry.')
  await assertTree(house, tx, row)
  await insertRow(tx, 'keystone_limits', row)
  return row
}

async function assertTree(house: Keystone, tx: Db, row: LimitRow): Promise<void> {
  if (house.config.unified_limit.enforcement_model === 'flat') return
  const registered = (await findRow(tx, 'keystone_registered_limits', { id: row.registered_limit_id }))!
  const limitOf = async (key: { project_id: string } | { domain_id: string }): Promise<number> =>
    (await findRow(tx, 'keystone_limits', { registered_limit_id: row.registered_limit_id, project_id: '', domain_id: '', ...key }))?.resource_limit ?? registered.default_limit
  let parent: number | undefined
  if (row.project_id !== '') {
    const project = (await getProject(tx, row.project_id))!
    parent = await limitOf(project.parent_id === project.domain_id ? { domain_id: project.domain_id } : { project_id: project.parent_id })
  }
  const below = await findRows(tx, 'keystone_projects', { parent_id: row.project_id || row.domain_id })
  const children: number[] = []
  for (const child of below) {
    const own = await findRow(tx, 'keystone_limits', { registered_limit_id: row.registered_limit_id, project_id: child.id, domain_id: '' })
    if (own) children.push(own.resource_limit)
  }
  assertTwoLevel(row.resource_limit, parent, children)
}
