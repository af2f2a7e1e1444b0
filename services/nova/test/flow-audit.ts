/** What must hold for a server when nothing is under way any more, across all houses: everything that is held is held once and by right. */
import type { FlowTables } from '#base/flow/journal.ts'
import type { AllocationRow } from '#placement/store/tables.ts'
import type { ActionEvent, NicInfo, NovaTables, ServerPrivate } from '../store/tables.ts'
import type { NovaKit } from './kit.ts'

type Tables = NovaTables & FlowTables & { placement_allocations: AllocationRow }

const sorted = (names: readonly string[]): string => [...new Set(names)].toSorted().join(', ')

/** Sentences, none when all is well. */
export async function auditServer(k: NovaKit, id: string): Promise<string[]> {
  const found: string[] = []
  const db = k.kit.db.as<Tables>()
  const server = await db.query.selectFrom('nova_servers').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  const moves = await db.query.selectFrom('nova_migrations').selectAll().where('server_id', '=', id).execute()
  const devices = (await db.query.selectFrom('nova_block_devices').selectAll().where('server_id', '=', id).execute()).filter((row) => row.destination_type === 'volume')
  const own = JSON.parse(server.private) as ServerPrivate
  const gone = server.deleted === 1
  // Of a server in ERROR something may be missing, whatever its deletion or the next try takes away or brings; too much there may not be.
  const broken = server.vm_state === 'error'
  const open = server.vm_state === 'resized' || broken ? moves.find((move) => ['finished', 'confirming', 'reverting'].includes(move.status)) : undefined
  // Between its two sides, until it is asked for again.
  const loose = broken || (open !== undefined && open.status !== 'finished')
  const same = (what: string, is: readonly string[], should: readonly string[]): void => {
    if (loose ? is.some((one) => !should.includes(one)) : sorted(is) !== sorted(should)) found.push(`${what}: ${sorted(is) || 'none'}, and should be ${sorted(should) || 'none'}`)
  }

  const live = await db.query.selectFrom('flows').select('name').where('state', 'in', ['queued', 'running', 'unwinding']).execute()
  same('operations under way', live.map(({ name }) => name), [])
  if (server.task_state !== null) found.push(`the task ${server.task_state} is left`)
  for (const row of await db.query.selectFrom('nova_actions').select(['action', 'events']).where('server_id', '=', id).execute()) {
    for (const event of JSON.parse(row.events) as ActionEvent[]) if (event.finish === null) found.push(`the event ${event.event} of ${row.action} has no end`)
  }
  for (const move of moves) if (/^(queued|accepted|preparing|running|post-migrating|pre-migrating|migrating)$/.test(move.status)) found.push(`a ${move.migration_type} is still ${move.status}`)

  const at = gone || server.host_id === null ? [] : [server.host_id]
  const guests = k.hosts.filter((host) => host.guests.has(id))
  same('guests', guests.map((host) => host.host_id), open ? [...at, open.source_host_id] : at)

  const claims = await db.query.selectFrom('placement_allocations').select(['consumer_uuid', 'resource_provider_uuid']).execute()
  same('claims of the server', claims.filter((one) => one.consumer_uuid === id).map((one) => one.resource_provider_uuid), open && loose ? [...at, open.source_host_id] : at)
  const others = new Set((await db.query.selectFrom('nova_servers').select('id').where('deleted', '=', 0).execute()).map((one) => one.id))
  same('claims of moves', claims.filter((one) => one.consumer_uuid !== id && !others.has(one.consumer_uuid)).map((one) => one.resource_provider_uuid), open ? [open.source_host_id] : [])

  const nics = gone ? [] : (JSON.parse(server.network_info) as NicInfo[]).map((nic) => nic.port_id)
  const ports = [...k.neutron.ports.values()].filter((port) => port.device_id === id)
  same('ports', ports.map((port) => port.id), nics)
  same('hosts of ports', ports.map((port) => String(port['binding:host_id'] || '-')), ports.length === 0 ? [] : [gone ? '-' : (server.host ?? '-'), ...(open && loose ? [open.source_compute] : [])])
  same('bindings beside the active ones', [...k.neutron.inactive.values()].flatMap((hosts) => [...hosts]), [])

  const held = [...k.cinder.attachments.values()].filter((one) => one.instance === id)
  // A server that could not be built names its volumes until it is deleted, and holds none.
  const named = devices.filter((device) => device.attachment_id !== null)
  same('attachments', held.map((one) => one.id), [...named.map((device) => device.attachment_id!), ...(gone ? [] : Object.values(own.old_attachments ?? {}))])
  for (const device of named) {
    const attachment = k.cinder.attachments.get(device.attachment_id!)
    const host = gone ? '' : (server.host ?? '')
    if (attachment && attachment.host !== host && !(open && loose)) found.push(`volume ${device.volume_id} is connected to ${String(attachment.host) || 'no host'}, and the server is on ${host || 'none'}`)
    if ((device.connection_info !== null) !== (host !== '')) found.push(`volume ${device.volume_id} ${device.connection_info === null ? 'has no' : 'has a'} connection on record`)
  }
  for (const volume of k.cinder.volumes.values()) {
    const users = [...k.cinder.attachments.values()].filter((one) => one.volume_id === volume.id)
    if (users.length === 0 ? volume.status !== 'available' : volume.status !== 'in-use' && volume.status !== 'reserved') found.push(`volume ${volume.id} is ${String(volume.status)} with ${users.length} attachments`)
    if (server.host_id !== null && users.some((one) => one.host !== '') && volume.status !== 'in-use') found.push(`volume ${volume.id} is connected and ${String(volume.status)}`)
  }

  const guest = k.hosts.find((host) => host.host_id === server.host_id)?.guests.get(id)
  if (guest && !gone) {
    same('cards of the guest', guest.spec.nics.map((nic) => nic.port_id), nics)
    same('volumes of the guest', guest.spec.volumes.map((volume) => volume.volume_id), named.map((device) => device.volume_id!))
    if (guest.incoming) found.push('the guest never arrived')
    if (guest.migrated_away) found.push('the guest is the shell of one that has left')
    if (guest.resize && !open) found.push('the guest keeps the size that it had before a resize')
    if (guest.rescue_image !== undefined && server.vm_state !== 'rescued') found.push(`the guest is in rescue, the server is ${server.vm_state}`)
    if (server.vm_state === 'active' && guest.power_state !== 'running') found.push(`the server is active, its guest ${guest.power_state}`)
    if (['stopped', 'shelved', 'soft-delete'].includes(server.vm_state) && guest.power_state !== 'shutdown') found.push(`the server is ${server.vm_state}, its guest ${guest.power_state}`)
  }
  for (const image of k.glance.images.values()) if (image.status !== 'active') found.push(`the image ${String(image.name)} is ${String(image.status)}`)
  const shelved = !gone ? own.shelved_image_id : undefined
  const images = [...k.glance.images.values()].filter((image) => String(image.name).endsWith('-shelved')).map((image) => image.id)
  same('images of shelved servers', images, shelved === undefined ? [] : [shelved])
  return found
}
