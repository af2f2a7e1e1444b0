/** LDAP and Active Directory, by the options that Keystone has for them. One connection a question; nothing is ever written. */
import { readFileSync } from 'node:fs'
import { Client, type Entry, InvalidCredentialsError } from 'ldapts'
import { unavailable } from '#base/fault.ts'
import type { Directory, DirectoryGroup, DirectoryUser, LdapOptions } from '../core/directory.ts'

/** Follows groups in groups, in Active Directory. */
const IN_CHAIN = '1.2.840.113556.1.4.1941'

export function ldapDirectory(given: LdapOptions): Directory {
  const text = (key: string, fallback = ''): string => (given[key] === null || given[key] === undefined ? fallback : String(given[key]))
  const yes = (key: string): boolean => isTrue(text(key))
  const suffix = text('suffix', 'cn=example,cn=com')
  const scope = text('query_scope', 'one') === 'sub' ? 'sub' : 'one'
  const seconds = Number(text('connection_timeout', '-1'))
  const userId = text('user_id_attribute', 'cn')
  const userName = text('user_name_attribute', 'sn')
  const mask = Number(text('user_enabled_mask', '0'))
  const memberAttribute = text('group_member_attribute', 'member')
  const membersAreIds = yes('group_members_are_ids')
  const usersAt = { base: text('user_tree_dn', `ou=Users,${suffix}`), filter: both(`(objectClass=${text('user_objectclass', 'inetOrgPerson')})`, text('user_filter')) }
  const groupsAt = { base: text('group_tree_dn', `ou=UserGroups,${suffix}`), filter: both(`(objectClass=${text('group_objectclass', 'groupOfNames')})`, text('group_filter')) }

  const connected = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
    const ca = text('tls_cacertfile')
    const tls = { ...(ca ? { ca: [readFileSync(ca)] } : {}), rejectUnauthorized: text('tls_req_cert', 'demand') !== 'never' }
    const url = text('url', 'ldap://localhost')
    const client = new Client({ url, timeout: 30_000, connectTimeout: seconds > 0 ? seconds * 1000 : 10_000, ...(url.startsWith('ldaps:') ? { tlsOptions: tls } : {}) })
    try {
      if (yes('use_tls')) await client.startTLS(tls)
      return await work(client)
    } finally {
      await client.unbind().catch(() => {})
    }
  }
  const search = async (at: { base: string; filter: string }): Promise<Entry[]> => {
    try {
      return await connected(async (client) => {
        const user = text('user')
        if (user) await client.bind(user, text('password'))
        const size = Number(text('page_size', '0'))
        return (await client.search(at.base, { scope, filter: at.filter, paged: size > 0 ? { pageSize: size } : false })).searchEntries
      })
    } catch (thrown) {
      throw unavailable('The directory of this domain cannot be asked.', { cause: thrown })
    }
  }

  const isEnabled = (found: string | undefined): boolean => {
    const value = found ?? text('user_enabled_default', 'True')
    return mask === 0 ? isTrue(value) !== yes('user_enabled_invert') : (Number(value) & mask) !== mask
  }
  const userOf = (entry: Entry): DirectoryUser | undefined => {
    const [local_id, name] = [first(entry, userId), first(entry, userName)]
    if (local_id === undefined || name === undefined) return undefined
    const [email, description] = [first(entry, text('user_mail_attribute', 'mail')), first(entry, text('user_description_attribute', 'description'))]
    return { dn: entry.dn, local_id, name, enabled: isEnabled(first(entry, text('user_enabled_attribute', 'enabled'))), extra: { ...(email ? { email } : {}), ...(description ? { description } : {}) } }
  }
  const groupOf = (entry: Entry): DirectoryGroup | undefined => {
    const [local_id, name] = [first(entry, text('group_id_attribute', 'cn')), first(entry, text('group_name_attribute', 'ou'))]
    if (local_id === undefined || name === undefined) return undefined
    return { local_id, name, description: first(entry, text('group_desc_attribute', 'description')) ?? '', members: all(entry, memberAttribute) }
  }

  return {
    members_are_ids: membersAreIds,
    users: async () => kept((await search(usersAt)).map(userOf)),
    groups: async () => kept((await search(groupsAt)).map(groupOf)),
    async userByName(name) {
      const found = kept((await search({ ...usersAt, filter: both(usersAt.filter, `(${userName}=${escaped(name)})`) })).map(userOf))
      // Two people of one name are nobody in particular.
      return found.length === 1 ? found[0] : undefined
    },
    async groupsOf(user) {
      const held = membersAreIds ? user.local_id : user.dn
      const attribute = yes('group_ad_nesting') && !membersAreIds ? `${memberAttribute}:${IN_CHAIN}:` : memberAttribute
      return kept((await search({ ...groupsAt, filter: both(groupsAt.filter, `(${attribute}=${escaped(held)})`) })).map(groupOf))
    },
    async authenticate(user, password) {
      // A bind without a password succeeds for everybody: it is anonymous.
      if (password === '') return false
      try {
        await connected((client) => client.bind(user.dn, password))
        return true
      } catch (thrown) {
        if (thrown instanceof InvalidCredentialsError) return false
        throw unavailable('The directory of this domain cannot be asked.', { cause: thrown })
      }
    },
  }
}

const isTrue = (value: string): boolean => /^(true|1|yes|on)$/i.test(value)
const kept = <T>(found: (T | undefined)[]): T[] => found.filter((each): each is T => each !== undefined)

/** A value in a filter: who logs in writes no filters of their own (RFC 4515). */
function escaped(value: string): string {
  return value.replaceAll(/[\\*()\0]/g, (letter) => `\\${letter.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function both(one: string, other: string): string {
  if (other === '') return one
  return `(&${one}${other.startsWith('(') ? other : `(${other})`})`
}

function all(entry: Entry, attribute: string): string[] {
  const key = Object.keys(entry).find((one) => one.toLowerCase() === attribute.toLowerCase())
  const value = key === undefined ? undefined : entry[key]
  return (Array.isArray(value) ? value : value === undefined ? [] : [value]).map((one) => one.toString())
}

function first(entry: Entry, attribute: string): string | undefined {
  return all(entry, attribute)[0]
}
