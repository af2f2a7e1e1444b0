/**
 * Who may let go of a volume that a server uses (A16): the compute service, or anybody once no server has the disk any more. Otherwise
 * a guest would write to a connection that may soon be another's.
 */
import { conflict, isFault } from '#base/fault.ts'
import { showServer } from '#nova/contract/servers.ts'
import type { Rq } from '#stack/route.ts'
import type { Cinder } from '../house.ts'
import type { AttachmentRow } from '../store/tables.ts'

export function isService(rq: Pick<Rq, 'context'>): boolean {
  return rq.context.roles.includes('service') || rq.context.service_roles.includes('service')
}

export async function insistOnDetachable(house: Cinder, rq: Pick<Rq, 'context'>, attachment: Pick<AttachmentRow, 'volume_id' | 'instance_uuid'>): Promise<void> {
  if (isService(rq) || attachment.instance_uuid === null) return
  if (await serverHas(house, attachment.instance_uuid, attachment.volume_id)) {
    throw conflict(`Detach volume from instance ${attachment.instance_uuid} using the Compute API`, { code: 'attachment.in_use' })
  }
}

async function serverHas(house: Cinder, server_id: string, volumeId: string): Promise<boolean> {
  try {
    const { server } = await house.client.call(await house.serviceCaller(), 'nova', showServer, { params: { server_id } })
    return server['os-extended-volumes:volumes_attached'].some((one) => one.id === volumeId)
  } catch (thrown) {
    if (isFault(thrown, 'not_found')) return false
    // Without Nova's word nobody may cut a guest off.
    house.world.log.module('cinder.api').warn('Failed to ask Nova whether a server uses a volume', { server_id, volume_id: volumeId, error: thrown })
    return true
  }
}
