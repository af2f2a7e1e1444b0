/**
 * Part of a file as a body. Whoever reads it as a stream gets one; a socket is filled from two buffers that are used again and again, which
 * costs a third of what fresh memory for every piece does.
 */
import type { FileHandle } from 'node:fs/promises'
import { Readable, type Writable } from 'node:stream'

const PIECE = 256 * 1024

export class FileBody extends Readable {
  readonly #file: FileHandle
  #at: number
  readonly #end: number

  /** From byte `start` up to, and without, `end`. Closes the file in the end. */
  constructor(file: FileHandle, start: number, end: number) {
    super({ highWaterMark: 1 << 20, autoDestroy: true })
    this.#file = file
    this.#at = start
    this.#end = end
  }

  override _read(): void {
    const size = Math.min(1 << 20, this.#end - this.#at)
    if (size <= 0) {
      this.push(null)
      return
    }
    this.#file.read(Buffer.allocUnsafeSlow(size), 0, size, this.#at).then(
      ({ bytesRead, buffer }) => {
        this.#at += bytesRead
        this.push(bytesRead === 0 ? null : bytesRead < size ? buffer.subarray(0, bytesRead) : buffer)
      },
      (thrown: Error) => this.destroy(thrown),
    )
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
        this.#at += bytesRead
        // The other buffer is free again only when all before has left.
        await Promise.race([written, gone])
        written = new Promise((resolve, reject) => target.write(buffer.subarray(0, bytesRead), (failed) => (failed ? reject(failed) : resolve())))
      }
      await Promise.race([written, gone])
      target.end()
    } finally {
      this.destroy()
    }
  }
}
