/**
 * What is none of the others. Its last sector is still looked at: a fixed VHD and a DMG carry their mark there. A partition table
 * is a fact about a raw disk, not a format of its own.
 */
import { type Inspection, hasText, problem } from './inspection.ts'
import { VHD_FOOTER, isVhd, readFooter } from './vhd.ts'

export function* inspectRaw(head: Buffer): Inspection {
  const { bytes: tail, size } = yield { tail: VHD_FOOTER }
  if (isVhd(tail)) return readFooter(tail, size)
  if (hasText(tail, 0, 'koly')) return { format: 'dmg', problem: problem('unsupported', 'The image is a dmg image, which is not supported.') }
  const table = partitionTable(head)
  return { format: 'raw', virtual_size: size, ...(table ? { subformat: table } : {}) }
}

/** `gpt` or `mbr` when the disk begins with such a table. A lone boot sector (of FAT, say) has the mark but no entries. */
export function partitionTable(head: Buffer): 'gpt' | 'mbr' | undefined {
  if (hasText(head, 512, 'EFI PART') || hasText(head, 4096, 'EFI PART')) return 'gpt'
  if (head.length < 512 || head.readUInt16LE(510) !== 0xaa55) return undefined
  let used = 0
  for (let entry = 446; entry < 510; entry += 16) {
    const boot = head[entry]!
    if (boot !== 0 && boot !== 0x80) return undefined
    const type = head[entry + 4]!
    if (type === 0xee) return 'gpt'
    if (type !== 0) used++
  }
  return used > 0 ? 'mbr' : undefined
}
