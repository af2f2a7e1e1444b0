/** Tokens in and out: issued, read, judged, and kept in memory for as long as the epochs say that nothing changed. */
import type { World } from '#base/world.ts'
import type { TokenFacts } from '#stack/context.ts'
import { isFault, unauthenticated } from '#base/fault.ts'
import { LRUCache } from 'lru-cache'
import type { KeystoneConfig } from '../../config.ts'
import { toSecond } from '../../core/instant.ts'
import type { TokenRecord } from '../../core/token-payload.ts'
import { readEpochs } from '../../store/epochs.ts'
import type { LoadTables, MemoryTables } from '../../store/memory-tables.ts'
import type { Db } from '../../store/rows.ts'
import { findRow } from '../../store/rows.ts'
import { judge, type Judged } from './judgement.ts'
import { catalogFor, tokenBody } from './token-body.ts'
import { tokenFacts } from './token-facts.ts'
import type { TokenSeal } from './token-seal.ts'

/** What a new token is to say; times and audit ids are the office's. */
export type TokenWish = Omit<TokenRecord, 'issued_at' | 'expires_at' | 'audit_ids'> & {
  /** Milliseconds; never later than the configured life from now. */
  expires_at?: number
  /** Audit id of the chain that it continues. */
  chain?: string
}

export interface KnownToken extends Judged {
  epochs: string
  facts: TokenFacts
  /** The answer's JSON, with and without catalog; made at first use. */
  body?: string
  bareBody?: string
}

export interface TokenOffice {
  issue(wish: TokenWish): Promise<{ token: string; known: KnownToken }>
  /** Undefined when it is not valid. `grace`: milliseconds that it may be over its time. */
  validate(token: string, grace?: number): Promise<KnownToken | undefined>
  bodyOf(known: KnownToken, catalog: boolean): Promise<string>
  tables(): Promise<MemoryTables>
}

export interface TokenOfficeParts {
  world: World
  config: KeystoneConfig
  db: Db
  loadTables: LoadTables
  seal: TokenSeal
  publicUrl(): string
}

const KEPT = 10_000
const KEPT_BODIES = 1_000

export function tokenOffice(parts: TokenOfficeParts): TokenOffice {
  const { world, config, db, loadTables, seal } = parts
  const cache = new LRUCache<string, KnownToken>({ max: KEPT })
  const withBody = new LRUCache<KnownToken, true>({ max: KEPT_BODIES, dispose: (_, known) => void (delete known.body, delete known.bareBody) })
  const federation_ttl = config.federation.default_authorization_ttl * 60_000

  const judged = async (record: TokenRecord, epochs: string, grace = 0): Promise<KnownToken> => {
    const tables = await loadTables(epochs)
    const found = await judge({ db, tables, now: world.clock.now(), grace, federation_ttl }, record)
    return { ...found, epochs, facts: tokenFacts(found) }
  }

  const office: TokenOffice = {
    async issue(wish) {
      const now = world.clock.now()
      const { chain, expires_at, ...rest } = wish
      const own = world.random.bytes(16).toString('base64url')
      const record: TokenRecord = {
        ...rest,
        issued_at: await issueInstant(db, wish, toSecond(now)),
        expires_at: Math.min(expires_at ?? Number.MAX_SAFE_INTEGER, toSecond(now) + config.token.expiration * 1000),
        audit_ids: chain === undefined ? [own] : [own, chain],
      }
      const known = await judged(record, await readEpochs(db))
      // Nobody has to look at the clock of what a token stands on: it ends with it.
      for (const ground of [known.trust, known.application_credential, known.oauth]) if (ground?.expires_at != null) record.expires_at = Math.min(record.expires_at, toSecond(ground.expires_at))
      known.facts.expires_at = record.expires_at
      if (record.expires_at <= now) throw unauthenticated('The request you have made requires authentication.', { detail: 'What the token would stand on ends within this second' })
      const token = await seal.seal(record)
      cache.set(token, known)
      return { token, known }
    },
    async validate(token, grace = 0) {
      const epochs = await readEpochs(db)
      const known = cache.get(token)
      if (known && known.epochs === epochs && known.record.expires_at + grace > world.clock.now() && !isTimed(known)) return known
      const record = await seal.open(token)
      if (!record) return undefined
      try {
        const fresh = await judged(record, epochs, grace)
        cache.set(token, fresh)
        return fresh
      } catch (thrown) {
        cache.delete(token)
        if (isFault(thrown, 'unauthenticated') || isFault(thrown, 'forbidden')) return undefined
        throw thrown
      }
    },
    async bodyOf(known, catalog) {
      const ready = catalog ? known.body : known.bareBody
      if (ready !== undefined) return ready
      const tables = await loadTables(known.epochs)
      const made = JSON.stringify({ token: tokenBody(known, catalog ? catalogFor(tables, known, config, parts.publicUrl()) : undefined, tables.serviceProviders) })
      if (catalog) known.body = made
      else known.bareBody = made
      withBody.set(known, true)
      return made
    },
    tables: async () => loadTables(await readEpochs(db)),
  }
  return office
}

/** Memberships from a mapping end by the clock, and are judged each time. */
function isTimed(known: KnownToken): boolean {
  return known.user.federated === 1
}

/**
 * The second that a token carries. Tokens of the second of a revocation are dead with it, so one that is issued right after, in the same
 * second, carries the next.
 */
async function issueInstant(db: Db, wish: TokenWish, now: number): Promise<number> {
  let bound = (await findRow(db, 'keystone_users', { id: wish.user_id }))?.revoked_before ?? 0
  for (const id of [wish.project_id, wish.domain_id]) {
    if (id !== undefined) bound = Math.max(bound, (await findRow(db, 'keystone_projects', { id }))?.revoked_before ?? 0)
  }
  // A bound far ahead would be a broken clock: such a token stays dead until the clock has caught up.
  return bound >= now && bound - now < 60_000 ? bound + 1000 : now
}
