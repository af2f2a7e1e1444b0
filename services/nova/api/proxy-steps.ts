/** What the old doors to other houses share. All of them close with 2.35; each asks its house with the caller's own token, so that the house judges. */
import { Fault, forbidden, invalid, isFault, notFound } from '#base/fault.ts'
import { v } from '#stack/version.ts'
import { last } from './queries.ts'

export const PROXIES_END = v('2.35')

/** The other house's refusal in Nova's words: `missing` for what it does not know. */
export async function proxied<T>(asked: Promise<T>, missing: string): Promise<T> {
  try {
    return await asked
  } catch (thrown) {
    if (!isFault(thrown)) throw thrown
    const { code } = thrown
    if (thrown.kind === 'not_found') throw notFound(missing, { cause: thrown })
    if (thrown.kind === 'over_quota' || (thrown.kind === 'conflict' && code === 'OverQuota')) throw forbidden(thrown.message, { cause: thrown })
    throw thrown
  }
}

/** The same, where the other house's conflict was a bad request here. */
export async function proxiedPlainly<T>(asked: Promise<T>, missing: string): Promise<T> {
  return proxied(asked, missing).catch((thrown: unknown) => {
    if (isFault(thrown, 'conflict')) throw invalid(thrown.message, { cause: thrown })
    throw thrown
  })
}

/** `limit` and `offset` over what has been listed whole. */
export function limited<T>(rows: readonly T[], query: URLSearchParams, max: number): T[] {
  const number = (name: string): number | undefined => {
    const text = last(query, name)
    if (text === undefined || text === '') return undefined
    if (!/^\d+$/.test(text)) throw new Fault('invalid', `${name} param must be an integer`, { field: name })
    return Number(text)
  }
  const offset = number('offset') ?? 0
  const limit = Math.min(number('limit') ?? max, max)
  return rows.slice(offset, offset + (limit === 0 ? max : limit))
}
