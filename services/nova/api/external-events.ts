/**
 * What other houses tell of a server's ports, volumes and power. Every event is judged by itself, and none is believed: it wakes whoever
 * waits, and the port or volume is read (S10).
 */
import { showVolume } from '#cinder/contract/volumes.ts'
import type { ExternalEvent } from '../contract/servers.ts'
import type { Schema } from '#stack/schema.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { ACTS } from '../flows/act-on-server.ts'
import { callCompute } from '../flows/computes.ts'
import { beginOwn } from '../flows/housekeeping.ts'
import { refreshNetwork } from '../flows/network-info.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf, patchBlockDevice } from '../store/block-devices.ts'
import { serversByIds } from '../store/servers.ts'
import type { ServerRow } from '../store/tables.ts'
import { object } from './schemas.ts'
import { recordDone } from './server-steps.ts'

const NAMES: Readonly<Record<ExternalEvent['name'], number>> = {
  'network-changed': v('2.1'), 'network-vif-plugged': v('2.1'), 'network-vif-unplugged': v('2.1'), 'network-vif-deleted': v('2.1'), 'volume-extended': v('2.51'), 'power-update': v('2.76'), 'accelerator-request-bound': v('2.82'), 'volume-reimaged': v('2.93'),
}
const one: Schema = object({ server_uuid: { type: 'string' }, name: { enum: Object.keys(NAMES) }, status: { enum: ['failed', 'completed', 'in-progress'] }, tag: { type: ['string', 'null'], maxLength: 255 } }, ['server_uuid', 'name'], true)
const schema: Schema = object({ events: { type: 'array', minItems: 1, items: one } }, ['events'])

export function externalEventRoutes(nova: Nova): Route[] {
  return [route<{ events: ExternalEvent[] }>({ method: 'POST', path: '/v2.1/os-server-external-events', name: 'external-events.create', policy: 'os_compute_api:os-server-external-events:create', status: 200, body: schema, handle: (rq) => take(nova, rq) })]
}

async function take(nova: Nova, rq: Rq<{ events: ExternalEvent[] }>): Promise<Reply> {
  const { events } = rq.body
  const servers = new Map((await serversByIds(nova.db, [...new Set(events.map((event) => event.server_uuid))])).filter((row) => row.deleted === 0).map((row) => [row.id, row]))
  const judged: (ExternalEvent & { code: number; status: string })[] = []
  for (const event of events) {
    const status = event.status ?? 'completed'
    const server = servers.get(event.server_uuid)
    if (rq.version < NAMES[event.name]) judged.push({ ...event, status: 'failed', code: 400 })
    else if (!server) judged.push({ ...event, status: 'failed', code: 404 })
    else if (server.host_id === null && !server.vm_state.startsWith('shelved')) judged.push({ ...event, status: 'failed', code: 422 })
    else {
      // One event that cannot be followed does not spoil the others.
      const code = await follow(nova, rq, server, event).then(
        () => 200,
        (thrown: unknown) => {
          nova.world.log.module('nova.events').warn('Failed to follow an event', { server: server.id, event: event.name, error: thrown })
          return 200
        },
      )
      judged.push({ ...event, status, code })
    }
  }
  const well = judged.filter((event) => event.code === 200)
  if (well.length > 0) await nova.bus.fanout('nova.wake', 'wake', { server_ids: [...new Set(well.map((event) => event.server_uuid))] })
  for (const event of well) nova.wakes.wake(event.server_uuid)
  const status = well.length === judged.length ? 200 : well.length > 0 ? 207 : judged.some((event) => event.code === 400) ? 400 : 404
  return status === 404 ? { status, json: { itemNotFound: { code: 404, message: 'No instances found for any event' } } } : { status, json: { events: judged } }
}

async function follow(nova: Nova, rq: Rq<unknown>, server: ServerRow, event: ExternalEvent): Promise<void> {
  switch (event.name) {
    case 'network-changed':
    case 'network-vif-deleted':
      // Who builds it writes down what is there; what came meanwhile is read at the end.
      if (server.task_state === 'deleting') return undefined
      if (server.vm_state === 'building') return nova.wakes.refreshLater(server.id)
      return refreshNetwork(nova, server.id)
    case 'volume-extended':
      return extend(nova, rq, server, event.tag ?? '')
    case 'power-update':
      return power(nova, server, event.tag ?? '')
    default:
      return undefined
  }
}

async function extend(nova: Nova, rq: Rq<unknown>, server: ServerRow, volumeId: string): Promise<void> {
  const device = (await blockDevicesOf(nova.db, server.id)).find((one) => one.volume_id === volumeId)
  if (!device || server.host_id === null) return
  const { volume } = await nova.client.call(await nova.service(), 'cinder', showVolume, { params: { volume_id: volumeId } })
  await patchBlockDevice(nova.db, device.id, { volume_size: volume.size })
  const began = nova.world.clock.now()
  const closed = (result: 'Success' | 'Error', details?: string): Promise<void> =>
    nova.db.transaction((tx) =>
      recordDone(nova, tx, rq, server.id, 'extend_volume', {
        event: { event: 'compute_extend_volume', start: began, finish: nova.world.clock.now(), result, ...(server.host === null ? {} : { host: server.host }), ...(details === undefined ? {} : { details }) },
        message: result === 'Error' ? 'Error' : null,
      }),
    )
  try {
    await callCompute(nova, server.host_id, 'extendVolume', { server_id: server.id, volume_id: volumeId, size: volume.size * 2 ** 30 }, { wait: 0 })
  } catch (thrown) {
    await closed('Error', (thrown as Error).message)
    throw thrown
  }
  await closed('Success')
}

/** Ironic saw a machine turned on or off by hand. */
async function power(nova: Nova, server: ServerRow, tag: string): Promise<void> {
  const act = tag === 'POWER_OFF' && server.vm_state === 'active' ? 'stop' : tag === 'POWER_ON' && server.vm_state === 'stopped' ? 'start' : undefined
  if (!act || server.task_state !== null) return
  await beginOwn(nova, server, ACTS[act].lock, act, ACTS[act].event, async (tx, work) => void (await nova.engine.start(tx, nova.flows.actOnServer, { ...work, act }, { resource_kind: 'server', resource_id: server.id, project_id: server.project_id })))
}
