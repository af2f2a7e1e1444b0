/** Which shared libraries an ELF program or library asks for: the DT_NEEDED entries, read without running anything. */
import { readFile } from 'node:fs/promises'

const PT_LOAD = 1
const PT_DYNAMIC = 2
const DT_NULL = 0n
const DT_NEEDED = 1n
const DT_STRTAB = 5n

/** Names as in the file (`libc.so.6`); empty for a static program and for what is no 64-bit little-endian ELF. */
export async function neededLibraries(path: string): Promise<string[]> {
  return parseNeeded(await readFile(path))
}

export function parseNeeded(elf: Buffer): string[] {
  if (elf.length < 64 || elf.toString('latin1', 0, 4) !== '\x7fELF' || elf[4] !== 2 || elf[5] !== 1) return []
  const headersAt = Number(elf.readBigUInt64LE(32))
  const headerSize = elf.readUInt16LE(54)
  const headers = Array.from({ length: elf.readUInt16LE(56) }, (_, index) => {
    const at = headersAt + index * headerSize
    return {
      type: elf.readUInt32LE(at),
      offset: Number(elf.readBigUInt64LE(at + 8)),
      address: elf.readBigUInt64LE(at + 16),
      size: Number(elf.readBigUInt64LE(at + 32)),
    }
  })
  const dynamic = headers.find((header) => header.type === PT_DYNAMIC)
  if (!dynamic) return []
  const names: bigint[] = []
  let strings: bigint | undefined
  for (let at = dynamic.offset; at + 16 <= dynamic.offset + dynamic.size; at += 16) {
    const tag = elf.readBigUInt64LE(at)
    const value = elf.readBigUInt64LE(at + 8)
    if (tag === DT_NULL) break
    if (tag === DT_NEEDED) names.push(value)
    if (tag === DT_STRTAB) strings = value
  }
  const segment = headers.find((header) => header.type === PT_LOAD && strings !== undefined && strings >= header.address && strings < header.address + BigInt(header.size))
  if (strings === undefined || !segment) return []
  const table = segment.offset + Number(strings - segment.address)
  return names.map((name) => elf.toString('latin1', table + Number(name), elf.indexOf(0, table + Number(name))))
}
