/** `/v2.0/auto-allocated-topology`: a network, subnets and a router for a project that wants to think of none. */
import { conflict, notFound } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { givenForCreate } from '#neutron/core/body.ts'
import { network as networkNoun } from '#neutron/core/nouns/network.ts'
import { subnet as subnetNoun } from '#neutron/core/nouns/subnet.ts'
import { deleteNetwork, createNetwork } from '#neutron/flows/networks.ts'
import { attachSubnet, detach, dropPort, setGateway } from '#neutron/flows/router-ports.ts'
import { createSubnet } from '#neutron/flows/subnets.ts'
import { born } from '#neutron/flows/standard.ts'
import { subnetsOf } from '#neutron/flows/addresses.ts'
import type { Neutron } from '#neutron/house.ts'
import { spend } from '#neutron/store/quotas.ts'
import { insertRow } from '#neutron/store/rows.ts'
import { portsOfRouter, routerRow } from '#neutron/store/routers.ts'
import type { NetworkRow, RouterRow, SubnetpoolRow, T } from '#neutron/store/tables.ts'
import { actorOf, hidden } from './actor.ts'
import { store } from '#neutron/store/store.ts'

const PATH = '/v2.0/auto-allocated-topology/{project_id}'

export function topologyRoutes(house: Neutron): Route[] {
  /** `None` and `null` in the path stand for the caller's own project. */
  const projectOf = (rq: Rq, rule: string): string => {
    const asked = rq.params.project_id!
    const project = ['none', 'null'].includes(asked.toLowerCase()) ? (rq.context.project_id ?? '') : asked
    const actor = actorOf(rq)
    if (project !== actor.project && !actor.admin) throw hidden()
    actor.demand([rule], { project_id: project, tenant_id: project })
    return project
  }
  return [
    route({ method: 'GET', path: PATH, name: 'auto_allocated_topology.get', status: 200, handle: (rq) => get(house, rq, projectOf(rq, 'get_auto_allocated_topology')) }),
    route({ method: 'DELETE', path: PATH, name: 'auto_allocated_topology.delete', status: 204, handle: (rq) => remove(house, projectOf(rq, 'delete_auto_allocated_topology')) }),
  ]
}

async function get(house: Neutron, rq: Rq, project: string): Promise<Reply> {
  const shown = (id: string): Reply => ({ json: { auto_allocated_topology: { id, tenant_id: project, project_id: project } } })
  const dry = rq.query.getAll('fields').includes('dry-run')
  return house.db.transaction(async (tx) => {
    const there = await store.topologies.one(tx, { project_id: project })
    if (there && !dry) return shown(there.network_id)
    const { outside, pools } = await requirements(tx)
    if (dry) return shown('dry-run=pass')
    return shown(await make(house, tx, project, outside, pools))
  })
}

async function requirements(tx: T): Promise<{ outside: NetworkRow; pools: SubnetpoolRow[] }> {
  const outside = await store.networks.one(tx, { 'router:external': 1, is_default: 1 })
  if (!outside) throw notFound('Deployment error: No default router:external network.', { code: 'AutoAllocationFailure' })
  const pools = await store.subnetpools.all(tx, { is_default: 1 })
  if (pools.length === 0) throw notFound('Deployment error: No default pools available.', { code: 'AutoAllocationFailure' })
  return { outside, pools }
}

/** All of it in one transaction: there is the whole topology, or nothing. */
async function make(house: Neutron, tx: T, project: string, outside: NetworkRow, pools: readonly SubnetpoolRow[]): Promise<string> {
  await spend(tx, project, { network: 1, subnet: pools.length, router: 1 }, house.quotas)
  const network = await createNetwork(house, tx, givenForCreate(networkNoun, { name: 'auto_allocated_network', project_id: project }).values)
  const router = {
    id: house.world.random.uuid(), project_id: project, name: 'auto_allocated_router', admin_state_up: 1, status: 'ACTIVE', external_gateway_info: 'null', routes: '[]', distributed: 0, ha: 0,
    flavor_id: null, availability_zone_hints: '[]', availability_zones: '[]', enable_ndp_proxy: 0, gw_port_id: null, tags: '[]', description: '', ...born(house),
  } satisfies RouterRow
  await insertRow(tx as never, 'neutron_routers', router)
  await setGateway(house, tx, router, { network_id: outside.id }, outside)
  for (const pool of pools) {
    const subnet = await createSubnet(house, tx, givenForCreate(subnetNoun, { name: `auto_allocated_subnet_v${pool.ip_version}`, project_id: project, network_id: network.id, ip_version: pool.ip_version, subnetpool_id: pool.id }).values, network, true)
    await attachSubnet(house, tx, router, subnet, network)
  }
  await store.topologies.add(tx, { project_id: project, network_id: network.id, router_id: router.id })
  house.notices.changed(tx, { routers: [router.id] })
  return network.id
}

async function remove(house: Neutron, project: string): Promise<Reply> {
  await house.db.transaction(async (tx) => {
    const there = await store.topologies.one(tx, { project_id: project })
    if (!there) throw notFound(`Unable to find auto allocated topology for project ${project}.`, { code: 'AutoAllocatedTopologyNotFound' })
    const network = await store.networks.one(tx, { id: there.network_id })
    const router = await routerRow(tx, there.router_id)
    if (router) {
      for (const subnet of await subnetsOf(tx, there.network_id)) {
        await detach(house, tx, router, { subnet_id: subnet.id }).catch((thrown: unknown) => {
          throw conflict((thrown as Error).message, { code: 'AutoAllocationFailure' })
        })
      }
      for (const port of await portsOfRouter(tx, router.id)) await dropPort(house, tx, port)
      await store.l3Routers.drop(tx, { router_id: router.id })
      await store.routers.drop(tx, { id: router.id })
      house.notices.changed(tx, { routers: [router.id] })
    }
    await store.topologies.drop(tx, { project_id: project })
    if (network) await deleteNetwork(house, tx, network)
  })
  return {}
}
