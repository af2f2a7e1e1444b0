/** One host: its driver behind the RPC of `contract/compute-rpc.ts`. It keeps nothing: the driver knows what is on the host. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { invalid, notImplemented } from '#base/fault.ts'
import { Secret } from '#base/secret.ts'
import type { World } from '#base/world.ts'
import type { ComputeDriver, GuestSpec, ImageSource } from '#nova/drivers/interface.ts'
import type { Ways } from '#nova/drivers/ways.ts'
import type { ComputeRpc, GuestWish } from '../contract/compute-rpc.ts'
import type { Images } from './image-source.ts'

export interface ComputeHostParts {
  host_id: string
  host: string
  host_ip: string
  driver: ComputeDriver
  images: Images
  /** For files on their way. */
  scratch: string
  world: World
  /** Ways for other hosts; fake hosts have none. */
  ways?: Ways
  /** Reads disks of guests that come from other hosts. */
  diskFrom(hostId: string, serverId: string): ImageSource['disk']
}


export function computeHandlers(parts: ComputeHostParts): ComputeRpc {
  const { driver, images } = parts
  const power = async (serverId: string) => ({ power_state: await driver.powerState(serverId) })
  const lively = new AbortController().signal
  return {
    async ensureGuest({ guest, power: wanted, disks }) {
      const disk = disks ? parts.diskFrom(disks.from_host_id, guest.server_id) : undefined
      await driver.ensureGuest(specOf(guest), { ...images.source, ...(disk ? { disk } : {}) }, wanted)
      return power(guest.server_id)
    },
    async ensureNoGuest({ server_id, host_id }) {
      await driver.ensureNoGuest({ server_id, host_id })
    },
    powerState: ({ server_id }) => power(server_id),
    async powerOn({ server_id }) {
      await driver.powerOn(server_id)
      return power(server_id)
    },
    async powerOff({ server_id, soft_timeout }) {
      await driver.powerOff(server_id, soft_timeout === undefined ? {} : { soft_timeout })
      return power(server_id)
    },
    async reboot({ server_id, how }) {
      await driver.reboot(server_id, how)
      return power(server_id)
    },
    async pause({ server_id }) {
      await able(driver.pausable, 'pause servers').pause(server_id)
      return power(server_id)
    },
    async unpause({ server_id }) {
      await able(driver.pausable, 'pause servers').unpause(server_id)
      return power(server_id)
    },
    async suspend({ server_id }) {
      await able(driver.suspendable, 'suspend servers').suspend(server_id)
      return power(server_id)
    },
    async resume({ server_id }) {
      await able(driver.suspendable, 'suspend servers').resume(server_id)
      return power(server_id)
    },
    attachVolume: ({ server_id, volume }) => able(driver.volumeAttachable, 'attach volumes').attachVolume(server_id, volume),
    detachVolume: ({ server_id, volume_id }) => able(driver.volumeAttachable, 'detach volumes').detachVolume(server_id, volume_id),
    extendVolume: ({ server_id, volume_id, size }) => able(driver.volumeAttachable, 'extend volumes').extendVolume(server_id, volume_id, size),
    attachNic: ({ server_id, nic }) => able(driver.nicAttachable, 'attach interfaces').attachNic(server_id, nic),
    detachNic: ({ server_id, port_id }) => able(driver.nicAttachable, 'detach interfaces').detachNic(server_id, port_id),
    async snapshot({ server_id, image_id, format }) {
      const path = join(parts.scratch, `${image_id}.snapshot`)
      await mkdir(parts.scratch, { recursive: true, mode: 0o700 })
      try {
        const { size } = await able(driver.snapshotable, 'snapshot servers').snapshot(server_id, { path, format })
        await images.upload(image_id, path, size, lively)
      } finally {
        await rm(path, { force: true })
      }
    },
    async ensureRebuilt({ guest, ...rebuild }) {
      await able(driver.rebuildable, 'rebuild servers').ensureRebuilt(specOf(guest), images.source, rebuild)
      return power(guest.server_id)
    },
    ensureResized: ({ guest, resize_id }) => able(driver.resizable, 'resize servers').ensureResized(specOf(guest), { resize_id }),
    confirmResize: ({ server_id }) => able(driver.resizable, 'resize servers').confirmResize(server_id),
    revertResize: ({ server_id }) => able(driver.resizable, 'resize servers').revertResize(server_id),
    async offerDisk({ server_id, name }) {
      if (!/^[\w.-]+$/.test(name)) throw invalid('A disk has a plain name.', { field: 'name' })
      const path = join(parts.scratch, `${server_id}.${name}.${parts.world.random.uuid()}`)
      await mkdir(parts.scratch, { recursive: true, mode: 0o700 })
      try {
        const { size } = await able(driver.movable, 'let servers move').exportDisk(server_id, name, path)
        return { size, ...(parts.ways ? { way: await parts.ways.offerFile(path) } : {}) }
      } catch (thrown) {
        await rm(path, { force: true })
        throw thrown
      }
    },
    async rescue({ server_id, image_id, config_drive }) {
      await able(driver.rescuable, 'rescue servers').rescue(server_id, { image_id, ...(config_drive ? { config_drive: driveOf(config_drive) } : {}) }, images.source)
      return power(server_id)
    },
    async unrescue({ server_id }) {
      await able(driver.rescuable, 'rescue servers').unrescue(server_id)
      return power(server_id)
    },
    consoleLog: async ({ server_id, lines }) => ({ text: await able(driver.consoleLog, 'show the console log').consoleLog(server_id, lines) }),
    async consoleSocket({ server_id, kind, from = parts.host }) {
      const { socket } = await able(driver.consoleSockets, 'open consoles')[kind](server_id)
      if (from === parts.host || !parts.ways) return { host: parts.host, socket }
      return { host: parts.host, way: await parts.ways.offerSocket(socket) }
    },
    diagnostics: ({ server_id }) => able(driver.diagnosable, 'diagnose servers').diagnostics(server_id),
    setPassword: ({ server_id, user, password }) => able(driver.passwordSettable, 'set passwords').setPassword(server_id, user, new Secret(password)),
    interrupt: ({ server_id }) => able(driver.interruptible, 'interrupt servers').interrupt(server_id),
    layout: ({ server_id }) => able(driver.liveMigratable, 'migrate live').layout(server_id),
    prepareIncoming: ({ guest, layout }) => able(driver.liveMigratable, 'migrate live').prepareIncoming(specOf(guest), layout, images.source, parts.host_ip),
    migrateOut: ({ server_id, target }) => able(driver.liveMigratable, 'migrate live').migrateOut(server_id, target),
    async finishIncoming({ server_id, paused }) {
      await able(driver.liveMigratable, 'migrate live').finishIncoming(server_id, { paused: paused === true })
      return power(server_id)
    },
    migrationProgress: ({ server_id }) => able(driver.liveMigratable, 'migrate live').migrationProgress(server_id),
    abortMigration: ({ server_id }) => able(driver.liveMigratable, 'migrate live').abortMigration(server_id),
    forceMigration: ({ server_id }) => able(driver.liveMigratable, 'migrate live').forceMigration(server_id),
    async cacheImages({ image_ids }) {
      const cache = able(driver.imageCaching, 'cache images')
      for (const id of image_ids) await cache.cacheImage(id, images.source)
    },
    async wake() {},
  }
}

function able<T>(ability: T | undefined, what: string): T {
  if (ability === undefined) throw notImplemented(`This host cannot ${what}.`, { code: 'nova.not_able' })
  return ability
}

function specOf({ config_drive, ...guest }: GuestWish): GuestSpec {
  return config_drive ? { ...guest, config_drive: driveOf(config_drive) } : guest
}

function driveOf(files: NonNullable<GuestWish['config_drive']>): NonNullable<GuestSpec['config_drive']> {
  return new Secret(Object.fromEntries(Object.entries(files).map(([path, content]) => [path, typeof content === 'string' ? content : Buffer.from(content.base64, 'base64')])))
}

/** Fetches a disk from another agent; of fake hosts nothing moves. */
export function diskReader(call: (hostId: string, payload: Parameters<ComputeRpc['offerDisk']>[0]) => ReturnType<ComputeRpc['offerDisk']>, ways?: Ways) {
  return (hostId: string, serverId: string): NonNullable<ImageSource['disk']> =>
    async (name, destination, signal) => {
      const { way, size } = await call(hostId, { server_id: serverId, name })
      if (way && ways) await ways.fetchFile(way, size, destination, signal)
    }
}
