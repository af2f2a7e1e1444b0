/** Object lock: what may not be deleted or shortened, and until when. The store itself asks `assertUnlocked`, whichever door the wish came through. */
import { Fault } from '#base/fault.ts'
import { s3Fault } from './errors.ts'
import { child, parseXml, textOf } from './xml.ts'

/** Sysmeta of a container that keeps locks: JSON of `LockConfig`. */
export const BUCKET_LOCK = 'x-container-sysmeta-s3-lock'
/** Sysmeta of an object: JSON of `Lock`. */
export const LOCK = 'x-object-sysmeta-s3-lock'

export type Mode = 'GOVERNANCE' | 'COMPLIANCE'
export interface LockConfig {
  retention?: { mode: Mode; days?: number; years?: number }
}
export interface Lock {
  mode?: Mode
  /** Milliseconds. */
  until?: number
  hold?: boolean
}

const modeOf = (text: string | undefined): Mode => {
  if (text !== 'GOVERNANCE' && text !== 'COMPLIANCE') throw s3Fault('MalformedXML')
  return text
}

export function parseLockConfig(bytes: Uint8Array): LockConfig {
  const element = parseXml(bytes, 'ObjectLockConfiguration')
  if (textOf(element, 'ObjectLockEnabled') !== 'Enabled') throw s3Fault('MalformedXML')
  const rule = child(element, 'Rule')
  if (!rule) return {}
  const standard = child(rule, 'DefaultRetention')
  if (!standard) throw s3Fault('MalformedXML')
  const mode = modeOf(textOf(standard, 'Mode'))
  const [days, years] = [textOf(standard, 'Days'), textOf(standard, 'Years')]
  if ((days === undefined) === (years === undefined)) throw s3Fault('MalformedXML')
  const count = Number(days ?? years)
  if (!/^\d{1,6}$/.test((days ?? years)!) || count < 1 || count > (days === undefined ? 100 : 36_500)) throw s3Fault('InvalidRetentionPeriod')
  return { retention: { mode, ...(days === undefined ? { years: count } : { days: count }) } }
}

function instantAhead(text: string | undefined, now: number): number {
  const at = Date.parse(text ?? '')
  if (Number.isNaN(at)) throw s3Fault('InvalidRequest', 'The retain until date must be a date in ISO 8601.')
  if (at <= now) throw s3Fault('InvalidArgument', 'The retain until date must be in the future!', { ArgumentName: 'RetainUntilDate' })
  return at
}

/** Both undefined: the retention is to go. */
export function parseRetention(bytes: Uint8Array, now: number): Pick<Lock, 'mode' | 'until'> {
  const element = parseXml(bytes, 'Retention')
  const [mode, until] = [textOf(element, 'Mode'), textOf(element, 'RetainUntilDate')]
  if (mode === undefined && until === undefined) return {}
  return { mode: modeOf(mode), until: until === undefined ? Number(malformed()) : instantAhead(until, now) }
}

function malformed(): never {
  throw s3Fault('MalformedXML')
}

export function parseLegalHold(bytes: Uint8Array): boolean {
  const status = textOf(parseXml(bytes, 'LegalHold'), 'Status')
  return status === 'ON' || (status === 'OFF' ? false : malformed())
}

/** `x-amz-object-lock-…` of an upload; undefined: they say nothing. */
export function lockOfHeaders(headers: Readonly<Record<string, string>>, now: number): Lock | undefined {
  const [mode, until, hold] = ['mode', 'retain-until-date', 'legal-hold'].map((name) => headers[`x-amz-object-lock-${name}`])
  if ((mode === undefined) !== (until === undefined)) throw s3Fault('InvalidArgument', 'x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied', { ArgumentName: 'x-amz-object-lock-mode' })
  if (mode !== undefined && mode !== 'GOVERNANCE' && mode !== 'COMPLIANCE') throw s3Fault('InvalidArgument', 'Unknown wormMode directive.', { ArgumentName: 'x-amz-object-lock-mode' })
  if (hold !== undefined && hold !== 'ON' && hold !== 'OFF') throw s3Fault('InvalidArgument', 'Legal Hold must be either of \'ON\' or \'OFF\'', { ArgumentName: 'x-amz-object-lock-legal-hold' })
  if (mode === undefined && hold === undefined) return undefined
  return { ...(mode === undefined ? {} : { mode: mode as Mode, until: instantAhead(until, now) }), ...(hold === 'ON' ? { hold: true } : {}) }
}

export const lockOf = (metadata: Readonly<Record<string, string>>): Lock => JSON.parse(metadata[LOCK] ?? '{}') as Lock
export const lockConfigOf = (metadata: Readonly<Record<string, string>>): LockConfig | undefined => (metadata[BUCKET_LOCK] === undefined ? undefined : (JSON.parse(metadata[BUCKET_LOCK]) as LockConfig))

/** What a new object of this container is locked with when its upload says nothing. */
export function standardLock(container: Readonly<Record<string, string>>, now: number): Lock | undefined {
  const retention = lockConfigOf(container)?.retention
  if (!retention) return undefined
  const until = new Date(now)
  if (retention.years !== undefined) until.setUTCFullYear(until.getUTCFullYear() + retention.years)
  else until.setUTCDate(until.getUTCDate() + retention.days!)
  return { mode: retention.mode, until: until.getTime() }
}

/** Throws `forbidden` when the row is locked. `bypass`: who may do so lifts GOVERNANCE. */
export function assertUnlocked(row: { metadata: string }, now: number, bypass = false): void {
  if (!row.metadata.includes(LOCK)) return
  const lock = lockOf(JSON.parse(row.metadata) as Record<string, string>)
  if (lock.hold === true) throw new Fault('forbidden', 'The object is under a legal hold.', { code: 'AccessDenied' })
  if (lock.until !== undefined && lock.until > now && !(bypass && lock.mode === 'GOVERNANCE')) throw new Fault('forbidden', `The object is locked until ${new Date(lock.until).toISOString()}.`, { code: 'AccessDenied' })
}

/** What becomes of a lock by a new retention: longer always, shorter or none only past GOVERNANCE by who may bypass it. */
export function nextRetention(lock: Lock, wanted: Pick<Lock, 'mode' | 'until'>, now: number, bypass: boolean): Lock {
  const held = lock.until !== undefined && lock.until > now
  const stronger = wanted.until !== undefined && wanted.until >= (lock.until ?? 0) && (lock.mode !== 'COMPLIANCE' || wanted.mode === 'COMPLIANCE') && (lock.mode !== 'GOVERNANCE' || wanted.mode === 'GOVERNANCE' || bypass)
  if (held && !stronger && !(lock.mode === 'GOVERNANCE' && bypass)) throw s3Fault('AccessDenied', 'The retention of this object may not be taken away or shortened.')
  return { ...wanted, ...(lock.hold === true ? { hold: true } : {}) }
}
