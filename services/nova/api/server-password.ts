/** The password that the guest put up for its owner, encrypted with the owner's key. */
import { route, type Route } from '#stack/route.ts'
import type { Nova } from '../house.ts'
import { patchServer } from '../store/servers.ts'
import type { ServerPrivate } from '../store/tables.ts'
import { authorizedServer } from './server-steps.ts'

export function serverPasswordRoutes(nova: Nova): Route[] {
  const path = '/v2.1/servers/{server_id}/os-server-password'
  return [
    route({
      method: 'GET', path, name: 'server-password.show', status: 200,
      async handle(rq) {
        const server = await authorizedServer(nova, rq, 'os-server-password:show')
        return { json: { password: (JSON.parse(server.private) as ServerPrivate).password ?? '' } }
      },
    }),
    route({
      method: 'DELETE', path, name: 'server-password.clear', status: 204,
      async handle(rq) {
        const server = await authorizedServer(nova, rq, 'os-server-password:clear')
        const { password: _password, ...own } = JSON.parse(server.private) as ServerPrivate
        await patchServer(nova.db, server.id, { private: JSON.stringify(own) })
        return {}
      },
    }),
  ]
}
