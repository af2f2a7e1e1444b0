/** What `keystone.federation.saml` in ondol.yaml says, read and judged once at the start. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { invalid } from '#base/fault.ts'
import { isSafeUrl } from '../openid/settings.ts'
import { REDIRECT_BINDING } from './messages.ts'
import { childrenOf, everything, isA, readXml, type XmlElement } from './xml.ts'

export interface SamlProvider {
  /** The identity provider and the protocol of the API that it stands behind. */
  idp_id: string
  protocol_id: string
  entity_id: string
  /** Where browsers log in (redirect binding). Undefined: only clients without a browser can come by it. */
  sso_url: string | undefined
  /** Certificates or public keys, PEM; a signature of any is good. */
  certificates: readonly string[]
  /** It is a Keystone: its assertions come without a request, and name no audience. */
  keystone: boolean
  /** Its signatures may be of SHA-1. */
  accept_sha1: boolean
  sign_requests: boolean
  /** Its assertions may be encrypted by AES-CBC. */
  accept_cbc: boolean
  /** Only encrypted assertions are taken. */
  encrypted: boolean
}

export interface SamlService {
  /** Empty: an address of this Keystone. */
  entity_id: string
  /** As a provider for other Keystones. Empty: an address of this Keystone. */
  idp_entity_id: string
  /** Seconds that an assertion for another Keystone holds. */
  assertion_expiration: number
  /** PEM; undefined: neither requests nor assertions are signed. */
  key: string | undefined
  certificate: string | undefined
  providers: ReadonlyMap<string, SamlProvider>
}

const KEYS = ['entity_id', 'idp_entity_id', 'assertion_expiration', 'key_file', 'certificate_file', 'providers']
const PROVIDER_KEYS = ['protocol', 'entity_id', 'sso_url', 'certificate_files', 'metadata_file', 'keystone', 'accept_sha1', 'sign_requests', 'accept_cbc', 'encrypted']

export type ReadFile = (path: string) => string
type Given = Record<string, unknown>

export function samlService(given: Readonly<Given>, readFile: ReadFile): SamlService {
  const ask = asker('keystone.federation.saml', given, KEYS)
  const key = given.key_file === undefined ? undefined : pem(readFile(ask.text('key_file')), createPrivateKey, ask, 'key_file')
  const certificate = given.certificate_file === undefined ? undefined : pem(readFile(ask.text('certificate_file')), (text) => new X509Certificate(text), ask, 'certificate_file')
  const providers = (given.providers ?? {}) as Given
  if (typeof providers !== 'object' || Array.isArray(providers)) ask.wrong('providers', 'a map of identity providers')
  const assertion_expiration = given.assertion_expiration ?? 300
  if (!Number.isInteger(assertion_expiration) || !((assertion_expiration as number) > 0)) ask.wrong('assertion_expiration', 'a number of seconds')
  if (key !== undefined && certificate !== undefined && !new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) ask.wrong('key_file', 'the key of certificate_file')
  return {
    idp_entity_id: given.idp_entity_id === undefined ? '' : ask.text('idp_entity_id'),
    assertion_expiration: assertion_expiration as number,
    entity_id: given.entity_id === undefined ? '' : ask.text('entity_id'),
    key,
    certificate,
    providers: new Map(Object.entries(providers).map(([idp_id, settings]) => [idp_id, samlProvider(idp_id, settings, readFile, key !== undefined && certificate !== undefined)])),
  }
}

function samlProvider(idp_id: string, settings: unknown, readFile: ReadFile, canSign: boolean): SamlProvider {
  const ask = asker(`keystone.federation.saml.providers.${idp_id}`, settings, PROVIDER_KEYS)
  const given = settings as Given
  const known = given.metadata_file === undefined ? undefined : fromMetadata(readFile(ask.text('metadata_file')), given.entity_id as string | undefined)
  if (given.metadata_file !== undefined && !known) ask.wrong('metadata_file', 'metadata of one identity provider')
  const files = given.certificate_files ?? []
  if (!Array.isArray(files)) ask.wrong('certificate_files', 'a list of files')
  const certificates = [...(files as string[]).map((path) => readFile(path)), ...(known?.certificates ?? [])].map((text) => pem(text, createPublicKey, ask, 'certificate_files'))
  if (certificates.length === 0) ask.wrong('certificate_files', 'given, or metadata_file with certificates in it')
  const sso_url = given.sso_url === undefined ? known?.sso_url : ask.text('sso_url')
  if (sso_url !== undefined && !isSafeUrl(sso_url)) ask.wrong('sso_url', 'an https URL (http is for the machine itself only)')
  const sign_requests = ask.flag('sign_requests')
  if (sign_requests && !canSign) ask.wrong('sign_requests', 'off, or keystone.federation.saml.key_file and certificate_file given')
  const encrypted = ask.flag('encrypted')
  if (encrypted && !canSign) ask.wrong('encrypted', 'off, or keystone.federation.saml.key_file and certificate_file given')
  return { idp_id, protocol_id: given.protocol === undefined ? 'saml2' : ask.text('protocol'), entity_id: known?.entity_id ?? ask.text('entity_id'), sso_url, certificates, keystone: ask.flag('keystone'), accept_sha1: ask.flag('accept_sha1'), sign_requests, accept_cbc: ask.flag('accept_cbc'), encrypted }
}

/** Asks a map of settings for its values; what is wrong is named by its key, and not told. */
export function asker(where: string, settings: unknown, keys: readonly string[]): { text(key: string): string; flag(key: string): boolean; wrong(key: string, must: string): never } {
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) throw invalid(`${where} must be a map of keys`, { field: where })
  const given = settings as Given
  for (const key of Object.keys(given)) if (!keys.includes(key)) throw invalid(`${where}: unknown key "${key}"; there are ${keys.join(', ')}`, { field: `${where}.${key}` })
  const wrong = (key: string, must: string): never => {
    throw invalid(`${where}.${key} must be ${must}`, { field: `${where}.${key}` })
  }
  return {
    wrong,
    text: (key) => (typeof given[key] === 'string' && given[key] !== '' ? given[key] : wrong(key, 'a text')),
    flag: (key) => (given[key] === undefined || typeof given[key] === 'boolean' ? given[key] === true : wrong(key, 'true or false')),
  }
}

export function pem(text: string, read: (text: string) => unknown, { wrong }: { wrong(key: string, must: string): never }, key: string): string {
  try {
    read(text)
    return text
  } catch {
    return wrong(key, 'a file in PEM that can be read')
  }
}

/** Of an EntityDescriptor; where there are several, of the one that is named. */
function fromMetadata(text: string, entity_id: string | undefined): { entity_id: string; sso_url: string | undefined; certificates: string[] } | undefined {
  let root: XmlElement
  try {
    // Those of large federations are full of comments.
    root = readXml(text.replaceAll(/<!--[^]*?-->/g, ''), Infinity)
  } catch {
    return undefined
  }
  const isIdp = (one: XmlElement): boolean => isA(one, 'metadata', 'EntityDescriptor') && childrenOf(one, 'metadata', 'IDPSSODescriptor').length > 0 && (entity_id === undefined || one.attributes.get('entityID') === entity_id)
  const found = [...everything(root)].filter(isIdp)
  const role = found.length === 1 ? childrenOf(found[0]!, 'metadata', 'IDPSSODescriptor')[0] : undefined
  if (!role) return undefined
  const signing = childrenOf(role, 'metadata', 'KeyDescriptor').filter((one) => one.attributes.get('use') !== 'encryption')
  const certificates = signing.flatMap((one) => [...everything(one)]).filter((one) => isA(one, 'signature', 'X509Certificate')).map((one) => `-----BEGIN CERTIFICATE-----\n${one.text.replaceAll(/\s/g, '').replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`)
  return { entity_id: found[0]!.attributes.get('entityID') ?? '', sso_url: childrenOf(role, 'metadata', 'SingleSignOnService').find((one) => one.attributes.get('Binding') === REDIRECT_BINDING)?.attributes.get('Location'), certificates }
}
