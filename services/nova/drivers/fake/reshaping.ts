/** The fake's verbs that change what a guest is: snapshot, rebuild, resize, move, rescue. */
import { conflict, invalid, notFound } from '#base/fault.ts'
import type { Movable, Rebuildable, Rescuable, Resizable, Snapshotable } from '../interface.ts'
import type { FakeParts } from './driver.ts'
import type { FakeDisk } from './host.ts'

export interface FakeReshaping {
  snapshotable: Snapshotable
  rebuildable: Rebuildable
  resizable: Resizable
  movable: Movable
  rescuable: Rescuable
}

const copied = (disks: ReadonlyMap<string, FakeDisk>): Map<string, FakeDisk> => new Map([...disks].map(([name, disk]) => [name, { ...disk }]))
const GIB = 2 ** 30

export function fakeReshaping({ act, make, start, fetchImage }: FakeParts): FakeReshaping {
  return {
    snapshotable: {
      snapshot: (serverId) =>
        act('snapshot', serverId, (guest) => {
          const root = guest.disks.get('root')
          if (!root) throw conflict('The server has no root disk of its own.')
          return { size: root.content.length, virtual_size: root.size_gb * GIB }
        }),
    },
    rebuildable: {
      ensureRebuilt: (spec, source, rebuild) =>
        act('ensureRebuilt', spec.server_id, async (old, signal) => {
          if (old.rebuild_id === rebuild.rebuild_id) {
            if (rebuild.power === 'running' && old.power_state === 'shutdown') start(old)
            return
          }
          const made = await make(spec, source, signal)
          made.spec = { ...made.spec, volumes: old.spec.volumes, nics: old.spec.nics }
          if (rebuild.preserve_ephemeral) for (const [name, disk] of old.disks) if (name.startsWith('ephemeral')) made.disks.set(name, disk)
          made.rebuild_id = rebuild.rebuild_id
          if (rebuild.power === 'running') start(made)
        }),
    },
    resizable: {
      ensureResized: (spec, { resize_id }) =>
        act('ensureResized', spec.server_id, (guest) => {
          if (guest.resize?.resize_id === resize_id) return
          if (guest.resize) throw conflict('Another resize waits to be confirmed or reverted.')
          const root = guest.disks.get('root')
          if (root && spec.root.from === 'image' && spec.root.size_gb !== 0 && spec.root.size_gb < root.size_gb) {
            throw invalid('A root disk cannot shrink.', { field: 'size_gb' })
          }
          guest.power_state = 'shutdown'
          guest.resize = { resize_id, spec: guest.spec, disks: copied(guest.disks) }
          const { config_drive: _, ...kept } = spec
          guest.spec = { ...kept, root: resized(guest.spec.root, spec.root), volumes: guest.spec.volumes, nics: guest.spec.nics }
          if (root && spec.root.from === 'image') root.size_gb = Math.max(root.size_gb, spec.root.size_gb)
        }),
      confirmResize: (serverId) => act('confirmResize', serverId, (guest) => void delete guest.resize),
      revertResize: (serverId) =>
        act('revertResize', serverId, (guest) => {
          if (!guest.resize) return
          guest.power_state = 'shutdown'
          guest.spec = { ...guest.resize.spec, volumes: guest.spec.volumes, nics: guest.spec.nics }
          guest.disks = guest.resize.disks
          delete guest.resize
        }),
    },
    movable: {
      disksToMove: (serverId) => act('disksToMove', serverId, (guest) => [...guest.disks].map(([name, disk]) => ({ name, virtual_size: disk.size_gb * GIB }))),
      exportDisk: (serverId, name) =>
        act('exportDisk', serverId, (guest) => {
          if (guest.power_state !== 'shutdown') throw conflict('The server is not off.')
          const disk = guest.disks.get(name)
          if (!disk) throw notFound(`There is no disk ${name}.`)
          return { size: disk.content.length }
        }),
    },
    rescuable: {
      rescue: (serverId, rescue, source) =>
        act('rescue', serverId, async (guest, signal) => {
          if (guest.rescue_image === rescue.image_id && guest.power_state === 'running') return
          await fetchImage(rescue.image_id, source, signal)
          guest.rescue_image = rescue.image_id
          start(guest)
        }),
      unrescue: (serverId) =>
        act('unrescue', serverId, (guest) => {
          if (guest.rescue_image === undefined && guest.power_state !== 'shutdown') return
          delete guest.rescue_image
          start(guest)
        }),
    },
  }
}

function resized<R extends { from: string }>(old: R, wish: R): R {
  return old.from === wish.from ? wish : old
}
