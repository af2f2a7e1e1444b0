/** `/images/{id}/metadata`, until 2.38: the custom properties of an image. */
import { Fault, forbidden, invalid, notFound } from '#base/fault.ts'
import { readBody } from '#base/http/message.ts'
import { type Image, showImage } from '#glance/contract/images.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import type { Nova } from '../house.ts'
import { limitsOf } from '../store/quotas.ts'
import { proxied } from './proxy-steps.ts'
import { metadataObject, object } from './schemas.ts'
import { callerOf } from './server-create.ts'

type Metadata = Record<string, string>

/** What Glance says of every image; the rest are properties. */
const FIELDS = new Set([
  'id', 'name', 'status', 'visibility', 'owner', 'container_format', 'disk_format', 'size', 'virtual_size', 'min_ram', 'min_disk', 'protected', 'os_hidden', 'checksum', 'os_hash_algo', 'os_hash_value', 'tags',
  'created_at', 'updated_at', 'self', 'file', 'schema', 'locations', 'direct_url', 'stores',
])

export function propertiesOf(image: Image): Metadata {
  return Object.fromEntries(Object.entries(image).filter(([name, value]) => !FIELDS.has(name) && value !== null).map(([name, value]) => [name, String(value)]))
}

export function imageMetadataRoutes(nova: Nova): Route[] {
  const all = '/v2.1/images/{image_id}/metadata'
  const one = `${all}/{key}`
  const until = v('2.38')
  const whole = object({ metadata: metadataObject }, ['metadata'])
  return [
    route({ method: 'GET', path: all, name: 'image-metadata.index', until, status: 200, handle: async (rq) => ({ json: { metadata: await load(nova, rq) } }) }),
    route<{ metadata: Metadata }>({ method: 'POST', path: all, name: 'image-metadata.create', until, status: 200, body: whole, handle: (rq) => change(nova, rq, (now) => ({ ...now, ...rq.body.metadata })) }),
    route<{ metadata: Metadata }>({ method: 'PUT', path: all, name: 'image-metadata.replace', until, status: 200, body: whole, handle: (rq) => change(nova, rq, () => rq.body.metadata) }),
    route({
      method: 'GET', path: one, name: 'image-metadata.show', until, status: 200,
      async handle(rq) {
        const key = rq.params.key!
        const value = (await load(nova, rq))[key]
        if (value === undefined) throw notFound('Metadata item was not found')
        return { json: { meta: { [key]: value } } }
      },
    }),
    route<{ meta: Metadata }>({
      method: 'PUT', path: one, name: 'image-metadata.update', until, status: 200, body: object({ meta: { ...metadataObject, minProperties: 1, maxProperties: 1 } }, ['meta']),
      async handle(rq) {
        if (rq.body.meta[rq.params.key!] === undefined) throw invalid('Request body and URI mismatch', { field: 'meta' })
        await change(nova, rq, (now) => ({ ...now, ...rq.body.meta }))
        return { json: { meta: rq.body.meta } }
      },
    }),
    route({
      method: 'DELETE', path: one, name: 'image-metadata.delete', until, status: 204,
      async handle(rq) {
        const key = rq.params.key!
        await change(nova, rq, (now) => {
          if (now[key] === undefined) throw notFound('Invalid metadata key')
          const { [key]: _gone, ...rest } = now
          return rest
        })
        return {}
      },
    }),
  ]
}

async function load(nova: Nova, rq: Rq<unknown>): Promise<Metadata> {
  return propertiesOf(await proxied(nova.client.call(callerOf(rq), 'glance', showImage, { params: { image_id: rq.params.image_id! } }), 'Image not found.'))
}

/** Brings the properties to what `to` makes of them. */
async function change(nova: Nova, rq: Rq<unknown>, to: (now: Metadata) => Metadata): Promise<Reply> {
  const before = await load(nova, rq)
  const after = to(before)
  const { metadata_items } = await limitsOf(nova.db, rq.context.project_id ?? '', nova.quotas)
  if (metadata_items >= 0 && Object.keys(after).length > metadata_items) throw forbidden('Image metadata limit exceeded')
  const path = (key: string): string => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
  const steps = [
    ...Object.keys(before).filter((key) => after[key] === undefined).map((key) => ({ op: 'remove', path: path(key) })),
    ...Object.entries(after).filter(([key, value]) => before[key] !== value).map(([key, value]) => ({ op: before[key] === undefined ? 'add' : 'replace', path: path(key), value })),
  ]
  if (steps.length > 0) await patch(nova, rq, steps)
  return { json: { metadata: after } }
}

async function patch(nova: Nova, rq: Rq<unknown>, steps: readonly object[]): Promise<void> {
  const answer = await nova.client.send(callerOf(rq), 'glance', {
    method: 'PATCH', path: `/v2/images/${encodeURIComponent(rq.params.image_id!)}`, headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' }, body: JSON.stringify(steps),
  })
  await readBody(answer.body, 2 ** 20)
  if (answer.status === 403) throw forbidden('Image is not yours to change.')
  if (answer.status === 404) throw notFound('Image not found.')
  if (answer.status >= 400) throw new Fault(answer.status < 500 ? 'invalid' : 'unavailable', `Glance refused the metadata (${answer.status}).`)
}
