/** What every kind of the metadata catalogue does alike: finding the namespace, judging, and the shapes that clients see. */
import { isoSeconds } from '#base/clock.ts'
import { conflict, notFound } from '#base/fault.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import type { Rq } from '#stack/route.ts'
import type { Glance } from '../house.ts'
import { insertMetadef, metadef, type MetadefKind } from '../store/metadefs.ts'
import type { MetadefRow } from '../store/tables.ts'

export const NAME = { type: 'string', minLength: 1, maxLength: 80 } as const
export const TEXT = { type: ['string', 'null'], maxLength: 500 } as const

type Body = Record<string, unknown>
export const bodyOf = (row: MetadefRow): Body => JSON.parse(row.body) as Body
export const stamps = (row: MetadefRow): Body => ({ created_at: isoSeconds(row.created_at), updated_at: isoSeconds(row.updated_at) })
export const pathOf = (namespace: string, rest = ''): string => `/v2/metadefs/namespaces/${encodeURIComponent(namespace)}${rest}`

type AnyRq = Pick<Rq, 'params' | 'context' | 'allows' | 'authorize'>

/** The namespace of the path: not there for those who may not see it, refused to those who may not do what they ask. */
export async function loadNamespace(house: Glance, rq: AnyRq, rule: string): Promise<MetadefRow> {
  const name = rq.params.namespace_name!
  const row = await metadef(house.db, 'namespace', name)
  const target = row && { project_id: row.owner, owner: row.owner, visibility: row.visibility }
  if (!row || !rq.allows('get_metadef_namespace', target)) throw notFound(`Metadata definition namespace=${name.slice(0, 100)} not found.`)
  rq.authorize(rule, target)
  return row
}

const NOUNS: Record<MetadefKind, string> = { namespace: 'namespace', object: 'object', property: 'property', tag: 'tag', resource_type: 'resource-type' }

export async function loadItem(house: Glance, kind: MetadefKind, namespace: MetadefRow, name: string): Promise<MetadefRow> {
  const row = await metadef(house.db, kind, namespace.namespace, name)
  if (!row) throw notFound(`The metadata definition ${NOUNS[kind]} with name=${name.slice(0, 100)} was not found in namespace=${namespace.namespace}.`)
  return row
}

export function newItem(house: Glance, kind: MetadefKind, namespace: Pick<MetadefRow, 'namespace' | 'owner' | 'visibility'>, name: string, body: object): MetadefRow {
  const now = house.world.clock.now()
  return { id: house.world.random.uuid(), kind, namespace: namespace.namespace, name, owner: namespace.owner, visibility: namespace.visibility, protected: 0, body: JSON.stringify(body), created_at: now, updated_at: now }
}

export async function addItem(house: Glance, db: Parameters<typeof insertMetadef>[0], row: MetadefRow): Promise<void> {
  try {
    await insertMetadef(db, row)
  } catch (thrown) {
    if (isDuplicate(house.db.engine, thrown)) throw conflict(`A metadata definition ${NOUNS[row.kind as MetadefKind]} with name=${row.kind === 'namespace' ? row.namespace : row.name} already exists${row.kind === 'namespace' ? '' : ` in namespace=${row.namespace}`}.`)
    throw thrown
  }
}

export function objectView(row: MetadefRow): Body {
  return { name: row.name, description: null, required: [], properties: {}, ...bodyOf(row), ...stamps(row), self: pathOf(row.namespace, `/objects/${encodeURIComponent(row.name)}`), schema: '/v2/schemas/metadefs/object' }
}

export const propertyView = (row: MetadefRow): Body => ({ name: row.name, ...bodyOf(row) })
export const tagView = (row: MetadefRow): Body => ({ name: row.name, ...stamps(row) })
export const associationView = (row: MetadefRow): Body => ({ name: row.name, ...bodyOf(row), ...stamps(row) })
