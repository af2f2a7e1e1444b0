/** The NUMA picture of a server, since 2.78. Nothing is pinned here: every guest is one node with all its processors. */
import { route, type Route } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import type { Nova } from '../house.ts'
import type { FlavorSnapshot } from '../store/tables.ts'
import { loadServer, targetOf } from './server-steps.ts'

export function serverTopologyRoutes(nova: Nova): Route[] {
  return [
    route({
      method: 'GET', path: '/v2.1/servers/{server_id}/topology', name: 'topology.index', since: v('2.78'), status: 200,
      async handle(rq) {
        const server = await loadServer(nova, rq)
        rq.authorize('compute:server:topology:index', targetOf(server))
        const flavor = JSON.parse(server.flavor) as FlavorSnapshot
        const host = rq.allows('compute:server:topology:host:index', targetOf(server)) ? { host_node: 0, cpu_pinning: {} } : {}
        return { json: { nodes: [{ memory_mb: flavor.memory_mb, siblings: [], vcpu_set: Array.from({ length: flavor.vcpus }, (_, i) => i), ...host }], pagesize_kb: null } }
      },
    }),
  ]
}
