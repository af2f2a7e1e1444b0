/**
 * Part of a file as a body. Whoever reads it as a stream gets one; a socket is filled from two buffers that are used again and again, which
 * costs a third of what fresh memory for every piece does.
 */
import type { FileHandle } from 'node:fs/promises'
import { Readable, type Writable } from 'node:stream'

/** Pieces begin at `start` and are of this size, or of a multiple of it; only the last is shorter. */
export const PIECE = 256 * 1024

/** What of a piece (which stands in the file at `at`) is to be sent; throws when it must not be. */
export type Judge = (piece: Buffer, at: number) => Buffer

export class FileBody extends Readable {
  readonly #file: FileHandle
  #at: number
  readonly #end: number
  readonly #judge: Judge | undefined

  /** From byte `start` up to, and without, `end`. Closes the file in the end. `judge` sees every piece before it leaves. */
  constructor(file: FileHandle, start: number, end: number, judge?: Judge) {
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
    this.#file.read(Buffer.allocUnsafeSlow(size), 0, size, this.#at).then(
      ({ bytesRead, buffer }) => {
        const piece = bytesRead < size ? buffer.subarray(0, bytesRead) : buffer
        const judged = this.#judge && bytesRead > 0 ? this.#judge(piece, this.#at) : piece
        // An end before the end would pass for the whole with who counts no bytes.
        if (bytesRead === 0) throw new Error('The file is shorter than it was')
        this.#at += bytesRead
        this.push(judged)
      },
    ).catch((thrown: Error) => void this.destroy(thrown))
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#file.close().then(
      () => done(error),
      (thrown: Error) => done(error ?? thrown),
    )
  }

  /** Writes all of it and ends `target`. Rejects when the file or the target breaks. */
  async pumpTo(target: Writable): Promise<void> {
    const gone = new Promise<never>((_, reject) => {
      target.once('error', reject)
      target.once('close', () => reject(new Error('The client closed the connection')))
    })
    gone.catch(() => {})
    try {
      const buffers = [Buffer.allocUnsafeSlow(PIECE), Buffer.allocUnsafeSlow(PIECE)] as const
      let written: Promise<void> = Promise.resolve()
      for (let turn = 0; this.#at < this.#end; turn ^= 1) {
        const buffer = buffers[turn]!
        const { bytesRead } = await this.#file.read(buffer, 0, Math.min(PIECE, this.#end - this.#at), this.#at)
        if (bytesRead === 0) throw new Error('The file is shorter than it was')
        const read = buffer.subarray(0, bytesRead)
        const piece = this.#judge ? this.#judge(read, this.#at) : read
        this.#at += bytesRead
        // The other buffer is free again only when all before has left.
        await Promise.race([written, gone])
        written = new Promise((resolve, reject) => target.write(piece, (failed) => (failed ? reject(failed) : resolve())))
        // It may fail while the file is being read, when nobody waits for it yet.
        written.catch(() => {})
      }
      await Promise.race([written, gone])
      target.end()
      this.destroy()
    } catch (thrown) {
      // Who listens hears what it was; who does not is told by the rejection.
      this.on('error', () => {})
      this.destroy(thrown as Error)
      throw thrown
    }
  }
}
