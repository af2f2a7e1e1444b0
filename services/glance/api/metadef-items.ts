/** What is in a namespace: objects, properties, tags and the resource types it is for. */
import { conflict, invalid } from '#base/fault.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import type { Glance } from '../house.ts'
import { clearMetadefs, deleteMetadef, metadef, metadefsOf, namesOf, setMetadef } from '../store/metadefs.ts'
import type { MetadefRow } from '../store/tables.ts'
import { addItem, associationView, bodyOf, loadItem, loadNamespace, NAME, newItem, objectView, pathOf, propertyView, stamps, tagView, TEXT } from './metadef-work.ts'
import { isoSeconds } from '#base/clock.ts'

type Item = { name: string } & Record<string, unknown>
const base = '/v2/metadefs/namespaces/{namespace_name}'

const PROPERTY = {
  type: 'object',
  required: ['title', 'type'],
  properties: {
    name: { type: 'string', maxLength: 80 },
    title: { type: 'string' },
    description: { type: ['string', 'null'] },
    type: { enum: ['array', 'boolean', 'integer', 'number', 'object', 'string', null] },
    operators: { type: 'array', items: { type: 'string' } },
    enum: { type: 'array' },
    readonly: { type: 'boolean' },
    minimum: { type: 'number' },
    maximum: { type: 'number' },
    minLength: { type: 'integer', minimum: 0 },
    maxLength: { type: 'integer', minimum: 0 },
    minItems: { type: 'integer', minimum: 0 },
    maxItems: { type: 'integer', minimum: 0 },
    uniqueItems: { type: 'boolean' },
    additionalItems: { type: 'boolean' },
    pattern: { type: 'string' },
    items: { type: 'object' },
    default: {},
  },
  additionalProperties: false,
} as const
const OBJECT = { type: 'object', required: ['name'], properties: { name: NAME, description: TEXT, required: { type: 'array', items: { type: 'string' } }, properties: { type: 'object', additionalProperties: { type: 'object' } }, schema: {}, self: {}, created_at: {}, updated_at: {} }, additionalProperties: false }
const TAG = { type: 'object', required: ['name'], properties: { name: NAME, created_at: {}, updated_at: {} }, additionalProperties: false }

interface Kind {
  kind: 'object' | 'property'
  many: 'objects' | 'properties'
  param: string
  body: object
  view: (row: MetadefRow) => Record<string, unknown>
  rules: { list: string; show: string; add: string; modify: string; delete: string }
}

const KINDS: readonly Kind[] = [
  { kind: 'object', many: 'objects', param: 'object_name', body: OBJECT, view: objectView, rules: { list: 'get_metadef_objects', show: 'get_metadef_object', add: 'add_metadef_object', modify: 'modify_metadef_object', delete: 'delete_metadef_object' } },
  { kind: 'property', many: 'properties', param: 'property_name', body: { ...PROPERTY, required: ['name', 'title', 'type'] }, view: propertyView, rules: { list: 'get_metadef_properties', show: 'get_metadef_property', add: 'add_metadef_property', modify: 'modify_metadef_property', delete: 'remove_metadef_property' } },
]

export const metadefItemRoutes = (house: Glance): Route[] => [...KINDS.flatMap((kind) => routesFor(house, kind)), ...tagRoutes(house), ...resourceTypeRoutes(house)]

function routesFor(house: Glance, { kind, many, param, body, view, rules }: Kind): Route[] {
  const path = `${base}/${many}`
  const name = (verb: string): string => `metadefs.${many}.${verb}`
  return [
    route({
      method: 'GET',
      path,
      name: name('list'),
      status: 200,
      handle: async (rq): Promise<Reply> => {
        const namespace = await loadNamespace(house, rq, rules.list)
        const rows = await metadefsOf(house.db, kind, [namespace.namespace])
        if (kind === 'property') return { json: { properties: Object.fromEntries(rows.map((row) => [row.name, bodyOf(row)])) } }
        return { json: { objects: rows.map(view), first: pathOf(namespace.namespace, '/objects'), schema: '/v2/schemas/metadefs/objects' } }
      },
    }),
    route<Item>({
      method: 'POST',
      path,
      name: name('create'),
      body,
      status: 201,
      handle: async (rq) => {
        const namespace = await loadNamespace(house, rq, rules.add)
        const { name: itemName, ...rest } = given(rq.body)
        const row = newItem(house, kind, namespace, itemName, rest)
        await addItem(house, house.db, row)
        return { json: view(row), headers: { location: `${rq.base}${pathOf(namespace.namespace, `/${many}/${encodeURIComponent(itemName)}`)}` } }
      },
    }),
    route({ method: 'DELETE', path, name: name('clear'), bodyKind: 'none', status: 204, handle: (rq) => clear(house, rq, kind, rules.delete) }),
    route({ method: 'GET', path: `${path}/{${param}}`, name: name('show'), status: 200, handle: (rq) => show(house, rq, kind, param, rules.show, view) }),
    route<Item>({ method: 'PUT', path: `${path}/{${param}}`, name: name('update'), body, status: 200, handle: (rq) => update(house, rq, kind, param, rules.modify, view) }),
    route({ method: 'DELETE', path: `${path}/{${param}}`, name: name('delete'), bodyKind: 'none', status: 204, handle: (rq) => remove(house, rq, kind, param, rules.delete) }),
  ]
}

/** What a client says of an item, without what only we say. */
function given({ schema: _s, self: _l, created_at: _c, updated_at: _u, ...rest }: Item): Item {
  return rest as Item
}

async function clear(house: Glance, rq: Rq, kind: 'object' | 'property' | 'tag', rule: string): Promise<Reply> {
  await clearMetadefs(house.db, (await loadNamespace(house, rq, rule)).namespace, kind)
  return {}
}

type AnyKind = 'object' | 'property' | 'tag' | 'resource_type'

async function show(house: Glance, rq: Rq, kind: AnyKind, param: string, rule: string, view: Kind['view']): Promise<Reply> {
  const namespace = await loadNamespace(house, rq, rule)
  const wanted = rq.params[param]!
  const type = kind === 'property' ? rq.query.get('resource_type') : null
  const association = type === null ? undefined : await metadef(house.db, 'resource_type', namespace.namespace, type)
  const prefix = association ? String(bodyOf(association).prefix ?? '') : ''
  const row = await loadItem(house, kind, namespace, prefix !== '' && wanted.startsWith(prefix) ? wanted.slice(prefix.length) : wanted)
  return { json: { ...view(row), ...(prefix === '' ? {} : { name: wanted }) } }
}

async function update(house: Glance, rq: Rq<Item>, kind: AnyKind, param: string, rule: string, view: Kind['view']): Promise<Reply> {
  const namespace = await loadNamespace(house, rq, rule)
  const row = await loadItem(house, kind, namespace, rq.params[param]!)
  const { name, ...rest } = given(rq.body)
  if (name !== row.name && (await metadef(house.db, kind, namespace.namespace, name))) throw conflict(`A metadata definition with name=${name} already exists in namespace=${namespace.namespace}.`, { field: 'name' })
  const patch = { name, body: JSON.stringify(rest), updated_at: house.world.clock.now() }
  await setMetadef(house.db, row.id, patch)
  return { json: view({ ...row, ...patch }) }
}

async function remove(house: Glance, rq: Rq, kind: AnyKind, param: string, rule: string): Promise<Reply> {
  const namespace = await loadNamespace(house, rq, rule)
  await deleteMetadef(house.db, (await loadItem(house, kind, namespace, rq.params[param]!)).id)
  return {}
}

function tagRoutes(house: Glance): Route[] {
  const path = `${base}/tags`
  return [
    route({
      method: 'GET',
      path,
      name: 'metadefs.tags.list',
      status: 200,
      handle: async (rq) => {
        const namespace = await loadNamespace(house, rq, 'get_metadef_tags')
        const rows = await metadefsOf(house.db, 'tag', [namespace.namespace])
        return { json: { tags: rows.map((row) => ({ name: row.name })), first: pathOf(namespace.namespace, '/tags'), schema: '/v2/schemas/metadefs/tags' } }
      },
    }),
    route<{ tags: { name: string }[] }>({ method: 'POST', path, name: 'metadefs.tags.create_many', body: { type: 'object', required: ['tags'], properties: { tags: { type: 'array', items: TAG } } }, status: 201, handle: (rq) => addTags(house, rq) }),
    route({ method: 'DELETE', path, name: 'metadefs.tags.clear', bodyKind: 'none', status: 204, handle: (rq) => clear(house, rq, 'tag', 'delete_metadef_tags') }),
    route({ method: 'GET', path: `${path}/{tag_name}`, name: 'metadefs.tags.show', status: 200, handle: (rq) => show(house, rq, 'tag', 'tag_name', 'get_metadef_tag', tagView) }),
    route({
      method: 'POST',
      path: `${path}/{tag_name}`,
      name: 'metadefs.tags.create',
      bodyKind: 'none',
      status: 201,
      handle: async (rq) => {
        const namespace = await loadNamespace(house, rq, 'add_metadef_tag')
        const tag = rq.params.tag_name!
        if (tag.length > 80) throw invalid(`Tag name ${tag.slice(0, 50)}… is longer than 80 characters.`, { field: 'tag_name' })
        const row = newItem(house, 'tag', namespace, tag, {})
        await addItem(house, house.db, row)
        return { json: tagView(row), headers: { location: `${rq.base}${pathOf(namespace.namespace, `/tags/${encodeURIComponent(tag)}`)}` } }
      },
    }),
    route<Item>({ method: 'PUT', path: `${path}/{tag_name}`, name: 'metadefs.tags.update', body: TAG, status: 200, handle: (rq) => update(house, rq, 'tag', 'tag_name', 'modify_metadef_tag', tagView) }),
    route({ method: 'DELETE', path: `${path}/{tag_name}`, name: 'metadefs.tags.delete', bodyKind: 'none', status: 204, handle: (rq) => remove(house, rq, 'tag', 'tag_name', 'delete_metadef_tag') }),
  ]
}

/** The given tags take the place of all there were, unless they are to be added. */
async function addTags(house: Glance, rq: Rq<{ tags: { name: string }[] }>): Promise<Reply> {
  const namespace = await loadNamespace(house, rq, 'add_metadef_tags')
  const names = rq.body.tags.map((tag) => tag.name)
  if (new Set(names).size !== names.length) throw conflict('A tag is named twice.', { field: 'tags' })
  const append = (rq.http.headers['x-openstack-append'] ?? '').toLowerCase() === 'true'
  const rows = names.map((name) => newItem(house, 'tag', namespace, name, {}))
  await house.db.transaction(async (tx) => {
    if (!append) await clearMetadefs(tx, namespace.namespace, 'tag')
    for (const row of rows) await addItem(house, tx, row)
  })
  return { json: { tags: names.map((name) => ({ name })) } }
}

/** Kinds of things that OpenStack's services have properties for. */
const KNOWN_TYPES = ['OS::Cinder::Volume', 'OS::Glance::Image', 'OS::Nova::Aggregate', 'OS::Nova::Flavor', 'OS::Nova::Server', 'OS::Trove::Instance']

function resourceTypeRoutes(house: Glance): Route[] {
  const path = `${base}/resource_types`
  const body = { type: 'object', required: ['name'], properties: { name: NAME, prefix: { type: 'string', maxLength: 80 }, properties_target: { type: 'string', maxLength: 80 }, created_at: {}, updated_at: {} }, additionalProperties: false }
  return [
    route({
      method: 'GET',
      path: '/v2/metadefs/resource_types',
      name: 'metadefs.resource_types.list',
      status: 200,
      handle: async (rq) => {
        rq.authorize('list_metadef_resource_types', { project_id: rq.context.project_id, visibility: 'public' })
        const first = new Map<string, MetadefRow>()
        for (const row of await namesOf(house.db, 'resource_type')) if (!first.has(row.name)) first.set(row.name, row)
        const since = isoSeconds(0)
        return { json: { resource_types: [...new Set([...KNOWN_TYPES, ...first.keys()])].sort().map((name) => ({ name, ...(first.has(name) ? stamps(first.get(name)!) : { created_at: since, updated_at: since }) })) } }
      },
    }),
    route({
      method: 'GET',
      path,
      name: 'metadefs.associations.list',
      status: 200,
      handle: async (rq) => {
        const namespace = await loadNamespace(house, rq, 'get_metadef_resource_type')
        return { json: { resource_type_associations: (await metadefsOf(house.db, 'resource_type', [namespace.namespace])).map(associationView) } }
      },
    }),
    route<Item>({
      method: 'POST',
      path,
      name: 'metadefs.associations.create',
      body,
      status: 201,
      handle: async (rq) => {
        const namespace = await loadNamespace(house, rq, 'add_metadef_resource_type_association')
        const { name, ...rest } = given(rq.body)
        const row = newItem(house, 'resource_type', namespace, name, rest)
        await addItem(house, house.db, row)
        return { json: associationView(row), headers: { location: `${rq.base}${pathOf(namespace.namespace, `/resource_types/${encodeURIComponent(name)}`)}` } }
      },
    }),
    route({ method: 'DELETE', path: `${path}/{name}`, name: 'metadefs.associations.delete', bodyKind: 'none', status: 204, handle: (rq) => remove(house, rq, 'resource_type', 'name', 'remove_metadef_resource_type_association') }),
  ]
}
