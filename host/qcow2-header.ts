/**
 * What a disk file says of itself in its first bytes, read without any tool. A qcow2 that names another file (backing file or external
 * data file) would make every tool that opens it read that file: it must be refused before the first tool sees it.
 */
import { open } from 'node:fs/promises'

export interface Qcow2Header {
  version: number
  /** Bytes. */
  virtualSize: bigint
  hasBackingFile: boolean
  hasDataFile: boolean
  encrypted: boolean
}

const MAGIC = 0x514649fb
const INCOMPATIBLE_DATA_FILE = 1n << 2n

/** undefined when the file is no qcow2. */
export async function readQcow2Header(path: string): Promise<Qcow2Header | undefined> {
  const handle = await open(path, 'r')
  try {
    const head = Buffer.alloc(104)
    const { bytesRead } = await handle.read(head, 0, head.length, 0)
    if (bytesRead < 72 || head.readUInt32BE(0) !== MAGIC) return undefined
    const version = head.readUInt32BE(4)
    return {
      version,
      virtualSize: head.readBigUInt64BE(24),
      hasBackingFile: head.readBigUInt64BE(8) !== 0n,
      encrypted: head.readUInt32BE(32) !== 0,
      hasDataFile: version >= 3 && bytesRead >= 80 && (head.readBigUInt64BE(72) & INCOMPATIBLE_DATA_FILE) !== 0n,
    }
  } finally {
    await handle.close()
  }
}
