/** Image headers made by hand, for tests: honest by default, hostile by what the test overrides. */

export interface Qcow2Parts {
  version?: number
  backing_offset?: bigint
  backing_size?: number
  cluster_bits?: number
  size?: bigint
  l1_size?: number
  incompatible?: bigint
  header_length?: number
  extensions?: readonly { type: number; bytes: Buffer; length?: number }[]
}

export function makeQcow2(parts: Qcow2Parts = {}): Buffer {
  const bytes = Buffer.alloc(256 * 1024)
  bytes.write('QFI\xfb', 0, 'latin1')
  bytes.writeUInt32BE(parts.version ?? 3, 4)
  bytes.writeBigUInt64BE(parts.backing_offset ?? 0n, 8)
  bytes.writeUInt32BE(parts.backing_size ?? 0, 16)
  bytes.writeUInt32BE(parts.cluster_bits ?? 16, 20)
  bytes.writeBigUInt64BE(parts.size ?? 64n * 2n ** 20n, 24)
  bytes.writeUInt32BE(parts.l1_size ?? 1, 36)
  bytes.writeUInt32BE(1, 56)
  bytes.writeBigUInt64BE(parts.incompatible ?? 0n, 72)
  const headerLength = parts.header_length ?? 112
  bytes.writeUInt32BE(headerLength, 100)
  let at = headerLength < 4096 ? headerLength : 112
  for (const extension of parts.extensions ?? []) {
    bytes.writeUInt32BE(extension.type, at)
    bytes.writeUInt32BE(extension.length ?? extension.bytes.length, at + 4)
    extension.bytes.copy(bytes, at + 8)
    at += 8 + Math.ceil(extension.bytes.length / 8) * 8
  }
  return bytes
}

export const STREAM_DESCRIPTOR = [
  '# Disk DescriptorFile',
  'version=1',
  'CID=fffffffe',
  'parentCID=ffffffff',
  'createType="streamOptimized"',
  '',
  '# Extent description',
  'RW 131072 SPARSE "disk.vmdk"',
  '',
  'ddb.adapterType = "ide"',
  '',
].join('\n')

export interface VmdkParts {
  capacity?: bigint
  descriptor?: string
  /** Sectors. */
  descriptor_at?: bigint
  descriptor_size?: bigint
  grain_directory_at_end?: boolean
  footer?: Partial<VmdkParts> | undefined
}

export function makeVmdk(parts: VmdkParts = {}): Buffer {
  const bytes = Buffer.alloc(128 * 1024)
  writeVmdkHeader(bytes, 0, parts)
  if ((parts.descriptor_at ?? 1n) < 200n) bytes.write(parts.descriptor ?? STREAM_DESCRIPTOR, Number(parts.descriptor_at ?? 1n) * 512, 'latin1')
  if (parts.footer) writeVmdkHeader(bytes, bytes.length - 1024, parts.footer)
  return bytes
}

function writeVmdkHeader(bytes: Buffer, at: number, parts: VmdkParts): void {
  bytes.write('KDMV', at, 'latin1')
  bytes.writeUInt32LE(3, at + 4)
  bytes.writeBigUInt64LE(parts.capacity ?? 131072n, at + 12)
  bytes.writeBigUInt64LE(128n, at + 20)
  bytes.writeBigUInt64LE(parts.descriptor_at ?? 1n, at + 28)
  bytes.writeBigUInt64LE(parts.descriptor_size ?? 20n, at + 36)
  bytes.writeUInt32LE(512, at + 44)
  bytes.writeBigUInt64LE(parts.grain_directory_at_end ? 2n ** 64n - 1n : 21n, at + 56)
}

export function makeVhdFooter(type: number, size: bigint): Buffer {
  const bytes = Buffer.alloc(512)
  bytes.write('conectix', 0, 'latin1')
  bytes.writeBigUInt64BE(512n, 16)
  bytes.writeBigUInt64BE(size, 48)
  bytes.writeUInt32BE(type, 60)
  return bytes
}

export function makeVhd(type: number, size: bigint, tail = makeVhdFooter(type, size)): Buffer {
  const dynamic = Buffer.alloc(1024)
  dynamic.write('cxsparse', 0, 'latin1')
  dynamic.writeUInt32BE(Number(size / 2n ** 21n) + 1, 28)
  dynamic.writeUInt32BE(2 ** 21, 32)
  return Buffer.concat([makeVhdFooter(type, size), dynamic, Buffer.alloc(8192), tail])
}

/** Microsoft's mixed-endian bytes of a GUID. */
export function guidBytes(guid: string): Buffer {
  const [a, b, c, d, e] = guid.split('-') as [string, string, string, string, string]
  const swap = (hex: string): Buffer => Buffer.from(hex, 'hex').reverse()
  return Buffer.concat([swap(a), swap(b), swap(c), Buffer.from(d + e, 'hex')])
}

export function makeVhdx(parts: { metadata_at?: bigint; parent?: boolean; locator?: boolean; size?: bigint } = {}): Buffer {
  const bytes = Buffer.alloc(3 * 2 ** 20)
  bytes.write('vhdxfile', 0, 'latin1')
  const table = 192 * 1024
  bytes.write('regi', table, 'latin1')
  bytes.writeUInt32LE(1, table + 8)
  guidBytes('8b7ca206-4790-4b9a-b8fe-575f050f886e').copy(bytes, table + 16)
  bytes.writeBigUInt64LE(parts.metadata_at ?? 2n * 2n ** 20n, table + 32)
  const metadata = 2 * 2 ** 20
  bytes.write('metadata', metadata, 'latin1')
  const items = [
    'caa16737-fa36-4d43-b3b6-33f0aa44e76b',
    '2fa54224-cd1b-4876-b211-5dbed83bf4b8',
    ...(parts.locator ? ['a8d35f2d-b30b-454d-abf7-d3d84834ab0c'] : []),
  ]
  bytes.writeUInt16LE(items.length, metadata + 10)
  for (const [index, guid] of items.entries()) {
    guidBytes(guid).copy(bytes, metadata + 32 + index * 32)
    bytes.writeUInt32LE(65536 + index * 8, metadata + 32 + index * 32 + 16)
  }
  bytes.writeUInt32LE(parts.parent ? 2 : 0, metadata + 65536 + 4)
  bytes.writeBigUInt64LE(parts.size ?? 5n * 2n ** 30n, metadata + 65536 + 8)
  return bytes
}

export function makeVdi(parts: { type?: number; size?: bigint; parent?: boolean } = {}): Buffer {
  const bytes = Buffer.alloc(4096)
  bytes.write('<<< QEMU VM Virtual Disk Image >>>\n', 0, 'latin1')
  bytes.writeUInt32LE(0xbeda107f, 64)
  bytes.writeUInt32LE(parts.type ?? 1, 0x4c)
  bytes.writeBigUInt64LE(parts.size ?? 2n ** 30n, 0x170)
  bytes.writeUInt32LE(2 ** 20, 0x178)
  bytes.writeUInt32LE(Number((parts.size ?? 2n ** 30n) / 2n ** 20n), 0x180)
  if (parts.parent) bytes.fill(7, 0x1b8, 0x1c8)
  return bytes
}

export function makeIso(front?: Buffer): Buffer {
  const bytes = Buffer.alloc(40 * 2048)
  front?.copy(bytes, 0, 0, Math.min(front.length, 32 * 1024))
  bytes.write('\x01CD001\x01', 32 * 1024, 'latin1')
  return bytes
}

export function makeMbr(type: number): Buffer {
  const bytes = Buffer.alloc(2 ** 20)
  bytes[446] = 0x80
  bytes[450] = type
  bytes.writeUInt16LE(0xaa55, 510)
  return bytes
}

export function makeLuks(version: number, payloadSectors: number): Buffer {
  const bytes = Buffer.alloc(4 * 2 ** 20)
  bytes.write('LUKS\xba\xbe', 0, 'latin1')
  bytes.writeUInt16BE(version, 6)
  bytes.writeUInt32BE(payloadSectors, 104)
  return bytes
}

export function makePloop(): Buffer {
  const bytes = Buffer.alloc(2 ** 20)
  bytes.write('WithouFreSpacExt', 0, 'latin1')
  bytes.writeUInt32LE(2, 16)
  bytes.writeUInt32LE(2048, 28)
  bytes.writeUInt32LE(64, 32)
  bytes.writeBigUInt64LE(131072n, 36)
  return bytes
}
