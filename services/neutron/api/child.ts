/** Things that hang below another: `/routers/{router_id}/conntrack_helpers`. The parent must be seen; its owner owns them. */
import type { PolicyTarget, Reply, Rq } from '#stack/route.ts'
import { fillColumns, toColumns, type Values } from '#neutron/core/body.ts'
import type { Neutron } from '#neutron/house.ts'
import { changeRow, insertRow, removeRow, type Where } from '#neutron/store/rows.ts'
import type { Row, T } from '#neutron/store/tables.ts'
import { equals } from '#neutron/store/where.ts'
import { actorOf, hidden } from './actor.ts'
import { type Desk, rowFor, rowReply } from './desk.ts'
import { createWish, demandCreate, rowToChange, rulesOf, updateWish } from './writing.ts'

export interface Below {
  parent: Desk
  /** Parameter of the path and column of the child. */
  parentKey: string
  /** Name of the parameter when it is not the column's. */
  parameter?: string
}

export const parentTarget = (row: Row): PolicyTarget => ({ 'ext_parent:project_id': row.project_id, 'ext_parent:tenant_id': row.project_id, ext_parent_project_id: row.project_id })

/** How children of this parent are read: everything below a parent that was seen. */
export function childDesk(noun: Desk['noun'], parentOf: (row: Row) => Row, more: Partial<Desk> = {}): Desk {
  return { noun, visible: () => undefined, targets: async () => (row) => ({ project_id: row.project_id, tenant_id: row.project_id, ...parentTarget(parentOf(row)) }), ...more }
}

/** The parent that the path names, seen by the caller. */
export async function parentRow(below: Below, house: Neutron, db: T | Neutron['db'], rq: Rq): Promise<Row> {
  return rowFor(below.parent, house, db, rq, rq.params[below.parameter ?? below.parentKey]!)
}

export function scopeOf(below: Below, parent: Row): Where[] {
  return [equals(below.parentKey, [parent.id as string])]
}

/** Children are judged by whose their parent is: reading is refused as if there were nothing. */
export function demandRead(rq: Rq, policy: string, parent: Row): void {
  if (!actorOf(rq).allows(`get_${policy}`, { project_id: parent.project_id, tenant_id: parent.project_id, ...parentTarget(parent) })) throw hidden()
}

export interface ChildVerbs {
  create?(tx: T, rq: Rq, parent: Row, row: Row, values: Values): Promise<void>
  update?(tx: T, rq: Rq, parent: Row, next: Row, before: Row): Promise<void>
  remove?(tx: T, rq: Rq, parent: Row, row: Row): Promise<void>
  /** After the row was written or removed. */
  settled?(tx: T, parent: Row): Promise<void>
}

export async function childCreate(noun: Desk['noun'], below: Below, house: Neutron, rq: Rq, verbs: ChildVerbs): Promise<Reply> {
  const item = createWish(noun, rq, { bulk: false }).items[0]!
  // Who may not even below a parent of their own need not know which parents there are.
  demandCreate(noun, rq, item, parentTarget({ project_id: rq.context.project_id }))
  const made = await house.db.transaction(async (tx) => {
    const parent = await parentRow(below, house, tx, rq)
    demandCreate(noun, rq, item, parentTarget(parent))
    const row: Row = fillColumns(noun, toColumns(noun, item.values))
    if ('id' in noun.fields) row.id = house.world.random.uuid()
    row[below.parentKey] = parent.id
    if ('project_id' in noun.fields) row.project_id = parent.project_id
    await verbs.create?.(tx, rq, parent, row, item.values)
    await insertRow(tx as never, noun.table, row)
    await verbs.settled?.(tx, parent)
    return { row, parent }
  })
  return rowReply(childDesk(noun, () => made.parent), house, rq, made.row)
}

export async function childUpdate(noun: Desk['noun'], below: Below, house: Neutron, rq: Rq, verbs: ChildVerbs): Promise<Reply> {
  const given = updateWish(noun, rq)
  const made = await house.db.transaction(async (tx) => {
    const parent = await parentRow(below, house, tx, rq)
    const before = await rowToChange(tx, { desk: childDesk(noun, () => parent), house, rq, id: rq.params.id!, rules: rulesOf(noun, 'update', given), scope: scopeOf(below, parent) })
    const next: Row = { ...before, ...toColumns(noun, given.values) }
    await verbs.update?.(tx, rq, parent, next, before)
    await changeRow(tx as never, noun.table, before.id as string, next)
    await verbs.settled?.(tx, parent)
    return { row: next, parent }
  })
  return rowReply(childDesk(noun, () => made.parent), house, rq, made.row)
}

export async function childDelete(noun: Desk['noun'], below: Below, house: Neutron, rq: Rq, verbs: ChildVerbs): Promise<Reply> {
  await house.db.transaction(async (tx) => {
    const parent = await parentRow(below, house, tx, rq)
    const row = await rowToChange(tx, { desk: childDesk(noun, () => parent), house, rq, id: rq.params.id!, rules: [`delete_${noun.policy ?? noun.one}`], scope: scopeOf(below, parent) })
    await verbs.remove?.(tx, rq, parent, row)
    await removeRow(tx as never, noun.table, row.id as string)
    await verbs.settled?.(tx, parent)
  })
  return {}
}
