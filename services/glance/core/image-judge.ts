/**
 * May this image become active? Compares what was declared with what was found (threats A1–A6). The answer names the problem in a
 * sentence for the user; the caller turns it into a 4xx and keeps the image out of `active`.
 */
import { type DetectedFormat, type Layout, type Problem, problem } from './formats/inspection.ts'

export interface ImageClaim {
  /** As the image says: `qcow2`, `raw`, `aki` … */
  disk_format: string
  /** As the image says. Inside `ova`, `docker` and `compressed` stands an archive, which is never opened as a disk. */
  container_format?: string
}

export interface ImageLimits {
  /** Bytes a guest may see of one image; default 16 TiB. */
  max_virtual_size?: number
}

export interface ImageFinding {
  detected_format: DetectedFormat
  /** Bytes; absent where the header does not say, and for archives. */
  virtual_size?: number
  subformat?: string
  problem?: Problem
}

const DEFAULT_MAX_VIRTUAL_SIZE = 16 * 2 ** 40
const ARCHIVES = new Set(['ova', 'docker', 'compressed'])

/** What the bytes may turn out to be for each declared format. Kernels, ramdisks and root file systems are bytes like raw. */
const MAY_BE: Readonly<Record<string, readonly DetectedFormat[]>> = {
  raw: ['raw'],
  aki: ['raw'],
  ari: ['raw'],
  ami: ['raw'],
  qcow2: ['qcow2'],
  vmdk: ['vmdk'],
  vhd: ['vhd'],
  vhdx: ['vhdx'],
  vdi: ['vdi'],
  iso: ['iso'],
  luks: ['luks'],
  ploop: ['ploop'],
}

export function judgeImage(found: Layout, claim: ImageClaim, limits: ImageLimits = {}): ImageFinding {
  if (ARCHIVES.has(claim.container_format ?? 'bare')) return { detected_format: 'raw' }
  const finding: ImageFinding = {
    detected_format: found.format,
    ...(found.virtual_size === undefined ? {} : { virtual_size: found.virtual_size }),
    ...(found.subformat === undefined ? {} : { subformat: found.subformat }),
  }
  const why = found.problem ?? judgeFormat(found, claim.disk_format) ?? judgeSize(found, limits.max_virtual_size ?? DEFAULT_MAX_VIRTUAL_SIZE)
  return why ? { ...finding, problem: why } : finding
}

function judgeFormat(found: Layout, declared: string): Problem | undefined {
  const allowed = MAY_BE[declared]
  if (!allowed) return problem('unsupported', `Disk format ${declared} is not supported.`)
  if (allowed.includes(found.format)) return undefined
  return found.format === 'raw'
    ? problem('unrecognised', `The image is declared as ${declared} but its content is not ${declared}.`)
    : problem('mismatch', `The image is declared as ${declared} but its content is ${found.format}.`)
}

function judgeSize(found: Layout, limit: number): Problem | undefined {
  if (found.virtual_size === undefined || found.virtual_size <= limit) return undefined
  return problem('too_big', `The image has a virtual size of ${found.virtual_size} bytes, more than the limit of ${limit}.`)
}
