/** Signatures of temporary URLs and of forms. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import ipaddr from 'ipaddr.js'

export const DIGESTS = ['sha1', 'sha256', 'sha512'] as const
export type Digest = (typeof DIGESTS)[number]

/** Digest and hex of a signature given as hex or as `sha512:base64`; undefined when it is neither. */
export function readSignature(text: string): { digest: Digest; hex: string } | undefined {
  const named = /^(sha1|sha256|sha512):([A-Za-z0-9+/_-]+={0,2})$/.exec(text)
  if (named) return { digest: named[1] as Digest, hex: Buffer.from(named[2]!.replaceAll('-', '+').replaceAll('_', '/'), 'base64').toString('hex') }
  if (!/^[0-9a-f]+$/i.test(text)) return undefined
  const digest = ({ 40: 'sha1', 64: 'sha256', 128: 'sha512' } as const)[text.length as 40 | 64 | 128]
  return digest && { digest, hex: text.toLowerCase() }
}

export function signed(key: string, digest: Digest, message: string): string {
  return createHmac(digest, Buffer.from(key, 'latin1')).update(message).digest('hex')
}

/** Takes the same time for every wrong signature. */
export function sameText(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)]
  return x.length === y.length && timingSafeEqual(x, y)
}

/** Seconds since the epoch of a number or of `2026-01-01T00:00:00Z`. */
export function readExpires(text: string): number | undefined {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(Z|[+-]\d\d:?\d\d)?)?$/.test(text)) return undefined
  const at = Date.parse(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : /(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`)
  return Number.isNaN(at) ? undefined : Math.floor(at / 1000)
}

export function inRange(address: string, range: string): boolean | undefined {
  try {
    const [net, bits] = range.includes('/') ? ipaddr.parseCIDR(range) : ([ipaddr.parse(range), ipaddr.parse(range).kind() === 'ipv4' ? 32 : 128] as const)
    const own = ipaddr.process(address)
    return own.kind() === net.kind() && (own.kind() === 'ipv4' ? (own as ipaddr.IPv4).match(net as ipaddr.IPv4, bits) : (own as ipaddr.IPv6).match(net as ipaddr.IPv6, bits))
  } catch {
    return undefined
  }
}
