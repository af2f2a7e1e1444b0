/** Images: list, show, create, change, delete. */
import { conflict, forbidden, invalid } from '#base/fault.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import { type ListDialect, listPlan } from '#stack/resource/listing.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { boolFromString } from '#stack/resource/field.ts'
import type { Image, ImageCreate } from '../contract/images.ts'
import { imageResource } from '../contract/image-resource.ts'
import { type Glance, IMPORT_METHODS, stagedId } from '../house.ts'
import { deleteImageRows, insertImage, moveImage, pageOfImages, updateImage } from '../store/images.ts'
import type { ImageRow } from '../store/tables.ts'
import { applyFields, checkFormats, createSchema } from './image-fields.ts'
import { applyPatch, parsePatch } from './image-patch.ts'
import { imageView } from './image-view.ts'
import { loadImage } from './load.ts'
import { insistOnRoom } from './quota.ts'

const lists: ListDialect = { sort: 'both', maxLimit: 1000, defaultLimit: 25, unknownFilter: 'ignore', prefixOperators: true, defaultSort: [{ key: 'created_at', dir: 'desc' }] }
const OWN_FILTERS = new Set(['visibility', 'member_status', 'os_hidden', 'tag', 'size_min', 'size_max', 'changes-since', 'is_public'])

export const imageRoutes = (house: Glance): Route[] => [
  route({ method: 'GET', path: '/v2/images', name: 'images.list', status: 200, handle: (rq) => list(house, rq as Rq<never>) }),
  route<ImageCreate>({ method: 'POST', path: '/v2/images', name: 'images.create', body: createSchema, status: 201, handle: (rq) => create(house, rq) }),
  route({ method: 'GET', path: '/v2/images/{image_id}', name: 'images.show', status: 200, handle: async (rq) => ({ json: imageView((await loadImage(house, rq as Rq<never>, 'get_image')).row) }) }),
  route({ method: 'PATCH', path: '/v2/images/{image_id}', name: 'images.update', bodyKind: 'raw', status: 200, handle: (rq) => update(house, rq as Rq<never>) }),
  route({ method: 'DELETE', path: '/v2/images/{image_id}', name: 'images.delete', bodyKind: 'none', status: 204, handle: (rq) => remove(house, rq as Rq<never>) }),
  ...(['deactivate', 'reactivate'] as const).map((verb) =>
    route({ method: 'POST', path: `/v2/images/{image_id}/actions/${verb}`, name: `images.${verb}`, bodyKind: 'none', status: 204, handle: (rq) => activation(house, rq as Rq<never>, verb) }),
  ),
]

async function list(house: Glance, rq: Rq<never>): Promise<Reply> {
  rq.authorize('get_images')
  const { query, context } = rq
  const visibility = query.get('visibility') ?? undefined
  if (visibility !== undefined && !['public', 'private', 'shared', 'community', 'all'].includes(visibility)) throw invalid(`Invalid visibility value: ${visibility.slice(0, 50)}`, { field: 'visibility' })
  const member_status = query.get('member_status') ?? 'accepted'
  if (!['pending', 'accepted', 'rejected', 'all'].includes(member_status)) throw invalid(`Invalid status: ${member_status.slice(0, 50)}`, { field: 'member_status' })
  const hidden = query.get('os_hidden')
  const os_hidden = hidden === null ? false : boolFromString(hidden)
  if (os_hidden === undefined) throw invalid(`Invalid value '${hidden!.slice(0, 50)}' for 'os_hidden' filter. Valid values are case insensitive 'true' or 'false'.`, { field: 'os_hidden' })
  const bound = (name: string): number | undefined => {
    const text = query.get(name)
    if (text === null) return undefined
    if (!/^\d+$/.test(text)) throw invalid(`Filter ${name} must be a whole number.`, { field: name })
    return Number(text)
  }
  const plan = listPlan(imageResource, lists, query, OWN_FILTERS)
  const known = new Set([...Object.keys(imageResource.fields), ...OWN_FILTERS, 'limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'fields'])
  const size_min = bound('size_min')
  const size_max = bound('size_max')
  const { rows, more } = await pageOfImages(house.db, plan, {
    all: rq.allows('context_is_admin', {}),
    project: context.project_id,
    visibility,
    member_status,
    os_hidden,
    tags: query.getAll('tag'),
    properties: new Map([...query].filter(([name]) => !known.has(name))),
    ...(size_min === undefined ? {} : { size_min }),
    ...(size_max === undefined ? {} : { size_max }),
  })
  const first = new URLSearchParams(query)
  first.delete('marker')
  const next = new URLSearchParams(query)
  if (more) next.set('marker', rows.at(-1)!.id)
  const url = (params: URLSearchParams): string => `/v2/images${params.size > 0 ? `?${params.toString()}` : ''}`
  return { json: { images: rows.map(imageView), first: url(first), schema: '/v2/schemas/images', ...(more ? { next: url(next) } : {}) } }
}

async function create(house: Glance, rq: Rq<ImageCreate>): Promise<Reply> {
  const { id, ...fields } = rq.body
  const owner = fields.owner ?? rq.context.project_id ?? null
  rq.authorize('add_image', { project_id: owner, owner })
  const blank = { ...blankImage(house, owner), ...(id === undefined ? {} : { id }) }
  const row: ImageRow = { ...blank, ...applyFields(fields, blank, house.config), owner }
  judgeVisibility(rq, row)
  checkFormats(row)
  try {
    await house.db.transaction(async (tx) => {
      await insistOnRoom(house, tx, owner, { image_count_total: 1 })
      await insertImage(tx, row)
    })
  } catch (thrown) {
    if (isDuplicate(house.db.engine, thrown)) throw conflict(`Image ID ${row.id} already exists!`, { field: 'id' })
    throw thrown
  }
  return {
    json: imageView(row) satisfies Partial<Image>,
    headers: { location: `${rq.base}/v2/images/${row.id}`, 'openstack-image-import-methods': IMPORT_METHODS.join(','), 'openstack-image-store-ids': [...house.stores.keys()].join(',') },
  }
}

/** An image of which nothing is known yet. */
export function blankImage(house: Glance, owner: string | null): ImageRow {
  const now = house.world.clock.now()
  return {
    id: house.world.random.uuid(),
    name: null,
    disk_format: null,
    container_format: null,
    visibility: 'shared',
    size: null,
    virtual_size: null,
    status: 'queued',
    checksum: null,
    os_hash_algo: null,
    os_hash_value: null,
    protected: 0,
    min_ram: 0,
    min_disk: 0,
    owner,
    os_hidden: 0,
    properties: '{}',
    tags: '[]',
    stores: '[]',
    importing_to: null,
    failed_import: null,
    created_at: now,
    updated_at: now,
  }
}

function judgeVisibility(rq: Pick<Rq, 'authorize'>, row: ImageRow): void {
  const target = { project_id: row.owner, owner: row.owner }
  if (row.visibility === 'public') rq.authorize('publicize_image', target)
  if (row.visibility === 'community') rq.authorize('communitize_image', target)
}

async function update(house: Glance, rq: Rq<never>): Promise<Reply> {
  const changes = await parsePatch(rq)
  const { row, target } = await loadImage(house, rq, 'modify_image')
  const patch = applyPatch(row, changes, house.config)
  const next = { ...row, ...patch }
  if (next.visibility !== row.visibility) judgeVisibility(rq, next)
  if (next.owner !== row.owner && !rq.allows('context_is_admin', target)) throw forbidden("Attribute 'owner' may be changed by an administrator only.", { field: 'owner' })
  if (row.status !== 'queued' && (next.disk_format !== row.disk_format || next.container_format !== row.container_format)) {
    throw forbidden('The formats of an image with data cannot be changed.', { field: next.disk_format !== row.disk_format ? 'disk_format' : 'container_format' })
  }
  checkFormats(next)
  const saved = await house.db.transaction((tx) => updateImage(tx, row, { ...patch, updated_at: Math.max(house.world.clock.now(), row.updated_at + 1) }))
  return { json: imageView(saved) }
}

async function remove(house: Glance, rq: Rq<never>): Promise<Reply> {
  const { row } = await loadImage(house, rq, 'delete_image')
  if (row.protected === 1) throw forbidden(`Image ${row.id} is protected and cannot be deleted.`)
  await house.db.transaction((tx) => deleteImageRows(tx, row.id))
  await house.engine.cancel(house.db as never, 'image', row.id)
  // Rows first: bytes without a row are swept at the next start, a row without bytes would be a lie.
  for (const store of house.stores.values()) await store.ensureNo(row.id)
  await house.staging.ensureNo(stagedId(row.id))
  await house.cache.drop(row.id)
  return {}
}

async function activation(house: Glance, rq: Rq<never>, verb: 'deactivate' | 'reactivate'): Promise<Reply> {
  const { row } = await loadImage(house, rq, verb)
  const [from, to] = verb === 'deactivate' ? ['active', 'deactivated'] : ['deactivated', 'active']
  if (row.status === to) return {}
  if (!(await moveImage(house.db, row.id, [from!], { status: to!, updated_at: house.world.clock.now() }))) {
    throw forbidden(`Not allowed to ${verb} image in status '${row.status}'`)
  }
  return {}
}
