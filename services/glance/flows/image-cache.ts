/** Images kept near the API on an administrator's word. What waits is a hint and is forgotten when the process ends. */
import type { World } from '#base/world.ts'
import type { StoreDriver } from '../drivers/interface.ts'

export interface CachedImage {
  image_id: string
  hits: number
  /** Seconds since the epoch, as Glance writes them. */
  last_accessed: number
  last_modified: number
  size: number
}

export interface ImageCache {
  queue(imageId: string): void
  queued(): string[]
  list(): Promise<CachedImage[]>
  /** The bytes when they are here; counts as an access. */
  find(imageId: string): Promise<StoreDriver | undefined>
  drop(imageId: string): Promise<void>
  clear(which: 'queue' | 'cache' | 'both'): Promise<void>
  /** Drops what was not used for longest until no more than `bytes` are left. */
  prune(bytes: number): Promise<{ files: number; bytes: number }>
  /** Fetches what waits; `read` gives an image's bytes. */
  fill(read: (imageId: string) => Promise<AsyncIterable<Uint8Array> | undefined>): Promise<void>
}

export function imageCache(store: StoreDriver, world: World): ImageCache {
  const waiting = new Set<string>()
  const uses = new Map<string, { hits: number; at: number }>()
  const list = async (): Promise<CachedImage[]> =>
    (await store.list()).map(({ id, size, written_at }) => {
      const use = uses.get(id)
      return { image_id: id, hits: use?.hits ?? 0, last_accessed: (use?.at ?? written_at) / 1000, last_modified: written_at / 1000, size }
    })
  const drop = async (imageId: string): Promise<void> => {
    waiting.delete(imageId)
    uses.delete(imageId)
    known?.delete(imageId)
    await store.ensureNo(imageId)
  }
  let known: Set<string> | undefined
  return {
    queue: (imageId) => void waiting.add(imageId),
    queued: () => [...waiting],
    list,
    async find(imageId) {
      known ??= new Set((await store.list()).map((one) => one.id))
      if (!known.has(imageId)) return undefined
      const use = uses.get(imageId) ?? { hits: 0, at: 0 }
      uses.set(imageId, { hits: use.hits + 1, at: world.clock.now() })
      return store
    },
    drop,
    async clear(which) {
      if (which !== 'cache') waiting.clear()
      if (which !== 'queue') for (const { image_id } of await list()) await drop(image_id)
    },
    async prune(limit) {
      const all = (await list()).sort((a, b) => a.last_accessed - b.last_accessed)
      let left = all.reduce((sum, one) => sum + one.size, 0)
      const pruned = { files: 0, bytes: 0 }
      for (const one of all) {
        if (left <= limit) break
        await drop(one.image_id)
        left -= one.size
        pruned.files++
        pruned.bytes += one.size
      }
      return pruned
    },
    async fill(read) {
      for (const imageId of waiting) {
        const bytes = await read(imageId)
        if (bytes) await store.write(imageId, bytes)
        if (bytes && waiting.has(imageId)) known?.add(imageId)
        waiting.delete(imageId)
      }
    },
  }
}
