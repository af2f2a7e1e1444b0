/** VDI (VirtualBox): a fixed header; differences to a parent are refused. */
import { type Inspection, broken, problem, sizeOf } from './inspection.ts'

const SIGNATURE = 0xbeda107f
const HEADER = 0x200

export function isVdi(head: Buffer): boolean {
  return head.length >= 68 && head.readUInt32LE(64) === SIGNATURE
}

// oxlint-disable-next-line require-yield -- all of the header is in the head
export function* inspectVdi(head: Buffer): Inspection {
  const format = 'vdi'
  if (head.length < HEADER) return broken(format, 'the file is too short')
  const type = head.readUInt32LE(0x4c)
  const linked = !isZero(head.subarray(0x1a8, 0x1b8)) || !isZero(head.subarray(0x1b8, 0x1c8))
  if (type === 3 || type === 4 || linked) return { format, problem: problem('backing_file', 'The vdi image is a difference to a parent.') }
  if (type !== 1 && type !== 2) return broken(format, `image type ${type}`)
  const virtual_size = sizeOf(head.readBigUInt64LE(0x170))
  const block = head.readUInt32LE(0x178)
  const blocks = head.readUInt32LE(0x180)
  if (virtual_size === undefined) return broken(format, 'the size is beyond every disk')
  if (block < 512 || (block & (block - 1)) !== 0 || blocks * block < virtual_size) return broken(format, 'the block table is smaller than the disk')
  return { format, virtual_size, subformat: type === 1 ? 'dynamic' : 'static' }
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0)
}
