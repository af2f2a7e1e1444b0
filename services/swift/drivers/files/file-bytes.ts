/** Bytes as files in one folder: small ones packed together, large ones a file each. */
import type { BytesDriver } from '../interface.ts'
import { largeFiles } from './large.ts'
import { packFiles } from './packs.ts'

/** Up to here an object shares a file with others. */
const SMALL = 64 << 10

export function fileBytes(dir: string, durability: 'safe' | 'fast', hexId: () => string): BytesDriver {
  const safe = durability === 'safe'
  const large = largeFiles(dir, safe, hexId)
  const packs = packFiles(dir, safe, hexId)
  const packed = (id: string): boolean => id.startsWith('p-')
  return {
    async write(source, length) {
      if (length !== undefined && length > SMALL) return large.write(source)
      // As long as it may be a small one, it is kept in memory.
      const chunks: Buffer[] = []
      let size = 0
      const rest = source[Symbol.asyncIterator]()
      for (;;) {
        const next = await rest.next()
        if (next.done) return packs.append(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
        // A piece is good until the next is asked for.
        chunks.push(Buffer.from(next.value))
        size += next.value.length
        if (size > SMALL) break
      }
      return large.write(
        (async function* () {
          yield* chunks
          for (;;) {
            const next = await rest.next()
            if (next.done) return
            yield next.value
          }
        })(),
      )
    },
    read: (id, start, end) => (packed(id) ? packs.read(id, start, end) : large.read(id, start, end)),
    async remove(ids) {
      for (const id of ids) {
        if (packed(id)) packs.remove(id)
        else await large.remove(id)
      }
    },
    verify: (id) => (packed(id) ? packs.verify(id) : large.verify(id)),
    quarantine: (id) => (packed(id) ? packs.quarantine(id) : large.quarantine(id)),
    async *list(before) {
      yield* large.list(before)
      yield* packs.list(before)
    },
    sweep: (before) => large.sweep(before),
    compact: (held, moved, before) => packs.compact(held, moved, before),
    close: () => packs.close(),
  }
}
