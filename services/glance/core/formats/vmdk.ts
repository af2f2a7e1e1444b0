/**
 * VMDK: a text descriptor that may name files of the host (CVE-2022-47951), alone or embedded in a sparse extent. Accepted are
 * the two sub-types that are one self-contained file: monolithicSparse and streamOptimized. The embedded descriptor is read to
 * its end and everything in it that a reader could follow is refused, whether or not today's QEMU would follow it.
 */
import { type Inspection, type Layout, type Problem, broken, hasText, problem, sizeOf } from './inspection.ts'

const SECTOR = 512
const ALLOWED = new Set(['monolithicsparse', 'streamoptimized'])
/** QEMU reads twenty sectors of descriptor whatever the header says of its size: so do we, at least. */
const QEMU_DESCRIPTOR_SECTORS = 20
const MAX_DESCRIPTOR_SECTORS = 100
const GRAIN_DIRECTORY_AT_END = 0xffff_ffff_ffff_ffffn
const NO_PARENT = 'ffffffff'

export function isVmdk(head: Buffer): boolean {
  return hasText(head, 0, 'KDMV') || hasText(head, 0, 'COWD') || isDescriptor(head)
}

/** As QEMU probes it: comment and blank lines, then `version=`. Any file that QEMU would take for a descriptor is one. */
function isDescriptor(head: Buffer): boolean {
  const text = head.toString('latin1', 0, 4096)
  if (/^\s*#\s*disk\s*descriptor\s*file/i.test(text)) return true
  return /^(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*version[ \t]*=[ \t]*[123]\b/i.test(text)
}

export function* inspectVmdk(head: Buffer): Inspection {
  const format = 'vmdk'
  if (!hasText(head, 0, 'KDMV')) {
    return { format, subformat: 'descriptor', problem: problem('subformat', 'The vmdk image is not of an allowed sub-type (monolithicSparse, streamOptimized).') }
  }
  const header = readHeader(head, 0)
  if (!header) return broken(format, 'the file is too short')
  if (header.version < 1 || header.version > 3) return broken(format, `version ${header.version}`)
  // A capacity of zero makes QEMU treat the embedded text as a descriptor file of its own.
  if (header.capacity === 0n) return broken(format, 'the capacity is zero')
  const virtual_size = sizeOf(header.capacity * 512n)
  if (virtual_size === undefined) return broken(format, 'the capacity is beyond every disk')
  if (header.grain === 0n || header.grain > 0x200000n || (header.grain & (header.grain - 1n)) !== 0n) return broken(format, 'grain size')
  if (header.tableEntries === 0 || header.tableEntries > 512) return broken(format, 'grain table size')
  if (header.descriptorOffset === 0n || header.descriptorSize === 0n) {
    return { format, virtual_size, problem: problem('subformat', 'The vmdk image has no descriptor.') }
  }
  if (header.descriptorSize > BigInt(MAX_DESCRIPTOR_SECTORS)) return broken(format, 'the descriptor is too large')
  if (header.descriptorOffset > 2048n) return broken(format, 'the descriptor is too far from the beginning')

  const sectors = Math.max(Number(header.descriptorSize), QEMU_DESCRIPTOR_SECTORS)
  const { bytes } = yield { at: Number(header.descriptorOffset) * SECTOR, length: sectors * SECTOR }
  const found = readDescriptor(bytes, Number(header.descriptorSize) * SECTOR)
  if (found.problem) return { format, virtual_size, ...found }
  if (header.directoryOffset !== GRAIN_DIRECTORY_AT_END) return { format, virtual_size, ...found }

  // The footer replaces the header; one that says something else is a trick.
  const { bytes: tail } = yield { tail: 3 * SECTOR }
  const footer = tail.length === 3 * SECTOR && hasText(tail, SECTOR, 'KDMV') ? readHeader(tail, SECTOR) : undefined
  if (!footer) return broken(format, 'the footer is missing')
  if (footer.capacity !== header.capacity || footer.descriptorOffset !== header.descriptorOffset || footer.descriptorSize !== header.descriptorSize) {
    return broken(format, 'header and footer differ')
  }
  return { format, virtual_size, ...found }
}

function readHeader(bytes: Buffer, at: number) {
  if (bytes.length < at + SECTOR) return undefined
  return {
    version: bytes.readUInt32LE(at + 4),
    capacity: bytes.readBigUInt64LE(at + 12),
    grain: bytes.readBigUInt64LE(at + 20),
    descriptorOffset: bytes.readBigUInt64LE(at + 28),
    descriptorSize: bytes.readBigUInt64LE(at + 36),
    tableEntries: bytes.readUInt32LE(at + 44),
    directoryOffset: bytes.readBigUInt64LE(at + 56),
  }
}

function readDescriptor(bytes: Buffer, declared: number): Pick<Layout, 'subformat' | 'problem'> {
  // Readers look for the parent with a plain search over what follows, past the descriptor's end where no zero byte stops them.
  if (/parentFileNameHint/i.test(bytes.toString('latin1'))) return { problem: problem('backing_file', 'The vmdk image names a parent file.') }
  const whole = bytes.subarray(0, declared)
  const zero = whole.indexOf(0)
  const text = whole.toString('latin1', 0, zero < 0 ? whole.length : zero)
  const kinds: string[] = []
  let extents = 0
  for (const line of text.split(/[\r\n]+/)) {
    const setting = /^\s*(\w+)\s*=\s*"?([^"]*?)"?\s*$/.exec(line)
    const key = setting?.[1]?.toLowerCase()
    if (key === 'createtype') kinds.push(setting![2]!)
    if (key === 'parentcid' && setting![2]!.toLowerCase() !== NO_PARENT) return { problem: problem('backing_file', 'The vmdk image has a parent.') }
    if (/^\s*(RW|RDONLY|NOACCESS)\b/i.test(line)) {
      extents++
      const wrong = judgeExtent(line)
      if (wrong) return { problem: wrong }
    }
  }
  const kind = kinds[0]
  if (kind === undefined || !kinds.every((each) => ALLOWED.has(each.toLowerCase()))) {
    const named = kinds.find((each) => !ALLOWED.has(each.toLowerCase())) ?? 'none'
    return { problem: problem('subformat', `The vmdk sub-type ${named.slice(0, 32).replace(/\W/g, '?')} is not allowed (monolithicSparse and streamOptimized are).`) }
  }
  if (extents !== 1) return { subformat: kind, problem: problem('subformat', `The vmdk image has ${extents} extents; one is allowed.`) }
  return { subformat: kind }
}

/** An extent may be sparse data under a bare file name: never another kind, never a path. */
function judgeExtent(line: string): Problem | undefined {
  const parts = /^\s*\w+\s+\d+\s+(\w+)\s+"([^"]*)"\s*$/.exec(line)
  if (!parts) return problem('malformed', 'The vmdk header is not valid: an extent cannot be read.')
  if (parts[1]!.toUpperCase() !== 'SPARSE') return problem('subformat', `The vmdk extent type ${parts[1]!.slice(0, 16)} is not allowed.`)
  const name = parts[2]!
  return /[/\\:]/.test(name) || name.startsWith('.') ? problem('host_path', 'The vmdk image names a file by its path.') : undefined
}
