/** `/v2.0/security-groups` and `/v2.0/security-group-rules` */
import { conflict } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { boolFromString } from '#stack/resource/field.ts'
import { toColumns } from '#neutron/core/body.ts'
import { securityGroup as noun, securityGroupRule as ruleNoun } from '#neutron/core/nouns/security.ts'
import { namesOf, rawJson, writerOf } from '#neutron/core/view.ts'
import { ensureDefaultGroup, defaultGroupId, insertGroup } from '#neutron/flows/default-group.ts'
import { addRules, deleteGroup, oneGroup, removeRule, tellPorts } from '#neutron/flows/security-groups.ts'
import { changed } from '#neutron/flows/standard.ts'
import type { Neutron } from '#neutron/house.ts'
import { spend } from '#neutron/store/quotas.ts'
import { changeRow, rowsIn } from '#neutron/store/rows.ts'
import { rulesOf, statefulByDefault } from '#neutron/store/security-groups.ts'
import type { Row, SecurityGroupRow, SecurityGroupRuleRow } from '#neutron/store/tables.ts'
import { anyOf, not, owned, parentIn, sharedVia, sharedWith } from '#neutron/store/where.ts'
import { type Actor, actorOf } from './actor.ts'
import { type Desk, listReply, readRoutes, rowFor, rowReply, showReply, shownRows, textReply } from './desk.ts'
import { isShared, sharedTarget } from './lens.ts'
import { createWish, demandCreate, rowToChange, rulesOf as rulesToHold, updateWish } from './writing.ts'
import { store } from '#neutron/store/store.ts'

export const groupDesk: Desk = {
  noun,
  visible: (actor) => (actor.admin ? undefined : anyOf(owned(actor.project), sharedWith('security_group', actor.project))),
  targets: async (_house, _db, _rows, actor) => sharedTarget(actor.project),
  filters: {
    shared: (values, rq) => {
      const via = sharedVia('security_group', actorOf(rq).project, 'access_as_shared')
      return boolFromString(values.at(-1)!) === false ? not(via) : via
    },
  },
  async compute(_house, db, rows, actor, wanted) {
    const rules = wanted('security_group_rules') ? Map.groupBy(await rulesOf(db, rows.map((row) => row.id as string)), (rule) => rule.security_group_id) : undefined
    const write = writerOf(ruleNoun, namesOf(ruleNoun))
    return (row) => ({
      shared: isShared(row, actor.project),
      security_group_rules: rawJson(`[${(rules?.get(row.id as string) ?? []).map((rule) => write(rule as never)).join(',')}]`),
    })
  },
}

async function groupTargets(db: Parameters<NonNullable<Desk['targets']>>[1], rows: readonly Row[]): Promise<(row: Row) => Row> {
  const groups = new Map((await rowsIn(db as never, 'neutron_security_groups', 'id', [...new Set(rows.map((row) => row.security_group_id as string))], ['id', 'project_id'])).map((one) => [one.id, one.project_id]))
  return (row) => ({ project_id: row.project_id, tenant_id: row.project_id, 'security_group:project_id': groups.get(row.security_group_id), 'security_group:tenant_id': groups.get(row.security_group_id), belongs_to_default_sg: row.belongs_to_default_sg === 1 })
}

export const ruleDesk: Desk = {
  noun: ruleNoun,
  visible: (actor) => (actor.admin ? undefined : anyOf(owned(actor.project), parentIn('security_group_id', 'neutron_security_groups', [owned(actor.project)]))),
  targets: (_house, db, rows) => groupTargets(db, rows),
}

/** A project's default group is there whenever it or an administrator looks. */
async function withDefault(house: Neutron, rq: Rq): Promise<void> {
  const actor = actorOf(rq)
  const asked = rq.query.get('project_id') ?? rq.query.get('tenant_id')
  const project = actor.admin && asked ? asked : actor.project
  if (project === undefined || (await defaultGroupId(house.db, project))) return
  await house.db.transaction((tx) => ensureDefaultGroup(house, tx, project))
}

export function securityGroupRoutes(house: Neutron): Route[] {
  return [
    route({ method: 'GET', path: noun.path, name: 'security_groups.list', status: 200, handle: async (rq) => {
      await withDefault(house, rq)
      return listReply(groupDesk, house, rq)
    } }),
    route({ method: 'GET', path: `${noun.path}/{id}`, name: 'security_groups.show', status: 200, handle: (rq) => showReply(groupDesk, house, rq, rq.params.id!) }),
    route({ method: 'POST', path: noun.path, name: 'security_groups.create', status: 201, handle: (rq) => createGroups(house, rq) }),
    route({ method: 'PUT', path: `${noun.path}/{id}`, name: 'security_groups.update', status: 200, handle: (rq) => updateGroup(house, rq) }),
    route({ method: 'DELETE', path: `${noun.path}/{id}`, name: 'security_groups.delete', status: 204, handle: async (rq) => {
      await house.db.transaction(async (tx) => {
        const row = (await rowToChange(tx, { desk: groupDesk, house, rq, id: rq.params.id!, rules: ['delete_security_group'] })) as unknown as SecurityGroupRow
        await deleteGroup(house, tx, row, actorOf(rq).admin)
      })
      return {}
    } }),
    route({ method: 'GET', path: ruleNoun.path, name: 'security_group_rules.list', status: 200, handle: async (rq) => {
      await withDefault(house, rq)
      return listReply(ruleDesk, house, rq)
    } }),
    ...readRoutes(ruleDesk, house).slice(1),
    route({ method: 'POST', path: ruleNoun.path, name: 'security_group_rules.create', status: 201, handle: (rq) => createRules(house, rq) }),
    route({ method: 'DELETE', path: `${ruleNoun.path}/{id}`, name: 'security_group_rules.delete', status: 204, handle: async (rq) => {
      await house.db.transaction(async (tx) => {
        const row = await rowToChange(tx, { desk: ruleDesk, house, rq, id: rq.params.id!, rules: ['delete_security_group_rule'] })
        await removeRule(house, tx, row as unknown as SecurityGroupRuleRow)
      })
      return {}
    } }),
  ]
}

async function createGroups(house: Neutron, rq: Rq): Promise<Reply> {
  const wish = createWish(noun, rq)
  for (const item of wish.items) demandCreate(noun, rq, item)
  const rows = await house.db.transaction(async (tx) => {
    const made: SecurityGroupRow[] = []
    for (const { values, named } of wish.items) {
      const project = values.project_id as string
      if ((values.name as string).toLowerCase() === 'default') throw conflict('Default security group already exists.', { code: 'SecurityGroupDefaultAlreadyExists' })
      await ensureDefaultGroup(house, tx, project)
      await spend(tx, project, { security_group: 1, security_group_rule: 2 }, house.quotas)
      made.push(await insertGroup(house, tx, { id: house.world.random.uuid(), project_id: project, name: values.name as string, description: (values.description as string | undefined) ?? '', is_default: 0, stateful: (named.has('stateful') ? values.stateful !== false : await statefulByDefault(tx, project)) ? 1 : 0 }))
    }
    return made
  })
  if (!wish.bulk) return rowReply(groupDesk, house, rq, rows[0] as never)
  return textReply(`{"security_groups":[${(await shownRows(groupDesk, house, house.db, rows as never, actorOf(rq))).join(',')}]}`)
}

async function updateGroup(house: Neutron, rq: Rq): Promise<Reply> {
  const given = updateWish(noun, rq)
  const row = await house.db.transaction(async (tx) => {
    const before = (await rowToChange(tx, { desk: groupDesk, house, rq, id: rq.params.id!, rules: rulesToHold(noun, 'update', given), values: given.values })) as unknown as SecurityGroupRow
    if (before.is_default && 'name' in given.values && given.values.name !== before.name) throw conflict('Updating default security group not allowed.', { code: 'SecurityGroupCannotUpdateDefault' })
    if (!before.is_default && (given.values.name as string | undefined)?.toLowerCase() === 'default') throw conflict('Default security group already exists.', { code: 'SecurityGroupDefaultAlreadyExists' })
    const next = { ...before, ...toColumns(noun, given.values), ...changed(house, before as never) } as SecurityGroupRow
    if (next.stateful !== before.stateful && (await store.portGroups.one(tx, { security_group_id: before.id }, ['port_id']))) throw conflict(`Security Group ${before.id} in use.`, { code: 'SecurityGroupInUse' })
    await changeRow(tx as never, noun.table, before.id, next as never)
    if (next.stateful !== before.stateful) await tellPorts(house, tx, [before.id])
    return next
  })
  return rowReply(groupDesk, house, rq, row as never)
}

async function createRules(house: Neutron, rq: Rq): Promise<Reply> {
  const wish = createWish(ruleNoun, rq)
  const values = wish.items.map((item) => item.values)
  const id = oneGroup(values)
  const rows = await house.db.transaction(async (tx) => {
    const group = (await rowFor(groupDesk, house, tx, rq, id)) as unknown as SecurityGroupRow
    for (const item of wish.items) demandCreate(ruleNoun, rq, item, { 'security_group:project_id': group.project_id, 'security_group:tenant_id': group.project_id })
    await spend(tx, values[0]!.project_id as string, { security_group_rule: values.length }, house.quotas)
    return addRules(house, tx, group, values)
  })
  if (!wish.bulk) return rowReply(ruleDesk, house, rq, rows[0] as never)
  return textReply(`{"security_group_rules":[${(await shownRows(ruleDesk, house, house.db, rows as never, actorOf(rq))).join(',')}]}`)
}
