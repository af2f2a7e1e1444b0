/** The last step of a GET or HEAD: conditions, ranges, and only then the bytes. */
import { Readable } from 'node:stream'
import { BytesBody } from '#base/http/bytes-body.ts'
import { rangesOf, type Span } from '../core/ranges.ts'
import { type Answer, type Ask, type Content, HTML } from './ask.ts'

export async function deliver(ask: Ask, answer: Answer, boundary: () => string): Promise<Answer> {
  const { content } = answer
  if (!content || answer.status !== 200) return answer
  const { headers: asked, method } = ask
  const { headers } = answer
  headers['accept-ranges'] = 'bytes'
  const verdict = condition(asked, content)
  if (verdict === 412) return { status: 412, headers: { ...headers, ...HTML }, body: '' }
  if (verdict === 304) {
    const { 'content-length': _length, ...rest } = headers
    return { status: 304, headers: rest }
  }
  const spans = method === 'GET' && rangeCounts(asked['if-range'], content) ? rangesOf(asked.range, content.size) : undefined
  if (spans?.length === 0) {
    return { status: 416, headers: { ...headers, 'content-range': `bytes */${content.size}` }, body: '<html><h1>Requested Range Not Satisfiable</h1><p>The Range requested is not available.</p></html>' }
  }
  if (spans && spans.length > 1 && !content.oneRange) return multipart(answer, content, spans, boundary())
  const span = spans?.length === 1 ? spans[0] : undefined
  const { start, end } = span ?? { start: 0, end: content.size - 1 }
  headers['content-length'] = String(end - start + 1)
  if (span) headers['content-range'] = `bytes ${start}-${end}/${content.size}`
  const status = span ? 206 : 200
  if (method === 'HEAD' || content.size === 0) return { status, headers }
  const body = await content.open(start, end)
  return { status, headers, body: body instanceof BytesBody ? body.bytes : body }
}

function condition(asked: Readonly<Record<string, string>>, content: Content): 200 | 304 | 412 {
  const fits = (list: string, weak: boolean): boolean => list.split(',').some((one) => ['*', content.etag].includes((weak ? one.trim().replace(/^W\//, '') : one.trim()).replaceAll('"', '')))
  const seconds = Math.ceil(content.modified / 1000)
  // The dates of HTTP begin with the day of the week; what does not is overlooked.
  const instant = (text: string | undefined): number => (text === undefined || !/^\s*[a-z]{3,9}\b/i.test(text) ? Number.NaN : Date.parse(text) / 1000)
  const { 'if-match': match, 'if-none-match': none, 'if-unmodified-since': unmodified, 'if-modified-since': modified } = asked
  // All that are given must hold, as in Swift.
  if (none && fits(none, true)) return 304
  if (match !== undefined && !fits(match, false)) return 412
  if (seconds <= instant(modified)) return 304
  return seconds > instant(unmodified) ? 412 : 200
}

function rangeCounts(ifRange: string | undefined, content: Content): boolean {
  if (ifRange === undefined) return true
  const instant = Date.parse(ifRange)
  return ifRange.replaceAll('"', '') === content.etag || (!Number.isNaN(instant) && Math.ceil(content.modified / 1000) * 1000 <= instant)
}

function multipart(answer: Answer, content: Content, spans: readonly Span[], boundary: string): Answer {
  const type = String(answer.headers['content-type'])
  const heads = spans.map(({ start, end }) => Buffer.from(`--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: bytes ${start}-${end}/${content.size}\r\n\r\n`, 'latin1'))
  const tail = Buffer.from(`--${boundary}--`)
  const size = spans.reduce((sum, { start, end }, i) => sum + heads[i]!.length + end - start + 1 + 2, tail.length)
  async function* parts(): AsyncGenerator<Uint8Array> {
    for (const [i, { start, end }] of spans.entries()) {
      yield heads[i]!
      yield* (await content.open(start, end)) as AsyncIterable<Uint8Array>
      yield Buffer.from('\r\n')
    }
    yield tail
  }
  return { status: 206, headers: { ...answer.headers, 'content-type': `multipart/byteranges;boundary=${boundary}`, 'content-length': String(size) }, body: Readable.from(parts(), { objectMode: false }) }
}

/** Several streams as one, each opened when the one before has ended. */
export function concatenated(openers: readonly (() => Promise<Readable>)[]): Readable {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (const open of openers) yield* (await open()) as AsyncIterable<Uint8Array>
  }
  return Readable.from(pieces(), { objectMode: false, highWaterMark: 1 << 18 })
}
