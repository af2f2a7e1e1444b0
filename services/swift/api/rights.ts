/** Who may pass: operators of the account, reseller admins, readers, and those whom an ACL names. */
import { type Fault, forbidden, invalid, unauthenticated } from '#base/fault.ts'
import { grantedTo, parseAcl, referrerAllowed } from '../core/acl.ts'
import type { Names } from '../core/names.ts'
import type { Swift } from '../house.ts'
import { accountSeen, type Ask, metadataOf, type Right, type Who } from './ask.ts'

export const ACCOUNT_ACL = 'x-account-access-control'

const accountOfProject = (house: Swift, project: string | undefined): string => `${house.config.reseller_prefix}${project ?? ''}`

export function isReseller(house: Swift, who: Who): boolean {
  return who.groups ? who.groups.includes('.reseller_admin') : who.roles.includes(house.config.reseller_admin_role)
}

/** May do everything in the account but make and delete it. */
export function isOwner(house: Swift, who: Who, account: string): boolean {
  if (isReseller(house, who)) return true
  if (who.groups) return who.groups.includes(account)
  return who.project_id !== undefined && account === accountOfProject(house, who.project_id) && who.roles.some((role) => house.config.operator_roles.includes(role))
}

/** Throws 401 or 403 unless the caller may; `acl` is what the container grants for this kind of request. */
export async function authorize(house: Swift, ask: Ask, names: Names, right: Right, acl = ''): Promise<void> {
  const { who } = ask
  if (ask.granted?.(names, right)) return
  const known = who.user_id !== undefined
  if (known) {
    if (isReseller(house, who)) return
    if (names.container === '' && right === 'own' && (ask.method === 'PUT' || ask.method === 'DELETE')) throw forbidden('Access was denied to this resource.')
    if (isOwner(house, who, names.account)) return
    if (right === 'read' && who.groups?.includes('.reseller_reader')) return
    if (right === 'read' && !who.groups && accountOfProject(house, who.project_id) === names.account && house.config.reader_roles.some((role) => who.roles.includes(role))) return
    if (await byAccountAcl(house, ask, names, right)) return
  }
  if (right !== 'own' && acl !== '') {
    const { referrers, groups } = parseAcl(acl)
    if (right === 'read' && referrerAllowed(ask.headers.referer, referrers) && (names.object !== '' || groups.includes('.rlistings'))) return
    if (known && (who.groups ? groups.some((word) => who.groups!.includes(word)) : grantedTo(groups, await grantee(house, ask, names.account)))) return
  }
  throw known ? forbidden('Access was denied to this resource.') : unauthenticated('This server could not verify that you are authorized.')
}

/** The domain of the project that has the account, known since its owner first wrote there. */
const DOMAIN = 'x-account-sysmeta-project-domain-id'

/** What an owner tells the store of his account by being the one who writes. */
export function domainMark(house: Swift, who: Who, account: string): Record<string, string> {
  return who.project_domain_id !== undefined && account === accountOfProject(house, who.project_id) ? { [DOMAIN]: who.project_domain_id } : {}
}

/** Names mean somebody only among those of the default domain: he who comes and the account that he comes to. */
async function grantee(house: Swift, ask: Ask, account: string): Promise<Who> {
  if (!ask.who.byName) return ask.who
  const domain = metadataOf(await accountSeen(house, ask, account))[DOMAIN] ?? 'default'
  return domain === 'default' ? ask.who : { ...ask.who, byName: false }
}

async function byAccountAcl(house: Swift, ask: Ask, names: Names, right: Right): Promise<boolean> {
  const text = metadataOf(await accountSeen(house, ask, names.account))[ACCOUNT_ACL]
  if (text === undefined) return false
  const acl = JSON.parse(text) as AccountAcl
  const who = await grantee(house, ask, names.account)
  const holds = (kind: keyof AccountAcl): boolean => acl[kind]?.some((word) => (ask.who.groups ? ask.who.groups.includes(word) : grantedTo(word.includes(':') ? [word] : [], who))) ?? false
  if (holds('admin')) return true
  if (holds('read-write')) return names.container !== '' || right === 'read'
  return right === 'read' && holds('read-only')
}

export interface AccountAcl { admin?: string[]; 'read-write'?: string[]; 'read-only'?: string[] }

export function mayAdminister(house: Swift, ask: Ask, acl: string | undefined, account: string): boolean {
  if (isOwner(house, ask.who, account)) return true
  const admins = acl === undefined ? [] : ((JSON.parse(acl) as AccountAcl).admin ?? [])
  return admins.some((word) => (ask.who.groups ? ask.who.groups.includes(word) : grantedTo(word.includes(':') ? [word] : [], ask.who)))
}

export function cleanAccountAcl(value: string): string {
  if (value === '' || value === '{}') return ''
  const bad = (why: string, cause?: unknown): Fault => invalid(`X-Account-Access-Control invalid: ${why}\n\nInput: ${value}\n`, { field: ACCOUNT_ACL, data: { plain: true }, ...(cause === undefined ? {} : { cause }) })
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(value, 'latin1').toString())
  } catch (thrown) {
    throw bad(`Syntax error in input ('${value}')`, thrown)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw bad(`Syntax error in input ('${value}')`)
  for (const [key, list] of Object.entries(parsed)) {
    if (!['admin', 'read-write', 'read-only'].includes(key)) throw bad(`Key ${JSON.stringify(key)} not recognized`)
    if (!Array.isArray(list)) throw bad(`Value for key ${JSON.stringify(key)} must be a list`)
    if (!list.every((one) => typeof one === 'string')) throw bad(`Elements of ${JSON.stringify(key)} list must be strings`)
  }
  return Buffer.from(JSON.stringify(parsed)).toString('latin1')
}
