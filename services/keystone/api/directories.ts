/**
 * Domains whose people live in a directory. What it says is laid into our tables whenever it is asked (a login: that user; a list: the whole
 * domain, at most every ten seconds), so that assignments, lists and tokens need not know. The tables are never changed by users there.
 */
import { forbidden, unauthenticated } from '#base/fault.ts'
import type { Tx } from '#base/sql/database.ts'
import { type Directory, type DirectoryGroup, type DirectoryUser, type OpenDirectory, publicId } from '../core/directory.ts'
import { dropGroup, dropUser } from '../store/clean-up.ts'
import { deleteRows, findRow, findRows, insertRow, updateRow } from '../store/rows.ts'
import type { KeystoneTables } from '../store/tables.ts'
import type { Keystone } from './house.ts'

const CONFIG_FRESH = 1_000
const SYNC_EVERY = 10_000

export interface Directories {
  /** The directory of a domain; undefined when its people are in our tables. */
  of(domain_id: string): Promise<Directory | undefined>
  /** Brings what lists show up to date. */
  freshen(): Promise<void>
  /** 403 for a domain that is a directory. */
  assertWritable(domain_id: string): Promise<void>
  /** The id of the user; 401 for a wrong name and a wrong password alike. */
  login(domain_id: string, name: string, password: string): Promise<string>
}

/** `ofFile`: options by name of the domain, from ondol.yaml; a domain's own configuration goes before them. */
export function directories(house: () => Keystone, open: OpenDirectory, ofFile: Readonly<Record<string, { identity?: object; ldap?: object }>>): Directories {
  let known = new Map<string, Directory>()
  let read_at = Number.NEGATIVE_INFINITY
  const synced = new Map<string, number>()

  const load = async (): Promise<ReadonlyMap<string, Directory>> => {
    const { db, world, config } = house()
    if (world.clock.now() - read_at < CONFIG_FRESH) return known
    const options = new Map<string, Record<string, Record<string, unknown>>>()
    for (const [name, groups] of Object.entries(ofFile)) {
      const domain = await findRow(db, 'keystone_projects', { domain_id: '', name })
      if (domain) options.set(domain.id, structuredClone(groups) as Record<string, Record<string, unknown>>)
    }
    for (const row of config.domain_configurations_from_database ? await findRows(db, 'keystone_domain_config') : []) {
      const own = options.get(row.domain_id) ?? {}
      ;(own[row.config_group] ??= {})[row.config_option] = JSON.parse(row.value)
      options.set(row.domain_id, own)
    }
    known = new Map([...options].filter(([, own]) => own.identity?.driver === 'ldap').map(([id, own]) => [id, open(own.ldap ?? {})]))
    read_at = world.clock.now()
    return known
  }

  const syncDomain = async (domain_id: string, directory: Directory): Promise<void> => {
    const [users, groups] = await Promise.all([directory.users(), directory.groups()])
    const ids = new Map(users.map((user) => [directory.members_are_ids ? user.local_id : user.dn.toLowerCase(), publicId(domain_id, 'user', user.local_id)]))
    const keystone = house()
    await keystone.db.transaction(async (tx) => {
      let changed = false
      const wanted = new Set(ids.values())
      for (const user of users) changed = (await putUser(keystone, tx, domain_id, user)) || changed
      for (const row of await findRows(tx, 'keystone_users', { domain_id })) {
        if (wanted.has(row.id)) continue
        await dropUser(tx, row.id)
        changed = true
      }
      const groupIds = new Set<string>()
      for (const group of groups) {
        const id = await putGroup(tx, domain_id, group)
        groupIds.add(id)
        const members = new Set(group.members.map((member) => ids.get(directory.members_are_ids ? member : member.toLowerCase())).filter((one) => one !== undefined))
        for (const { user_id } of await findRows(tx, 'keystone_memberships', { group_id: id })) {
          if (members.delete(user_id)) continue
          await deleteRows(tx, 'keystone_memberships', { user_id, group_id: id })
          changed = true
        }
        for (const user_id of members) await insertRow(tx, 'keystone_memberships', { user_id, group_id: id })
        changed ||= members.size > 0
      }
      for (const row of await findRows(tx, 'keystone_groups', { domain_id })) {
        if (groupIds.has(row.id)) continue
        await dropGroup(tx, row.id)
        changed = true
      }
      if (changed) await keystone.revoke(tx)
    })
  }

  return {
    of: async (domain_id) => (await load()).get(domain_id),
    async freshen() {
      for (const [id, directory] of await load()) {
        const now = house().world.clock.now()
        if (now - (synced.get(id) ?? Number.NEGATIVE_INFINITY) < SYNC_EVERY) continue
        synced.set(id, now)
        // One directory that is away keeps nobody from seeing the other domains.
        await syncDomain(id, directory).catch((thrown: unknown) => house().world.log.module('keystone.directory').warn('Could not read the directory of a domain', { domain_id: id, error: thrown }))
      }
    },
    async assertWritable(domain_id) {
      if ((await load()).has(domain_id)) throw forbidden('You are not authorized to perform the requested action: the users and groups of this domain are in a directory that is only read.')
    },
    async login(domain_id, name, password) {
      const directory = (await load()).get(domain_id)!
      const user = await directory.userByName(name)
      const right = user !== undefined && (await directory.authenticate(user, password))
      if (!right || !user.enabled) throw unauthenticated('The request you have made requires authentication.', { detail: 'The directory says no' })
      const groups = await directory.groupsOf(user)
      const keystone = house()
      const user_id = publicId(domain_id, 'user', user.local_id)
      await keystone.db.transaction(async (tx) => {
        let changed = await putUser(keystone, tx, domain_id, user)
        const wanted = new Set<string>()
        for (const group of groups) wanted.add(await putGroup(tx, domain_id, group))
        for (const { group_id } of await findRows(tx, 'keystone_memberships', { user_id })) {
          if (wanted.delete(group_id)) continue
          await deleteRows(tx, 'keystone_memberships', { user_id, group_id })
          changed = true
        }
        for (const group_id of wanted) await insertRow(tx, 'keystone_memberships', { user_id, group_id })
        if (changed || wanted.size > 0) await keystone.revoke(tx)
      })
      return user_id
    },
  }
}

async function putUser(house: Keystone, tx: Tx<KeystoneTables>, domain_id: string, user: DirectoryUser): Promise<boolean> {
  const id = publicId(domain_id, 'user', user.local_id)
  const patch = { name: user.name, enabled: user.enabled ? 1 : 0, extra: JSON.stringify(user.extra) }
  const row = await findRow(tx, 'keystone_users', { id })
  if (row && row.name === patch.name && row.enabled === patch.enabled && row.extra === patch.extra) return false
  if (row) await updateRow(tx, 'keystone_users', { id }, patch)
  else {
    const nothing = { default_project_id: null, options: '{}', last_active_at: null, failed_auth_count: 0, failed_auth_at: null, revoked_before: 0, federated: 0 }
    await insertRow(tx, 'keystone_users', { id, domain_id, ...patch, created_at: house.world.clock.now(), ...nothing })
  }
  return row !== undefined
}

async function putGroup(tx: Tx<KeystoneTables>, domain_id: string, group: DirectoryGroup): Promise<string> {
  const id = publicId(domain_id, 'group', group.local_id)
  const patch = { name: group.name, description: group.description }
  const row = await findRow(tx, 'keystone_groups', { id })
  if (!row) await insertRow(tx, 'keystone_groups', { id, domain_id, ...patch, extra: '{}' })
  else if (row.name !== patch.name || row.description !== patch.description) await updateRow(tx, 'keystone_groups', { id }, patch)
  return id
}
