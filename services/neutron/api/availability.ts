/** `/v2.0/network-ip-availabilities`: how many addresses a network has, and how many are taken. */
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { network as networkNoun } from '#neutron/core/nouns/network.ts'
import { rangesOf } from '#neutron/core/ipam.ts'
import type { Pool } from '#neutron/core/subnet-plan.ts'
import type { Neutron } from '#neutron/house.ts'
import { countsOfSubnets } from '#neutron/store/addresses.ts'
import { rowsIn, rowsWhere } from '#neutron/store/rows.ts'
import type { NetworkRow, SubnetRow } from '#neutron/store/tables.ts'
import { equals } from '#neutron/store/where.ts'
import { actorOf, missing } from './actor.ts'
import { textReply } from './desk.ts'
import { visibleNetworks } from './subnets.ts'

export function availabilityRoutes(house: Neutron): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v2.0/network-ip-availabilities',
      name: 'network_ip_availabilities.list',
      status: 200,
      policy: 'get_network_ip_availability',
      handle: async (rq) => textReply(`{"network_ip_availabilities":[${(await texts(house, rq)).join(',')}]}`),
    }),
    route({
      method: 'GET',
      path: '/v2.0/network-ip-availabilities/{network_id}',
      name: 'network_ip_availabilities.show',
      status: 200,
      policy: 'get_network_ip_availability',
      handle: async (rq): Promise<Reply> => {
        const [text] = await texts(house, rq, rq.params.network_id!)
        if (text === undefined) throw missing(networkNoun, rq.params.network_id!)
        return textReply(`{"network_ip_availability":${text}}`)
      },
    }),
  ]
}

/** Written as text, for a /64 holds more addresses than a JavaScript number counts. */
async function texts(house: Neutron, rq: Rq, only?: string): Promise<string[]> {
  const visible = visibleNetworks(actorOf(rq))
  const networks = (await rowsWhere(house.db as never, 'neutron_networks', [...(only === undefined ? [] : [equals('id', [only])]), ...(visible ? [visible] : [])])) as unknown as NetworkRow[]
  const wanted = (key: string, value: string): boolean => !rq.query.has(key) || rq.query.getAll(key).includes(value)
  const chosen = networks.filter((one) => wanted('network_id', one.id) && wanted('network_name', one.name) && wanted('project_id', one.project_id) && wanted('tenant_id', one.project_id))
  const subnets = ((await rowsIn(house.db as never, 'neutron_subnets', 'network_id', chosen.map((one) => one.id))) as unknown as SubnetRow[]).filter((one) => wanted('ip_version', String(one.ip_version)))
  const counts = await countsOfSubnets(house.db, subnets.map((one) => one.id))
  const byNetwork = Map.groupBy(subnets, (one) => one.network_id)
  return chosen
    .filter((one) => !rq.query.has('ip_version') || byNetwork.has(one.id))
    .map((network) => {
      const parts = (byNetwork.get(network.id) ?? []).map((subnet) => ({ subnet, total: rangesOf(JSON.parse(subnet.allocation_pools) as Pool[]).size, used: counts.get(subnet.id) ?? 0 }))
      const details = parts.map(({ subnet, total, used }) => `{"subnet_id":${JSON.stringify(subnet.id)},"subnet_name":${JSON.stringify(subnet.name)},"cidr":${JSON.stringify(subnet.cidr)},"ip_version":${subnet.ip_version},"total_ips":${total},"used_ips":${used}}`)
      const sum = parts.reduce((all, part) => all + part.total, 0n)
      const used = parts.reduce((all, part) => all + part.used, 0)
      const owner = JSON.stringify(network.project_id)
      return `{"network_id":${JSON.stringify(network.id)},"network_name":${JSON.stringify(network.name)},"tenant_id":${owner},"project_id":${owner},"total_ips":${sum},"used_ips":${used},"subnet_ip_availability":[${details.join(',')}]}`
    })
}
