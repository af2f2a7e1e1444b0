/** `limit` and `marker` as Nova judges them. */
import { invalid } from '#base/fault.ts'

export function limitOf(query: URLSearchParams, max: number): number {
  const text = query.getAll('limit').at(-1)
  if (text === undefined || text === '') return max
  if (!/^-?\d+$/.test(text)) throw invalid(`Invalid input for query parameters limit. Value: ${text}. limit param must be an integer`, { field: 'limit' })
  const limit = Number(text)
  if (limit < 0) throw invalid(`Invalid input for query parameters limit. Value: ${text}. limit param must be positive`, { field: 'limit' })
  return Math.min(limit, max)
}

/** An ISO 8601 instant, e.g. of `changes-since`. */
export function instantOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  if (!/^\d{4}-?\d{2}-?\d{2}([T ]\d{2}(:?\d{2}(:?\d{2}([.,]\d+)?)?)?)?\s*(Z|[+ -]\d{2}(:?\d{2})?)?$/.test(text)) throw wrongInstant(name, text)
  const zoned = /(?:Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`
  // A `+` of a zone that was not percent-encoded arrives as a space.
  const instant = Date.parse(zoned.replace(/ (\d\d:?\d\d)Z?$/, '+$1'))
  if (Number.isNaN(instant)) throw wrongInstant(name, text)
  return instant
}

function wrongInstant(name: string, text: string) {
  return invalid(`Invalid input for query parameters ${name}. Value: ${text.slice(0, 100)}. '${text.slice(0, 100)}' is not a 'date-time'`, { field: name })
}
