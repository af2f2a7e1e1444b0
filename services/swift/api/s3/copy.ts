/** Copies: a reading of one object, a writing of another, between them the metadata of both. */
import { Readable } from 'node:stream'
import { type Algorithm, ALGORITHMS, checksum } from '../../core/s3/checksums.ts'
import { s3Fault } from '../../core/s3/errors.ts'
import { targetOf } from '../../core/s3/target.ts'
import { s3Etag } from '../../store/objects.ts'
import type { ObjectRow } from '../../store/tables.ts'
import { type Answer, type Content, metadataOf } from '../ask.ts'
import { deliver } from '../deliver.ts'
import { objectAclHeaders } from './acl.ts'
import { isoMillis, quoted, xml } from './listing.ts'
import { permitted, TAGS } from './may.ts'
import { policyOfClass } from './classes.ts'
import { assertKey, CHECKSUM, customerKey, keptSum, sourceKey, sumOf } from './customer.ts'
import { assertWritten, MOST, objectHeaders, PLAIN, stored, typeOf, writeConditions } from './object.ts'
import { ask, askOf, assertGood, atBucket, bucketRow, type S3Request, versionQuery } from './request.ts'

/** `[/]bucket/key[?versionId=…]` of a copy. */
export function sourceOf(text: string): { bucket: string; key: string; version?: string } {
  const [path = '', query = ''] = text.split('?')
  const { bucket, key } = targetOf(whole(path.startsWith('/') ? path : `/${path}`), undefined, [])
  if (bucket === undefined || key === undefined) throw s3Fault('InvalidArgument', 'Copy Source must mention the source bucket and key: sourcebucket/sourcekey', { ArgumentName: 'x-amz-copy-source' })
  if (!/^(versionId=[^&]*)?$/.test(query)) throw s3Fault('InvalidArgument', 'Unsupported copy source parameter.', { ArgumentName: 'x-amz-copy-source' })
  const version = new URLSearchParams(query).get('versionId')
  return { bucket, key, ...(version === null ? {} : { version }) }
}

/** Some clients encode what they name, and some do not: a percent sign that begins nothing is one, and bytes beyond ASCII are themselves. */
const whole = (path: string): string => path.replaceAll(/%(?![0-9a-fA-F]{2})/g, '%25').replaceAll(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`)

/** Conditions on the source of a copy, as those of a GET. */
const copyConditions = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'].flatMap((name) => (headers[`x-amz-copy-source-${name}`] === undefined ? [] : [[name, headers[`x-amz-copy-source-${name}`]!]])))

export interface Source {
  at: S3Request
  row: ObjectRow
  content: Content
  /** Its checksum, `CRC32:base64`. */
  sum: string | undefined
  version: string | undefined
}

/** What `x-amz-copy-source` names, when the caller may read it and its conditions hold. */
export async function copySource(to: S3Request): Promise<Source> {
  const source = sourceOf(to.headers['x-amz-copy-source']!)
  const { 'x-amz-expected-bucket-owner': _owner, 'x-amz-source-expected-bucket-owner': expected, ...headers } = to.headers
  const query = new URLSearchParams(source.version === undefined ? {} : { versionId: source.version })
  const found = await atBucket({ ...to, query, headers: { ...headers, ...(expected === undefined ? {} : { 'x-amz-expected-bucket-owner': expected }) } }, source.bucket, source.key)
  const at = await permitted(found, { action: source.version === undefined ? 's3:GetObject' : 's3:GetObjectVersion', right: source.version === undefined ? 'read' : 'own', list: { of: 'object', permission: 'READ' } })
  const customer = sourceKey(to)
  const answer = await ask(at, 'GET', { query: versionQuery(at), customer })
  if (answer.status === 404 && source.version !== undefined) throw s3Fault(String(answer.headers['content-type']).includes('swift_versions_deleted') ? 'InvalidRequest' : 'NoSuchVersion', undefined, { Key: source.key })
  assertGood(at, answer, 'object')
  const row = answer.row!
  assertKey(row, customer)
  const content = answer.content!
  const judged = await deliver(askOf(at, 'HEAD', { headers: copyConditions(to.headers) }), { status: 200, headers: {}, content: { ...content, etag: s3Etag(row) } }, () => '')
  if (judged.status !== 200) throw s3Fault('PreconditionFailed')
  const version = answer.headers['x-object-version-id']
  return { at, row, content, sum: sumOf(row, customer), version: typeof version === 'string' ? version : undefined }
}

/** The bytes, and their checksum once they have passed. */
export function summed(source: Readable, algorithm: Algorithm): { source: Readable; checksum(): string } {
  const sum = checksum(algorithm)
  let made: string | undefined
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for await (const chunk of source as AsyncIterable<Uint8Array>) {
      sum.update(chunk)
      yield chunk
    }
  }
  return { source: Readable.from(pieces(), { objectMode: false, highWaterMark: 1 << 18 }), checksum: () => `${algorithm}:${(made ??= sum.digest())}` }
}

export async function copyObject(at: S3Request): Promise<Answer> {
  const { headers } = at
  bucketRow(at)
  if (headers.range !== undefined) throw s3Fault('InvalidArgument', 'RANGE is not supported in Copy!', { ArgumentName: 'Range', ArgumentValue: headers.range.slice(0, 80) })
  const directive = headers['x-amz-metadata-directive'] ?? 'COPY'
  if (directive !== 'COPY' && directive !== 'REPLACE') throw s3Fault('InvalidArgument', 'Unknown metadata directive.', { ArgumentName: 'x-amz-metadata-directive', ArgumentValue: directive.slice(0, 40) })
  const customer = customerKey(at)
  const source = await copySource(at)
  const itself = source.at.account === at.account && source.at.bucket === at.bucket && source.at.key === at.key && !source.at.query.has('versionId')
  if (directive === 'COPY' && itself && headers['x-amz-website-redirect-location'] === undefined && headers['x-amz-server-side-encryption'] === undefined && headers['x-amz-storage-class'] === undefined && !customer) throw s3Fault('InvalidRequest', "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
  const { row: from, content } = source
  if (content.size > MOST) throw s3Fault('InvalidRequest', 'The specified copy source is larger than the maximum allowable size for a copy source: 5368709120')
  const old = metadataOf(from)
  const kept = Object.fromEntries(Object.entries(old).filter(([name]) => name.startsWith('x-object-meta-') || PLAIN.includes(name)))
  const { 'x-amz-tagging': _tagging, ...untagged } = headers
  const replaced = headers['x-amz-tagging-directive'] === 'REPLACE'
  const own = objectHeaders(at, replaced ? headers : untagged)
  const sys = Object.fromEntries(Object.entries(own).filter(([name]) => name.startsWith('x-object-sysmeta-')))
  const tags = replaced ? own[TAGS] : old[TAGS]
  const next = { ...(directive === 'COPY' ? { ...kept, 'content-type': from.content_type, ...sys } : own), ...objectAclHeaders(at, headers), ...(tags === undefined ? {} : { [TAGS]: tags }) }
  const policy = await policyOfClass(at, headers['x-amz-storage-class'])
  const wanted = headers['x-amz-checksum-algorithm']?.toUpperCase()
  const algorithm = ALGORITHMS.find((each) => each === wanted)
  if (wanted !== undefined && algorithm === undefined) throw s3Fault('InvalidRequest', 'Checksum algorithm provided is unsupported.')
  const bytes = content.size === 0 ? Readable.from([]) : await content.open(0, content.size - 1)
  // The same bytes have the same checksum; that of a whole in parts is one of its parts, and is made anew.
  const same = source.sum !== undefined && !/-\d+$/.test(source.sum) && (algorithm === undefined || source.sum.startsWith(`${algorithm}:`)) ? source.sum : undefined
  const anew = same === undefined ? (algorithm ?? (source.sum?.split(':')[0] as Algorithm | undefined)) : undefined
  const { source: body, checksum: made } = anew === undefined ? { source: bytes, checksum: () => same } : summed(bytes, anew)
  const late = (secretId: string | null): Record<string, string> => {
    const sum = made()
    return sum === undefined ? {} : { [CHECKSUM]: keptSum(sum, secretId, customer, 'whole') }
  }
  const answer = assertWritten(at, await ask(at, 'PUT', { headers: { ...next, ...writeConditions(at), 'content-length': String(content.size) }, body, customer, policy, late }))
  const row = answer.row!
  const { etag: _etag, ...said } = stored(at, answer, customer)
  const [name, sum] = (sumOf(row, customer) ?? '').split(/:(.*)/s)
  return xml('CopyObjectResult', { LastModified: isoMillis(row.created_at), ETag: quoted(row.etag), ...(name && sum ? { [`Checksum${name}`]: sum, ChecksumType: typeOf(sum) } : {}) }, 200, { ...said, ...(source.version === undefined ? {} : { 'x-amz-copy-source-version-id': source.version }) })
}
