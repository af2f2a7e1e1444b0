/** Many objects in one request: an archive unpacked, a list deleted. */
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { asFault, Fault, isFault, unauthenticated } from '#base/fault.ts'
import { isStream } from '#base/http/message.ts'
import { TITLES } from '#stack/dialect.ts'
import { bunzip2 } from '../core/bzip2.ts'
import { type Names, quote, unquote } from '../core/names.ts'
import { entriesOf } from '../core/tar.ts'
import type { Swift } from '../house.ts'
import { type Answer, type Ask, attempt, forget, type Layer, ok, type Serve, small, sub } from './ask.ts'
import { type Report, reportAnswer } from './bulk-report.ts'

export const bulk: Layer = (house, inner) => async (ask) => {
  const { method, query } = ask
  if (method === 'PUT' && query.has('extract-archive')) return extract(house, inner, ask, query.get('extract-archive')!)
  // The names are in the body: what stands behind the account in the path does not count.
  if ((method === 'POST' || method === 'DELETE') && query.has('bulk-delete') && ask.source === undefined) return removeMany(house, inner, ask)
  return inner(ask)
}

const titled = (status: number): string => `${status} ${TITLES[status] ?? (status === 413 ? 'Request Entity Too Large' : 'Error')}`

async function extract(house: Swift, inner: Serve, ask: Ask, kind: string): Promise<Answer> {
  if (!['tar', 'tar.gz', 'tar.bz2'].includes(kind)) throw new Fault('invalid', 'Unsupported archive format', { field: 'extract-archive' })
  if (ask.headers['content-length'] === undefined && ask.headers['transfer-encoding'] === undefined) return reportAnswer(ask, { status: '411 Length Required', body: '', errors: [], counts: { 'Number Files Created': 0 } }, 'extract')
  const report: Report = { status: '201 Created', body: '', errors: [], counts: { 'Number Files Created': 0 } }
  const { max_containers_per_extraction, max_failed_extractions } = house.config.bulk
  const made = new Set<string>()
  const fail = (name: string, status: string): void => void report.errors.push([quote(name), status])
  // Nobody without a name may write anywhere, and what is packed costs more than it weighs.
  if (ask.who.user_id === undefined && !ask.who.groups && !ask.granted) throw unauthenticated('This server could not verify that you are authorized.')
  ask.sendContinue?.()
  try {
    for await (const entry of entriesOf(unpacked(ask, kind))) {
      if (entry.kind !== 'file') continue
      const path = [ask.names.container, ask.names.object, ...entry.name.replace(/^(\.?\/)+/, '').split('/')].filter((part) => part !== '' && part !== '.').join('/')
      const cut = path.indexOf('/')
      if (cut < 0) continue
      const target: Names = { account: ask.names.account, container: path.slice(0, cut), object: path.slice(cut + 1) }
      if (path.includes('\0')) fail(path, '412 Precondition Failed')
      else if (Buffer.byteLength(target.object) > house.config.limits.max_object_name_length || Buffer.byteLength(target.container) > house.config.limits.max_container_name_length) {
        fail(path, '400 Bad Request')
      } else if (entry.size > house.config.max_file_size) fail(path, titled(413))
      else {
        if (!made.has(target.container)) {
          if (made.size >= max_containers_per_extraction) throw new Fault('invalid', `More than ${max_containers_per_extraction} containers to create from tar.`)
          const box = { ...target, object: '' }
          const there = await attempt(inner, sub(ask, 'HEAD', box, { source: 'EA' }))
          const answer = there.status === 404 ? await attempt(inner, sub(ask, 'PUT', box, { source: 'EA' })) : there
          forget(ask)
          if (answer.status === 401) throw new Fault('unauthenticated', '')
          made.add(target.container)
        }
        const headers: Record<string, string> = { ...Object.fromEntries(Object.entries(ask.headers).filter(([name]) => name.startsWith('x-object-meta-'))), 'content-length': String(entry.size) }
        for (const name of ['x-delete-at', 'x-delete-after']) if (ask.headers[name] !== undefined) headers[name] = ask.headers[name]
        for (const [key, value] of Object.entries(entry.attributes)) {
          if (key === 'mime_type') headers['content-type'] = value
          else if (key.startsWith('meta.')) headers[`x-object-meta-${key.slice(5).toLowerCase()}`] = Buffer.from(value).toString('latin1')
        }
        const answer = await attempt(inner, sub(ask, 'PUT', target, { headers, body: entry.size === 0 ? undefined : Readable.from(entry.body, { objectMode: false }), source: 'EA' }))
        if (ok(answer.status)) report.counts['Number Files Created']!++
        else if (answer.status === 401) throw new Fault('unauthenticated', '')
        else fail(path, titled(answer.status))
      }
      if (report.errors.length >= max_failed_extractions) throw new Fault('invalid', 'Max extraction failures reached.')
    }
    if (report.errors.length > 0) report.status = '400 Bad Request'
    else if (report.counts['Number Files Created'] === 0) Object.assign(report, { status: '400 Bad Request', body: 'Invalid Tar File: No Valid Files' })
  } catch (thrown) {
    if (isFault(thrown, 'unauthenticated')) Object.assign(report, { status: '401 Unauthorized' })
    else if (isFault(thrown, 'invalid') || (thrown as { code?: string }).code?.startsWith('Z_')) Object.assign(report, { status: '400 Bad Request', body: isFault(thrown) ? thrown.message : `Invalid Tar File: ${kind === 'tar.gz' ? 'not a gzip file' : 'invalid compressed data'}` })
    else {
      const fault = asFault(thrown)
      if (fault.kind === 'internal') throw thrown
      Object.assign(report, { status: '502 Bad Gateway', body: fault.message })
    }
  }
  return reportAnswer(ask, report, 'extract')
}

function unpacked(ask: Ask, kind: string): AsyncIterable<Uint8Array> {
  const source = isStream(ask.body) ? ask.body : Readable.from(ask.body === undefined ? [] : [Buffer.from(ask.body as string)])
  if (kind === 'tar') return source as AsyncIterable<Uint8Array>
  if (kind === 'tar.bz2') return bunzip2(source as AsyncIterable<Uint8Array>)
  const gunzip = createGunzip({ chunkSize: 1 << 16 })
  source.on('error', (thrown) => gunzip.destroy(thrown))
  return source.pipe(gunzip) as AsyncIterable<Uint8Array>
}

async function removeMany(house: Swift, inner: Serve, ask: Ask): Promise<Answer> {
  const { max_deletes_per_request, max_failed_deletes } = house.config.bulk
  const report: Report = { status: '200 OK', body: '', errors: [], counts: { 'Number Deleted': 0, 'Number Not Found': 0 } }
  const most = max_deletes_per_request * (house.config.limits.max_object_name_length + house.config.limits.max_container_name_length + 2)
  const type = ask.headers['content-type']
  if (type !== undefined && !/^text\/plain\b/i.test(type)) return reportAnswer(ask, { ...report, status: '406 Not Acceptable' })
  if (ask.headers['content-length'] === undefined && ask.headers['transfer-encoding'] === undefined && ask.body === undefined) return reportAnswer(ask, { ...report, status: '411 Length Required' })
  const text = (await small(ask, Math.min(most, 64 * 2 ** 20))).toString('latin1')
  const lines = text.split('\n').map((line) => line.trim()).filter((line) => line !== '')
  if (lines.length > max_deletes_per_request) return reportAnswer(ask, { ...report, status: titled(413), body: `Maximum Bulk Deletes: ${max_deletes_per_request} per request` })
  if (lines.length === 0) return reportAnswer(ask, { ...report, status: '400 Bad Request', body: 'Invalid bulk delete.' })
  const later = new Set<string>()
  for (const line of lines) {
    const path = unquote(line)
    const [, container = '', object = ''] = /^\/?([^/]+)(?:\/([\s\S]*))?$/.exec(path ?? '') ?? []
    if (line.length > 3 * (house.config.limits.max_object_name_length + house.config.limits.max_container_name_length) + 2) return reportAnswer(ask, { ...report, status: '400 Bad Request', body: 'Invalid File Name' })
    if (path === undefined || path.includes('\0')) {
      report.errors.push([line.replaceAll(/[^\x21-\x7e]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`), '412 Precondition Failed'])
      continue
    }
    if (container === '') {
      report.errors.push([quote(path), '400 Bad Request'])
      continue
    }
    const target: Names = { account: ask.names.account, container, object }
    {
      const answer = await attempt(inner, { ...sub(ask, 'DELETE', target, { source: 'BD' }), seen: new Map() })
      if (ok(answer.status)) report.counts['Number Deleted']!++
      else if (answer.status === 404) report.counts['Number Not Found']!++
      else if (answer.status === 401) {
        report.errors.push([quote(path), '401 Unauthorized'])
        report.status = '401 Unauthorized'
        break
      // What is not empty yet may be when the rest of the list is gone.
      } else if (answer.status === 409 && object === '' && !later.has(line)) {
        later.add(line)
        lines.push(line)
      } else report.errors.push([quote(path), titled(answer.status)])
    }
    if (report.errors.length >= max_failed_deletes) {
      Object.assign(report, { status: '400 Bad Request', body: 'Max delete failures exceeded' })
      break
    }
  }
  if (report.status === '200 OK') {
    if (report.errors.length > 0) report.status = '400 Bad Request'
    else if (report.counts['Number Deleted'] === 0 && report.counts['Number Not Found'] === 0) Object.assign(report, { status: '400 Bad Request', body: 'Invalid bulk delete.' })
  }
  return reportAnswer(ask, report)
}
