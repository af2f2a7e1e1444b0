/** Objects: upload, download, metadata, deletion, and the versions of a container that keeps them. Bytes pass as a stream; the row comes after them. */
import { Readable } from 'node:stream'
import { Fault, invalid, notFound } from '#base/fault.ts'
import { isStream, passing } from '#base/http/message.ts'
import { pathOf } from '../core/names.ts'
import { isUtf8, mergeMetadata } from '../core/metadata.ts'
import { typeOf } from '../core/mime.ts'
import { type Swift, versionStamp, versionText } from '../house.ts'
import { changeObject, objectOf, promoteVersion, putObject, type PutRules, removeObject, removeVersion, restoreVersion, versionOf } from '../store/objects.ts'
import type { ContainerRow, ObjectRow, VersionRow } from '../store/tables.ts'
import { type Answer, type Ask, containerSeen, done, HTML, httpDate, lost, metadataOf, timestamp } from './ask.ts'
import { customersOf } from '../core/s3/customer-key.ts'
import { hidden, keepBytes, openBytes } from './keep.ts'
import { authorize } from './rights.ts'
import { LOCK, standardLock } from '../core/s3/lock.ts'
import { wasRefused } from '../store/commits.ts'

export const ALSO = ['content-encoding', 'content-disposition', 'content-language', 'cache-control', 'expires', 'x-robots-tag', 'x-object-manifest']

export async function object(house: Swift, ask: Ask): Promise<Answer> {
  const { method, names } = ask
  const reading = method === 'GET' || method === 'HEAD'
  const into = await containerSeen(house, ask, names)
  const metadata = metadataOf(into)
  const wanted = ask.query.get('version-id') || null
  // Old versions are the owner's own affair: an ACL of today was not given for what stood there before.
  await authorize(house, ask, names, wanted !== null ? 'own' : reading ? 'read' : 'write', metadata[reading ? 'x-container-read' : 'x-container-write'])
  if (!into) throw notFound('The resource could not be found.')
  const versions = metadata['x-versions-enabled']
  if (wanted !== null) return byVersion(house, ask, into, wanted, versions === 'True')
  if (method === 'PUT') return upload(house, ask, into, versions === 'True')
  if (method === 'DELETE') return remove(house, ask, into, versions === 'True')
  // What a change says is judged before whether there is anything to change.
  const patch = method === 'POST' ? patchOf(house, ask) : undefined
  const row = await living(house, into.id, names.object)
  if (!row) return ask.headers['if-match'] === '*' && reading ? { ...done(412), body: '' } : lost()
  if (patch) return post(house, ask, row, patch)
  const answer = shown(house, ask, row, versions !== undefined)
  if (row.version_id !== null) answer.headers['content-location'] = `${pathOf(names)}?version-id=${versionText(row.version_id)}`
  return answer
}

export async function living(house: Swift, containerId: string, name: string): Promise<ObjectRow | undefined> {
  const row = await objectOf(house.db, containerId, name)
  return row && (row.delete_at === null || Number(row.delete_at) > house.world.clock.now()) ? row : undefined
}

function shown(house: Swift, { method, customer }: Ask, row: ObjectRow, versioned: boolean): Answer {
  if (method === 'GET' && !customer && customersOf(row) !== undefined) throw hidden()
  const headers: Record<string, string> = {
    ...metadataOf(row), 'content-type': row.content_type, etag: row.etag, 'last-modified': httpDate(row.created_at), 'x-timestamp': timestamp(row.created_at), 'accept-ranges': 'bytes',
    ...(row.delete_at === null ? {} : { 'x-delete-at': String(Math.floor(Number(row.delete_at) / 1000)) }), ...(versioned ? { 'x-object-version-id': versionText(row.version_id) } : {}),
  }
  return { status: 200, headers, row, content: { size: Number(row.stored), etag: row.etag, modified: Number(row.created_at), open: (start, end) => openBytes(house, row, start, end, customer?.key) } }
}

async function byVersion(house: Swift, ask: Ask, into: ContainerRow, text: string, enabled: boolean): Promise<Answer> {
  const { method, names } = ask
  if (method === 'POST') throw invalid('POST to a specific version is not allowed', { field: 'version-id' })
  const stamp = versionStamp(text)
  if (stamp === undefined || (stamp === null && method === 'PUT')) throw invalid('Invalid version parameter', { field: 'version-id' })
  if (method === 'PUT' && (Number(ask.headers['content-length'] ?? 0) > 0 || ask.headers['transfer-encoding'] !== undefined)) throw invalid('PUT version-id requests require a zero byte body', { field: 'version-id' })
  // An expired one is still to be had by its version.
  const standing = await objectOf(house.db, into.id, names.object)
  const current = standing && standing.version_id === stamp ? standing : undefined
  const old = current ? undefined : await versionOf(house.db, into.id, names.object, stamp)
  const id = { 'x-object-version-id': text, 'x-object-current-version-id': standing ? versionText(standing.version_id) : 'null' }
  const now = house.world.clock.now()
  if (method === 'GET' || method === 'HEAD') {
    if (!current && (!old || old.deleted === 1)) return { ...lost(), ...(old ? { headers: { ...HTML, ...id, 'content-type': 'application/x-deleted;swift_versions_deleted=1' } } : {}) }
    return shown(house, ask, (current ?? old)!, true)
  }
  if (method === 'DELETE') {
    const bypass = ask.headers['x-backend-bypass-governance'] === 'true'
    if (stamp === null && standing && !current) {
      await house.commits.run((commit) => removeObject(commit, into.id, names.object, {}, now))
      return done(204, id)
    }
    const promote = ask.headers['x-backend-promote'] === 'true'
    if (current || old) {
      await house.commits.run(async (commit) => {
        if (current) await removeObject(commit, into.id, names.object, { only: current, wholly: true, bypass }, now)
        else if (old) await removeVersion(commit, old, now, bypass)
        if (promote) await promoteVersion(commit, into.id, names.object, now)
      })
    }
    return current || old ? done(204, current ? { 'x-object-version-id': text } : { ...id, ...(old?.deleted === 1 ? { 'x-backend-marker': 'true' } : {}) }) : promote && (stamp === null || enabled) ? done(204, id) : { ...lost(), headers: { ...HTML, ...id } }
  }
  if (method === 'PUT') {
    if (!enabled) throw invalid('The container does not keep versions.', { field: 'version-id' })
    if (current) return done(201, { 'x-object-version-id': text, etag: current.etag })
    if (!old || old.deleted === 1) return lost()
    if (!(await house.commits.run((commit) => restoreVersion(commit, old satisfies VersionRow, now)))) return lost()
    return done(201, { 'x-object-version-id': text, etag: old.etag })
  }
  throw new Fault('method_not_allowed', 'The method is not allowed for this resource.')
}

async function upload(house: Swift, ask: Ask, into: ContainerRow, versioned: boolean): Promise<Answer> {
  const { headers, body, names } = ask
  const length = lengthOf(ask)
  if (length !== undefined && length > house.config.max_file_size) throw new Fault('too_large', 'Your request is too large.', { data: { plain: true } })
  const fresh = headers['if-none-match'] !== undefined
  if (fresh) {
    if (headers['if-none-match']!.replaceAll('"', '') !== '*') throw invalid('If-None-Match only supports *', { field: 'If-None-Match', data: { plain: true } })
    if (await living(house, into.id, names.object)) throw new Fault('precondition', 'A precondition for this request was not met.')
  }
  if (ask.source !== 'VW' && (headers['content-type'] ?? '').search(INNER_PARAMETER) >= 0) throw invalid('Invalid Content-Type, swift_* is not a valid parameter name.', { field: 'Content-Type' })
  const metadata = mergeMetadata({}, headers, 'object', ALSO, ask.limits ?? house.config.limits)
  const lock = headers[LOCK] === undefined ? standardLock(metadataOf(into), house.world.clock.now()) : undefined
  if (lock) metadata[LOCK] = JSON.stringify(lock)
  const suspended = metadataOf(into)['x-versions-enabled'] === 'False'
  const delete_at = deleteAt(house, headers)
  ask.sendContinue?.()
  const source = body === undefined ? Readable.from([]) : isStream(body) ? (fromSocket(body) ? passing(body) : body) : Readable.from([Buffer.from(body as Uint8Array)])
  const empty = length === 0 && !isStream(body)
  const kept = await keepBytes(house, ask.policy ?? into.policy, source, { etag: headers.etag?.replaceAll('"', '').toLowerCase() || undefined, length, customer: ask.customer?.key, ...(headers['x-backend-limit'] === undefined ? {} : { limit: Number(headers['x-backend-limit']) }) })
  const now = house.world.clock.now()
  const created_at = ask.received ?? now
  const { size, etag } = kept
  const listed = headers['x-backend-size']
  const version_id = versioned ? String(house.stamp()) : null
  const row: ObjectRow = {
    container_id: into.id, name: names.object, bytes_id: kept.bytes_id, size: listed === undefined ? size : Number(listed), stored: size, etag, content_type: contentType(headers, names.object), metadata: JSON.stringify(ask.late ? { ...metadata, ...ask.late(kept.secret_id) } : metadata),
    listing: headers['x-backend-listing'] ?? null, parts: null, secret_id: empty && !ask.customer?.key ? null : kept.secret_id, created_at, delete_at, version_id,
  }
  try {
    const { quota } = ask
    const archive = ask.archive?.container_id === into.id && ask.archive.name === names.object ? ask.archive.to : undefined
    const rules: PutRules = { ...(fresh ? { fresh } : {}), ...s3Match(headers), ...(suspended ? { suspended } : {}), versions: versioned, newest: true, ...(quota ? { quota } : {}), ...(archive === undefined ? {} : { archive }), received: ask.received }
    await house.commits.run((commit) => putObject(commit, row, rules, now))
  } catch (thrown) {
    await giveBack(house, [kept.bytes_id], thrown)
    throw thrown
  }
  return { ...done(201, { etag, 'last-modified': httpDate(created_at), ...(version_id === null ? {} : { 'x-object-version-id': versionText(row.version_id) }) }), row }
}

/** Bytes whose row was refused go at once. Where nobody knows whether it was written, they stay for the reconciler to judge. */
export async function giveBack(house: Swift, ids: readonly string[], thrown: unknown): Promise<void> {
  if (wasRefused(thrown)) await house.bytes.remove(ids).catch((failed: unknown) => house.world.log.module('swift').warn('Bytes of a refused upload cannot be removed now', { error: failed }))
}

/** `If-Match` of a write at the S3 door. */
const s3Match = (headers: Readonly<Record<string, string>>): Pick<PutRules, 's3Match' | 's3None'> => ({
  ...(headers['x-backend-if-match'] === undefined ? {} : { s3Match: { etag: headers['x-backend-if-match'], absent: notFound('The resource could not be found.') } }),
  ...(headers['x-backend-if-none-match'] === undefined ? {} : { s3None: headers['x-backend-if-none-match'] }),
})

/** The pieces of a body that came over a socket are nobody else's; those of a copy or a form may be. */
const fromSocket = (body: Readable): boolean => 'socket' in body && 'httpVersion' in body

export function lengthOf(ask: Ask): number | undefined {
  const { headers, body } = ask
  const text = headers['content-length']
  const coding = headers['transfer-encoding']
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') throw new Fault('not_implemented', `Unsupported Transfer-Coding header value specified in Transfer-Encoding header`, { field: 'Transfer-Encoding' })
  if (text !== undefined && !/^\d+$/.test(text)) throw invalid('Invalid Content-Length header value', { field: 'Content-Length' })
  if (text === undefined && coding === undefined) {
    if (body === undefined) throw new Fault('length_required', 'Missing Content-Length header.')
    return isStream(body) ? undefined : Buffer.byteLength(body as string)
  }
  return coding === undefined ? Number(text) : undefined
}

/** Parameters of content types that Swift keeps for itself. */
const INNER_PARAMETER = /;\s*swift_[^;]*/gi

function contentType(headers: Readonly<Record<string, string>>, name: string): string {
  const given = headers['content-type']
  const type = !given || /^(true|1|yes|on|t|y)$/i.test(headers['x-detect-content-type'] ?? '') ? typeOf(name) : given
  // oxlint-disable-next-line no-control-regex
  if (type.length > 1024 || /[\x00-\x08\x0a-\x1f]/.test(type)) throw invalid('The content type is too long or has control characters.', { field: 'Content-Type' })
  if (!isUtf8(type)) throw invalid('Invalid Content-Type', { field: 'Content-Type', data: { plain: true } })
  return type
}

interface Patch { metadata: Record<string, string>; delete_at: number | null }

function patchOf(house: Swift, { headers, limits }: Ask): Patch {
  return { metadata: mergeMetadata({}, headers, 'object', ALSO, limits ?? house.config.limits), delete_at: deleteAt(house, headers) }
}

async function post(house: Swift, ask: Ask, { container_id, name }: ObjectRow, { metadata: given, delete_at }: Patch): Promise<Answer> {
  const { headers } = ask
  const now = house.world.clock.now()
  const patch = { delete_at, created_at: now, ...(headers['content-type'] ? { content_type: contentType({ ...headers, 'content-type': headers['content-type'].replaceAll(INNER_PARAMETER, '') }, name) } : {}) }
  // What features have written stays with the object as it stands when the change comes.
  const kept = (row: ObjectRow): Record<string, string> => Object.fromEntries(Object.entries(metadataOf(row)).filter(([key]) => key.startsWith('x-object-sysmeta-')))
  const row = await house.commits.run((commit) => changeObject(commit, container_id, name, (now_) => ({ ...patch, metadata: JSON.stringify({ ...given, ...kept(now_) }) }), now))
  if (!row) return lost()
  return done(202, row.version_id === null ? {} : { 'x-object-version-id': versionText(row.version_id) })
}

async function remove(house: Swift, ask: Ask, into: ContainerRow, versioned: boolean): Promise<Answer> {
  const wish = ask.headers['x-if-delete-at']
  if (wish !== undefined) {
    if (!/^\d+$/.test(wish)) throw invalid('Bad X-If-Delete-At header value', { field: 'X-If-Delete-At' })
    const row = await objectOf(house.db, into.id, ask.names.object)
    if (!row) return lost()
    if (Math.floor(Number(row.delete_at ?? 0) / 1000) !== Number(wish)) throw new Fault('precondition', 'X-If-Delete-At and X-Delete-At do not match')
  }
  // S3 keeps a mark of a deletion also where versions are no longer kept: one without a version.
  const nullMarker = !versioned && ask.headers['x-backend-null-marker'] === 'true'
  const marker = { version_id: nullMarker ? null : String(house.stamp()) }
  const old = await house.commits.run((commit) => removeObject(commit, into.id, ask.names.object, { ...s3Match(ask.headers), received: ask.received, ...(versioned || nullMarker ? { versions: marker } : {}) }, house.world.clock.now()))
  if (!old && !versioned && !nullMarker) return lost()
  // Nothing was there, and the marker that says so is made all the same.
  return done(old ? 204 : 404, versioned || nullMarker ? { 'x-object-version-id': versionText(marker.version_id), ...(old ? { 'x-object-current-version-id': versionText(old.version_id) } : {}) } : {})
}

/** The last second that Swift can name. */
const LAST = 9_999_999_999

/** `X-Delete-At` and `X-Delete-After`, in milliseconds since the epoch. */
export function deleteAt(house: Swift, headers: Readonly<Record<string, string>>): number | null {
  const now = house.world.clock.now()
  const after = headers['x-delete-after']
  if (after !== undefined) {
    if (!/^\s*[+-]?\d{1,15}\s*$/.test(after)) throw invalid('Non-integer X-Delete-After', { field: 'X-Delete-After' })
    if (Number(after) <= 0) throw invalid('X-Delete-After in past', { field: 'X-Delete-After' })
    return Math.min(Math.floor(now / 1000) + Number(after), LAST) * 1000
  }
  const at = headers['x-delete-at']
  if (at === undefined) return null
  if (!/^\s*[+-]?\d+\s*$/.test(at)) throw invalid('Non-integer X-Delete-At', { field: 'X-Delete-At' })
  if (Number(at) * 1000 <= now) throw invalid('X-Delete-At in past', { field: 'X-Delete-At' })
  return Math.min(Number(at), LAST) * 1000
}
