/** VHD ("vpc" to QEMU): a dynamic disk begins with a copy of its footer; a fixed one has the footer at its end only. */
import { type Inspection, type Layout, broken, hasText, problem, sizeOf } from './inspection.ts'

const MAGIC = 'conectix'
const FIXED = 2
const DYNAMIC = 3
const DIFFERENCING = 4
export const VHD_FOOTER = 512

export function isVhd(bytes: Buffer): boolean {
  return hasText(bytes, 0, MAGIC)
}

export function* inspectVhd(head: Buffer): Inspection {
  const front = readFooter(head)
  if (front.problem) return front
  if (front.subformat !== 'dynamic') return broken('vhd', 'a fixed disk begins with a footer')
  const tableAt = head.readBigUInt64BE(16)
  if (tableAt > BigInt(head.length - 1024)) return broken('vhd', 'the dynamic header is too far from the beginning')
  const at = Number(tableAt)
  if (!hasText(head, at, 'cxsparse')) return broken('vhd', 'the dynamic header is missing')
  const entries = head.readUInt32BE(at + 28)
  const block = head.readUInt32BE(at + 32)
  if (block < 512 || (block & (block - 1)) !== 0) return broken('vhd', 'block size')
  if (entries * block < front.virtual_size!) return broken('vhd', 'the block table is smaller than the disk')
  const { bytes: tail } = yield { tail: VHD_FOOTER }
  if (!isVhd(tail)) return front
  const back = readFooter(tail)
  if (back.problem) return back
  if (back.subformat !== front.subformat || back.virtual_size !== front.virtual_size) return broken('vhd', 'header and footer differ')
  return front
}

/** Judges a footer, wherever it stood. `size` (of the file) bounds a fixed disk. */
export function readFooter(bytes: Buffer, size?: number): Layout {
  const format = 'vhd'
  if (bytes.length < VHD_FOOTER) return broken(format, 'the file is too short')
  const type = bytes.readUInt32BE(60)
  if (type === DIFFERENCING) return { format, subformat: 'differencing', problem: problem('backing_file', 'The vhd image is a difference to a parent.') }
  if (type !== FIXED && type !== DYNAMIC) return broken(format, `disk type ${type}`)
  const virtual_size = sizeOf(bytes.readBigUInt64BE(48))
  if (virtual_size === undefined) return broken(format, 'the size is beyond every disk')
  if (type === FIXED && size !== undefined && virtual_size > size) return broken(format, 'a fixed disk is larger than its file')
  return { format, virtual_size, subformat: type === FIXED ? 'fixed' : 'dynamic' }
}
