/**
 * For users of this cloud who work in another one: their token is exchanged for an assertion that this Keystone signs, which the other, as a service
 * provider, takes instead of a password.
 */
import { forbidden, notImplemented, unauthenticated } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { identityProviderMetadata, keystoneResponse } from '../../core/saml/keystone-assertion.ts'
import { ecpEnvelope } from '../../core/saml/messages.ts'
import { groupIdsOf } from '../../store/assignments.ts'
import { findRow, rowsIn } from '../../store/rows.ts'
import type { Keystone } from '../house.ts'
import { at, checked, newId, there } from '../steps.ts'
import { outsideUrl } from './sealed.ts'

const ID = { type: 'object', required: ['id'], properties: { id: { type: 'string', minLength: 1 } } }
const BODY = {
  type: 'object',
  required: ['auth'],
  properties: {
    auth: {
      type: 'object',
      required: ['identity', 'scope'],
      additionalProperties: false,
      properties: {
        identity: { type: 'object', required: ['token'], additionalProperties: false, properties: { token: ID, methods: { type: 'array' } } },
        scope: { type: 'object', required: ['service_provider'], additionalProperties: false, properties: { service_provider: ID } },
      },
    },
  },
}
type Ask = { auth: { identity: { token: { id: string } }; scope: { service_provider: { id: string } } } }

function signing(house: Keystone): { key: string; certificate: string; entity_id: string } {
  const { key, certificate, idp_entity_id } = house.saml
  if (key === undefined || certificate === undefined) throw notImplemented('This Keystone signs no assertions: keystone.federation.saml.key_file and certificate_file are not configured.')
  return { key, certificate, entity_id: idp_entity_id || outsideUrl(house, '/v3/OS-FEDERATION/saml2/idp') }
}

interface Exchanged {
  response: string
  sp_url: string
  auth_url: string
  relay_state_prefix: string
}

async function exchange(house: Keystone, rq: Rq): Promise<Exchanged> {
  checked(BODY, rq.body)
  const { identity, scope } = (rq.body as Ask).auth
  const known = identity.token.id.length > 8192 ? undefined : await house.tokens.validate(identity.token.id)
  if (!known) throw unauthenticated('The request you have made requires authentication.', { code: 'token' })
  const { record, user, user_domain, project, project_domain, roles } = known
  const { id, enabled, sp_url, auth_url, relay_state_prefix } = there(await findRow(house.db, 'keystone_service_providers', { id: scope.service_provider.id }), 'service provider', scope.service_provider.id)
  if (enabled !== 1) throw forbidden(`Service Provider ${id} is disabled`)
  if (!project || !project_domain) throw forbidden('You are not authorized to perform the requested action: Use a project scoped token when attempting to create a SAML assertion.')
  // An assertion says who somebody is, with all their groups: more than was delegated.
  if (record.trust_id !== undefined || record.application_credential_id !== undefined || record.access_token_id !== undefined) throw forbidden('You are not authorized to perform the requested action: Using a delegated token to create a SAML assertion.')
  const { key, certificate, entity_id } = signing(house)
  const now = house.world.clock.now()
  const response = keystoneResponse(
    {
      assertion_id: `_${newId(house)}`, response_id: `_${newId(house)}`, session_index: newId(house), entity_id, recipient: sp_url, now, until: Math.min(now + house.saml.assertion_expiration * 1000, record.expires_at),
      user: user.name, user_domain: user_domain.name, project: project.name, project_domain: project_domain.name, roles: roles.map((role) => role.name), groups: await groupsOf(house, user.id),
    },
    key,
    certificate,
  )
  return { response, sp_url, auth_url, relay_state_prefix }
}

async function groupsOf(house: Keystone, user_id: string): Promise<{ name: string; domain: { name: string } }[]> {
  const groups = await rowsIn(house.db, 'keystone_groups', 'id', await groupIdsOf(house.db, user_id))
  const domains = new Map((await rowsIn(house.db, 'keystone_projects', 'id', [...new Set(groups.map((one) => one.domain_id))])).map((row) => [row.id, row.name]))
  return groups.map(({ name, domain_id }) => ({ name, domain: { name: domains.get(domain_id) ?? domain_id } }))
}

/** UTF-8, which headers carry as so many letters. */
const headerText = (text: string): string => Buffer.from(text).toString('latin1')

export function keystoneToKeystoneRoutes(house: Keystone): Route[] {
  const answer = ({ sp_url, auth_url }: Exchanged, body: string): Reply => ({ headers: { 'content-type': 'text/xml', 'x-sp-url': headerText(sp_url), 'x-auth-url': headerText(auth_url), 'cache-control': 'no-store' }, body })
  const metadata = (): Reply => {
    const { entity_id, certificate } = signing(house)
    return { headers: { 'content-type': 'text/xml' }, body: identityProviderMetadata({ entity_id, sso: outsideUrl(house, '/v3/OS-FEDERATION/saml2/sso'), certificate }) }
  }
  return [
    at('GET', '/v3/OS-FEDERATION/saml2/metadata', 'saml2.metadata', 200, metadata, { access: 'public' }),
    // The token stands in the body.
    at('POST', '/v3/auth/OS-FEDERATION/saml2', 'saml2.assertion', 200, async (rq) => {
      const made = await exchange(house, rq)
      return answer(made, made.response)
    }, { access: 'public' }),
    at('POST', '/v3/auth/OS-FEDERATION/saml2/ecp', 'saml2.ecp', 200, async (rq) => {
      const made = await exchange(house, rq)
      return answer(made, ecpEnvelope(made.response, `${made.relay_state_prefix}${newId(house)}`, made.sp_url))
    }, { access: 'public' }),
  ]
}
