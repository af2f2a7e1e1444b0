/** `/v2.0/local_ips`: an address that is answered on the guest's own host. */
import { conflict, invalid, notFound } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { localIp as noun, localIpAssociation as link } from '#neutron/core/nouns/router.ts'
import type { FixedIp } from '#neutron/flows/addresses.ts'
import { deletePortRows } from '#neutron/flows/port-removal.ts'
import { createPort, wishOf } from '#neutron/flows/ports.ts'
import type { Neutron } from '#neutron/house.ts'
import { insertRow } from '#neutron/store/rows.ts'
import type { PortRow, Row, T } from '#neutron/store/tables.ts'
import { equals } from '#neutron/store/where.ts'
import { actorOf } from './actor.ts'
import { type Below, childDesk, demandRead, parentRow, parentTarget, scopeOf } from './child.ts'
import { derivedDelete, derivedRoutes } from './derive.ts'
import { type Desk, listReply, readRoutes, rowFor, rowReply, showReply } from './desk.ts'
import { portDesk } from './ports.ts'
import { networkSeen } from './subnets.ts'
import { createWish, demandCreate, rowToChange } from './writing.ts'
import { store } from '#neutron/store/store.ts'

const desk: Desk = { noun }
const below: Below = { parent: desk, parentKey: 'local_ip_id' }

/** The address is that of a port: a given one, whose network counts, or a new one on the network. */
async function place(house: Neutron, tx: T, rq: Rq, row: Row): Promise<void> {
  const asked = row.local_ip_address as string | null
  let port: PortRow
  if (row.local_port_id) {
    port = (await rowFor(portDesk, house, tx, rq, row.local_port_id as string)) as unknown as PortRow
  } else {
    if (!row.network_id) throw invalid('Invalid input for operation: Specified Local IP attributes need network_id or local_port_id.', { code: 'InvalidInput' })
    const network = await networkSeen(tx, actorOf(rq), row.network_id as string)
    port = await createPort(house, tx, wishOf({ project_id: row.project_id, device_owner: 'network:local_ip', device_id: row.id, ...(asked ? { fixed_ips: [{ ip_address: asked }] } : {}) }), network)
  }
  const addresses = (JSON.parse(port.fixed_ips) as FixedIp[]).map((one) => one.ip_address)
  const address = asked ?? addresses[0]
  if (address === undefined || !addresses.includes(address)) throw invalid(`Port ${port.id} has no address ${String(asked)}.`, { code: 'LocalIPRequestedIPNotFound' })
  if (!asked && addresses.length > 1) throw invalid(`Port ${port.id} has several addresses: local_ip_address must be given.`, { code: 'LocalIPNoRequestedIP' })
  Object.assign(row, { local_port_id: port.id, network_id: port.network_id, local_ip_address: address })
}

async function leave(house: Neutron, tx: T, row: Row): Promise<void> {
  const used = await store.localIpLinks.one(tx, { local_ip_id: row.id as string }, ['fixed_port_id'])
  if (used) throw conflict(`Local IP ${String(row.id)} is still associated with ports.`, { code: 'LocalIPInUse' })
  const port = await store.ports.one(tx, { id: row.local_port_id as string, device_owner: 'network:local_ip' })
  if (port) await deletePortRows(house, tx, [port])
}

export function localIpRoutes(house: Neutron): Route[] {
  const path = `${link.path}/{fixed_port_id}`
  const linkDesk = (parent: Row): Desk => ({ ...childDesk(link, () => parent), key: 'fixed_port_id' })
  const seen = async (rq: Rq) => {
    const parent = await parentRow(below, house, house.db, rq)
    demandRead(rq, link.policy!, parent)
    return { desk: linkDesk(parent), scope: scopeOf(below, parent) }
  }
  return [
    ...readRoutes(desk, house),
    ...derivedRoutes(desk, house, { create: (tx, rq, row) => place(house, tx, rq, row) }).filter((one) => one.method !== 'DELETE'),
    route({ method: 'DELETE', path: `${noun.path}/{id}`, name: 'local_ips.delete', status: 204, handle: (rq) => derivedDelete(desk, house, rq, (tx, _rq, row) => leave(house, tx, row)) }),
    route({ method: 'GET', path: link.path, name: 'local_ip_associations.list', status: 200, handle: async (rq) => { const { desk: own, scope } = await seen(rq); return listReply(own, house, rq, scope) } }),
    route({ method: 'GET', path, name: 'local_ip_associations.show', status: 200, handle: async (rq) => { const { desk: own, scope } = await seen(rq); return showReply(own, house, rq, rq.params.fixed_port_id!, scope) } }),
    route({ method: 'POST', path: link.path, name: 'local_ip_associations.create', status: 201, handle: (rq) => associate(house, rq, linkDesk) }),
    route({
      method: 'DELETE',
      path,
      name: 'local_ip_associations.delete',
      status: 204,
      handle: async (rq) => {
        await house.db.transaction(async (tx) => {
          const parent = await parentRow(below, house, tx, rq)
          await rowToChange(tx, { desk: linkDesk(parent), house, rq, id: rq.params.fixed_port_id!, rules: [`delete_${link.policy!}`], scope: [equals('local_ip_id', [parent.id as string])] })
          await store.localIpLinks.drop(tx, { local_ip_id: parent.id as string, fixed_port_id: rq.params.fixed_port_id! })
        })
        return {}
      },
    }),
  ]
}

async function associate(house: Neutron, rq: Rq, linkDesk: (parent: Row) => Desk): Promise<Reply> {
  const item = createWish(link, rq, { bulk: false }).items[0]!
  const { row, parent } = await house.db.transaction(async (tx) => {
    const above = await parentRow(below, house, tx, rq)
    demandCreate(link, rq, item, parentTarget(above))
    const port = (await rowFor(portDesk, house, tx, rq, item.values.fixed_port_id as string)) as unknown as PortRow
    const addresses = (JSON.parse(port.fixed_ips) as FixedIp[]).map((one) => one.ip_address)
    const asked = item.values.fixed_ip as string | null | undefined
    if (!asked && addresses.length > 1) throw invalid(`Port ${port.id} has several addresses: fixed_ip must be given.`, { code: 'LocalIPAssociationNoRequestedIP' })
    const fixed_ip = asked ?? addresses[0]
    if (fixed_ip === undefined || !addresses.includes(fixed_ip)) throw notFound(`Port ${port.id} has no address ${String(asked)}.`, { code: 'LocalIPRequestedIPNotFound' })
    const same = await store.localIpLinks.one(tx, { local_ip_id: above.id as string, fixed_port_id: port.id }, ['fixed_port_id'])
    if (same) throw conflict(`Port ${port.id} is associated with Local IP ${String(above.id)} already.`, { code: 'LocalIPAssociationAlreadyExists' })
    const made = { local_ip_id: above.id as string, fixed_port_id: port.id, fixed_ip, local_ip_address: above.local_ip_address as string, host: port['binding:host_id'], project_id: above.project_id as string }
    await insertRow(tx as never, link.table, made)
    return { row: made, parent: above }
  })
  return rowReply(linkDesk(parent), house, rq, row)
}
