/** `/v2.0/networks` */
import type { PolicyTarget, Route } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { boolFromString } from '#stack/resource/field.ts'
import { network as noun } from '#neutron/core/nouns/network.ts'
import { createNetwork, deleteNetwork, updateNetwork } from '#neutron/flows/networks.ts'
import { useQosPolicy } from '#neutron/flows/qos.ts'
import type { Neutron } from '#neutron/house.ts'
import { spend } from '#neutron/store/quotas.ts'
import { rowsIn } from '#neutron/store/rows.ts'
import { segmentsOf } from '#neutron/store/segments.ts'
import type { NetworkRow, Row } from '#neutron/store/tables.ts'
import { anyOf, not, owned, sharedVia, sharedWith } from '#neutron/store/where.ts'
import { actorOf } from './actor.ts'
import { type Desk, readRoutes, rowReply, shownRows, textReply } from './desk.ts'
import { isShared } from './lens.ts'
import { createWish, demandCreate, rowToChange, rulesOf, updateWish } from './writing.ts'

export const networkTarget =
  (project: string | undefined) =>
  (row: Row): PolicyTarget => ({ project_id: row.project_id, tenant_id: row.project_id, shared: isShared(row, project), 'router:external': row['router:external'] === 1 })

export const networkDesk: Desk = {
  noun,
  visible: (actor) => (actor.sees_all ? undefined : anyOf(owned(actor.project), sharedWith('network', actor.project))),
  targets: async (_house, _db, _rows, actor) => networkTarget(actor.project),
  filters: {
    shared: (values, rq) => {
      const via = sharedVia('network', actorOf(rq).project, 'access_as_shared')
      return boolFromString(values.at(-1)!) === false ? not(via) : via
    },
  },
  async compute(_house, db, rows, actor, wanted) {
    const needsSubnets = wanted('subnets') || wanted('ipv4_address_scope') || wanted('ipv6_address_scope')
    const subnets = needsSubnets ? await rowsIn(db as never, 'neutron_subnets', 'network_id', rows.map((row) => row.id as string), ['id', 'network_id', 'ip_version', 'subnetpool_id']) : []
    const scopes = new Map((await rowsIn(db as never, 'neutron_subnetpools', 'id', [...new Set(subnets.flatMap((one) => (one.subnetpool_id as string | null) ?? []))], ['id', 'address_scope_id'])).map((pool) => [pool.id, pool.address_scope_id]))
    const byNetwork = Map.groupBy(subnets, (one) => one.network_id)
    const multiple = rows.filter((row) => row['provider:network_type'] === '').map((row) => row.id as string)
    const segments = Map.groupBy(await segmentsOf(db, multiple), (one) => one.network_id)
    return (row) => {
      const own = byNetwork.get(row.id) ?? []
      const scope = (version: number): unknown => own.flatMap((one) => (one.ip_version === version && one.subnetpool_id ? (scopes.get(one.subnetpool_id) ?? []) : []))[0] ?? null
      const parts = segments.get(row.id as string)
      return {
        subnets: own.map((one) => one.id),
        shared: isShared(row, actor.project),
        ipv4_address_scope: own.length > 0 ? scope(4) : null,
        ipv6_address_scope: own.length > 0 ? scope(6) : null,
        ...(parts
          ? { 'provider:network_type': undefined, 'provider:physical_network': undefined, 'provider:segmentation_id': undefined, segments: parts.map((one) => ({ 'provider:network_type': one.network_type, 'provider:physical_network': one.physical_network, 'provider:segmentation_id': one.segmentation_id })) }
          : { segments: undefined }),
      }
    }
  },
}

export function networkRoutes(house: Neutron): Route[] {
  return [
    ...readRoutes(networkDesk, house),
    route({
      method: 'POST',
      path: noun.path,
      name: 'networks.create',
      status: 201,
      handle: async (rq) => {
        const wish = createWish(noun, rq)
        for (const item of wish.items) demandCreate(noun, rq, item)
        const rows = await house.db.transaction(async (tx) => {
          const made: NetworkRow[] = []
          for (const [project, items] of Map.groupBy(wish.items, (item) => item.values.project_id as string)) await spend(tx, project, { network: items.length }, house.quotas)
          for (const { values } of wish.items) {
            if (values.qos_policy_id) await useQosPolicy(tx, values.qos_policy_id as string, actorOf(rq))
            made.push(await createNetwork(house, tx, values))
          }
          return made
        })
        if (!wish.bulk) return rowReply(networkDesk, house, rq, rows[0] as never)
        return textReply(`{"networks":[${(await shownRows(networkDesk, house, house.db, rows as never, actorOf(rq))).join(',')}]}`)
      },
    }),
    route({
      method: 'PUT',
      path: `${noun.path}/{id}`,
      name: 'networks.update',
      status: 200,
      handle: async (rq) => {
        const given = updateWish(noun, rq)
        const row = await house.db.transaction(async (tx) => {
          const before = (await rowToChange(tx, { desk: networkDesk, house, rq, id: rq.params.id!, rules: rulesOf(noun, 'update', given), values: given.values })) as unknown as NetworkRow
          if (given.values.qos_policy_id) await useQosPolicy(tx, given.values.qos_policy_id as string, actorOf(rq))
          return updateNetwork(house, tx, before, given.values)
        })
        return rowReply(networkDesk, house, rq, row as never)
      },
    }),
    route({
      method: 'DELETE',
      path: `${noun.path}/{id}`,
      name: 'networks.delete',
      status: 204,
      handle: async (rq) => {
        await house.db.transaction(async (tx) => {
          const row = (await rowToChange(tx, { desk: networkDesk, house, rq, id: rq.params.id!, rules: ['delete_network'] })) as unknown as NetworkRow
          await deleteNetwork(house, tx, row)
        })
        return {}
      },
    }),
  ]
}
