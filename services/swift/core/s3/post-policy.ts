/**
 * Uploads by a form of a web page: who signed the form's policy, and whether the fields keep to it.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
 */
import { s3Fault } from './errors.ts'
import { instantOf, type Scope, type Signed } from './signature.ts'

/** Names in lower case. */
export type Fields = Readonly<Record<string, string>>

/** Undefined when the form is not signed. */
export function signedForm(fields: Fields): Signed | undefined {
  const { policy } = fields
  if (fields['x-amz-signature'] !== undefined) {
    const need = (name: string): string => {
      const text = fields[name]
      if (text === undefined) throw s3Fault('InvalidArgument', `Bucket POST must contain a field named '${name}'.`, { ArgumentName: name })
      return text
    }
    const [access = '', date = '', region = '', service = '', end = ''] = need('x-amz-credential').split('/')
    if (need('x-amz-algorithm') !== 'AWS4-HMAC-SHA256' || access === '' || service !== 's3' || end !== 'aws4_request') throw s3Fault('InvalidArgument', 'The x-amz-credential or x-amz-algorithm of the form is malformed.', { ArgumentName: 'x-amz-credential' })
    const stamp = need('x-amz-date')
    if (instantOf(stamp) === undefined || !stamp.startsWith(date)) throw s3Fault('InvalidArgument', 'The x-amz-date of the form is malformed.', { ArgumentName: 'x-amz-date' })
    const scope: Scope = { date, region, service }
    return { access, scope, stamp, text: need('policy'), signature: fields['x-amz-signature'], payload: { kind: 'unsigned' } }
  }
  if (fields.awsaccesskeyid !== undefined && fields.signature !== undefined && policy !== undefined) return { access: fields.awsaccesskeyid, text: policy, signature: fields.signature, payload: { kind: 'unsigned' } }
  if (policy !== undefined) throw s3Fault('InvalidArgument', "Bucket POST must contain a field named 'Signature'. If it is specified, please check the order of the fields.", { ArgumentName: 'Signature' })
  return undefined
}

interface Policy {
  expiration: string
  conditions: unknown[]
}

/** Fields that no condition must name. */
const FREE = new Set(['x-amz-signature', 'file', 'policy', 'awsaccesskeyid', 'signature'])

/**
 * Throws unless the fields keep to the policy. The size of the file is judged by the caller as its bytes come: at least `min` and at most
 * `max`. `now` in milliseconds.
 */
export function assertPolicy(policy: string, fields: Fields, bucket: string, now: number): { min: number; max: number } {
  const malformed = (why: string): Error => s3Fault('InvalidPolicyDocument', `Invalid Policy: ${why}`)
  let document: Policy
  try {
    document = JSON.parse(Buffer.from(policy, 'base64').toString('utf8')) as Policy
  } catch {
    throw malformed('Invalid JSON.')
  }
  const until = Date.parse(document?.expiration)
  if (Number.isNaN(until) || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(document.expiration)) throw malformed("Policy missing expiration, or it is malformed.")
  if (until < now) throw s3Fault('AccessDenied', 'Invalid according to Policy: Policy expired.')
  if (!Array.isArray(document.conditions)) throw malformed('Policy missing conditions.')
  const given: Fields = { ...fields, bucket }
  const named = new Set<string>()
  const size = { min: 0, max: Infinity }
  const failed = (condition: unknown): Error => s3Fault('AccessDenied', `Invalid according to Policy: Policy Condition failed: ${JSON.stringify(condition)}`)
  for (const condition of document.conditions) {
    if (Array.isArray(condition)) {
      const [named0, field, value] = condition as [unknown, unknown, unknown]
      const operator = typeof named0 === 'string' ? named0.toLowerCase() : named0
      if (operator === 'content-length-range') {
        if (!Number.isSafeInteger(Number(field)) || !Number.isSafeInteger(Number(value))) throw malformed('Invalid content-length-range.')
        size.min = Math.max(size.min, Number(field))
        size.max = Math.min(size.max, Number(value))
        continue
      }
      if ((operator !== 'eq' && operator !== 'starts-with') || typeof field !== 'string' || !field.startsWith('$') || typeof value !== 'string') throw malformed(`Invalid condition ${JSON.stringify(condition).slice(0, 200)}.`)
      const name = field.slice(1).toLowerCase()
      named.add(name)
      const text = given[name] ?? ''
      const parts = name === 'content-type' && operator === 'starts-with' ? text.split(',') : [text]
      if (!parts.every((part) => (operator === 'eq' ? part === value : part.startsWith(value)))) throw failed(condition)
    } else if (typeof condition === 'object' && condition !== null) {
      if (Object.keys(condition).length !== 1) throw malformed('Invalid simple condition: a condition names one field.')
      for (const [field, value] of Object.entries(condition)) {
        named.add(field.toLowerCase())
        if (given[field.toLowerCase()] !== String(value)) throw failed(condition)
      }
    } else throw malformed('Invalid condition.')
  }
  const extra = Object.keys(fields).find((name) => !FREE.has(name) && !name.startsWith('x-ignore-') && !name.startsWith('x-amz-checksum-') && !named.has(name))
  if (!named.has('bucket')) throw s3Fault('AccessDenied', 'Invalid according to Policy: Policy Condition failed: the policy does not say which bucket it is for.')
  if (extra !== undefined) throw s3Fault('AccessDenied', `Invalid according to Policy: Extra input fields: ${extra.slice(0, 100)}`)
  return size
}
