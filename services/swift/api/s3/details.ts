/** What is kept beside an object's bytes: tags, retention, legal hold, and its attributes as one document. */
import { parseTagging, type Tags } from '../../core/s3/documents.ts'
import { s3Fault } from '../../core/s3/errors.ts'
import { LOCK, type Lock, lockConfigOf, lockOf, nextRetention, parseLegalHold, parseRetention } from '../../core/s3/lock.ts'
import { versionText } from '../../house.ts'
import { s3Etag } from '../../store/objects.ts'
import { type Answer, metadataOf } from '../ask.ts'
import type { Part } from '../keep.ts'
import { taggingTree } from './bucket.ts'
import { xml } from './listing.ts'
import { TAGS } from './may.ts'
import { classOf } from './classes.ts'
import { assertKey, customerHeaders, customerKey, partSum, sumOf } from './customer.ts'
import { mayBypass } from './remove.ts'
import { bucketRow, number, type S3Request, smallBody } from './request.ts'
import { changeRow, type Row, rowAt } from './rows.ts'

const versionHeader = (at: S3Request, row: Row): Record<string, string> => (metadataOf(bucketRow(at))['x-versions-enabled'] === undefined ? {} : { 'x-amz-version-id': versionText(row.version_id) })

export async function objectTagging(at: S3Request): Promise<Answer> {
  const row = await rowAt(at)
  return xml('Tagging', taggingTree(JSON.parse(metadataOf(row)[TAGS] ?? '{}') as Tags), 200, versionHeader(at, row))
}

export async function changeTagging(at: S3Request, put: boolean): Promise<Answer> {
  const tags = put ? parseTagging(await smallBody(at), 10) : undefined
  const row = await rowAt(at)
  await changeRow(at, row, ({ [TAGS]: _old, ...rest }) => (tags === undefined ? rest : { ...rest, [TAGS]: JSON.stringify(tags) }))
  return { status: put ? 200 : 204, headers: versionHeader(at, row) }
}

function assertLocks(at: S3Request): void {
  if (!lockConfigOf(metadataOf(bucketRow(at)))) throw s3Fault('InvalidRequest', 'Bucket is missing Object Lock Configuration')
}

export async function getRetention(at: S3Request): Promise<Answer> {
  assertLocks(at)
  const { mode, until } = lockOf(metadataOf(await rowAt(at)))
  if (mode === undefined || until === undefined) throw s3Fault('NoSuchObjectLockConfiguration', undefined, { Key: at.key })
  return xml('Retention', { Mode: mode, RetainUntilDate: new Date(until).toISOString() })
}

export async function putRetention(at: S3Request): Promise<Answer> {
  assertLocks(at)
  const { clock } = at.house.world
  const wanted = parseRetention(await smallBody(at), clock.now())
  const bypass = at.headers['x-amz-bypass-governance-retention']?.toLowerCase() === 'true' && (await mayBypass(at))
  return relock(at, (lock) => nextRetention(lock, wanted, clock.now(), bypass))
}

export async function getLegalHold(at: S3Request): Promise<Answer> {
  assertLocks(at)
  const { hold } = lockOf(metadataOf(await rowAt(at)))
  if (hold === undefined) throw s3Fault('NoSuchObjectLockConfiguration', undefined, { Key: at.key })
  return xml('LegalHold', { Status: hold ? 'ON' : 'OFF' })
}

export async function putLegalHold(at: S3Request): Promise<Answer> {
  assertLocks(at)
  const hold = parseLegalHold(await smallBody(at))
  return relock(at, (lock) => ({ ...lock, hold }))
}

async function relock(at: S3Request, change: (lock: Lock) => Lock): Promise<Answer> {
  const row = await rowAt(at)
  await changeRow(at, row, (metadata) => ({ ...metadata, [LOCK]: JSON.stringify(change(lockOf(metadata))) }))
  return { status: 200, headers: {} }
}

const ATTRIBUTES = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize']

export async function getAttributes(at: S3Request): Promise<Answer> {
  const wanted = (at.headers['x-amz-object-attributes'] ?? '').split(',').map((each) => each.trim()).filter((each) => each !== '')
  if (wanted.length === 0) throw s3Fault('InvalidRequest', 'The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty')
  const odd = wanted.find((each) => !ATTRIBUTES.includes(each))
  if (odd !== undefined) throw s3Fault('InvalidArgument', 'Invalid attribute name specified.', { ArgumentName: 'x-amz-object-attributes', ArgumentValue: odd.slice(0, 40) })
  const row = await rowAt(at)
  const customer = customerKey(at)
  assertKey(row, customer)
  const has = (name: string): boolean => wanted.includes(name)
  const [algorithm, value] = (sumOf(row, customer) ?? '').split(/:(.*)/s)
  const parts = row.parts === null ? undefined : (JSON.parse(row.parts) as (Part & { checksum?: string })[])
  const most = number(at.headers['x-amz-max-parts'] ?? null, 'x-amz-max-parts', 1000)
  const marker = at.headers['x-amz-part-number-marker'] === undefined ? 0 : number(at.headers['x-amz-part-number-marker'], 'x-amz-part-number-marker', 10_000)
  const shown = (parts ?? []).map((part, i) => ({ part, n: i + 1 })).filter(({ n }) => n > marker).slice(0, most)
  return xml('GetObjectAttributesResponse', {
    ETag: has('ETag') ? s3Etag(row) : undefined,
    Checksum: has('Checksum') && algorithm && value ? { [`Checksum${algorithm}`]: value, ChecksumType: /-\d+$/.test(value) ? 'COMPOSITE' : 'FULL_OBJECT' } : undefined,
    ObjectParts: has('ObjectParts') && parts ? {
      PartsCount: parts.length, PartNumberMarker: marker, NextPartNumberMarker: shown.at(-1)?.n ?? 0, MaxParts: most, IsTruncated: (shown.at(-1)?.n ?? parts.length) < parts.length,
      Part: shown.map(({ part, n }) => ({ PartNumber: n, Size: part.size, ...(part.checksum === undefined || !algorithm ? {} : { [`Checksum${algorithm}`]: partSum({ ...part, checksum: `${algorithm}:${part.checksum}` }, customer)?.slice(algorithm.length + 1) }) })),
    } : undefined,
    StorageClass: has('StorageClass') ? classOf(at, row) : undefined,
    ObjectSize: has('ObjectSize') ? Number(row.size) : undefined,
  }, 200, { 'last-modified': new Date(Math.ceil(Number(row.created_at) / 1000) * 1000).toUTCString(), ...versionHeader(at, row), ...customerHeaders(customer) })
}
