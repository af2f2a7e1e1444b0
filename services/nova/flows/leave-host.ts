/** A server leaves a host and goes to none: guest, bindings and connections are the host's no more; ports and volumes stay the server's. */
import { isFault } from '#base/fault.ts'
import { updatePort } from '#neutron/contract/network.ts'
import type { Nova } from '../house.ts'
import { blockDevicesOf, patchBlockDevice } from '../store/block-devices.ts'
import type { NicInfo } from '../store/tables.ts'
import { callCompute } from './computes.ts'
import { letStraysGo } from './moving-volumes.ts'
import { liveServer } from './state.ts'
import { hold, isVolume, letVolumeGo } from './volumes.ts'

export async function leaveHost(nova: Nova, serverId: string, hostId: string, signal?: AbortSignal): Promise<void> {
  await callCompute(nova, hostId, 'ensureNoGuest', { server_id: serverId, host_id: hostId }, signal ? { signal } : {})
  const server = await liveServer(nova, serverId)
  const caller = await nova.service()
  for (const nic of JSON.parse(server.network_info) as NicInfo[]) {
    await nova.client.call(caller, 'neutron', updatePort, { params: { id: nic.port_id }, body: { port: { 'binding:host_id': '' } } }).catch((thrown: unknown) => {
      if (!isFault(thrown, 'not_found')) throw thrown
    })
  }
  const devices = await blockDevicesOf(nova.db, serverId)
  for (const device of devices) {
    if (!isVolume(device) || device.connection_info === null) continue
    // Held anew before it is let go: it is nobody else's for no moment.
    const { attachment_id } = await hold(nova, serverId, device)
    await letVolumeGo(nova, device)
    await patchBlockDevice(nova.db, device.id, { attachment_id, connection_info: null })
  }
  await letStraysGo(nova, serverId, await blockDevicesOf(nova.db, serverId))
}
