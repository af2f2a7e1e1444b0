/** Static large objects: an object whose bytes are a manifest of segments, each named with its size and MD5. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { Fault, invalid } from '#base/fault.ts'
import { lengthOfSegment, parseManifest, rawManifest, type Segment, spanOf, type Wanted } from '../core/manifest.ts'
import { TITLES } from '#stack/dialect.ts'
import { escape } from '../core/markup.ts'
import { type Names, quote } from '../core/names.ts'
import { typeOf } from '../core/mime.ts'
import type { Swift } from '../house.ts'
import { type Answer, type Ask, attempt, done, drop, type Layer, ok, plain, type Serve, small, streamOf, sub } from './ask.ts'
import { type Report, reportAnswer } from './bulk-report.ts'
import { concatenated } from './deliver.ts'
import { deleteAt } from './object.ts'

const ETAG = 'x-object-sysmeta-slo-etag'
const SIZE = 'x-object-sysmeta-slo-size'
const DEPTH = 10
const AHEAD = 4
const CONFLICT = 'There was a conflict when trying to complete your request.'

export const isSlo = (answer: Answer): boolean => answer.headers[ETAG] !== undefined

export const slo: Layer = (house, inner) => async (ask) => {
  const { method, names, query } = ask
  if (names.object === '') return inner(ask)
  const manifest = query.get('multipart-manifest')
  if (method === 'PUT' && manifest === 'put') return put(house, inner, ask)
  if (method === 'DELETE' && manifest === 'delete') return removeAll(inner, ask)
  if (method !== 'GET' && method !== 'HEAD') {
    if (ask.claimsLarge && ask.source === undefined) throw invalid('X-Static-Large-Object is a reserved header. To create a static large object add query param multipart-manifest=put.', { field: 'X-Static-Large-Object' })
    return inner(ask)
  }
  const answer = await inner(ask)
  if (!isSlo(answer) || !answer.content) return answer
  const segments = JSON.parse((await textOf(answer)).toString()) as Segment[]
  const { [ETAG]: etag, [SIZE]: _size, ...headers } = answer.headers
  headers['x-static-large-object'] = 'True'
  if (manifest === 'get') {
    const raw = query.get('format') === 'raw'
    const text = Buffer.from(JSON.stringify(raw ? rawManifest(segments) : segments))
    const body = { size: text.length, etag: answer.content.etag, modified: answer.content.modified, open: async (start: number, end: number) => Readable.from([text.subarray(start, end + 1)]) }
    return { ...answer, headers: { ...headers, etag: raw ? createHash('md5').update(text).digest('hex') : answer.content.etag, 'content-type': raw ? String(headers['content-type']) : 'application/json; charset=utf-8' }, content: body }
  }
  headers['x-manifest-etag'] = answer.content.etag
  headers.etag = `"${String(etag)}"`
  const part = query.get('part-number')
  const { modified } = answer.content
  const open = opener(house, inner, ask, names.account, segments)
  const size = segments.reduce((sum, one) => sum + lengthOfSegment(one), 0)
  if (part !== null) {
    const number = Number(part)
    if (!/^\d+$/.test(part) || number < 1) throw invalid('Part number must be an integer greater than 0', { field: 'part-number' })
    if (number > segments.length) return { status: 416, headers: { ...headers, 'x-parts-count': String(segments.length), 'content-range': `bytes */${size}`, 'content-type': 'text/html; charset=UTF-8' }, body: method === 'HEAD' ? '' : 'The requested part number is not satisfiable' }
    const start = segments.slice(0, number - 1).reduce((sum, one) => sum + lengthOfSegment(one), 0)
    const length = lengthOfSegment(segments[number - 1]!)
    Object.assign(headers, { 'x-parts-count': String(segments.length), 'content-range': `bytes ${start}-${start + length - 1}/${size}`, 'content-length': String(length) })
    // For a copy the part is all there is.
    if (ask.source === 'COPY') return { ...answer, headers, content: { size: length, etag: String(etag), modified, open: (first, last) => open(start + first, start + last) } }
    return { status: 206, headers, ...(method === 'HEAD' || length === 0 ? {} : { body: await open(start, start + length - 1) }) }
  }
  return { ...answer, headers, content: { size, etag: String(etag), modified, open } }
}

export async function textOf(answer: Answer): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of await streamOf(answer)) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function opener(house: Swift, inner: Serve, ask: Ask, account: string, segments: readonly Segment[], depth = 1): (start: number, end: number) => Promise<Readable> {
  return async (start, end) => {
    const openers: (() => Promise<Readable>)[] = []
    let at = 0
    for (const one of segments) {
      const length = lengthOfSegment(one)
      const [first, last] = [Math.max(start, at) - at, Math.min(end, at + length - 1) - at]
      at += length
      if (first > last) continue
      openers.push(async () => {
        if (one.data !== undefined) return Readable.from([Buffer.from(one.data, 'base64').subarray(first, last + 1)])
        const offset = spanOf(one)!.start
        return openSegment(house, inner, ask, account, one, offset + first, offset + last, depth)
      })
    }
    // The first segment is judged before anything is promised.
    const [head, ...rest] = openers
    if (!head) return Readable.from([])
    const stream = await head()
    return rest.length === 0 ? stream : concatenated([async () => stream, ...rest])
  }
}

async function openSegment(house: Swift, inner: Serve, ask: Ask, account: string, segment: Segment, start: number, end: number, depth: number): Promise<Readable> {
  const names = segmentNames(account, segment.name!)
  const got = await attempt(inner, sub(ask, 'GET', names, { source: 'SLO' }))
  if (!ok(got.status) || !got.content) throw new Fault('conflict', CONFLICT, { detail: `The segment ${segment.name} cannot be read (${got.status}).` })
  if (isSlo(got)) {
    if (got.headers[ETAG] !== segment.hash || Number(got.headers[SIZE]) !== segment.bytes) throw new Fault('conflict', CONFLICT, { detail: `The segment ${segment.name} is not what the manifest says.` })
    if (depth >= DEPTH) throw new Fault('conflict', CONFLICT, { detail: 'Too many levels of large objects within large objects.' })
    return opener(house, inner, ask, account, JSON.parse((await textOf(got)).toString()) as Segment[], depth + 1)(start, end)
  }
  if (got.content.etag !== segment.hash || got.content.size !== segment.bytes) {
    drop(got)
    throw new Fault('conflict', CONFLICT, { detail: `The segment ${segment.name} is not what the manifest says.` })
  }
  return got.content.open(start, end)
}

function segmentNames(account: string, path: string): Names {
  const [, container = '', object = ''] = /^\/?([^/]+)\/([\s\S]+)$/.exec(path) ?? []
  return { account, container, object }
}

async function put(house: Swift, inner: Serve, ask: Ask): Promise<Answer> {
  const { headers, query } = ask
  const { max_manifest_segments, max_manifest_size } = house.config.slo
  if (headers['content-length'] === undefined && headers['transfer-encoding'] !== 'chunked' && ask.body === undefined) throw new Fault('length_required', 'Missing Content-Length header.')
  if (headers['x-copy-from'] !== undefined) throw new Fault('method_not_allowed', 'Multipart Manifest PUTs cannot be COPY requests')
  if (Number(headers['content-length'] ?? 0) > max_manifest_size) throw new Fault('too_large', `Manifest File > ${max_manifest_size} bytes`)
  // A read of a missing destination must fail before the segments are looked at.
  deleteAt(house, headers)
  const text = (await small(ask, max_manifest_size)).toString()
  let wanted: Wanted[]
  try {
    wanted = parseManifest(text, max_manifest_segments)
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.code === 'swift.too_many_segments') return plain(413, thrown.message)
    if (thrown instanceof Fault) return plain(400, thrown.message)
    throw thrown
  }
  const own = wanted.findIndex(({ path }) => path?.container === ask.names.container && path.object === ask.names.object)
  if (own >= 0) return plain(400, `Index ${own}: manifest must not include itself as a segment\n`)
  const heartbeat = /^(true|1|yes|on|t|y)$/i.test(query.get('heartbeat') ?? '')
  const work = async (): Promise<Answer> => assemble(house, inner, ask, wanted)
  if (!heartbeat) return work()
  return { status: 202, headers: { 'content-type': formatType(ask) }, body: Readable.from(beating(house, ask, work), { objectMode: false }) }

  async function* beating(at: Swift, asked: Ask, run: () => Promise<Answer>): AsyncGenerator<string> {
    const asking = attempt(run, asked)
    let settled = false
    const ended = asking.finally(() => (settled = true))
    ended.catch(() => {})
    while (!settled) {
      yield ' '
      await Promise.race([ended.catch(() => {}), at.world.clock.sleep(1000)])
    }
    const answer = await asking
    const report: Report = { status: `${answer.status} ${answer.status === 201 ? 'Created' : (TITLES[answer.status] ?? 'Error')}`, body: ok(answer.status) ? '' : answer.status === 400 ? BAD : `${TITLES[answer.status] ?? 'Error'}\n${String(answer.body ?? '').replace(/^<html>.*<p>(.*)<\/p><\/html>$/s, '$1')}`, errors: (answer as Failed).failures ?? [], counts: {}, extra: ok(answer.status) ? { 'Last Modified': String(answer.headers['last-modified']), Etag: String(answer.headers.etag) } : {} }
    yield `\r\n\r\n${String(reportAnswer(asked, report).body)}`
  }
  function formatType(asked: Ask): string {
    return /json/.test(asked.headers.accept ?? '') ? 'application/json' : 'text/plain'
  }
}

async function assemble(house: Swift, inner: Serve, ask: Ask, wanted: readonly Wanted[]): Promise<Answer> {
  const { names, headers } = ask
  const errors: string[][] = []
  const segments: Segment[] = Array.from({ length: wanted.length })
  const heads = new Map<string, Promise<Answer>>()
  const bare = { headers: {}, source: 'SLO' }
  let next = 0
  await Promise.all(
    Array.from({ length: AHEAD }, async () => {
      for (let i = next++; i < wanted.length; i = next++) {
        const one = wanted[i]!
        if (!one.path) {
          segments[i] = { data: one.data!.toString('base64') }
          continue
        }
        const { container, object } = one.path
        const key = `${container}/${object}`
        if (!heads.has(key)) heads.set(key, attempt(inner, sub(ask, 'HEAD', { account: names.account, container, object }, bare)))
        const problems: string[] = []
        segments[i] = judge(one, await heads.get(key)!, problems, i === wanted.length - 1)
        if (problems.length > 0) errors[i] = problems
      }
    }),
  )
  const failures = errors.filter((one) => one !== undefined).flatMap((one) => one.map((what) => what.split('\0') as [string, string]))
  if (failures.length > 0) return failed(ask, failures)
  const hash = createHash('md5')
  for (const one of segments) hash.update(one.data !== undefined ? createHash('md5').update(Buffer.from(one.data, 'base64')).digest('hex') : one.range === undefined ? one.hash! : `${one.hash}:${one.range};`)
  const etag = hash.digest('hex')
  const size = segments.reduce((sum, one) => sum + lengthOfSegment(one), 0)
  const text = Buffer.from(JSON.stringify(segments))
  const given = headers.etag?.replaceAll('"', '').toLowerCase()
  if (given !== undefined && given !== etag && given !== createHash('md5').update(text).digest('hex')) throw new Fault('unprocessable', 'Unable to process the contained instructions')
  const { etag: _etag, 'transfer-encoding': _coding, ...rest } = headers
  const answer = await inner({
    ...ask, query: new URLSearchParams(), body: text, sendContinue: undefined,
    headers: { ...rest, 'content-length': String(text.length), 'content-type': headers['content-type'] || typeOf(names.object), [ETAG]: etag, [SIZE]: String(size), 'x-backend-size': String(size), 'x-backend-listing': JSON.stringify({ slo_etag: `"${etag}"` }) },
  })
  if (ok(answer.status)) {
    answer.headers['x-manifest-etag'] = String(answer.headers.etag)
    answer.headers.etag = `"${etag}"`
  }
  return answer
}

/** Looks at what a segment is. Problems are `path\0reason`. */
function judge(one: Wanted, head: Answer, problems: string[], last: boolean): Segment {
  const { text } = one.path!
  const say = (why: string): void => void problems.push(`${text}\0${why}`)
  const segment: Segment = { name: text, bytes: 0, hash: '' }
  if (!ok(head.status) || !head.content) {
    say(`${head.status} ${TITLES[head.status] ?? ''}`.trim())
    return segment
  }
  const nested = isSlo(head)
  segment.bytes = nested ? Number(head.headers[SIZE]) : head.content.size
  segment.hash = nested ? String(head.headers[ETAG]) : head.content.etag
  segment.content_type = String(head.headers['content-type'])
  segment.last_modified = `${new Date(head.content.modified).toISOString().slice(0, 23)}000`
  if (nested) segment.sub_slo = true
  if (one.size_bytes !== undefined && one.size_bytes !== segment.bytes) say('Size Mismatch')
  if (one.etag !== undefined && one.etag !== segment.hash) say('Etag Mismatch')
  if (one.range !== undefined) {
    segment.range = one.range
    const span = spanOf(segment)
    if (!span) say('Unsatisfiable Range')
    // A range of everything is no range.
    else if (span.start === 0 && span.end === segment.bytes! - 1) delete segment.range
    else segment.range = `${span.start}-${span.end}`
  }
  // Swift overlooks an empty one at the end.
  if (segment.bytes! < 1 && !last && problems.length === 0) say('Too small; each segment must be at least 1 byte.')
  return segment
}

const BAD = 'Bad Request\nThe server could not comply with the request since it is either malformed or otherwise incorrect.'

/** An answer that remembers which segments are wrong. */
interface Failed extends Answer { failures?: [string, string][] }

function failed(ask: Ask, errors: readonly (readonly [string, string])[]): Failed {
  return { ...failureAnswer(ask, errors), failures: errors.map(([path, why]) => [quote(path.replace(/^\//, '')), why]) }
}

function failureAnswer(ask: Ask, errors: readonly (readonly [string, string])[]): Answer {
  const accept = ask.headers.accept ?? ''
  if (accept.includes('json')) return { status: 400, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ Errors: errors.map(([path, why]) => [quote(path), why]) }) }
  if (accept.includes('xml')) return { status: 400, headers: { 'content-type': 'text/xml' }, body: `<delete>\n<errors>\n${errors.map(([path, why]) => `<object><name>${escape(quote(path))}</name><status>${escape(why)}</status></object>`).join('\n')}\n</errors>\n</delete>\n` }
  return plain(400, `Errors:\n${errors.map(([path, why]) => `${quote(path)}, ${why}`).join('\n')}\n`)
}

/** The segments, then the manifest. With `async` the answer is short; nothing is left for later, because a segment costs one row. */
async function removeAll(inner: Serve, ask: Ask): Promise<Answer> {
  const { names, query } = ask
  const later = /^(true|1|yes|on|t|y)$/i.test(query.get('async') ?? '')
  const report: Report = { status: '200 OK', body: '', errors: [], counts: { 'Number Deleted': 0, 'Number Not Found': 0 } }
  const version = query.get('version-id')
  const ofRoot = version === null ? '' : `version-id=${encodeURIComponent(version)}`
  const single = async (target: Names, text = ''): Promise<void> => {
    const answer = await attempt(inner, sub(ask, 'DELETE', target, { source: 'SLO', query: text }))
    if (ok(answer.status)) report.counts['Number Deleted']!++
    else if (answer.status === 404) report.counts['Number Not Found']!++
    else if (answer.status === 401) report.status = '401 Unauthorized'
    else report.errors.push([quote(`/${target.container}/${target.object}`), `${answer.status}`])
  }
  const walk = async (target: Names, depth: number): Promise<void> => {
    const text = depth === 0 ? ofRoot : ''
    const got = await attempt(inner, sub(ask, 'GET', target, { query: `multipart-manifest=get&${text}`, source: 'SLO' }))
    if (depth > DEPTH) report.errors.push([quote(`/${target.container}/${target.object}`), 'Too many buffered slo segments to delete.'])
    else if (got.status === 404) report.counts['Number Not Found']!++
    else if (got.status === 401) report.status = '401 Unauthorized'
    else if (!ok(got.status) || !got.content) report.errors.push([quote(`/${target.container}/${target.object}`), `${got.status}`])
    else if (!isSlo(got)) {
      if (depth === 0) report.errors.push([quote(`/${target.container}/${target.object}`), 'Not an SLO manifest'])
      else await single(target)
    } else {
      const segments = JSON.parse((await textOf(got)).toString()) as Segment[]
      for (const one of segments) {
        if (one.data !== undefined) continue
        const to = segmentNames(target.account, one.name!)
        if (one.sub_slo) await walk(to, depth + 1)
        else await single(to)
      }
      await single(target, text)
    }
  }
  if (later) {
    const got = await attempt(inner, sub(ask, 'GET', names, { query: 'multipart-manifest=get', source: 'SLO' }))
    if (!ok(got.status) || !got.content) return got
    if (!isSlo(got)) return plain(400, 'Not an SLO manifest')
    const segments = JSON.parse((await textOf(got)).toString()) as Segment[]
    const containers = new Set(segments.filter((one) => one.data === undefined).map((one) => segmentNames('', one.name!).container))
    if (segments.some((one) => one.sub_slo)) return plain(400, 'No segments may be large objects.')
    if (containers.size > 1) return plain(400, 'All segments must be in one container.')
    await walk(names, 0)
    return done(204)
  }
  await walk(names, 0)
  if (report.errors.length > 0 && report.status === '200 OK') report.status = '400 Bad Request'
  else if (report.status === '200 OK' && report.counts['Number Deleted'] === 0 && report.counts['Number Not Found']! > 0) report.status = '404 Not Found'
  return reportAnswer(ask, report)
}
