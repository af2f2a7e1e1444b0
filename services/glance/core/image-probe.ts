/**
 * Looks at an image while it is uploaded: feed every chunk to `write`, then ask `finish`. Memory is constant (the head, the tail
 * and one window), the work per chunk is a bounded copy, and the image is never held back or opened.
 *
 *     const probe = new ImageProbe()
 *     for await (const chunk of upload) { probe.write(chunk); if (probe.found && judgeImage(probe.found, claim).problem) …refuse early; await store(chunk) }
 *     const finding = judgeImage(probe.finish(), { disk_format: 'qcow2', container_format: 'bare' })
 */
import { inspectForeign, foreignFormat } from './formats/foreign.ts'
import { HEAD_BYTES, type Inspection, type Layout, MAX_WINDOWS, TAIL_BYTES, type Want, WINDOW_BYTES, broken } from './formats/inspection.ts'
import { inspectIso, isIso } from './formats/iso.ts'
import { inspectLuks, isLuks } from './formats/luks.ts'
import { inspectPloop, isPloop } from './formats/ploop.ts'
import { inspectQcow2, isQcow2 } from './formats/qcow2.ts'
import { inspectRaw } from './formats/raw.ts'
import { inspectVdi, isVdi } from './formats/vdi.ts'
import { inspectVhd, isVhd } from './formats/vhd.ts'
import { inspectVhdx, isVhdx } from './formats/vhdx.ts'
import { inspectVmdk, isVmdk } from './formats/vmdk.ts'

/** The first that knows the head wins: marks at offset 0 before ISO's, for a file that is both is opened by its first bytes. */
const FORMATS: readonly (readonly [(head: Buffer) => unknown, (head: Buffer) => Inspection])[] = [
  [isQcow2, inspectQcow2],
  [isVhdx, inspectVhdx],
  [isVhd, inspectVhd],
  [isLuks, inspectLuks],
  [isPloop, inspectPloop],
  [foreignFormat, inspectForeign],
  [isVmdk, inspectVmdk],
  [isVdi, inspectVdi],
  [isIso, inspectIso],
]

export interface ProbeFinding extends Layout {
  /** Bytes that passed. */
  readonly size: number
}

interface Window {
  at: number
  bytes: Buffer
  filled: number
}

export class ImageProbe {
  #head = Buffer.alloc(0)
  #headParts: Buffer[] = []
  #headSize = 0
  #tail = Buffer.alloc(0)
  #size = 0
  #inspection: Inspection | undefined
  #window: Window | undefined
  #windows = 0
  #wantsTail: number | undefined
  #found: Layout | undefined

  /** What is already certain before the end: a problem here will not go away. */
  get found(): Layout | undefined {
    return this.#found
  }

  write(chunk: Uint8Array): void {
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    this.#keepTail(bytes)
    if (!this.#inspection) {
      const part = bytes.subarray(0, HEAD_BYTES - this.#headSize)
      this.#headParts.push(Buffer.from(part))
      this.#headSize += part.length
      this.#size += part.length
      bytes = bytes.subarray(part.length)
      if (this.#headSize < HEAD_BYTES) return
      this.#begin()
    }
    while (bytes.length > 0) bytes = this.#pass(bytes)
  }

  /** Call once, after the last chunk. */
  finish(): ProbeFinding {
    if (!this.#inspection) this.#begin()
    while (!this.#found) {
      if (this.#window) this.#close(this.#window)
      else this.#step({ bytes: this.#tail.subarray(Math.max(0, this.#tail.length - (this.#wantsTail ?? 0))), size: this.#size })
    }
    return { ...this.#found, size: this.#size }
  }

  #begin(): void {
    this.#head = Buffer.concat(this.#headParts)
    this.#headParts = []
    const inspect = FORMATS.find(([knows]) => knows(this.#head))?.[1] ?? inspectRaw
    this.#inspection = inspect(this.#head)
    this.#settle(this.#inspection.next())
  }

  #step(piece: { bytes: Buffer; size: number }): void {
    this.#wantsTail = undefined
    this.#window = undefined
    this.#settle(this.#inspection!.next(piece))
  }

  #settle(result: IteratorResult<Want, Layout>): void {
    if (result.done) {
      this.#found = result.value
      this.#head = Buffer.alloc(0)
    } else if ('tail' in result.value) this.#wantsTail = Math.min(result.value.tail, TAIL_BYTES)
    else this.#open(result.value.at, result.value.length)
  }

  /** Begins a window, with what the head already has of it. */
  #open(at: number, length: number): void {
    const seen = Math.max(0, Math.min(this.#head.length, at + length) - at)
    if (++this.#windows > MAX_WINDOWS || length > WINDOW_BYTES || at + seen < Math.min(this.#size, at + length)) {
      // A window behind the stream and outside the head: no honest writer lays its tables out so.
      this.#found = broken(this.#inspectionFormat(), 'its tables are out of order')
      return
    }
    const window = { at, bytes: Buffer.alloc(length), filled: seen }
    if (seen > 0) this.#head.copy(window.bytes, 0, at, at + seen)
    this.#window = window
    if (seen === length) this.#close(window)
  }

  #close(window: Window): void {
    this.#step({ bytes: window.bytes.subarray(0, window.filled), size: this.#size })
  }

  /** Takes what the open window needs of the bytes; returns the rest. */
  #pass(bytes: Buffer): Buffer {
    const window = this.#window
    if (!window) {
      this.#size += bytes.length
      return bytes.subarray(bytes.length)
    }
    const next = window.at + window.filled
    const taken = Math.min(bytes.length, next > this.#size ? next - this.#size : window.bytes.length - window.filled)
    if (next <= this.#size) {
      bytes.copy(window.bytes, window.filled, 0, taken)
      window.filled += taken
    }
    this.#size += taken
    if (window.filled === window.bytes.length) this.#close(window)
    return bytes.subarray(taken)
  }

  #keepTail(bytes: Buffer): void {
    if (bytes.length >= TAIL_BYTES) this.#tail = Buffer.from(bytes.subarray(bytes.length - TAIL_BYTES))
    else {
      const joined = Buffer.concat([this.#tail, bytes])
      this.#tail = joined.length > TAIL_BYTES ? Buffer.from(joined.subarray(joined.length - TAIL_BYTES)) : joined
    }
  }

  #inspectionFormat(): Layout['format'] {
    return isVhdx(this.#head) ? 'vhdx' : isVmdk(this.#head) ? 'vmdk' : 'raw'
  }
}
