/** Lists of a bucket: versions 1 and 2, and all versions of objects. */
import { s3Fault } from '../../core/s3/errors.ts'
import { writeXml, type XmlTree } from '../../core/s3/xml.ts'
import { listPage } from '../../core/listing.ts'
import { versionStamp, versionText } from '../../house.ts'
import { leapsIn, type Listed, objectsIn, versionsIn } from '../../store/listings.ts'
import { objectOf, rankOf, s3Etag, versionOf } from '../../store/objects.ts'
import type { Answer } from '../ask.ts'
import { classesOf } from './classes.ts'
import { bucketRow, number, type S3Request } from './request.ts'

/** In whole seconds, rounded up as the header Last-Modified is, so that both say the same. */
export const isoMillis = (ms: number): string => new Date(Math.ceil(Number(ms) / 1000) * 1000).toISOString()
export const quoted = (etag: string): string => `"${etag}"`
export const xml = (root: string, tree: XmlTree, status = 200, headers: Record<string, string> = {}): Answer => ({ status, headers: { 'content-type': 'application/xml', ...headers }, body: writeXml(root, tree) })

interface Page {
  prefix: string
  delimiter: string
  most: number
  encode(text: string): string
  encoding: string | undefined
}

function pageOf({ query }: S3Request): Page {
  const encoding = query.get('encoding-type') ?? undefined
  if (encoding !== undefined && encoding !== 'url') throw s3Fault('InvalidArgument', 'Invalid Encoding Method specified in Request', { ArgumentName: 'encoding-type', ArgumentValue: encoding.slice(0, 40) })
  return {
    prefix: query.get('prefix') ?? '', delimiter: query.get('delimiter') ?? '', most: number(query.get('max-keys'), 'max-keys', 1000), encoding,
    encode: encoding === undefined ? (text) => text : (text) => encodeURIComponent(text).replaceAll('%2F', '/'),
  }
}

const etagOf = (row: Listed): string => quoted(s3Etag(row))

export async function listObjects(at: S3Request): Promise<Answer> {
  const { query, house } = at
  const row = bucketRow(at)
  const page = pageOf(at)
  const second = query.get('list-type') === '2'
  const token = query.get('continuation-token')
  const marker = second ? (!token ? (query.get('start-after') ?? '') : Buffer.from(token, 'base64url').toString('utf8')) : (query.get('marker') ?? '')
  if (marker.includes('\0')) throw s3Fault('InvalidArgument', 'The continuation token provided is incorrect', { ArgumentName: 'continuation-token' })
  const now = house.world.clock.now()
  const lines = page.most === 0 ? [] : await listPage({ limit: page.most + 1, marker, end_marker: '', prefix: page.prefix, delimiter: page.delimiter, path: undefined, reverse: false }, (window) => objectsIn(house.db, row.id, now, window), leapsIn(house.db, row.id, now))
  const truncated = lines.length > page.most
  const shown = lines.slice(0, page.most)
  const last = shown.at(-1)
  const next = last?.row?.name ?? last?.subdir ?? ''
  const owner = { ID: at.owner, DisplayName: at.owner }
  const classed = await classesOf(at, shown.flatMap(({ row: one }) => (one ? [one] : [])))
  return xml('ListBucketResult', {
    // The first version of this list leaves the prefix as it came, and clients count on that.
    Name: at.bucket, Prefix: second ? page.encode(page.prefix) : page.prefix,
    ...(second
      ? { KeyCount: shown.length, ContinuationToken: token ?? undefined, StartAfter: query.has('start-after') ? page.encode(query.get('start-after')!) : undefined, NextContinuationToken: truncated ? Buffer.from(next).toString('base64url') : undefined }
      : { Marker: page.encode(marker), NextMarker: truncated && page.delimiter !== '' ? page.encode(next) : undefined }),
    MaxKeys: page.most, Delimiter: page.delimiter === '' ? undefined : page.encode(page.delimiter), EncodingType: page.encoding, IsTruncated: truncated,
    Contents: shown.flatMap(({ row: one }) => (one ? [{ Key: page.encode(one.name), LastModified: isoMillis(one.created_at), ETag: etagOf(one), Size: Number(one.size), ...(!second || query.get('fetch-owner') === 'true' ? { Owner: owner } : {}), StorageClass: classed(one) }] : [])),
    CommonPrefixes: shown.flatMap(({ subdir }) => (subdir === undefined ? [] : [{ Prefix: page.encode(subdir) }])),
  })
}

export async function listVersions(at: S3Request): Promise<Answer> {
  const { query, house } = at
  const row = bucketRow(at)
  const page = pageOf(at)
  const key = query.get('key-marker') ?? ''
  const text = query.get('version-id-marker') ?? ''
  if (text !== '' && !query.has('key-marker')) throw s3Fault('InvalidArgument', 'A version-id marker cannot be specified without a key marker.', { ArgumentName: 'version-id-marker' })
  const stamp = text === '' ? undefined : versionStamp(text)
  if (text !== '' && stamp === undefined) throw s3Fault('InvalidArgument', 'Invalid version id specified', { ArgumentName: 'version-id-marker' })
  if (text !== '' && key === '') throw s3Fault('InvalidArgument', 'A version-id marker cannot be specified without a key marker.', { ArgumentName: 'version-id-marker' })
  const here = stamp === undefined ? undefined : stamp === null ? ((await versionOf(house.db, row.id, key, null)) ?? (await objectOf(house.db, row.id, key))) : { version_id: stamp, created_at: 0 }
  const after = here && { name: key, rank: rankOf(here) }
  const out: { row?: Listed; subdir?: string }[] = []
  const asked = { limit: page.most + 1, marker: key, end_marker: '', prefix: page.prefix, delimiter: page.delimiter, path: undefined, reverse: false }
  if (page.most > 0 && page.delimiter !== '') out.push(...(await listPage(asked, (window) => versionsIn(house.db, row.id, window, after))))
  else if (page.most > 0) {
    const found = await listPage({ ...asked, limit: 1 }, async (window) => {
      const rows = await versionsIn(house.db, row.id, { ...window, limit: page.most + 1 }, after)
      return rows.length === 0 ? [] : [{ name: rows[0]!.name, rows }]
    })
    out.push(...(found[0]?.row?.rows ?? []).map((one) => ({ row: one })))
  }
  const truncated = out.length > page.most
  const shown = out.slice(0, page.most)
  const last = shown.at(-1)
  const owner = { ID: at.owner, DisplayName: at.owner }
  const facts = (one: Listed): XmlTree => ({ Key: page.encode(one.name), VersionId: versionText(one.version_id ?? null), IsLatest: one.latest ?? false, LastModified: isoMillis(one.created_at) })
  const rows = shown.flatMap((line) => (line.row ? [line.row] : []))
  const classed = await classesOf(at, rows, true)
  return xml('ListVersionsResult', {
    Name: at.bucket, Prefix: page.encode(page.prefix), KeyMarker: page.encode(key), VersionIdMarker: text, NextKeyMarker: truncated ? page.encode(last?.row?.name ?? last?.subdir ?? '') : undefined, NextVersionIdMarker: truncated && last?.row ? versionText(last.row.version_id ?? null) : undefined,
    MaxKeys: page.most, EncodingType: page.encoding, Delimiter: query.has('delimiter') ? page.encode(page.delimiter) : undefined, IsTruncated: truncated,
    Version: rows.filter((one) => one.deleted !== 1).map((one) => ({ ...facts(one), ETag: etagOf(one), Size: Number(one.size), Owner: owner, StorageClass: classed(one) })),
    DeleteMarker: rows.filter((one) => one.deleted === 1).map((one) => ({ ...facts(one), Owner: owner })),
    CommonPrefixes: shown.flatMap(({ subdir }) => (subdir === undefined ? [] : [{ Prefix: page.encode(subdir) }])),
  })
}
