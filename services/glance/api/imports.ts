/** Imports, the tasks that tell of them, locations, and removing an image from one of its stores. */
import { isoSeconds } from '#base/clock.ts'
import { conflict, forbidden, invalid, notFound } from '#base/fault.ts'
import { isUuidLike } from '#base/ids.ts'
import { parseTarget } from '#base/http/outbound.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import type { ImportImage } from '../flows/import-image.ts'
import { defaultStore, type Glance, IMPORT_METHODS, type ImportMethod } from '../house.ts'
import { imageById, moveImage, setStores, updateImage } from '../store/images.ts'
import { insertTask, tasksOfImage } from '../store/tasks.ts'
import type { ImageRow, TaskRow } from '../store/tables.ts'
import { sourceRegion } from './import-source.ts'
import { applyFields } from './image-fields.ts'
import { loadImage } from './load.ts'
import { insistOnRoom } from './quota.ts'

export interface ImportRequest {
  method: { name: string; uri?: string; glance_image_id?: string; glance_region?: string; glance_service_interface?: string }
  stores?: string[]
  all_stores?: boolean
  all_stores_must_succeed?: boolean
}

const importBody = {
  type: 'object',
  required: ['method'],
  properties: {
    method: { type: 'object', required: ['name'], properties: { name: { type: 'string' }, uri: { type: 'string', maxLength: 4096 }, glance_image_id: { type: 'string' }, glance_region: { type: 'string' }, glance_service_interface: { type: 'string' } } },
    stores: { type: 'array', items: { type: 'string' } },
    all_stores: { type: 'boolean' },
    all_stores_must_succeed: { type: 'boolean' },
  },
}

export const importRoutes = (house: Glance): Route[] => [
  route<ImportRequest>({ method: 'POST', path: '/v2/images/{image_id}/import', name: 'images.import', body: importBody, status: 202, handle: (rq) => begin(house, rq) }),
  route({ method: 'GET', path: '/v2/images/{image_id}/tasks', name: 'images.tasks', status: 200, handle: (rq) => listTasks(house, rq as Rq<never>) }),
  route({ method: 'GET', path: '/v2/images/{image_id}/locations', name: 'images.locations', status: 200, handle: (rq) => locations(house, rq as Rq<never>) }),
  route({ method: 'POST', path: '/v2/images/{image_id}/locations', name: 'images.add_location', status: 202, handle: (rq) => addLocation(house, rq as Rq<never>) }),
  route({ method: 'DELETE', path: '/v2/stores/{store_id}/{image_id}', name: 'stores.delete_image', bodyKind: 'none', status: 204, handle: (rq) => removeFromStore(house, rq as Rq<never>) }),
]

async function begin(house: Glance, rq: Rq<ImportRequest>): Promise<Reply> {
  const { method } = rq.body
  const name = method.name as ImportMethod
  if (!IMPORT_METHODS.includes(name)) throw invalid(`Unknown import method name '${method.name.slice(0, 100)}'.`, { field: 'method' })
  const { row } = await loadImage(house, rq as unknown as Rq<never>, name === 'copy-image' ? 'get_image' : 'modify_image')
  if (name === 'copy-image' && row.owner !== rq.context.project_id) rq.authorize('copy_image', { project_id: row.owner, owner: row.owner })
  const stores = storesFor(house, rq, row, name)
  const wish: ImportImage = { image_id: row.id, task_id: house.world.random.uuid(), method: name, stores, all_must_succeed: rq.body.all_stores_must_succeed ?? true }
  if (name === 'web-download') {
    if (!method.uri) throw invalid('URI is required for web-download import method.', { field: 'uri' })
    wish.uri = parseTarget(method.uri).href
  }
  let copied: Partial<ImageRow> = {}
  if (name === 'glance-download') {
    if (!isUuidLike(method.glance_image_id ?? '')) throw invalid('Remote image id does not look like a UUID for glance-download import method.', { field: 'glance_image_id' })
    const source = await sourceRegion(house, rq, method)
    if ('why_not' in source) wish.why_not = source.why_not
    else {
      wish.source_id = source.row.id
      copied = copyOf(house, row, source.row)
    }
  } else if (name !== 'copy-image' && (row.disk_format === null || row.container_format === null)) {
    const missing = row.container_format === null ? 'container_format' : 'disk_format'
    throw invalid(`'${missing}' needs to be set before import`, { field: missing })
  }
  await start(house, rq, row, wish, { import_req: rq.body }, copied)
  return {}
}

/** Puts the image to work and the task and the flow on record, all at once. */
export async function start(house: Glance, rq: Pick<Rq, 'context'>, row: ImageRow, wish: ImportImage, input: object, copied: Partial<ImageRow> = {}): Promise<TaskRow> {
  const now = house.world.clock.now()
  const from = wish.method === 'copy-image' ? 'active' : wish.method === 'glance-direct' ? 'uploading' : 'queued'
  const task: TaskRow = {
    id: wish.task_id,
    type: 'api_image_import',
    status: 'pending',
    owner: rq.context.project_id ?? null,
    image_id: row.id,
    user_id: rq.context.user_id ?? null,
    request_id: rq.context.request_id,
    input: JSON.stringify({ image_id: row.id, ...input, backend: wish.stores }),
    result: null,
    message: '',
    expires_at: null,
    created_at: now,
    updated_at: now,
  }
  if (wish.method !== 'copy-image') await insistOnRoom(house, house.db, row.owner, { image_size_total: row.size ?? 0, ...(wish.method === 'glance-direct' ? {} : { image_count_uploading: 1 }) })
  const refuse = (status: string): never => {
    throw conflict(`Image status transition from ${status} to importing is not allowed for import method ${wish.method}`)
  }
  if (row.status !== from || (wish.method === 'glance-direct' && row.size === null)) refuse(row.status)
  await house.db.transaction(async (tx) => {
    if (Object.keys(copied).length > 0) await updateImage(tx, row, copied)
    if (wish.method === 'copy-image') {
      if ((row.importing_to ?? '[]') !== '[]') throw conflict(`Image ${row.id} is being copied already.`)
      if (!(await moveImage(tx, row.id, ['active'], { importing_to: JSON.stringify(wish.stores), failed_import: '[]', updated_at: now }))) refuse(row.status)
    } else if (!(await moveImage(tx, row.id, [from], { status: 'importing', importing_to: JSON.stringify(wish.stores), failed_import: '[]', updated_at: Math.max(now, row.updated_at + 1) }))) {
      refuse((await imageById(tx, row.id))?.status ?? 'deleted')
    }
    await insertTask(tx, task)
    await house.engine.start(tx as never, house.flows.importImage, wish, { resource_kind: 'image', resource_id: row.id, ...(row.owner === null ? {} : { project_id: row.owner }) })
  })
  return task
}

function storesFor(house: Glance, rq: Rq<ImportRequest>, row: ImageRow, name: ImportMethod): string[] {
  const { stores, all_stores } = rq.body
  if (all_stores && stores && stores.length > 0) throw invalid("All_stores parameter can't be used with stores parameter or x-image-meta-store header", { field: 'all_stores' })
  const header = rq.http.headers['x-image-meta-store']
  const wanted = all_stores ? [...house.stores.keys()] : stores && stores.length > 0 ? stores : header ? [header] : [defaultStore(house)]
  const unknown = wanted.find((id) => !house.stores.has(id))
  if (unknown !== undefined) throw conflict(`Store for identifier ${unknown.slice(0, 100)} not found`, { field: 'stores' })
  if (name !== 'copy-image') return [...new Set(wanted)]
  const has = new Set(JSON.parse(row.stores) as string[])
  if (!all_stores) {
    const there = wanted.find((id) => has.has(id))
    if (there !== undefined) throw invalid(`Image is already present at store '${there}'`, { field: 'stores' })
  }
  return [...new Set(wanted)].filter((id) => !has.has(id))
}

/** What an image takes over from another besides its bytes. */
const COPIED = ['hw_', 'trait:', 'os_distro', 'os_secure_boot', 'os_type']

function copyOf(house: Glance, row: ImageRow, source: ImageRow): Partial<ImageRow> {
  const properties = Object.fromEntries(Object.entries(JSON.parse(source.properties) as Record<string, string>).filter(([name]) => COPIED.some((prefix) => name.startsWith(prefix))))
  const { properties: merged } = applyFields(properties, row, house.config)
  return { disk_format: source.disk_format, container_format: source.container_format, properties: merged ?? row.properties, updated_at: Math.max(house.world.clock.now(), row.updated_at + 1) }
}

export function taskView(row: TaskRow): Record<string, unknown> {
  return {
    id: row.id,
    type: row.type,
    status: row.status,
    owner: row.owner,
    ...(row.expires_at === null ? {} : { expires_at: isoSeconds(row.expires_at) }),
    created_at: isoSeconds(row.created_at),
    updated_at: isoSeconds(row.updated_at),
    input: JSON.parse(row.input) as unknown,
    result: row.result === null ? null : (JSON.parse(row.result) as unknown),
    message: row.message,
    image_id: row.image_id,
    request_id: row.request_id,
    user_id: row.user_id,
    self: `/v2/tasks/${row.id}`,
    schema: '/v2/schemas/task',
  }
}

async function listTasks(house: Glance, rq: Rq<never>): Promise<Reply> {
  const { row } = await loadImage(house, rq, 'get_image')
  return { json: { tasks: (await tasksOfImage(house.db, row.id)).map(taskView) } }
}

async function locations(house: Glance, rq: Rq<never>): Promise<Reply> {
  const { row } = await loadImage(house, rq, 'fetch_image_location')
  return { json: (JSON.parse(row.stores) as string[]).map((store) => ({ url: `${house.stores.get(store)?.name ?? 'file'}://${store}/${row.id}`, metadata: { store } })) }
}

async function addLocation(house: Glance, rq: Rq<never>): Promise<Reply> {
  const { row } = await loadImage(house, rq, 'get_image')
  rq.authorize('add_image_location', { project_id: row.owner, owner: row.owner })
  throw forbidden('It is not allowed to add locations: the stores of this cloud take bytes, not addresses. Upload or import the data.', { field: 'url' })
}

async function removeFromStore(house: Glance, rq: Rq<never>): Promise<Reply> {
  const { row } = await loadImage(house, rq, 'delete_image_location')
  const store = rq.params.store_id!
  if (!house.stores.has(store)) throw notFound(`The selected store ${store.slice(0, 100)} is not available on this node.`)
  const has = JSON.parse(row.stores) as string[]
  if (row.protected === 1) throw forbidden(`Image ${row.id} is protected and cannot be deleted.`)
  if (row.status !== 'active') throw conflict(`It's not allowed to remove image data from store if image status is not 'active'`)
  if (!has.includes(store)) throw notFound(`Image ${row.id} is not stored in store ${store}.`)
  if (has.length === 1) throw forbidden(`Cannot delete image data from the only store containing it. Consider deleting the image instead.`)
  if ((row.importing_to ?? '[]') !== '[]') throw conflict(`Image ${row.id} is being copied.`)
  await setStores(house.db, row.id, (now) => ({ stores: now.stores.filter((id) => id !== store) }), house.world.clock.now())
  await house.stores.get(store)!.ensureNo(row.id)
  return {}
}
