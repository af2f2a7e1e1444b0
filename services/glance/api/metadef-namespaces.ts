/** Namespaces of the metadata catalogue. */
import { forbidden, invalid, notFound } from '#base/fault.ts'
import { type ListDialect, listPlan } from '#stack/resource/listing.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { namespaceResource } from '../contract/image-resource.ts'
import type { Glance } from '../house.ts'
import { clearMetadefs, metadef, metadefsOf, pageOfNamespaces, renameNamespace, setMetadef } from '../store/metadefs.ts'
import type { MetadefRow } from '../store/tables.ts'
import { addItem, associationView, bodyOf, loadNamespace, NAME, newItem, objectView, pathOf, propertyView, stamps, tagView, TEXT } from './metadef-work.ts'

interface Namespace {
  namespace: string
  display_name?: string | null
  description?: string | null
  visibility?: 'public' | 'private'
  protected?: boolean
  owner?: string
  resource_type_associations?: { name: string; prefix?: string; properties_target?: string }[]
  properties?: Record<string, Record<string, unknown>>
  objects?: { name: string; [key: string]: unknown }[]
  tags?: { name: string }[]
}

const named = { type: 'array', items: { type: 'object', required: ['name'], properties: { name: NAME } } }
const body = {
  type: 'object',
  required: ['namespace'],
  additionalProperties: false,
  properties: {
    namespace: NAME,
    display_name: { type: ['string', 'null'], maxLength: 80 },
    description: TEXT,
    visibility: { enum: ['public', 'private'] },
    protected: { type: 'boolean' },
    owner: { type: 'string', maxLength: 255 },
    schema: {},
    self: {},
    created_at: {},
    updated_at: {},
    resource_type_associations: named,
    properties: { type: 'object', additionalProperties: { type: 'object' } },
    objects: named,
    tags: named,
  },
}
const lists: ListDialect = { sort: 'pairs', maxLimit: 1000, defaultLimit: 25, unknownFilter: 'ignore', defaultSort: [{ key: 'created_at', dir: 'desc' }] }
const one = '/v2/metadefs/namespaces/{namespace_name}'

export const namespaceRoutes = (house: Glance): Route[] => [
  route({ method: 'GET', path: '/v2/metadefs/namespaces', name: 'metadefs.namespaces.list', status: 200, handle: (rq) => list(house, rq as Rq<never>) }),
  route<Namespace>({ method: 'POST', path: '/v2/metadefs/namespaces', name: 'metadefs.namespaces.create', body, status: 201, handle: (rq) => create(house, rq) }),
  route({ method: 'GET', path: one, name: 'metadefs.namespaces.show', status: 200, handle: (rq) => show(house, rq as Rq<never>) }),
  route<Namespace>({ method: 'PUT', path: one, name: 'metadefs.namespaces.update', body, status: 200, handle: (rq) => update(house, rq) }),
  route({ method: 'DELETE', path: one, name: 'metadefs.namespaces.delete', bodyKind: 'none', status: 204, handle: (rq) => remove(house, rq as Rq<never>) }),
]

function view(row: MetadefRow): Record<string, unknown> {
  return { namespace: row.namespace, ...bodyOf(row), visibility: row.visibility, protected: row.protected === 1, owner: row.owner, ...stamps(row), self: pathOf(row.namespace), schema: '/v2/schemas/metadefs/namespace' }
}

async function list(house: Glance, rq: Rq<never>): Promise<Reply> {
  rq.authorize('get_metadef_namespaces')
  const { query } = rq
  const visibility = query.get('visibility') ?? undefined
  if (visibility !== undefined && visibility !== 'public' && visibility !== 'private') throw invalid(`Invalid visibility value: ${visibility.slice(0, 50)}`, { field: 'visibility' })
  const marker = query.get('marker')
  const plan = listPlan(namespaceResource, lists, query, new Set(['visibility', 'resource_types', 'marker']))
  if (marker !== null) {
    const at = await metadef(house.db, 'namespace', marker)
    if (!at) throw notFound(`Metadata definition namespace=${marker.slice(0, 100)} not found.`)
    plan.marker = at.id
  }
  const { rows, more } = await pageOfNamespaces(house.db, plan, { all: rq.allows('context_is_admin', {}), project: rq.context.project_id ?? '', visibility, resource_types: (query.get('resource_types') ?? '').split(',').filter(Boolean) })
  const associations = Map.groupBy(await metadefsOf(house.db, 'resource_type', rows.map((row) => row.namespace)), (row) => row.namespace)
  const namespaces = rows.map((row) => ({ ...view(row), ...(associations.has(row.namespace) ? { resource_type_associations: associations.get(row.namespace)!.map(associationView) } : {}) }))
  const url = (at?: string): string => {
    const next = new URLSearchParams(query)
    next.delete('marker')
    if (at !== undefined) next.set('marker', at)
    return `/v2/metadefs/namespaces${next.size > 0 ? `?${next.toString()}` : ''}`
  }
  return { json: { namespaces, first: url(), schema: '/v2/schemas/metadefs/namespaces', ...(more ? { next: url(rows.at(-1)!.namespace) } : {}) } }
}

async function create(house: Glance, rq: Rq<Namespace>): Promise<Reply> {
  const given = rq.body
  const owner = given.owner ?? rq.context.project_id ?? null
  rq.authorize('add_metadef_namespace', { project_id: owner, owner })
  const row: MetadefRow = {
    ...newItem(house, 'namespace', { namespace: given.namespace, owner, visibility: given.visibility ?? 'private' }, '', about(given)),
    protected: given.protected ? 1 : 0,
  }
  const parts = [
    ...(given.resource_type_associations ?? []).map(({ name, ...rest }) => newItem(house, 'resource_type', row, name, rest)),
    ...Object.entries(given.properties ?? {}).map(([name, property]) => newItem(house, 'property', row, name, property)),
    ...(given.objects ?? []).map(({ name, ...rest }) => newItem(house, 'object', row, name, rest)),
    ...(given.tags ?? []).map(({ name }) => newItem(house, 'tag', row, name, {})),
  ]
  await house.db.transaction(async (tx) => {
    await addItem(house, tx, row)
    for (const part of parts) await addItem(house, tx, part)
  })
  return { json: await whole(house, row), headers: { location: `${rq.base}${pathOf(row.namespace)}` } }
}

const about = ({ display_name, description }: Namespace): object => ({ ...(display_name === undefined ? {} : { display_name }), ...(description === undefined ? {} : { description }) })

/** The namespace with everything in it. */
async function whole(house: Glance, row: MetadefRow, resourceType?: string | null): Promise<Record<string, unknown>> {
  const of = (kind: 'resource_type' | 'property' | 'object' | 'tag') => metadefsOf(house.db, kind, [row.namespace])
  const [associations, properties, objects, tags] = [await of('resource_type'), await of('property'), await of('object'), await of('tag')]
  const association = resourceType ? associations.find((one) => one.name === resourceType) : undefined
  const prefix = association ? String(bodyOf(association).prefix ?? '') : ''
  return {
    ...view(row),
    ...(associations.length > 0 ? { resource_type_associations: associations.map(associationView) } : {}),
    ...(properties.length > 0 ? { properties: Object.fromEntries(properties.map((one) => [`${prefix}${one.name}`, { ...bodyOf(one) }])) } : {}),
    ...(objects.length > 0
      ? { objects: objects.map((one) => prefixed(objectView(one), prefix)) }
      : {}),
    ...(tags.length > 0 ? { tags: tags.map((one) => ({ name: one.name })) } : {}),
  }
}

/** For one resource type its properties carry the type's prefix. */
function prefixed(object: Record<string, unknown>, prefix: string): Record<string, unknown> {
  if (prefix === '') return object
  return { ...object, properties: Object.fromEntries(Object.entries(object.properties as object).map(([name, value]) => [`${prefix}${name}`, value])) }
}

async function show(house: Glance, rq: Rq<never>): Promise<Reply> {
  return { json: await whole(house, await loadNamespace(house, rq, 'get_metadef_namespace'), rq.query.get('resource_type')) }
}

async function update(house: Glance, rq: Rq<Namespace>): Promise<Reply> {
  const row = await loadNamespace(house, rq, 'modify_metadef_namespace')
  const given = rq.body
  const patch = {
    namespace: given.namespace,
    visibility: given.visibility ?? row.visibility,
    protected: given.protected === undefined ? row.protected : given.protected ? 1 : 0,
    owner: given.owner ?? row.owner,
    body: JSON.stringify({ ...bodyOf(row), ...about(given) }),
    updated_at: house.world.clock.now(),
  }
  await house.db.transaction(async (tx) => {
    if (given.namespace !== row.namespace) {
      if (await metadef(tx, 'namespace', given.namespace)) throw invalid(`The namespace=${given.namespace} exists already.`, { field: 'namespace' })
      await renameNamespace(tx, row.namespace, given.namespace)
    }
    await setMetadef(tx, row.id, patch)
  })
  return { json: view({ ...row, ...patch }) }
}

async function remove(house: Glance, rq: Rq<never>): Promise<Reply> {
  const row = await loadNamespace(house, rq, 'delete_metadef_namespace')
  if (row.protected === 1) throw forbidden(`Namespace ${row.namespace} is protected and cannot be deleted.`)
  await clearMetadefs(house.db, row.namespace, 'namespace')
  return {}
}
