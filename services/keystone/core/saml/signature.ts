/**
 * Signatures of assertions. xml-crypto does the arithmetic; what it is let loose on is looked at first, and what it says was signed is all that
 * is read afterwards. A document in which something else could be taken for the assertion is refused as a whole.
 */
import { DOMParser } from '@xmldom/xmldom'
import { SignedXml } from 'xml-crypto'
import { type Opener, withOpenAssertion } from './encryption.ts'
import type { SamlProvider } from './settings.ts'
import { childrenOf, everything, isA, NS, only, readXml, refuse, type XmlElement } from './xml.ts'

const C14N = 'http://www.w3.org/2001/10/xml-exc-c14n#'
const ENVELOPED = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature'
const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'
const SHA256 = 'http://www.w3.org/2001/04/xmlenc#sha256'
/** No SHA-1 unasked, and nothing with a shared key. */
const SIGNATURES = [RSA_SHA256, 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512', 'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1']
const DIGESTS = [SHA256, 'http://www.w3.org/2001/04/xmlenc#sha512']
/** As OpenStack's Keystone signs; taken from a provider for which the operator says so. */
const OLD = { signature: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1', digest: 'http://www.w3.org/2000/09/xmldsig#sha1' }
const ID_NAMES = ['ID', 'Id', 'id', '{http://www.w3.org/XML/1998/namespace}id']

export interface SignedResponse {
  /** Not signed itself: says less than the assertion in it. */
  response: XmlElement
  /** Read from the very bytes that were signed. */
  assertion: XmlElement
  /** Root of the document: the response, or the envelope around it. */
  root: XmlElement
}

/** The one assertion of a response (bare, or in the body of a SOAP envelope), opened if need be, signed by one of the certificates or public keys (PEM). */
export function signedAssertion(xml: string, provider: SamlProvider, opener: Opener): SignedResponse {
  const { certificates, accept_sha1 } = provider
  const shown = xml.replaceAll(/\r\n?/g, '\n')
  const before = readXml(shown)
  const text = withOpenAssertion(shown, before, responseIn(before), provider, opener).replaceAll(/\r\n?/g, '\n')
  const root = readXml(text)
  const response = responseIn(root)
  const claimed = only(response, 'assertion', 'Assertion')
  assertPlain(root, response, claimed)
  const id = claimed.attributes.get('ID') ?? refuse('The assertion has no ID')
  const way = assertSignature(only(claimed, 'signature', 'Signature'), id, accept_sha1)

  const assertion = readXml(verified(text, way, certificates) ?? refuse('The signature of the assertion is not of this provider'))
  if (!isA(assertion, 'assertion', 'Assertion') || assertion.attributes.get('ID') !== id) return refuse('What was signed is not the assertion')
  return { response, assertion, root }
}

function responseIn(root: XmlElement): XmlElement {
  const response = isA(root, 'soap', 'Envelope') ? only(only(root, 'soap', 'Body'), 'protocol', 'Response') : root
  return isA(response, 'protocol', 'Response') ? response : refuse('This is no response of SAML')
}

/** One assertion, nothing (more) encrypted, no name twice, signatures only where they belong. */
function assertPlain(root: XmlElement, response: XmlElement, assertion: XmlElement): void {
  const ids = new Set<string>()
  const signatures = new Set([...childrenOf(response, 'signature', 'Signature'), ...childrenOf(assertion, 'signature', 'Signature')])
  for (const one of everything(root)) {
    if (one.local === 'Assertion' && one !== assertion) refuse('There is more than one assertion')
    if (one.local === 'Response' && one !== response && one.uri === NS.protocol) refuse('There is more than one response')
    if (one.local.startsWith('Encrypted')) refuse('There is something encrypted beside the assertion, or in it')
    if (one.local === 'Signature' && !signatures.has(one)) refuse('There is a signature in a strange place')
    if (one.uri === NS.signature && ['Object', 'RetrievalMethod', 'XPath'].includes(one.local)) refuse(`A signature has a ${one.local}`)
    for (const name of ID_NAMES) {
      const id = one.attributes.get(name)
      if (id === undefined) continue
      if (ids.has(id)) refuse('A name is given twice')
      ids.add(id)
    }
  }
}

/** Over exactly the assertion, by ways of signing that are strong. Answers the way. */
function assertSignature(signature: XmlElement, id: string, old: boolean): string {
  const info = only(signature, 'signature', 'SignedInfo')
  const way = (element: XmlElement, local: string, allowed: readonly string[]): string => {
    const name = only(element, 'signature', local).attributes.get('Algorithm') ?? ''
    return allowed.includes(name) ? name : refuse(`${local} ${name} is not taken`)
  }
  way(info, 'CanonicalizationMethod', [C14N])
  const signed = way(info, 'SignatureMethod', old ? [...SIGNATURES, OLD.signature] : SIGNATURES)
  const reference = only(info, 'signature', 'Reference')
  if (reference.attributes.get('URI') !== `#${id}`) refuse('The signature is over something else')
  way(reference, 'DigestMethod', old ? [...DIGESTS, OLD.digest] : DIGESTS)
  const transforms = childrenOf(only(reference, 'signature', 'Transforms'), 'signature', 'Transform').map((one) => one.attributes.get('Algorithm') ?? '')
  if (transforms.length !== 2 || transforms[0] !== ENVELOPED || transforms[1] !== C14N) refuse('The transforms of the signature are not the usual ones')
  return signed
}

/**
 * The canonical bytes of what was signed, or undefined. First the few bytes of SignedInfo are held against the key: who has no signature of the
 * provider at all cannot make us canonicalize a whole document of theirs.
 */
function verified(text: string, way: string, certificates: readonly string[]): string | undefined {
  const found = new DOMParser().parseFromString(text, 'text/xml').getElementsByTagNameNS(NS.assertion, 'Assertion')
  const assertion = found.item(0)
  if (!assertion || found.length !== 1) return undefined
  const inside = (node: Node, local: string): Node[] => Array.from(node.childNodes).filter((one) => (one as Element).localName === local && (one as Element).namespaceURI === NS.signature)
  const [signature, ...more] = inside(assertion, 'Signature')
  const info = signature && inside(signature, 'SignedInfo')[0]
  const value = signature && inside(signature, 'SignatureValue')[0]?.textContent?.replaceAll(/\s/g, '')
  if (!info || !value || more.length > 0) return undefined
  const plain = new SignedXml()
  const canonical = plain.getCanonXml([C14N], info)
  const Way = plain.SignatureAlgorithms[way]!
  for (const certificate of certificates) {
    try {
      if (!new Way().verifySignature(canonical, certificate, value)) continue
      const judge = new SignedXml({ publicCert: certificate, getCertFromKeyInfo: () => null })
      judge.loadSignature(signature)
      if (!judge.checkSignature(text)) continue
      const signed = judge.getSignedReferences()
      return signed.length === 1 ? signed[0] : undefined
    } catch {
      // It throws where the signature is of another key.
      continue
    }
  }
  return undefined
}

/** The document with its element of this ID signed, the signature standing behind the Issuer in it. */
export function signElement(xml: string, id: string, key: string, certificate: string): string {
  const element = `//*[@ID='${id}']`
  const signer = new SignedXml({ privateKey: key, publicCert: certificate, signatureAlgorithm: RSA_SHA256, canonicalizationAlgorithm: C14N })
  signer.addReference({ xpath: element, transforms: [ENVELOPED, C14N], digestAlgorithm: SHA256 })
  signer.computeSignature(xml, { prefix: 'ds', location: { reference: `${element}/*[local-name(.)='Issuer']`, action: 'after' } })
  return signer.getSignedXml()
}
