/**
 * A backend's volumes at its storage daemon: a volume's file is open there while it is connected, or for the moment of a snapshot.
 * Callers hold the volume's line. The daemon's answers are the truth about what is served, `connections.json` about what should be.
 */
import type { Random } from '#base/random.ts'
import type { NbdExport, StorageDaemon } from '#host/qsd.ts'
import type { Connections, Place } from './place.ts'

const TEMPORARY = 'tmp-'

export interface Serving {
  /** Brings exports in line with what is written down. */
  ensureServed(volumeId: string): Promise<void>
  /** Closes the file where nobody is connected. */
  settle(volumeId: string): Promise<void>
  cutOff(volumeId: string, connectionId: string): Promise<void>
  /** Runs `work` with the file open at the daemon. */
  withNode<T>(volumeId: string, work: (node: string) => Promise<T>): Promise<T>
  /** Runs `work` while nobody is connected, and connects them again: what a change of size needs. */
  withoutExports<T>(volumeId: string, work: (node: string) => Promise<T>): Promise<T>
  isOpen(volumeId: string): Promise<boolean>
  /** A snapshot for the time of a copy; `drop` it afterwards. What a killed process left is dropped with the next one. */
  takeTemporary(volumeId: string): Promise<string>
  dropTemporary(volumeId: string, name: string): Promise<void>
}

/** At most 31 characters: the id without dashes loses its last two. */
export function nodeName(volumeId: string): string {
  return `v${volumeId.replaceAll('-', '').slice(0, 30)}`
}

/** What clients ask for: an export of its own for each connection, so that one can be cut off and the others not. */
export function exportName(volumeId: string, connectionId: string): string {
  return `${volumeId}.${connectionId}`
}

export function serving(daemon: StorageDaemon, place: Place, random: Random): Serving {
  const temporaries = new Set<string>()
  const exportId = (volumeId: string, connectionId: string): string => `x${volumeId}.${connectionId}`

  async function openNode(volumeId: string): Promise<string> {
    const name = nodeName(volumeId)
    if (await daemon.hasNode(name)) return name
    await daemon.ensureNode({ driver: 'qcow2', 'node-name': name, discard: 'unmap', file: { driver: 'file', filename: place.disk(volumeId), discard: 'unmap' } })
    for (const snapshot of await daemon.snapshots(name)) {
      if (snapshot.startsWith(TEMPORARY) && !temporaries.has(snapshot)) await daemon.deleteSnapshot(name, snapshot)
    }
    return name
  }

  async function ensureExports(volumeId: string, connections: Connections): Promise<void> {
    for (const [id, { mode }] of Object.entries(connections)) {
      const wish: NbdExport = { id: exportId(volumeId, id), node: nodeName(volumeId), name: exportName(volumeId, id), writable: mode === 'rw' }
      await daemon.ensureExport(wish)
    }
  }

  const self: Serving = {
    async ensureServed(volumeId) {
      const connections = await place.connections(volumeId)
      if (Object.keys(connections).length === 0) return
      await openNode(volumeId)
      await ensureExports(volumeId, connections)
    },
    async settle(volumeId) {
      if (Object.keys(await place.connections(volumeId)).length === 0) await daemon.ensureNoNode(nodeName(volumeId))
    },
    cutOff: (volumeId, connectionId) => daemon.ensureNoExport(exportId(volumeId, connectionId)),
    async withNode(volumeId, work) {
      const node = await openNode(volumeId)
      try {
        return await work(node)
      } finally {
        await self.settle(volumeId)
      }
    },
    async withoutExports(volumeId, work) {
      const connections = await place.connections(volumeId)
      return self.withNode(volumeId, async (node) => {
        try {
          for (const id of Object.keys(connections)) await self.cutOff(volumeId, id)
          return await work(node)
        } finally {
          await ensureExports(volumeId, connections)
        }
      })
    },
    isOpen: (volumeId) => daemon.hasNode(nodeName(volumeId)),
    async takeTemporary(volumeId) {
      const name = `${TEMPORARY}${random.uuid()}`
      temporaries.add(name)
      try {
        await self.withNode(volumeId, (node) => daemon.snapshot([{ node, name }]))
      } catch (thrown) {
        temporaries.delete(name)
        throw thrown
      }
      return name
    },
    async dropTemporary(volumeId, name) {
      temporaries.delete(name)
      // The volume may have been deleted meanwhile.
      if ((await place.sizeOf(volumeId)) === undefined) return
      await self.withNode(volumeId, async (node) => {
        if ((await daemon.snapshots(node)).includes(name)) await daemon.deleteSnapshot(node, name)
      })
    },
  }
  return self
}
