/** Groups and who is in them. */
import { invalid } from '#base/fault.ts'
import type { Condition } from '#stack/resource/listing.ts'
import { type Resource, type Row, toWire } from '#stack/resource/resource.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { groupIdsOf } from '../store/assignments.ts'
import { dropGroup } from '../store/clean-up.ts'
import { expiringGroupIdsOf } from '../store/federated-users.ts'
import { getDomain } from '../store/projects.ts'
import { deleteRows, findRow, findRows, insertRow, updateRow } from '../store/rows.ts'
import type { GroupRow, UserRow } from '../store/tables.ts'
import { getUser } from '../store/users.ts'
import { callerDomain, defaultDomainOf } from './domain-scope.ts'
import { description, id, name, ref } from './fields.ts'
import type { Keystone } from './house.ts'
import { at, created, enforce, equals, listReply, mergedExtra, missing, newId, own, page, storing, there, updated, v3 } from './steps.ts'
import { USER, userTarget, userViews } from './users.ts'

export const GROUP: Resource = {
  one: 'group',
  many: 'groups',
  path: '/v3/groups',
  table: 'keystone_groups',
  extra: 'extra',
  fields: { id: id(), name: name(64), domain_id: ref(), description: description({ post: 'optional', put: true, default: '' }) },
}

export const groupView = (rq: Rq, row: GroupRow): Row => ({ ...toWire(GROUP, row as unknown as Row), links: { self: v3(rq, `groups/${row.id}`) } })
export const groupTarget = (row: GroupRow | undefined): Row => (row ? { group: { id: row.id, domain_id: row.domain_id, name: row.name } } : {})

/** Callers of one domain see what is of that domain. */
function within(rq: Rq): Condition[] {
  const domain = callerDomain(rq)
  return domain === undefined ? [] : [equals('domain_id', domain)]
}

export function groupRoutes(house: Keystone): Route[] {
  const { db } = house
  const find = async (rq: Rq, action: string): Promise<GroupRow> => {
    const row = await findRow(db, 'keystone_groups', { id: rq.params.group_id! })
    if (action === 'delete_group') there(row, 'group', rq.params.group_id!)
    enforce(rq, action, groupTarget(row))
    return there(row, 'group', rq.params.group_id!)
  }
  const pair = async (rq: Rq, action: string): Promise<{ group: GroupRow; user: UserRow }> => {
    const group = await findRow(db, 'keystone_groups', { id: rq.params.group_id! })
    const user = await getUser(db, rq.params.user_id!)
    enforce(rq, action, { ...groupTarget(group), ...userTarget(user) })
    return { group: there(group, 'group', rq.params.group_id!), user: there(user, 'user', rq.params.user_id!) }
  }
  const member = async (rq: Rq, action: string): Promise<{ user_id: string; group_id: string }> => {
    const { group, user } = await pair(rq, action)
    const key = { user_id: user.id, group_id: group.id }
    if (!(await findRow(db, 'keystone_memberships', key))) throw missing('user', `${user.id} in group ${group.id}`)
    return key
  }

  const list = async (rq: Rq): Promise<Reply> => {
    const domain = callerDomain(rq)
    enforce(rq, 'list_groups', domain === undefined ? {} : { group: { domain_id: domain } })
    await house.directories.freshen()
    const { rows, ...more } = await page<GroupRow>(house, rq, GROUP, domain === undefined ? [] : [equals('domain_id', domain)])
    return listReply(rq, 'groups', rows.map((row) => groupView(rq, row)), more)
  }
  const create = async (rq: Rq): Promise<Reply> => {
    const given = ((rq.body as Row | undefined)?.group ?? {}) as Row
    const domain_id = typeof given.domain_id === 'string' ? given.domain_id : defaultDomainOf(rq)
    enforce(rq, 'create_group', { group: { ...given, domain_id } })
    await house.directories.assertWritable(domain_id)
    const record = created(GROUP, rq)
    there(await getDomain(db, domain_id), 'domain', domain_id)
    const row: GroupRow = { id: newId(house), domain_id, name: record.name as string, description: record.description as string | null, extra: JSON.stringify(record.extra) }
    await storing('group', `Duplicate entry found with name ${row.name} at domain ID ${domain_id}`, () => db.transaction((tx) => insertRow(tx, 'keystone_groups', row)))
    return { json: { group: groupView(rq, row) } }
  }
  const update = async (rq: Rq): Promise<Reply> => {
    const group = await find(rq, 'update_group')
    await house.directories.assertWritable(group.domain_id)
    const patch = updated(GROUP, rq, group.id)
    if (patch.domain_id !== undefined && patch.domain_id !== group.domain_id) throw invalid('Cannot change Domain ID', { field: 'domain_id' })
    const row: GroupRow = { ...group, ...(patch.name === undefined ? {} : { name: patch.name as string }), ...(patch.description === undefined ? {} : { description: patch.description as string | null }), extra: mergedExtra(group.extra, patch) }
    const { id: _, ...columns } = row
    await storing('group', `Duplicate entry found with name ${row.name} at domain ID ${row.domain_id}`, () => db.transaction((tx) => updateRow(tx, 'keystone_groups', { id: group.id }, columns)))
    return { json: { group: groupView(rq, row) } }
  }
  const remove = async (rq: Rq): Promise<Reply> => {
    const group = await find(rq, 'delete_group')
    await house.directories.assertWritable(group.domain_id)
    await db.transaction(async (tx) => {
      await dropGroup(tx, group.id)
      await house.revoke(tx)
    })
    return {}
  }
  const users = async (rq: Rq): Promise<Reply> => {
    const group = await find(rq, 'list_users_in_group')
    const ids = (await findRows(db, 'keystone_memberships', { group_id: group.id })).map((row) => row.user_id)
    const { rows, ...more } = await page<UserRow>(house, rq, USER, [{ column: 'id', op: 'in', value: ids }, ...within(rq)])
    return listReply(rq, 'users', await userViews(house, rq, rows), more)
  }
  const groups = async (rq: Rq): Promise<Reply> => {
    const user = await getUser(db, rq.params.user_id!)
    enforce(rq, 'list_groups_for_user', userTarget(user))
    there(user, 'user', rq.params.user_id!)
    const expiring = await expiringGroupIdsOf(db, user!.id, house.world.clock.now(), house.config.federation.default_authorization_ttl * 60_000)
    const ids = [...(await groupIdsOf(db, user!.id)), ...expiring, ...(own(rq).user_id === user!.id ? (own(rq).group_ids ?? []) : [])]
    const { rows, ...more } = await page<GroupRow>(house, rq, GROUP, [{ column: 'id', op: 'in', value: ids }, ...within(rq)])
    return listReply(rq, 'groups', rows.map((row) => groupView(rq, row)), more)
  }
  const add = async (rq: Rq): Promise<Reply> => {
    const { group, user } = await pair(rq, 'add_user_to_group')
    await house.directories.assertWritable(group.domain_id)
    await db.transaction(async (tx) => {
      if (await findRow(tx, 'keystone_memberships', { user_id: user.id, group_id: group.id })) return
      await insertRow(tx, 'keystone_memberships', { user_id: user.id, group_id: group.id })
      await house.widen(tx)
    })
    return {}
  }
  const take = async (rq: Rq): Promise<Reply> => {
    const key = await member(rq, 'remove_user_from_group')
    await house.directories.assertWritable((await findRow(db, 'keystone_groups', { id: key.group_id }))!.domain_id)
    await db.transaction(async (tx) => {
      await deleteRows(tx, 'keystone_memberships', key)
      await house.revoke(tx)
    })
    return {}
  }
  const path = '/v3/groups/{group_id}/users/{user_id}'
  const check = async (rq: Rq): Promise<Reply> => {
    await member(rq, 'check_user_in_group')
    return {}
  }
  return [
    at('GET', '/v3/groups', 'groups.list', 200, list),
    at('POST', '/v3/groups', 'groups.create', 201, create),
    at('GET', '/v3/groups/{group_id}', 'groups.show', 200, async (rq) => ({ json: { group: groupView(rq, await find(rq, 'get_group')) } })),
    at('PATCH', '/v3/groups/{group_id}', 'groups.update', 200, update),
    at('DELETE', '/v3/groups/{group_id}', 'groups.delete', 204, remove),
    at('GET', '/v3/groups/{group_id}/users', 'groups.users', 200, users),
    at('GET', '/v3/users/{user_id}/groups', 'users.groups', 200, groups),
    at('PUT', path, 'groups.add_user', 204, add),
    at('GET', path, 'groups.check_user', 204, check),
    at('HEAD', path, 'groups.check_user', 204, check),
    at('DELETE', path, 'groups.remove_user', 204, take),
  ]
}
