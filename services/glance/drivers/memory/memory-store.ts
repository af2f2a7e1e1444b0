/** Image bytes in memory: gone with the process. The specification in small, and the store of clouds that live for a test. */
import { Readable } from 'node:stream'
import { notFound } from '#base/fault.ts'
import type { StoreDriver } from '../interface.ts'
import { checkedId } from '../ids.ts'

/** `now` gives milliseconds. */
export function memoryStore(now: () => number): StoreDriver {
  const kept = new Map<string, { bytes: Buffer; written_at: number }>()
  const held = (id: string): { bytes: Buffer; written_at: number } => {
    const found = kept.get(checkedId(id))
    if (!found) throw notFound(`No image data found for image ${id}`)
    return found
  }
  return {
    name: 'memory',
    async write(id, source) {
      checkedId(id)
      const chunks: Uint8Array[] = []
      // A chunk belongs to its source, which may use it again.
      for await (const chunk of source) chunks.push(Buffer.from(chunk))
      const bytes = Buffer.concat(chunks)
      kept.set(id, { bytes, written_at: now() })
      return bytes.length
    },
    async read(id, range) {
      const { bytes } = held(id)
      return { size: bytes.length, stream: Readable.from([bytes.subarray(range?.start ?? 0, range?.end === undefined ? undefined : range.end + 1)], { objectMode: false }) }
    },
    size: async (id) => kept.get(checkedId(id))?.bytes.length,
    async ensureNo(id) {
      kept.delete(checkedId(id))
    },
    list: async () => [...kept].map(([id, { bytes, written_at }]) => ({ id, size: bytes.length, written_at })),
    // A write that was killed took its bytes with it.
    async sweep() {},
    async move(from, to) {
      const moved = held(from)
      kept.set(checkedId(to), moved)
      kept.delete(from)
    },
  }
}
