/** Users of the configuration with tokens of our own, beside Keystone's: for tests and for clients that speak v1 auth. Off unless users are named. */
import { createHmac } from 'node:crypto'
import { unauthenticated } from '#base/fault.ts'
import { sameText } from '../core/signature.ts'
import type { Swift } from '../house.ts'
import type { Answer, Who } from './ask.ts'

const LIFE = 86_400

/** `GET /auth/v1.0` with `X-Auth-User: account:user` and `X-Auth-Key`. */
export function giveToken(house: Swift, headers: Readonly<Record<string, string>>, base: string, path: string): Answer {
  const user = headers['x-auth-user'] ?? headers['x-storage-user'] ?? (/^\/v1\/([^/]+)\/auth$/.test(path) ? `${/^\/v1\/([^/]+)/.exec(path)![1]}:${headers['x-storage-user'] ?? ''}` : '')
  const key = headers['x-auth-key'] ?? headers['x-storage-pass'] ?? ''
  const known = house.config.tempauth_users.find((one) => one.user === user)
  // A name that does not exist takes as long as a wrong key.
  const right = sameText(known?.key ?? ' ', key)
  if (!known || !right || key === '') throw unauthenticated('Wrong user or key.')
  const expires = Math.floor(house.world.clock.now() / 1000) + LIFE
  const token = `AUTH_tk${Buffer.from(JSON.stringify({ user, expires })).toString('base64url')}`
  const signed = `${token}.${seal(house, token)}`
  const account = accountOf(house, user)
  return { status: 200, headers: { 'x-auth-token': signed, 'x-storage-token': signed, 'x-auth-token-expires': String(LIFE), 'x-storage-url': `${base}/v1/${account}`, 'content-type': 'text/html; charset=UTF-8' }, body: '' }
}

export function tempUser(house: Swift, token: string | undefined): Who | undefined {
  if (!token?.startsWith('AUTH_tk') || house.config.tempauth_users.length === 0) return undefined
  const [text = '', mac = ''] = token.split('.')
  if (!sameText(mac, seal(house, text))) return undefined
  const { user, expires } = JSON.parse(Buffer.from(text.slice(7), 'base64url').toString()) as { user: string; expires: number }
  const known = house.config.tempauth_users.find((one) => one.user === user)
  if (!known || expires * 1000 < house.world.clock.now()) return undefined
  const [project] = user.split(':')
  // `.admin` is no group that an ACL could name: it would be everybody's admin.
  const groups = [project!, user, ...known.groups.filter((group) => group !== '.admin')]
  if (known.groups.includes('.admin')) groups.push(accountOf(house, user))
  return { user_id: user, user_name: user, byName: false, roles: [], groups }
}

const accountOf = (house: Swift, user: string): string => `${house.config.reseller_prefix}${user.split(':')[0]}`
const seal = (house: Swift, text: string): string => createHmac('sha256', house.tokenKey).update(`tempauth:${text}`).digest('base64url')
