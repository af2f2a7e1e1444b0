/**
 * The fake driver: the specification of the interface, in memory, under the world's clock. It keeps nothing of its own but the line of
 * calls per guest; everything else is the `FakeHost`, so closing one driver and opening another is a restart of the agent.
 */
import { conflict, invalid, notFound, timedOut } from '#base/fault.ts'
import type { World } from '#base/world.ts'
import { guestLines } from '../guest-lines.ts'
import type { ComputeDriver, GuestSpec, ImageSource, PowerState } from '../interface.ts'
import { sharedWork } from '../shared-work.ts'
import type { FakeGuest, FakeHost } from './host.ts'
import { fakeMigration } from './migration.ts'
import { fakeReshaping } from './reshaping.ts'

export interface FakeDriverOptions {
  /** Other hosts by name: with it guests can migrate. */
  peers?: (hostname: string) => FakeHost | undefined
}

/** What the parts of the fake share. */
export interface FakeParts {
  world: World
  host: FakeHost
  /** Runs `work` in the guest's line, after the ordered delay and failure. */
  act<T>(operation: string, serverId: string, work: (guest: FakeGuest, signal: AbortSignal) => T | Promise<T>): Promise<T>
  actOnAny<T>(operation: string, serverId: string, work: (guest: FakeGuest | undefined, signal: AbortSignal) => T | Promise<T>): Promise<T>
  fetchImage(imageId: string, source: ImageSource, signal: AbortSignal): Promise<void>
  start(guest: FakeGuest): void
  make(spec: GuestSpec, source: ImageSource, signal: AbortSignal): Promise<FakeGuest>
}

export function fakeDriver(world: World, host: FakeHost, options: FakeDriverOptions = {}): ComputeDriver {
  const parts = fakeParts(world, host)
  const { act, actOnAny, fetchImage, start, make } = parts
  const lines = parts.lines
  const watching = new Set<(serverId: string) => void>()

  const powerOff = async (guest: FakeGuest, softTimeout: number, signal: AbortSignal): Promise<void> => {
    if (guest.deaf && softTimeout > 0 && guest.power_state === 'running') await world.clock.sleep(softTimeout, signal)
    guest.power_state = 'shutdown'
  }

  return {
    async facts() {
      host.meet('facts')
      const used = [...host.guests.values()].filter((guest) => guest.power_state === 'running').reduce((sum, guest) => sum + guest.spec.memory_mb, 0)
      return {
        hypervisor_type: 'fake',
        hypervisor_version: 1_000,
        hypervisor_hostname: host.hostname,
        host_id: host.host_id,
        vcpus: host.vcpus,
        memory_mb: host.memory_mb,
        memory_mb_free: Math.max(0, host.memory_mb - used),
        local_gb: host.local_gb,
        local_gb_free: host.local_gb,
        cpu_info: { arch: 'x86_64', model: 'fake', vendor: 'fake', topology: { cells: 1, sockets: 1, cores: host.vcpus, threads: 1 }, features: [] },
        accelerator: { name: 'fake', reason: 'guests are simulated' },
      }
    },
    async list() {
      host.meet('list')
      return [...host.guests.values()].map((guest) => ({ server_id: guest.spec.server_id, power_state: guest.power_state }))
    },
    async powerState(serverId) {
      return present(host, serverId).power_state
    },
    ensureGuest: (spec, source, power) =>
      actOnAny('ensureGuest', spec.server_id, async (found, signal) => {
        checkSpec(spec)
        const guest = found ?? (await make(spec, source, signal))
        if (found) guest.spec = united(guest.spec, spec)
        if (power === 'running' && isOff(guest.power_state) && !guest.incoming) start(guest)
      }),
    async ensureNoGuest(tombstone) {
      if (tombstone.host_id !== host.host_id) throw conflict('The tombstone names another host.', { code: 'wrong_host' })
      await lines.preempt(
        tombstone.server_id,
        async () => {},
        async (signal) => {
          await meet(world, host, 'ensureNoGuest', signal)
          host.guests.delete(tombstone.server_id)
        },
      )
    },
    powerOn: (serverId) =>
      act('powerOn', serverId, (guest) => {
        if (guest.power_state === 'suspended') throw conflict('The server is suspended.')
        if (isOff(guest.power_state)) start(guest)
      }),
    powerOff: (serverId, more = {}) => act('powerOff', serverId, (guest, signal) => powerOff(guest, more.soft_timeout ?? 0, signal)),
    reboot: (serverId, how, more = {}) =>
      act('reboot', serverId, async (guest, signal) => {
        if (guest.migrated_away) throw conflict('The server has left this host by live migration.', { code: 'left' })
        await powerOff(guest, how === 'soft' ? (more.soft_timeout ?? 60_000) : 0, signal)
        start(guest)
      }),
    async close() {
      for (const listener of watching) host.listeners.delete(listener)
    },

    lifecycleWatchable: {
      watch(listener) {
        watching.add(listener)
        host.listeners.add(listener)
        return () => {
          watching.delete(listener)
          host.listeners.delete(listener)
        }
      },
    },
    imageCaching: {
      cacheImage: (imageId, source) => fetchImage(imageId, source, new AbortController().signal),
      async cachedImages() {
        const uses = (imageId: string): number => [...host.guests.values()].filter((guest) => guest.spec.root.from === 'image' && guest.spec.root.image_id === imageId).length
        return [...host.images].map(([image_id, { size }]) => ({ image_id, size, used_by: uses(image_id) }))
      },
      async dropUnusedImages(age) {
        const dropped: string[] = []
        const used = new Set([...host.guests.values()].map((guest) => (guest.spec.root.from === 'image' ? guest.spec.root.image_id : '')))
        for (const [id, image] of host.images) {
          if (used.has(id) || world.clock.now() - image.used_at < age) continue
          host.images.delete(id)
          dropped.push(id)
        }
        return dropped
      },
    },
    pausable: {
      pause: (serverId) =>
        act('pause', serverId, (guest) => {
          if (guest.power_state !== 'running' && guest.power_state !== 'paused') throw conflict('The server is not running.')
          guest.power_state = 'paused'
        }),
      unpause: (serverId) =>
        act('unpause', serverId, (guest) => {
          if (guest.power_state !== 'running' && guest.power_state !== 'paused') throw conflict('The server is not paused.')
          guest.power_state = 'running'
        }),
    },
    suspendable: {
      suspend: (serverId) =>
        act('suspend', serverId, (guest) => {
          if (isOff(guest.power_state)) throw conflict('The server is not running.')
          guest.power_state = 'suspended'
        }),
      resume: (serverId) =>
        act('resume', serverId, (guest) => {
          if (isOff(guest.power_state)) throw conflict('The server is not suspended.')
          guest.power_state = 'running'
        }),
    },
    volumeAttachable: {
      attachVolume: (serverId, volume) =>
        act('attachVolume', serverId, (guest) => {
          if (!guest.spec.volumes.some((one) => one.volume_id === volume.volume_id)) guest.spec.volumes = [...guest.spec.volumes, volume]
        }),
      detachVolume: (serverId, volumeId) =>
        act('detachVolume', serverId, (guest) => {
          const rest = guest.spec.volumes.filter((one) => one.volume_id !== volumeId)
          if (rest.length < guest.spec.volumes.length) letsGo(guest)
          guest.spec.volumes = rest
        }),
      extendVolume: (serverId, volumeId) =>
        act('extendVolume', serverId, (guest) => {
          if (!guest.spec.volumes.some((one) => one.volume_id === volumeId)) throw notFound(`Volume ${volumeId} is not attached.`)
        }),
      attachedVolumes: async (serverId) => [...present(host, serverId).spec.volumes],
    },
    nicAttachable: {
      attachNic: (serverId, nic) =>
        act('attachNic', serverId, (guest) => {
          if (!guest.spec.nics.some((one) => one.port_id === nic.port_id)) guest.spec.nics = [...guest.spec.nics, nic]
        }),
      detachNic: (serverId, portId) =>
        act('detachNic', serverId, (guest) => {
          const rest = guest.spec.nics.filter((one) => one.port_id !== portId)
          if (rest.length < guest.spec.nics.length) letsGo(guest)
          guest.spec.nics = rest
        }),
      attachedNics: async (serverId) => [...present(host, serverId).spec.nics],
    },
    consoleLog: {
      async consoleLog(serverId, count) {
        const all = present(host, serverId).console
        return count === undefined ? all : lastLines(all, count)
      },
    },
    diagnosable: {
      async diagnostics(serverId) {
        const guest = present(host, serverId)
        const state = guest.power_state === 'nostate' ? 'pending' : guest.power_state
        const running = guest.power_state === 'running' || guest.power_state === 'paused'
        const zero = { rx_octets: 0, rx_errors: 0, rx_drop: 0, rx_packets: 0, rx_rate: null, tx_octets: 0, tx_errors: 0, tx_drop: 0, tx_packets: 0, tx_rate: null }
        const disks = guest.disks.size + guest.spec.volumes.length
        return {
          state,
          driver: 'fake',
          hypervisor: 'fake',
          hypervisor_os: 'fake',
          uptime: running ? Math.floor((world.clock.now() - guest.started_at) / 1_000) : null,
          config_drive: guest.config_drive,
          num_cpus: guest.spec.vcpus,
          num_nics: guest.spec.nics.length,
          num_disks: disks,
          memory_details: { maximum: guest.spec.memory_mb, used: null },
          cpu_details: Array.from({ length: running ? guest.spec.vcpus : 0 }, (_, id) => ({ id, time: 0, utilisation: null })),
          nic_details: running ? guest.spec.nics.map((nic) => ({ mac_address: nic.mac, ...zero })) : [],
          disk_details: Array.from({ length: running ? disks : 0 }, () => ({ read_bytes: 0, read_requests: 0, write_bytes: 0, write_requests: 0, errors_count: 0 })),
        }
      },
    },
    passwordSettable: {
      setPassword: (serverId, user, password) =>
        act('setPassword', serverId, (guest) => {
          if (guest.power_state !== 'running') throw conflict('The server is not running.')
          guest.passwords.set(user, password.reveal())
        }),
    },
    interruptible: {
      interrupt: (serverId) =>
        act('interrupt', serverId, (guest) => {
          if (guest.power_state !== 'running') throw conflict('The server is not running.')
          guest.interrupts += 1
        }),
    },
    ...fakeReshaping(parts),
    ...(options.peers ? { liveMigratable: fakeMigration(parts, options.peers) } : {}),
  }
}

function fakeParts(world: World, host: FakeHost): FakeParts & { lines: ReturnType<typeof guestLines> } {
  const lines = guestLines()
  const fetching = sharedWork<void>()
  const fetchImage: FakeParts['fetchImage'] = (imageId, source, signal) => {
    const have = host.images.get(imageId)
    if (have) {
      have.used_at = world.clock.now()
      return Promise.resolve()
    }
    return fetching(imageId, signal, async (shared) => {
      const { size } = await source.fetch(imageId, '/dev/null', shared)
      host.images.set(imageId, { size, used_at: world.clock.now() })
    })
  }
  const actOnAny: FakeParts['actOnAny'] = (operation, serverId, work) =>
    lines.run(serverId, async (signal) => {
      await meet(world, host, operation, signal)
      const result = await work(host.guests.get(serverId), signal)
      return result
    })
  return {
    world,
    host,
    lines,
    actOnAny,
    act: (operation, serverId, work) =>
      actOnAny(operation, serverId, (guest, signal) => {
        if (!guest) throw absent(serverId)
        return work(guest, signal)
      }),
    fetchImage,
    start(guest) {
      if (guest.migrated_away) throw conflict('The server has left this host by live migration.', { code: 'left' })
      guest.power_state = 'running'
      guest.started_at = world.clock.now()
      guest.console += `${Array.from({ length: 12 }, (_, line) => `[    0.${String(line).padStart(6, '0')}] fake guest ${guest.spec.name} starts`).join('\n')}\n${guest.spec.name} login: \n`
    },
    async make(spec, source, signal) {
      const disks: FakeGuest['disks'] = new Map()
      if (spec.root.from === 'image') {
        await fetchImage(spec.root.image_id, source, signal)
        disks.set('root', { content: `image:${spec.root.image_id}`, size_gb: spec.root.size_gb })
      }
      for (const id of [spec.kernel_id, spec.ramdisk_id]) if (id !== undefined) await fetchImage(id, source, signal)
      spec.ephemerals.forEach(({ size_gb }, index) => disks.set(`ephemeral${index}`, { content: '', size_gb }))
      if (spec.swap_mb > 0) disks.set('swap', { content: '', size_gb: spec.swap_mb / 1_024 })
      if (source.disk) for (const name of disks.keys()) await source.disk(name, '/dev/null', signal)
      signal.throwIfAborted()
      const { config_drive, ...kept } = spec
      const guest: FakeGuest = {
        spec: kept,
        config_drive: config_drive !== undefined,
        power_state: 'shutdown',
        started_at: 0,
        disks,
        console: '',
        passwords: new Map(),
        interrupts: 0,
      }
      host.guests.set(spec.server_id, guest)
      return guest
    },
  }
}

async function meet(world: World, host: FakeHost, operation: string, signal: AbortSignal): Promise<void> {
  const storm = host.storm(operation)
  const delay = host.delay(operation) + (storm?.slow ?? 0)
  if (delay > 0) await world.clock.sleep(delay, signal)
  if (storm?.fault) throw storm.fault
  host.meet(operation)
}

function present(host: FakeHost, serverId: string): FakeGuest {
  const guest = host.guests.get(serverId)
  if (!guest) throw absent(serverId)
  return guest
}

function absent(serverId: string) {
  return notFound(`Server ${serverId} is not on this host.`)
}

function isOff(state: PowerState): boolean {
  return state === 'shutdown' || state === 'crashed' || state === 'nostate'
}

function letsGo(guest: FakeGuest): void {
  if (guest.deaf && guest.power_state === 'running') throw timedOut('The guest did not release the device.')
}

/** The old spec with what is new of volumes and cards, and with where the others are now. */
function united(old: FakeGuest['spec'], wish: GuestSpec): FakeGuest['spec'] {
  const newNics = wish.nics.filter((nic) => !old.nics.some((one) => one.port_id === nic.port_id))
  const newVolumes = wish.volumes.filter((volume) => !old.volumes.some((one) => one.volume_id === volume.volume_id))
  return { ...old, nics: [...old.nics, ...newNics], volumes: [...old.volumes, ...newVolumes] }
}

function checkSpec(spec: GuestSpec): void {
  if (!Number.isInteger(spec.vcpus) || spec.vcpus < 1) throw invalid('vcpus must be a positive whole number.', { field: 'vcpus' })
  if (!Number.isInteger(spec.memory_mb) || spec.memory_mb < 1) throw invalid('memory_mb must be a positive whole number.', { field: 'memory_mb' })
  const { root } = spec
  if (root.from === 'volume' && !spec.volumes.some((volume) => volume.volume_id === root.volume_id)) {
    throw invalid('The root volume is not among the volumes.', { field: 'root' })
  }
}

function lastLines(text: string, count: number): string {
  const lines = text.split('\n')
  const ended = lines.at(-1) === ''
  if (ended) lines.pop()
  return lines.slice(Math.max(0, lines.length - count)).join('\n') + (ended && count > 0 ? '\n' : '')
}
