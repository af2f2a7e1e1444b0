/** Routers and floating IPs on the wire, and the calls about them. */
import { operation } from '#stack/contract.ts'
import type { HostRoute, ListQuery, Standard } from './network.ts'

export interface ExternalGateway {
  network_id: string
  enable_snat: boolean
  external_fixed_ips: { subnet_id: string; ip_address: string }[]
  qos_policy_id?: string | null
}

export interface Router extends Standard {
  id: string
  name: string
  tenant_id: string
  project_id: string
  admin_state_up: boolean
  status: 'ACTIVE' | 'ALLOCATING' | 'ERROR'
  external_gateway_info: ExternalGateway | null
  routes: HostRoute[]
  availability_zone_hints: string[]
  availability_zones: string[]
  flavor_id: string | null
  distributed?: boolean
  ha?: boolean
  tags: string[]
}

export interface RouterInterface {
  id: string
  tenant_id: string
  project_id: string
  network_id: string
  port_id: string
  subnet_id: string
  subnet_ids: string[]
  tags?: string[]
}

export interface FloatingIp extends Standard {
  id: string
  tenant_id: string
  project_id: string
  floating_network_id: string
  floating_ip_address: string
  fixed_ip_address: string | null
  port_id: string | null
  router_id: string | null
  status: 'ACTIVE' | 'DOWN' | 'ERROR'
  qos_policy_id: string | null
  dns_name: string
  dns_domain: string
  port_details: { name: string; network_id: string; mac_address: string; admin_state_up: boolean; status: string; device_id: string; device_owner: string } | null
  port_forwardings: unknown[]
  tags: string[]
}

interface One {
  params: { id: string }
}

interface Many {
  query?: ListQuery
}

export const listRouters = operation<Many, { routers: Router[] }>('GET', '/v2.0/routers')
export const showRouter = operation<One, { router: Router }>('GET', '/v2.0/routers/{id}')
export const createRouter = operation<{ body: { router: Record<string, unknown> } }, { router: Router }>('POST', '/v2.0/routers')
export const updateRouter = operation<One & { body: { router: Record<string, unknown> } }, { router: Router }>('PUT', '/v2.0/routers/{id}')
export const deleteRouter = operation<One>('DELETE', '/v2.0/routers/{id}')
export const addRouterInterface = operation<One & { body: { subnet_id: string } | { port_id: string } }, RouterInterface>('PUT', '/v2.0/routers/{id}/add_router_interface')
export const removeRouterInterface = operation<One & { body: { subnet_id?: string; port_id?: string } }, RouterInterface>('PUT', '/v2.0/routers/{id}/remove_router_interface')

export const listFloatingIps = operation<Many, { floatingips: FloatingIp[] }>('GET', '/v2.0/floatingips')
export const showFloatingIp = operation<One, { floatingip: FloatingIp }>('GET', '/v2.0/floatingips/{id}')
export const createFloatingIp = operation<{ body: { floatingip: Record<string, unknown> } }, { floatingip: FloatingIp }>('POST', '/v2.0/floatingips')
export const updateFloatingIp = operation<One & { body: { floatingip: { port_id: string | null; fixed_ip_address?: string; description?: string } } }, { floatingip: FloatingIp }>('PUT', '/v2.0/floatingips/{id}')
export const deleteFloatingIp = operation<One>('DELETE', '/v2.0/floatingips/{id}')
