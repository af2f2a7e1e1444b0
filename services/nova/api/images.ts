/** `/images`, until 2.35: Glance's images, as they were seen before Glance had a second version. */
import { deleteImage, type Image, listImages, showImage } from '#glance/contract/images.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import type { Nova } from '../house.ts'
import { linksOf, nextLink } from './links.ts'
import { propertiesOf } from './image-metadata.ts'
import { instantOf, limitOf } from './paging.ts'
import { proxied, PROXIES_END } from './proxy-steps.ts'
import { last } from './queries.ts'
import { callerOf } from './server-create.ts'

const STATUS: Readonly<Record<Image['status'], string>> = {
  queued: 'SAVING', saving: 'SAVING', uploading: 'SAVING', importing: 'SAVING', active: 'ACTIVE', killed: 'ERROR', deleted: 'DELETED', pending_delete: 'DELETED', deactivated: 'UNKNOWN',
}
const PROGRESS: Partial<Record<Image['status'], number>> = { active: 100, queued: 25, saving: 50, uploading: 50, importing: 50 }

export function imageRoutes(nova: Nova): Route[] {
  const until = PROXIES_END
  const one = '/v2.1/images/{image_id}'
  const about = (rq: Rq<unknown>) => ({ params: { image_id: rq.params.image_id! } })
  return [
    route({ method: 'GET', path: '/v2.1/images', name: 'images.index', until, status: 200, handle: (rq) => list(nova, rq, false) }),
    route({ method: 'GET', path: '/v2.1/images/detail', name: 'images.detail', until, status: 200, handle: (rq) => list(nova, rq, true) }),
    route({ method: 'GET', path: one, name: 'images.show', until, status: 200, handle: async (rq) => ({ json: { image: imageView(nova, rq, await proxied(nova.client.call(callerOf(rq), 'glance', showImage, about(rq)), 'Image not found.')) } }) }),
    route({
      method: 'DELETE', path: one, name: 'images.delete', until, status: 204,
      async handle(rq) {
        await proxied(nova.client.call(callerOf(rq), 'glance', deleteImage, about(rq)), 'Image not found.')
        return {}
      },
    }),
  ]
}

/** Names of filters here, and at Glance. */
const FILTERS: Readonly<Record<string, string>> = { name: 'name', status: 'status', server: 'instance_uuid', type: 'image_type', minRam: 'min_ram', minDisk: 'min_disk' }

function filtersOf(query: URLSearchParams): Record<string, string> {
  const filters: Record<string, string> = {}
  for (const [name, value] of query) {
    const known = FILTERS[name] ?? (name.startsWith('property-') ? name.slice('property-'.length) : undefined)
    if (known === undefined) continue
    // A server may be named by any of its links.
    filters[known] = known === 'status' ? value.toLowerCase() : known === 'instance_uuid' ? value.split('/').at(-1)! : value
  }
  const since = instantOf(query, 'changes-since')
  if (since !== undefined) filters.updated_at = `gte:${new Date(since).toISOString().slice(0, 19)}Z`
  return filters
}

async function list(nova: Nova, rq: Rq<unknown>, detail: boolean): Promise<Reply> {
  const filters = filtersOf(rq.query)
  const limit = limitOf(rq.query, nova.config.max_limit)
  const images: Image[] = []
  let marker = last(rq.query, 'marker')
  while (images.length < limit) {
    const page: { images: Image[]; next?: string } = await nova.client.call(callerOf(rq), 'glance', listImages, { query: { ...filters, limit: limit - images.length, ...(marker === undefined ? {} : { marker }) } })
    images.push(...page.images)
    if (page.next === undefined || page.images.length === 0) break
    marker = page.images.at(-1)!.id
  }
  const more = rq.query.has('limit') && limit > 0 && images.length === limit
  return { json: { images: images.map((image) => (detail ? imageView(nova, rq, image) : { id: image.id, name: image.name, links: links(nova, rq, image.id) })), ...(more ? { images_links: nextLink(rq, images.at(-1)!.id) } : {}) } }
}

const links = (nova: Nova, rq: Rq<unknown>, id: string) => [...linksOf(rq, 'images', id), { rel: 'alternate', type: 'application/vnd.openstack.image', href: `${nova.publicUrl()}/image/images/${id}` }]

function imageView(nova: Nova, rq: Rq<unknown>, image: Image): Record<string, unknown> {
  const metadata = propertiesOf(image)
  const { instance_uuid, auto_disk_config } = metadata
  return {
    id: image.id,
    name: image.name,
    minRam: image.min_ram,
    minDisk: image.min_disk,
    metadata,
    created: image.created_at,
    updated: image.updated_at,
    status: STATUS[image.status] ?? 'UNKNOWN',
    progress: PROGRESS[image.status] ?? 0,
    'OS-EXT-IMG-SIZE:size': image.size ?? 0,
    links: links(nova, rq, image.id),
    ...(instance_uuid === undefined ? {} : { server: { id: instance_uuid, links: linksOf(rq, 'servers', instance_uuid) } }),
    ...(auto_disk_config === undefined ? {} : { 'OS-DCF:diskConfig': /^(1|t|true|on|y|yes)$/i.test(auto_disk_config) ? 'AUTO' : 'MANUAL' }),
  }
}
