/**
 * Access control lists: canned ones, grants in headers, and the XML document. A grantee is a project (its id is the canonical user's id), or
 * one of Amazon's two groups.
 */
import { s3Fault } from './errors.ts'
import { child, childrenOf, parseXml, textOf, type XmlTree } from './xml.ts'

export const PERMISSIONS = ['READ', 'WRITE', 'READ_ACP', 'WRITE_ACP', 'FULL_CONTROL'] as const
export type Permission = (typeof PERMISSIONS)[number]

export const ALL_USERS = 'http://acs.amazonaws.com/groups/global/AllUsers'
export const AUTHENTICATED = 'http://acs.amazonaws.com/groups/global/AuthenticatedUsers'
const LOG_DELIVERY = 'http://acs.amazonaws.com/groups/s3/LogDelivery'

export interface Grant {
  /** A project's id, or one of the groups' addresses. */
  grantee: string
  permission: Permission
}

export interface Acl {
  /** A project's id. */
  owner: string
  grants: readonly Grant[]
}

const isGroup = (grantee: string): boolean => grantee.startsWith('http://')
const full = (grantee: string): Grant => ({ grantee, permission: 'FULL_CONTROL' })

/** `bucketOwner` matters for objects only. */
export function cannedAcl(name: string, owner: string, bucketOwner = owner): Acl {
  const grants = [full(owner)]
  switch (name) {
    case 'private':
      break
    case 'public-read-write':
      grants.push({ grantee: ALL_USERS, permission: 'READ' }, { grantee: ALL_USERS, permission: 'WRITE' })
      break
    case 'public-read':
      grants.push({ grantee: ALL_USERS, permission: 'READ' })
      break
    case 'authenticated-read':
      grants.push({ grantee: AUTHENTICATED, permission: 'READ' })
      break
    case 'bucket-owner-read':
      if (bucketOwner !== owner) grants.push({ grantee: bucketOwner, permission: 'READ' })
      break
    case 'bucket-owner-full-control':
      if (bucketOwner !== owner) grants.push(full(bucketOwner))
      break
    default:
      throw s3Fault('InvalidArgument', undefined, { ArgumentName: 'x-amz-acl', ArgumentValue: name.slice(0, 80) })
  }
  return { owner, grants }
}

const GRANT_HEADERS: Readonly<Record<string, Permission>> = { 'x-amz-grant-read': 'READ', 'x-amz-grant-write': 'WRITE', 'x-amz-grant-read-acp': 'READ_ACP', 'x-amz-grant-write-acp': 'WRITE_ACP', 'x-amz-grant-full-control': 'FULL_CONTROL' }

/** What headers say; undefined when they say nothing. */
export function aclOfHeaders(headers: Readonly<Record<string, string>>, owner: string, bucketOwner = owner): Acl | undefined {
  const canned = headers['x-amz-acl']
  const named = Object.keys(GRANT_HEADERS).filter((name) => headers[name] !== undefined)
  if (canned !== undefined && named.length > 0) throw s3Fault('InvalidRequest', 'Specifying both Canned ACLs and Header Grants is not allowed')
  if (canned !== undefined) return cannedAcl(canned, owner, bucketOwner)
  if (named.length === 0) return undefined
  const grants = named.flatMap((name) =>
    headers[name]!.split(',').map((each): Grant => {
      const [, kind, value = ''] = /^\s*(id|uri|emailAddress)\s*=\s*"?([^"]*)"?\s*$/.exec(each) ?? []
      if (kind === undefined) throw s3Fault('InvalidArgument', 'Argument format not recognized', { ArgumentName: name })
      return { grantee: granteeOf(kind, value), permission: GRANT_HEADERS[name]! }
    }),
  )
  return { owner, grants }
}

function granteeOf(kind: string, value: string): string {
  if (kind === 'emailAddress') throw s3Fault('UnresolvableGrantByEmailAddress')
  if (kind === 'uri' ? value !== ALL_USERS && value !== AUTHENTICATED && value !== LOG_DELIVERY : !/^[\w.-]{1,64}$/.test(value)) throw s3Fault('InvalidArgument', kind === 'uri' ? 'Invalid group uri' : 'Invalid id', { ArgumentName: kind === 'uri' ? 'uri' : 'id', ArgumentValue: value.slice(0, 80) })
  return value
}

/** The owner cannot be changed by a list. */
export function parseAcl(bytes: Uint8Array, owner: string): Acl {
  const element = parseXml(bytes, 'AccessControlPolicy')
  const said = child(element, 'Owner')
  if (said && textOf(said, 'ID') !== owner) throw s3Fault('AccessDenied')
  const list = child(element, 'AccessControlList')
  if (!list) throw s3Fault('MalformedACLError')
  const grants = childrenOf(list, 'Grant').map((grant): Grant => {
    const grantee = child(grant, 'Grantee')
    const permission = PERMISSIONS.find((each) => each === textOf(grant, 'Permission'))
    const [id, uri, email] = grantee ? [textOf(grantee, 'ID'), textOf(grantee, 'URI'), textOf(grantee, 'EmailAddress')] : []
    if (permission === undefined || (id ?? uri ?? email) === undefined) throw s3Fault('MalformedACLError')
    return { permission, grantee: email === undefined ? granteeOf(id === undefined ? 'uri' : 'id', (id ?? uri)!) : granteeOf('emailAddress', email) }
  })
  if (grants.length > 100) throw s3Fault('MalformedACLError')
  return { owner, grants }
}

/** The tree of an `AccessControlPolicy`. */
export function aclTree({ owner, grants }: Acl): XmlTree {
  const XSI = 'http://www.w3.org/2001/XMLSchema-instance'
  return {
    Owner: { ID: owner, DisplayName: owner },
    AccessControlList: {
      // Groups first, as some readers expect.
      Grant: [...grants].sort((a, b) => Number(isGroup(b.grantee)) - Number(isGroup(a.grantee))).map(({ grantee, permission }) => ({
        Grantee: isGroup(grantee) ? { '@xmlns:xsi': XSI, '@xsi:type': 'Group', URI: grantee } : { '@xmlns:xsi': XSI, '@xsi:type': 'CanonicalUser', ID: grantee, DisplayName: grantee },
        Permission: permission,
      })),
    },
  }
}

/** `project` is undefined for those who did not say who they are. The owner may always read and write the list itself. */
export function grants(acl: Acl, project: string | undefined, wanted: Exclude<Permission, 'FULL_CONTROL'>): boolean {
  if (project === acl.owner && (wanted === 'READ_ACP' || wanted === 'WRITE_ACP')) return true
  return acl.grants.some(({ grantee, permission }) => (permission === wanted || permission === 'FULL_CONTROL') && (grantee === ALL_USERS || (project !== undefined && (grantee === AUTHENTICATED || grantee === project))))
}
