/** VHDX: magic, two region tables at 192 and 256 KiB, and the metadata region (at 1 MiB or later) with size and parent. */
import { type Inspection, broken, hasText, problem, sizeOf } from './inspection.ts'

const TABLE = 64 * 1024
const REGION_TABLE_AT = 192 * 1024
const METADATA_REGION = '8b7ca206-4790-4b9a-b8fe-575f050f886e'
const FILE_PARAMETERS = 'caa16737-fa36-4d43-b3b6-33f0aa44e76b'
const VIRTUAL_DISK_SIZE = '2fa54224-cd1b-4876-b211-5dbed83bf4b8'
const PARENT_LOCATOR = 'a8d35f2d-b30b-454d-abf7-d3d84834ab0c'
const HAS_PARENT = 2
/** Nothing sensible puts its metadata later than this. */
const FURTHEST = 1024 * 2 ** 20
const MAX_ENTRIES = 2047

export function isVhdx(head: Buffer): boolean {
  return hasText(head, 0, 'vhdxfile')
}

export function* inspectVhdx(_head: Buffer): Inspection {
  const format = 'vhdx'
  const { bytes: regions } = yield { at: REGION_TABLE_AT, length: TABLE }
  if (regions.length < TABLE || !hasText(regions, 0, 'regi')) return broken(format, 'the region table is missing')
  const region = findEntry(regions, regions.readUInt32LE(8), 16, METADATA_REGION)
  if (region === undefined) return broken(format, 'the metadata region is missing')
  const regionAt = sizeOf(regions.readBigUInt64LE(region + 16))
  if (regionAt === undefined || regionAt < 2 ** 20 || regionAt > FURTHEST || regionAt % 2 ** 20 !== 0) return broken(format, 'place of the metadata region')

  const { bytes: metadata } = yield { at: regionAt, length: 2 * TABLE }
  if (metadata.length < TABLE || !hasText(metadata, 0, 'metadata')) return broken(format, 'the metadata table is missing')
  const items = metadata.readUInt16LE(10)
  if (findEntry(metadata, items, 32, PARENT_LOCATOR) !== undefined) return { format, problem: problem('backing_file', 'The vhdx image has a parent.') }
  const parameters = readItem(metadata, items, FILE_PARAMETERS)
  const size = readItem(metadata, items, VIRTUAL_DISK_SIZE)
  if (!parameters || !size) return broken(format, 'a metadata item is missing')
  if (parameters.readUInt32LE(4) & HAS_PARENT) return { format, problem: problem('backing_file', 'The vhdx image has a parent.') }
  const virtual_size = sizeOf(size.readBigUInt64LE(0))
  return virtual_size === undefined ? broken(format, 'the size is beyond every disk') : { format, virtual_size }
}

/** Offset of the 32-byte entry with the GUID, in a table whose entries begin at `start`. */
function findEntry(table: Buffer, count: number, start: number, guid: string): number | undefined {
  for (let entry = 0; entry < Math.min(count, MAX_ENTRIES); entry++) {
    const at = start + entry * 32
    if (at + 32 > TABLE) return undefined
    if (readGuid(table, at) === guid) return at
  }
  return undefined
}

/** The eight bytes of a metadata item. Items follow the table and must lie in its second half-window. */
function readItem(metadata: Buffer, count: number, guid: string): Buffer | undefined {
  const entry = findEntry(metadata, count, 32, guid)
  if (entry === undefined) return undefined
  const at = metadata.readUInt32LE(entry + 16)
  return at >= TABLE && at + 8 <= metadata.length ? metadata.subarray(at, at + 8) : undefined
}

/** Microsoft's mixed-endian GUID as text. */
function readGuid(bytes: Buffer, at: number): string {
  const hex = (from: number, to: number): string => bytes.toString('hex', at + from, at + to)
  const swap = (from: number, to: number): string => Buffer.from(bytes.subarray(at + from, at + to)).reverse().toString('hex')
  return `${swap(0, 4)}-${swap(4, 6)}-${swap(6, 8)}-${hex(8, 10)}-${hex(10, 16)}`
}
