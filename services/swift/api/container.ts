/** Containers: their headers, their metadata, the objects in them. */
import { conflict, Fault, invalid, notFound } from '#base/fault.ts'
import { hexId } from '#base/ids.ts'
import { cleanAcl } from '../core/acl.ts'
import { listPage } from '../core/listing.ts'
import { BUCKET_LOCK } from '../core/s3/lock.ts'
import { mergeMetadata, type Metadata, truthy } from '../core/metadata.ts'
import { defaultPolicy, policyNamed } from '../core/policies.ts'
import { pathOf, quote, unquote } from '../core/names.ts'
import { destinationOf } from '../core/sync.ts'
import { type Swift, versionStamp, versionText } from '../house.ts'
import { changeAccount, changeContainer, insertContainer, removeContainer } from '../store/accounts.ts'
import { expiredIn, type Listed, leapsIn, objectsIn, versionsIn } from '../store/listings.ts'
import { objectOf, rankOf, removeObject, versionOf } from '../store/objects.ts'
import type { ContainerRow } from '../store/tables.ts'
import { assertAccountLives } from './account.ts'
import { accountSeen, type Answer, type Ask, containerSeen, done, forget, httpDate, isoMicros, metadataOf, timestamp } from './ask.ts'
import { askedOf, type Entry, listing } from './listings.ts'
import { ACCOUNT_ACL, authorize, domainMark, isOwner, mayAdminister } from './rights.ts'

/** What only owners see. */
const SECRETS = ['x-container-read', 'x-container-write', 'x-container-sync-key', 'x-container-sync-to', 'x-container-meta-temp-url-key', 'x-container-meta-temp-url-key-2']
const ALSO = ['x-container-read', 'x-container-write', 'x-container-sync-key', 'x-container-sync-to', 'x-versions-location', 'x-history-location', 'x-versions-enabled', 'x-container-rfc-compliant-etags']

export async function container(house: Swift, ask: Ask): Promise<Answer> {
  const { method, names } = ask
  const row = await containerSeen(house, ask, names)
  const metadata = metadataOf(row)
  const reading = method === 'GET' || method === 'HEAD'
  await authorize(house, ask, names, reading ? 'read' : 'own', reading ? metadata['x-container-read'] : '')
  if (method === 'PUT' || method === 'POST') return change(house, ask, row)
  if (!row) throw notFound('The resource could not be found.')
  if (method === 'DELETE') {
    // What expired is not there any more, whether or not the sweeper has come by.
    const now = house.world.clock.now()
    if (Number(row.object_count) > 0) for (const one of await expiredIn(house.db, row.id, now)) await house.commits.run((commit) => removeObject(commit, row.id, one.name, { expired: true }, now))
    await removeContainer(house.db, row.id)
    forget(ask)
    return done(204)
  }
  const headers: Record<string, string> = {
    ...metadata, 'x-container-object-count': String(row.object_count), 'x-container-bytes-used': String(row.bytes_used), 'x-timestamp': timestamp(row.created_at),
    'x-storage-policy': row.policy, 'last-modified': httpDate(row.changed_at), 'accept-ranges': 'bytes',
  }
  if (!isOwner(house, ask.who, names.account) && !mayAdminister(house, ask, metadataOf(await accountSeen(house, ask, names.account))[ACCOUNT_ACL], names.account)) for (const name of SECRETS) delete headers[name]
  const asked = askedOf(ask, house.config.limits.container_listing_limit)
  if (method === 'HEAD') return listing(ask, headers, 'container', names.container, [])
  if (ask.query.has('versions')) return versions(house, ask, row, headers, asked)
  const now = house.world.clock.now()
  const lines = await listPage(asked, (window) => objectsIn(house.db, row.id, now, window), leapsIn(house.db, row.id, now))
  return listing(ask, headers, 'container', names.container, lines.map(({ row: one, subdir }) => (one ? (one.version_id === null ? entryOf(one) : { ...entryOf(one), version_symlink: true, symlink_path: `${pathOf({ ...names, object: one.name })}?version-id=${versionText(one.version_id ?? null)}` }) : { subdir: subdir! })))
}

/** Headers are bytes, listings text. */
// oxlint-disable-next-line no-control-regex
const text = (header: string): string => (/[^\x00-\x7f]/.test(header) ? Buffer.from(header, 'latin1').toString() : header)

export function entryOf(row: Listed): Entry {
  const entry: Entry = { name: row.name, bytes: Number(row.size), hash: row.etag, content_type: text(row.content_type), last_modified: isoMicros(row.created_at) }
  return row.listing === null ? entry : { ...entry, ...(JSON.parse(row.listing) as Entry) }
}

async function versions(house: Swift, ask: Ask, row: ContainerRow, headers: Record<string, string>, asked: ReturnType<typeof askedOf>): Promise<Answer> {
  // Versions have no other form than JSON.
  const format = ask.query.get('format')
  if ((format !== null && format !== 'json') || (ask.headers.accept !== undefined && !/json|\*\/\*|application\/\*/.test(ask.headers.accept) && format !== 'json')) throw new Fault('not_acceptable', 'The resource is not available in a format acceptable to your browser.')
  ask.query.set('format', 'json')
  const text = ask.query.get('version_marker')
  const stamp = text ? versionStamp(text) : undefined
  if (text && stamp === undefined) throw invalid('invalid version_marker param', { field: 'version_marker' })
  if (text && asked.marker === '') throw invalid('version_marker param requires marker', { field: 'version_marker' })
  const at = stamp === undefined ? undefined : stamp === null ? ((await versionOf(house.db, row.id, asked.marker, null)) ?? (await objectOf(house.db, row.id, asked.marker))) : { version_id: stamp, created_at: 0 }
  const after = at && { name: asked.marker, rank: rankOf(at) }
  const known = Object.hasOwn(metadataOf(row), 'x-versions-enabled')
  if (asked.delimiter !== '' || asked.path !== undefined) {
    // Folders hide their versions with the objects in them.
    const lines = await listPage(asked, (window) => versionsIn(house.db, row.id, window))
    return listing(ask, headers, 'container', ask.names.container, lines.map(({ row: one, subdir }) => (one ? versionEntry(one, known) : { subdir: subdir! })))
  }
  const rows = await listPage({ ...asked, limit: 1 }, async (window) => {
    const page = await versionsIn(house.db, row.id, { ...window, limit: asked.limit }, after)
    return page.length === 0 ? [] : [{ name: page[0]!.name, page }]
  })
  return listing(ask, headers, 'container', ask.names.container, (rows[0]?.row?.page ?? []).map((one) => versionEntry(one, known)))
}

function versionEntry(row: Listed, known: boolean): Entry {
  const entry = entryOf(row)
  return known ? { ...entry, version_id: versionText(row.version_id ?? null), is_latest: row.latest ?? false } : { ...entry, version_id: 'null', is_latest: true }
}

async function change(house: Swift, ask: Ask, row: ContainerRow | undefined): Promise<Answer> {
  const { method, names, headers: given } = ask
  if (!row && method === 'POST') throw notFound('The resource could not be found.')
  const named = given['x-storage-policy']
  const policy = named === undefined || named === '' || method === 'POST' ? undefined : policyNamed(house.policies, named)
  if (named !== undefined && named !== '' && method === 'PUT' && !policy) throw invalid(`Invalid X-Storage-Policy '${named}'`, { field: 'X-Storage-Policy', data: { plain: true } })
  if (!row && policy?.deprecated) throw invalid(`Storage Policy '${policy.name}' is deprecated`, { field: 'X-Storage-Policy', data: { plain: true } })
  if (row && policy && policy.name !== row.policy) throw conflict('There was a conflict when trying to complete your request.', { detail: 'The container has another storage policy.' })
  if (!row) await assertAccountLives(house, ask)
  const own = isOwner(house, ask.who, names.account) || ask.granted !== undefined || mayAdminister(house, ask, metadataOf(await accountSeen(house, ask, names.account))[ACCOUNT_ACL], names.account)
  // Who may write here by an ACL does not hand that on.
  const headers = checked(house, own ? given : Object.fromEntries(Object.entries(given).filter(([name]) => !SECRETS.includes(name.replace(/^x-remove-/, 'x-')))))
  const now = house.world.clock.now()
  const next = (old: Metadata): Metadata => mergeMetadata(versioned(old, headers), headers, 'container', ALSO, house.config.limits)
  if (row) {
    await changeContainer(house.db, row.id, now, next, headers['x-container-sync-to'] !== undefined && headers['x-container-sync-to'] !== metadataOf(row)['x-container-sync-to'])
    forget(ask)
    return done(method === 'POST' ? 204 : 202)
  }
  if (!(await accountSeen(house, ask, names.account))) await changeAccount(house.db, names.account, now, (old) => ({ ...old, ...domainMark(house, ask.who, names.account) }))
  const made: ContainerRow = { id: hexId(house.world.random), account: names.account, name: names.container, metadata: JSON.stringify(next({})), policy: (policy ?? defaultPolicy(house.policies)).name, object_count: 0, bytes_used: 0, created_at: now, changed_at: now }
  const first = await insertContainer(house.db, made)
  forget(ask)
  return first ? done(201) : done(202)
}

/** Headers with the values in which they are stored. Throws on what they may not say. */
function checked(house: Swift, given: Readonly<Record<string, string>>): Record<string, string> {
  const headers = { ...given }
  if (headers['x-container-sync-to']) destinationOf(house.config.container_sync.realms, headers['x-container-sync-to'])
  for (const name of ['x-container-read', 'x-container-write']) if (headers[name]) headers[name] = cleanAcl(name, headers[name])
  for (const [name, what] of [['x-container-meta-quota-bytes', 'bytes'], ['x-container-meta-quota-count', 'count']] as const) {
    if (headers[name] && !/^\d+$/.test(headers[name])) throw invalid(`Invalid ${what} quota.`, { field: name })
  }
  for (const name of ['x-versions-location', 'x-history-location']) {
    if (!headers[name]) continue
    const location = unquote(headers[name])
    if (location === undefined || location === '' || /[/\0]/.test(location)) throw new Fault('precondition', 'Container name cannot contain slashes', { field: name, code: 'swift.versions_location' })
    headers[name] = quote(location)
  }
  if (headers['x-versions-location'] && headers['x-history-location']) throw invalid('Only one of x-versions-location or x-history-location may be specified', { field: 'X-Versions-Location' })
  const quoted = headers['x-container-rfc-compliant-etags']
  if (quoted) headers['x-container-rfc-compliant-etags'] = truthy(quoted) ? 'True' : 'False'
  if (headers['x-versions-enabled'] !== undefined) headers['x-versions-enabled'] = truthy(headers['x-versions-enabled']) ? 'True' : 'False'
  return headers
}

/** The two kinds of versions that Swift knows do not go together. */
function versioned(old: Metadata, headers: Record<string, string>): Metadata {
  const next = { ...old }
  if (headers['x-versions-location']) delete next['x-history-location']
  if (headers['x-history-location']) delete next['x-versions-location']
  const legacy = headers['x-versions-location'] || headers['x-history-location']
  if (legacy && next['x-versions-enabled'] === 'True') throw invalid('Cannot use the legacy versioned writes feature on a container that has object versioning enabled.', { field: 'X-Versions-Location' })
  if (next['x-versions-enabled'] !== undefined && headers['x-container-sync-to']) throw invalid('Cannot configure container sync on a container with object versioning configured.', { field: 'X-Container-Sync-To' })
  const removed = (name: string): boolean => headers[`x-remove-${name.slice(2)}`] !== undefined || headers[name] === ''
  if ((headers['x-versions-enabled'] === 'False' || removed('x-versions-enabled')) && old[BUCKET_LOCK] !== undefined) throw conflict('The container keeps objects under lock, and with them their versions.')
  if (headers['x-versions-enabled'] === 'True' && (legacy || ['x-versions-location', 'x-history-location'].some((name) => next[name] && !removed(name)))) {
    throw invalid('Cannot enable object versioning on a container that is already using the legacy versioned writes feature.', { field: 'X-Versions-Enabled' })
  }
  return next
}
