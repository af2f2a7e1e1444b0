/** Volumes and cards that come and go: the record first when they come, last when they go, so that no restart loses one that is in use. */
import { conflict, notFound, unavailable } from '#base/fault.ts'
import type { NicAttachable, NicSpec, VolumeAttachable, VolumeSpec } from '../interface.ts'
import { protocolNode, volumeNode, volumeNodeName } from './connection.ts'
import { assignSlots, machineNic, machineVolume, nicId } from './machine.ts'
import type { QemuParts } from './parts.ts'
import { nodeNames, plugDisk, plugNic, unplugDisk, unplugNic } from './plugging.ts'
import { mayRunHere } from './power.ts'
import type { GuestRecord } from './record.ts'
import type { LiveGuest } from './sessions.ts'

/** Plugs a volume of the record into the machine when it runs. On failure the record forgets it. */
export async function addVolume(parts: QemuParts, record: GuestRecord, volume: VolumeSpec, live: LiveGuest | undefined): Promise<void> {
  volumeNode(volume) // an impossible connection is refused before anything changes
  const known = record.spec.volumes.some((one) => one.volume_id === volume.volume_id)
  if (!known) {
    record.spec.volumes = [...record.spec.volumes, volume]
    assignSlots(record)
    await parts.records.save(record)
  }
  if (!live) return
  try {
    await plugDisk(live.qmp, machineVolume(record, volume), record.chipset)
  } catch (thrown) {
    if (!known) await forgetVolume(parts, record, volume.volume_id)
    throw thrown
  }
}

async function forgetVolume(parts: QemuParts, record: GuestRecord, volumeId: string): Promise<void> {
  record.spec.volumes = record.spec.volumes.filter((one) => one.volume_id !== volumeId)
  assignSlots(record)
  await parts.records.save(record)
}

export async function addNic(parts: QemuParts, record: GuestRecord, nic: NicSpec, live: LiveGuest | undefined): Promise<void> {
  const known = record.spec.nics.some((one) => one.port_id === nic.port_id)
  if (live && nic.tap !== undefined && !(await parts.qemu.tap(nic.tap))) {
    throw unavailable(`The network device ${nic.tap} of port ${nic.port_id} is not there yet.`, { code: 'tap.absent' })
  }
  if (!known) {
    record.spec.nics = [...record.spec.nics, nic]
    assignSlots(record)
    await parts.records.save(record)
  }
  if (!live) return
  try {
    await plugNic(live.qmp, machineNic(record, nic), record.chipset)
  } catch (thrown) {
    if (!known) await forgetNic(parts, record, nic.port_id)
    throw thrown
  }
}

async function forgetNic(parts: QemuParts, record: GuestRecord, portId: string): Promise<void> {
  record.spec.nics = record.spec.nics.filter((one) => one.port_id !== portId)
  assignSlots(record)
  await parts.records.save(record)
}

export function volumeAttachable(parts: QemuParts): VolumeAttachable {
  const { turn, sessions, settings } = parts
  return {
    attachVolume: (serverId, volume) =>
      turn('attachVolume', serverId, async (record) => {
        mayRunHere(record)
        await addVolume(parts, record, volume, await sessions.live(serverId))
      }),
    detachVolume: (serverId, volumeId) =>
      turn('detachVolume', serverId, async (record) => {
        if (!record.spec.volumes.some((one) => one.volume_id === volumeId)) return
        const live = await sessions.live(serverId)
        if (live) await unplugDisk(live.qmp, volumeNodeName(volumeId), settings.unplugTimeout, parts.world.clock)
        await forgetVolume(parts, record, volumeId)
      }),
    extendVolume: (serverId, volumeId, size) =>
      turn('extendVolume', serverId, async (record) => {
        const volume = record.spec.volumes.find((one) => one.volume_id === volumeId)
        if (!volume) throw notFound(`Volume ${volumeId} is not attached to the server.`)
        const live = await sessions.live(serverId)
        if (live) await growDisk(live, volume, size)
      }),
    attachedVolumes: async (serverId) => [...(await parts.recordOf(serverId)).spec.volumes],
  }
}

/**
 * Tells the guest of a volume that has grown. An NBD client learns its size when it connects and never again: a new connection is put
 * below the format node, and the guest, which holds the format node, sees only the new size.
 */
async function growDisk({ qmp }: LiveGuest, volume: VolumeSpec, size: number): Promise<void> {
  const name = volumeNodeName(volume.volume_id)
  const node = volumeNode(volume)
  if (volume.connection.driver_volume_type === 'nbd') {
    const names = await nodeNames(qmp)
    // Two names in turn: the one not in use now.
    const [next, old] = names.has(`${name}-a`) ? [`${name}-b`, `${name}-a`] : [`${name}-a`, `${name}-b`]
    await qmp.execute('blockdev-add', { ...protocolNode(volume.connection), 'node-name': next, discard: 'unmap', ...(volume.read_only ? { 'read-only': true } : {}) })
    try {
      await qmp.execute('blockdev-reopen', { options: [{ ...node, file: next }] })
    } catch (thrown) {
      await qmp.execute('blockdev-del', { 'node-name': next }).catch(() => {})
      throw thrown
    }
    if (names.has(old)) await qmp.execute('blockdev-del', { 'node-name': old })
  }
  await qmp.execute('block_resize', { 'node-name': name, size })
}

export function nicAttachable(parts: QemuParts): NicAttachable {
  const { turn, sessions, settings } = parts
  return {
    attachNic: (serverId, nic) =>
      turn('attachNic', serverId, async (record) => {
        mayRunHere(record)
        const twin = record.spec.nics.find((one) => one.mac === nic.mac && one.port_id !== nic.port_id)
        if (twin) throw conflict(`The server has a card with the address ${nic.mac} already.`)
        await addNic(parts, record, nic, await sessions.live(serverId))
      }),
    detachNic: (serverId, portId) =>
      turn('detachNic', serverId, async (record) => {
        if (!record.spec.nics.some((one) => one.port_id === portId)) return
        const live = await sessions.live(serverId)
        if (live) await unplugNic(live.qmp, nicId(portId), settings.unplugTimeout, parts.world.clock)
        await forgetNic(parts, record, portId)
      }),
    attachedNics: async (serverId) => [...(await parts.recordOf(serverId)).spec.nics],
  }
}
