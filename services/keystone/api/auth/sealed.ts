/**
 * What a browser carries for us between two requests of one login: encrypted and signed, good for a few minutes and for one purpose. Nothing is
 * kept here for logins that were only begun, however many there are.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { HttpHeaders } from '#base/http/message.ts'
import type { Keystone } from '../house.ts'

/** Milliseconds that a login by an identity provider may take. */
export const LOGIN_TIME = 600_000

export async function seal(house: Keystone, purpose: string, content: Readonly<Record<string, string>>, life: number): Promise<string> {
  const now = house.world.clock.now()
  return house.federationKeys.encrypt(Buffer.from(JSON.stringify({ ...content, purpose, until: now + life })), Math.floor(now / 1000))
}

/** Undefined when it is not ours, for something else, or over. */
export async function unseal(house: Keystone, purpose: string, text: string | undefined): Promise<Record<string, string> & { until: string } | undefined> {
  if (text === undefined || text.length > 8192) return undefined
  const opened = await house.federationKeys.decrypt(text)
  if (!opened) return undefined
  const content = JSON.parse(Buffer.from(opened.data).toString()) as Record<string, unknown>
  if (content.purpose !== purpose || !(Number(content.until) > house.world.clock.now())) return undefined
  return { ...(content as Record<string, string>), until: String(content.until) }
}

export const sameText = (a: string, b: string): boolean => timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest())

/** Where `/v3/…` of this Keystone stands for browsers and identity providers. */
export const outsideUrl = (house: Keystone, path: string): string => `${house.publicUrl()}/identity${path}`

export interface CookieWish {
  name: string
  /** Empty: taken away. */
  value: string
  /** URL whose path alone gets it. */
  url: string
  /** Must come along with a form that another site posts. */
  crossSite?: boolean
}

export function cookie({ name, value, url, crossSite = false }: CookieWish): string {
  const { protocol, pathname } = new URL(url)
  const secure = protocol === 'https:'
  // Without TLS no cookie may say None; browsers then send one that says nothing for the first two minutes.
  const sameSite = crossSite ? (secure ? '; SameSite=None' : '') : '; SameSite=Lax'
  return `${name}=${value}; Path=${pathname}; Max-Age=${value === '' ? 0 : LOGIN_TIME / 1000}; HttpOnly${sameSite}${secure ? '; Secure' : ''}`
}

export function cookieOf(headers: Readonly<Record<string, string>>, name: string): string | undefined {
  for (const part of (headers.cookie ?? '').split(';')) {
    const mark = part.indexOf('=')
    if (mark > 0 && part.slice(0, mark).trim() === name) return part.slice(mark + 1).trim()
  }
  return undefined
}

/** One cookie a login, so that several tabs do not disturb each other. */
export const cookieName = (state: string): string => `ondol_sso_${createHash('sha256').update(state).digest('hex').slice(0, 16)}`

export const UNCACHED: HttpHeaders = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }
