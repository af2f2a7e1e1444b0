/**
 * Logins by a SAML2 provider that this Keystone asks itself: by browser (redirect there, form post back), and by a client that carries the messages
 * (ECP), which is also how a user of another Keystone comes. What is genuine is taken once.
 */
import { readBody } from '#base/http/message.ts'
import type { Reply, Rq } from '#stack/route.ts'
import type { Attributes } from '../../core/attributes.ts'
import { judgeAssertion } from '../../core/saml/assertion.ts'
import type { Opener } from '../../core/saml/encryption.ts'
import { paosRequest, PAOS_TYPE, redirectUrl, serviceProviderMetadata } from '../../core/saml/messages.ts'
import type { SamlProvider } from '../../core/saml/settings.ts'
import { type SignedResponse, signedAssertion } from '../../core/saml/signature.ts'
import { childrenOf, LARGEST_XML, only, readXml, refuse } from '../../core/saml/xml.ts'
import { useOnce } from '../../store/used-once.ts'
import type { Keystone } from '../house.ts'
import { there } from '../steps.ts'
import { cookie, cookieName, cookieOf, LOGIN_TIME, outsideUrl, sameText, seal, UNCACHED, unseal } from './sealed.ts'
import type { TokenWish } from './token-office.ts'

const BROWSER = 'saml'
const CARRIER = 'saml-ecp'
const SESSION = 'saml-session'
const SESSION_COOKIE = 'ondol_federation'
/** Milliseconds in which who has shown an assertion must fetch the token. */
const SESSION_TIME = 60_000
/** Where Shibboleth has it: other Keystones know their service providers by this address. */
export const COMMON_DOOR = '/Shibboleth.sso/SAML2/ECP'

export function samlOf(house: Keystone, idp_id: string, protocol_id: string): SamlProvider | undefined {
  const found = house.saml.providers.get(idp_id)
  return found?.protocol_id === protocol_id ? found : undefined
}

const known = (house: Keystone, rq: Rq): SamlProvider => samlOf(house, rq.params.idp_id!, rq.params.protocol_id!) ?? refuse('No such provider of SAML')
const entityId = (house: Keystone): string => house.saml.entity_id || outsideUrl(house, '/v3/OS-FEDERATION/saml2/sp')
const named = (provider: SamlProvider, where: string): string => `/v3/${where}/identity_providers/${encodeURIComponent(provider.idp_id)}/protocols/${encodeURIComponent(provider.protocol_id)}`
const consumer = (house: Keystone, provider: SamlProvider, door: 'acs' | 'ecp'): string => outsideUrl(house, `${named(provider, 'auth/OS-FEDERATION')}/${door}`)
const word = (house: Keystone): string => house.world.random.bytes(32).toString('base64url')
const openerOf = (house: Keystone): Opener => ({ key: house.saml.key, random: (bytes) => house.world.random.bytes(bytes) })
const requestId = (house: Keystone): string => `_${house.world.random.bytes(20).toString('hex')}`

export async function beginSaml(house: Keystone, provider: SamlProvider, origin: string): Promise<Reply> {
  const destination = provider.sso_url ?? refuse('The provider has no address for browsers')
  const [state, request_id, url] = [word(house), requestId(house), consumer(house, provider, 'acs')]
  const location = redirectUrl({ id: request_id, entity_id: entityId(house), consumer: url, destination, now: house.world.clock.now() }, state, provider.sign_requests ? house.saml.key : undefined)
  const { idp_id, protocol_id } = provider
  const sealed = await seal(house, BROWSER, { state, request_id, idp_id, protocol_id, origin }, LOGIN_TIME)
  return { status: 302, headers: { ...UNCACHED, location, 'set-cookie': cookie({ name: cookieName(state), value: sealed, url, crossSite: true }) } }
}

/** The browser posts what the provider says: who it is, and to which dashboard it wanted. */
export async function finishSaml(house: Keystone, rq: Rq): Promise<{ attributes: Attributes; origin: string; setCookie: string }> {
  const provider = known(house, rq)
  const form = new URLSearchParams((await bodyOf(rq, LARGEST_XML * 2)).toString('latin1'))
  const state = form.get('RelayState') ?? ''
  const name = cookieName(state)
  const begun = (await unseal(house, BROWSER, cookieOf(rq.http.headers, name))) ?? refuse('The browser has begun no such login, or too long ago')
  if (!sameText(begun.state!, state) || begun.idp_id !== provider.idp_id || begun.protocol_id !== provider.protocol_id) refuse('The state is of another login')
  const shown = signedAssertion(utf8(Buffer.from(form.get('SAMLResponse') ?? '', 'base64')), provider, openerOf(house))
  if (shown.root !== shown.response) refuse('A browser brings a bare response')
  const url = consumer(house, provider, 'acs')
  const attributes = await accept(house, provider, shown, url, begun.request_id)
  return { attributes, origin: begun.origin!, setCookie: cookie({ name, value: '', url, crossSite: true }) }
}

/** For a client that says it can carry messages, and has shown nothing yet: what it is to carry to the provider. */
export async function paosReply(house: Keystone, rq: Rq): Promise<Reply | undefined> {
  const provider = samlOf(house, rq.params.idp_id!, rq.params.protocol_id!)
  const { accept: wanted = '', paos } = rq.http.headers
  if (!provider || provider.keystone || paos === undefined || !wanted.includes(PAOS_TYPE) || cookieOf(rq.http.headers, SESSION_COOKIE) !== undefined) return undefined
  const request_id = requestId(house)
  const relay = await seal(house, CARRIER, { request_id, idp_id: provider.idp_id, protocol_id: provider.protocol_id }, LOGIN_TIME)
  const body = paosRequest({ id: request_id, entity_id: entityId(house), consumer: consumer(house, provider, 'ecp'), now: house.world.clock.now() }, relay)
  return { status: 200, headers: { ...UNCACHED, 'content-type': PAOS_TYPE }, body }
}

/** Who an envelope is about, and whose provider says so: the one in the path, or at the door that all have in common the Keystone that issued it. */
export async function acceptEnvelope(house: Keystone, rq: Rq): Promise<{ provider: SamlProvider; attributes: Attributes }> {
  const text = utf8(await bodyOf(rq, LARGEST_XML))
  const common = rq.params.idp_id === undefined
  const provider = common ? issuerOf(house, text) : known(house, rq)
  const shown = signedAssertion(text, provider, openerOf(house))
  if (shown.root === shown.response) refuse('The response has no envelope')
  const relay = childrenOf(shown.root, 'soap', 'Header').flatMap((header) => childrenOf(header, 'ecp', 'RelayState'))[0]?.text.trim()
  const begun = await unseal(house, CARRIER, relay)
  if (begun ? begun.idp_id !== provider.idp_id || begun.protocol_id !== provider.protocol_id : !provider.keystone) refuse('The envelope answers no request of ours')
  const recipient = common ? `${house.publicUrl()}${COMMON_DOOR}` : consumer(house, provider, 'ecp')
  return { provider, attributes: await accept(house, provider, shown, recipient, begun?.request_id) }
}

/** The Keystone that a response claims to be of; its signature has still to say the same. */
function issuerOf(house: Keystone, text: string): SamlProvider {
  const issuer = only(only(only(readXml(text), 'soap', 'Body'), 'protocol', 'Response'), 'assertion', 'Issuer').text.trim()
  const found = [...house.saml.providers.values()].filter((one) => one.keystone && one.entity_id === issuer)
  return found.length === 1 ? found[0]! : refuse('No provider, or more than one, has this name')
}

async function accept(house: Keystone, provider: SamlProvider, { response, assertion }: SignedResponse, recipient: string, request_id: string | undefined): Promise<Attributes> {
  const asserted = judgeAssertion(response, assertion, { issuer: provider.entity_id, audience: entityId(house), audienceOptional: provider.keystone, recipient, request_id, now: house.world.clock.now() })
  if (!(await useOnce(house.db, 'saml', `${provider.entity_id} ${asserted.id}`, asserted.good_until))) refuse('The assertion has been used')
  return asserted.attributes
}

/** Sends who has shown an assertion to fetch the token, with a cookie that is good for that once. */
export async function sessionReply(house: Keystone, provider: SamlProvider, wish: TokenWish): Promise<Reply> {
  const sealed = await seal(house, SESSION, { id: word(house), idp_id: provider.idp_id, protocol_id: provider.protocol_id, wish: JSON.stringify(wish) }, SESSION_TIME)
  const location = outsideUrl(house, `${named(provider, 'OS-FEDERATION')}/auth`)
  const secure = location.startsWith('https:') ? '; Secure' : ''
  // The client may know this Keystone by another path than we do.
  return { status: 303, headers: { ...UNCACHED, location, 'set-cookie': `${SESSION_COOKIE}=${sealed}; Path=/; Max-Age=${SESSION_TIME / 1000}; HttpOnly; SameSite=Strict${secure}` } }
}

export async function sessionWish(house: Keystone, provider: SamlProvider, headers: Readonly<Record<string, string>>): Promise<TokenWish> {
  const session = (await unseal(house, SESSION, cookieOf(headers, SESSION_COOKIE))) ?? refuse('Nobody has shown an assertion')
  if (session.idp_id !== provider.idp_id || session.protocol_id !== provider.protocol_id) refuse('The assertion was of another provider')
  if (!(await useOnce(house.db, SESSION, session.id!, Number(session.until)))) refuse('The token has been fetched')
  return JSON.parse(session.wish!) as TokenWish
}

export function samlMetadata(house: Keystone, rq: Rq): Reply {
  const { idp_id = '', protocol_id = '' } = rq.params
  const provider = there(samlOf(house, idp_id, protocol_id), 'provider of SAML', `${idp_id}/${protocol_id}`)
  const body = serviceProviderMetadata({ entity_id: entityId(house), acs: consumer(house, provider, 'acs'), ecp: consumer(house, provider, 'ecp'), certificate: house.saml.key === undefined ? undefined : house.saml.certificate })
  return { headers: { 'content-type': 'application/samlmetadata+xml' }, body }
}

async function bodyOf(rq: Rq, limit: number): Promise<Buffer> {
  return (await readBody(rq.http.body, limit)) ?? refuse('What is shown is too large')
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return refuse('The XML is not UTF-8')
  }
}
