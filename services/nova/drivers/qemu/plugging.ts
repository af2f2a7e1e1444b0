/**
 * Disks and cards of a running machine. Each step looks first at what the machine has, so that a plugging or unplugging that was cut off
 * anywhere is finished by doing it again.
 */
import type { Clock } from '#base/clock.ts'
import { conflict, isFault, timedOut } from '#base/fault.ts'
import { type QmpConnection, qmpReason } from '#host/qmp.ts'
import { deviceId, diskDevice, type MachineDisk, type MachineNic, nicBackend, nicDevice } from '#host/qemu-machine.ts'
import type { Chipset } from '#host/qemu-machine.ts'

export async function plugDisk(qmp: QmpConnection, disk: MachineDisk, chipset: Chipset): Promise<void> {
  if (await hasDevice(qmp, disk.id)) return
  if (disk.bus === 'ide') throw conflict('IDE disks cannot be attached to a running server.', { code: 'no_hot_plug' })
  if (!(await nodeNames(qmp)).has(disk.id)) await qmp.execute('blockdev-add', disk.node)
  try {
    await qmp.execute('device_add', diskDevice(disk, chipset))
  } catch (thrown) {
    await qmp.execute('blockdev-del', { 'node-name': disk.id }).catch(() => {})
    throw thrown
  }
}

export async function unplugDisk(qmp: QmpConnection, id: string, timeout: number, clock: Clock): Promise<void> {
  await removeDevice(qmp, id, timeout, clock)
  if ((await nodeNames(qmp)).has(id)) await qmp.execute('blockdev-del', { 'node-name': id })
}

export async function plugNic(qmp: QmpConnection, nic: MachineNic, chipset: Chipset): Promise<void> {
  if (await hasDevice(qmp, nic.id)) return
  try {
    await qmp.execute('netdev_add', nicBackend(nic))
  } catch (thrown) {
    if (!/Duplicate ID|already (in use|exists)/i.test(qmpReason(thrown))) throw thrown
  }
  try {
    await qmp.execute('device_add', nicDevice(nic, chipset))
  } catch (thrown) {
    await qmp.execute('netdev_del', { id: nic.id }).catch(() => {})
    throw thrown
  }
}

export async function unplugNic(qmp: QmpConnection, id: string, timeout: number, clock: Clock): Promise<void> {
  await removeDevice(qmp, id, timeout, clock)
  try {
    await qmp.execute('netdev_del', { id })
  } catch (thrown) {
    if (!/not found/i.test(qmpReason(thrown))) throw thrown
  }
}

/** The guest must answer to give up a PCI device, and one that is still booting does not: it is asked again. */
const ASK_EVERY = 4_000

async function removeDevice(qmp: QmpConnection, id: string, timeout: number, clock: Clock): Promise<void> {
  const device = deviceId(id)
  const deadline = clock.now() + timeout
  while (await hasDevice(qmp, id)) {
    const left = deadline - clock.now()
    if (left <= 0) throw timedOut('The guest did not release the device.', { code: 'unplug.timeout', detail: device })
    const deleted = qmp.waitEvent('DEVICE_DELETED', { timeout: Math.min(left, ASK_EVERY), match: ({ data }) => data.device === device })
    try {
      await qmp.execute('device_del', { id: device })
    } catch (thrown) {
      const why = qmpReason(thrown)
      if (/not found/i.test(why)) return
      if (!/in the process of unplug/i.test(why)) throw thrown
    }
    try {
      await deleted
    } catch (thrown) {
      if (!isFault(thrown, 'timeout')) throw thrown
    }
  }
}

export async function nodeNames(qmp: QmpConnection): Promise<Set<string>> {
  const nodes = await qmp.execute<{ 'node-name'?: string }[]>('query-named-block-nodes', { flat: true })
  return new Set(nodes.flatMap((node) => (node['node-name'] === undefined ? [] : [node['node-name']])))
}

async function hasDevice(qmp: QmpConnection, id: string): Promise<boolean> {
  const found = await qmp.execute<{ name: string }[]>('qom-list', { path: '/machine/peripheral' })
  return found.some(({ name }) => name === deviceId(id))
}
