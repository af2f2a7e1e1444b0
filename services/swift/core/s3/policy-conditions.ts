/** Conditions of a bucket policy: operators over what is known of a request. */
import { inRange } from '../signature.ts'
import { wild } from './wild.ts'

/** Keys in lower case (what follows a slash as it is) to what the request says; absent: it says nothing. */
export type Facts = Readonly<Record<string, string | undefined>>

export interface Condition {
  operator: string
  key: string
  values: readonly string[]
}
export type Conditions = readonly Condition[]

/** Those that this store can fill; with a slash at the end any name may follow. */
export const CONDITION_KEYS = [
  'aws:sourceip', 'aws:securetransport', 'aws:useragent', 'aws:referer', 'aws:currenttime', 'aws:epochtime', 'aws:userid', 'aws:username', 'aws:principaltype', 'aws:principalaccount',
  's3:prefix', 's3:delimiter', 's3:max-keys', 's3:versionid', 's3:x-amz-acl', 's3:x-amz-grant-read', 's3:x-amz-grant-write', 's3:x-amz-grant-read-acp', 's3:x-amz-grant-write-acp', 's3:x-amz-grant-full-control', 's3:x-amz-copy-source', 's3:x-amz-metadata-directive',
  's3:x-amz-server-side-encryption', 's3:x-amz-server-side-encryption-aws-kms-key-id', 's3:x-amz-server-side-encryption-customer-algorithm', 's3:x-amz-storage-class', 's3:x-amz-content-sha256', 's3:authtype', 's3:signatureversion', 's3:signatureage', 's3:if-match', 's3:if-none-match', 's3:locationconstraint',
  's3:object-lock-mode', 's3:object-lock-retain-until-date', 's3:object-lock-legal-hold', 's3:existingobjecttag/', 's3:requestobjecttag/', 's3:requestobjecttagkeys',
] as const

const number = (text: string): number => (text.trim() === '' ? Number.NaN : Number(text))
const instant = (text: string): number => (/^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text))
const compared = (of: (text: string) => number, judge: (a: number, b: number) => boolean) => (given: string, wanted: string): boolean => judge(of(given), of(wanted))
const pairs = (name: string, of: (text: string) => number) => ({
  [`${name}Equals`]: compared(of, (a, b) => a === b), [`${name}NotEquals`]: compared(of, (a, b) => a !== b),
  [`${name}LessThan`]: compared(of, (a, b) => a < b), [`${name}LessThanEquals`]: compared(of, (a, b) => a <= b),
  [`${name}GreaterThan`]: compared(of, (a, b) => a > b), [`${name}GreaterThanEquals`]: compared(of, (a, b) => a >= b),
})
const equal = (a: string, b: string): boolean => a === b
const like = (a: string, b: string): boolean => wild(b, a)

const within = (address: string, range: string): boolean => inRange(address, range) === true

/** Those with `Not` in their names hold when no value fits; the others when one does. */
const OPERATORS: Readonly<Record<string, (given: string, wanted: string) => boolean>> = {
  StringEquals: equal, StringNotEquals: equal, StringEqualsIgnoreCase: (a, b) => a.toLowerCase() === b.toLowerCase(), StringNotEqualsIgnoreCase: (a, b) => a.toLowerCase() === b.toLowerCase(),
  StringLike: like, StringNotLike: like, ArnEquals: like, ArnLike: like, ArnNotEquals: like, ArnNotLike: like,
  ...pairs('Numeric', number), ...pairs('Date', instant),
  NumericNotEquals: compared(number, (a, b) => a === b), DateNotEquals: compared(instant, (a, b) => a === b),
  Bool: (a, b) => a.toLowerCase() === b.toLowerCase(), BinaryEquals: equal,
  IpAddress: within, NotIpAddress: within,
}

function parts(operator: string): { set: string | undefined; name: string; ifExists: boolean } {
  const [, set, name = '', optional] = /^(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?$/.exec(operator) ?? []
  return { set, name, ifExists: optional !== undefined }
}

export function isOperator(operator: string): boolean {
  const { name } = parts(operator)
  return name === 'Null' || Object.hasOwn(OPERATORS, name)
}

export function holds({ operator, key, values }: Condition, facts: Facts): boolean {
  const { set, name, ifExists } = parts(operator)
  const given = facts[key]
  if (name === 'Null') return values.some((value) => (value.toLowerCase() === 'true') === (given === undefined))
  const judge = OPERATORS[name]!
  const negated = name.includes('Not')
  if (given === undefined) return ifExists || negated || set === 'ForAllValues'
  const one = (text: string): boolean => values.some((value) => judge(text, value)) !== negated
  // The only fact of several values is the list of a request's tag keys.
  const all = key === 's3:requestobjecttagkeys' ? given.split(',') : [given]
  return set === 'ForAllValues' ? all.every(one) : all.some(one)
}
