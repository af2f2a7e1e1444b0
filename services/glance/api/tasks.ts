/** The old tasks API, for administrators: imports by URL, and what became of them. */
import { invalid, notFound } from '#base/fault.ts'
import { parseTarget } from '#base/http/outbound.ts'
import { type ListDialect, listPlan } from '#stack/resource/listing.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { taskResource } from '../contract/image-resource.ts'
import { defaultStore, type Glance } from '../house.ts'
import { insertImage } from '../store/images.ts'
import { pageOfTasks, taskById } from '../store/tasks.ts'
import { applyFields } from './image-fields.ts'
import { blankImage } from './images.ts'
import { insistOnRoom } from './quota.ts'
import { start, taskView } from './imports.ts'

interface TaskCreate {
  type: string
  input: { import_from?: string; import_from_format?: string; image_properties?: Record<string, unknown> }
}

const lists: ListDialect = { sort: 'pairs', maxLimit: 1000, defaultLimit: 25, unknownFilter: 'ignore', defaultSort: [{ key: 'created_at', dir: 'desc' }] }
const body = { type: 'object', required: ['type', 'input'], properties: { type: { enum: ['import'] }, input: { type: 'object', properties: { import_from: { type: 'string' }, import_from_format: { type: 'string' }, image_properties: { type: 'object' } } } } }

export const taskRoutes = (house: Glance): Route[] => [
  route({ method: 'GET', path: '/v2/tasks', name: 'tasks.list', policy: 'tasks_api_access', status: 200, handle: (rq) => list(house, rq as Rq<never>) }),
  route<TaskCreate>({ method: 'POST', path: '/v2/tasks', name: 'tasks.create', policy: 'tasks_api_access', body, status: 201, handle: (rq) => create(house, rq) }),
  route({ method: 'GET', path: '/v2/tasks/{task_id}', name: 'tasks.show', policy: 'tasks_api_access', status: 200, handle: (rq) => show(house, rq as Rq<never>) }),
]

async function list(house: Glance, rq: Rq<never>): Promise<Reply> {
  const plan = listPlan(taskResource, lists, rq.query)
  const { rows, more } = await pageOfTasks(house.db, plan)
  const url = (marker?: string): string => {
    const query = new URLSearchParams(rq.query)
    query.delete('marker')
    if (marker !== undefined) query.set('marker', marker)
    return `/v2/tasks${query.size > 0 ? `?${query.toString()}` : ''}`
  }
  const tasks = rows.map((row) => {
    const { input: _i, result: _r, message: _m, ...wire } = taskView(row)
    return wire
  })
  return { json: { tasks, first: url(), schema: '/v2/schemas/tasks', ...(more ? { next: url(rows.at(-1)!.id) } : {}) } }
}

async function show(house: Glance, rq: Rq<never>): Promise<Reply> {
  const row = await taskById(house.db, rq.params.task_id!)
  if (!row) throw notFound(`No task found with ID ${rq.params.task_id!.slice(0, 100)}`)
  return { json: taskView(row) }
}

async function create(house: Glance, rq: Rq<TaskCreate>): Promise<Reply> {
  const { import_from, import_from_format, image_properties = {} } = rq.body.input
  if (!import_from) throw invalid("Input does not contain 'import_from' field", { field: 'import_from' })
  if (!import_from_format) throw invalid("Input does not contain 'import_from_format' field", { field: 'import_from_format' })
  const uri = parseTarget(import_from).href
  const blank = blankImage(house, rq.context.project_id ?? null)
  const fields = applyFields({ disk_format: import_from_format, container_format: 'bare', ...image_properties }, blank, house.config)
  const row = { ...blank, ...fields }
  await house.db.transaction(async (tx) => {
    await insistOnRoom(house, tx, row.owner, { image_count_total: 1, image_count_uploading: 1, image_size_total: 0 })
    await insertImage(tx, row)
  })
  const wish = { image_id: row.id, task_id: house.world.random.uuid(), method: 'web-download' as const, uri, stores: [defaultStore(house)], all_must_succeed: true }
  const task = await start(house, rq, row, wish, rq.body.input)
  return { json: taskView({ ...task, type: 'import' }), headers: { location: `${rq.base}/v2/tasks/${task.id}` } }
}
