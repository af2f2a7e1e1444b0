/** What a service provider says: its request for a login, by redirect or in an envelope for clients without a browser, and its metadata. */
import { createSign, X509Certificate } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { RSA_OAEP, WANTED_CIPHERS } from './encryption.ts'
import { NS, tag } from './xml.ts'

export const PAOS_TYPE = 'application/vnd.paos+xml'
const POST_BINDING = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST'
export const REDIRECT_BINDING = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect'
const PAOS_BINDING = 'urn:oasis:names:tc:SAML:2.0:bindings:PAOS'
const NEXT = 'http://schemas.xmlsoap.org/soap/actor/next'
const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'

export interface AuthnAsk {
  id: string
  entity_id: string
  /** Where the answer is to be brought. */
  consumer: string
  destination?: string
  /** Milliseconds. */
  now: number
}

export const samlInstant = (ms: number): string => new Date(ms).toISOString()

function authnRequest({ id, entity_id, consumer, destination, now }: AuthnAsk, binding: string): string {
  const content = tag('saml:Issuer', { 'xmlns:saml': NS.assertion }, tag0(entity_id)) + tag('samlp:NameIDPolicy', { AllowCreate: 'true' })
  return tag('samlp:AuthnRequest', { 'xmlns:samlp': NS.protocol, ID: id, Version: '2.0', IssueInstant: samlInstant(now), Destination: destination, AssertionConsumerServiceURL: consumer, ProtocolBinding: binding }, content)
}

const tag0 = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

/** Where the browser is sent. `key`: the private key that signs the request, when the provider wants that. */
export function redirectUrl(ask: AuthnAsk & { destination: string }, relay_state: string, key?: string): string {
  const query = new URLSearchParams({ SAMLRequest: deflateRawSync(authnRequest(ask, POST_BINDING)).toString('base64'), RelayState: relay_state })
  if (key !== undefined) {
    query.set('SigAlg', RSA_SHA256)
    query.set('Signature', createSign('RSA-SHA256').update(query.toString()).sign(key, 'base64'))
  }
  return `${ask.destination}${ask.destination.includes('?') ? '&' : '?'}${query.toString()}`
}

/** The same for a client that carries messages itself (ECP). */
export function paosRequest(ask: AuthnAsk, relay_state: string): string {
  const first = { 'S:mustUnderstand': '1', 'S:actor': NEXT }
  const header = [
    tag('paos:Request', { 'xmlns:paos': NS.paos, ...first, responseConsumerURL: ask.consumer, service: NS.ecp }),
    tag('ecp:Request', { 'xmlns:ecp': NS.ecp, ...first, IsPassive: '0' }, tag('saml:Issuer', { 'xmlns:saml': NS.assertion }, tag0(ask.entity_id))),
    tag('ecp:RelayState', { 'xmlns:ecp': NS.ecp, ...first }, tag0(relay_state)),
  ].join('')
  return tag('S:Envelope', { 'xmlns:S': NS.soap }, tag('S:Header', {}, header) + tag('S:Body', {}, authnRequest(ask, PAOS_BINDING)))
}

/** A response in an envelope, as it is brought to a service provider without a browser. */
export function ecpEnvelope(response: string, relay_state: string, consumer: string): string {
  const first = { 'S:mustUnderstand': '1', 'S:actor': NEXT }
  const header = tag('ecp:RelayState', { 'xmlns:ecp': NS.ecp, ...first }, tag0(relay_state)) + tag('ecp:Response', { 'xmlns:ecp': NS.ecp, ...first, AssertionConsumerServiceURL: consumer })
  return tag('S:Envelope', { 'xmlns:S': NS.soap }, tag('S:Header', {}, header) + tag('S:Body', {}, response))
}

/** What stands in a PEM certificate between its lines. */
export const certificateBody = (pem: string): string => pem.replaceAll(/-----[^-]+-----|\s/g, '')

export function keyDescriptor(certificate: string, use: 'signing' | 'encryption' = 'signing'): string {
  const methods = use === 'signing' ? [] : [...WANTED_CIPHERS, RSA_OAEP]
  const info = tag('ds:KeyInfo', { 'xmlns:ds': NS.signature }, tag('ds:X509Data', {}, tag('ds:X509Certificate', {}, certificateBody(certificate))))
  return tag('md:KeyDescriptor', { use }, info + methods.map((Algorithm) => tag('md:EncryptionMethod', { Algorithm })).join(''))
}

const forBothUses = (certificate: string): string => keyDescriptor(certificate) + (new X509Certificate(certificate).publicKey.asymmetricKeyType === 'rsa' ? keyDescriptor(certificate, 'encryption') : '')

export function serviceProviderMetadata({ entity_id, acs, ecp, certificate }: { entity_id: string; acs: string; ecp: string; certificate: string | undefined }): string {
  const services = [[POST_BINDING, acs], [PAOS_BINDING, ecp]].map(([Binding, Location], index) => tag('md:AssertionConsumerService', { Binding, Location, index: String(index), ...(index === 0 ? { isDefault: 'true' } : {}) })).join('')
  const role = tag('md:SPSSODescriptor', { protocolSupportEnumeration: NS.protocol, AuthnRequestsSigned: String(certificate !== undefined), WantAssertionsSigned: 'true' }, (certificate === undefined ? '' : forBothUses(certificate)) + services)
  return `<?xml version="1.0" encoding="UTF-8"?>\n${tag('md:EntityDescriptor', { 'xmlns:md': NS.metadata, entityID: entity_id }, role)}`
}
