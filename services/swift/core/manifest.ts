/** Manifests of static large objects: what a client may write, and which segments a range touches. */
import { invalid } from '#base/fault.ts'
import { rangesOf } from './ranges.ts'

/** A segment as a client names it: an object, or bytes within the manifest. */
export interface Wanted { path?: { container: string; object: string; text: string }; etag?: string; size_bytes?: number; range?: string; data?: Buffer }

/** A segment as it is stored in the manifest, with Swift's names. */
export interface Segment { name?: string; bytes?: number; hash?: string; content_type?: string; last_modified?: string; range?: string; sub_slo?: boolean; data?: string }

const KEYS = new Set(['path', 'etag', 'size_bytes', 'range', 'data'])

/** Throws `invalid` with one line for each thing that is wrong. */
export function parseManifest(text: string, most: number): Wanted[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (thrown) {
    throw invalid('Manifest must be valid JSON.\n', { cause: thrown })
  }
  if (!Array.isArray(parsed)) throw invalid('Manifest must be a list.\n')
  const errors: string[] = []
  const out: Wanted[] = []
  for (const [i, one] of (parsed as unknown[]).entries()) {
    const bad = (what: string): void => void errors.push(`Index ${i}: ${what}`)
    if (typeof one !== 'object' || one === null || Array.isArray(one)) {
      bad('not a JSON object')
      continue
    }
    const entry = one as Record<string, unknown>
    const unknown = Object.keys(entry).filter((key) => !KEYS.has(key))
    if (unknown.length > 0) bad(`extraneous keys ${unknown.map((key) => JSON.stringify(key)).join(', ')}`)
    else if (entry.path === undefined && entry.data === undefined) bad('expected keys to include one of "path" or "data"')
    else if (entry.data !== undefined) {
      if (Object.keys(entry).length > 1) bad('extraneous keys with "data"')
      else {
        const data = Buffer.from(String(entry.data), 'base64')
        if (typeof entry.data !== 'string' || data.toString('base64').replace(/=+$/, '') !== entry.data.replaceAll(/=+$/g, '')) bad('data must be valid base64')
        else if (data.length < 1) bad('too small; each segment must be at least 1 byte')
        else out.push({ data })
      }
    } else {
      const wanted = wantedOf(entry, bad, i === parsed.length - 1)
      if (wanted) out.push(wanted)
    }
  }
  const objects = out.filter((one) => one.path).length
  if (objects > most) throw invalid(`Number of object-backed segments must be <= ${most}`, { code: 'swift.too_many_segments' })
  if (errors.length > 0) throw invalid(`${errors.join('\n')}\n`)
  if (objects === 0 && out.length > 0) throw invalid('Inline data segments require at least one object-backed segment.\n')
  return out
}

function wantedOf(entry: Record<string, unknown>, bad: (what: string) => void, last: boolean): Wanted | undefined {
  const { path: text, etag, size_bytes, range } = entry
  const path = typeof text === 'string' ? unquotePath(text) : undefined
  if (typeof text !== 'string') bad('"path" must be a string')
  else if (!path) bad('path does not refer to an object. Path must be of the form /container/object.')
  else if (etag !== undefined && etag !== null && typeof etag !== 'string') bad('"etag" must be a string or null (if provided)')
  else if (size_bytes !== undefined && size_bytes !== null && !/^\s*[+-]?\d+(\.\d*)?\s*$/.test(String(size_bytes))) bad('invalid size_bytes')
  else if (size_bytes !== undefined && size_bytes !== null && Number(size_bytes) < 1 && !last) bad('too small; each segment must be at least 1 byte.')
  else if (typeof range === 'string' && /^[\d-]+,/.test(range)) bad('multiple ranges (only one allowed)')
  else if (range && (typeof range !== 'string' || !/^(\d+-\d*|-\d+)$/.test(range))) bad('invalid range')
  else {
    return { path, ...(typeof etag === 'string' ? { etag: etag.replaceAll('"', '') } : {}), ...(size_bytes === undefined || size_bytes === null ? {} : { size_bytes: Math.trunc(Number(size_bytes)) }), ...(typeof range === 'string' && range !== '' ? { range } : {}) }
  }
  return undefined
}

function unquotePath(text: string): Wanted['path'] {
  const match = /^\/?([^/]+)\/([\s\S]+)$/.exec(text)
  return match ? { container: match[1]!, object: match[2]!, text: text.startsWith('/') ? text : `/${text}` } : undefined
}

/** First and last byte of the segment's object that belong to the large object. */
export function spanOf(segment: { bytes?: number; range?: string | undefined }): { start: number; end: number } | undefined {
  if (segment.range === undefined) return { start: 0, end: segment.bytes! - 1 }
  return rangesOf(`bytes=${segment.range}`, segment.bytes!)?.[0]
}

export function lengthOfSegment(segment: Segment): number {
  if (segment.data !== undefined) return Buffer.from(segment.data, 'base64').length
  const span = spanOf(segment)
  return span ? span.end - span.start + 1 : 0
}

/** The manifest as a client would write it. */
export function rawManifest(segments: readonly Segment[]): unknown[] {
  return segments.map((one) => (one.data === undefined ? { path: one.name, etag: one.hash, size_bytes: one.bytes, ...(one.range === undefined ? {} : { range: one.range }) } : { data: one.data }))
}

