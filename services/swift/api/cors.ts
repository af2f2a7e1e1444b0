/** Requests of web pages from elsewhere: the container says which origins may read its answers. */
import { Fault } from '#base/fault.ts'
import { levelOf } from '../core/names.ts'
import { type Answer, type Ask, attempt, containerSeen, type Layer, metadataOf } from './ask.ts'

const ORIGINS = 'x-container-meta-access-control-allow-origin'
const ALWAYS = ['cache-control', 'content-language', 'content-type', 'expires', 'last-modified', 'pragma', 'etag', 'x-timestamp', 'x-trans-id', 'x-openstack-request-id']
export const METHODS: Readonly<Record<'account' | 'container' | 'object', readonly string[]>> = {
  account: ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'],
  container: ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'],
  object: ['COPY', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'],
}

export const cors: Layer = (house, inner) => async (ask) => {
  const origin = ask.headers.origin || undefined
  const rules = origin === undefined || ask.names.container === '' ? {} : metadataOf(await containerSeen(house, ask, ask.names))
  const allowed = [...(rules[ORIGINS] ?? '').split(/\s+/), ...house.config.cors_allow_origin].filter((one) => one !== '')
  const fits = origin !== undefined && (allowed.includes('*') || allowed.includes(origin))
  if (ask.method === 'OPTIONS') return preflight(ask, origin, fits, allowed.includes('*'), rules)
  const answer = await attempt(inner, ask)
  if (!fits) return answer
  const expose = new Set([...ALWAYS, ...(rules['x-container-meta-access-control-expose-headers'] ?? '').split(/\s+/), ...Object.keys(answer.headers).filter((name) => /^x-(container|object)-meta-/.test(name))])
  expose.delete('')
  answer.headers['access-control-allow-origin'] = allowed.includes('*') ? '*' : origin
  answer.headers['access-control-expose-headers'] = [...expose].join(', ')
  if (!allowed.includes('*')) answer.headers.vary = [answer.headers.vary, 'Origin'].flat().filter((one) => one !== undefined).join(', ')
  return answer
}

function preflight(ask: Ask, origin: string | undefined, fits: boolean, any: boolean, rules: Record<string, string>): Answer {
  const { 'access-control-request-method': method, 'access-control-request-headers': headers } = ask.headers
  const methods = METHODS[levelOf(ask.names)]
  const allow = methods.join(', ')
  // Accounts have no rules of their own, and a page learns nothing from their methods.
  if (origin === undefined || method === undefined || ask.names.container === '') {
    if (origin !== undefined && ask.names.container !== '') throw new Fault('unauthenticated', 'A preflight names the method it asks for.')
    return { status: 200, headers: { allow, 'content-type': 'text/html; charset=UTF-8' }, body: '' }
  }
  if (!fits || !methods.includes(method)) return { status: 401, headers: { allow, 'content-type': 'text/html; charset=UTF-8' }, body: '' }
  const age = rules['x-container-meta-access-control-max-age']
  return {
    status: 200, body: '',
    headers: { allow, 'access-control-allow-origin': any ? '*' : origin, 'access-control-allow-methods': allow, ...(headers === undefined ? {} : { 'access-control-allow-headers': headers }), ...(age === undefined ? {} : { 'access-control-max-age': age }), vary: 'Origin', 'content-type': 'text/html; charset=UTF-8' },
  }
}
