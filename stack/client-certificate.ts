/**
 * The certificate of a client, as a trusted TLS front tells it: the front has checked chain and key, and passes the certificate on in a
 * header, which is believed from its address alone and from everybody else dropped unread.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { unauthenticated } from '#base/fault.ts'
import type { HttpHandler, HttpRequest } from '#base/http/message.ts'
import type { TokenFacts } from './context.ts'

export interface CertificateFront {
  /** Addresses of the fronts. */
  trust_from: readonly string[]
  /** `client-cert` as in RFC 9440, or what the front calls it; PEM, percent-encoded PEM and base64 of the DER are read. */
  header: string
}

export function clientCertificates(inner: HttpHandler, front: CertificateFront): HttpHandler {
  const name = front.header.toLowerCase()
  return (request) => {
    const text = request.headers[name]
    if (text === undefined) return inner(request)
    delete request.headers[name]
    const certificate = front.trust_from.includes(request.remote) ? certificateIn(text) : undefined
    if (certificate) request.certificate = certificate
    return inner(request)
  }
}

/** The DER; undefined for what is no certificate. */
function certificateIn(text: string): Uint8Array | undefined {
  try {
    const plain = text.includes('%') ? decodeURIComponent(text) : text
    const bare = plain.replaceAll(/-----(BEGIN|END) CERTIFICATE-----|\s/g, '').replace(/^:(.*):$/, '$1')
    return new X509Certificate(Buffer.from(bare, 'base64')).raw
  } catch {
    return undefined
  }
}

/** `x5t#S256` of RFC 8705, with the padding that Keystone writes; undefined without a certificate. */
export function thumbprintOf(certificate: Uint8Array | undefined): string | undefined {
  return certificate && createHash('sha256').update(certificate).digest('base64').replaceAll('+', '-').replaceAll('/', '_')
}

/** Throws `unauthenticated` when the token is bound to a certificate and the request comes without it. */
export function assertHolder(facts: Pick<TokenFacts, 'thumbprint'>, request: Pick<HttpRequest, 'certificate'>): void {
  if (facts.thumbprint === undefined || thumbprintOf(request.certificate) === facts.thumbprint) return
  throw unauthenticated('The request you have made requires authentication.', { code: 'token', detail: 'The token is bound to a certificate that was not shown' })
}

/** A name's attributes by their short names (`CN`, `UID`, `emailAddress`); one that comes more than once has several values. */
export function namesOf(certificate: Uint8Array): { subject: Record<string, string[]>; issuer: Record<string, string[]> } {
  const { subject, issuer } = new X509Certificate(certificate)
  return { subject: attributes(subject), issuer: attributes(issuer) }
}

/** One attribute a line, what is special in a value escaped. */
function attributes(text: string): Record<string, string[]> {
  const found: Record<string, string[]> = {}
  for (const line of (text ?? '').split('\n')) {
    const at = line.indexOf('=')
    if (at > 0) (found[line.slice(0, at)] ??= []).push(line.slice(at + 1).replaceAll(/\\([0-9A-F]{2}|.)/g, (_, one: string) => (one.length === 2 ? String.fromCharCode(Number.parseInt(one, 16)) : one)))
  }
  return found
}
