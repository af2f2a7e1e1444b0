/** shelve, shelveOffload, unshelve. */
import { conflict, invalid } from '#base/fault.ts'
import type { Schema } from '#stack/schema.ts'
import type { Route, Rq } from '#stack/route.ts'
import { byVersion, v } from '#stack/version.ts'
import { assertMay } from '../core/states.ts'
import { isOnVolume } from '../flows/volumes.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf } from '../store/block-devices.ts'
import { patchServer } from '../store/servers.ts'
import type { ServerRow } from '../store/tables.ts'
import { object } from './schemas.ts'
import { actionRoute } from './server-actions.ts'
import { dropped, newImage } from './server-images.ts'
import { beginWork, isAdmin, targetOf } from './server-steps.ts'

const zone: Schema = { type: 'string', minLength: 1, maxLength: 255 }
const unshelveSchema = byVersion<Schema>({
  '2.1': object({ unshelve: {} }, ['unshelve']),
  '2.77': object({ unshelve: { anyOf: [{ type: 'null' }, object({ availability_zone: zone }, ['availability_zone'])] } }, ['unshelve']),
  '2.91': object({ unshelve: { anyOf: [{ type: 'null' }, { ...object({ availability_zone: { anyOf: [zone, { type: 'null' }] }, host: zone }), minProperties: 1 }] } }, ['unshelve']),
})

export function serverShelveRoutes(nova: Nova): Route[] {
  return [
    actionRoute(nova, { key: 'shelve', rule: 'os-shelve:shelve' }, async (rq, server) => {
      assertMay('shelve', server, isAdmin(rq))
      if (server.host_id === null) throw conflict(`Instance ${server.id} is not ready`)
      const onVolume = isOnVolume(await blockDevicesOf(nova.db, server.id))
      const made = onVolume ? undefined : await newImage(nova, rq, server, { name: `${server.name}-shelved` }, { image_type: 'snapshot' })
      await beginWork(nova, rq, server, {
        action: 'shelve', event: 'compute_shelve_instance', legal: 'shelve', lock: 'shelving', flow: nova.flows.shelveServer,
        params: { was: server.vm_state, format: made?.format ?? 'raw', offload: onVolume || nova.config.shelved_offload_time === 0, ...(made ? { image_id: made.image.id } : {}) },
      }).catch((thrown: unknown) => (made ? dropped(nova, made.image.id, thrown) : Promise.reject(thrown)))
    }),
    actionRoute(nova, { key: 'shelveOffload', rule: 'os-shelve:shelve_offload' }, async (rq, server) => {
      await beginWork(nova, rq, server, { action: 'shelveOffload', event: 'compute_shelve_offload_instance', legal: 'shelveOffload', lock: 'shelving_offloading', flow: nova.flows.offloadServer, params: {} })
    }),
    actionRoute<{ availability_zone?: string | null; host?: string } | null>(nova, { key: 'unshelve', rule: 'os-shelve:unshelve', body: unshelveSchema }, (rq, server) => unshelve(nova, rq, server, (rq.version >= v('2.77') && rq.body) || {})),
  ]
}

async function unshelve(nova: Nova, rq: Rq<unknown>, server: ServerRow, wish: { availability_zone?: string | null; host?: string }): Promise<void> {
  assertMay('unshelve', server, isAdmin(rq))
  const offloaded = server.vm_state === 'shelved_offloaded'
  if (wish.host !== undefined) rq.authorize('os_compute_api:os-shelve:unshelve_to_host', targetOf(server))
  if ((wish.availability_zone !== undefined || wish.host !== undefined) && !offloaded) throw conflict(`Specifying an availability zone or host when unshelving is only possible for servers with status SHELVED_OFFLOADED.`)
  const hosts = [...(await nova.hosts.states()).values()]
  if (wish.host !== undefined && !hosts.some((one) => one.host === wish.host)) throw invalid(`Compute host ${wish.host} could not be found.`, { field: 'host' })
  if (typeof wish.availability_zone === 'string' && !hosts.some((one) => one.zone === wish.availability_zone)) throw invalid('The requested availability zone is not available', { field: 'availability_zone' })
  const pinned = wish.availability_zone === undefined ? server.pinned_az : wish.availability_zone
  if (pinned !== server.pinned_az) await patchServer(nova.db, server.id, { pinned_az: pinned })
  await beginWork(nova, rq, server, {
    action: 'unshelve', event: 'compute_unshelve_instance', legal: 'unshelve', lock: 'unshelving', flow: nova.flows.unshelveServer,
    params: { offloaded, ...(pinned === null ? {} : { zone: pinned }), ...(wish.host === undefined ? {} : { requested_host: wish.host }) },
  })
}
