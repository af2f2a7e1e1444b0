/** Passwords of users: checked, changed, and held to the rules of security compliance. */
import { forbidden, invalid, unauthenticated } from '#base/fault.ts'
import type { Tx } from '#base/sql/database.ts'
import { hexId } from '#base/ids.ts'
import { hashPassword, needsRehash, verifyPassword } from '../../core/password-hash.ts'
import { toSecond } from '../../core/instant.ts'
import { insertRow, updateRow } from '../../store/rows.ts'
import type { KeystoneTables, PasswordRow, UserRow } from '../../store/tables.ts'
import { currentPassword, dropPasswords, passwordsOf } from '../../store/users.ts'
import type { Keystone } from '../house.ts'

const DAY = 86_400_000

export interface UserOptions {
  ignore_change_password_upon_first_use?: boolean
  ignore_password_expiry?: boolean
  ignore_lockout_failure_attempts?: boolean
  ignore_user_inactivity?: boolean
  lock_password?: boolean
  multi_factor_auth_enabled?: boolean
  multi_factor_auth_rules?: string[][]
}

export const optionsOf = (user: UserRow): UserOptions => JSON.parse(user.options) as UserOptions

const wrong = (detail: string): never => {
  throw unauthenticated('The request you have made requires authentication.', { detail })
}

const decoys = new WeakMap<Keystone, Promise<string>>()

/** A password that nobody has, hashed at the usual cost: for users who are not there, so that they take as long to refuse. */
function decoy(house: Keystone): Promise<string> {
  let made = decoys.get(house)
  if (!made) decoys.set(house, (made = hashPassword(house.world.random.bytes(24).toString('base64url'), house.config.password_hashing, house.world.random.bytes(16))))
  return made
}

/** True when the user counts as enabled: also not away for longer than allowed. */
export function isEnabled(house: Keystone, user: UserRow): boolean {
  if (user.enabled !== 1) return false
  const days = house.config.security_compliance.disable_user_account_days_inactive
  if (days === null || user.last_active_at === null || optionsOf(user).ignore_user_inactivity) return true
  return house.world.clock.now() - user.last_active_at < days * DAY
}

/** Throws the same 401 for a wrong user and a wrong password, after the same time. `expired`: accept one that must be changed. */
export async function checkPassword(house: Keystone, user: UserRow | undefined, password: string, expired = false): Promise<PasswordRow> {
  const now = house.world.clock.now()
  const rules = house.config.security_compliance
  const stored = user && (await currentPassword(house.db, user.id))
  const right = await verifyPassword(password, stored?.hash ?? (await decoy(house)))
  if (!user || !stored) return wrong('No such user, or one without a password')
  const counts = rules.lockout_failure_attempts !== null && !optionsOf(user).ignore_lockout_failure_attempts
  if (counts && isLocked(user, rules.lockout_failure_attempts!, rules.lockout_duration * 1000, now)) return wrong('The user is locked out')
  if (!right) {
    if (counts) await updateRow(house.db, 'keystone_users', { id: user.id }, { failed_auth_count: failures(user, rules.lockout_duration * 1000, now) + 1, failed_auth_at: now })
    return wrong('Wrong password')
  }
  if (!isEnabled(house, user)) return wrong('The user is disabled')
  if (!expired && stored.expires_at !== null && stored.expires_at <= now) {
    throw unauthenticated(`The password is expired and needs to be changed for user: ${user.id}.`)
  }
  if (user.failed_auth_count > 0) await updateRow(house.db, 'keystone_users', { id: user.id }, { failed_auth_count: 0, failed_auth_at: null })
  if (rules.disable_user_account_days_inactive !== null && now - (user.last_active_at ?? 0) > 60_000) await updateRow(house.db, 'keystone_users', { id: user.id }, { last_active_at: now })
  if (needsRehash(stored.hash, house.config.password_hashing)) {
    await updateRow(house.db, 'keystone_passwords', { id: stored.id }, { hash: await hashPassword(password, house.config.password_hashing, house.world.random.bytes(16)) })
  }
  return stored
}

function failures(user: UserRow, duration: number, now: number): number {
  return user.failed_auth_at !== null && now - user.failed_auth_at > duration ? 0 : user.failed_auth_count
}

function isLocked(user: UserRow, attempts: number, duration: number, now: number): boolean {
  return failures(user, duration, now) >= attempts
}

/** The rules that every new password must meet. */
export function assertStrength(house: Keystone, password: string): void {
  const { password_regex: pattern, password_regex_description: words } = house.config.security_compliance
  if (pattern !== null && !new RegExp(`^(?:${pattern})`).test(password)) {
    throw invalid(`The password does not match the requirements: ${words ?? pattern}.`, { field: 'password' })
  }
}

export const newHash = (house: Keystone, password: string): Promise<string> => hashPassword(password, house.config.password_hashing, house.world.random.bytes(16))

/** Stores a hash as the user's password. Tokens issued until now are dead, unless the user is new. */
export async function storePassword(house: Keystone, tx: Tx<KeystoneTables>, user: UserRow, hash: string, how: { self_service: boolean; first: boolean }): Promise<void> {
  const now = house.world.clock.now()
  const rules = house.config.security_compliance
  const options = optionsOf(user)
  const last = await currentPassword(tx, user.id)
  let expires_at = rules.password_expires_days === null || options.ignore_password_expiry ? null : now + rules.password_expires_days * DAY
  if (!how.self_service && rules.change_password_upon_first_use && !options.ignore_change_password_upon_first_use) expires_at = now
  const generation = (last?.generation ?? 0) + 1
  await insertRow(tx, 'keystone_passwords', { id: hexId(house.world.random), user_id: user.id, hash, created_at: now, expires_at, self_service: how.self_service ? 1 : 0, generation })
  await dropPasswords(tx, user.id, generation - Math.max(0, rules.unique_last_password_count - 1))
  if (!how.first) await killTokensOf(house, tx, user)
}

/** Everything issued until now for this user is dead. */
export async function killTokensOf(house: Keystone, tx: Tx<KeystoneTables>, user: UserRow): Promise<void> {
  await updateRow(tx, 'keystone_users', { id: user.id }, { revoked_before: Math.max(toSecond(house.world.clock.now()), user.revoked_before + 1000) })
  await house.revoke(tx)
}

/** A change by the user, who knows the old one. */
export async function changeOwnPassword(house: Keystone, user: UserRow | undefined, original: string, password: string): Promise<void> {
  const stored = await checkPassword(house, user, original, true)
  if (optionsOf(user!).lock_password) throw forbidden('You are not authorized to perform the requested action: the password of this user is locked.')
  const rules = house.config.security_compliance
  const now = house.world.clock.now()
  assertStrength(house, password)
  const isExpired = stored.expires_at !== null && stored.expires_at <= now
  if (rules.minimum_password_age > 0 && stored.self_service === 1 && !isExpired && now - stored.created_at < rules.minimum_password_age * DAY) {
    throw invalid(`Cannot change password before minimum age ${rules.minimum_password_age} days is met.`, { field: 'password' })
  }
  const history = rules.unique_last_password_count > 0 ? (await passwordsOf(house.db, user!.id)).slice(0, rules.unique_last_password_count) : []
  for (const old of history) {
    if (await verifyPassword(password, old.hash)) throw invalid(`The new password cannot be identical to a previous password. The total number which includes the new password must be unique is: ${rules.unique_last_password_count}.`, { field: 'password' })
  }
  const hash = await newHash(house, password)
  await house.db.transaction((tx) => storePassword(house, tx, user!, hash, { self_service: true, first: false }))
}
