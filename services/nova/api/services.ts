/** Services of the control plane and the compute hosts: who lives, who may be given new servers, and who is to be taken for dead. */
import { conflict, type Fault, invalid, isFault, notFound } from '#base/fault.ts'
import { isoMicros } from '#base/clock.ts'
import { isUuidLike } from '#base/ids.ts'
import { deleteProvider } from '#placement/contract/resource-providers.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import type { Schema } from '#stack/schema.ts'
import { v } from '#stack/version.ts'
import type { Nova } from '../house.ts'
import { computeNodes, deleteService, patchService, serviceOf, services } from '../store/computes.ts'
import { anyMovesOfHost, anyServersOnHosts } from '../store/host-usage.ts'
import type { ServiceRow } from '../store/tables.ts'
import { last, queryOf } from './queries.ts'
import { isTrue, flag, object } from './schemas.ts'
import { hostsChanged, isUp, zoneOf, zonesOf } from './service-steps.ts'

const text: Schema = { type: 'string', minLength: 1, maxLength: 255 }
const hostName: Schema = { type: 'string', minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-._]*$' }
const named = (more: Readonly<Record<string, Schema>>): Schema => object({ host: hostName, binary: text, ...more }, ['host', 'binary', ...Object.keys(more)])

interface Named {
  host: string
  binary: string
}

interface Change {
  status?: 'enabled' | 'disabled'
  disabled_reason?: string
  forced_down?: boolean | string
}

export function serviceRoutes(nova: Nova): Route[] {
  const all = '/v2.1/os-services'
  const one = `${all}/{service_id}`
  const policy = 'os_compute_api:os-services:update'
  const old = <Body>(verb: string, body: Schema, handle: (rq: Rq<Body>, service: ServiceRow) => Promise<Record<string, unknown>>, since?: `${number}.${number}`): Route[] => [
    route<Body>({
      method: 'PUT', path: `${all}/${verb}`, name: `services.${verb}`, until: v('2.52'), policy, body, status: 200, ...(since ? { since: v(since) } : {}),
      handle: async (rq) => ({ json: { service: await handle(rq, await computeService(nova, rq.body as unknown as Named)) } }),
    }),
    // Afterwards the word is an id, and a bad one.
    route({ method: 'PUT', path: `${all}/${verb}`, name: `services.no-${verb}`, since: v('2.53'), policy, status: 200, handle: () => badId(verb) }),
  ]
  return [
    route({ method: 'GET', path: all, name: 'services.index', policy: 'os_compute_api:os-services:list', query: queryOf(['host', 'binary']), status: 200, handle: (rq) => list(nova, rq) }),
    ...old<Named>('enable', named({}), async (rq, service) => {
      await change(nova, service, { disabled: 0, disabled_reason: null })
      return { host: rq.body.host, binary: rq.body.binary, status: 'enabled' }
    }),
    ...old<Named>('disable', named({}), async (rq, service) => {
      await change(nova, service, { disabled: 1, disabled_reason: null })
      return { host: rq.body.host, binary: rq.body.binary, status: 'disabled' }
    }),
    ...old<Named & { disabled_reason: string }>('disable-log-reason', named({ disabled_reason: text }), async (rq, service) => {
      const disabled_reason = rq.body.disabled_reason.trim()
      await change(nova, service, { disabled: 1, disabled_reason })
      return { host: rq.body.host, binary: rq.body.binary, status: 'disabled', disabled_reason }
    }),
    ...old<Named & { forced_down: boolean | string }>(
      'force-down', named({ forced_down: flag }),
      async (rq, service) => {
        const forced_down = isTrue(rq.body.forced_down)
        await change(nova, service, { forced_down: forced_down ? 1 : 0 })
        return { host: rq.body.host, binary: rq.body.binary, forced_down }
      },
      '2.11',
    ),
    route<Change>({
      method: 'PUT', path: one, name: 'services.update', since: v('2.53'), policy, status: 200,
      body: { ...object({ status: { enum: ['enabled', 'disabled'] }, disabled_reason: text, forced_down: flag }), minProperties: 1 },
      handle: (rq) => update(nova, rq),
    }),
    route({ method: 'DELETE', path: one, name: 'services.delete', policy: 'os_compute_api:os-services:delete', status: 204, handle: (rq) => remove(nova, rq) }),
  ]
}

async function list(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const host = last(rq.query, 'host')
  const binary = last(rq.query, 'binary')
  const [all, zones] = await Promise.all([services(nova.db), zonesOf(nova.hosts)])
  const rows = all.filter((service) => (host === undefined || host === '' || service.host === host) && (binary === undefined || binary === '' || service.binary === binary))
  return { json: { services: rows.map((row) => view(nova, rq, row, zones)) } }
}

function view(nova: Nova, rq: Rq<unknown>, row: ServiceRow, zones: ReadonlyMap<string, string>): Record<string, unknown> {
  return {
    id: rq.version >= v('2.53') ? row.uuid : row.id,
    binary: row.binary,
    host: row.host,
    zone: zoneOf(nova, zones, row),
    status: row.disabled === 1 ? 'disabled' : 'enabled',
    state: isUp(nova, row) ? 'up' : 'down',
    updated_at: isoMicros(row.last_seen_at),
    disabled_reason: row.disabled_reason,
    ...(rq.version >= v('2.11') ? { forced_down: row.forced_down === 1 } : {}),
  }
}

/** Of other services nothing can be changed by host and name. */
async function computeService(nova: Nova, { host, binary }: Named): Promise<ServiceRow> {
  const service = await serviceOf(nova.db, host, binary)
  if (!service) throw notFound(`Could not find binary ${binary} on host ${host}.`)
  assertCompute(service.binary)
  return service
}

function assertCompute(binary: string): void {
  if (binary !== 'nova-compute') throw invalid(`Updating a ${binary} service is not supported. Only nova-compute services can be updated.`, { field: 'binary' })
}

async function change(nova: Nova, service: ServiceRow, patch: Partial<ServiceRow>): Promise<ServiceRow> {
  const whole = { ...patch, updated_at: nova.world.clock.now() }
  await patchService(nova.db, service.id, whole)
  nova.world.log.module('nova.services').info('Changed a service', { service: service.uuid, host: service.host, ...patch })
  hostsChanged(nova)
  return { ...service, ...whole }
}

function badId(id: string): never {
  throw invalid(`Invalid uuid ${id}`, { field: 'service_id' })
}

const noService = (id: string): Fault => notFound(`Service ${id} could not be found.`)

async function load(nova: Nova, rq: Rq<unknown>): Promise<ServiceRow> {
  const id = rq.params.service_id!
  const byUuid = rq.version >= v('2.53')
  if (byUuid && !isUuidLike(id)) badId(id)
  if (!byUuid && !/^\d+$/.test(id)) throw invalid(`Invalid input received: id must be an integer`, { field: 'service_id' })
  const row = (await services(nova.db)).find((service) => (byUuid ? service.uuid === id : String(service.id) === id))
  if (!row) throw noService(id)
  return row
}

async function update(nova: Nova, rq: Rq<Change>): Promise<Reply> {
  const { status, disabled_reason, forced_down } = rq.body
  if (disabled_reason !== undefined && status !== 'disabled') throw invalid("Specifying disabled_reason requires that status is 'disabled'.", { field: 'disabled_reason' })
  const row = await load(nova, rq)
  assertCompute(row.binary)
  const changed = await change(nova, row, {
    ...(status === undefined ? {} : { disabled: status === 'disabled' ? 1 : 0, disabled_reason: disabled_reason?.trim() ?? null }),
    ...(forced_down === undefined ? {} : { forced_down: isTrue(forced_down) ? 1 : 0 }),
  })
  return { json: { service: view(nova, rq, changed, await zonesOf(nova.hosts)) } }
}

/** A host that is no more: its rows, its places in aggregates, and its resource provider. An agent that still lives reports itself again. */
async function remove(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const service = await load(nova, rq)
  if (service.binary === 'nova-compute') {
    if (await anyServersOnHosts(nova.db, [service.host])) throw conflict('Unable to delete compute service that is hosting instances. Migrate or delete the instances first.')
    if (await anyMovesOfHost(nova.db, service.host)) throw conflict('Unable to delete compute service that has in-progress migrations. Complete the migrations or delete the instances first.')
  }
  const providers = (await computeNodes(nova.db)).filter((node) => node.service_id === service.id).map((node) => node.uuid)
  // Placement first: what fails here can be asked for again, for the rows are still there.
  for (const uuid of providers) {
    await nova.client.call(await nova.service(), 'placement', deleteProvider, { params: { uuid } }).catch((thrown: unknown) => {
      if (isFault(thrown, 'conflict')) throw conflict(`Unable to delete the resource provider of host ${service.host}: something still claims resources of it.`, { cause: thrown })
      if (!isFault(thrown, 'not_found')) throw thrown
    })
  }
  await nova.db.transaction((tx) => deleteService(tx, service))
  hostsChanged(nova)
  return {}
}
