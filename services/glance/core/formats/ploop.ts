/** ploop (Parallels, Virtuozzo). */
import { type Inspection, broken, hasText, sizeOf } from './inspection.ts'

const OLD = 'WithoutFreeSpace'
const EXTENDED = 'WithouFreSpacExt'

export function isPloop(head: Buffer): boolean {
  return hasText(head, 0, OLD) || hasText(head, 0, EXTENDED)
}

// oxlint-disable-next-line require-yield -- all of the header is in the head
export function* inspectPloop(head: Buffer): Inspection {
  const format = 'ploop'
  if (head.length < 64) return broken(format, 'the file is too short')
  const version = head.readUInt32LE(16)
  if (version !== 2) return broken(format, `version ${version}`)
  const cluster = head.readUInt32LE(28)
  const entries = head.readUInt32LE(32)
  // The old form has 32 bits of size; what follows them is not defined.
  const sectors = hasText(head, 0, OLD) ? BigInt(head.readUInt32LE(36)) : head.readBigUInt64LE(36)
  const virtual_size = sizeOf(sectors * 512n)
  if (virtual_size === undefined) return broken(format, 'the size is beyond every disk')
  if (cluster === 0 || entries * cluster * 512 < virtual_size) return broken(format, 'the block table is smaller than the disk')
  return { format, virtual_size }
}
