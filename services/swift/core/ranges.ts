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
      if (length > 0 && size > 0) spans.push({ start: Math.max(0, size - length), end: size - 1 })
      continue
    }
    if (last !== '' && Number(last) < Number(first)) return undefined
    if (Number(first) < size) spans.push({ start: Number(first), end: last === '' ? size - 1 : Math.min(Number(last), size - 1) })
  }
  if (spans.length > 50) return []
  let overlaps = 0
  let backwards = 0
  for (let i = 1; i < spans.length; i++) {
    if (spans.slice(0, i).some((one) => one.start <= spans[i]!.end && spans[i]!.start <= one.end)) overlaps++
    if (spans[i]!.start < spans[i - 1]!.start) backwards++
  }
  return overlaps > 2 || backwards > 8 ? [] : spans
}
