/** Uploads in parts: begun, filled, listed, completed into one object of several pieces, or given up. */
import { createHash } from 'node:crypto'
import { hexId } from '#base/ids.ts'
import { parseComplete } from '../../core/s3/documents.ts'
import { type Algorithm, ALGORITHMS, composite } from '../../core/s3/checksums.ts'
import { s3Fault } from '../../core/s3/errors.ts'
import { rangesOf } from '../../core/ranges.ts'
import { versionText } from '../../house.ts'
import type { ObjectRow, UploadPartRow, UploadRow } from '../../store/tables.ts'
import { completeUpload, endUpload, insertUpload, partsOf, putPart, uploadById, uploadsIn } from '../../store/uploads.ts'
import { type Answer, metadataOf } from '../ask.ts'
import { deliver } from '../deliver.ts'
import { keepBytes, type Part } from '../keep.ts'
import { authorize } from '../rights.ts'
import { isoMillis, quoted, xml } from './listing.ts'
import { copyConditions, etagOf, MOST, objectHeaders, sourceOf } from './object.ts'
import { ask, askOf, assertGood, bucketRow, md5Header, number, type S3Request, smallBody, uploadOf } from './request.ts'

/** All parts but the last have at least so many bytes. */
const LEAST = 5 * 2 ** 20

async function mayWrite(at: S3Request): Promise<void> {
  const row = await bucketRow(at)
  await authorize(at.house, askOf(at, 'PUT'), { account: at.account, container: at.bucket, object: at.key }, 'write', metadataOf(row)['x-container-write'])
}

async function openUpload(at: S3Request): Promise<UploadRow> {
  await mayWrite(at)
  const into = await bucketRow(at)
  const id = at.query.get('uploadId') ?? ''
  const upload = await uploadById(at.house.db, id)
  if (!upload || upload.container_id !== into.id || upload.name !== at.key) throw s3Fault('NoSuchUpload', undefined, { UploadId: id.slice(0, 128) })
  return upload
}

export async function beginUpload(at: S3Request): Promise<Answer> {
  await mayWrite(at)
  const into = await bucketRow(at)
  const algorithm = at.headers['x-amz-checksum-algorithm']?.toUpperCase()
  if (algorithm !== undefined && !ALGORITHMS.includes(algorithm as Algorithm)) throw s3Fault('InvalidRequest', 'Checksum algorithm provided is unsupported.')
  const id = hexId(at.house.world.random)
  await insertUpload(at.house.db, { id, container_id: into.id, name: at.key, headers: JSON.stringify(objectHeaders(at.headers)), created_at: at.house.world.clock.now() })
  return xml('InitiateMultipartUploadResult', { Bucket: at.bucket, Key: at.key, UploadId: id }, 200, algorithm === undefined ? {} : { 'x-amz-checksum-algorithm': algorithm })
}

export async function uploadPart(at: S3Request): Promise<Answer> {
  const { house, headers } = at
  const upload = await openUpload(at)
  const part = Number(at.query.get('partNumber'))
  if (!Number.isInteger(part) || part < 1 || part > 10_000) throw s3Fault('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive', { ArgumentName: 'partNumber' })
  const copying = headers['x-amz-copy-source'] !== undefined
  const { source, length, checksum } = copying ? await copied(at) : uploadOf(at)
  if (length === undefined && headers['transfer-encoding'] === undefined) throw s3Fault('MissingContentLength')
  if ((length ?? 0) > MOST) throw s3Fault('EntityTooLarge', undefined, { MaxSizeAllowed: String(MOST) })
  if (!copying) at.rq.http.sendContinue?.()
  const kept = await keepBytes(house, (await bucketRow(at)).policy, source, { length, limit: MOST, ...(copying ? {} : { etag: md5Header(headers) }) }).catch((thrown: unknown) => {
    throw (thrown as { kind?: string }).kind === 'unprocessable' ? s3Fault('BadDigest') : thrown
  })
  const now = house.world.clock.now()
  const row: UploadPartRow = { upload_id: upload.id, number: part, bytes_id: kept.bytes_id, size: kept.size, etag: kept.etag, secret_id: kept.secret_id, checksum: checksum() ?? null, created_at: now }
  const alive = await house.commits.run((commit) => putPart(commit, row, now)).catch(async (thrown: unknown) => {
    await house.bytes.remove([kept.bytes_id])
    throw thrown
  })
  if (!alive) {
    await house.bytes.remove([kept.bytes_id])
    throw s3Fault('NoSuchUpload', undefined, { UploadId: upload.id })
  }
  if (copying) return xml('CopyPartResult', { ETag: quoted(kept.etag), LastModified: isoMillis(now) })
  const [algorithm, value] = (row.checksum ?? '').split(/:(.*)/s)
  return { status: 200, headers: { etag: quoted(kept.etag), ...(algorithm && value ? { [`x-amz-checksum-${algorithm.toLowerCase()}`]: value } : {}) } }
}

/** A part out of another object, or a range of it. */
async function copied(at: S3Request): Promise<ReturnType<typeof uploadOf>> {
  const source = sourceOf(at.headers['x-amz-copy-source']!)
  await bucketRow(at, source.bucket)
  const there = { ...at, bucket: source.bucket, key: source.key }
  const found = assertGood(there, await ask(there, 'GET', { query: source.version === undefined ? {} : { 'version-id': source.version } }), 'object')
  const content = found.content!
  const judged = await deliver(askOf(at, 'HEAD', { headers: copyConditions(at.headers) }), { status: 200, headers: {}, content: { ...content, etag: etagOf(found.row!) } }, () => '')
  if (judged.status !== 200) throw s3Fault('PreconditionFailed')
  const text = at.headers['x-amz-copy-source-range']
  const span = text === undefined ? { start: 0, end: content.size - 1 } : /^bytes=\d+-\d+$/.test(text) ? rangesOf(text, content.size)?.[0] : undefined
  if (!span) throw s3Fault('InvalidArgument', 'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy', { ArgumentName: 'x-amz-copy-source-range' })
  return { source: await content.open(span.start, span.end), length: span.end - span.start + 1, checksum: () => undefined }
}

export async function completeMultipart(at: S3Request): Promise<Answer> {
  const { house, headers } = at
  const upload = await openUpload(at)
  const wished = parseComplete(await smallBody(at, 2 << 20))
  const there = new Map((await partsOf(house.db, upload.id)).map((row) => [row.number, row]))
  const parts = wished.map(({ number: n, etag, checksums }) => {
    const row = there.get(n)
    if (!row || row.etag !== etag) throw s3Fault('InvalidPart', undefined, { UploadId: upload.id, PartNumber: String(n), ETag: etag })
    for (const [algorithm, value] of Object.entries(checksums)) if (row.checksum !== null && row.checksum.startsWith(`${algorithm}:`) && row.checksum !== `${algorithm}:${value}`) throw s3Fault('InvalidPart', undefined, { PartNumber: String(n) })
    return row
  })
  for (const row of parts.slice(0, -1)) if (Number(row.size) < LEAST) throw s3Fault('EntityTooSmall', undefined, { PartNumber: String(row.number), ProposedSize: String(row.size), MinSizeAllowed: String(LEAST) })
  const into = await bucketRow(at)
  const metadata = JSON.parse(upload.headers) as Record<string, string>
  const { 'content-type': content_type = 'binary/octet-stream', ...rest } = metadata
  const size = parts.reduce((sum, row) => sum + Number(row.size), 0)
  const hash = createHash('md5')
  for (const { etag } of parts) hash.update(Buffer.from(etag, 'hex'))
  const s3_etag = `${hash.digest('hex')}-${parts.length}`
  const algorithm = parts[0]?.checksum?.split(':')[0] as Algorithm | undefined
  const whole = algorithm && parts.every((row) => row.checksum?.startsWith(`${algorithm}:`)) ? composite(algorithm, parts.map((row) => row.checksum!.slice(algorithm.length + 1))) : undefined
  const versioned = metadataOf(into)['x-versions-enabled'] === 'True'
  const now = house.world.clock.now()
  const pieces: Part[] = parts.map(({ bytes_id, size: bytes, secret_id }) => ({ bytes_id, size: Number(bytes), secret_id }))
  const row: ObjectRow = {
    container_id: into.id, name: at.key, bytes_id: '', size, stored: size, etag: s3_etag, content_type, metadata: JSON.stringify(whole === undefined ? rest : { ...rest, 'x-object-sysmeta-s3-checksum': `${algorithm}:${whole}` }),
    listing: JSON.stringify({ s3_etag }), parts: JSON.stringify(pieces), secret_id: null, created_at: now, delete_at: null, version_id: versioned ? String(house.stamp()) : null,
  }
  if (headers['if-none-match'] !== undefined && headers['if-none-match'] !== '*') throw s3Fault('NotImplemented', 'If-None-Match of a write takes * alone.')
  const fresh = headers['if-none-match'] === '*'
  if (!(await house.commits.run((commit) => completeUpload(commit, upload.id, row, { versions: versioned, ...(fresh ? { fresh } : {}) }, now)))) throw s3Fault('NoSuchUpload', undefined, { UploadId: upload.id })
  return xml('CompleteMultipartUploadResult', { Location: `${at.rq.http.origin}/s3/${at.bucket}/${encodeURIComponent(at.key)}`, Bucket: at.bucket, Key: at.key, ETag: quoted(s3_etag), ...(whole === undefined ? {} : { [`Checksum${algorithm}`]: whole }) }, 200, row.version_id === null ? {} : { 'x-amz-version-id': versionText(row.version_id) })
}

export async function abortUpload(at: S3Request): Promise<Answer> {
  const upload = await openUpload(at)
  await at.house.commits.run((commit) => endUpload(commit, upload.id, new Set(), at.house.world.clock.now()))
  return { status: 204, headers: {} }
}

const ownerOf = (at: S3Request) => ({ ID: at.holder.who.project_id, DisplayName: at.holder.who.project_id })

export async function listParts(at: S3Request): Promise<Answer> {
  const upload = await openUpload(at)
  const most = number(at.query.get('max-parts'), 'max-parts', 1000)
  const after = number(at.query.get('part-number-marker'), 'part-number-marker', 10_000)
  const marker = at.query.get('part-number-marker') === null ? 0 : after
  const rows = (await partsOf(at.house.db, upload.id)).filter((row) => row.number > marker)
  const shown = rows.slice(0, most)
  return xml('ListPartsResult', {
    Bucket: at.bucket, Key: at.key, UploadId: upload.id, Initiator: ownerOf(at), Owner: ownerOf(at), StorageClass: 'STANDARD', PartNumberMarker: marker, NextPartNumberMarker: shown.at(-1)?.number ?? 0, MaxParts: most, IsTruncated: rows.length > most,
    Part: shown.map((row) => ({ PartNumber: row.number, LastModified: isoMillis(row.created_at), ETag: quoted(row.etag), Size: Number(row.size) })),
  })
}

export async function listUploads(at: S3Request): Promise<Answer> {
  const into = await bucketRow(at)
  await authorize(at.house, askOf(at, 'GET', { key: '' }), { account: at.account, container: at.bucket, object: '' }, 'own')
  const { query } = at
  const [prefix, delimiter, key, id] = ['prefix', 'delimiter', 'key-marker', 'upload-id-marker'].map((name) => query.get(name) ?? '') as [string, string, string, string]
  const most = number(query.get('max-uploads'), 'max-uploads', 1000)
  const rows = (await uploadsIn(at.house.db, into.id)).filter((row) => row.name.startsWith(prefix) && (key === '' || row.name > key || (row.name === key && id !== '' && row.id > id)))
  const folder = (name: string): string | undefined => {
    const cut = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length)
    return cut < 0 ? undefined : name.slice(0, cut + delimiter.length)
  }
  const plain = rows.filter((row) => folder(row.name) === undefined)
  const shown = plain.slice(0, most)
  const last = shown.at(-1)
  return xml('ListMultipartUploadsResult', {
    Bucket: at.bucket, KeyMarker: key, UploadIdMarker: id, NextKeyMarker: plain.length > most ? last?.name : undefined, NextUploadIdMarker: plain.length > most ? last?.id : undefined, MaxUploads: most, Prefix: prefix, Delimiter: delimiter === '' ? undefined : delimiter, IsTruncated: plain.length > most,
    Upload: shown.map((row) => ({ Key: row.name, UploadId: row.id, Initiator: ownerOf(at), Owner: ownerOf(at), StorageClass: 'STANDARD', Initiated: isoMillis(row.created_at) })),
    CommonPrefixes: [...new Set(rows.flatMap((row) => folder(row.name) ?? []))].map((Prefix) => ({ Prefix })),
  })
}
