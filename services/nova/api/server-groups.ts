/** Server groups: servers that are to be near each other, or apart. One policy with rules from 2.64, a list of one before. */
import { type Fault, invalid, notFound, overQuota } from '#base/fault.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import type { Schema } from '#stack/schema.ts'
import { byVersion, v } from '#stack/version.ts'
import type { Nova } from '../house.ts'
import { userLimitsOf } from '../store/quotas.ts'
import { deleteServerGroup, insertServerGroup, listServerGroups, membersOfGroups, serverGroupById, serverGroupCount } from '../store/server-groups.ts'
import type { ServerGroupRow } from '../store/tables.ts'
import { limitOf } from './paging.ts'
import { last, queryOf } from './queries.ts'
import { envelope, nameText, object } from './schemas.ts'

type Policy = ServerGroupRow['policy']

const HARD: readonly Policy[] = ['anti-affinity', 'affinity']
const ALL: readonly Policy[] = [...HARD, 'soft-anti-affinity', 'soft-affinity']
const positive: Schema = { anyOf: [{ type: 'integer', minimum: 1 }, { type: 'string', pattern: '^0*[1-9][0-9]{0,8}$' }] }
const listed = (policies: readonly Policy[]): Schema => envelope('server_group', object({ name: nameText, policies: { type: 'array', items: { enum: policies }, minItems: 1, maxItems: 1 } }, ['name', 'policies']))

const createSchema = byVersion<Schema>({
  '2.1': listed(HARD),
  '2.15': listed(ALL),
  '2.64': envelope('server_group', object({ name: nameText, policy: { enum: ALL }, rules: object({ max_server_per_host: positive }) }, ['name', 'policy'])),
})

interface Create {
  name: string
  policies?: [Policy]
  policy?: Policy
  rules?: { max_server_per_host?: number | string }
}

export function serverGroupRoutes(nova: Nova): Route[] {
  const all = '/v2.1/os-server-groups'
  const one = `${all}/{server_group_id}`
  return [
    route({ method: 'GET', path: all, name: 'server-groups.index', policy: 'os_compute_api:os-server-groups:index', query: queryOf(['all_projects', 'limit', 'offset']), status: 200, handle: (rq) => list(nova, rq) }),
    route<{ server_group: Create }>({ method: 'POST', path: all, name: 'server-groups.create', policy: 'os_compute_api:os-server-groups:create', body: createSchema, status: 200, handle: (rq) => create(nova, rq) }),
    route({ method: 'GET', path: one, name: 'server-groups.show', status: 200, handle: async (rq) => ({ json: { server_group: (await views(nova, rq, [await load(nova, rq, 'show')]))[0] } }) }),
    route({
      method: 'DELETE', path: one, name: 'server-groups.delete', status: 204,
      async handle(rq) {
        const { id } = await load(nova, rq, 'delete')
        if (!(await nova.db.transaction((tx) => deleteServerGroup(tx, id)))) throw noGroup(id)
        return {}
      },
    }),
  ]
}

const noGroup = (id: string): Fault => notFound(`Instance group ${id} could not be found.`)

async function load(nova: Nova, rq: Rq<unknown>, verb: 'show' | 'delete'): Promise<ServerGroupRow> {
  const id = rq.params.server_group_id!
  const row = await serverGroupById(nova.db, id)
  if (!row || (row.project_id !== rq.context.project_id && !rq.allows('context_is_admin'))) throw noGroup(id)
  rq.authorize(`os_compute_api:os-server-groups:${verb}`, { project_id: row.project_id })
  return row
}

async function list(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const everywhere = rq.query.has('all_projects') && rq.allows('os_compute_api:os-server-groups:index:all_projects')
  const limit = limitOf(rq.query, nova.config.max_limit)
  const offset = last(rq.query, 'offset') ?? '0'
  if (!/^\d+$/.test(offset)) throw invalid(`Invalid input for query parameters offset. Value: ${offset}. offset param must be an integer`, { field: 'offset' })
  const rows = limit === 0 ? [] : await listServerGroups(nova.db, { ...(everywhere ? {} : { project_id: rq.context.project_id ?? '' }), limit, offset: Number(offset) })
  return { json: { server_groups: await views(nova, rq, rows) } }
}

async function create(nova: Nova, rq: Rq<{ server_group: Create }>): Promise<Reply> {
  const wish = rq.body.server_group
  const policy = wish.policy ?? wish.policies![0]
  const most = wish.rules?.max_server_per_host
  if (wish.rules !== undefined && Object.keys(wish.rules).length > 0 && policy !== 'anti-affinity') throw invalid('Only anti-affinity policy supports rules.', { field: 'rules' })
  const project_id = rq.context.project_id ?? ''
  const user_id = rq.context.user_id ?? ''
  const row: ServerGroupRow = { id: nova.world.random.uuid(), project_id, user_id, name: wish.name, policy, rules: JSON.stringify(most === undefined ? {} : { max_server_per_host: Number(most) }), created_at: nova.world.clock.now() }
  await nova.db.transaction(async (tx) => {
    const { server_groups } = await userLimitsOf(tx, project_id, user_id, nova.quotas)
    if (server_groups >= 0 && (await serverGroupCount(tx, project_id)) >= server_groups) throw overQuota('Quota exceeded, too many server groups.')
    await insertServerGroup(tx, row)
  })
  return { json: { server_group: (await views(nova, rq, [row]))[0] } }
}

async function views(nova: Nova, rq: Rq<unknown>, rows: readonly ServerGroupRow[]): Promise<unknown[]> {
  const members = await membersOfGroups(nova.db, rows.map((row) => row.id))
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    ...(rq.version >= v('2.64') ? { policy: row.policy, rules: JSON.parse(row.rules) } : { policies: [row.policy], metadata: {} }),
    members: members.get(row.id) ?? [],
    ...(rq.version >= v('2.13') ? { project_id: row.project_id, user_id: row.user_id } : {}),
  }))
}
