/**
 * From a token to its facts, with a bounded cache. A token is checked again after `freshFor` (milliseconds, a second by default), or at
 * once when a revocation is announced (`forget`): so what was revoked stops working within a second, also when no announcement arrives.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '#base/clock.ts'
import { LRUCache } from 'lru-cache'
import type { TokenFacts } from './context.ts'

/** Asks Keystone: the facts of a token, or undefined when it is not valid (any more). */
export type ValidateToken = (token: string, requestId: string) => Promise<TokenFacts | undefined>

export interface TokenDoor {
  facts(token: string, requestId: string): Promise<TokenFacts | undefined>
  /** Something was revoked: every cached judgement is made anew. */
  forget(): void
}

/** The token that a request carries; an OAuth 2.0 access token is one. */
export function tokenIn(headers: Readonly<Record<string, string>>): string | undefined {
  const { authorization } = headers
  return headers['x-auth-token'] ?? headers['x-storage-token'] ?? (authorization === undefined ? undefined : /^Bearer ([\w.~+/=-]+)$/i.exec(authorization)?.[1])
}

const MAX_TOKEN = 8192

export function tokenDoor(validate: ValidateToken, clock: Clock, freshFor = 1_000): TokenDoor {
  let epoch = 0
  const cache = new LRUCache<string, { facts: TokenFacts; at: number }>({ max: 20_000 })
  return {
    async facts(token, requestId) {
      if (token.length === 0 || token.length > MAX_TOKEN) return undefined
      const key = token.length > 400 ? createHash('sha256').update(token).digest('base64') : token
      const now = clock.now()
      const known = cache.get(key)
      if (known && now - known.at < freshFor && known.facts.expires_at > now) return known.facts
      // A judgement begun before a revocation may not be kept after it.
      const began = epoch
      const facts = await validate(token, requestId)
      if (facts && facts.expires_at > now) {
        if (began === epoch) cache.set(key, { facts, at: now })
        return facts
      }
      cache.delete(key)
      return undefined
    },
    forget() {
      epoch++
      cache.clear()
    },
  }
}
