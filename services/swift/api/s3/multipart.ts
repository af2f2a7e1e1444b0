/** Uploads in parts: begun, filled, listed, completed into one object of several pieces, or given up. */
import { createHash } from 'node:crypto'
import { hexId } from '#base/ids.ts'
import { parseComplete } from '../../core/s3/documents.ts'
import { type Algorithm, ALGORITHMS, canCombine, combined, composite } from '../../core/s3/checksums.ts'
import { customerId, customersOf } from '../../core/s3/customer-key.ts'
import { s3Fault } from '../../core/s3/errors.ts'
import { rangesOf } from '../../core/ranges.ts'
import { versionText } from '../../house.ts'
import type { ObjectRow, UploadPartRow, UploadRow } from '../../store/tables.ts'
import { completeUpload, endUpload, insertUpload, partsOf, putPart, uploadById, uploadsIn } from '../../store/uploads.ts'
import { accountOf } from '../../store/accounts.ts'
import { objectOf, type PutRules, s3Etag } from '../../store/objects.ts'
import { type Answer, metadataOf } from '../ask.ts'
import { keepBytes, type Part } from '../keep.ts'
import { deleteAt } from '../object.ts'
import { giveBack } from '../object.ts'
import { quotaOf, roomFor } from '../quotas.ts'
import { LOCK, standardLock } from '../../core/s3/lock.ts'
import { isoMillis, quoted, xml } from './listing.ts'
import { copySource, summed } from './copy.ts'
import { objectAclOf } from './may.ts'
import { CLASS, classOfPolicy, policyOfClass } from './classes.ts'
import { assertSameKey, CHECKSUM, customerHeaders, customerKey, keptSum, partSum, sumOf } from './customer.ts'
import { checksumHeaders, encryptionHeaders, MOST, objectHeaders, partNumber, writeConditions } from './object.ts'
import { bucketRow, md5Header, number, type S3Request, smallBody, uploadOf } from './request.ts'

/** All parts but the last have at least so many bytes. */
const LEAST = 5 * 2 ** 20
/** Among the headers of an upload: which checksum its object gets, `CRC32/COMPOSITE`. */
const SUM = 'x-object-sysmeta-s3-sum'
/** And the project that began it. */
const INITIATOR = 'x-object-sysmeta-s3-initiator'
/** And the mark of the customer's key that its parts are hidden with. */
const HIDDEN = 'x-object-sysmeta-s3-customer'
/** Sysmeta of a completed object: the upload that it was. */
const UPLOAD = 'x-object-sysmeta-s3-upload'

async function openUpload(at: S3Request): Promise<UploadRow> {
  const into = bucketRow(at)
  const id = at.query.get('uploadId') ?? ''
  const upload = await uploadById(at.house.db, id)
  if (!upload || upload.container_id !== into.id || upload.name !== at.key) throw s3Fault('NoSuchUpload', undefined, { UploadId: id.slice(0, 128) })
  // Who may write here does not thereby meddle with what others are bringing.
  if (at.granted && (JSON.parse(upload.headers) as Record<string, string>)[INITIATOR] !== at.who.project_id) throw s3Fault('AccessDenied')
  return upload
}

export async function beginUpload(at: S3Request): Promise<Answer> {
  if (at.who.project_id === undefined) throw s3Fault('AccessDenied', 'Anonymous users cannot initiate multipart uploads.  Please authenticate.')
  const into = bucketRow(at)
  const algorithm = at.headers['x-amz-checksum-algorithm']?.toUpperCase()
  if (algorithm !== undefined && !ALGORITHMS.includes(algorithm as Algorithm)) throw s3Fault('InvalidRequest', 'Checksum algorithm provided is unsupported.')
  const kind = at.headers['x-amz-checksum-type']?.toUpperCase()
  if (kind !== undefined && (algorithm === undefined || (kind !== 'COMPOSITE' && kind !== 'FULL_OBJECT') || (kind === 'FULL_OBJECT' && !canCombine(algorithm as Algorithm)) || (kind === 'COMPOSITE' && algorithm === 'CRC64NVME'))) throw s3Fault('InvalidRequest', `The ${kind.slice(0, 20)} checksum type cannot be used with the ${algorithm ?? 'missing'} checksum algorithm.`)
  const sum = algorithm === undefined ? {} : { [SUM]: `${algorithm}/${kind ?? (algorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE')}` }
  const customer = customerKey(at)
  const mark = customer ? { [HIDDEN]: customerId(customer.key, hexId(at.house.world.random)) } : {}
  const policy = await policyOfClass(at, at.headers['x-amz-storage-class'])
  const id = hexId(at.house.world.random)
  const row: UploadRow = { id, container_id: into.id, name: at.key, headers: JSON.stringify({ ...objectHeaders(at), ...sum, ...mark, ...(policy === undefined ? {} : { [CLASS]: policy }), [INITIATOR]: at.who.project_id }), created_at: at.house.world.clock.now() }
  await at.house.commits.run((commit) => insertUpload(commit, row)).catch((thrown: unknown) => {
    throw (thrown as { code?: string }).code === 'swift.no_container' ? s3Fault('NoSuchBucket', undefined, { BucketName: at.bucket }) : thrown
  })
  return xml('InitiateMultipartUploadResult', { Bucket: at.bucket, Key: at.key, UploadId: id }, 200, { ...(algorithm === undefined ? {} : { 'x-amz-checksum-algorithm': algorithm, 'x-amz-checksum-type': sum[SUM]!.split('/')[1]! }), ...(customer || !at.house.secret ? {} : { 'x-amz-server-side-encryption': 'AES256' }), ...customerHeaders(customer) })
}

const policyOf = ({ headers }: UploadRow): string | undefined => (JSON.parse(headers) as Record<string, string>)[CLASS]
const markOf = ({ headers }: UploadRow): string | undefined => (JSON.parse(headers) as Record<string, string>)[HIDDEN]

function sumOfUpload({ headers }: UploadRow): { algorithm: Algorithm; full: boolean } | undefined {
  const [algorithm, kind] = ((JSON.parse(headers) as Record<string, string>)[SUM] ?? '').split('/')
  return algorithm ? { algorithm: algorithm as Algorithm, full: kind === 'FULL_OBJECT' } : undefined
}

function kindOfSum(upload: UploadRow): Record<string, string> {
  const sum = sumOfUpload(upload)
  return sum ? { ChecksumAlgorithm: sum.algorithm, ChecksumType: sum.full ? 'FULL_OBJECT' : 'COMPOSITE' } : {}
}

export async function uploadPart(at: S3Request): Promise<Answer> {
  const { house, headers } = at
  const upload = await openUpload(at)
  const part = partNumber(at.query.get('partNumber'))
  const customer = customerKey(at)
  assertSameKey(markOf(upload), customer)
  const copying = headers['x-amz-copy-source'] !== undefined
  const { source, length, checksum: sumMade, fault } = copying ? await copied(at, sumOfUpload(upload)?.algorithm) : uploadOf(at, sumOfUpload(upload)?.algorithm)
  if (length === undefined && headers['transfer-encoding'] === undefined) throw s3Fault('MissingContentLength')
  if ((length ?? 0) > MOST) throw s3Fault('EntityTooLarge', undefined, { MaxSizeAllowed: String(MOST) })
  if (!copying) at.rq.http.sendContinue?.()
  const quota = quotaOf(house, at.who, await accountOf(house.db, bucketRow(at).account), bucketRow(at))
  if (quota) await roomFor(house, quota, bucketRow(at), length ?? 0)
  const kept = await keepBytes(house, policyOf(upload) ?? bucketRow(at).policy, source, { length, limit: MOST, customer: customer?.key, ...(copying ? {} : { etag: md5Header(headers) }) }).catch((thrown: unknown) => {
    throw fault() ?? ((thrown as { kind?: string }).kind === 'unprocessable' ? s3Fault('BadDigest', undefined, { ExpectedDigest: headers['content-md5'] ?? '' }) : (thrown as { code?: string }).code === 'swift.client_gone' ? s3Fault('IncompleteBody') : thrown)
  })
  const now = house.world.clock.now()
  const sum = sumMade()
  const row: UploadPartRow = { upload_id: upload.id, number: part, bytes_id: kept.bytes_id, size: kept.size, etag: kept.etag, secret_id: kept.secret_id, checksum: sum === undefined ? null : keptSum(sum, kept.secret_id, customer, 'part'), created_at: now }
  const alive = await house.commits.run((commit) => putPart(commit, row, now)).catch(async (thrown: unknown) => {
    await giveBack(house, [kept.bytes_id], thrown)
    throw thrown
  })
  if (!alive) {
    const over = s3Fault('NoSuchUpload', undefined, { UploadId: upload.id })
    await giveBack(house, [kept.bytes_id], over)
    throw over
  }
  if (copying) return xml('CopyPartResult', { LastModified: isoMillis(now), ETag: quoted(kept.etag), ...sumTree(sum) }, 200, { ...encryptionHeaders({ secret_id: kept.secret_id, parts: null }), ...customerHeaders(customer) })
  return { status: 200, headers: { etag: quoted(kept.etag), ...checksumHeaders(sum), ...encryptionHeaders({ secret_id: kept.secret_id, parts: null }), ...customerHeaders(customer) } }
}

/** A part out of another object, or a range of it. */
async function copied(at: S3Request, algorithm: Algorithm | undefined): Promise<ReturnType<typeof uploadOf>> {
  const { content } = await copySource(at)
  const text = at.headers['x-amz-copy-source-range']
  const span = text === undefined ? { start: 0, end: content.size - 1 } : /^bytes=\d+-\d+$/.test(text) ? rangesOf(text, content.size)?.[0] : undefined
  if (text !== undefined && /^bytes=\d+-\d+$/.test(text) && (!span || Number(text.split('-')[1]) >= content.size)) throw s3Fault('InvalidRange', undefined, { RangeRequested: text, ActualObjectSize: String(content.size) })
  if (!span) throw s3Fault('InvalidArgument', 'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy', { ArgumentName: 'x-amz-copy-source-range' })
  const source = await content.open(span.start, span.end)
  const length = span.end - span.start + 1
  if (algorithm === undefined) return { source, length, checksum: () => undefined, fault: () => undefined }
  return { ...summed(source, algorithm), length, fault: () => undefined }
}

export async function completeMultipart(at: S3Request): Promise<Answer> {
  const { house } = at
  // A checksum in the headers is that of the whole, not of this document.
  const headers = Object.fromEntries(Object.entries(at.headers).filter(([name]) => !name.startsWith('x-amz-checksum-')))
  const wished = parseComplete(await smallBody({ ...at, headers }, 2 << 20))
  const upload = await openUpload(at).catch(async (thrown: unknown) => {
    if ((thrown as { code?: string }).code !== 'NoSuchUpload') throw thrown
    return completedAs(at, thrown)
  })
  if ('etag' in upload) return completed(at, upload)
  const customer = customerKey(at)
  const mark = markOf(upload)
  // As Amazon: where there are checksums, what they make together wants the key.
  if (customer || sumOfUpload(upload)) assertSameKey(mark, customer)
  const there = new Map((await partsOf(house.db, upload.id)).map((row) => [row.number, { ...row, checksum: partSum(row, customer) ?? null, kept: row.checksum }]))
  if (!customer && [...there.values()].some(({ kept }) => kept !== null)) assertSameKey(mark, undefined)
  const parts = wished.map(({ number: n, etag, checksums }) => {
    const row = there.get(n)
    if (!row || row.etag !== etag) throw s3Fault('InvalidPart', undefined, { UploadId: upload.id, PartNumber: String(n), ETag: etag })
    for (const [algorithm, value] of Object.entries(checksums)) if (row.checksum !== null && row.checksum.startsWith(`${algorithm}:`) && row.checksum !== `${algorithm}:${value}`) throw s3Fault('InvalidPart', undefined, { PartNumber: String(n) })
    return row
  })
  for (const row of parts.slice(0, -1)) if (Number(row.size) < LEAST) throw s3Fault('EntityTooSmall', undefined, { PartNumber: String(row.number), ProposedSize: String(row.size), MinSizeAllowed: String(LEAST) })
  const into = bucketRow(at)
  const now = house.world.clock.now()
  const lock = standardLock(metadataOf(into), now)
  const metadata: Record<string, string> = { [UPLOAD]: upload.id, ...(lock ? { [LOCK]: JSON.stringify(lock) } : {}), ...(JSON.parse(upload.headers) as Record<string, string>) }
  const { 'content-type': content_type = 'binary/octet-stream', [SUM]: _sum, [INITIATOR]: _initiator, [HIDDEN]: _mark, [CLASS]: _class, 'x-delete-at': _at, 'x-delete-after': _after, ...rest } = metadata
  const size = parts.reduce((sum, row) => sum + Number(row.size), 0)
  const hash = createHash('md5')
  for (const { etag } of parts) hash.update(Buffer.from(etag, 'hex'))
  const s3_etag = `${hash.digest('hex')}-${parts.length}`
  const algorithm = sumOfUpload(upload)?.algorithm ?? (parts[0]?.checksum?.split(':')[0] as Algorithm | undefined)
  const sums = algorithm && parts.every((row) => row.checksum?.startsWith(`${algorithm}:`)) ? parts.map((row) => ({ sum: row.checksum!.slice(algorithm.length + 1), size: Number(row.size) })) : undefined
  const whole = algorithm && sums && (sumOfUpload(upload)?.full ? combined(algorithm, sums) : composite(algorithm, sums.map(({ sum }) => sum)))
  const said = algorithm && at.headers[`x-amz-checksum-${algorithm.toLowerCase()}`]
  if (said !== undefined && whole !== undefined && said !== whole && said !== whole.replace(/-\d+$/, '')) throw s3Fault('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`)
  const versioned = metadataOf(into)['x-versions-enabled'] === 'True'
  const pieces: (Part & { checksum?: string })[] = parts.map(({ bytes_id, size: bytes, secret_id, kept }) => ({ bytes_id, size: Number(bytes), secret_id, ...(whole === undefined ? {} : { checksum: kept!.slice(algorithm!.length + 1) }) }))
  const row: ObjectRow = {
    container_id: into.id, name: at.key, bytes_id: '', size, stored: size, etag: s3_etag, content_type, metadata: JSON.stringify(whole === undefined ? rest : { ...rest, [CHECKSUM]: keptSum(`${algorithm}:${whole}`, pieces[0]!.secret_id ?? null, customer, 'whole') }),
    listing: JSON.stringify({ s3_etag }), parts: JSON.stringify(pieces), secret_id: null, created_at: now, delete_at: deleteAt(house, metadata), version_id: versioned ? String(house.stamp()) : null,
  }
  const conditions = writeConditions(at)
  const fresh = conditions['if-none-match'] !== undefined
  const match = conditions['x-backend-if-match']
  const none = conditions['x-backend-if-none-match']
  const suspended = metadataOf(into)['x-versions-enabled'] === 'False'
  const quota = quotaOf(house, at.who, await accountOf(house.db, into.account), into)
  const rules: PutRules = { versions: versioned, newest: true, ...(quota ? { quota } : {}), ...(suspended ? { suspended } : {}), ...(none === undefined ? {} : { s3None: none }), ...(fresh ? { fresh } : {}), ...(match === undefined ? {} : { s3Match: { etag: match, absent: s3Fault('NoSuchKey', undefined, { Key: at.key }) } }) }
  const ended = await house.commits.run((commit) => completeUpload(commit, upload.id, row, parts, rules, now))
  if (ended === 'over') return completed(at, await completedAs(at, s3Fault('NoSuchUpload', undefined, { UploadId: upload.id })))
  if (ended === 'changed') throw s3Fault('InvalidPart', undefined, { UploadId: upload.id })
  return completed(at, row)
}

/** Who did not hear that it was done asks again, and is told. */
async function completedAs(at: S3Request, thrown: unknown): Promise<ObjectRow> {
  const row = await objectOf(at.house.db, bucketRow(at).id, at.key)
  if (!row || metadataOf(row)[UPLOAD] !== at.query.get('uploadId')) throw thrown
  return row
}

function completed(at: S3Request, row: ObjectRow): Answer {
  const customer = customerKey(at)
  const [algorithm, whole] = (sumOf(row, customer) ?? '').split(/:(.*)/s)
  return xml('CompleteMultipartUploadResult', { Location: `${at.rq.http.origin}${at.mount}/${at.bucket}/${encodeURIComponent(at.key)}`, Bucket: at.bucket, Key: at.key, ETag: quoted(s3Etag(row)), ...(whole && algorithm ? { [`Checksum${algorithm}`]: whole, ChecksumType: /-\d+$/.test(whole) ? 'COMPOSITE' : 'FULL_OBJECT' } : {}) }, 200, { ...(row.version_id === null ? {} : { 'x-amz-version-id': versionText(row.version_id) }), ...encryptionHeaders(row), ...(customersOf(row) === undefined ? {} : customerHeaders(customer)) })
}

export async function abortUpload(at: S3Request): Promise<Answer> {
  const upload = await openUpload(at)
  await at.house.commits.run((commit) => endUpload(commit, upload.id, new Set(), at.house.world.clock.now()))
  return { status: 204, headers: {} }
}

/** Whose the object will be. */
const initiatorOf = (at: S3Request, upload: UploadRow) => {
  const { owner } = objectAclOf(JSON.parse(upload.headers) as Record<string, string>, at.owner)
  return { ID: owner, DisplayName: owner }
}

export async function listParts(at: S3Request): Promise<Answer> {
  const upload = await openUpload(at)
  const most = number(at.query.get('max-parts'), 'max-parts', 1000)
  const after = number(at.query.get('part-number-marker'), 'part-number-marker', 10_000)
  const marker = at.query.get('part-number-marker') === null ? 0 : after
  const rows = (await partsOf(at.house.db, upload.id)).filter((row) => row.number > marker)
  const shown = rows.slice(0, most)
  const customer = customerKey(at)
  return xml('ListPartsResult', {
    Bucket: at.bucket, Key: at.key, UploadId: upload.id, Initiator: initiatorOf(at, upload), Owner: initiatorOf(at, upload), StorageClass: classOfPolicy(at.house, policyOf(upload)), ...kindOfSum(upload), PartNumberMarker: marker, NextPartNumberMarker: shown.at(-1)?.number ?? 0, MaxParts: most, IsTruncated: rows.length > most,
    Part: shown.map((row) => ({ PartNumber: row.number, LastModified: isoMillis(row.created_at), ETag: quoted(row.etag), Size: Number(row.size), ...sumTree(partSum(row, customer)) })),
  })
}

const sumTree = (checksum: string | undefined): Record<string, string> => {
  const [algorithm, value] = (checksum ?? '').split(/:(.*)/s)
  return algorithm && value ? { [`Checksum${algorithm}`]: value } : {}
}

export async function listUploads(at: S3Request): Promise<Answer> {
  const into = bucketRow(at)
  const { query } = at
  const [prefix, delimiter, key, id] = ['prefix', 'delimiter', 'key-marker', 'upload-id-marker'].map((name) => query.get(name) ?? '') as [string, string, string, string]
  const most = number(query.get('max-uploads'), 'max-uploads', 1000)
  const rows = (await uploadsIn(at.house.db, into.id)).filter((row) => row.name.startsWith(prefix) && (key === '' || row.name > key || (row.name === key && id !== '' && row.id > id)) && !(delimiter !== '' && key.endsWith(delimiter) && row.name.startsWith(key)))
  const folder = (name: string): string | undefined => {
    const cut = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length)
    return cut < 0 ? undefined : name.slice(0, cut + delimiter.length)
  }
  // A folder is one line, behind which everything in it lies.
  const lines: { row?: UploadRow; subdir?: string }[] = []
  for (const row of rows) {
    const subdir = folder(row.name)
    if (subdir === undefined) lines.push({ row })
    else if (lines.at(-1)?.subdir !== subdir && subdir !== key) lines.push({ subdir })
  }
  const shown = lines.slice(0, most)
  const last = shown.at(-1)
  const truncated = lines.length > most && most > 0
  const encode = query.get('encoding-type') === 'url' ? (text: string) => encodeURIComponent(text).replaceAll('%2F', '/') : (text: string) => text
  return xml('ListMultipartUploadsResult', {
    Bucket: at.bucket, KeyMarker: encode(key), UploadIdMarker: id, NextKeyMarker: encode(last?.row?.name ?? last?.subdir ?? ''), NextUploadIdMarker: last?.row?.id ?? '', Delimiter: delimiter === '' ? undefined : encode(delimiter), Prefix: encode(prefix), MaxUploads: most,
    EncodingType: query.get('encoding-type') === 'url' ? 'url' : undefined, IsTruncated: truncated,
    Upload: shown.flatMap(({ row }) => (row ? [{ Key: encode(row.name), UploadId: row.id, Initiator: initiatorOf(at, row), Owner: initiatorOf(at, row), StorageClass: classOfPolicy(at.house, policyOf(row)), ...kindOfSum(row), Initiated: isoMillis(row.created_at) }] : [])),
    CommonPrefixes: shown.flatMap(({ subdir }) => (subdir === undefined ? [] : [{ Prefix: encode(subdir) }])),
  })
}
