/**
 * A login by an identity provider. Either this Keystone asks the provider itself (`openid.ts`, `saml.ts`), or the web server in front has checked the assertion
 * and passes it on as headers; those are believed from the peers of `federation.trust_headers_from` only (A10), and never for a provider that is
 * asked here. The mapping makes a user, groups and projects of what the provider says.
 */
import { forbidden, isFault, unauthenticated } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { attribute, type Attributes, oneValue } from '../../core/attributes.ts'
import { type Assertion, mapAssertion, type MappingRule } from '../../core/mapping.ts'
import { METHODS } from '../../core/token-payload.ts'
import { findRow, findRows } from '../../store/rows.ts'
import type { IdentityProviderRow, ProtocolRow } from '../../store/tables.ts'
import { domainView } from '../domains.ts'
import type { Keystone } from '../house.ts'
import { projectViews } from '../projects.ts'
import { at, enforce, listReply, own } from '../steps.ts'
import { groupsOf, keepMemberships, localUser, provision, shadow } from './federated-user.ts'
import { bearerAttributes, openidOf } from './openid.ts'
import { acceptEnvelope, COMMON_DOOR, paosReply, samlMetadata, samlOf, sessionReply, sessionWish } from './saml.ts'
import { domainsOfUser, projectsOfUser } from './scopes.ts'
import type { TokenWish } from './token-office.ts'
import { tokenReply } from './tokens.ts'

const refused = (detail: string): never => {
  throw unauthenticated('The request you have made requires authentication.', { detail })
}

/** Who the peer says that this is. */
export function headersOfPeer(house: Keystone, headers: Readonly<Record<string, string>>, remote: string): Attributes {
  if (!house.config.federation.trust_headers_from.includes(remote)) return refused('The peer is not one whose assertions are believed')
  const { assertion_prefix } = house.config.federation
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith(assertion_prefix.toLowerCase())))
}

/** Only what a mapping asks for, under the names by which it asks. */
function withNamesOf(rules: readonly MappingRule[], found: Attributes): Assertion {
  const assertion: Record<string, string | readonly string[]> = {}
  for (const { type } of rules.flatMap((rule) => rule.remote)) {
    const value = attribute(found, type)
    if (value !== undefined) assertion[type] = value
  }
  return assertion
}

/** A login without a browser: what the request itself shows. */
export async function federatedWish(house: Keystone, idp_id: string, protocol_id: string, headers: Readonly<Record<string, string>>, remote: string): Promise<TokenWish> {
  const [party, saml] = [openidOf(house, idp_id, protocol_id), samlOf(house, idp_id, protocol_id)]
  if (!party && !saml) return wishOf(house, idp_id, protocol_id, headersOfPeer(house, headers, remote))
  await openDoor(house, idp_id, protocol_id)
  return saml ? sessionWish(house, saml, headers) : wishOf(house, idp_id, protocol_id, await bearerAttributes(party!, headers))
}

/** The identity provider and protocol that somebody comes by, which must be there and enabled. */
export async function openDoor(house: Keystone, idp_id: string, protocol_id: string): Promise<{ idp: IdentityProviderRow; protocol: ProtocolRow }> {
  const idp = (await findRow(house.db, 'keystone_identity_providers', { id: idp_id })) ?? refused('No such identity provider')
  const protocol = (await findRow(house.db, 'keystone_protocols', { idp_id, id: protocol_id })) ?? refused('No such protocol')
  if (idp.enabled !== 1) throw forbidden(`Identity Provider ${idp_id} is disabled.`)
  return { idp, protocol }
}

/** What the token of somebody is to say of whom this has been asserted. */
export async function wishOf(house: Keystone, idp_id: string, protocol_id: string, found: Attributes): Promise<TokenWish> {
  const { idp, protocol } = await openDoor(house, idp_id, protocol_id)
  await assertRemoteId(house, idp, protocol, found)
  const mapping = (await findRow(house.db, 'keystone_mappings', { id: protocol.mapping_id })) ?? refused('The mapping is gone')
  const rules = JSON.parse(mapping.rules) as MappingRule[]
  const mapped = mapAssertion(rules, withNamesOf(rules, found)) ?? refused('No rule of the mapping holds')
  const method = (METHODS as readonly string[]).includes(protocol_id) ? protocol_id : 'mapped'
  if (mapped.user.type === 'local') {
    const user = await localUser(house, mapped.user)
    return { user_id: user.id, methods: [method] }
  }
  const group_ids = await groupsOf(house, mapped)
  const user = await shadow(house, idp, protocol, mapped.user, found)
  await keepMemberships(house, user.id, idp.id, group_ids)
  await provision(house, idp, user.id, mapped)
  return { user_id: user.id, methods: [method], identity_provider_id: idp.id, protocol_id, group_ids }
}

async function assertRemoteId(house: Keystone, idp: IdentityProviderRow, protocol: ProtocolRow, found: Attributes): Promise<void> {
  const name = protocol.remote_id_attribute ?? house.config.federation.remote_id_attribute
  if (!name) return
  const value = oneValue(found, name)
  const known = (await findRows(house.db, 'keystone_idp_remote_ids', { idp_id: idp.id })).map((row) => row.remote_id)
  if (value === undefined || !known.includes(value)) throw forbidden('Incoming identity provider identifier not included among the accepted identifiers.')
}

/** Says in the log why somebody was not let in, which the answer does not. */
export async function logged<T>(house: Keystone, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    if (isFault(thrown, 'unauthenticated')) house.world.log.module('keystone.federation').info('Refused a login', { reason: String(thrown.detail ?? thrown.message) })
    throw thrown
  }
}

export function federatedLoginRoutes(house: Keystone): Route[] {
  const login = async (rq: Rq): Promise<Reply> => (await logged(house, begunByCarrier(rq))) ?? tokenReply(house, await logged(house, federatedWish(house, rq.params.idp_id!, rq.params.protocol_id!, rq.http.headers, rq.http.remote)), false)
  const begunByCarrier = async (rq: Rq): Promise<Reply | undefined> => {
    const reply = await paosReply(house, rq)
    if (reply) await openDoor(house, rq.params.idp_id!, rq.params.protocol_id!)
    return reply
  }
  /** Somebody brings an assertion in an envelope, and is sent on to fetch the token. */
  const carried = async (rq: Rq): Promise<Reply> => {
    const { provider, attributes } = await acceptEnvelope(house, rq)
    return sessionReply(house, provider, await wishOf(house, provider.idp_id, provider.protocol_id, attributes))
  }
  const auth = '/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth'
  const named = '/v3/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}'
  return [
    at('GET', auth, 'federation.login', 201, login, { access: 'public', bodyKind: 'none' }),
    at('POST', auth, 'federation.login', 201, login, { access: 'public', bodyKind: 'none' }),
    ...[`${named}/ecp`, COMMON_DOOR].map((path) => at('POST', path, 'federation.ecp', 303, (rq) => logged(house, carried(rq)), { access: 'public', bodyKind: 'raw' })),
    at('GET', `${named}/metadata`, 'federation.metadata', 200, (rq) => samlMetadata(house, rq), { access: 'public', bodyKind: 'none' }),
    at('GET', '/v3/OS-FEDERATION/projects', 'federation.projects', 200, async (rq) => {
      enforce(rq, 'get_auth_projects')
      const rows = (await projectsOfUser(house, own(rq).user_id!, own(rq).group_ids)).filter((row) => row.enabled === 1 && row.is_domain === 0)
      return listReply(rq, 'projects', await projectViews(house, rq, rows))
    }),
    at('GET', '/v3/OS-FEDERATION/domains', 'federation.domains', 200, async (rq) => {
      enforce(rq, 'get_auth_domains')
      const rows = (await domainsOfUser(house, own(rq).user_id!, own(rq).group_ids)).filter((row) => row.enabled === 1)
      return listReply(rq, 'domains', rows.map((row) => domainView(rq, row)))
    }),
  ]
}
