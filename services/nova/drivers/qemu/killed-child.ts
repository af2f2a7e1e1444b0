/** Run by `killed.real.test.ts`: an agent that does one verb over and over until it is killed. Prints `begun` when it begins. */
import { world } from '#base/world.ts'
import type { GuestSpec, ImageSource } from '../interface.ts'
import { openQemuDriver, type QemuDriver, type QemuDriverOptions } from './driver.ts'
import { blankImage } from './bench.ts'

export const VERBS: Readonly<Record<string, (driver: QemuDriver, spec: GuestSpec, source: ImageSource, volume: GuestSpec['volumes'][number], path: string) => Promise<void>>> = {
  make: async (driver, spec, source) => {
    await driver.ensureGuest(spec, source, 'running')
    await driver.ensureNoGuest({ server_id: spec.server_id, host_id: (await driver.facts()).host_id })
  },
  reboot: (driver, spec) => driver.reboot(spec.server_id, 'hard'),
  suspend: async (driver, spec) => {
    await driver.suspendable.suspend(spec.server_id)
    await driver.suspendable.resume(spec.server_id)
  },
  snapshot: async (driver, spec, _source, _volume, path) => void (await driver.snapshotable.snapshot(spec.server_id, { path, format: 'qcow2' })),
  volume: async (driver, spec, _source, volume) => {
    await driver.volumeAttachable.attachVolume(spec.server_id, volume)
    await driver.powerOff(spec.server_id)
    await driver.volumeAttachable.detachVolume(spec.server_id, volume.volume_id)
    await driver.powerOn(spec.server_id)
  },
  resize: async (driver, spec) => {
    await driver.resizable.ensureResized({ ...spec, vcpus: 2 }, { resize_id: 'r' })
    await driver.resizable.revertResize(spec.server_id)
  },
  rescue: async (driver, spec, source) => {
    await driver.rescuable.rescue(spec.server_id, { image_id: 'blank' }, source)
    await driver.rescuable.unrescue(spec.server_id)
  },
  rebuild: (driver, spec, source) => driver.rebuildable.ensureRebuilt(spec, source, { rebuild_id: world().random.uuid(), power: 'running' }),
}

if (process.argv[2] !== undefined && process.argv[1] === import.meta.filename) {
  const { options, spec, verb, volume, path } = JSON.parse(process.argv[2]) as { options: QemuDriverOptions; spec: GuestSpec; verb: string; volume: GuestSpec['volumes'][number]; path: string }
  const driver = await openQemuDriver(world(), options)
  await driver.ensureGuest(spec, blankImage, 'running')
  process.stdout.write('begun\n')
  for (;;) await VERBS[verb]!(driver, spec, blankImage, volume, path)
}
