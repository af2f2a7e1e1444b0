/**
 * Part of a file as a body. Whoever reads it as a stream gets one; a socket is filled from one buffer that is used again and again, which
 * costs a third of what fresh memory for every piece does.
 */
import { Readable, type Writable } from 'node:stream'
import { giveSlab, takeSlab } from '#base/hash/arena.ts'
import type { OpenFile } from '#base/open-file.ts'

/** Pieces begin at `start` and are of this size, or of a multiple of it; only the last is shorter. */
export const PIECE = 64 * 1024
/** What is sent before others have their turn. */
const TURN = 1 << 20

/** What of a piece (which stands in the file at `at`) is to be sent; throws when it must not be. */
export type Judge = (piece: Buffer, at: number) => Buffer

export class FileBody extends Readable {
  readonly #file: Pick<OpenFile, 'read' | 'close'>
  #at: number
  readonly #end: number
  readonly #judge: Judge | undefined

  /** From byte `start` up to, and without, `end`. Closes the file in the end. `judge` sees every piece before it leaves. */
  constructor(file: Pick<OpenFile, 'read' | 'close'>, start: number, end: number, judge?: Judge) {
    super({ highWaterMark: 1 << 20, autoDestroy: true })
    this.#file = file
    this.#at = start
    this.#end = end
    this.#judge = judge
  }

  override _read(): void {
    const size = Math.min(1 << 20, this.#end - this.#at)
    if (size <= 0) {
      this.push(null)
      return
    }
    this.#readOn(Buffer.allocUnsafeSlow(size), size).then((piece) => this.push(piece), (thrown: Error) => void this.destroy(thrown))
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // Not before a read that is under way has ended.
    Promise.resolve(this.#reading).catch(() => {}).then(() => this.#file.close()).then(
      () => done(error),
      (thrown: Error) => done(error ?? thrown),
    )
  }

  #reading: Promise<number> | undefined

  async #readOn(buffer: Buffer, size: number): Promise<Buffer> {
    const reading = this.#file.read(buffer, size, this.#at)
    let count: number
    if (typeof reading === 'number') count = reading
    else {
      this.#reading = reading
      count = await reading
      this.#reading = undefined
    }
    // An end before the end would pass for the whole with who counts no bytes.
    if (count === 0) throw new Error('The file is shorter than it was')
    const read = count < buffer.length ? buffer.subarray(0, count) : buffer
    const piece = this.#judge ? this.#judge(read, this.#at) : read
    this.#at += count
    return piece
  }

  /** Writes all of it and ends `target`. Rejects when the file or the target breaks. */
  async pumpTo(target: Writable): Promise<void> {
    const slab = takeSlab()
    const buffer = slab?.bytes ?? Buffer.allocUnsafeSlow(PIECE * 4)
    let broken: Error | undefined
    let writing: ((thrown: Error) => void) | undefined
    const broke = (thrown?: Error): void => {
      broken ??= thrown ?? new Error('The client closed the connection')
      writing?.(broken)
    }
    const write = (piece: Buffer): Promise<void> =>
      new Promise((resolve, reject) => {
        if (broken) return reject(broken)
        writing = reject
        target.write(piece, (failed) => {
          writing = undefined
          if (failed) reject(failed)
          else resolve()
        })
      })
    target.on('error', broke)
    target.on('close', broke)
    try {
      for (let sent = 0; this.#at < this.#end; ) {
        const piece = await this.#readOn(buffer, Math.min(buffer.length, this.#end - this.#at))
        // The buffer is free again only when all before has left.
        await write(piece)
        sent += piece.length
        if (sent >= TURN) {
          sent = 0
          await new Promise(setImmediate)
        }
      }
      target.end()
      this.destroy()
    } catch (thrown) {
      // Who listens hears what it was; who does not is told by the rejection.
      this.on('error', () => {})
      this.destroy(thrown as Error)
      throw thrown
    } finally {
      if (slab) {
        if (writing && !target.closed) target.once('close', () => giveSlab(slab))
        else giveSlab(slab)
      }
    }
  }
}
