/** A directory of people outside of our tables, read-only, and the ids under which it is known here. */
import { createHash } from 'node:crypto'

export interface DirectoryUser {
  /** How the directory itself names it, for binding and membership. */
  dn: string
  local_id: string
  name: string
  enabled: boolean
  extra: Readonly<Record<string, string>>
}

export interface DirectoryGroup {
  local_id: string
  name: string
  description: string
  /** Names or local ids of users, as `members_are_ids` says. */
  members: readonly string[]
}

export interface Directory {
  members_are_ids: boolean
  users(): Promise<DirectoryUser[]>
  groups(): Promise<DirectoryGroup[]>
  userByName(name: string): Promise<DirectoryUser | undefined>
  /** The groups that hold this user. */
  groupsOf(user: DirectoryUser): Promise<DirectoryGroup[]>
  /** False for a wrong password, and for an empty one. */
  authenticate(user: DirectoryUser, password: string): Promise<boolean>
}

/** Options of the group `ldap`, as a domain configuration has them. */
export type LdapOptions = Readonly<Record<string, unknown>>
export type OpenDirectory = (options: LdapOptions) => Directory

/** As Keystone makes it (its sha256 generator), so that assignments made there hold here. */
export function publicId(domain_id: string, kind: 'user' | 'group', local_id: string): string {
  return createHash('sha256').update(domain_id).update(kind).update(local_id).digest('hex')
}
