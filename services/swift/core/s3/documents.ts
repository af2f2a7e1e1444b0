/** The bodies that S3's clients send, out of XML into plain values. What does not fit is MalformedXML, or the error that S3 gives it. */
import { s3Fault } from './errors.ts'
import { child, childrenOf, type Element, parseXml, textOf } from './xml.ts'

const need = (element: Element, name: string): string => {
  const text = textOf(element, name)
  if (text === undefined) throw s3Fault('MalformedXML', undefined, { Detail: `${element.name} must have ${name}.` })
  return text
}

export interface DeleteWish {
  quiet: boolean
  objects: { key: string; version_id?: string; etag?: string }[]
}

/** At most 1,000 objects. */
export function parseDelete(bytes: Uint8Array): DeleteWish {
  const element = parseXml(bytes, 'Delete')
  const objects = childrenOf(element, 'Object').map((each) => {
    if (need(each, 'Key') === '') throw s3Fault('UserKeyMustBeSpecified')
    const [key, version_id, etag] = [need(each, 'Key'), textOf(each, 'VersionId'), textOf(each, 'ETag')]
    return { key, ...(version_id ? { version_id } : {}), ...(etag ? { etag: etag.replaceAll('"', '') } : {}) }
  })
  if (objects.length === 0 || objects.length > 1000) throw s3Fault('MalformedXML', undefined, { Detail: 'Between 1 and 1000 objects may be deleted at once.' })
  return { quiet: textOf(element, 'Quiet') === 'true', objects }
}

export interface PartWish {
  number: number
  etag: string
  /** Element name without `Checksum` → base64: `CRC32`. */
  checksums: Readonly<Record<string, string>>
}

/** In ascending order, without doubles. */
export function parseComplete(bytes: Uint8Array): PartWish[] {
  if (bytes.length === 0) throw s3Fault('MalformedXML')
  const parts = childrenOf(parseXml(bytes, 'CompleteMultipartUpload'), 'Part').map((each) => {
    const number = need(each, 'PartNumber')
    if (!/^\d{1,5}$/.test(number) || Number(number) < 1 || Number(number) > 10_000) throw s3Fault('InvalidArgument', 'PartNumber must be an integer between 1 and 10000, inclusive', { ArgumentName: 'PartNumber' })
    const checksums = Object.fromEntries(each.children.filter(({ name }) => name.startsWith('Checksum')).map(({ name, text }) => [name.slice('Checksum'.length), text]))
    return { number: Number(number), etag: need(each, 'ETag').replaceAll('"', ''), checksums }
  })
  if (parts.length === 0) throw s3Fault('MalformedXML', undefined, { Detail: 'There must be a part.' })
  for (const [i, part] of parts.entries()) if (i > 0 && part.number <= parts[i - 1]!.number) throw s3Fault('InvalidPartOrder')
  return parts
}

/** The region asked for; undefined when none is. */
export function parseCreateBucket(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return undefined
  return textOf(parseXml(bytes, 'CreateBucketConfiguration'), 'LocationConstraint') || undefined
}

export function parseVersioning(bytes: Uint8Array): 'Enabled' | 'Suspended' {
  const element = parseXml(bytes, 'VersioningConfiguration')
  if (textOf(element, 'MfaDelete') === 'Enabled') throw s3Fault('NotImplemented', 'MFA delete is not there.')
  const status = textOf(element, 'Status')
  if (status === undefined) throw s3Fault('IllegalVersioningConfigurationException')
  if (status !== 'Enabled' && status !== 'Suspended') throw s3Fault('MalformedXML')
  return status
}

export type Tags = Readonly<Record<string, string>>

/** `most`: 10 for objects, 50 for buckets. */
export function parseTagging(bytes: Uint8Array, most: number): Tags {
  const set = child(parseXml(bytes, 'Tagging'), 'TagSet')
  if (!set) throw s3Fault('MalformedXML')
  return checkedTags(childrenOf(set, 'Tag').map((each) => [need(each, 'Key'), need(each, 'Value')]), most)
}

/** `x-amz-tagging: a=b&c=d`. */
export function parseTaggingHeader(text: string): Tags {
  return checkedTags([...new URLSearchParams(text)], 10)
}

function checkedTags(pairs: readonly (readonly string[])[], most: number): Tags {
  if (pairs.length > most) throw s3Fault('InvalidTag', `Object tags cannot be greater than ${most}`)
  const tags: Record<string, string> = {}
  for (const [key = '', value = ''] of pairs) {
    if (Object.hasOwn(tags, key)) throw s3Fault('InvalidTag', 'Cannot provide multiple Tags with the same key', { TagKey: key.slice(0, 128) })
    if (key === '' || [...key].length > 128 || /^aws:/i.test(key)) throw s3Fault('InvalidTag', 'The TagKey you have provided is invalid', { TagKey: key.slice(0, 128) })
    if ([...value].length > 256) throw s3Fault('InvalidTag', 'The TagValue you have provided is invalid', { TagKey: key })
    tags[key] = value
  }
  return tags
}

export interface CorsRule {
  id?: string
  origins: readonly string[]
  methods: readonly string[]
  headers: readonly string[]
  expose: readonly string[]
  max_age?: number
}

export function parseCors(bytes: Uint8Array): CorsRule[] {
  const rules = childrenOf(parseXml(bytes, 'CORSConfiguration'), 'CORSRule').map((each) => {
    const texts = (name: string): string[] => childrenOf(each, name).map(({ text }) => text)
    const [origins, methods, headers] = [texts('AllowedOrigin'), texts('AllowedMethod'), texts('AllowedHeader')]
    if (origins.length === 0 || methods.length === 0) throw s3Fault('MalformedXML')
    for (const text of [...origins, ...headers]) if (text.split('*').length > 2) throw s3Fault('InvalidRequest', `"${text}" can not have more than one wildcard.`)
    const odd = methods.find((method) => !['GET', 'PUT', 'HEAD', 'POST', 'DELETE'].includes(method))
    if (odd !== undefined) throw s3Fault('InvalidRequest', `Found unsupported HTTP method in CORS config. Unsupported method is ${odd}`)
    const [id, age] = [textOf(each, 'ID'), textOf(each, 'MaxAgeSeconds')]
    if (age !== undefined && !/^\d{1,9}$/.test(age)) throw s3Fault('MalformedXML')
    return { ...(id ? { id } : {}), origins, methods, headers, expose: texts('ExposeHeader'), ...(age === undefined ? {} : { max_age: Number(age) }) }
  })
  if (rules.length === 0 || rules.length > 100) throw s3Fault('MalformedXML')
  return rules
}

/** The first rule that lets this origin do this; `headers` are those that a preflight asks for. */
export function corsRule(rules: readonly CorsRule[], origin: string, method: string, headers: readonly string[] = []): CorsRule | undefined {
  return rules.find((rule) => rule.origins.some((each) => matches(each, origin)) && rule.methods.includes(method) && headers.every((name) => rule.headers.some((each) => matches(each.toLowerCase(), name.toLowerCase()))))
}

function matches(pattern: string, text: string): boolean {
  const [before = '', after] = pattern.split('*')
  return after === undefined ? pattern === text : text.length >= before.length + after.length && text.startsWith(before) && text.endsWith(after)
}

/** The algorithm of a bucket's encryption. */
export function parseEncryption(bytes: Uint8Array): string {
  const rule = child(parseXml(bytes, 'ServerSideEncryptionConfiguration'), 'Rule')
  const standard = rule && child(rule, 'ApplyServerSideEncryptionByDefault')
  if (!standard) throw s3Fault('MalformedXML')
  return need(standard, 'SSEAlgorithm')
}

export interface LifecycleRule {
  id: string
  enabled: boolean
  prefix: string
  /** The prefix stood in the rule itself, as it did before there were filters. */
  bare_prefix?: boolean
  tags: Tags
  larger_than?: number
  smaller_than?: number
  /** Days after creation, or an instant in milliseconds (midnight UTC). */
  expire?: { days: number } | { at: number }
  expired_delete_marker?: boolean
  noncurrent?: { days: number; keep?: number }
  abort_uploads_days?: number
  /** To another storage class: so many days after creation, or at an instant. */
  transitions?: readonly (({ days: number } | { at: number }) & { class: string })[]
  noncurrent_transitions?: readonly { days: number; keep?: number; class: string }[]
}

export function parseLifecycle(bytes: Uint8Array): LifecycleRule[] {
  const elements = childrenOf(parseXml(bytes, 'LifecycleConfiguration'), 'Rule')
  if (elements.length === 0 || elements.length > 1000) throw s3Fault('MalformedXML')
  const rules = elements.map(lifecycleRule)
  const ids = new Set(rules.map(({ id }) => id))
  if (ids.size !== rules.length) throw s3Fault('InvalidArgument', 'Rule ID must be unique. Found same ID for more than one rule')
  return rules
}

function midnight(date: string): number {
  const at = /^\d{4}-\d\d-\d\d/.test(date) ? Date.parse(date) : Number.NaN
  if (Number.isNaN(at) || at % 86_400_000 !== 0) throw s3Fault('InvalidArgument', "'Date' must be at midnight GMT", { ArgumentName: 'Date' })
  return at
}

function lifecycleRule(element: Element, index: number): LifecycleRule {
  const status = need(element, 'Status')
  if (status !== 'Enabled' && status !== 'Disabled') throw s3Fault('MalformedXML')
  const days = (text: string | undefined, name: string): number => {
    if (text === undefined || !/^[1-9]\d{0,6}$/.test(text)) throw s3Fault('InvalidArgument', `'${name}' must be a positive integer`, { ArgumentName: name })
    return Number(text)
  }
  const filter = child(element, 'Filter')
  const facts = (filter && child(filter, 'And')) ?? filter
  const size = (name: string): number | undefined => {
    const text = facts && textOf(facts, name)
    return text === undefined ? undefined : /^\d{1,15}$/.test(text) ? Number(text) : days(text, name)
  }
  const [expiration, noncurrent, abort] = [child(element, 'Expiration'), child(element, 'NoncurrentVersionExpiration'), child(element, 'AbortIncompleteMultipartUpload')]
  const transitions = childrenOf(element, 'Transition').map((each) => {
    const date = textOf(each, 'Date')
    return { class: need(each, 'StorageClass'), ...(date === undefined ? { days: textOf(each, 'Days') === '0' ? 0 : days(textOf(each, 'Days'), 'Days') } : { at: midnight(date) }) }
  })
  const noncurrentTransitions = childrenOf(element, 'NoncurrentVersionTransition').map((each) => {
    const keep = textOf(each, 'NewerNoncurrentVersions')
    return { class: need(each, 'StorageClass'), days: days(textOf(each, 'NoncurrentDays'), 'NoncurrentDays'), ...(keep === undefined ? {} : { keep: days(keep, 'NewerNoncurrentVersions') }) }
  })
  if (!expiration && !noncurrent && !abort && transitions.length === 0 && noncurrentTransitions.length === 0) throw s3Fault('InvalidRequest', 'At least one action needs to be specified in a rule')
  if ((textOf(element, 'ID') ?? '').length > 255) throw s3Fault('InvalidArgument', 'ID length should not exceed allowed limit of 255', { ArgumentName: 'ID' })
  const rule: LifecycleRule = {
    id: textOf(element, 'ID') || `rule-${index + 1}`,
    enabled: status === 'Enabled',
    prefix: (facts && textOf(facts, 'Prefix')) ?? textOf(element, 'Prefix') ?? '',
    tags: facts ? checkedTags(childrenOf(facts, 'Tag').map((each) => [need(each, 'Key'), need(each, 'Value')]), 10) : {},
  }
  if (!filter && textOf(element, 'Prefix') !== undefined) rule.bare_prefix = true
  if (!filter && !rule.bare_prefix) throw s3Fault('MalformedXML', undefined, { Detail: 'A rule must have Filter or Prefix.' })
  const [larger, smaller] = [size('ObjectSizeGreaterThan'), size('ObjectSizeLessThan')]
  if (larger !== undefined) rule.larger_than = larger
  if (smaller !== undefined) rule.smaller_than = smaller
  if (expiration) {
    const [date, marker] = [textOf(expiration, 'Date'), textOf(expiration, 'ExpiredObjectDeleteMarker')]
    if (date !== undefined) {
      rule.expire = { at: midnight(date) }
    } else if (marker !== undefined) rule.expired_delete_marker = marker === 'true'
    else rule.expire = { days: days(textOf(expiration, 'Days'), 'Days') }
  }
  if (noncurrent) {
    const keep = textOf(noncurrent, 'NewerNoncurrentVersions')
    rule.noncurrent = { days: days(textOf(noncurrent, 'NoncurrentDays'), 'NoncurrentDays'), ...(keep === undefined ? {} : { keep: days(keep, 'NewerNoncurrentVersions') }) }
  }
  if (transitions.length > 0) rule.transitions = transitions
  if (noncurrentTransitions.length > 0) rule.noncurrent_transitions = noncurrentTransitions
  if (abort) rule.abort_uploads_days = days(textOf(abort, 'DaysAfterInitiation'), 'DaysAfterInitiation')
  return rule
}
