/** Aggregates: groups of hosts for the operator, with metadata that flavors can ask for; with a zone's name they are a zone. */
import { conflict, type Fault, invalid, isFault, notFound } from '#base/fault.ts'
import { isoMicros } from '#base/clock.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import { showImage } from '#glance/contract/images.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import type { Schema } from '#stack/schema.ts'
import { v } from '#stack/version.ts'
import type { Nova } from '../house.ts'
import { mirrorAggregates } from '../flows/placement-aggregates.ts'
import { aggregateById, aggregateByName, deleteAggregate, deleteAggregateHost, hostsOfAggregate, insertAggregate, insertAggregateHost, otherAggregatesOf, patchAggregate } from '../store/aggregates.ts'
import { aggregateHosts, aggregates, serviceOf } from '../store/computes.ts'
import { anyServersOnHosts } from '../store/host-usage.ts'
import type { NovaSql } from '../store/servers.ts'
import type { AggregateRow } from '../store/tables.ts'
import { envelope, nameText, object, uuidText } from './schemas.ts'
import { hostsChanged } from './service-steps.ts'

type Metadata = Record<string, string>

const zone: Schema = { anyOf: [{ type: 'null' }, { type: 'string', minLength: 1, maxLength: 255, pattern: String.raw`^(?!\s)[^:\x00-\x1f\x7f]*[^:\s\x00-\x1f\x7f]$` }] }
const host: Schema = { type: 'string', minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-._]*$' }
const metadata: Schema = { type: 'object', patternProperties: { '^[a-zA-Z0-9-_:. ]{1,255}$': { type: ['string', 'null'], maxLength: 255 } }, additionalProperties: false }

export function aggregateRoutes(nova: Nova): Route[] {
  const all = '/v2.1/os-aggregates'
  const one = `${all}/{aggregate_id}`
  const p = (verb: string): string => `os_compute_api:os-aggregates:${verb}`
  return [
    route({ method: 'GET', path: all, name: 'aggregates.index', policy: p('index'), status: 200, handle: (rq) => list(nova, rq) }),
    route<{ aggregate: { name: string; availability_zone?: string | null } }>({
      method: 'POST', path: all, name: 'aggregates.create', policy: p('create'), status: 200,
      body: envelope('aggregate', object({ name: nameText, availability_zone: zone }, ['name'])),
      handle: (rq) => create(nova, rq),
    }),
    route({ method: 'GET', path: one, name: 'aggregates.show', policy: p('show'), status: 200, handle: async (rq) => shown(nova, rq, await load(nova, nova.db, rq)) }),
    route<{ aggregate: { name?: string; availability_zone?: string | null } }>({
      method: 'PUT', path: one, name: 'aggregates.update', policy: p('update'), status: 200,
      body: envelope('aggregate', { ...object({ name: nameText, availability_zone: zone }), minProperties: 1 }),
      handle: (rq) => update(nova, rq),
    }),
    route({ method: 'DELETE', path: one, name: 'aggregates.delete', policy: p('delete'), status: 200, handle: (rq) => remove(nova, rq) }),
    route<{ host: string }>({
      method: 'POST', path: `${one}/action`, action: 'add_host', name: 'aggregates.add-host', policy: p('add_host'), status: 200,
      body: envelope('add_host', object({ host }, ['host'])),
      handle: (rq) => addHost(nova, rq),
    }),
    route<{ host: string }>({
      method: 'POST', path: `${one}/action`, action: 'remove_host', name: 'aggregates.remove-host', policy: p('remove_host'), status: 200,
      body: envelope('remove_host', object({ host }, ['host'])),
      async handle(rq) {
        const aggregate = await load(nova, nova.db, rq)
        const name = rq.body.host
        if (!(await deleteAggregateHost(nova.db, aggregate.id, name))) throw notFound(`Cannot remove host ${name} in aggregate ${aggregate.id}: not found`)
        await mirrorAggregates(nova, name)
        hostsChanged(nova)
        return shown(nova, rq, aggregate)
      },
    }),
    route<{ metadata: Record<string, string | null> }>({
      method: 'POST', path: `${one}/action`, action: 'set_metadata', name: 'aggregates.set-metadata', policy: p('set_metadata'), status: 200,
      body: envelope('set_metadata', object({ metadata }, ['metadata'])),
      async handle(rq) {
        return shown(nova, rq, await change(nova, rq, {}, rq.body.metadata))
      },
    }),
    route<{ cache: { id: string }[] }>({
      method: 'POST', path: `${one}/images`, name: 'aggregates.cache-images', since: v('2.81'), policy: 'compute:aggregates:images', status: 202,
      body: object({ cache: { type: 'array', minItems: 1, items: object({ id: uuidText }, ['id']) } }, ['cache']),
      handle: (rq) => cacheImages(nova, rq),
    }),
  ]
}

const noAggregate = (id: string): Fault => notFound(`Aggregate ${id} could not be found.`)

async function load(nova: Nova, sql: NovaSql, rq: Rq<unknown>): Promise<AggregateRow> {
  const text = rq.params.aggregate_id!
  // Deleted at once by another: as one that never was.
  const row = /^\d{1,9}$/.test(text) ? await aggregateById(sql, Number(text)) : undefined
  if (!row) {
    if (!/^-?\d+$/.test(text)) throw invalid(`Invalid aggregate id '${text.slice(0, 100)}': not an integer`, { field: 'aggregate_id' })
    throw noAggregate(text)
  }
  return row
}

async function list(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const [rows, members] = await Promise.all([aggregates(nova.db), aggregateHosts(nova.db)])
  const hostsOf = Map.groupBy(members, (member) => member.aggregate_id)
  return { json: { aggregates: rows.map((row) => view(rq, row, (hostsOf.get(row.id) ?? []).map((member) => member.host).toSorted())) } }
}

async function shown(nova: Nova, rq: Rq<unknown>, row: AggregateRow): Promise<Reply> {
  return { json: { aggregate: view(rq, row, await hostsOfAggregate(nova.db, row.id)) } }
}

function view(rq: Rq<unknown>, row: AggregateRow, hosts?: readonly string[]): Record<string, unknown> {
  const metadata = JSON.parse(row.metadata) as Metadata
  return {
    id: row.id,
    ...(rq.version >= v('2.41') ? { uuid: row.uuid } : {}),
    name: row.name,
    availability_zone: metadata.availability_zone ?? null,
    created_at: isoMicros(row.created_at),
    updated_at: row.updated_at === row.created_at ? null : isoMicros(row.updated_at),
    deleted: false,
    deleted_at: null,
    ...(hosts === undefined ? {} : { hosts, metadata }),
  }
}

async function create(nova: Nova, rq: Rq<{ aggregate: { name: string; availability_zone?: string | null } }>): Promise<Reply> {
  const { name, availability_zone } = rq.body.aggregate
  const now = nova.world.clock.now()
  const row = { uuid: nova.world.random.uuid(), name, metadata: JSON.stringify(availability_zone ? { availability_zone } : {}), created_at: now, updated_at: now }
  for (let attempt = 1; ; attempt++) {
    try {
      const made = await nova.db.transaction((tx) => insertAggregate(tx, row))
      hostsChanged(nova)
      return { json: { aggregate: view(rq, made) } }
    } catch (thrown) {
      if (!isDuplicate(nova.db.engine, thrown)) throw thrown
      if (attempt === 10 || (await aggregateByName(nova.db, name))) throw nameTaken(name)
    }
  }
}

const nameTaken = (name: string): Fault => conflict(`Aggregate ${name} already exists.`)

async function update(nova: Nova, rq: Rq<{ aggregate: { name?: string; availability_zone?: string | null } }>): Promise<Reply> {
  const { name, availability_zone } = rq.body.aggregate
  try {
    return await shown(nova, rq, await change(nova, rq, name === undefined ? {} : { name }, availability_zone === undefined ? {} : { availability_zone }))
  } catch (thrown) {
    if (name !== undefined && isDuplicate(nova.db.engine, thrown)) throw nameTaken(name)
    throw thrown
  }
}

/** Lays `wish` over the metadata; null takes a key away. A zone that would tear hosts or servers apart is refused. */
async function change(nova: Nova, rq: Rq<unknown>, patch: Partial<AggregateRow>, wish: Readonly<Record<string, string | null>>): Promise<AggregateRow> {
  const row = await nova.db.transaction(async (tx) => {
    const aggregate = await load(nova, tx, rq)
    const before = JSON.parse(aggregate.metadata) as Metadata
    const after = Object.fromEntries(Object.entries<string | null>({ ...before, ...wish }).filter((pair): pair is [string, string] => pair[1] !== null))
    if (wish.availability_zone === '') throw invalid(`Cannot update metadata of aggregate ${aggregate.id}. Reason: Aggregate ${aggregate.id} does not support empty named availability zone.`, { field: 'availability_zone' })
    if ('availability_zone' in wish && before.availability_zone !== after.availability_zone) {
      const hosts = await hostsOfAggregate(tx, aggregate.id)
      await assertZone(tx, hosts, aggregate, after.availability_zone, 'update aggregate')
      if (await anyServersOnHosts(tx, hosts)) throw conflict(`Cannot update aggregate ${aggregate.id}. Reason: One or more hosts contain instances in this zone.`)
    }
    const whole = { ...aggregate, ...patch, metadata: JSON.stringify(after), updated_at: Math.max(nova.world.clock.now(), aggregate.created_at + 1) }
    if (!(await patchAggregate(tx, aggregate.id, whole))) throw noAggregate(String(aggregate.id))
    return whole
  })
  hostsChanged(nova)
  return row
}

/** A host stands in one zone. */
async function assertZone(sql: NovaSql, hosts: readonly string[], aggregate: AggregateRow, zoneName: string | undefined, what: string): Promise<void> {
  if (zoneName === undefined) return
  const zones = (await otherAggregatesOf(sql, hosts, aggregate.id)).flatMap((other) => (JSON.parse(other.metadata) as Metadata).availability_zone ?? [])
  const others = [...new Set(zones)].filter((one) => one !== zoneName)
  if (others.length > 0) throw conflict(`Cannot ${what} ${aggregate.id}. Reason: One or more hosts already in availability zone(s) ${others.join(', ')}.`)
}

async function remove(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  await nova.db.transaction(async (tx) => {
    const aggregate = await load(nova, tx, rq)
    if ((await hostsOfAggregate(tx, aggregate.id)).length > 0) throw invalid(`Cannot remove aggregate ${aggregate.id}. Reason: Host aggregate is not empty.`)
    if (!(await deleteAggregate(tx, aggregate.id))) throw noAggregate(String(aggregate.id))
  })
  hostsChanged(nova)
  return {}
}

async function addHost(nova: Nova, rq: Rq<{ host: string }>): Promise<Reply> {
  const name = rq.body.host
  let aggregate!: AggregateRow
  try {
    await nova.db.transaction(async (tx) => {
      aggregate = await load(nova, tx, rq)
      if (!(await serviceOf(tx, name, 'nova-compute'))) throw notFound(`Compute host ${name} could not be found.`)
      await assertZone(tx, [name], aggregate, (JSON.parse(aggregate.metadata) as Metadata).availability_zone, 'add host to aggregate')
      await insertAggregateHost(tx, { aggregate_id: aggregate.id, host: name })
    })
  } catch (thrown) {
    if (isDuplicate(nova.db.engine, thrown)) throw conflict(`Aggregate ${aggregate.id} already has host ${name}.`)
    throw thrown
  }
  await mirrorAggregates(nova, name)
  hostsChanged(nova)
  return shown(nova, rq, aggregate)
}

async function cacheImages(nova: Nova, rq: Rq<{ cache: { id: string }[] }>): Promise<Reply> {
  const image_ids = rq.body.cache.map((one) => one.id)
  if (new Set(image_ids).size < image_ids.length) throw invalid('Duplicate images in request', { field: 'cache' })
  for (const image_id of image_ids) {
    await nova.client.call({ token: rq.context.token! }, 'glance', showImage, { params: { image_id } }).catch((thrown: unknown) => {
      if (isFault(thrown, 'not_found')) throw invalid(`Image ${image_id} is not found.`, { field: 'cache' })
      throw thrown
    })
  }
  const aggregate = await load(nova, nova.db, rq)
  const names = new Set(await hostsOfAggregate(nova.db, aggregate.id))
  const host_ids = [...(await nova.hosts.states()).values()].filter((state) => state.up && names.has(state.host)).map((state) => state.host_id)
  await nova.db.transaction((tx) => nova.engine.start(tx.as<unknown>(), nova.flows.cacheImages, { host_ids, image_ids }, { resource_kind: 'aggregate', resource_id: aggregate.uuid, ...(rq.context.project_id === undefined ? {} : { project_id: rq.context.project_id }) }))
  return {}
}
