/** Addresses of a server by network name. */
import { notFound } from '#base/fault.ts'
import { route, type Route } from '#stack/route.ts'
import type { Nova } from '../house.ts'
import type { NicInfo, ServerRow } from '../store/tables.ts'
import { authorizedServer } from './server-steps.ts'
import { plainAddresses } from './server-addresses-view.ts'

export function serverIpRoutes(nova: Nova): Route[] {
  return [
    route({ method: 'GET', path: '/v2.1/servers/{server_id}/ips', name: 'ips.index', status: 200, handle: async (rq) => ({ json: { addresses: plain(await authorizedServer(nova, rq, 'ips:index')) } }) }),
    route({
      method: 'GET', path: '/v2.1/servers/{server_id}/ips/{network_label}', name: 'ips.show', status: 200,
      async handle(rq) {
        const label = rq.params.network_label!
        const found = plain(await authorizedServer(nova, rq, 'ips:show'))[label]
        if (!found) throw notFound('Instance is not a member of specified network')
        return { json: { [label]: found } }
      },
    }),
  ]
}

const plain = (server: ServerRow): Record<string, { version: number; addr: string }[]> => plainAddresses(JSON.parse(server.network_info) as NicInfo[])
