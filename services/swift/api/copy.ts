/** `COPY`, and `PUT` with `X-Copy-From`: a GET and a PUT, between them the metadata of both. */
import { Fault, invalid } from '#base/fault.ts'
import { rangesOf } from '../core/ranges.ts'
import { truthy } from '../core/metadata.ts'
import { headerAccount, headerPath, type Names, quote } from '../core/names.ts'
import { type Answer, type Ask, attempt, drop, type Layer, ok, sub } from './ask.ts'
import { ALSO } from './object.ts'

export const copy: Layer = (house, inner) => async (ask) => {
  const { method, names, headers } = ask
  if (names.object === '') return inner(ask)
  if (method === 'COPY') {
    if (!headers.destination) throw new Fault('precondition', 'Destination header required')
    const account = headers['destination-account'] === undefined ? names.account : headerAccount(headers['destination-account'], 'Destination-Account')
    const to = headerPath(headers.destination, account, 'Destination')
    const { destination: _1, 'destination-account': _2, 'x-copy-from': _3, 'x-copy-from-account': _4, 'content-length': _5, 'transfer-encoding': _6, ...rest } = headers
    return copied(ask, names, { ...ask, method: 'PUT', names: to, headers: rest, body: undefined })
  }
  if (method !== 'PUT' || !headers['x-copy-from']) return inner(ask)
  const account = headers['x-copy-from-account'] === undefined ? names.account : headerAccount(headers['x-copy-from-account'], 'X-Copy-From-Account')
  const from = headerPath(headers['x-copy-from'], account, 'X-Copy-From')
  const { 'x-copy-from': _1, 'x-copy-from-account': _2, ...rest } = headers
  return copied(ask, from, { ...ask, headers: rest })

  async function copied(asked: Ask, source: Names, put: Ask): Promise<Answer> {
    const { limits } = house.config
    if (Buffer.byteLength(put.names.object) > limits.max_object_name_length) throw invalid(`Object name length of ${Buffer.byteLength(put.names.object)} longer than ${limits.max_object_name_length}`)
    if (Number(put.headers['content-length'] ?? 0) > 0) throw invalid('Copy requests require a zero byte body')
    const raw = asked.query.get('multipart-manifest') === 'get'
    const query = new URLSearchParams()
    for (const name of ['multipart-manifest', 'symlink', 'version-id', 'part-number']) if (asked.query.has(name)) query.set(name, asked.query.get(name)!)
    if (raw) query.set('format', 'raw')
    const got = await attempt(inner, sub(put, 'GET', source, { query: query.toString(), source: 'COPY' }))
    if (!ok(got.status) || !got.content) return got
    const { content, headers: found } = got
    if (content.size > house.config.max_file_size) {
      drop(got)
      throw new Fault('too_large', 'Your request is too large.')
    }
    const spans = rangesOf(put.headers.range, content.size)
    if (spans && spans.length !== 1) throw spans.length === 0 ? new Fault('range', 'The Range requested is not available.') : invalid('A copy takes one range at most.', { field: 'Range' })
    const { start, end } = spans?.[0] ?? { start: 0, end: content.size - 1 }
    const fresh = truthy(put.headers['x-fresh-metadata'])
    const next: Record<string, string> = {}
    for (const [name, value] of Object.entries(found)) {
      if (typeof value !== 'string') continue
      // What makes a manifest or a link of it goes along only when the thing itself is copied, not what it stands for.
      if (name.startsWith('x-object-sysmeta-symlink') || (name === 'x-object-manifest' && !raw)) continue
      if (name === 'content-type' || (!fresh && (name.startsWith('x-object-meta-') || ALSO.includes(name) || (name === 'x-delete-at' && put.headers['x-delete-after'] === undefined))) || (fresh && raw && name === 'x-object-manifest')) next[name] = value
    }
    if (asked.query.get('symlink') === 'get' && typeof found['x-symlink-target'] === 'string') {
      for (const name of ['x-symlink-target', 'x-symlink-target-account', 'x-symlink-target-etag']) if (typeof found[name] === 'string') next[name] = found[name]
    }
    const { range: _range, 'x-fresh-metadata': _fresh, 'if-match': _match, 'if-modified-since': _since, 'if-unmodified-since': _unmodified, etag: _etag, 'transfer-encoding': _coding, ...given } = put.headers
    if (given['content-type'] === '') delete given['content-type']
    const asSlo = raw && found['x-static-large-object'] !== undefined
    const headers: Record<string, string> = { ...next, ...given, 'content-length': String(end - start + 1) }
    const body = end < start ? undefined : await content.open(start, end)
    const putQuery = new URLSearchParams(asSlo ? 'multipart-manifest=put' : '')
    const answer = await attempt(inner, { ...put, headers, body, query: putQuery, source: 'COPY' })
    body?.destroy()
    if (ok(answer.status)) {
      answer.headers['x-copied-from'] = `${quote(source.container)}/${quote(source.object)}`
      answer.headers['x-copied-from-account'] = quote(source.account)
      if (found['last-modified'] !== undefined) answer.headers['x-copied-from-last-modified'] = found['last-modified']
      if (found['x-object-version-id'] !== undefined) answer.headers['x-copied-from-version-id'] = found['x-object-version-id']
      for (const [name, value] of Object.entries(headers)) if (name.startsWith('x-object-meta-') || name === 'x-delete-at') answer.headers[name] = value
    }
    return answer
  }
}
