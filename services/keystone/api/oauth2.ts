/** OS-OAUTH2: client credentials (RFC 6749, 4.4). The client is an application credential: its id, and its secret. */
import { readBody } from '#base/http/message.ts'
import { isFault } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { methodPlugins } from './auth/methods.ts'
import type { Keystone } from './house.ts'
import { at, v3 } from './steps.ts'

const MOST = 16_384

export function oauth2Routes(house: Keystone): Route[] {
  const token = async (rq: Rq): Promise<Reply> => {
    const bytes = await readBody(rq.http.body, MOST)
    const form = new URLSearchParams(bytes?.toString() ?? '')
    const grant = form.get('grant_type')
    if (grant === null) return failed(400, 'invalid_request', 'The parameter grant_type is required.')
    if (grant !== 'client_credentials') return failed(400, 'unsupported_grant_type', 'The OAuth2.0 Authorization Server supports grant_type client_credentials only.')
    const client = basic(rq.http.headers.authorization)
    if (!client) return refused(rq, 'OAuth2.0 client authorization is required.')
    try {
      const request = { body: undefined, headers: rq.http.headers, remote: rq.http.remote, method: rq.http.method, url: `${rq.base}${rq.http.path}`, query: rq.http.query }
      const answer = await methodPlugins.application_credential!.run(house, { id: client.id, secret: client.secret }, request, undefined)
      const issued = await house.tokens.issue({ user_id: answer.user_id, methods: ['application_credential'], ...answer.scope })
      const seconds = Math.floor((issued.known.record.expires_at - issued.known.record.issued_at) / 1000)
      return { headers: { 'cache-control': 'no-store' }, json: { access_token: issued.token, token_type: 'Bearer', expires_in: seconds } }
    } catch (thrown) {
      if (isFault(thrown, 'unauthenticated')) return refused(rq, 'Client authentication failed.')
      throw thrown
    }
  }
  return [at('POST', '/v3/OS-OAUTH2/token', 'oauth2.token', 200, token, { access: 'public', bodyKind: 'raw' })]
}

function basic(header: string | undefined): { id: string; secret: string } | undefined {
  const encoded = /^Basic\s+([\w+/=-]+)$/i.exec(header ?? '')?.[1]
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString()
  const colon = text.indexOf(':')
  return colon > 0 ? { id: text.slice(0, colon), secret: text.slice(colon + 1) } : undefined
}

const failed = (status: number, error: string, error_description: string): Reply => ({ status, json: { error, error_description } })

function refused(rq: Rq, words: string): Reply {
  return { ...failed(401, 'invalid_client', words), headers: { 'www-authenticate': `Keystone uri="${v3(rq, 'OS-OAUTH2/token')}"` } }
}
