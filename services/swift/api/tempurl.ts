/** Temporary URLs: whoever holds one may do with one object (or prefix) what its signature says, until it expires. */
import { invalid, unauthenticated } from '#base/fault.ts'
import { type Names, quote, unquote } from '../core/names.ts'
import { inRange, readExpires, readSignature, sameText, signed } from '../core/signature.ts'
import type { Swift } from '../house.ts'
import { accountSeen, type Answer, type Ask, containerSeen, drop, HTML, type Layer, metadataOf } from './ask.ts'

/** Headers that could make a signed upload into something else than an upload of these bytes. */
const FORBIDDEN = ['x-object-manifest', 'x-symlink-target', 'x-copy-from', 'x-copy-from-account']

/** Beyond this no clock counts. */
const LAST = 8.64e15

const refused = (): Answer => ({ status: 401, headers: { ...HTML, 'www-authenticate': 'Swift realm="unknown"' }, body: '401 Unauthorized: Temp URL invalid\n' })

export interface Key { key: string; scope: 'account' | 'container' }

/** Keys of the container and its account. */
export async function keysFor(house: Swift, ask: Ask, names: Names): Promise<Key[]> {
  const keys: Key[] = []
  const take = (metadata: Record<string, string>, scope: Key['scope']): void => {
    for (const end of ['', '-2']) {
      const key = metadata[`x-${scope}-meta-temp-url-key${end}`]
      if (key) keys.push({ key, scope })
    }
  }
  take(metadataOf(await accountSeen(house, ask, names.account)), 'account')
  take(metadataOf(await containerSeen(house, ask, names)), 'container')
  return keys
}

export const tempurl: Layer = (house, inner) => async (ask) => {
  const { query, names, method } = ask
  const { methods, digests } = house.config.tempurl
  const [sig, expires, prefix, range] = [query.get('temp_url_sig'), query.get('temp_url_expires'), query.get('temp_url_prefix'), query.get('temp_url_ip_range')]
  if (sig === null && expires === null) return inner(ask)
  if (method === 'OPTIONS') return inner(ask)
  const signature = sig === null ? undefined : readSignature(sig)
  const at = expires === null ? undefined : readExpires(expires)
  // The root of a container is for a website's listing alone, whose prefix is everything.
  const atRoot = names.object === '' && names.container !== '' && prefix === '' && (method === 'GET' || method === 'HEAD')
  if (!signature || at === undefined || (names.object.replaceAll('/', '') === '' && !atRoot) || !digests.includes(signature.digest) || !methods.includes(method)) return refused()
  if (at * 1000 < house.world.clock.now()) return refused()
  if (prefix !== null && !names.object.startsWith(prefix)) return refused()
  if (range !== null && inRange(ask.remote, range) !== true) return refused()
  const keys = await keysFor(house, ask, names)
  const [, account = '', container = ''] = ask.path.match(/^\/v1\/([^/]+)\/([^/]+)(?:\/|$)/) ?? []
  const scope = (text: string): string => (prefix === null ? text : `prefix:${text}`)
  // Signed as the client sees it, with or without the mount, quoted or not.
  const below = prefix === null ? [ask.path, `/v1/${names.account}/${names.container}/${names.object}`] : [`/v1/${account}/${container}/${prefix}`, `/v1/${unquote(account)}/${unquote(container)}/${prefix}`]
  const paths = new Set(below.flatMap((one) => [one, `${ask.mount}${one}`]))
  const allowed = method === 'HEAD' ? ['HEAD', 'GET', 'PUT', 'POST'] : [method]
  const head = range === null ? '' : `ip=${range}\n`
  const found = keys.find(({ key }) => allowed.some((verb) => [...paths].some((path) => sameText(signature.hex, signed(key, signature.digest, `${head}${verb}\n${at}\n${scope(path)}`)))))
  if (!found) return refused()
  const forbidden = method === 'PUT' || method === 'POST' ? FORBIDDEN.find((name) => ask.headers[name] !== undefined) : undefined
  if (forbidden !== undefined) throw invalid(`The header '${forbidden.replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase())}' is not allowed in this tempurl`, { field: forbidden })
  if (method === 'PUT' && query.get('multipart-manifest') !== null) throw unauthenticated('A temporary URL makes no large objects.')
  // What is signed is the name, not one of its versions, its manifest or the link itself.
  const granted = (to: Names): boolean => to.account === names.account && (found.scope === 'account' || to.container === names.container)
  const { 'x-auth-token': _token, ...headers } = ask.headers
  for (const name of Object.keys(headers)) if (name.startsWith('x-object-sysmeta') || name === 'x-delete-at-container') delete headers[name]
  const signedQuery = (['temp_url_prefix', 'temp_url_expires', 'temp_url_sig', 'temp_url_ip_range'] as const).filter((name) => query.has(name)).map((name) => `${name}=${quote(query.get(name)!)}`)
  const answer = await inner({ ...ask, query: new URLSearchParams(), headers, granted, who: { byName: false, roles: [] }, source: 'TU', ...(prefix === null ? {} : { temporary: { prefix, query: [...signedQuery, ...(query.has('inline') ? ['inline'] : [])].join('&') } }) })
  // Metadata is the owner's, but for what is named as public.
  for (const name of Object.keys(answer.headers)) if (name.startsWith('x-object-meta-') && !name.startsWith('x-object-meta-public-')) delete answer.headers[name]
  const listing = answer.headers['x-backend-content-generator'] === 'staticweb'
  if (atRoot && answer.status < 300 && !listing) {
    drop(answer)
    return refused()
  }
  if (listing && !query.has('inline')) query.set('inline', '')
  if ((method === 'GET' || method === 'HEAD') && answer.status < 300) disposition(answer, query, names.object)
  if (answer.status < 300) answer.headers.expires = new Date(Math.min(at * 1000, LAST)).toUTCString()
  return answer
}

function disposition(answer: Answer, query: URLSearchParams, object: string): void {
  const filename = query.get('filename')
  const named = (text: string): string => `filename="${encodeURIComponent(text).replaceAll(/%(20|2B|2C|3A|40)/g, (all) => (all === '%20' ? ' ' : all))}"; filename*=UTF-8''${encodeURIComponent(text).replaceAll("'", '%27')}`
  if (query.has('inline')) answer.headers['content-disposition'] = filename ? `inline; ${named(filename)}` : 'inline'
  else if (filename) answer.headers['content-disposition'] = `attachment; ${named(filename)}`
  else answer.headers['content-disposition'] ??= `attachment; ${named(object.replace(/\/+$/, '').split('/').pop()!)}`
}
