/** `/v2.0/ports/{port_id}/bindings`: where a port is, and where it will be after a live migration. */
import { conflict, invalid, notFound } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { isBad } from '#neutron/core/attribute.ts'
import { envelope, type Values } from '#neutron/core/body.ts'
import { portBinding as takes } from '#neutron/core/nouns/port.ts'
import { bind } from '#neutron/flows/binding.ts'
import { changed } from '#neutron/flows/standard.ts'
import { followParent } from '#neutron/flows/trunks.ts'
import type { Neutron } from '#neutron/house.ts'
import type { BindingRow, PortRow, T } from '#neutron/store/tables.ts'
import { rowFor } from './desk.ts'
import { portDesk } from './ports.ts'
import { store } from '#neutron/store/store.ts'

const PATH = '/v2.0/ports/{port_id}/bindings'
const noun = { one: 'binding', many: 'bindings' }

const shown = (row: BindingRow, port: PortRow): object => ({ host: row.host, status: row.status, vif_type: row.vif_type, vif_details: JSON.parse(row.vif_details) as object, vnic_type: row.vnic_type, profile: JSON.parse(row.profile) as object, project_id: port.project_id })

/** The port's own row is the active binding. */
const activeOf = (port: PortRow): BindingRow | undefined =>
  port['binding:host_id'] === ''
    ? undefined
    : { port_id: port.id, host: port['binding:host_id'], status: 'ACTIVE', vif_type: port['binding:vif_type'], vif_details: port['binding:vif_details'], vnic_type: port['binding:vnic_type'], profile: port['binding:profile'] }

export function bindingRoutes(house: Neutron): Route[] {
  const portOf = async (db: T | Neutron['db'], rq: Rq): Promise<PortRow> => (await rowFor(portDesk, house, db, rq, rq.params.port_id!)) as unknown as PortRow
  const all = async (db: T | Neutron['db'], port: PortRow): Promise<BindingRow[]> => {
    const active = activeOf(port)
    return [...(active ? [active] : []), ...(await store.portBindings.all(db, { port_id: port.id }))]
  }
  const missing = (port: string, host: string): Error => notFound(`Binding for port ${port} on host ${host} could not be found.`, { code: 'PortBindingNotFound' })
  return [
    route({
      method: 'GET',
      path: PATH,
      name: 'port_bindings.list',
      status: 200,
      policy: 'get_port_binding',
      handle: async (rq) => {
        const port = await portOf(house.db, rq)
        const fits = (row: BindingRow): boolean => (['host', 'status', 'vif_type', 'vnic_type'] as const).every((key) => !rq.query.has(key) || rq.query.getAll(key).includes(row[key]))
        return { json: { bindings: (await all(house.db, port)).filter(fits).map((row) => shown(row, port)) } }
      },
    }),
    route({
      method: 'GET',
      path: `${PATH}/{host}`,
      name: 'port_bindings.show',
      status: 200,
      policy: 'get_port_binding',
      handle: async (rq) => {
        const port = await portOf(house.db, rq)
        const row = (await all(house.db, port)).find((one) => one.host === rq.params.host)
        if (!row) throw missing(port.id, rq.params.host!)
        return { json: { binding: shown(row, port) } }
      },
    }),
    route({ method: 'POST', path: PATH, name: 'port_bindings.create', status: 201, handle: (rq) => create(house, rq, portOf, all) }),
    route({
      method: 'PUT',
      path: `${PATH}/{host}`,
      name: 'port_bindings.update',
      status: 200,
      handle: async (rq) => {
        demandService(rq, 'create_port_binding')
        const values = taken(envelope(noun, rq.body, false).items[0]!)
        return house.db.transaction(async (tx) => {
          const port = await portOf(tx, rq)
          const row = (await all(tx, port)).find((one) => one.host === rq.params.host)
          if (!row) throw missing(port.id, rq.params.host!)
          const next: BindingRow = { ...row, vnic_type: (values.vnic_type as string | undefined) ?? row.vnic_type, profile: values.profile === undefined ? row.profile : JSON.stringify(values.profile) }
          if (row.status === 'ACTIVE') await store.ports.change(tx, { id: port.id }, { 'binding:vnic_type': next.vnic_type, 'binding:profile': next.profile, ...changed(house, port as never) })
          else await store.portBindings.change(tx, { port_id: port.id, host: row.host }, { vnic_type: next.vnic_type, profile: next.profile })
          return { json: { binding: shown(next, port) } }
        })
      },
    }),
    route({
      method: 'DELETE',
      path: `${PATH}/{host}`,
      name: 'port_bindings.delete',
      status: 204,
      handle: async (rq) => {
        demandService(rq, 'delete_port_binding')
        await house.db.transaction(async (tx) => {
          const port = await portOf(tx, rq)
          const host = rq.params.host!
          if (port['binding:host_id'] === host) {
            await store.ports.change(tx, { id: port.id }, { 'binding:host_id': '', 'binding:vif_type': 'unbound', 'binding:vif_details': '{}', status: 'DOWN', ...changed(house, port as never) })
          } else {
              const gone = await store.portBindings.drop(tx, { port_id: port.id, host })
            if (gone === 0) throw missing(port.id, host)
          }
          house.notices.changed(tx, { ports: [port.id] }, host)
          if (port['binding:host_id'] === host) await followParent(house, tx, port.id, '')
        })
        return {}
      },
    }),
    route({ method: 'PUT', path: `${PATH}/{host}/activate`, name: 'port_bindings.activate', status: 200, handle: (rq) => activate(house, rq, portOf) }),
  ]
}

/** Neutron gives these to services; an administrator passes every rule. */
function demandService(rq: Rq, rule: string): void {
  if (!rq.allows('context_is_admin', {})) rq.authorize(rule)
}

function taken(sent: Values): Values {
  const out: Values = {}
  for (const [key, value] of Object.entries(sent)) {
    const take = takes[key as keyof typeof takes]
    if (!take) throw invalid(`Unrecognized attribute(s) '${key}'`, { code: 'HTTPBadRequest', field: key })
    const read = take(value)
    if (isBad(read)) throw invalid(`Invalid input for ${key}. Reason: ${read.reason}.`, { code: 'HTTPBadRequest', field: key })
    out[key] = read.value
  }
  return out
}

type PortOf = (db: T | Neutron['db'], rq: Rq) => Promise<PortRow>

async function create(house: Neutron, rq: Rq, portOf: PortOf, all: (db: T, port: PortRow) => Promise<BindingRow[]>): Promise<Reply> {
  demandService(rq, 'create_port_binding')
  const values = taken(envelope(noun, rq.body, false).items[0]!)
  const host = values.host
  if (typeof host !== 'string' || host === '') throw invalid(`Failed to parse request. Required attribute 'host' not specified`, { code: 'HTTPBadRequest', field: 'host' })
  return house.db.transaction(async (tx) => {
    const port = await portOf(tx, rq)
    const rows = await all(tx, port)
    if (rows.some((one) => one.host === host)) throw conflict(`Binding for port ${port.id} on host ${host} already exists.`, { code: 'PortBindingAlreadyExists' })
    const vnic_type = (values.vnic_type as string | undefined) ?? port['binding:vnic_type']
    const bound = await bind(house, tx, host, vnic_type, port.id)
    if (bound['binding:vif_type'] === 'binding_failed') throw conflict(`Binding for port ${port.id} on host ${host} could not be created.`, { code: 'PortBindingError' })
    const row: BindingRow = { port_id: port.id, host, status: rows.length > 0 ? 'INACTIVE' : 'ACTIVE', vif_type: bound['binding:vif_type'], vif_details: bound['binding:vif_details'], vnic_type, profile: JSON.stringify(values.profile ?? {}) }
    if (row.status === 'ACTIVE') {
      await store.ports.change(tx, { id: port.id }, { 'binding:host_id': host, ...bound, 'binding:vnic_type': vnic_type, 'binding:profile': row.profile, ...changed(house, port as never) })
      house.notices.changed(tx, { ports: [port.id], networks: [port.network_id] }, host)
      await followParent(house, tx, port.id, host)
    } else {
      await store.portBindings.add(tx, row)
      house.notices.changed(tx, { ports: [port.id] }, host)
    }
    return { json: { binding: shown(row, port) } }
  })
}

/** The other host becomes the port's; the one it leaves keeps an inactive binding until it is deleted. */
async function activate(house: Neutron, rq: Rq, portOf: PortOf): Promise<Reply> {
  demandService(rq, 'activate')
  return house.db.transaction(async (tx) => {
    const port = await portOf(tx, rq)
    const host = rq.params.host!
    if (port['binding:host_id'] === host) throw conflict(`Binding for port ${port.id} on host ${host} is already active.`, { code: 'PortBindingAlreadyActive' })
    const row = await store.portBindings.one(tx, { port_id: port.id, host })
    if (!row) throw notFound(`Binding for port ${port.id} on host ${host} could not be found.`, { code: 'PortBindingNotFound' })
    await store.portBindings.drop(tx, { port_id: port.id, host })
    const before = activeOf(port)
    if (before) await store.portBindings.add(tx, { ...before, status: 'INACTIVE' })
    const next: PortRow = { ...port, 'binding:host_id': host, 'binding:vif_type': row.vif_type, 'binding:vif_details': row.vif_details, 'binding:vnic_type': row.vnic_type, 'binding:profile': row.profile, status: 'DOWN', ...changed(house, port as never) }
    await store.ports.change(tx, { id: port.id }, next)
    house.notices.changed(tx, { ports: [port.id], networks: [port.network_id] }, host)
    if (before) house.notices.changed(tx, { ports: [port.id], networks: [port.network_id] }, before.host)
    await followParent(house, tx, port.id, host)
    return { json: { port_binding: shown({ ...row, status: 'ACTIVE' }, next) } }
  })
}
