/** The ways to show who one is. Each answers with the user, or throws 401. */
import { forbidden, invalid, notFound, unauthenticated } from '#base/fault.ts'
import type { Row } from '#stack/resource/resource.ts'
import { thumbprintOf } from '#stack/client-certificate.ts'
import { verifyPassword } from '../../core/password-hash.ts'
import { totpHolds } from '../../core/totp.ts'
import { findRow, findRows } from '../../store/rows.ts'
import type { UserRow } from '../../store/tables.ts'
import { getUser, userByName } from '../../store/users.ts'
import { openBlob } from '../credentials.ts'
import type { Keystone } from '../house.ts'
import { signedBy } from '../oauth1.ts'
import type { AuthRequest } from './authenticate.ts'
import { domainOf } from './authenticate.ts'
import { externalUser } from './external.ts'
import { federatedWish } from './federated-login.ts'
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

/** The domain in which a user is asked for by name, if there is one. */
async function knownDomain(house: Keystone, ask: UserAsk): Promise<string | undefined> {
  if (ask.name === undefined || !ask.domain) return undefined
  try {
    return await domainOf(house, ask.domain)
  } catch (thrown) {
    if ((thrown as { kind?: string }).kind === 'unauthenticated') return undefined
    throw thrown
  }
}

const password: MethodPlugin = {
  async run(house, payload) {
    const { user: ask } = payload as { user: UserAsk & { password: string } }
    const user = await namedUser(house, ask)
    const domain_id = user?.domain_id ?? (await knownDomain(house, ask))
    if (domain_id !== undefined && (await house.directories.of(domain_id))) return { user_id: await house.directories.login(domain_id, user?.name ?? ask.name!, ask.password) }
    await checkPassword(house, user, ask.password)
    return { user_id: user!.id }
  },
}

/** A token in exchange for another: same methods, same end, same chain. What was delegated cannot grow. */
const token: MethodPlugin = {
  async run(house, payload, request, scope) {
    const known = await house.tokens.validate((payload as { id: string }).id)
    if (!known) throw notFound('Failed to validate token')
    const { record } = known
    const asks = typeof scope === 'object' && scope !== null ? (scope as Row) : {}
    if (record.access_token_id !== undefined) throw forbidden('You are not authorized to perform the requested action: Using OAuth-scoped token to create another token. Create a new OAuth-scoped token instead.')
    if (record.trust_id !== undefined) throw forbidden('You are not authorized to perform the requested action: Using trust-scoped token to create another token. Create a new trust-scoped token instead.')
    if (record.system !== undefined && (asks.project || asks.domain)) throw forbidden('You are not authorized to perform the requested action: Using a system-scoped token to create a project-scoped or domain-scoped token is not allowed.')
    const isScoped = record.project_id !== undefined || record.domain_id !== undefined || record.system !== undefined
    if (isScoped && !house.config.token.allow_rescope_scoped_token) throw forbidden('You are not authorized to perform the requested action: rescope a scoped token.')
    const answer: MethodAnswer = { user_id: record.user_id, methods: record.methods, wish: { expires_at: record.expires_at, chain: record.audit_ids[1] ?? record.audit_ids[0]! } }
    if (record.application_credential_id !== undefined) answer.bound = { project_id: record.project_id!, application_credential_id: record.application_credential_id }
    if (record.thumbprint !== undefined) {
      if (thumbprintOf(request.certificate) !== record.thumbprint) return refused('The token is bound to a certificate that was not shown')
      answer.bound = { project_id: record.project_id!, thumbprint: record.thumbprint }
    }
    if (record.identity_provider_id !== undefined) Object.assign(answer.wish!, { identity_provider_id: record.identity_provider_id, protocol_id: record.protocol_id, group_ids: record.group_ids })
    return answer
  },
}

/** By id and secret, or by name, user and secret. Project and roles are those of the credential. */
const application_credential: MethodPlugin = {
  async run(house, payload) {
    const ask = payload as { id?: string; name?: string; secret: string; user?: UserAsk }
    if (ask.id === undefined && (ask.name === undefined || !ask.user)) throw invalid('Expecting to find id, or name and user, in application_credential.', { field: 'application_credential' })
    const owner = ask.id === undefined ? await namedUser(house, ask.user!) : undefined
    const row = ask.id === undefined ? owner && (await findRow(house.db, 'keystone_application_credentials', { user_id: owner.id, name: ask.name! })) : await findRow(house.db, 'keystone_application_credentials', { id: ask.id })
    const right = await verifyPassword(ask.secret, row?.secret_hash ?? NOBODYS)
    if (!row || !right) return refused('No such application credential, or another secret')
    return { user_id: row.user_id, scope: { project_id: row.project_id, application_credential_id: row.id } }
  },
}

/** The hash of a secret that nobody has. */
const NOBODYS = `$hmac-sha256$${Buffer.alloc(16).toString('base64')}$${Buffer.alloc(32).toString('base64')}`

/** A code of the moment from one of the user's credentials of type `totp` (its blob is the base32 secret). */
const totp: MethodPlugin = {
  async run(house, payload) {
    const { user: ask } = payload as { user: UserAsk & { passcode: string } }
    const user = await namedUser(house, ask)
    const rows = user ? await findRows(house.db, 'keystone_credentials', { user_id: user.id, type: 'totp' }) : []
    for (const row of rows) {
      if (totpHolds(await openBlob(house, row), ask.passcode, house.world.clock.now())) return { user_id: user!.id }
    }
    return refused('No passcode that fits')
  },
}

/** A request signed with an access token of OS-OAUTH1. */
const oauth1: MethodPlugin = {
  bare: true,
  async run(house, _payload, request) {
    const { token: access } = await signedBy(house, { method: request.method, url: request.url, query: request.query, authorization: request.headers.authorization }, 'access')
    if (access!.user_id === null) return refused('The access token has no user')
    return { user_id: access!.user_id, scope: { project_id: access!.project_id, access_token_id: access!.id } }
  },
}

/** An assertion of an identity provider, as at `/v3/OS-FEDERATION/…/auth`. */
const mapped: MethodPlugin = {
  async run(house, payload, request) {
    const { identity_provider, protocol } = payload as { identity_provider?: string; protocol?: string }
    if (typeof identity_provider !== 'string' || typeof protocol !== 'string') throw invalid('Expecting to find identity_provider and protocol in mapped.', { field: 'mapped' })
    const { user_id, methods, ...wish } = await federatedWish(house, identity_provider, protocol, request.headers, request.remote)
    return { user_id, methods, wish }
  },
}

/** REMOTE_USER of a web server in front. */
const external: MethodPlugin = {
  bare: true,
  run: async (house, _payload, request) => ({ user_id: await externalUser(house, request) }),
}

export const methodPlugins: Readonly<Record<string, MethodPlugin | undefined>> = { external, password, token, application_credential, totp, oauth1, mapped, saml2: mapped, openid: mapped }
