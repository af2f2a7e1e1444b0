/** From a raw path to names: decoded once (a slash is one however it is written), checked, never normalized — a slash or a dot in an object's name is part of it. */
import { Fault, invalid } from '#base/fault.ts'
import type { Limits } from './limits.ts'

export interface Names { account: string; container: string; object: string }

export type Level = 'account' | 'container' | 'object'

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Percent-decoding that takes any byte and then insists on UTF-8; `undefined` when it is none. */
export function unquote(text: string): string | undefined {
  if (!text.includes('%')) return /^[\x20-\x7e]*$/.test(text) ? text : utf8(Buffer.from(text, 'latin1'))
  const bytes = Buffer.from(text.replaceAll(/%([0-9a-fA-F]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))), 'latin1')
  return utf8(bytes)
}

function utf8(bytes: Buffer): string | undefined {
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

/** Each segment as Python's `quote` writes it: slashes stay. */
export function quote(text: string): string {
  return encodeURIComponent(text).replaceAll('%2F', '/').replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

export const levelOf = (names: Names): Level => (names.object !== '' ? 'object' : names.container !== '' ? 'container' : 'account')

export const pathOf = (names: Names): string => `/v1/${[names.account, names.container, names.object].filter((one) => one !== '').map(quote).join('/')}`

/** Splits `/v1/account[/container[/object]]`. */
export function namesOf(path: string): Names {
  const text = unquote(path)
  if (text === undefined || text.includes('\0')) throw new Fault('precondition', 'Invalid UTF8 or contains NULL')
  const parts = /^\/v1(?:\.0)?\/([^/]+)(?:\/([^/]*)(?:\/([\s\S]*))?)?$/.exec(text)
  if (!parts) throw new Fault('not_found', 'The resource could not be found.')
  const [, account = '', container = '', object = ''] = parts
  if (container === '' && object !== '') throw new Fault('not_found', 'The resource could not be found.')
  return { account, container, object }
}

export function checkNames(names: Names, limits: Limits, writing: boolean): void {
  const { account, container, object } = names
  // Names also come in archives, lists, links and manifests.
  if (/\0/.test(account + container + object)) throw new Fault('precondition', 'Invalid UTF8 or contains NULL')
  if (Buffer.byteLength(account) > limits.max_account_name_length) throw invalid(`Account name length of ${Buffer.byteLength(account)} longer than ${limits.max_account_name_length}`, { field: 'account' })
  if (writing && Buffer.byteLength(container) > limits.max_container_name_length) throw invalid(`Container name length of ${Buffer.byteLength(container)} longer than ${limits.max_container_name_length}`, { field: 'container' })
  if (writing && Buffer.byteLength(object) > limits.max_object_name_length) throw invalid(`Object name length of ${Buffer.byteLength(object)} longer than ${limits.max_object_name_length}`, { field: 'object' })
}

/** `container/object` of a header such as `X-Copy-From` or `Destination`, percent-decoded. */
export function headerPath(value: string, account: string, field: string): Names {
  const text = unquote(value.replace(/^\//, ''))
  const cut = text?.indexOf('/') ?? -1
  if (text === undefined || /\0/.test(text) || cut < 1 || cut === text.length - 1) throw new Fault('precondition', `${field} header must be of the form <container name>/<object name>`, { field })
  return { account, container: text.slice(0, cut), object: text.slice(cut + 1) }
}

/** Account in a header: no slash, not empty. */
export function headerAccount(value: string, field: string): string {
  const text = unquote(value)
  if (text === undefined || text === '' || /[/\0]/.test(text)) throw new Fault('precondition', 'Account name cannot contain slashes', { field })
  return text
}

/**
 * The raw path as it is meant: an escaped slash is a slash, for the routes and for the access rules of application credentials too, and a percent sign
 * that escapes nothing is itself.
 */
export function plainPath(path: string): string {
  if (!path.startsWith('/v1')) return path
  const named = path.startsWith('/v1.0/') ? `/v1/${path.slice(6)}` : path
  return named.includes('%') ? named.replaceAll(/%(?![0-9a-f]{2})/gi, '%25').replaceAll(/%2f/gi, '/') : named
}
