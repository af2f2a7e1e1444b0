/** `Range` headers. */
export interface Span { start: number; end: number }

/**
 * Spans (inclusive) of the ranges that can be had; `undefined` when the header is none that counts (then all is sent), `[]` when nothing
 * of what it asks can be had. What would make the answer costly (many or overlapping ranges) is refused as unsatisfiable.
 */
export function rangesOf(header: string | undefined, size: number): Span[] | undefined {
  if (header === undefined || !/^bytes=/i.test(header)) return undefined
  const spans: Span[] = []
  for (const word of header.slice(6).split(',')) {
    const match = /^\s*(\d*)\s*-\s*(\d*)\s*$/.exec(word)
    if (!match || match[1]! + match[2]! === '') return undefined
    const [, first, last] = match as unknown as [string, string, string]
    if (first === '') {
      const length = Number(last)
      // The end of nothing is all of it.
      if (length > 0 && size === 0) return undefined
      if (length > 0) spans.push({ start: Math.max(0, size - length), end: size - 1 })
      continue
    }
    if (last !== '' && Number(last) < Number(first)) return undefined
    if (Number(first) < size) spans.push({ start: Number(first), end: last === '' ? size - 1 : Math.min(Number(last), size - 1) })
  }
  if (spans.length > 50) return []
  let overlaps = 0
  let backwards = false
  for (let i = 1; i < spans.length; i++) {
    for (let j = 0; j < i; j++) if (crosses(spans[j]!, spans[i]!)) overlaps++
    if (spans[i]!.start < spans[i - 1]!.start) backwards = true
  }
  return overlaps > 2 || (backwards && spans.length >= 8) ? [] : spans
}

/** As Swift counts: an end of one lies inside the other; the same range again is none of it. */
function crosses(a: Span, b: Span): boolean {
  const inside = (at: number, { start, end }: Span): boolean => start < at && at < end + 1
  return inside(b.start, a) || inside(b.end + 1, a) || inside(a.start, b) || inside(a.end + 1, b)
}
