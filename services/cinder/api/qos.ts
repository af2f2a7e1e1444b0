/** Quality of service specs, and which types have them. */
import { conflict, invalid, notFound } from '#base/fault.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { qosList } from '../contract/lists.ts'
import type { Cinder } from '../house.ts'
import type { QosRow } from '../store/tables.ts'
import { deleteQosRows, insertQos, qosById, setQos, setType, typeById, typesWithQos } from '../store/types.ts'
import { queryFlag } from './body.ts'
import { pageOf } from './pages.ts'
import { linksOf } from './volume-view.ts'

const P = 'volume_extension:qos_specs_manage:'
const SPEC = { type: 'string', minLength: 1, maxLength: 255 }
const CONSUMER = { enum: ['front-end', 'back-end', 'both'] }
const specs = (required: string[], properties: object): object => ({ type: 'object', required: ['qos_specs'], properties: { qos_specs: { type: 'object', required, properties, propertyNames: { pattern: '^[a-zA-Z0-9_\\-:. ]{1,255}$' }, additionalProperties: SPEC } } })

type Specs = Record<string, string>

export const qosRoutes = (house: Cinder): Route[] => [
  route({ method: 'GET', path: '/qos-specs', name: 'qos.list', policy: `${P}get_all`, status: 200, handle: (rq) => list(house, rq as Rq<never>) }),
  route<{ qos_specs: Specs }>({ method: 'POST', path: '/qos-specs', name: 'qos.create', policy: `${P}create`, body: specs(['name'], { name: { ...SPEC, pattern: '\\S' }, consumer: CONSUMER }), status: 200, handle: (rq) => create(house, rq) }),
  route({ method: 'GET', path: '/qos-specs/{qos_id}', name: 'qos.show', policy: `${P}get`, status: 200, handle: async (rq) => { const row = await load(house, rq); return { json: { qos_specs: view(row), links: linksOf(rq, 'qos-specs', row.id) } } } }),
  route<{ qos_specs: Specs }>({ method: 'PUT', path: '/qos-specs/{qos_id}', name: 'qos.update', policy: `${P}update`, body: specs([], { consumer: CONSUMER }), status: 200, handle: (rq) => update(house, rq) }),
  route({ method: 'DELETE', path: '/qos-specs/{qos_id}', name: 'qos.delete', policy: `${P}delete`, bodyKind: 'none', status: 202, handle: (rq) => remove(house, rq) }),
  route<{ keys: string[] }>({ method: 'PUT', path: '/qos-specs/{qos_id}/delete_keys', name: 'qos.delete_keys', policy: `${P}delete`, body: { type: 'object', required: ['keys'], properties: { keys: { type: 'array', items: SPEC } } }, status: 202, handle: (rq) => deleteKeys(house, rq) }),
  route({ method: 'GET', path: '/qos-specs/{qos_id}/associations', name: 'qos.associations', policy: `${P}get_all`, status: 200, handle: (rq) => associations(house, rq) }),
  route({ method: 'GET', path: '/qos-specs/{qos_id}/associate', name: 'qos.associate', policy: `${P}update`, status: 202, handle: (rq) => associate(house, rq, true) }),
  route({ method: 'GET', path: '/qos-specs/{qos_id}/disassociate', name: 'qos.disassociate', policy: `${P}update`, status: 202, handle: (rq) => associate(house, rq, false) }),
  route({ method: 'GET', path: '/qos-specs/{qos_id}/disassociate_all', name: 'qos.disassociate_all', policy: `${P}update`, status: 202, handle: (rq) => disassociateAll(house, rq) }),
]

function view(row: QosRow): Record<string, unknown> {
  return { id: row.id, name: row.name, consumer: row.consumer, specs: JSON.parse(row.specs) as unknown }
}

async function load(house: Cinder, rq: Rq): Promise<QosRow> {
  const row = await qosById(house.db, rq.params.qos_id!)
  if (!row) throw notFound(`No such QoS spec ${rq.params.qos_id!.slice(0, 100)}.`)
  return row
}

async function list(house: Cinder, rq: Rq<never>): Promise<Reply> {
  const page = await pageOf<QosRow>(house, rq, { resource: qosList, global: true })
  return { json: { qos_specs: page.rows.map(view), ...page.extras } }
}

async function create(house: Cinder, rq: Rq<{ qos_specs: Specs }>): Promise<Reply> {
  const { name, consumer = 'back-end', ...rest } = rq.body.qos_specs
  const row: QosRow = { id: house.world.random.uuid(), name: name!.trim(), consumer, specs: JSON.stringify(rest), created_at: house.world.clock.now() }
  try {
    await insertQos(house.db, row)
  } catch (thrown) {
    if (isDuplicate(house.db.engine, thrown)) throw conflict(`QoS Specs ${row.name} already exists.`, { field: 'name' })
    throw thrown
  }
  return { json: { qos_specs: view(row), links: linksOf(rq, 'qos-specs', row.id) } }
}

async function update(house: Cinder, rq: Rq<{ qos_specs: Specs }>): Promise<Reply> {
  const row = await load(house, rq)
  const { consumer, ...rest } = rq.body.qos_specs
  await setQos(house.db, row.id, { ...(consumer === undefined ? {} : { consumer }), specs: JSON.stringify({ ...(JSON.parse(row.specs) as Specs), ...rest }) })
  return { json: { qos_specs: rq.body.qos_specs } }
}

async function remove(house: Cinder, rq: Rq): Promise<Reply> {
  const row = await load(house, rq)
  const force = queryFlag(rq.query, 'force')
  await house.db.transaction(async (tx) => {
    if (!force && (await typesWithQos(tx, row.id)).length > 0) throw invalid(`QoS Specs ${row.id} is still associated with entities.`)
    await deleteQosRows(tx, row.id)
  })
  return {}
}

async function deleteKeys(house: Cinder, rq: Rq<{ keys: string[] }>): Promise<Reply> {
  const row = await load(house, rq)
  const rest = JSON.parse(row.specs) as Specs
  for (const key of rq.body.keys) {
    if (rest[key] === undefined) throw invalid(`QoS spec ${row.id} has no spec with key ${key}.`, { field: 'keys' })
    delete rest[key]
  }
  await setQos(house.db, row.id, { specs: JSON.stringify(rest) })
  return {}
}

async function associations(house: Cinder, rq: Rq): Promise<Reply> {
  const row = await load(house, rq)
  return { json: { qos_associations: (await typesWithQos(house.db, row.id)).map(({ id, name }) => ({ association_type: 'volume_type', id, name })) } }
}

async function associate(house: Cinder, rq: Rq, on: boolean): Promise<Reply> {
  const row = await load(house, rq)
  const typeId = rq.query.get('vol_type_id')
  if (!typeId) throw invalid('Volume Type id must not be None.', { field: 'vol_type_id' })
  const type = await typeById(house.db, typeId)
  if (!type) throw notFound(`Volume type ${typeId.slice(0, 100)} could not be found.`)
  if (on && type.qos_specs_id !== null && type.qos_specs_id !== row.id) throw invalid(`Type ${type.id} is already associated with another qos specs: ${type.qos_specs_id}.`)
  await setType(house.db, type.id, { qos_specs_id: on ? row.id : null })
  return {}
}

async function disassociateAll(house: Cinder, rq: Rq): Promise<Reply> {
  const row = await load(house, rq)
  for (const type of await typesWithQos(house.db, row.id)) await setType(house.db, type.id, { qos_specs_id: null })
  return {}
}
