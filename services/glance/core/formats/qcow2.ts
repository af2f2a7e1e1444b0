/**
 * qcow2 (and its ancestor qcow): everything that matters stands in the first cluster. Refused: anything that makes a reader open
 * a second file (backing file, external data file: CVE-2015-5163, CVE-2024-32498) and any incompatible feature not known here.
 * Layout: QEMU's docs/interop/qcow2.txt; the bounds on tables are those of QEMU's own reader.
 */
import { type Inspection, broken, hasText, problem, sizeOf } from './inspection.ts'

const MAGIC = 'QFI\xfb'
const V2_HEADER = 72
const V3_HEADER = 104
const BACKING_FORMAT = 0xe2792aca
const DATA_FILE_NAME = 0x44415441

/** Incompatible features, by bit. Dirty refcounts, compression type and extended L2 entries are harmless. */
const CORRUPT = 1n << 1n
const DATA_FILE = 1n << 2n
const HARMLESS = (1n << 0n) | (1n << 3n) | (1n << 4n)

export function isQcow2(head: Buffer): boolean {
  return hasText(head, 0, MAGIC)
}

// oxlint-disable-next-line require-yield -- all of qcow2's header is in the head
export function* inspectQcow2(head: Buffer): Inspection {
  const format = 'qcow2'
  if (head.length < V2_HEADER) return broken(format, 'the file is too short')
  const version = head.readUInt32BE(4)
  if (version !== 2 && version !== 3) {
    return { format, problem: problem('unsupported', `The qcow2 image has version ${version}; only 2 and 3 are supported.`) }
  }
  if (head.readBigUInt64BE(8) !== 0n || head.readUInt32BE(16) !== 0) {
    return { format, problem: problem('backing_file', 'The qcow2 image has a backing file.') }
  }
  const clusterBits = head.readUInt32BE(20)
  const virtual_size = sizeOf(head.readBigUInt64BE(24))
  const cryptMethod = head.readUInt32BE(32)
  const l1Entries = head.readUInt32BE(36)
  const refcountClusters = head.readUInt32BE(56)
  const snapshots = head.readUInt32BE(60)
  if (clusterBits < 9 || clusterBits > 21) return broken(format, `cluster bits are ${clusterBits}`)
  if (virtual_size === undefined) return broken(format, 'the virtual size is beyond every disk')
  if (cryptMethod > 2) return broken(format, `encryption method ${cryptMethod}`)
  if (l1Entries * 8 > 32 * 2 ** 20) return broken(format, 'the L1 table is too large')
  if (refcountClusters * 2 ** clusterBits > 8 * 2 ** 20) return broken(format, 'the reference count table is too large')
  if (snapshots > 65_536) return broken(format, 'too many snapshots')

  let headerLength = V2_HEADER
  if (version === 3) {
    if (head.length < V3_HEADER) return broken(format, 'the file is too short')
    const features = head.readBigUInt64BE(72)
    if (features & DATA_FILE) return { format, virtual_size, problem: problem('data_file', 'The qcow2 image has an external data file.') }
    if (features & CORRUPT) return broken(format, 'it is marked corrupt')
    const unknown = features & ~HARMLESS
    if (unknown) {
      return { format, virtual_size, problem: problem('unknown_feature', `The qcow2 image has unknown incompatible features (0x${unknown.toString(16)}).`) }
    }
    headerLength = head.readUInt32BE(100)
    if (headerLength < V3_HEADER || headerLength > 2 ** clusterBits || headerLength % 8 !== 0) return broken(format, `header length ${headerLength}`)
  }
  const extension = readExtensions(head, headerLength, 2 ** clusterBits)
  return { format, virtual_size, ...(extension ? { problem: extension } : {}) }
}

/** Walks the header extensions, which name backing format and data file even when the header's own fields are zero. */
function readExtensions(head: Buffer, start: number, cluster: number) {
  const end = Math.min(head.length, cluster)
  for (let at = start; at + 8 <= end; ) {
    const type = head.readUInt32BE(at)
    const length = head.readUInt32BE(at + 4)
    if (type === 0) return undefined
    if (type === DATA_FILE_NAME) return problem('data_file', 'The qcow2 image names an external data file.')
    if (type === BACKING_FORMAT) return problem('backing_file', 'The qcow2 image names the format of a backing file.')
    if (at + 8 + length > cluster) return problem('malformed', 'The qcow2 header is not valid: an extension leaves the first cluster.')
    at += 8 + Math.ceil(length / 8) * 8
  }
  return undefined
}
