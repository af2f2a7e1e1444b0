/** `/v2.0/trunks` */
import { conflict, invalid, notFound } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { toColumns, takeValue, type Values } from '#neutron/core/body.ts'
import { trunk as noun } from '#neutron/core/nouns/more.ts'
import { updatePort, wishOf } from '#neutron/flows/ports.ts'
import { born, changed } from '#neutron/flows/standard.ts'
import { followParent } from '#neutron/flows/trunks.ts'
import type { Neutron } from '#neutron/house.ts'
import { spend } from '#neutron/store/quotas.ts'
import { changeRow, insertRow, removeRow, rowOf } from '#neutron/store/rows.ts'
import type { PortRow, Row, SubportRow, T, TrunkRow } from '#neutron/store/tables.ts'
import { networkOfPort, subportsOf, trunkOf } from '#neutron/store/trunks.ts'
import { type Desk, readRoutes, rowFor, rowReply, showReply } from './desk.ts'
import { portDesk } from './ports.ts'
import { createWish, demandCreate, rowToChange, rulesOf, updateWish } from './writing.ts'
import { store, there } from '#neutron/store/store.ts'

const shown = (rows: readonly SubportRow[]): object[] => rows.map(({ port_id, segmentation_type, segmentation_id }) => ({ port_id, segmentation_type, segmentation_id }))

export const trunkDesk: Desk = {
  noun,
  async compute(_house, db, rows) {
    const subports = Map.groupBy(await subportsOf(db, rows.map((row) => row.id as string)), (one) => one.trunk_id)
    return (row) => ({ sub_ports: shown(subports.get(row.id as string) ?? []) })
  },
}

interface Sub {
  port_id: string
  segmentation_type?: string
  segmentation_id?: number | null
}

export function trunkRoutes(house: Neutron): Route[] {
  const path = `${noun.path}/{id}`
  return [
    ...readRoutes(trunkDesk, house),
    route({ method: 'POST', path: noun.path, name: 'trunks.create', status: 201, handle: (rq) => create(house, rq) }),
    route({
      method: 'PUT',
      path,
      name: 'trunks.update',
      status: 200,
      handle: async (rq) => {
        const given = updateWish(noun, rq)
        const row = await house.db.transaction(async (tx) => {
          const before = await rowToChange(tx, { desk: trunkDesk, house, rq, id: rq.params.id!, rules: rulesOf(noun, 'update', given), values: given.values })
          const next = { ...before, ...toColumns(noun, given.values), ...changed(house, before) }
          await changeRow(tx as never, noun.table, before.id as string, next)
          return next
        })
        return rowReply(trunkDesk, house, rq, row)
      },
    }),
    route({
      method: 'DELETE',
      path,
      name: 'trunks.delete',
      status: 204,
      handle: async (rq) => {
        await house.db.transaction(async (tx) => {
          const row = (await rowToChange(tx, { desk: trunkDesk, house, rq, id: rq.params.id!, rules: ['delete_trunk'] })) as unknown as TrunkRow
          enabled(row)
          const parent = (await rowOf(tx as never, 'neutron_ports', row.port_id)) as unknown as PortRow | undefined
          if (parent && parent['binding:host_id'] !== '') throw conflict(`Trunk ${row.id} is currently in use.`, { code: 'TrunkInUse' })
          for (const sub of await subportsOf(tx, [row.id])) await release(house, tx, sub.port_id)
          await removeRow(tx as never, noun.table, row.id)
        })
        return {}
      },
    }),
    route({ method: 'PUT', path: `${path}/add_subports`, name: 'trunks.add_subports', status: 200, handle: (rq) => change(house, rq, 'add_subports', (tx, row, subs) => addAll(house, tx, rq, row, subs)) }),
    route({ method: 'PUT', path: `${path}/remove_subports`, name: 'trunks.remove_subports', status: 200, handle: (rq) => change(house, rq, 'remove_subports', (tx, row, subs) => removeAll(house, tx, row, subs)) }),
    route({
      method: 'GET',
      path: `${path}/get_subports`,
      name: 'trunks.get_subports',
      status: 200,
      handle: async (rq) => {
        rq.authorize('get_subports', { project_id: (await rowFor(trunkDesk, house, house.db, rq, rq.params.id!)).project_id })
        return { json: { sub_ports: shown(await subportsOf(house.db, [rq.params.id!])) } }
      },
    }),
  ]
}

function enabled(row: TrunkRow): void {
  if (!row.admin_state_up) throw conflict(`Trunk ${row.id} is currently disabled.`, { code: 'TrunkDisabled' })
}

async function create(house: Neutron, rq: Rq): Promise<Reply> {
  const item = createWish(noun, rq, { bulk: false }).items[0]!
  demandCreate(noun, rq, item)
  const row = await house.db.transaction(async (tx) => {
    await spend(tx, item.values.project_id as string, { trunk: 1 }, house.quotas)
    const parent = (await rowFor(portDesk, house, tx, rq, item.values.port_id as string)) as unknown as PortRow
    const held = await trunkOf(tx, parent.id)
    if (held) throw conflict(`Port ${parent.id} is in use by another trunk.`, { code: 'TrunkPortInUse' })
    const made = { ...toColumns(noun, item.values), id: house.world.random.uuid(), sub_ports: '[]', status: 'DOWN', tags: '[]', ...born(house) } as unknown as TrunkRow
    await insertRow(tx as never, noun.table, made as never)
    await addAll(house, tx, rq, made, (item.values.sub_ports as Sub[] | undefined) ?? [])
    return made
  })
  return rowReply(trunkDesk, house, rq, row as never)
}

/** The verbs take a bare `{"sub_ports": […]}` and answer the bare trunk. */
async function change(house: Neutron, rq: Rq, rule: string, act: (tx: T, row: TrunkRow, subs: Sub[]) => Promise<void>): Promise<Reply> {
  const subs = takeValue('sub_ports', noun.fields.sub_ports!, (rq.body as Values | undefined)?.sub_ports) as Sub[]
  await house.db.transaction(async (tx) => {
    const row = (await rowToChange(tx, { desk: trunkDesk, house, rq, id: rq.params.id!, rules: [rule] })) as unknown as TrunkRow
    enabled(row)
    await act(tx, row, subs)
    await changeRow(tx as never, noun.table, row.id, changed(house, row as never))
  })
  const reply = await showReply(trunkDesk, house, rq, rq.params.id!)
  return { json: (JSON.parse(String(reply.body)) as { trunk: Row }).trunk }
}

async function addAll(house: Neutron, tx: T, rq: Rq, trunk: TrunkRow, subs: readonly Sub[]): Promise<void> {
  const present = await subportsOf(tx, [trunk.id])
  const used = new Set(present.map((one) => `${one.segmentation_type}/${one.segmentation_id}`))
  const parent = there(await networkOfPort(tx, trunk.port_id))
  for (const sub of subs) {
    const [type, number] = await segmentOf(tx, sub)
    const port = (await rowFor(portDesk, house, tx, rq, sub.port_id)) as unknown as PortRow
    if (sub.port_id === trunk.port_id) throw conflict(`Port ${sub.port_id} is in use by the trunk as its parent.`, { code: 'ParentPortInUse' })
    if (await trunkOf(tx, sub.port_id)) throw conflict(`Port ${sub.port_id} is in use by another trunk.`, { code: 'TrunkPortInUse' })
    if (port['binding:host_id'] !== '') throw conflict(`Port ${port.id} is currently in use.`, { code: 'PortInUse' })
    const network = there(await networkOfPort(tx, port.id))
    if (network.mtu > parent.mtu) throw conflict(`MTU ${network.mtu} of subport ${port.id} cannot be greater than trunk's MTU ${parent.mtu}.`, { code: 'SubPortMtuGreaterThanTrunkPortMtu' })
    if (used.has(`${type}/${number}`)) throw conflict(`segmentation_type ${type} and segmentation_id ${number} already in use on trunk ${trunk.id}.`, { code: 'DuplicateSubPort' })
    used.add(`${type}/${number}`)
    await store.subports.add(tx, { port_id: port.id, trunk_id: trunk.id, segmentation_type: type, segmentation_id: number })
    await store.ports.change(tx, { id: port.id }, { device_owner: 'trunk:subport', device_id: trunk.id, revision_number: port.revision_number + 1, updated_at: house.now() })
  }
  const holder = there(await store.ports.one(tx, { id: trunk.port_id }, ['binding:host_id']))
  await followParent(house, tx, trunk.port_id, holder['binding:host_id'])
}

/** `inherit` takes the VLAN of the subport's own network. */
async function segmentOf(tx: T, sub: Sub): Promise<[string, number]> {
  const wrong = (text: string): Error => invalid(`Invalid input for operation: ${text}.`, { code: 'InvalidInput', field: 'sub_ports' })
  if (sub.segmentation_type === 'inherit') {
    const network = await networkOfPort(tx, sub.port_id)
    if (!network || network['provider:network_type'] !== 'vlan') throw wrong(`cannot inherit the segmentation of port ${sub.port_id}: its network has no VLAN`)
    return ['vlan', network['provider:segmentation_id']!]
  }
  if (sub.segmentation_type === undefined || sub.segmentation_id === undefined || sub.segmentation_id === null) throw wrong('segmentation_type and segmentation_id must be specified for a sub-port')
  if (sub.segmentation_type !== 'vlan') throw wrong(`unknown segmentation_type '${sub.segmentation_type}'`)
  return ['vlan', sub.segmentation_id]
}

async function removeAll(house: Neutron, tx: T, trunk: TrunkRow, subs: readonly Sub[]): Promise<void> {
  const present = new Set((await subportsOf(tx, [trunk.id])).map((one) => one.port_id))
  for (const { port_id } of subs) {
    if (!present.has(port_id)) throw notFound(`SubPort on trunk ${trunk.id} with parent port ${port_id} could not be found.`, { code: 'SubPortNotFound' })
    await release(house, tx, port_id)
  }
  const holder = there(await store.ports.one(tx, { id: trunk.port_id }, ['binding:host_id']))
  await followParent(house, tx, trunk.port_id, holder['binding:host_id'])
}

async function release(house: Neutron, tx: T, portId: string): Promise<void> {
  await store.subports.drop(tx, { port_id: portId })
  await store.ports.change(tx, { id: portId }, { device_owner: '', device_id: '' })
  const row = await store.ports.one(tx, { id: portId })
  if (row && row['binding:host_id'] !== '') await updatePort(house, tx, row, wishOf({ 'binding:host_id': '' }))
}
