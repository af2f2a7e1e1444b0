/** A page of names with prefix and delimiter: what shares a folder is one line, and is jumped over instead of being read. */

/** What one query of a listing reads: names between two bounds in the order of their bytes, or against it, at most `limit`. */
export interface Window { limit: number; low?: { name: string; also: boolean } | undefined; high?: { name: string; also: boolean } | undefined; reverse: boolean }

/** The folder of a name that begins with `prefix` ends with the first `delimiter` behind that; what lies behind a folder begins with `next` in the delimiter's place. */
export interface Leap { prefix: string; delimiter: string; next: string }

export interface Line<Row> { row?: Row; subdir?: string }

/** The least text that is greater than every text beginning with `prefix`; undefined when there is none. */
export function past(prefix: string): string | undefined {
  const points = [...prefix]
  while (points.length > 0) {
    const last = points.pop()!.codePointAt(0)!
    if (last < 0x10ffff) return points.join('') + String.fromCodePoint(last === 0xd7ff ? 0xe000 : last + 1)
  }
  return undefined
}

/** As the bytes of UTF-8 compare; JavaScript compares code units, which differs beyond the basic plane. */
export function compareNames(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

export interface Asked { limit: number; marker: string; end_marker: string; prefix: string; delimiter: string; path: string | undefined; reverse: boolean }

type Bound = { name: string; also: boolean } | undefined

const higher = (a: Bound, b: Bound): Bound => pick(a, b, 1)
const lower = (a: Bound, b: Bound): Bound => pick(a, b, -1)

function pick(a: Bound, b: Bound, sign: 1 | -1): Bound {
  if (!a || !b) return a ?? b
  const order = compareNames(a.name, b.name) * sign
  return order > 0 || (order === 0 && !a.also) ? a : b
}

/** `leap` reads the same names, but of each folder the first alone, and `row` of those without one; who has no row there is gone. */
export async function listPage<Row extends { name: string }>(asked: Asked, read: (window: Window) => Promise<Row[]>, leap?: (window: Window, over: Leap) => Promise<{ name: string; row?: Row }[]>): Promise<Line<Row>[]> {
  const { limit, reverse, marker, path } = asked
  const prefix = path === undefined ? asked.prefix : path === '' ? '' : `${path.replace(/\/+$/, '')}/`
  const delimiter = path === undefined ? asked.delimiter : '/'
  const out: Line<Row>[] = []
  // No name holds a NUL, and not every database takes one in a question.
  if (prefix.includes('\0')) return out
  const edge = prefix === '' ? undefined : past(prefix)
  const bound = (name: string, below: boolean): Bound => (name === '' ? undefined : name.includes('\0') ? { name: name.slice(0, name.indexOf('\0')), also: below } : { name, also: false })
  const after = bound(asked[reverse ? 'end_marker' : 'marker'], false)
  const before = bound(asked[reverse ? 'marker' : 'end_marker'], true)
  let low = higher(prefix === '' ? undefined : { name: prefix, also: true }, after)
  let high = lower(edge === undefined ? undefined : { name: edge, also: false }, before)
  const over = path === undefined && delimiter !== '' ? leapOver(prefix, delimiter) : undefined
  // Behind a folder there is often the next one: few rows are read there, or many folders at once; more rows where none comes.
  let step = 64
  let leaping = false
  while (out.length < limit) {
    const room = limit - out.length
    const want = delimiter === '' ? room : Math.min(room, leaping ? LEAPS : step)
    const window = { limit: want, low, high, reverse }
    const found = leaping ? await leap!(window, over!) : (await read(window)).map((row) => ({ name: row.name, row }))
    if (delimiter === '' && out.length === 0 && (found.length === limit || found.length < want)) return found
    let jumped = false
    let last = ''
    for (const { name, row } of found) {
      const cut = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length)
      const folder = cut < 0 ? '' : name.slice(0, cut + delimiter.length)
      if (folder !== '' && folder === last) break
      if (reverse) high = { name: name, also: false }
      else low = { name: name, also: false }
      if (path !== undefined && name === prefix) continue
      if (cut < 0 || (path !== undefined && folder === name)) {
        if (row) out.push({ row })
        if (out.length >= limit) break
        continue
      }
      // As in Swift: the lower bound itself is no folder of the page, whichever way it is read.
      if (path === undefined && folder !== asked[reverse ? 'end_marker' : 'marker']) out.push({ subdir: folder })
      const beyond = past(folder)
      if (reverse) high = { name: folder, also: false }
      else if (beyond === undefined) return out
      else low = { name: beyond, also: true }
      jumped = true
      if (!leaping || out.length >= limit) break
      last = folder
    }
    if (found.length < want && (leaping || !jumped)) break
    step = jumped ? 2 : Math.min(step * 4, 1024)
    leaping = jumped && leap !== undefined && over !== undefined
  }
  return out
}

/** Steps in one statement. */
const LEAPS = 500

function leapOver(prefix: string, delimiter: string): Leap | undefined {
  const next = past(delimiter)
  return next === undefined ? undefined : { prefix, delimiter, next }
}
