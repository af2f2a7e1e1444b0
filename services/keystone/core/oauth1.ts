/** OAuth 1.0a (RFC 5849): the Authorization header read, and its signature computed anew. */
import { createHmac } from 'node:crypto'
import { percent, sameText } from './aws-signature.ts'

export interface OauthRequest {
  method: string
  /** As the client wrote it: scheme, host, path. */
  url: string
  query: string
  params: Readonly<Record<string, string>>
}

/** Parameters of `Authorization: OAuth …`; undefined for another scheme. */
export function oauthParams(header: string | undefined): Record<string, string> | undefined {
  const body = /^OAuth\s+(.*)$/is.exec(header ?? '')?.[1]
  if (body === undefined) return undefined
  const params: Record<string, string> = {}
  for (const [, key, value] of body.matchAll(/([\w-]+)="([^"]*)"/g)) {
    try {
      params[decodeURIComponent(key!)] = decodeURIComponent(value!)
    } catch {
      return undefined
    }
  }
  return params
}

/** Seconds by which a client's clock may be off. */
const SKEW = 600

/** True when the request was signed with both secrets, lately. `now` milliseconds. */
export function oauthHolds(request: OauthRequest, consumerSecret: string, tokenSecret: string, now: number): boolean {
  const { params } = request
  const method = params.oauth_signature_method ?? ''
  const key = `${percent(consumerSecret)}&${percent(tokenSecret)}`
  const algorithm = { 'HMAC-SHA1': 'sha1', 'HMAC-SHA256': 'sha256', 'HMAC-SHA512': 'sha512' }[method]
  const stamp = Number(params.oauth_timestamp)
  if ((!algorithm && method !== 'PLAINTEXT') || !params.oauth_signature || !params.oauth_nonce || !(Math.abs(now / 1000 - stamp) <= SKEW)) return false
  // PLAINTEXT is the secrets themselves, for clients behind TLS.
  const made = algorithm ? createHmac(algorithm, key).update(baseString(request)).digest('base64') : key
  return sameText(made, params.oauth_signature)
}

function baseString({ method, url, query, params }: OauthRequest): string {
  const pairs: [string, string][] = Object.entries(params).filter(([key]) => key !== 'oauth_signature' && key !== 'realm')
  for (const pair of new URLSearchParams(query)) pairs.push(pair)
  const sorted = pairs.map(([key, value]): [string, string] => [percent(key), percent(value)]).sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
  const { protocol, host, pathname } = new URL(url)
  const base = `${protocol}//${host}${pathname}`
  return [method.toUpperCase(), percent(base), percent(sorted.map(([key, value]) => `${key}=${value}`).join('&'))].join('&')
}
