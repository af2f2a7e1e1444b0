/** A small provider of OpenID Connect on loopback: everybody who is sent to it is `user` and has logged in already. What it says can be bent by a test. */
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'

export interface OpenidProviderKit {
  url: string
  client: { id: string; secret: string }
  /** Claims of whoever logs in, beside what every token has. */
  claims: Record<string, unknown>
  /** Laid over the next ID tokens. */
  bend: Record<string, unknown>
  /** Signs the next ID tokens, instead of the provider's key. */
  sign: ((claims: JWTPayload) => Promise<string>) | undefined
  /** What was asked: method and path. */
  asked: string[]
  /** A token that it would give, bent. */
  token(bend?: Record<string, unknown>): Promise<string>
  opaque(facts: Record<string, unknown>): string
  /** New keys under a new name. */
  rotate(): Promise<void>
  /** Follows a browser that was sent here, and gives where it is sent next. */
  login(location: string): Promise<URL>
  close(): Promise<void>
}

export async function openidProviderKit(now: () => number = Date.now): Promise<OpenidProviderKit> {
  const client = { id: 'ondol', secret: 'a secret/with+odd=letters' }
  let serial = 0
  let keys = await generateKeyPair('RS256')
  const codes = new Map<string, { nonce: string; challenge: string; redirect_uri: string }>()
  const opaque = new Map<string, Record<string, unknown>>()
  const seconds = (): number => Math.floor(now() / 1000)
  const signed = async (claims: JWTPayload): Promise<string> => new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: `key-${serial}`, typ: 'JWT' }).sign(keys.privateKey)
  const common = (): JWTPayload => ({ iss: kit.url, sub: 'jane-1', aud: client.id, iat: seconds(), exp: seconds() + 300, ...kit.claims })
  const isClient = (raw: IncomingMessage, form: URLSearchParams): boolean => {
    const [, basic = ''] = /^Basic (.+)$/.exec(raw.headers.authorization ?? '') ?? []
    const given = basic ? Buffer.from(basic, 'base64').toString() : `${form.get('client_id')}:${form.get('client_secret')}`
    // Unmodified clients send the secret as it is, and we as the standard has it.
    return [`${client.id}:${client.secret}`, `${client.id}:${encodeURIComponent(client.secret).replaceAll('%20', '+')}`].includes(given)
  }
  const answer = async (raw: IncomingMessage, text: string): Promise<{ status: number; json?: unknown; location?: string }> => {
    const url = new URL(raw.url!, kit.url)
    const form = new URLSearchParams(text)
    kit.asked.push(`${raw.method} ${url.pathname}`)
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return { status: 200, json: { issuer: kit.url, ...Object.fromEntries(['authorization', 'token', 'introspection', 'userinfo'].map((name) => [`${name}_endpoint`, `${kit.url}/${name}`])), jwks_uri: `${kit.url}/jwks` } }
      case '/jwks':
        return { status: 200, json: { keys: [{ ...(await exportJWK(keys.publicKey)), kid: `key-${serial}`, use: 'sig', alg: 'RS256' }] } }
      case '/authorization': {
        const code = randomBytes(16).toString('hex')
        const ask = url.searchParams
        if (ask.get('response_type') !== 'code' || ask.get('client_id') !== client.id || ask.get('code_challenge_method') !== 'S256') return { status: 400, json: { error: 'invalid_request' } }
        codes.set(code, { nonce: ask.get('nonce')!, challenge: ask.get('code_challenge')!, redirect_uri: ask.get('redirect_uri')! })
        return { status: 302, location: `${ask.get('redirect_uri')}?${new URLSearchParams({ code, state: ask.get('state')!, iss: kit.url }).toString()}` }
      }
      case '/token': {
        if (!isClient(raw, form)) return { status: 401, json: { error: 'invalid_client' } }
        if (form.get('grant_type') !== 'authorization_code') {
          if (form.get('grant_type') === 'password' && form.get('password') !== 'jane-secret') return { status: 400, json: { error: 'invalid_grant' } }
          return { status: 200, json: { access_token: await signed({ ...common(), ...kit.bend }), token_type: 'Bearer', expires_in: 300 } }
        }
        const code = codes.get(form.get('code') ?? '')
        codes.delete(form.get('code') ?? '')
        // Who has no verifier (the command line) had no challenge.
        if (!code || code.redirect_uri !== form.get('redirect_uri') || (code.challenge !== '' && createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url') !== code.challenge)) return { status: 400, json: { error: 'invalid_grant' } }
        const claims = { ...common(), nonce: code.nonce, ...kit.bend }
        return { status: 200, json: { id_token: await (kit.sign ?? signed)(claims), access_token: await signed({ ...common(), ...kit.bend }), token_type: 'Bearer', expires_in: 300 } }
      }
      case '/introspection':
        return isClient(raw, form) ? { status: 200, json: opaque.get(form.get('token') ?? '') ?? { active: false } } : { status: 401, json: { error: 'invalid_client' } }
      case '/userinfo':
        return { status: 200, json: { sub: 'jane-1', department: 'heating' } }
      default:
        return { status: 404, json: {} }
    }
  }
  const server = createServer((raw, res) => {
    let text = ''
    raw.on('data', (chunk: Buffer) => (text += String(chunk)))
    raw.on('end', () => {
      void answer(raw, text).then(({ status, json, location }) => res.writeHead(status, { 'content-type': 'application/json', ...(location ? { location } : {}) }).end(json ? JSON.stringify(json) : ''))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const kit: OpenidProviderKit = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    client,
    claims: { preferred_username: 'jane', email: 'jane@corp', groups: ['staff', 'a;admins'] },
    bend: {},
    sign: undefined,
    asked: [],
    token: (bend = {}) => signed({ ...common(), ...bend }),
    opaque(facts) {
      const token = randomBytes(16).toString('hex')
      opaque.set(token, facts)
      return token
    },
    async rotate() {
      serial++
      keys = await generateKeyPair('RS256')
    },
    async login(location) {
      const got = await fetch(location, { redirect: 'manual' })
      return new URL(got.headers.get('location') ?? `${kit.url}/nowhere?status=${got.status}`)
    },
    close: () =>
      new Promise((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
  return kit
}
