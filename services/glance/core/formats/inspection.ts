/**
 * How a format is looked at while its bytes stream past. A format is one generator: it is given the head of the file (the first
 * 64 KiB, or all of a shorter file), yields the further windows it wants to see, and returns what it found. It never sees more
 * than it asked for, so memory and time are bounded whatever the header claims; the engine (`image-probe.ts`) enforces that.
 * Windows are asked in rising order of offset, for the stream does not turn back.
 */

/** Bytes of the beginning that are always kept: enough for every magic, ISO 9660's at 32 KiB included. */
export const HEAD_BYTES = 64 * 1024
/** Bytes of the end that are always kept: the three last sectors, where VMDK has its footer. */
export const TAIL_BYTES = 1536
/** The largest window a format may ask for, and how many windows. */
export const WINDOW_BYTES = 128 * 1024
export const MAX_WINDOWS = 8

/** The formats that may be found. The last four are no `disk_format` of Glance and are always refused. */
export type DetectedFormat = 'raw' | 'qcow2' | 'vmdk' | 'vhd' | 'vhdx' | 'vdi' | 'iso' | 'luks' | 'ploop' | 'qed' | 'bochs' | 'cloop' | 'dmg'

/**
 * Why an image may not be used.
 * `mismatch`: the bytes are another format than declared. `unrecognised`: a container format was declared and the bytes are none
 * that is known (not dangerous by itself: a tool told the format will fail to open them).
 */
export type ProblemCode =
  | 'backing_file' // it reads another file, or is a difference to a parent
  | 'data_file'
  | 'unknown_feature'
  | 'subformat'
  | 'host_path'
  | 'malformed'
  | 'unsupported'
  | 'too_big'
  | 'mismatch'
  | 'unrecognised'

export interface Problem {
  readonly code: ProblemCode
  /** One sentence for the user; holds no bytes of the image beyond short words of its header. */
  readonly reason: string
}

/** What one format's generator returns. `virtual_size` is in bytes: what a guest will see. */
export interface Layout {
  readonly format: DetectedFormat
  readonly virtual_size?: number
  /** `monolithicSparse`, `dynamic`, `gpt` …: the sub-type, where there is one. */
  readonly subformat?: string
  readonly problem?: Problem
}

/** A window at an offset, or the last bytes of the file with its size. */
export type Want = { readonly at: number; readonly length: number } | { readonly tail: number }

/** The bytes wanted, shorter when the file ended; `size` is that of the whole file and is known for a tail only. */
export interface Piece {
  readonly bytes: Buffer
  readonly size: number
}

export type Inspection = Generator<Want, Layout, Piece>

export function problem(code: ProblemCode, reason: string): Problem {
  return { code, reason }
}

/** A layout that is refused for its shape. */
export function broken(format: DetectedFormat, reason: string): Layout {
  return { format, problem: problem('malformed', `The ${format} header is not valid: ${reason}.`) }
}

/** A 64-bit size as a number, or undefined when no disk can be that big (2^53 and more). */
export function sizeOf(value: bigint): number | undefined {
  return value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined
}

/** True when `bytes` has the ASCII (or latin1) text at the offset. */
export function hasText(bytes: Buffer, offset: number, text: string): boolean {
  return bytes.length >= offset + text.length && bytes.toString('latin1', offset, offset + text.length) === text
}
