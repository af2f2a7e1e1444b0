/** Accounts: their totals, their metadata, the containers in them. */
import { conflict, Fault, gone } from '#base/fault.ts'
import { listPage } from '../core/listing.ts'
import { mergeMetadata, truthy } from '../core/metadata.ts'
import type { Names } from '../core/names.ts'
import type { Swift } from '../house.ts'
import { accountTotals, changeAccount, containersIn, markAccountDeleted } from '../store/accounts.ts'
import { type Answer, type Ask, accountSeen, done, forget, isoMicros, metadataOf, timestamp } from './ask.ts'
import { askedOf, listing } from './listings.ts'
import { ACCOUNT_ACL, authorize, cleanAccountAcl, domainMark, mayAdminister } from './rights.ts'

const ALSO = [ACCOUNT_ACL, 'x-account-rfc-compliant-etags']

export async function account(house: Swift, ask: Ask): Promise<Answer> {
  const { method, names } = ask
  const reading = method === 'GET' || method === 'HEAD'
  await authorize(house, ask, names, reading ? 'read' : 'own')
  const row = await accountSeen(house, ask, names.account)
  const now = house.world.clock.now()
  if (row && row.deleted_at !== null && method !== 'PUT') throw reading ? gone('Recently deleted') : new Fault('gone', 'Recently deleted')
  if (method === 'POST' || method === 'PUT') return change(house, ask, names)
  if (method === 'DELETE') {
    if (!row && (await accountTotals(house.db, names.account)).length === 0) throw new Fault('not_found', 'The resource could not be found.')
    await markAccountDeleted(house.db, names.account, now)
    forget(ask)
    house.wake()
    return done(204)
  }
  const metadata = metadataOf(row)
  const { [ACCOUNT_ACL]: acl, ...rest } = metadata
  const headers: Record<string, string> = { ...rest, 'x-timestamp': timestamp(row?.created_at ?? now), 'accept-ranges': 'bytes' }
  if (mayAdminister(house, ask, acl, names.account)) {
    if (acl !== undefined) headers[ACCOUNT_ACL] = acl
  } else for (const name of ['x-account-meta-temp-url-key', 'x-account-meta-temp-url-key-2']) delete headers[name]
  if (metadata['x-account-sysmeta-project-domain-id'] !== undefined) headers['x-account-project-domain-id'] = metadata['x-account-sysmeta-project-domain-id']
  const totals = await accountTotals(house.db, names.account)
  const sum = (of: (one: (typeof totals)[number]) => number): number => totals.reduce((all, one) => all + of(one), 0)
  const put = (prefix: string, containers: number, objects: number, bytes: number): void =>
    void Object.assign(headers, { [`${prefix}container-count`]: String(containers), [`${prefix}object-count`]: String(objects), [`${prefix}bytes-used`]: String(bytes) })
  put('x-account-', sum((one) => one.containers), sum((one) => one.objects), sum((one) => one.bytes))
  for (const one of totals) put(`x-account-storage-policy-${one.policy.toLowerCase()}-`, one.containers, one.objects, one.bytes)
  const asked = askedOf(ask, house.config.limits.account_listing_limit)
  if (method === 'HEAD') return listing(ask, headers, 'account', names.account, [])
  const lines = await listPage({ ...asked, path: undefined }, (window) => containersIn(house.db, names.account, window))
  return listing(ask, headers, 'account', names.account, lines.map(({ row: one, subdir }) => (one ? { name: one.name, count: Number(one.object_count), bytes: Number(one.bytes_used), last_modified: isoMicros(one.created_at) } : { subdir: subdir! })))
}

async function change(house: Swift, ask: Ask, names: Names): Promise<Answer> {
  const headers = { ...ask.headers }
  if (!mayAdminister(house, ask, metadataOf(await accountSeen(house, ask, names.account))[ACCOUNT_ACL], names.account)) {
    for (const name of Object.keys(headers)) if (/^x-(remove-)?account-(meta-temp-url-key(-2)?|access-control)$/.test(name)) delete headers[name]
  }
  if (headers[ACCOUNT_ACL] !== undefined) {
    if (!mayAdminister(house, ask, metadataOf(await accountSeen(house, ask, names.account))[ACCOUNT_ACL], names.account)) throw new Fault('forbidden', 'Only an admin of the account may change who may enter it.')
    headers[ACCOUNT_ACL] = cleanAccountAcl(headers[ACCOUNT_ACL])
  }
  Object.assign(headers, domainMark(house, ask.who, names.account))
  const quoted = headers['x-account-rfc-compliant-etags']
  if (quoted) headers['x-account-rfc-compliant-etags'] = truthy(quoted) ? 'True' : 'False'
  const { made } = await changeAccount(house.db, names.account, house.world.clock.now(), (old) => mergeMetadata(old, headers, 'account', ALSO, house.config.limits))
  forget(ask)
  return done(ask.method === 'POST' ? 204 : made ? 201 : 202)
}

/** Accounts that were deleted take nothing more in. */
export async function assertAccountLives(house: Swift, ask: Ask): Promise<void> {
  const row = await accountSeen(house, ask, ask.names.account)
  if (row && row.deleted_at !== null) throw conflict('The account was deleted and is being emptied.')
}
