/** Steps of the writing verbs: the body, what the policy says of it, who owns it, revisions, and the row's first and next state. */
import { Fault, invalid } from '#base/fault.ts'
import type { PolicyTarget, Rq } from '#stack/route.ts'
import { envelope, type Given, givenForCreate, givenForUpdate, type Values } from '#neutron/core/body.ts'
import type { Noun } from '#neutron/core/noun.ts'
import type { Neutron } from '#neutron/house.ts'
import type { Row } from '#neutron/store/tables.ts'
import type { Where } from '#neutron/store/rows.ts'
import type { Q } from '#neutron/store/tables.ts'
import { type Actor, actorOf, hidden } from './actor.ts'
import { type Desk, rowFor } from './desk.ts'
import { ownTarget } from './lens.ts'

export interface Wish {
  items: Given[]
  bulk: boolean
}

/** The create body, checked, with its owner: the caller's project, or another one when an administrator says so. */
export function createWish(noun: Noun, rq: Rq, options: { bulk?: boolean } = {}): Wish {
  const actor = actorOf(rq)
  const { items, bulk } = envelope(noun, rq.body, options.bulk !== false)
  return {
    bulk,
    items: items.map((item) => {
      const given = givenForCreate(noun, item)
      if ('project_id' in noun.fields) ownerOf(actor, given)
      return given
    }),
  }
}

function ownerOf(actor: Actor, given: Given): void {
  const { values } = given
  const asked = values.project_id
  if (asked === undefined || asked === null || asked === '') {
    if (asked === '' && actor.admin) return
    if (actor.project === undefined) throw invalid('Running without keystone AuthN requires that tenant_id is specified', { code: 'HTTPBadRequest', field: 'project_id' })
    values.project_id = actor.project
  } else if (asked !== actor.project && !actor.admin && !actor.sees_all) {
    throw invalid(`Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin privileges`, { code: 'HTTPBadRequest', field: 'project_id' })
  }
}

export function updateWish(noun: Noun, rq: Rq): Given {
  return givenForUpdate(noun, envelope(noun, rq.body, false).items[0]!)
}

/** The rules a write asks for: the verb itself, and every enforced attribute that was sent and is not the default. */
export function rulesOf(noun: Noun, verb: 'create' | 'update', given: Given): string[] {
  const policy = noun.policy ?? noun.one
  const rules = [`${verb}_${policy}`]
  for (const name of given.named) {
    const field = noun.fields[name]!
    if (!field.enforce) continue
    const value = given.values[name]
    if (verb === 'create' && (value === undefined || JSON.stringify(value) === JSON.stringify(field.default ?? null))) continue
    rules.push(`${verb}_${policy}:${name}`)
    if (SUB_RULES.has(name)) rules.push(...subRules(`${verb}_${policy}:${name}`, value))
  }
  return rules
}

/** Attributes whose parts have rules of their own. */
const SUB_RULES = new Set(['fixed_ips', 'allowed_address_pairs', 'external_gateway_info'])

function subRules(prefix: string, value: unknown): string[] {
  const parts = Array.isArray(value) ? value : value === null ? [] : [value]
  const keys = new Set(parts.flatMap((part) => Object.keys(part as object)))
  keys.delete('qos_policy_id')
  return [...keys].map((key) => `${prefix}:${key}`)
}

/** May it be made? The target is the wish itself with what it hangs on. */
export function demandCreate(noun: Noun, rq: Rq, given: Given, parents: PolicyTarget = {}): void {
  const actor = actorOf(rq)
  if (actor.admin) return
  actor.demand(rulesOf(noun, 'create', given), { ...given.values, tenant_id: given.values.project_id, ...parents })
}

export interface ChangeAsk {
  desk: Desk
  rq: Rq
  id: string
  /** Rules to hold beside the sight of the row. */
  rules: readonly string[]
  /** Values sent, laid over the row for rules such as `field:port:device_owner`. */
  values?: Values
  scope?: readonly Where[]
  /** Loads the row's target when the desk needs parents. */
  house: Neutron
}

/** The row to change: 404 when the caller may not see it, 403 when it may be seen but not changed, 412 when it has moved on. */
export async function rowToChange(db: Q, ask: ChangeAsk): Promise<Row> {
  const { desk, rq } = ask
  const actor = actorOf(rq)
  const row = await rowFor(desk, ask.house, db, rq, ask.id, ask.scope)
  if (!actor.admin) {
    const target = (await (desk.targets?.(ask.house, db, [row], actor) ?? ownTarget))(row)
    const policy = desk.noun.policy ?? desk.noun.one
    try {
      actor.demand(ask.rules, { ...row, ...ask.values, ...target })
    } catch (thrown) {
      throw actor.allows(`get_${policy}`, target) && !(desk.noun.coy && row.project_id !== actor.project) ? thrown : hidden()
    }
  }
  ifMatch(rq, row)
  return row
}

/** `If-Match: revision_number=5` */
function ifMatch(rq: Rq, row: Row): void {
  const asked = /^\s*revision_number=(\d+)\s*$/.exec(rq.http.headers['if-match'] ?? '')
  if (!asked || row.revision_number === undefined) return
  if (Number(asked[1]) !== row.revision_number) throw new Fault('precondition', `Constrained to ${asked[1]}, but current revision is ${String(row.revision_number)}`, { code: 'RevisionNumberConstraintFailed' })
}
