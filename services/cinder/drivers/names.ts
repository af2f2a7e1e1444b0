/** Rules for ids, sizes and order that every driver keeps. */
import { isUuid } from '#base/ids.ts'
import { invalid } from '#base/fault.ts'
import type { Connector, SnapshotRef, VolumeWish } from './interface.ts'

export const GIB = 2 ** 30

/** Ids become names of files and exports: nothing but a UUID may pass. */
export function checkVolumeId(volumeId: string): void {
  if (!isUuid(volumeId)) throw invalid('A volume id is a UUID.', { field: 'volume_id' })
}

export function checkSnapshot(snapshot: SnapshotRef): void {
  checkVolumeId(snapshot.volume_id)
  if (!isUuid(snapshot.snapshot_id)) throw invalid('A snapshot id is a UUID.', { field: 'snapshot_id' })
}

export function checkConnectionId(connectionId: string): void {
  if (!/^[\w-]{1,64}$/.test(connectionId)) throw invalid('A connection id is a word of at most 64 letters, digits, dashes and underscores.', { field: 'connection_id' })
}

export function checkConnector(connector: Connector): void {
  checkConnectionId(connector.connection_id)
  if (connector.host === '') throw invalid('The connector names no host.', { field: 'host' })
}

/** The size in bytes. */
export function checkSizeGb(sizeGb: number): number {
  if (!Number.isInteger(sizeGb) || sizeGb < 1 || sizeGb > 2 ** 20) throw invalid('A volume size is a whole number of GiB, at least 1.', { field: 'size_gb' })
  return sizeGb * GIB
}

export function checkWish(wish: VolumeWish): number {
  checkVolumeId(wish.volume_id)
  if (wish.source.from === 'snapshot') checkSnapshot(wish.source)
  if (wish.source.from === 'volume') checkVolumeId(wish.source.volume_id)
  return checkSizeGb(wish.size_gb)
}

export type VolumeLine = <T>(volumeId: string, work: () => Promise<T>) => Promise<T>

/** One thing at a time per volume, in order of asking. */
export function volumeLine(): VolumeLine {
  const tails = new Map<string, Promise<unknown>>()
  return (volumeId, work) => {
    const turn = (tails.get(volumeId) ?? Promise.resolve()).then(work)
    const tail: Promise<unknown> = turn
      .catch(() => {})
      .finally(() => {
        if (tails.get(volumeId) === tail) tails.delete(volumeId)
      })
    tails.set(volumeId, tail)
    return turn
  }
}
