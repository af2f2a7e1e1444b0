/** Operations of times gone by: Nova keeps their places and says 410, so that a client knows it is not its own mistake. */
import { gone } from '#base/fault.ts'
import { route, type Route } from '#stack/route.ts'

type Method = Route['method']

/** Path below `/v2.1`, and its methods; `action`: names of actions. */
const REMOVED: readonly { path: string; methods?: readonly Method[]; actions?: readonly string[] }[] = [
  { path: '/os-agents', methods: ['GET', 'POST'] },
  { path: '/os-agents/{agent_build_id}', methods: ['PUT', 'DELETE'] },
  { path: '/os-cells', methods: ['GET', 'POST'] },
  { path: '/os-cells/capacities', methods: ['GET'] },
  { path: '/os-cells/detail', methods: ['GET'] },
  { path: '/os-cells/info', methods: ['GET'] },
  { path: '/os-cells/sync_instances', methods: ['POST'] },
  { path: '/os-cells/{cell_id}', methods: ['GET', 'PUT', 'DELETE'] },
  { path: '/os-cells/{cell_id}/capacities', methods: ['GET'] },
  { path: '/os-certificates', methods: ['POST'] },
  { path: '/os-certificates/{id}', methods: ['GET'] },
  { path: '/os-cloudpipe', methods: ['GET', 'POST'] },
  { path: '/os-cloudpipe/{id}', methods: ['PUT'] },
  { path: '/os-fixed-ips/{fixed_ip}', methods: ['GET'] },
  { path: '/os-fixed-ips/{fixed_ip}/action', actions: ['reserve', 'unreserve'] },
  { path: '/os-floating-ip-dns', methods: ['GET'] },
  { path: '/os-floating-ip-dns/{domain}', methods: ['PUT', 'DELETE'] },
  { path: '/os-floating-ip-dns/{domain}/entries/{name}', methods: ['GET', 'PUT', 'DELETE'] },
  { path: '/os-floating-ips-bulk', methods: ['GET', 'POST'] },
  { path: '/os-floating-ips-bulk/{host_name}', methods: ['GET', 'PUT'] },
  { path: '/os-fping', methods: ['GET'] },
  { path: '/os-fping/{instance_id}', methods: ['GET'] },
  { path: '/os-networks', methods: ['POST'] },
  { path: '/os-networks/add', methods: ['POST'] },
  { path: '/os-networks/{network_id}', methods: ['DELETE'] },
  { path: '/os-networks/{network_id}/action', actions: ['associate_host', 'disassociate', 'disassociate_host', 'disassociate_project'] },
  { path: '/os-security-group-default-rules', methods: ['GET', 'POST'] },
  { path: '/os-security-group-default-rules/{security_group_default_rule_id}', methods: ['GET', 'DELETE'] },
  { path: '/os-tenant-networks', methods: ['POST'] },
  { path: '/servers/{server_id}/consoles', methods: ['GET', 'POST'] },
  { path: '/servers/{server_id}/consoles/{console_id}', methods: ['GET', 'DELETE'] },
  { path: '/servers/{server_id}/os-virtual-interfaces', methods: ['GET'] },
  { path: '/os-tenant-networks/{network_id}', methods: ['DELETE'] },
]

export function removedRoutes(): Route[] {
  const handle = (): never => {
    throw gone('This resource is no longer available. No forwarding address is given.')
  }
  return REMOVED.flatMap(({ path, methods = [], actions = [] }) => [
    ...methods.map((method) => route({ method, path: `/v2.1${path}`, name: `removed.${path.split('/')[1]}`, status: 410, bodyKind: 'none', handle })),
    ...actions.map((action) => route({ method: 'POST', path: `/v2.1${path}`, action, name: `removed.${path.split('/')[1]}`, status: 410, handle })),
  ])
}
