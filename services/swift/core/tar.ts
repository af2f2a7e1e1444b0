/** Tar archives as they stream in: ustar, GNU long names, pax names and attributes. */
import { invalid } from '#base/fault.ts'

export interface TarEntry {
  name: string
  size: number
  /** `file`, or `other` (folders, links, devices). */
  kind: 'file' | 'other'
  /** `SCHILY.xattr.user.…` of pax headers. */
  attributes: Record<string, string>
  /** Must be read to its end before the next entry. */
  body: AsyncGenerator<Buffer>
}

const BLOCK = 512
const MOST_HEAD = 1 << 20
/** Of heads that describe the next entry, before it comes. */
const MOST_HEADS = 16
const MOST_PADDING = 16 << 20

export async function* entriesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const chunks = source[Symbol.asyncIterator]()
  let buffer: Buffer = Buffer.alloc(0)
  const take = async (most: number): Promise<Buffer> => {
    while (buffer.length === 0) {
      const next = await chunks.next()
      if (next.done) return buffer
      buffer = Buffer.from(next.value as Uint8Array)
    }
    const out = buffer.subarray(0, most)
    buffer = buffer.subarray(out.length)
    return out
  }
  const exactly = async (size: number): Promise<Buffer> => {
    const parts: Buffer[] = []
    for (let left = size; left > 0; ) {
      const part = await take(left)
      if (part.length === 0) throw invalid('Invalid Tar File: unexpected end of data')
      parts.push(part)
      left -= part.length
    }
    return Buffer.concat(parts)
  }
  let longName: string | undefined
  let pax: Record<string, string> = {}
  let seen = false
  let heads = 0
  for (;;) {
    const first = await take(BLOCK)
    if (first.length === 0) {
      if (!seen) throw invalid('Invalid Tar File: empty file')
      return
    }
    const head = first.length === BLOCK ? first : Buffer.concat([first, await exactly(BLOCK - first.length)])
    if (head.every((byte) => byte === 0)) {
      if (!seen) throw invalid('Invalid Tar File: empty file')
      // The rest is padding; the client wants it taken. More than a tape's worth of it is there to be unpacked at our expense.
      for (let padded = 0, part = await take(1 << 16); part.length > 0; part = await take(1 << 16)) if ((padded += part.length) > MOST_PADDING) throw invalid('Invalid Tar File: too much behind its end')
      return
    }
    const sum = head.reduce((all, byte, i) => all + (i >= 148 && i < 156 ? 32 : byte), 0)
    if (sum !== octal(head, 148, 8)) throw invalid('Invalid Tar File: bad checksum')
    seen = true
    if (pax.size !== undefined && !/^\d{1,15}$/.test(pax.size)) throw invalid('Invalid Tar File: bad number')
    const size = Number(pax.size ?? octal(head, 124, 12))
    const padding = (BLOCK - (size % BLOCK)) % BLOCK
    const type = String.fromCharCode(head[156]!)
    if (type === 'L' || type === 'K' || type === 'x' || type === 'g') {
      if (size > MOST_HEAD || ++heads > MOST_HEADS) throw invalid('Invalid Tar File: too long a header')
      const data = (await exactly(size + padding)).subarray(0, size)
      if (type === 'L') longName = data.toString().replace(/\0+$/, '')
      if (type === 'x') pax = paxOf(data)
      continue
    }
    const prefix = head.subarray(257, 262).toString() === 'ustar' && head[263] !== 0x20 ? text(head, 345, 155) : ''
    const name = pax.path ?? longName ?? (prefix === '' ? text(head, 0, 100) : `${prefix}/${text(head, 0, 100)}`)
    const attributes = Object.fromEntries(Object.entries(pax).filter(([key]) => key.startsWith('SCHILY.xattr.user.')).map(([key, value]) => [key.slice('SCHILY.xattr.user.'.length), value]))
    longName = undefined
    pax = {}
    heads = 0
    let left = size
    const body = (async function* (): AsyncGenerator<Buffer> {
      while (left > 0) {
        const part = await take(left)
        if (part.length === 0) throw invalid('Invalid Tar File: unexpected end of data')
        left -= part.length
        yield part
      }
    })()
    yield { name, size, kind: type === '0' || type === '\0' || type === '7' ? 'file' : 'other', attributes, body }
    while (left > 0) {
      const part = await take(left)
      if (part.length === 0) throw invalid('Invalid Tar File: unexpected end of data')
      left -= part.length
    }
    await exactly(padding)
  }
}

const text = (head: Buffer, start: number, length: number): string => {
  const field = head.subarray(start, start + length)
  const end = field.indexOf(0)
  return field.subarray(0, end < 0 ? length : end).toString()
}

function octal(head: Buffer, start: number, length: number): number {
  const field = head.subarray(start, start + length)
  // Sizes beyond octal stand as base-256.
  if ((field[0]! & 0x80) !== 0) return field.subarray(1).reduce((all, byte) => all * 256 + byte, 0)
  const digits = text(head, start, length).trim()
  if (!/^[0-7]*$/.test(digits)) throw invalid('Invalid Tar File: bad number')
  return digits === '' ? 0 : Number.parseInt(digits, 8)
}

function paxOf(data: Buffer): Record<string, string> {
  const out: Record<string, string> = {}
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at)
    const length = Number(data.subarray(at, space).toString())
    if (space < 0 || !Number.isInteger(length) || length < 5) throw invalid('Invalid Tar File: bad pax header')
    const line = data.subarray(space + 1, at + length - 1).toString()
    const equals = line.indexOf('=')
    out[line.slice(0, equals)] = line.slice(equals + 1)
    at += length
  }
  return out
}
