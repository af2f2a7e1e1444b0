/**
 * XML as S3 speaks it. Reading: elements and text, nothing else — a document type, a processing instruction or an entity of one's own is refused,
 * so nothing can be expanded or fetched. Writing: plain values.
 */
import { SaxesParser } from 'saxes'
import { s3Fault } from './errors.ts'

export const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'

export interface Element {
  name: string
  /** Text directly inside, without the spaces around it. */
  text: string
  attributes: Readonly<Record<string, string>>
  children: readonly Element[]
}

/** Elements deeper than this are no document of S3. */
const DEPTH = 16

/** `root` is the name that the outermost element must have. Throws MalformedXML. */
export function parseXml(bytes: Uint8Array, root: string): Element {
  const malformed = (why: string): Error => s3Fault('MalformedXML', undefined, { Detail: why })
  interface Open {
    name: string
    text: string
    attributes: Record<string, string>
    children: Open[]
  }
  const top: Open = { name: '', text: '', attributes: {}, children: [] }
  const stack: Open[] = [top]
  const parser = new SaxesParser({ xmlns: true })
  const refuse = (why: string) => (): void => {
    throw malformed(why)
  }
  parser.on('doctype', refuse('A document type is not taken.'))
  parser.on('processinginstruction', refuse('Processing instructions are not taken.'))
  // Nothing that stood in the document is told back.
  parser.on('error', refuse('The document is not well-formed.'))
  parser.on('opentag', (tag) => {
    if (stack.length > DEPTH) throw malformed('Elements are nested too deeply.')
    const open: Open = { name: tag.local, text: '', attributes: Object.fromEntries(Object.values(tag.attributes).map((one) => [one.name, one.value])), children: [] }
    stack.at(-1)!.children.push(open)
    stack.push(open)
  })
  const text = (more: string): void => void (stack.at(-1)!.text += more)
  parser.on('text', text)
  parser.on('cdata', text)
  parser.on('closetag', () => {
    const closed = stack.pop()!
    if (closed.children.length > 0) closed.text = closed.text.trim()
  })
  let source: string
  try {
    source = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw malformed('The document is not UTF-8.')
  }
  parser.write(source).close()
  const [element] = top.children
  if (element?.name !== root) throw malformed(`Expected the element ${root}.`)
  return element
}

export const child = (element: Element, name: string): Element | undefined => element.children.find((each) => each.name === name)
export const childrenOf = (element: Element, name: string): Element[] => element.children.filter((each) => each.name === name)
export const textOf = (element: Element, name: string): string | undefined => child(element, name)?.text

export type XmlValue = string | number | boolean | undefined | null | XmlTree | readonly XmlValue[]
/** Names to values; a list repeats its element, what is undefined is left out, `@name` is an attribute, `#` the text beside attributes. */
export interface XmlTree {
  readonly [name: string]: XmlValue
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\r': '&#13;' }
export const escapeXml = (text: string): string => text.replaceAll(/[&<>"\r]/g, (c) => ESCAPES[c]!)

/** A whole document; `namespace` is declared on its root, null none. */
export function writeXml(root: string, tree: XmlTree, namespace: string | null = NAMESPACE): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${namespace === null ? '' : ` xmlns="${namespace}"`}>${inside(tree)}</${root}>`
}

function inside(tree: XmlTree): string {
  return Object.entries(tree).map(([name, value]) => (name.startsWith('@') ? '' : name === '#' ? escapeXml(String(value)) : element(name, value))).join('')
}

function element(name: string, value: XmlValue): string {
  if (value === undefined || value === null) return ''
  if (Array.isArray(value)) return value.map((each: XmlValue) => element(name, each)).join('')
  if (typeof value !== 'object') return `<${name}>${escapeXml(String(value))}</${name}>`
  const tree = value as XmlTree
  const attributes = Object.entries(tree).filter(([key]) => key.startsWith('@')).map(([key, each]) => ` ${key.slice(1)}="${escapeXml(String(each))}"`)
  return `<${name}${attributes.join('')}>${inside(tree)}</${name}>`
}
