/** A provider of SAML2 as a test needs it: it says whatever it is told to say, and signs that. */
import { type CipherGCM, constants, createCipheriv, publicEncrypt, randomBytes } from 'node:crypto'
import { inflateRawSync } from 'node:zlib'
import { samlInstant } from '../core/saml/messages.ts'
import { signElement } from '../core/saml/signature.ts'
import { NS, readXml, tag, type XmlElement } from '../core/saml/xml.ts'
import { selfSigned } from './certificate.ts'

export interface Said {
  id?: string
  issuer?: string
  recipient?: string
  /** Undefined leaves it out. */
  in_response_to?: string | undefined
  audience?: string | undefined
  /** Milliseconds, seen from now. */
  issued?: number
  from?: number
  until?: number
  method?: string
  status?: string
  attributes?: Record<string, string[]>
  name_id?: string
  /** Content in place of what the attributes would be, or of the conditions. */
  conditions?: string
  statement?: string
  key?: string
  destination?: string
}

export interface Encrypting {
  data?: string
  key?: string
  /** What the key's EncryptionMethod holds. */
  method?: string
  oaepHash?: string
  /** Changes what is encrypted, the key, or the bytes. */
  secret?: Buffer
  spoil?(bytes: Buffer): Buffer
  /** The key stands beside the data. */
  beside?: boolean
}

export interface SamlProviderKit {
  entity_id: string
  key: string
  certificate: string
  /** An assertion that is signed, alone. */
  assertion(said: Said): string
  /** A response with it. */
  response(said: Said): string
  wrap(assertion: string, said?: Said): string
  /** As `EncryptedAssertion`, for whoever has this certificate. */
  encrypted(assertion: string, certificate: string, how?: Encrypting): string
  /** What a browser was sent here with. */
  request(location: string): { request: XmlElement; relay_state: string; signed: URLSearchParams }
}

export function samlProviderKit(now: () => number, recipient: string, audience: string): SamlProviderKit {
  const { key, certificate } = selfSigned('idp')
  const entity_id = 'https://idp.example/saml'
  let serial = 0
  const at = (ms: number): string => samlInstant(now() + ms)
  const kit: SamlProviderKit = {
    entity_id,
    key,
    certificate,
    assertion(said) {
      const id = said.id ?? `_assertion-${++serial}`
      const data = tag('saml:SubjectConfirmationData', { Recipient: said.recipient ?? recipient, InResponseTo: said.in_response_to, NotOnOrAfter: at(said.until ?? 120_000) })
      const subject = tag('saml:Subject', {}, tag('saml:NameID', {}, said.name_id ?? 'jane') + tag('saml:SubjectConfirmation', { Method: said.method ?? 'urn:oasis:names:tc:SAML:2.0:cm:bearer' }, data))
      const wanted = 'audience' in said ? said.audience : audience
      const restriction = wanted === undefined ? '' : tag('saml:AudienceRestriction', {}, tag('saml:Audience', {}, wanted))
      const conditions = tag('saml:Conditions', { NotBefore: at(said.from ?? -1000), NotOnOrAfter: at(said.until ?? 120_000) }, said.conditions ?? restriction)
      const statement = said.statement ?? tag('saml:AuthnStatement', { AuthnInstant: at(0) }, tag('saml:AuthnContext', {}, tag('saml:AuthnContextClassRef', {}, 'urn:oasis:names:tc:SAML:2.0:ac:classes:Password')))
      const attributes = Object.entries(said.attributes ?? { uid: ['jane'], groups: ['staff'] }).map(([Name, values]) => tag('saml:Attribute', { Name }, values.map((value) => tag('saml:AttributeValue', {}, value)).join('')))
      const content = tag('saml:Issuer', {}, said.issuer ?? entity_id) + subject + conditions + statement + tag('saml:AttributeStatement', {}, attributes.join(''))
      const plain = tag('saml:Assertion', { 'xmlns:saml': NS.assertion, ID: id, Version: '2.0', IssueInstant: at(said.issued ?? 0) }, content)
      return signElement(plain, id, said.key ?? key, certificate)
    },
    response: (said) => kit.wrap(kit.assertion(said), said),
    wrap(assertion, said = {}) {
      const status = tag('samlp:Status', {}, tag('samlp:StatusCode', { Value: said.status ?? 'urn:oasis:names:tc:SAML:2.0:status:Success' }))
      return tag('samlp:Response', { 'xmlns:samlp': NS.protocol, ID: `_response-${++serial}`, Version: '2.0', IssueInstant: at(0), Destination: said.destination, InResponseTo: said.in_response_to }, tag('saml:Issuer', { 'xmlns:saml': NS.assertion }, said.issuer ?? entity_id) + status + assertion)
    },
    encrypted(assertion, certificate, how = {}) {
      const data = how.data ?? 'http://www.w3.org/2009/xmlenc11#aes256-gcm'
      const bits = /aes(\d+)/.exec(data)?.[1] ?? '256'
      const secret = how.secret ?? randomBytes(Number(bits) / 8)
      const mode = data.endsWith('-cbc') ? 'cbc' : 'gcm'
      const iv = randomBytes(mode === 'cbc' ? 16 : 12)
      const cipher = createCipheriv(`aes-${bits}-${mode}`, secret, iv)
      const bytes = Buffer.concat([iv, cipher.update(assertion), cipher.final(), ...(mode === 'gcm' ? [(cipher as CipherGCM).getAuthTag()] : [])])
      const value = (one: Buffer): string => tag('xenc:CipherData', {}, tag('xenc:CipherValue', {}, one.toString('base64').replaceAll(/.{64}/g, '$&\n')))
      const wrapped = publicEncrypt({ key: certificate, oaepHash: how.oaepHash ?? 'sha1', padding: how.key?.endsWith('rsa-1_5') ? constants.RSA_PKCS1_PADDING : constants.RSA_PKCS1_OAEP_PADDING }, secret)
      const key = tag('xenc:EncryptedKey', { 'xmlns:xenc': NS.encryption }, tag('xenc:EncryptionMethod', { Algorithm: how.key ?? 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p' }, how.method ?? '') + value(wrapped))
      const info = how.beside ? '' : tag('ds:KeyInfo', { 'xmlns:ds': NS.signature }, key)
      const content = tag('xenc:EncryptionMethod', { Algorithm: data }) + info + value(how.spoil?.(bytes) ?? bytes)
      return tag('saml:EncryptedAssertion', { 'xmlns:saml': NS.assertion }, tag('xenc:EncryptedData', { 'xmlns:xenc': NS.encryption, Type: 'http://www.w3.org/2001/04/xmlenc#Element' }, content) + (how.beside ? key : ''))
    },
    request(location) {
      const { searchParams } = new URL(location)
      return { request: readXml(inflateRawSync(Buffer.from(searchParams.get('SAMLRequest')!, 'base64')).toString()), relay_state: searchParams.get('RelayState')!, signed: searchParams }
    },
  }
  return kit
}
