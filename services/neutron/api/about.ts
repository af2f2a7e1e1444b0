/** What there is: versions, extensions, availability zones, service providers. */
import { notFound } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { EXTENSIONS, offers } from '#neutron/core/extensions.ts'
import { alive } from '#neutron/core/agents.ts'
import type { Neutron } from '#neutron/house.ts'
import { store } from '#neutron/store/store.ts'

/** Names of collections for the list below `/v2.0/`. */
const RESOURCES = ['network', 'subnet', 'subnetpool', 'port', 'router', 'floatingip', 'security-group'] as const

export function aboutRoutes(house: Neutron): Route[] {
  const shown = EXTENSIONS.filter((one) => offers(house.inert).extension(one.alias)).map((one) => ({ alias: one.alias, name: one.name, description: `${one.name}.`, updated: one.updated, links: [] }))
  const byAlias = new Map(shown.map((one) => [one.alias, one]))
  const version = (rq: Rq): object => ({ id: 'v2.0', status: 'CURRENT', links: [{ rel: 'self', href: `${rq.base}/v2.0/` }] })
  return [
    route({ method: 'GET', path: '/', name: 'versions.list', access: 'public', status: 200, handle: (rq) => ({ json: { versions: [version(rq)] } }) }),
    route({
      method: 'GET',
      path: '/v2.0',
      name: 'versions.show',
      access: 'public',
      status: 200,
      handle: (rq) => ({ json: { resources: RESOURCES.map((name) => ({ name: name.replace('-', '_'), collection: `${name.replace('-', '_')}s`, links: [{ rel: 'self', href: `${rq.base}/v2.0/${name}s` }] })) } }),
    }),
    route({ method: 'GET', path: '/v2.0/extensions', name: 'extensions.list', status: 200, handle: () => ({ json: { extensions: shown } }) }),
    route({
      method: 'GET',
      path: '/v2.0/extensions/{alias}',
      name: 'extensions.show',
      status: 200,
      handle: (rq) => {
        const extension = byAlias.get(rq.params.alias!)
        if (!extension) throw notFound(`Extension with alias ${rq.params.alias!} does not exist`, { code: 'HTTPNotFound' })
        return { json: { extension } }
      },
    }),
    route({ method: 'GET', path: '/v2.0/availability_zones', name: 'availability_zones.list', status: 200, policy: 'get_availability_zone', handle: (rq) => zones(house, rq) }),
    route({
      method: 'GET',
      path: '/v2.0/service-providers',
      name: 'service_providers.list',
      status: 200,
      policy: 'get_service_provider',
      handle: () => ({ json: { service_providers: [{ service_type: 'L3_ROUTER_NAT', name: 'single_node', default: true }] } }),
    }),
  ]
}

/** Zones of DHCP agents are for networks, those of L3 agents for routers. */
async function zones(house: Neutron, rq: Rq): Promise<Reply> {
  const agents = await store.agents.all(house.db, { agent_type: ['DHCP agent', 'L3 agent'] }, ['agent_type', 'availability_zone', 'admin_state_up', 'heartbeat_timestamp'])
  const found = new Map<string, { name: string; resource: string; state: string }>()
  for (const agent of agents) {
    const resource = agent.agent_type === 'L3 agent' ? 'router' : 'network'
    const name = agent.availability_zone ?? house.config.availability_zone
    const available = agent.admin_state_up === 1 && alive(agent.heartbeat_timestamp, house.now(), house.config.agent_down_time)
    const key = `${resource}/${name}`
    if (available || !found.has(key)) found.set(key, { name, resource, state: available ? 'available' : 'unavailable' })
  }
  const wanted = (key: 'name' | 'resource' | 'state', value: string): boolean => !rq.query.has(key) || rq.query.getAll(key).includes(value)
  return { json: { availability_zones: [...found.values()].filter((one) => wanted('name', one.name) && wanted('resource', one.resource) && wanted('state', one.state)) } }
}
