/** Accounts and containers: their headers, their metadata, what is in them. */
import { Fault, notFound } from '#base/fault.ts'
import { hexId } from '#base/ids.ts'
import type { Reply, Rq } from '#stack/route.ts'
import { listPage } from '../core/listing.ts'
import { type Metadata, mergeMetadata } from '../core/metadata.ts'
import type { Swift } from '../house.ts'
import { accountOf, accountTotals, containerOf, containersIn, objectsIn, removeContainer, saveAccount, saveContainer } from '../store/rows.ts'
import { admit, type Names, timestamp } from './door.ts'
import { askedOf, listing, when } from './listings.ts'

const HTML = { 'content-type': 'text/html; charset=UTF-8' }
const ACLS = ['x-container-read', 'x-container-write']

export async function account(house: Swift, rq: Rq, names: Names): Promise<Reply> {
  const { method } = rq.http
  admit(rq, names, method === 'GET' || method === 'HEAD' ? 'read' : 'own')
  const row = await accountOf(house.db, names.account)
  const metadata = JSON.parse(row?.metadata ?? '{}') as Metadata
  if (method === 'POST') {
    const next = mergeMetadata(metadata, rq.http.headers, 'account', [])
    await saveAccount(house.db, { account: names.account, metadata: JSON.stringify(next), created_at: row?.created_at ?? house.world.clock.now() })
    return { status: 204, headers: { ...HTML } }
  }
  const totals = await accountTotals(house.db, names.account)
  const policy = { 'object-count': totals.objects, 'bytes-used': totals.bytes, 'container-count': totals.containers }
  const headers: Record<string, string> = { ...metadata, 'x-timestamp': timestamp(row?.created_at ?? house.world.clock.now()), 'accept-ranges': 'bytes' }
  for (const [name, value] of Object.entries(policy)) {
    headers[`x-account-${name}`] = String(value)
    if (totals.containers > 0) headers[`x-account-storage-policy-policy-0-${name}`] = String(value)
  }
  if (method === 'HEAD') return { status: 204, headers: { ...headers, 'content-type': 'text/plain; charset=utf-8' } }
  const lines = await listPage(askedOf(rq), (window) => containersIn(house.db, names.account, window))
  return listing(rq, headers, 'account', names.account, lines.map(({ row: one, subdir }) => (one ? { name: one.name, count: Number(one.object_count), bytes: Number(one.bytes_used), last_modified: when(one.created_at) } : { subdir: subdir! })))
}

/** What would be taken and not acted on is refused. */
const MISSING = /^x-(versions|history)-|^x-container-(sync|meta-(quota|web|access-control|temp-url))|^x-(account|container)-rfc/

export async function container(house: Swift, rq: Rq, names: Names): Promise<Reply> {
  const { method, headers: given } = rq.http
  const row = await containerOf(house.db, names.account, names.container)
  const metadata = JSON.parse(row?.metadata ?? '{}') as Metadata
  const reading = method === 'GET' || method === 'HEAD'
  admit(rq, names, reading ? 'read' : 'own', reading ? metadata['x-container-read'] : '')
  if (method === 'PUT' || method === 'POST') {
    if (!row && method === 'POST') throw notFound('The resource could not be found.')
    const missing = Object.keys(given).find((name) => MISSING.test(name))
    if (missing) throw new Fault('not_implemented', `${missing} is not there yet.`, { field: missing })
    const next = JSON.stringify(mergeMetadata(metadata, given, 'container', ACLS))
    await saveContainer(house.db, { ...(row ?? { id: hexId(house.world.random), account: names.account, name: names.container, object_count: 0, bytes_used: 0, created_at: house.world.clock.now() }), metadata: next }, !row)
    return { status: method === 'POST' ? 204 : row ? 202 : 201, headers: { ...HTML } }
  }
  if (!row) throw notFound('The resource could not be found.')
  if (method === 'DELETE') {
    await removeContainer(house.db, row.id)
    return { status: 204, headers: { ...HTML } }
  }
  const headers = { ...metadata, 'x-container-object-count': String(row.object_count), 'x-container-bytes-used': String(row.bytes_used), 'x-timestamp': timestamp(row.created_at), 'x-storage-policy': 'Policy-0', 'last-modified': new Date(row.created_at).toUTCString(), 'accept-ranges': 'bytes' }
  // What is granted to others is for the owner to see.
  const own = rq.context.roles.includes('ResellerAdmin') || names.account === `AUTH_${rq.context.project_id ?? ''}`
  if (!own) for (const name of ACLS) delete (headers as Record<string, string>)[name]
  if (method === 'HEAD') return { status: 204, headers: { ...headers, 'content-type': 'text/plain; charset=utf-8' } }
  const lines = await listPage(askedOf(rq), (window) => objectsIn(house.db, row.id, window))
  return listing(rq, headers, 'container', names.container, lines.map(({ row: one, subdir }) => (one ? { hash: one.etag, bytes: Number(one.size), name: one.name, content_type: one.content_type, last_modified: when(one.created_at) } : { subdir: subdir! })))
}
