/** A project's own default type (3.62). */
import { notFound } from '#base/fault.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import type { Cinder } from '../house.ts'
import { allDefaultTypes, defaultTypeOf, setDefaultType } from '../store/types.ts'
import { strictEnvelope } from './body.ts'
import { loadType } from './load.ts'

const P = 'volume_extension:default_'
const since = v('3.62')
const path = '/default-types/{target_project}'
const body = strictEnvelope('default_type', { volume_type: { type: 'string', minLength: 1, maxLength: 255 } }, ['volume_type'])

export const defaultTypeRoutes = (house: Cinder): Route[] => [
  route({ method: 'GET', path: '/default-types', name: 'default_types.list', policy: `${P}get_all`, since, status: 200, handle: async () => ({ json: { default_types: await allDefaultTypes(house.db) } }) }),
  route({ method: 'GET', path, name: 'default_types.show', since, status: 200, handle: (rq) => show(house, rq) }),
  route<{ default_type: { volume_type: string } }>({ method: 'PUT', path, name: 'default_types.set', since, body, status: 200, handle: (rq) => set(house, rq) }),
  route({ method: 'DELETE', path, name: 'default_types.unset', since, bodyKind: 'none', status: 204, handle: (rq) => unset(house, rq) }),
]

const targetOf = (rq: Rq) => ({ project_id: rq.params.target_project! })

async function show(house: Cinder, rq: Rq): Promise<Reply> {
  rq.authorize(`${P}get`, targetOf(rq))
  const project_id = rq.params.target_project!
  const volume_type_id = await defaultTypeOf(house.db, project_id)
  if (volume_type_id === undefined) throw notFound(`Default type for project ${project_id.slice(0, 100)} not found.`)
  return { json: { default_type: { project_id, volume_type_id } } }
}

async function set(house: Cinder, rq: Rq<{ default_type: { volume_type: string } }>): Promise<Reply> {
  rq.authorize(`${P}set_or_update`, targetOf(rq))
  const type = await loadType(house, rq, rq.body.default_type.volume_type, 'id or name')
  const project_id = rq.params.target_project!
  await house.db.transaction((tx) => setDefaultType(tx, project_id, type.id))
  return { json: { default_type: { project_id, volume_type_id: type.id } } }
}

async function unset(house: Cinder, rq: Rq): Promise<Reply> {
  rq.authorize(`${P}unset`, targetOf(rq))
  await house.db.transaction((tx) => setDefaultType(tx, rq.params.target_project!, null))
  return {}
}
