/** Objects as S3 has them: Swift's objects, with their metadata under other names. */
import { hexId } from '#base/ids.ts'
import { CUSTOMER, type CustomerKey, customersOf } from '../../core/s3/customer-key.ts'
import { parseTaggingHeader, type Tags } from '../../core/s3/documents.ts'
import { s3Fault } from '../../core/s3/errors.ts'
import { expiryOf } from '../../core/s3/lifecycle.ts'
import { LOCK, lockConfigOf, lockOf, lockOfHeaders } from '../../core/s3/lock.ts'
import { rangesOf } from '../../core/ranges.ts'
import { versionText } from '../../house.ts'
import { newestVersion, s3Etag } from '../../store/objects.ts'
import type { ObjectRow } from '../../store/tables.ts'
import { type Answer, metadataOf } from '../ask.ts'
import { deliver } from '../deliver.ts'
import type { Part } from '../keep.ts'
import { deleteAt } from '../object.ts'
import { objectAclHeaders } from './acl.ts'
import { classHeader, policyOfClass } from './classes.ts'
import { assertKey, CHECKSUM, customerHeaders, customerKey, keptSum, partSum, sumOf } from './customer.ts'
import { quoted } from './listing.ts'
import { TAGS } from './may.ts'
import { absent, ask, askOf, assertGood, bucketRow, md5Header, type S3Request, uploadOf, versionQuery } from './request.ts'
import { assertEncryption, ENCRYPTION, lifecycleOf } from './settings.ts'

export const REDIRECT = 'x-object-sysmeta-s3-redirect'
export const PLAIN = ['content-type', 'content-encoding', 'content-disposition', 'content-language', 'cache-control', 'expires']
/** Most bytes of an upload in one request. */
export const MOST = 5 * 2 ** 30

/** What an object is to have, from S3's headers to Swift's. */
export function objectHeaders(at: S3Request, headers: Readonly<Record<string, string>> = at.headers): Record<string, string> {
  const bucket = metadataOf(bucketRow(at))
  const customers = Object.keys(headers).some((name) => name.startsWith(CUSTOMER))
  const said = headers['x-amz-server-side-encryption']
  if (customers && said !== undefined) throw s3Fault('InvalidArgument', 'Server Side Encryption with Customer provided key is incompatible with the encryption method specified', { ArgumentName: 'x-amz-server-side-encryption', ArgumentValue: said.slice(0, 40) })
  const kms = Object.keys(headers).find((name) => /^x-amz-server-side-encryption-(aws-kms|context)/.test(name))
  if (kms !== undefined && said === 'AES256') throw s3Fault('InvalidArgument', 'Server Side Encryption with KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms', { ArgumentName: kms })
  if (kms !== undefined) throw absent('Encryption with keys of a key service')
  const algorithm = customers ? undefined : (said ?? bucket[ENCRYPTION])
  if (algorithm !== undefined) assertEncryption(at, algorithm)
  const out: Record<string, string> = { ...objectAclHeaders(at, headers) }
  let size = 0
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith('x-amz-meta-')) {
      size += name.length - 'x-amz-meta-'.length + value.length
      out[`x-object-meta-${name.slice('x-amz-meta-'.length)}`] = value
    } else if (PLAIN.includes(name)) out[name] = value
  }
  if (size > 2048) throw s3Fault('MetadataTooLarge', undefined, { MaxSizeAllowed: '2048' })
  // How it came is not how it is; what says so and came otherwise is kept, as with Amazon.
  const chunked = headers['x-amz-content-sha256']?.startsWith('STREAMING-') === true
  const coding = out['content-encoding']?.split(',').map((each) => each.trim()).filter((each) => !chunked || each !== 'aws-chunked').join(', ')
  if (coding) out['content-encoding'] = coding
  else delete out['content-encoding']
  out['content-type'] ??= 'binary/octet-stream'
  const tagging = headers['x-amz-tagging']
  if (tagging !== undefined) out[TAGS] = JSON.stringify(parseTaggingHeader(tagging))
  const redirect = headers['x-amz-website-redirect-location']
  if (redirect !== undefined) {
    // oxlint-disable-next-line no-control-regex
    if (!/^(\/|https?:\/\/)[^\x00-\x1f]{1,2000}$/.test(redirect)) throw s3Fault('InvalidRequest', 'The website redirect location must have a prefix of \'http://\' or \'https://\' or \'/\'.')
    out[REDIRECT] = redirect
  }
  const lock = lockOfHeaders(headers, at.house.world.clock.now())
  if (lock && !lockConfigOf(bucket)) throw s3Fault('InvalidRequest', 'Bucket is missing Object Lock Configuration')
  if (lock) out[LOCK] = JSON.stringify(lock)
  // As Swift's own S3 door: what Swift knows of an object's end, and what search engines are told.
  for (const name of ['x-delete-at', 'x-delete-after', 'x-robots-tag']) if (headers[name] !== undefined) out[name] = headers[name]
  deleteAt(at.house, out)
  return out
}

/** And back. */
function shownHeaders(at: S3Request, row: ObjectRow, swift: Answer['headers'], customer: CustomerKey | undefined): Record<string, string> {
  const metadata = metadataOf(row)
  const out: Record<string, string> = { etag: quoted(s3Etag(row)), 'last-modified': String(swift['last-modified']), 'accept-ranges': 'bytes', 'content-type': row.content_type }
  for (const [name, value] of Object.entries(metadata)) {
    if (name.startsWith('x-object-meta-')) out[`x-amz-meta-${name.slice('x-object-meta-'.length)}`] = mailSafe(value)
    else if (PLAIN.includes(name) || name === 'x-robots-tag') out[name] = value
  }
  const tags = metadata[TAGS]
  const count = tags === undefined ? 0 : Object.keys(JSON.parse(tags) as Tags).length
  if (count > 0) out['x-amz-tagging-count'] = String(count)
  const version = swift['x-object-version-id']
  if (typeof version === 'string') out['x-amz-version-id'] = version
  if (metadata[REDIRECT] !== undefined) out['x-amz-website-redirect-location'] = metadata[REDIRECT]
  const { mode, until, hold } = lockOf(metadata)
  if (mode !== undefined && until !== undefined) Object.assign(out, { 'x-amz-object-lock-mode': mode, 'x-amz-object-lock-retain-until-date': new Date(until).toISOString() })
  if (hold !== undefined) out['x-amz-object-lock-legal-hold'] = hold ? 'ON' : 'OFF'
  return { ...out, ...endHeaders(at, row), ...encryptionHeaders(row), ...customerHeaders(customer), ...classHeader(at, row) }
}

/** What is not plain ASCII goes out as Amazon has it, in the words of RFC 2047. Values hold their bytes as they came, mostly UTF-8. */
function mailSafe(value: string): string {
  if (/^[\x20-\x7e\t]*$/.test(value)) return value
  // oxlint-disable-next-line no-control-regex
  const text = /[^\x00-\xff]/.test(value) ? value : Buffer.from(value, 'latin1').toString('utf8')
  return `=?UTF-8?B?${Buffer.from(text.includes('\ufffd') ? value : text).toString('base64')}?=`
}

/** When a lifecycle rule will take it away. */
function endHeaders(at: S3Request, row: ObjectRow): Record<string, string> {
  if (row.delete_at !== null) return { 'x-amz-expiration': `expiry-date="${new Date(Number(row.delete_at)).toUTCString()}", rule-id="swift-object-expiration"` }
  const rules = lifecycleOf(metadataOf(bucketRow(at)))
  const end = rules.length === 0 ? undefined : expiryOf(rules, { name: row.name, size: Number(row.size), created_at: Number(row.created_at), tags: JSON.parse(metadataOf(row)[TAGS] ?? '{}') as Tags })
  return end ? { 'x-amz-expiration': `expiry-date="${new Date(end.at).toUTCString()}", rule-id="${encodeURIComponent(end.rule)}"` } : {}
}

export const encryptionHeaders = (row: Pick<ObjectRow, 'secret_id' | 'parts'>): Record<string, string> =>
  customersOf(row) === undefined && (row.secret_id !== null || (row.parts !== null && (JSON.parse(row.parts) as Part[]).some(({ secret_id }) => secret_id))) ? { 'x-amz-server-side-encryption': 'AES256' } : {}

export async function getObject(at: S3Request): Promise<Answer> {
  const { query, headers, rq } = at
  const into = bucketRow(at)
  if (headers['x-amz-server-side-encryption'] !== undefined) throw s3Fault('InvalidArgument', 'x-amz-server-side-encryption header is not supported for this operation.', { ArgumentName: 'x-amz-server-side-encryption' })
  const method = rq.http.method as 'GET' | 'HEAD'
  const customer = customerKey(at)
  const asked = askOf(at, method, { headers: pick(headers, ['range', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range']), query: versionQuery(at), customer })
  const found = await at.serve(asked)
  if (found.status === 404 && String(found.headers['content-type']).includes('swift_versions_deleted')) throw marked(query.has('versionId') ? 'MethodNotAllowed' : 'NoSuchKey', at, query.get('versionId') ?? undefined)
  if (found.status === 404 && query.has('versionId')) throw s3Fault('NoSuchVersion', undefined, { Key: at.key, VersionId: query.get('versionId')! })
  if (found.status === 404 && metadataOf(into)['x-versions-enabled'] !== undefined) {
    const newest = await newestVersion(at.house.db, into.id, at.key)
    if (newest?.deleted === 1) throw marked('NoSuchKey', at, versionText(newest.version_id))
  }
  assertGood(at, found, 'object')
  const row = found.row!
  assertKey(row, customer)
  const shown = shownHeaders(at, row, found.headers, customer)
  if (wantsSum(at) && headers.range === undefined && !query.has('partNumber')) Object.assign(shown, checksumHeaders(sumOf(row, customer)))
  for (const name of ['content-type', 'content-language', 'expires', 'cache-control', 'content-disposition', 'content-encoding']) {
    const said = query.get(`response-${name}`)
    if (said === null) continue
    if (at.signed === undefined) throw s3Fault('InvalidRequest', 'Request specific response headers cannot be used for anonymous GET requests.')
    // oxlint-disable-next-line no-control-regex
    shown[name] = said.replaceAll(/[\x00-\x1f\x7f]/g, '')
  }
  if (found.content) found.content.etag = s3Etag(row)
  if (query.has('partNumber')) return onePart(at, asked, { ...found, headers: shown }, row, customer)
  if (headers.range !== undefined && found.content && rangesOf(headers.range, found.content.size)?.length === 0) throw s3Fault('InvalidRange', undefined, { RangeRequested: headers.range, ActualObjectSize: String(found.content.size) })
  const answer = await deliver(asked, { ...found, headers: shown }, () => hexId(at.house.world.random))
  // Of a HEAD, too, a range is judged.
  const span = method === 'HEAD' && headers.range !== undefined && answer.status === 200 && found.content ? rangesOf(headers.range, found.content.size)?.[0] : undefined
  if (span) return { ...answer, status: 206, headers: { ...answer.headers, 'content-length': String(span.end - span.start + 1), 'content-range': `bytes ${span.start}-${span.end}/${found.content!.size}` } }
  if (answer.status === 412) throw s3Fault('PreconditionFailed')
  // Clients judge by a checksum whatever comes with one, and here nothing does.
  if (answer.status === 304) for (const name of Object.keys(answer.headers)) if (name.startsWith('x-amz-checksum-')) delete answer.headers[name]
  return answer
}

const marked = (code: 'MethodNotAllowed' | 'NoSuchKey', at: S3Request, version?: string): Error => s3Fault(code, undefined, { Key: at.key, 'x-amz-delete-marker': 'true', ...(version === undefined ? {} : { 'x-amz-version-id': version }) })

const pick = (headers: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> => Object.fromEntries(names.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])))

const wantsSum = ({ headers }: S3Request): boolean => headers['x-amz-checksum-mode']?.toUpperCase() === 'ENABLED'

export const typeOf = (sum: string): 'COMPOSITE' | 'FULL_OBJECT' => (/-\d+$/.test(sum) ? 'COMPOSITE' : 'FULL_OBJECT')

export function checksumHeaders(kept: string | undefined): Record<string, string> {
  const [algorithm, value] = (kept ?? '').split(/:(.*)/s)
  return algorithm && value ? { [`x-amz-checksum-${algorithm.toLowerCase()}`]: value, 'x-amz-checksum-type': typeOf(value) } : {}
}

/** `partNumber`: what was uploaded as this part; an object of one upload is its first part. */
async function onePart(at: S3Request, asked: ReturnType<typeof askOf>, found: Answer, row: ObjectRow, customer: CustomerKey | undefined): Promise<Answer> {
  const { headers, query } = at
  if (headers.range !== undefined) throw s3Fault('InvalidRequest', 'Cannot specify both Range header and partNumber query parameter')
  const number = partNumber(query.get('partNumber'))
  const parts: (Part & { checksum?: string })[] = row.parts === null ? [{ bytes_id: row.bytes_id, size: Number(row.size) }] : (JSON.parse(row.parts) as Part[])
  const part = parts[number - 1]
  if (!part) throw s3Fault('InvalidPartNumber', undefined, { ActualPartCount: String(parts.length), PartNumberRequested: String(number) })
  const whole = sumOf(row, customer)
  const algorithm = whole?.split(':')[0]
  const own = row.parts === null ? whole : partSum({ ...part, checksum: part.checksum === undefined ? null : `${algorithm}:${part.checksum}` }, customer)
  const sums = own === undefined || whole === undefined || !wantsSum(at) ? {} : { ...checksumHeaders(own), 'x-amz-checksum-type': typeOf(whole) }
  const start = parts.slice(0, number - 1).reduce((sum, { size }) => sum + size, 0)
  const content = found.content!
  const piece = { ...content, size: part.size, open: (from: number, to: number) => content.open(start + from, start + to) }
  const answer = await deliver(asked, { ...found, content: piece }, () => '')
  if (answer.status === 412) throw s3Fault('PreconditionFailed')
  if (answer.status !== 200) return answer
  return { ...answer, status: 206, headers: { ...answer.headers, ...sums, 'content-range': `bytes ${start}-${start + part.size - 1}/${content.size}`, ...(row.parts === null ? {} : { 'x-amz-mp-parts-count': String(parts.length) }) } }
}

export function partNumber(text: string | null): number {
  if (!/^\d{1,5}$/.test(text ?? '') || Number(text) < 1 || Number(text) > 10_000) throw s3Fault('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive', { ArgumentName: 'partNumber', ArgumentValue: (text ?? '').slice(0, 40) })
  return Number(text)
}

export async function putObject(at: S3Request): Promise<Answer> {
  const { headers } = at
  if (headers['x-amz-write-offset-bytes'] !== undefined) throw absent('Appending to an object')
  const given = objectHeaders(at)
  const upload = uploadOf(at)
  if (upload.length === undefined && headers['transfer-encoding'] === undefined) throw s3Fault('MissingContentLength')
  if ((upload.length ?? 0) > MOST) throw s3Fault('EntityTooLarge', undefined, { MaxSizeAllowed: String(MOST) })
  const md5 = md5Header(headers)
  const customer = customerKey(at)
  const policy = await policyOfClass(at, headers['x-amz-storage-class'])
  const late = (secretId: string | null): Record<string, string> => {
    const sum = upload.checksum()
    return sum === undefined ? {} : { [CHECKSUM]: keptSum(sum, secretId, customer, 'whole') }
  }
  const answer = await ask(at, 'PUT', { late, customer, policy, headers: { ...given, ...writeConditions(at), ...(upload.length === undefined ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(upload.length) }), ...(md5 === undefined ? {} : { etag: md5 }) }, body: upload.source })
  const fault = upload.fault()
  if (answer.status >= 400 && fault) throw fault
  assertWritten(at, answer)
  return { status: 200, headers: { ...stored(at, answer, customer), etag: quoted(String(answer.headers.etag)) } }
}

/** Conditions of a write, as Swift's rooms read them; they hold in the same commit that writes. */
export function writeConditions({ headers }: S3Request): Record<string, string> {
  const [match, none] = [headers['if-match'], headers['if-none-match']]
  return { ...(none === undefined ? {} : none === '*' ? { 'if-none-match': '*' } : { 'x-backend-if-none-match': none.replaceAll('"', '') }), ...(match === undefined ? {} : { 'x-backend-if-match': match.replaceAll('"', '') }) }
}

export function assertWritten(at: S3Request, answer: Answer): Answer {
  if (answer.status === 412) throw s3Fault('PreconditionFailed', undefined, { Condition: at.headers['if-match'] === undefined ? 'If-None-Match' : 'If-Match' })
  return assertGood(at, answer, 'object')
}

/** What an upload made: version, checksum, encryption and end. */
export function stored(at: S3Request, answer: Answer, customer: CustomerKey | undefined): Record<string, string> {
  const version = answer.headers['x-object-version-id']
  const { row } = answer
  return { ...(typeof version === 'string' ? { 'x-amz-version-id': version } : {}), ...(row ? { ...checksumHeaders(sumOf(row, customer)), ...endHeaders(at, row), ...encryptionHeaders(row), ...customerHeaders(customer), ...classHeader(at, row) } : {}) }
}
