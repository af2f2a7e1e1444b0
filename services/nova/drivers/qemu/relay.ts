/**
 * Volumes that are reached over the network, for guests in a namespace that reaches nothing: a storage daemon in the host's own namespace
 * connects to them and serves each to its guest on a unix socket. The daemon outlives the agent, as guests do; what it serves stands in
 * `<data>/relays.json` and is brought back after either died.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { World } from '#base/world.ts'
import { readJson, writeDurably } from '#host/durable-file.ts'
import { StorageDaemon } from '#host/qsd.ts'
import type { ConnectionInfo, VolumeSpec } from '../interface.ts'
import { protocolNode } from './connection.ts'

export interface Relay {
  /** The same volume as the guest reaches it. Local ones stay as they are. */
  ensure(serverId: string, volume: VolumeSpec): Promise<VolumeSpec>
  /** Connects anew: the volume has grown. The guest's requests wait meanwhile. */
  renew(serverId: string, volumeId: string): Promise<void>
  /** Of one volume, or of all of a guest. */
  drop(serverId: string, volumeId?: string): Promise<void>
  close(): Promise<void>
}

interface Relayed {
  server_id: string
  volume_id: string
  connection: ConnectionInfo
  read_only: boolean
}

const RESTORE_AGAIN = 2_000

export async function volumeRelay(world: World, data: string, run: string): Promise<Relay> {
  const path = join(data, 'relays.json')
  const log = world.log.module('nova.relay')
  const known = new Map(Object.entries((await readJson<Record<string, Relayed>>(path)) ?? {}))
  let closed = false
  let daemon: StorageDaemon | undefined
  let turn: Promise<unknown> = Promise.resolve()
  /** One change at a time. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const next = turn.then(work, work)
    turn = next.catch(() => {})
    return next
  }
  const folder = join(run, 'relay')
  const opened = async (): Promise<StorageDaemon> => {
    daemon ??= new StorageDaemon({ run_folder: folder, on_lost: () => restoreLater(100) })
    await daemon.open()
    return daemon
  }
  const save = (): Promise<void> => writeDurably(path, JSON.stringify(Object.fromEntries(known)))

  const serve = async (key: string, one: Relayed): Promise<void> => {
    const qsd = await opened()
    await qsd.ensureNode({ ...protocolNode(one.connection), 'node-name': key, ...(one.read_only ? { 'read-only': true } : {}), discard: 'unmap' })
    await qsd.ensureExport({ id: key, node: key, name: key, writable: !one.read_only })
  }
  const stop = async (key: string): Promise<void> => {
    const qsd = await opened()
    await qsd.ensureNoExport(key)
    await qsd.ensureNoNode(key)
  }
  const restore = (): Promise<void> =>
    inTurn(async () => {
      let failed = false
      for (const [key, one] of known) {
        if (closed) return
        await serve(key, one).catch((thrown: unknown) => {
          failed = true
          log.error('Failed to reach a volume of a guest', { server: one.server_id, volume: one.volume_id, error: thrown })
        })
      }
      if (failed) restoreLater(RESTORE_AGAIN)
    })
  const restoreLater = (ms: number): void => void world.clock.after(ms, () => void (closed || restore()))

  if (known.size > 0) await restore()
  return {
    ensure: (serverId, volume) =>
      inTurn(async () => {
        if (!isFar(volume.connection)) return volume
        const key = keyOf(serverId, volume.volume_id)
        const read_only = volume.read_only === true || volume.connection.data.access_mode === 'ro'
        const wish: Relayed = { server_id: serverId, volume_id: volume.volume_id, connection: volume.connection, read_only }
        const before = known.get(key)
        if (JSON.stringify(before) !== JSON.stringify(wish)) {
          known.set(key, wish)
          await save()
          if (before) await stop(key)
        }
        await serve(key, wish)
        const { format = 'raw', access_mode } = volume.connection.data
        return { ...volume, connection: { driver_volume_type: 'nbd', data: { path: join(folder, 'nbd.sock'), export: key, format, ...(access_mode === undefined ? {} : { access_mode }) } } }
      }),
    renew: (serverId, volumeId) =>
      inTurn(async () => {
        const key = keyOf(serverId, volumeId)
        const one = known.get(key)
        if (!one) return
        await stop(key)
        await serve(key, one)
      }),
    drop: (serverId, volumeId) =>
      inTurn(async () => {
        for (const [key, one] of known) {
          if (one.server_id !== serverId || (volumeId !== undefined && one.volume_id !== volumeId)) continue
          await stop(key)
          known.delete(key)
          await save()
        }
      }),
    async close() {
      closed = true
      await turn
      await daemon?.close()
    },
  }
}

/** What QEMU would connect to by itself over the network. */
function isFar({ driver_volume_type: type, data }: ConnectionInfo): boolean {
  return (type === 'nbd' && typeof data.path !== 'string') || type === 'rbd' || type === 'iscsi'
}

/** Of at most 31 characters, as QEMU's names are. */
function keyOf(serverId: string, volumeId: string): string {
  return `r${createHash('sha256').update(`${serverId} ${volumeId}`).digest('hex').slice(0, 30)}`
}
