/** Symbolic links: an empty object that stands for another; static ones name its ETag as well. */
import { Fault, invalid } from '#base/fault.ts'
import { readBody } from '#base/http/message.ts'
import { type Names, pathOf, quote, unquote } from '../core/names.ts'
import { type Answer, type Ask, attempt, drop, type Layer, ok, plain, type Serve, sub } from './ask.ts'
import { headerAccount } from '../core/names.ts'

const TARGET = 'x-object-sysmeta-symlink-target'
const ACCOUNT = 'x-object-sysmeta-symlink-target-account'
const ETAG = 'x-object-sysmeta-symlink-target-etag'
const LOOPS = 2

export const symlink: Layer = (_house, inner) => async (ask) => {
  const { method, names, query, headers } = ask
  if (names.object === '') return inner(ask)
  const self = query.get('symlink') === 'get'
  if (method === 'PUT' && headers['x-symlink-target'] !== undefined) return put(inner, ask)
  if (headers['x-symlink-target'] !== undefined && method === 'POST') throw invalid('A PUT request is required to set a symlink target', { field: 'X-Symlink-Target' })
  if (method === 'GET' || method === 'HEAD') {
    const answer = await inner(ask)
    if (answer.headers[TARGET] === undefined) return answer
    return self ? shown(answer) : follow(inner, ask, answer, LOOPS)
  }
  if (method === 'POST') {
    const before = await attempt(inner, sub(ask, 'HEAD', names, { granted: () => true }))
    const answer = await inner(ask)
    if (before.headers[TARGET] === undefined || !ok(answer.status)) return answer
    const target = targetOf(names, before)
    return { ...plain(307, 'The requested POST was applied to a symlink. POST directly to the target to apply requested metadata.'), headers: { location: `${ask.mount}${pathOf(target)}`, 'content-type': 'text/html; charset=UTF-8', ...(before.headers[ETAG] === undefined ? {} : { 'x-symlink-target-etag': String(before.headers[ETAG]) }) } }
  }
  return inner(ask)
}

function targetOf(names: Names, answer: Answer): Names {
  const text = unquote(String(answer.headers[TARGET])) ?? ''
  const cut = text.indexOf('/')
  const account = answer.headers[ACCOUNT]
  return { account: account === undefined ? names.account : (unquote(String(account)) ?? ''), container: text.slice(0, cut), object: text.slice(cut + 1) }
}

function shown(answer: Answer): Answer {
  const { [TARGET]: target, [ACCOUNT]: account, [ETAG]: etag, ...headers } = answer.headers
  headers['x-symlink-target'] = target!
  if (account !== undefined) headers['x-symlink-target-account'] = account
  if (etag !== undefined) {
    headers['x-symlink-target-etag'] = etag
    const bytes = answer.row?.listing ? (JSON.parse(answer.row.listing) as { symlink_bytes?: number }).symlink_bytes : undefined
    if (bytes !== undefined) headers['x-symlink-target-bytes'] = String(bytes)
  }
  return { ...answer, headers }
}

async function follow(inner: Serve, ask: Ask, link: Answer, left: number): Promise<Answer> {
  if (left <= 0) return plain(409, `Too many levels of symbolic links, maximum allowed is ${LOOPS}`, { 'content-location': pathOf(ask.names) })
  const target = targetOf(ask.names, link)
  const { 'if-match': _m, ...headers } = ask.headers
  const answer = await attempt(inner, { ...ask, names: target, path: pathOf(target), headers: _m === undefined ? headers : { ...headers, 'if-match': _m }, query: withoutVersion(ask.query), source: 'SYM' })
  if (answer.headers[TARGET] !== undefined) return follow(inner, { ...ask, names: target }, answer, left - 1)
  const etag = link.headers[ETAG]
  if (etag !== undefined && ok(answer.status)) {
    if (answer.content?.etag !== etag) {
      drop(answer)
      return plain(409, `Object Etag '${answer.content?.etag}' does not match X-Symlink-Target-Etag header '${String(etag)}'`, { 'content-location': pathOf(target) })
    }
  }
  // A link that leads nowhere says where it led.
  answer.headers['content-location'] ??= pathOf(target)
  return answer
}

function withoutVersion(query: URLSearchParams): URLSearchParams {
  const out = new URLSearchParams(query)
  out.delete('version-id')
  return out
}

/** Follows static links alone: a dynamic one counts as the empty object that it is. */
async function hard(inner: Serve, ask: Ask, left: number): Promise<Answer> {
  const answer = await attempt(inner, ask)
  if (answer.headers[TARGET] === undefined || answer.headers[ETAG] === undefined || left <= 0) return answer
  return hard(inner, sub(ask, 'HEAD', targetOf(ask.names, answer), { source: 'SYM' }), left - 1)
}

async function put(inner: Serve, ask: Ask): Promise<Answer> {
  const { headers, names } = ask
  const given = headers['x-symlink-target']!
  const text = unquote(given)
  const cut = text?.indexOf('/') ?? -1
  if (text === undefined || text.includes('\0') || text.startsWith('/') || cut < 1 || cut === text.length - 1) throw new Fault('precondition', 'X-Symlink-Target header must be of the form <container name>/<object name>', { field: 'X-Symlink-Target' })
  const account = headers['x-symlink-target-account'] === undefined ? undefined : headerAccount(headers['x-symlink-target-account'], 'X-Symlink-Target-Account')
  const target: Names = { account: account ?? names.account, container: text.slice(0, cut), object: text.slice(cut + 1) }
  if (target.account === names.account && target.container === names.container && target.object === names.object) throw invalid('Symlink cannot target itself', { field: 'X-Symlink-Target' })
  if (ask.query.get('multipart-manifest') === 'put') throw invalid('Symlink cannot be a static large object', { field: 'X-Symlink-Target' })
  const length = headers['content-length']
  if (length === undefined && headers['transfer-encoding'] === undefined) throw new Fault('length_required', 'Missing Content-Length header')
  if (length !== undefined ? Number(length) > 0 : (await readBody(ask.body, 0)) === undefined) throw invalid('Symlink requests require a zero byte body')
  const etag = headers['x-symlink-target-etag']?.replaceAll('"', '')
  const entry: Record<string, string | number> = { symlink_path: pathOf(target) }
  const own: Record<string, string> = { [TARGET]: quote(text), ...(account === undefined ? {} : { [ACCOUNT]: quote(account) }) }
  let type = headers['content-type']
  // From another cloud a link may come before its target.
  if (etag !== undefined && etag !== '' && ask.received !== undefined) own[ETAG] = etag
  else if (etag !== undefined && etag !== '') {
    const head = await hard(inner, sub(ask, 'HEAD', target, { source: 'SYM' }), LOOPS)
    if (!ok(head.status) || !head.content) return head.status === 404 ? plain(409, 'X-Symlink-Target does not exist', { 'content-location': pathOf(target) }) : head
    const found = head.content.etag
    if (found !== etag) return plain(409, `Object Etag '${found}' does not match X-Symlink-Target-Etag header '${etag}'`, { 'content-location': pathOf(target) })
    own[ETAG] = found
    const slo = head.headers['x-object-sysmeta-slo-etag']
    if (slo !== undefined) entry.slo_etag = `"${String(slo)}"`
    entry.symlink_etag = found
    entry.symlink_bytes = Number(head.row?.size ?? head.content.size)
    type ??= String(head.headers['content-type'])
  }
  const { 'x-symlink-target': _1, 'x-symlink-target-account': _2, 'x-symlink-target-etag': _3, ...rest } = headers
  const answer = await inner({ ...ask, headers: { ...rest, 'content-type': type ?? 'application/symlink', ...own, 'x-backend-listing': JSON.stringify(entry) } })
  return answer
}
