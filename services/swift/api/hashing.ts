/** The bytes of an upload, hashed on their way: long ones gathered in a slab of the arena, where those of several uploads are hashed together. */
import { createHash } from 'node:crypto'
import { giveSlab, SMALL, takeSlab } from '#base/hash/arena.ts'
import { slabMd5 } from '#base/hash/md5.ts'

/**
 * Pieces are good until the next is asked for. `count` sees what comes, before anything is done with it, and may throw. `done` is told the MD5, in hexadecimal, when all has passed.
 * `length`: what was announced.
 */
export async function* hashing(source: AsyncIterable<Uint8Array>, length: number | undefined, count: (chunk: Uint8Array) => Uint8Array, done: (md5: string) => void): AsyncGenerator<Uint8Array> {
  const slab = length === undefined || length > SMALL ? takeSlab() : undefined
  if (!slab) {
    const md5 = createHash('md5')
    for await (const chunk of source) {
      md5.update(count(chunk))
      yield chunk
    }
    return done(md5.digest('hex'))
  }
  const md5 = slabMd5()
  const { bytes } = slab
  try {
    let filled = 0
    for await (const chunk of source) {
      count(chunk)
      md5.arrived()
      for (let from = 0; from < chunk.length; ) {
        const part = from === 0 && filled + chunk.length <= bytes.length ? chunk : chunk.subarray(from, from + bytes.length - filled)
        bytes.set(part, filled)
        filled += part.length
        from += part.length
        if (filled < bytes.length) continue
        const joined = md5.update(slab, filled)
        if (joined) await joined
        filled = 0
        yield bytes
      }
    }
    if (filled > 0) {
      const joined = md5.update(slab, filled)
      if (joined) await joined
      yield bytes.subarray(0, filled)
    }
    done(md5.digest())
  } finally {
    md5.end()
    giveSlab(slab)
  }
}
