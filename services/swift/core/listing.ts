/** A page of names with prefix and delimiter: what shares a folder is one line, and is jumped over instead of being read. */

/** What one query of a listing reads: names after `after`, from `from` on, before `before`, at most `limit`. */
export interface Window { limit: number; after: string; from: string; before: string | undefined; prefix: string }

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

export interface Asked { limit: number; marker: string; end_marker: string; prefix: string; delimiter: string }

export async function listPage<Row extends { name: string }>(asked: Asked, read: (window: Window) => Promise<Row[]>): Promise<Line<Row>[]> {
  const { prefix, delimiter, limit } = asked
  const out: Line<Row>[] = []
  const edge = prefix === '' ? undefined : past(prefix)
  const least = (a: string | undefined, b: string | undefined): string | undefined => (a === undefined ? b : b === undefined ? a : Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0 ? a : b)
  const before = least(edge, asked.end_marker === '' ? undefined : asked.end_marker)
  let after = asked.marker
  let from = prefix
  // A marker inside a folder, or the folder itself, has seen that folder.
  const marked = delimiter !== '' && asked.marker.startsWith(prefix) ? asked.marker.indexOf(delimiter, prefix.length) : -1
  const seen = marked < 0 ? undefined : asked.marker.slice(0, marked + delimiter.length)
  if (seen === asked.marker) from = past(seen) ?? from
  while (out.length < limit) {
    const want = delimiter === '' ? limit - out.length : Math.min(limit - out.length, 64)
    const rows = await read({ limit: want, after, from, before, prefix })
    let jumped = false
    for (const row of rows) {
      after = row.name
      const cut = delimiter === '' ? -1 : row.name.indexOf(delimiter, prefix.length)
      if (cut < 0) out.push({ row })
      else {
        const subdir = row.name.slice(0, cut + delimiter.length)
        out.push({ subdir })
        const next = past(subdir)
        if (next === undefined) return out
        from = next
        jumped = true
        break
      }
      if (out.length >= limit) break
    }
    if (!jumped && rows.length < want) break
  }
  return out
}
