/** Writing verbs, wholly derived: for nouns whose create, update and delete are their row and nothing else. */
import type { PolicyTarget, Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { fillColumns, toColumns } from '#neutron/core/body.ts'
import { born, changed } from '#neutron/flows/standard.ts'
import type { Neutron } from '#neutron/house.ts'
import { changeRow, insertRow, removeRow } from '#neutron/store/rows.ts'
import type { Row, T } from '#neutron/store/tables.ts'
import { type Desk, rowReply } from './desk.ts'
import { createWish, demandCreate, rowToChange, rulesOf, updateWish } from './writing.ts'

/** Judges a wish or a removal inside its transaction; throws what is wrong. */
export type Judge<Subject> = (tx: T, rq: Rq, subject: Subject) => Promise<void>

export async function derivedCreate(desk: Desk, house: Neutron, rq: Rq, judge?: Judge<Row>, parents: PolicyTarget = {}): Promise<Reply> {
  const { noun } = desk
  const item = createWish(noun, rq, { bulk: false }).items[0]!
  demandCreate(noun, rq, item, parents)
  const row = await house.db.transaction(async (tx) => {
    const made: Row = fillColumns(noun, toColumns(noun, item.values))
    made.id = house.world.random.uuid()
    if ('revision_number' in noun.fields) Object.assign(made, born(house))
    if (judge) await judge(tx, rq, made)
    await insertRow(tx as never, noun.table, made)
    return made
  })
  return rowReply(desk, house, rq, row)
}

export async function derivedUpdate(desk: Desk, house: Neutron, rq: Rq, judge?: Judge<Row>): Promise<Reply> {
  const { noun } = desk
  const given = updateWish(noun, rq)
  const row = await house.db.transaction(async (tx) => {
    const before = await rowToChange(tx, { desk, house, rq, id: rq.params.id!, rules: rulesOf(noun, 'update', given), values: given.values })
    const next: Row = { ...before, ...toColumns(noun, given.values), ...('revision_number' in noun.fields ? changed(house, before) : {}) }
    if (judge) await judge(tx, rq, next)
    await changeRow(tx as never, noun.table, before.id as string, next)
    return next
  })
  return rowReply(desk, house, rq, row)
}

export async function derivedDelete(desk: Desk, house: Neutron, rq: Rq, judge?: Judge<Row>): Promise<Reply> {
  const { noun } = desk
  await house.db.transaction(async (tx) => {
    const row = await rowToChange(tx, { desk, house, rq, id: rq.params.id!, rules: [`delete_${noun.policy ?? noun.one}`] })
    if (judge) await judge(tx, rq, row)
    await removeRow(tx as never, noun.table, row.id as string)
  })
  return {}
}

export function derivedRoutes(desk: Desk, house: Neutron, judges: { create?: Judge<Row>; update?: Judge<Row> | false; delete?: Judge<Row> } = {}): Route[] {
  const { noun } = desk
  const path = `${noun.path}/{id}`
  return [
    route({ method: 'POST', path: noun.path, name: `${noun.many}.create`, status: 201, handle: (rq) => derivedCreate(desk, house, rq, judges.create) }),
    ...(judges.update === false ? [] : [route({ method: 'PUT', path, name: `${noun.many}.update`, status: 200, handle: (rq) => derivedUpdate(desk, house, rq, judges.update || undefined) })]),
    route({ method: 'DELETE', path, name: `${noun.many}.delete`, status: 204, handle: (rq) => derivedDelete(desk, house, rq, judges.delete) }),
  ]
}
