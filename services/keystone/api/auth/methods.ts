/** The ways to show who one is. Each answers with the user, or throws 401. */
import { forbidden, invalid, unauthenticated } from '#base/fault.ts'
import type { Row } from '#stack/resource/resource.ts'
import type { UserRow } from '../../store/tables.ts'
import { getUser, userByName } from '../../store/users.ts'
import type { Keystone } from '../house.ts'
import type { AuthRequest } from './authenticate.ts'
import { domainOf } from './authenticate.ts'
import { checkPassword } from './password.ts'
import type { TokenWish } from './token-office.ts'

export interface MethodAnswer {
  user_id: string
  /** Methods that count besides the one asked, e.g. those of the token that was shown. */
  methods?: readonly string[]
  /** What the token is to say besides. */
  wish?: Partial<TokenWish>
  /** The only scope that it can have. */
  scope?: Partial<TokenWish>
  /** Came from a delegated token: stays bound to the same. */
  bound?: Partial<TokenWish>
}

export interface MethodPlugin {
  /** Needs nothing of its own in the body. */
  bare?: boolean
  run(house: Keystone, payload: Row, request: AuthRequest, scope: unknown): Promise<MethodAnswer>
}

export interface UserAsk {
  id?: string
  name?: string
  domain?: { id?: string; name?: string }
}

const refused = (detail: string): never => {
  throw unauthenticated('The request you have made requires authentication.', { detail })
}

/** Undefined when there is none; 400 when the body does not say who. */
export async function namedUser(house: Keystone, ask: UserAsk): Promise<UserRow | undefined> {
  if (ask.id !== undefined) return getUser(house.db, ask.id)
  if (ask.name === undefined) throw invalid('Expecting to find id or name in user.', { field: 'user' })
  if (!ask.domain) throw invalid('Expecting to find domain in user.', { field: 'user' })
  try {
    return await userByName(house.db, await domainOf(house, ask.domain), ask.name)
  } catch (thrown) {
    if ((thrown as { kind?: string }).kind === 'unauthenticated') return undefined
    throw thrown
  }
}

const password: MethodPlugin = {
  async run(house, payload) {
    const { user: ask } = payload as { user: UserAsk & { password: string } }
    const user = await namedUser(house, ask)
    await checkPassword(house, user, ask.password)
    return { user_id: user!.id }
  },
}

/** A token in exchange for another: same methods, same end, same chain. What was delegated cannot grow. */
const token: MethodPlugin = {
  async run(house, payload, _request, scope) {
    const known = await house.tokens.validate((payload as { id: string }).id)
    if (!known) return refused('The token that was shown is not valid')
    const { record } = known
    const asks = typeof scope === 'object' && scope !== null ? (scope as Row) : {}
    if (record.access_token_id !== undefined) throw forbidden('You are not authorized to perform the requested action: Using OAuth-scoped token to create another token. Create a new OAuth-scoped token instead.')
    if (record.trust_id !== undefined) throw forbidden('You are not authorized to perform the requested action: Using trust-scoped token to create another token. Create a new trust-scoped token instead.')
    if (record.system !== undefined && (asks.project || asks.domain)) throw forbidden('You are not authorized to perform the requested action: Using a system-scoped token to create a project-scoped or domain-scoped token is not allowed.')
    const isScoped = record.project_id !== undefined || record.domain_id !== undefined || record.system !== undefined
    if (isScoped && !house.config.token.allow_rescope_scoped_token) throw forbidden('You are not authorized to perform the requested action: rescope a scoped token.')
    const answer: MethodAnswer = { user_id: record.user_id, methods: record.methods, wish: { expires_at: record.expires_at, chain: record.audit_ids[1] ?? record.audit_ids[0]! } }
    if (record.application_credential_id !== undefined) answer.bound = { project_id: record.project_id!, application_credential_id: record.application_credential_id }
    if (record.identity_provider_id !== undefined) Object.assign(answer.wish!, { identity_provider_id: record.identity_provider_id, protocol_id: record.protocol_id, group_ids: record.group_ids })
    return answer
  },
}

export const methodPlugins: Readonly<Record<string, MethodPlugin | undefined>> = { password, token }
