/** XML as SAML needs it: read strictly into plain elements, and written. Nothing that a signature could be led astray by is read at all. */
import { SaxesParser } from 'saxes'
import { unauthenticated } from '#base/fault.ts'

export const NS = {
  assertion: 'urn:oasis:names:tc:SAML:2.0:assertion',
  protocol: 'urn:oasis:names:tc:SAML:2.0:protocol',
  metadata: 'urn:oasis:names:tc:SAML:2.0:metadata',
  signature: 'http://www.w3.org/2000/09/xmldsig#',
  encryption: 'http://www.w3.org/2001/04/xmlenc#',
  encryption11: 'http://www.w3.org/2009/xmlenc11#',
  soap: 'http://schemas.xmlsoap.org/soap/envelope/',
  ecp: 'urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp',
  paos: 'urn:liberty:paos:2003-08',
} as const
export type Namespace = keyof typeof NS

export interface XmlElement {
  uri: string
  local: string
  /** Those of no namespace by name, others as `{namespace}name`. */
  attributes: ReadonlyMap<string, string>
  children: readonly XmlElement[]
  /** What is written in it directly. */
  text: string
}

export const LARGEST_XML = 131_072
const DEEPEST = 40
const MOST = 2_000
const MOST_ATTRIBUTES = 50

/** The refusal of something that somebody has shown to get in. */
export function refuse(detail: string): never {
  throw unauthenticated('The request you have made requires authentication.', { detail })
}

/**
 * Throws 401 for what is not well-formed, and for document types, entities of its own, processing instructions, comments and CDATA. `most`: elements
 * at most; the text of an operator may be of any size.
 */
export function readXml(text: string, most = MOST): XmlElement {
  if (most === MOST && text.length > LARGEST_XML) return refuse('The XML is too large')
  type Open = XmlElement & { children: XmlElement[] }
  const open: Open[] = []
  let root: XmlElement | undefined
  let count = 0
  const parser = new SaxesParser({ xmlns: true })
  const never = (what: string) => (): never => refuse(`The XML has ${what}`)
  parser.on('doctype', never('a document type'))
  parser.on('processinginstruction', never('a processing instruction'))
  parser.on('comment', never('a comment'))
  parser.on('cdata', never('a CDATA section'))
  parser.on('error', (thrown) => refuse(`The XML is not well-formed: ${thrown.message}`))
  let attributes = 0
  parser.on('opentagstart', () => void (attributes = 0))
  parser.on('attribute', () => {
    if (++attributes > MOST_ATTRIBUTES) refuse('The XML has an element of too many attributes')
  })
  parser.on('opentag', ({ uri, local, attributes }) => {
    if (open.length >= DEEPEST || ++count > most) refuse('The XML has too many elements')
    const element: Open = { uri, local, attributes: new Map(Object.values(attributes).map((one) => [one.uri === '' ? one.local : `{${one.uri}}${one.local}`, one.value])), children: [], text: '' }
    const parent = open.at(-1)
    if (parent) parent.children.push(element)
    else root = element
    open.push(element)
  })
  parser.on('text', (words) => {
    const inner = open.at(-1)
    if (inner) inner.text += words
  })
  parser.on('closetag', () => void open.pop())
  parser.write(text).close()
  return root ?? refuse('There is no XML')
}

export const isA = (element: XmlElement, space: Namespace, local: string): boolean => element.uri === NS[space] && element.local === local
export const childrenOf = (element: XmlElement, space: Namespace, local: string): XmlElement[] => element.children.filter((one) => isA(one, space, local))

/** The one child of this name; 401 when there is none or more than one. */
export function only(element: XmlElement, space: Namespace, local: string): XmlElement {
  const found = childrenOf(element, space, local)
  return found.length === 1 ? found[0]! : refuse(`${element.local} has ${found.length} ${local}, not one`)
}

/** An element and all below it. */
export function* everything(element: XmlElement): Generator<XmlElement> {
  yield element
  for (const child of element.children) yield* everything(child)
}

const LETTERS: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\r': '&#13;', '\n': '&#10;', '\t': '&#9;' }
// What XML cannot hold at all.
// oxlint-disable-next-line no-control-regex
const UNSAYABLE = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

export const escapeXml = (text: string): string => text.replaceAll(UNSAYABLE, '\ufffd').replaceAll(/[&<>"\r\n\t]/g, (letter) => LETTERS[letter]!)

/** `<name key="value">content</name>`; attributes that are undefined are left out, the content is XML already. */
export function tag(name: string, attributes: Readonly<Record<string, string | undefined>>, content = ''): string {
  const written = Object.entries(attributes).map(([key, value]) => (value === undefined ? '' : ` ${key}="${escapeXml(value)}"`)).join('')
  return content === '' ? `<${name}${written}/>` : `<${name}${written}>${content}</${name}>`
}
