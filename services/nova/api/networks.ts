/** `os-networks` and `os-tenant-networks`, until 2.35: Neutron's networks as the old network service showed its own. */
import { listNetworks, showNetwork } from '#neutron/contract/network.ts'
import { route, type Route, type Rq } from '#stack/route.ts'
import type { Nova } from '../house.ts'
import { proxied, PROXIES_END } from './proxy-steps.ts'
import { callerOf } from './server-create.ts'

const FIELDS = ['cidr', 'netmask', 'gateway', 'broadcast', 'dns1', 'dns2', 'cidr_v6', 'gateway_v6', 'netmask_v6']
const ADMIN_FIELDS = [
  'created_at', 'updated_at', 'deleted_at', 'deleted', 'injected', 'bridge', 'vlan', 'vpn_public_address', 'vpn_public_port', 'vpn_private_address', 'dhcp_start', 'project_id', 'host', 'bridge_interface',
  'multi_host', 'priority', 'rxtx_base', 'mtu', 'dhcp_server', 'enable_dhcp', 'share_address',
]

export function networkRoutes(nova: Nova): Route[] {
  const until = PROXIES_END
  const all = async (rq: Rq<unknown>) => (await nova.client.call(callerOf(rq), 'neutron', listNetworks, {})).networks
  const one = async (rq: Rq<unknown>) => (await proxied(nova.client.call(callerOf(rq), 'neutron', showNetwork, { params: { id: rq.params.network_id! } }), 'Network not found')).network
  const p = (verb: string): string => `os_compute_api:${verb}`
  return [
    route({ method: 'GET', path: '/v2.1/os-networks', name: 'networks.index', until, policy: p('os-networks:list'), status: 200, handle: async (rq) => ({ json: { networks: (await all(rq)).map((network) => networkView(rq, network)) } }) }),
    route({ method: 'GET', path: '/v2.1/os-networks/{network_id}', name: 'networks.show', until, policy: p('os-networks:show'), status: 200, handle: async (rq) => ({ json: { network: networkView(rq, await one(rq)) } }) }),
    route({ method: 'GET', path: '/v2.1/os-tenant-networks', name: 'tenant-networks.index', until, policy: p('os-tenant-networks:list'), status: 200, handle: async (rq) => ({ json: { networks: (await all(rq)).map(tenantView) } }) }),
    route({ method: 'GET', path: '/v2.1/os-tenant-networks/{network_id}', name: 'tenant-networks.show', until, policy: p('os-tenant-networks:show'), status: 200, handle: async (rq) => ({ json: { network: tenantView(await one(rq)) } }) }),
  ]
}

/** What Neutron calls by the same name is shown; the rest was the old service's and is null. */
function networkView(rq: Rq<unknown>, network: { id: string; name: string }): Record<string, unknown> {
  const known = network as unknown as Record<string, unknown>
  const fields = rq.allows('context_is_admin') ? [...FIELDS, ...ADMIN_FIELDS] : FIELDS
  return { id: network.id, label: network.name, ...Object.fromEntries(fields.map((field) => [field, known[field] ?? null])) }
}

/** A network has no one range of addresses any more; Nova writes it so. */
const tenantView = (network: { id: string; name: string }) => ({ id: network.id, label: network.name, cidr: 'None' })
