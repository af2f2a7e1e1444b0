/** What no driver of this cloud can do yet: the form is judged and the right asked, then 501 says which part is missing. */
import { notImplemented } from '#base/fault.ts'
import { route, type Route } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import type { Nova } from '../house.ts'
import { envelope, object } from './schemas.ts'
import { authorizedServer } from './server-steps.ts'

const name = { type: 'string', minLength: 1, maxLength: 255 }

export function notHereRoutes(nova: Nova): Route[] {
  const assisted = (): never => {
    throw notImplemented('Snapshots of volumes with the help of the hypervisor are not supported: no volume driver of this cloud needs them.')
  }
  const shares = '/v2.1/servers/{server_id}/shares'
  const share = (method: Route['method'], path: string, verb: string, body?: object): Route =>
    route({
      method, path, name: `server-shares.${verb}`, since: v('2.97'), status: 501, ...(body ? { body } : {}),
      async handle(rq) {
        await authorizedServer(nova, rq, `os-server-shares:${verb}`)
        throw notImplemented('Shares cannot be attached to servers: no compute driver of this cloud can do it. Mount the share in the guest over the network.')
      },
    })
  return [
    route({
      method: 'POST', path: '/v2.1/os-assisted-volume-snapshots', name: 'assisted-volume-snapshots.create', policy: 'os_compute_api:os-assisted-volume-snapshots:create', status: 501,
      body: envelope('snapshot', object({ volume_id: name, create_info: object({ snapshot_id: name, type: { enum: ['qcow2'] }, new_file: name, id: name }, ['snapshot_id', 'type', 'new_file']) }, ['volume_id', 'create_info'])),
      handle: assisted,
    }),
    route({ method: 'DELETE', path: '/v2.1/os-assisted-volume-snapshots/{snapshot_id}', name: 'assisted-volume-snapshots.delete', policy: 'os_compute_api:os-assisted-volume-snapshots:delete', status: 501, handle: assisted }),
    share('GET', shares, 'index'),
    share('POST', shares, 'create', envelope('share', object({ share_id: name, tag: name }, ['share_id']))),
    share('GET', `${shares}/{share_id}`, 'show'),
    share('DELETE', `${shares}/{share_id}`, 'delete'),
  ]
}
