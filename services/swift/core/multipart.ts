/** `multipart/form-data` as it streams in: one part after another, each read to its end before the next. */
import { invalid } from '#base/fault.ts'

export interface Part {
  headers: Record<string, string>
  /** Must be read to its end before the next part is asked for. */
  body: AsyncGenerator<Buffer>
}

const MOST_HEAD = 16_384

export async function* partsOf(source: AsyncIterable<Uint8Array>, boundary: string): AsyncGenerator<Part> {
  const chunks = source[Symbol.asyncIterator]()
  let buffer: Buffer = Buffer.from('\r\n')
  const mark = Buffer.from(`\r\n--${boundary}`)
  const more = async (): Promise<boolean> => {
    const next = await chunks.next()
    if (next.done) return false
    buffer = Buffer.concat([buffer, next.value as Buffer])
    return true
  }
  const need = async (test: () => boolean, what: string): Promise<void> => {
    while (!test()) if (!(await more())) throw invalid(`The form ends before its ${what}.`)
  }
  await need(() => {
    if (buffer.length > MOST_HEAD && !buffer.includes(mark)) throw invalid('The form does not begin with its boundary.')
    return buffer.includes(mark)
  }, 'first boundary')
  buffer = buffer.subarray(buffer.indexOf(mark) + mark.length)
  for (;;) {
    await need(() => buffer.length >= 2, 'end')
    if (buffer[0] === 0x2d && buffer[1] === 0x2d) return
    await need(() => {
      if (buffer.length > MOST_HEAD && buffer.indexOf('\r\n\r\n') < 0) throw invalid('A part of the form has too long a head.')
      return buffer.indexOf('\r\n\r\n') >= 0
    }, 'headers')
    const end = buffer.indexOf('\r\n\r\n')
    const headers: Record<string, string> = {}
    for (const line of buffer.subarray(0, end).toString('latin1').split('\r\n')) {
      const colon = line.indexOf(':')
      if (colon > 0) headers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim()
    }
    buffer = buffer.subarray(end + 4)
    let ended = false
    const body = (async function* (): AsyncGenerator<Buffer> {
      for (;;) {
        const at = buffer.indexOf(mark)
        if (at >= 0) {
          const last = buffer.subarray(0, at)
          buffer = buffer.subarray(at + mark.length)
          ended = true
          if (last.length > 0) yield last
          return
        }
        // The boundary may be cut in two by the end of a chunk.
        if (buffer.length > mark.length) {
          const sure = buffer.subarray(0, buffer.length - mark.length)
          buffer = buffer.subarray(buffer.length - mark.length)
          yield sure
        }
        if (!(await more())) throw invalid('The form ends within a part.')
      }
    })()
    yield { headers, body }
    while (!ended) if ((await body.next()).done) break
  }
}

/** `name` and `filename` of a Content-Disposition. */
export function parameters(header: string): Record<string, string> {
  const out: Record<string, string> = {}
  for (const match of header.matchAll(/;\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/g)) out[match[1]!.toLowerCase()] = (match[2] ?? match[3] ?? '').replaceAll(/\\(.)/g, '$1')
  return out
}
