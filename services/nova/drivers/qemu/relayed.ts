/** The driver with a relay before its volumes: every spec that comes in names volumes as the guest reaches them. */
import type { GuestSpec } from '../interface.ts'
import type { QemuDriver } from './driver.ts'
import type { Relay } from './relay.ts'

export function relayed(driver: QemuDriver, relay: Relay): QemuDriver {
  const near = async <S extends Pick<GuestSpec, 'server_id' | 'volumes'>>(spec: S): Promise<S> => ({ ...spec, volumes: await Promise.all(spec.volumes.map((volume) => relay.ensure(spec.server_id, volume))) })
  return {
    ...driver,
    ensureGuest: async (spec, source, power) => driver.ensureGuest(await near(spec), source, power),
    async ensureNoGuest(tombstone) {
      await driver.ensureNoGuest(tombstone)
      await relay.drop(tombstone.server_id)
    },
    async close() {
      await driver.close()
      await relay.close()
    },
    volumeAttachable: {
      ...driver.volumeAttachable,
      async attachVolume(serverId, volume) {
        try {
          await driver.volumeAttachable.attachVolume(serverId, await relay.ensure(serverId, volume))
        } catch (thrown) {
          const there = await driver.volumeAttachable.attachedVolumes(serverId).catch(() => [])
          if (!there.some((one) => one.volume_id === volume.volume_id)) await relay.drop(serverId, volume.volume_id).catch(() => {})
          throw thrown
        }
      },
      async detachVolume(serverId, volumeId) {
        await driver.volumeAttachable.detachVolume(serverId, volumeId)
        await relay.drop(serverId, volumeId)
      },
      async extendVolume(serverId, volumeId, size) {
        await relay.renew(serverId, volumeId)
        await driver.volumeAttachable.extendVolume(serverId, volumeId, size)
      },
    },
    rebuildable: { ensureRebuilt: async (spec, source, rebuild) => driver.rebuildable.ensureRebuilt(await near(spec), source, rebuild) },
    resizable: { ...driver.resizable, ensureResized: async (spec, resize) => driver.resizable.ensureResized(await near(spec), resize) },
    liveMigratable: {
      ...driver.liveMigratable,
      prepareIncoming: async (spec, layout, source, host) => driver.liveMigratable.prepareIncoming(await near(spec), layout, source, host),
      async migrateOut(serverId, target, options) {
        await driver.liveMigratable.migrateOut(serverId, target, options)
        // Now, while the volume is still connected to this host: later the connection would be waited for in vain.
        await relay.drop(serverId)
      },
    },
  }
}
