/** Objects as S3 has them: Swift's objects, with their metadata under other names. */
import { parseDelete, parseTagging, parseTaggingHeader, type Tags } from '../../core/s3/documents.ts'
import { s3Fault } from '../../core/s3/errors.ts'
import { rangesOf } from '../../core/ranges.ts'
import { aclTree, cannedAcl } from '../../core/s3/acl.ts'
import { targetOf } from '../../core/s3/target.ts'
import { hexId } from '#base/ids.ts'
import { changeObject, objectOf } from '../../store/objects.ts'
import type { ObjectRow } from '../../store/tables.ts'
import { type Answer, metadataOf } from '../ask.ts'
import { deliver } from '../deliver.ts'
import { taggingTree } from './bucket.ts'
import { isoMillis, quoted, xml } from './listing.ts'
import { absent, ask, askOf, assertGood, bucketRow, md5Header, type S3Request, smallBody, uploadOf } from './request.ts'

const TAGS = 'x-object-sysmeta-s3-tags'
const CHECKSUM = 'x-object-sysmeta-s3-checksum'
const PLAIN = ['content-type', 'content-encoding', 'content-disposition', 'content-language', 'cache-control', 'expires']
/** Most bytes of an upload in one request. */
export const MOST = 5 * 2 ** 30

/** What an object is to have, from S3's headers to Swift's. */
export function objectHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  for (const name of Object.keys(headers)) if (/^x-amz-(server-side-encryption(?!$)|object-lock|website-redirect)/.test(name)) throw absent(name)
  const algorithm = headers['x-amz-server-side-encryption']
  if (algorithm !== undefined) throw s3Fault('NotImplemented', 'Encryption by request is not there; the operator may encrypt everything at rest.')
  const storage = headers['x-amz-storage-class']
  if (storage !== undefined && storage !== 'STANDARD') throw s3Fault('InvalidStorageClass')
  const acl = headers['x-amz-acl']
  if (acl !== undefined && !['private', 'bucket-owner-full-control', 'bucket-owner-read'].includes(acl)) throw s3Fault('NotImplemented', 'Objects have no access control list of their own here: the list of their bucket counts.')
  const out: Record<string, string> = {}
  let size = 0
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith('x-amz-meta-')) {
      size += name.length - 'x-amz-meta-'.length + value.length
      out[`x-object-meta-${name.slice('x-amz-meta-'.length)}`] = value
    } else if (PLAIN.includes(name)) out[name] = value
  }
  if (size > 2048) throw s3Fault('MetadataTooLarge', undefined, { MaxSizeAllowed: '2048' })
  const coding = out['content-encoding']?.split(',').map((each) => each.trim()).filter((each) => each !== 'aws-chunked').join(',')
  if (coding) out['content-encoding'] = coding
  else delete out['content-encoding']
  out['content-type'] ??= 'binary/octet-stream'
  const tagging = headers['x-amz-tagging']
  if (tagging !== undefined) out[TAGS] = JSON.stringify(parseTaggingHeader(tagging))
  return out
}

/** And back. */
function shownHeaders(row: ObjectRow, swift: Answer['headers']): Record<string, string> {
  const metadata = metadataOf(row)
  const out: Record<string, string> = { etag: quoted(etagOf(row)), 'last-modified': String(swift['last-modified']), 'accept-ranges': 'bytes', 'content-type': row.content_type }
  for (const [name, value] of Object.entries(metadata)) {
    if (name.startsWith('x-object-meta-')) out[`x-amz-meta-${name.slice('x-object-meta-'.length)}`] = value
    else if (PLAIN.includes(name)) out[name] = value
  }
  const tags = metadata[TAGS]
  if (tags !== undefined) out['x-amz-tagging-count'] = String(Object.keys(JSON.parse(tags) as Tags).length)
  const version = swift['x-object-version-id']
  if (typeof version === 'string') out['x-amz-version-id'] = version
  return out
}

/** Of what came in parts, the ETag that S3 makes of theirs. */
export const etagOf = (row: Pick<ObjectRow, 'etag' | 'listing'>): string => (row.listing === null ? row.etag : ((JSON.parse(row.listing) as { s3_etag?: string }).s3_etag ?? row.etag))

const versionQuery = ({ query }: S3Request): Record<string, string> => {
  const version = query.get('versionId')
  if (version === null) return {}
  if (version !== 'null' && !/^\d{10}\.\d{5}$/.test(version)) throw s3Fault('InvalidArgument', 'Invalid version id specified', { ArgumentName: 'versionId', ArgumentValue: version.slice(0, 80) })
  return { 'version-id': version }
}

export async function getObject(at: S3Request): Promise<Answer> {
  const { query, headers, rq } = at
  if (query.has('partNumber')) throw absent('Reading by the number of a part')
  await bucketRow(at)
  const method = rq.http.method as 'GET' | 'HEAD'
  const asked = askOf(at, method, { headers: pick(headers, ['range', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range']), query: versionQuery(at) })
  const found = await at.serve(asked)
  if (found.status === 404 && String(found.headers['content-type']).includes('swift_versions_deleted')) throw s3Fault(query.has('versionId') ? 'MethodNotAllowed' : 'NoSuchKey', undefined, { Key: at.key })
  if (found.status === 404 && query.has('versionId')) throw s3Fault('NoSuchVersion', undefined, { Key: at.key, VersionId: query.get('versionId')! })
  assertGood(at, found, 'object')
  const row = found.row!
  const shown = shownHeaders(row, found.headers)
  if (headers['x-amz-checksum-mode'] === 'ENABLED') {
    const [algorithm, value] = (metadataOf(row)[CHECKSUM] ?? '').split(/:(.*)/s)
    if (algorithm && value) shown[`x-amz-checksum-${algorithm.toLowerCase()}`] = value
  }
  for (const name of ['content-type', 'content-language', 'expires', 'cache-control', 'content-disposition', 'content-encoding']) if (query.has(`response-${name}`)) shown[name] = query.get(`response-${name}`)!
  if (found.content) found.content.etag = etagOf(row)
  if (headers.range !== undefined && found.content && rangesOf(headers.range, found.content.size)?.length === 0) throw s3Fault('InvalidRange', undefined, { RangeRequested: headers.range, ActualObjectSize: String(found.content.size) })
  const answer = await deliver(asked, { ...found, headers: shown }, () => hexId(at.house.world.random))
  if (answer.status === 412) throw s3Fault('PreconditionFailed')
  return answer
}

const pick = (headers: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> => Object.fromEntries(names.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])))

export async function putObject(at: S3Request): Promise<Answer> {
  const { headers } = at
  if (headers['x-amz-copy-source'] !== undefined) return copyObject(at)
  await bucketRow(at)
  const given = objectHeaders(headers)
  await assertMayReplace(at)
  const upload = uploadOf(at)
  if (upload.length === undefined && headers['transfer-encoding'] === undefined) throw s3Fault('MissingContentLength')
  if ((upload.length ?? 0) > MOST) throw s3Fault('EntityTooLarge', undefined, { MaxSizeAllowed: String(MOST) })
  const md5 = md5Header(headers)
  const fresh = headers['if-none-match'] === '*' ? { 'if-none-match': '*' } : {}
  const answer = assertGood(at, await ask(at, 'PUT', { headers: { ...given, ...fresh, ...(upload.length === undefined ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(upload.length) }), ...(md5 === undefined ? {} : { etag: md5 }) }, body: upload.source }), 'object')
  return { status: 200, headers: { ...(await stored(at, answer, upload.checksum())), etag: quoted(String(answer.headers.etag)) } }
}

/** Keeps the checksum that came, and says version and checksum. */
export async function stored(at: S3Request, answer: Answer, checksum: string | undefined): Promise<Record<string, string>> {
  const out: Record<string, string> = {}
  if (typeof answer.headers['x-object-version-id'] === 'string') out['x-amz-version-id'] = answer.headers['x-object-version-id']
  const { row } = answer
  if (checksum !== undefined && row) {
    await at.house.commits.run((commit) => changeObject(commit, row, { metadata: JSON.stringify({ ...metadataOf(row), [CHECKSUM]: checksum }) }))
    const [algorithm = '', value = ''] = checksum.split(/:(.*)/s)
    out[`x-amz-checksum-${algorithm.toLowerCase()}`] = value
  }
  return out
}

/** `If-Match` of a write. */
async function assertMayReplace(at: S3Request): Promise<void> {
  const match = at.headers['if-match']
  const none = at.headers['if-none-match']
  if (none !== undefined && none !== '*') throw s3Fault('NotImplemented', 'If-None-Match of a write takes * alone.')
  if (match === undefined) return
  const into = await bucketRow(at)
  const row = await objectOf(at.house.db, into.id, at.key)
  if (!row) throw s3Fault('NoSuchKey', undefined, { Key: at.key })
  if (etagOf(row) !== match.replaceAll('"', '')) throw s3Fault('PreconditionFailed', undefined, { Condition: 'If-Match' })
}

/** `[/]bucket/key[?versionId=…]` of a copy. */
export function sourceOf(text: string): { bucket: string; key: string; version?: string } {
  const [path = '', query = ''] = text.split('?')
  const { bucket, key } = targetOf(path.startsWith('/') ? path : `/${path}`, undefined, [])
  if (bucket === undefined || key === undefined) throw s3Fault('InvalidArgument', 'Copy Source must mention the source bucket and key: sourcebucket/sourcekey', { ArgumentName: 'x-amz-copy-source' })
  const version = new URLSearchParams(query).get('versionId')
  return { bucket, key, ...(version === null ? {} : { version }) }
}

/** Conditions on the source of a copy, as those of a GET. */
export const copyConditions = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'].flatMap((name) => (headers[`x-amz-copy-source-${name}`] === undefined ? [] : [[name, headers[`x-amz-copy-source-${name}`]!]])))

async function copyObject(at: S3Request): Promise<Answer> {
  const { headers } = at
  const source = sourceOf(headers['x-amz-copy-source']!)
  await bucketRow(at)
  await bucketRow(at, source.bucket)
  const directive = headers['x-amz-metadata-directive'] ?? 'COPY'
  if (directive !== 'COPY' && directive !== 'REPLACE') throw s3Fault('InvalidArgument', 'Unknown metadata directive.', { ArgumentName: 'x-amz-metadata-directive', ArgumentValue: directive.slice(0, 40) })
  if (directive === 'COPY' && source.bucket === at.bucket && source.key === at.key && source.version === undefined) throw s3Fault('InvalidRequest', "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
  const conditions = copyConditions(headers)
  const looked = await at.serve(askOf({ ...at, bucket: source.bucket, key: source.key }, 'HEAD', { headers: conditions, query: source.version === undefined ? {} : { 'version-id': source.version } }))
  assertGood({ ...at, bucket: source.bucket, key: source.key }, looked, 'object')
  const from = looked.row!
  const content = looked.content!
  const judged = await deliver(askOf(at, 'HEAD', { headers: conditions }), { status: 200, headers: {}, content: { ...content, etag: etagOf(from) } }, () => '')
  if (judged.status !== 200) throw s3Fault('PreconditionFailed')
  if (content.size > MOST) throw s3Fault('InvalidRequest', 'The specified copy source is larger than the maximum allowable size for a copy source: 5368709120')
  const old = metadataOf(from)
  const kept = Object.fromEntries(Object.entries(old).filter(([name]) => name.startsWith('x-object-meta-') || PLAIN.includes(name)))
  const { 'x-amz-tagging': _tagging, ...untagged } = headers
  const own = objectHeaders(headers['x-amz-tagging-directive'] === 'REPLACE' ? headers : untagged)
  const tags = headers['x-amz-tagging-directive'] === 'REPLACE' ? own[TAGS] : old[TAGS]
  const next = { ...(directive === 'COPY' ? { ...kept, 'content-type': from.content_type } : own), ...(tags === undefined ? {} : { [TAGS]: tags }) }
  const body = content.size === 0 ? undefined : await content.open(0, content.size - 1)
  const answer = assertGood(at, await ask(at, 'PUT', { headers: { ...next, 'content-length': String(content.size) }, body }), 'object')
  const row = answer.row!
  return xml('CopyObjectResult', { ETag: quoted(row.etag), LastModified: isoMillis(row.created_at) }, 200, {
    ...(await stored(at, answer, undefined)), ...(typeof looked.headers['x-object-version-id'] === 'string' ? { 'x-amz-copy-source-version-id': looked.headers['x-object-version-id'] } : {}),
  })
}

export async function deleteObject(at: S3Request): Promise<Answer> {
  await bucketRow(at)
  const answer = await ask(at, 'DELETE', { query: versionQuery(at) })
  if (answer.status !== 404) assertGood(at, answer, 'object')
  const version = at.query.get('versionId')
  const made = answer.headers['x-object-version-id']
  return {
    status: 204,
    headers: version === null ? (typeof made === 'string' ? { 'x-amz-version-id': made, 'x-amz-delete-marker': 'true' } : {}) : { 'x-amz-version-id': version },
  }
}

export async function deleteMany(at: S3Request): Promise<Answer> {
  await bucketRow(at)
  const wish = parseDelete(await smallBody(at, 2 << 20))
  const done: { Key: string; VersionId?: string; DeleteMarker?: boolean; DeleteMarkerVersionId?: string }[] = []
  const failed: { Key: string; VersionId?: string; Code: string; Message: string }[] = []
  for (const { key, version_id } of wish.objects) {
    const named = { Key: key, ...(version_id === undefined ? {} : { VersionId: version_id }) }
    try {
      const { headers } = await deleteObject({ ...at, key, query: new URLSearchParams(version_id === undefined ? {} : { versionId: version_id }) })
      done.push({ ...named, ...(headers['x-amz-delete-marker'] === 'true' ? { DeleteMarker: true, DeleteMarkerVersionId: String(headers['x-amz-version-id']) } : {}) })
    } catch (thrown) {
      const fault = thrown as { code?: string; message: string }
      failed.push({ ...named, Code: fault.code ?? 'InternalError', Message: fault.message })
    }
  }
  return xml('DeleteResult', { Deleted: wish.quiet ? [] : done, Error: failed })
}

export async function objectAcl(at: S3Request): Promise<Answer> {
  await headed(at)
  const owner = at.holder.who.project_id
  return xml('AccessControlPolicy', aclTree(cannedAcl('private', owner)))
}

async function headed(at: S3Request): Promise<ObjectRow> {
  await bucketRow(at)
  const found = assertGood(at, await ask(at, 'HEAD', { query: versionQuery(at) }), 'object')
  return found.row!
}

export async function objectTagging(at: S3Request): Promise<Answer> {
  return xml('Tagging', taggingTree(JSON.parse(metadataOf(await headed(at))[TAGS] ?? '{}') as Tags))
}

/** `tags` undefined: none any more. */
export async function changeTagging(at: S3Request, put: boolean): Promise<Answer> {
  if (at.query.has('versionId')) throw absent('Changing tags of one version')
  const tags = put ? parseTagging(await smallBody(at), 10) : undefined
  const row = await headed(at)
  const { [TAGS]: _old, ...rest } = metadataOf(row)
  if (!(await at.house.commits.run((commit) => changeObject(commit, row, { metadata: JSON.stringify(tags === undefined ? rest : { ...rest, [TAGS]: JSON.stringify(tags) }) })))) throw s3Fault('OperationAborted')
  return { status: put ? 200 : 204, headers: {} }
}
