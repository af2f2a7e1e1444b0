/**
 * Is it safe to let a tool open this image? Formats that may name other files are read here, byte by byte, before any tool opens them:
 * a qcow2 with a backing file or an external data file, a VMDK whose descriptor names extents elsewhere. A raw image is not looked at: it is
 * opened as raw whatever its bytes say.
 */
import { open } from 'node:fs/promises'
import { invalid } from '#base/fault.ts'
import { readQcow2Header } from './qcow2-header.ts'
import type { SourceFormat } from './qemu-img.ts'

const VMDK_TYPES = new Set(['monolithicSparse', 'streamOptimized'])

/** Throws `invalid` (code `image.unsafe`) when the file is not of the format, or refers to another file. */
export async function checkForeignImage(path: string, format: SourceFormat): Promise<void> {
  if (format === 'qcow2') {
    const header = await readQcow2Header(path)
    if (!header) throw unsafe('The image is not a qcow2.')
    if (header.hasBackingFile) throw unsafe('The image has a backing file.')
    if (header.hasDataFile) throw unsafe('The image has an external data file.')
    if (header.encrypted) throw unsafe('The image is encrypted.')
  } else if (format === 'vmdk') await checkVmdk(path)
}

async function checkVmdk(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    const head = Buffer.alloc(64)
    const { bytesRead } = await handle.read(head, 0, 64, 0)
    if (bytesRead < 64 || head.toString('latin1', 0, 4) !== 'KDMV') throw unsafe('The image is not a sparse VMDK.')
    // A header without capacity makes readers take the descriptor's word for where the data is.
    if (head.readBigUInt64LE(12) === 0n) throw unsafe('The VMDK has no capacity of its own.')
    const at = Number(head.readBigUInt64LE(28)) * 512
    const size = Math.min(Number(head.readBigUInt64LE(36)) * 512, 65_536)
    const descriptor = Buffer.alloc(size)
    if (at > 0 && size > 0) await handle.read(descriptor, 0, size, at)
    const text = descriptor.toString('latin1')
    const type = /^createType\s*=\s*"([^"]*)"/m.exec(text)?.[1]
    if (type === undefined || !VMDK_TYPES.has(type)) throw unsafe(`VMDK of type ${type ?? 'unknown'} is not accepted.`)
    if (/^parentFileNameHint\s*=/m.test(text)) throw unsafe('The VMDK has a parent.')
  } finally {
    await handle.close()
  }
}

function unsafe(message: string) {
  return invalid(message, { code: 'image.unsafe', field: 'disk_format' })
}
