/** `/v2.0/subnets` */
import type { PolicyTarget, Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { boolFromString } from '#stack/resource/field.ts'
import { subnet as noun } from '#neutron/core/nouns/subnet.ts'
import { createSubnet, deleteSubnet, updateSubnet } from '#neutron/flows/subnets.ts'
import type { Neutron } from '#neutron/house.ts'
import { spend } from '#neutron/store/quotas.ts'
import { rowOf, rowsIn, type Where } from '#neutron/store/rows.ts'
import type { NetworkRow, Q, Row, SubnetRow } from '#neutron/store/tables.ts'
import { anyOf, not, owned, parentIn, sharedVia, sharedWith } from '#neutron/store/where.ts'
import { type Actor, actorOf, missing } from './actor.ts'
import { type Desk, readRoutes, rowReply, shownRows, textReply } from './desk.ts'
import { isShared } from './lens.ts'
import { createWish, demandCreate, rowToChange, rulesOf, updateWish } from './writing.ts'
import { network as networkNoun } from '#neutron/core/nouns/network.ts'

/** Networks that the caller may look at. */
export const visibleNetworks = (actor: Actor): Where | undefined => (actor.sees_all ? undefined : anyOf(owned(actor.project), sharedWith('network', actor.project)))

/** What a rule may ask of a network that something hangs on. */
export function networkFacts(network: Pick<NetworkRow, 'project_id' | 'shared_with' | 'router:external'> | Row | undefined, project: string | undefined): PolicyTarget {
  if (!network) return {}
  return { 'network:project_id': network.project_id, 'network:tenant_id': network.project_id, 'network:shared': isShared(network as Row, project), shared: isShared(network as Row, project), 'router:external': network['router:external'] === 1 }
}

/** The networks of rows, for judging them. */
export async function networkTargets(db: Q, rows: readonly Row[], actor: Actor): Promise<(row: Row) => PolicyTarget> {
  const ids = [...new Set(rows.map((row) => row.network_id as string))]
  const networks = new Map((await rowsIn(db as never, 'neutron_networks', 'id', ids, ['id', 'project_id', 'shared_with', 'router:external'])).map((one) => [one.id, networkFacts(one, actor.project)]))
  return (row) => ({ project_id: row.project_id, tenant_id: row.project_id, ...networks.get(row.network_id) })
}

/** A network that the caller may see, or 404. */
export async function networkSeen(db: Q, actor: Actor, id: string): Promise<NetworkRow> {
  const visible = visibleNetworks(actor)
  const row = await rowOf(db as never, 'neutron_networks', id, visible ? [visible] : [])
  if (!row) throw missing(networkNoun, id)
  return row as unknown as NetworkRow
}

/** Subnets of an external network are its owner's alone: a floating IP or a gateway names the network. */
export const subnetDesk: Desk = {
  noun,
  visible: (actor) => (actor.sees_all ? undefined : anyOf(owned(actor.project), parentIn('network_id', 'neutron_networks', [anyOf(owned(actor.project), sharedVia('network', actor.project, 'access_as_shared'))]))),
  targets: (_house, db, rows, actor) => networkTargets(db, rows, actor),
  filters: {
    shared: (values, rq) => {
      const via = parentIn('network_id', 'neutron_networks', [sharedVia('network', actorOf(rq).project, 'access_as_shared')])
      return boolFromString(values.at(-1)!) === false ? not(via) : via
    },
  },
}

export function subnetRoutes(house: Neutron): Route[] {
  return [
    ...readRoutes(subnetDesk, house),
    route({ method: 'POST', path: noun.path, name: 'subnets.create', status: 201, handle: (rq) => create(house, rq) }),
    route({
      method: 'PUT',
      path: `${noun.path}/{id}`,
      name: 'subnets.update',
      status: 200,
      handle: async (rq) => {
        const given = updateWish(noun, rq)
        const row = await house.db.transaction(async (tx) => {
          const before = (await rowToChange(tx, { desk: subnetDesk, house, rq, id: rq.params.id!, rules: rulesOf(noun, 'update', given), values: given.values })) as unknown as SubnetRow
          return updateSubnet(house, tx, before, given.values)
        })
        return rowReply(subnetDesk, house, rq, row as never)
      },
    }),
    route({
      method: 'DELETE',
      path: `${noun.path}/{id}`,
      name: 'subnets.delete',
      status: 204,
      handle: async (rq) => {
        await house.db.transaction(async (tx) => {
          const row = await rowToChange(tx, { desk: subnetDesk, house, rq, id: rq.params.id!, rules: ['delete_subnet'] })
          await deleteSubnet(house, tx, row as unknown as SubnetRow)
        })
        return {}
      },
    }),
  ]
}

async function create(house: Neutron, rq: Rq): Promise<Reply> {
  const wish = createWish(noun, rq)
  const actor = actorOf(rq)
  const rows = await house.db.transaction(async (tx) => {
    const made: SubnetRow[] = []
    for (const [project, items] of Map.groupBy(wish.items, (item) => item.values.project_id as string)) await spend(tx, project, { subnet: items.length }, house.quotas)
    for (const item of wish.items) {
      const network = await networkSeen(tx, actor, item.values.network_id as string)
      demandCreate(noun, rq, item, networkFacts(network, actor.project))
      made.push(await createSubnet(house, tx, item.values, network, actor.admin))
    }
    return made
  })
  if (!wish.bulk) return rowReply(subnetDesk, house, rq, rows[0] as never)
  return textReply(`{"subnets":[${(await shownRows(subnetDesk, house, house.db, rows as never, actor)).join(',')}]}`)
}
