/** Roles, of the whole cloud or of one domain, and which follow from which. */
import { forbidden, invalid } from '#base/fault.ts'
import { type Resource, type Row, toWire } from '#stack/resource/resource.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { dropRole } from '../store/clean-up.ts'
import { getDomain } from '../store/projects.ts'
import { deleteRows, findRow, findRows, insertRow, updateRow } from '../store/rows.ts'
import type { RoleRow } from '../store/tables.ts'
import { description, id, name, ref, resourceOptions } from './fields.ts'
import type { Keystone } from './house.ts'
import { at, created, enforce, equals, listReply, mergedExtra, mergedOptions, missing, mutable, newId, page, selfUrl, storing, there, updated, v3 } from './steps.ts'

export const ROLE: Resource = {
  one: 'role',
  many: 'roles',
  path: '/v3/roles',
  table: 'keystone_roles',
  extra: 'extra',
  fields: { id: id(), name: name(255), domain_id: ref(), description: description(), options: resourceOptions() },
}

/** Nothing may imply it: who grants `member` would grant it unseen. */
const PROHIBITED = new Set(['admin'])

export const roleView = (rq: Rq, row: RoleRow): Row => ({ ...toWire(ROLE, row as unknown as Row), domain_id: row.domain_id || null, links: { self: v3(rq, `roles/${row.id}`) } })
export const roleTarget = (row: Pick<RoleRow, 'id' | 'name' | 'domain_id'> | undefined): Row => (row ? { role: { id: row.id, name: row.name, domain_id: row.domain_id || null } } : {})

export function roleRoutes(house: Keystone): Route[] {
  const { db } = house
  /** Roles of a domain have rules of their own. */
  const find = async (rq: Rq, verb: 'get' | 'update' | 'delete'): Promise<RoleRow> => {
    const row = await findRow(db, 'keystone_roles', { id: rq.params.role_id! })
    const role = there(row, 'role', rq.params.role_id!)
    enforce(rq, role.domain_id === '' ? `${verb}_role` : `${verb}_domain_role`, roleTarget(role))
    return role
  }
  const list = async (rq: Rq): Promise<Reply> => {
    const domain = rq.query.get('domain_id')
    enforce(rq, domain ? 'list_domain_roles' : 'list_roles')
    const { rows, ...more } = await page<RoleRow>(house, rq, ROLE, domain ? [] : [equals('domain_id', '')])
    return listReply(rq, 'roles', rows.map((row) => roleView(rq, row)), more)
  }
  const create = async (rq: Rq): Promise<Reply> => {
    const given = ((rq.body as Row | undefined)?.role ?? {}) as Row
    enforce(rq, given.domain_id ? 'create_domain_role' : 'create_role', { role: given })
    const record = created(ROLE, rq)
    const domain_id = (record.domain_id as string | null) ?? ''
    if (domain_id !== '') there(await getDomain(db, domain_id), 'domain', domain_id)
    const row: RoleRow = { id: newId(house), name: record.name as string, domain_id, description: record.description as string | null, options: mergedOptions('{}', record), extra: JSON.stringify(record.extra) }
    await storing('role', `Duplicate entry found with name ${row.name}`, () =>
      db.transaction(async (tx) => {
        await insertRow(tx, 'keystone_roles', row)
        await house.widen(tx, 'tables')
      }),
    )
    return { json: { role: roleView(rq, row) } }
  }
  const update = async (rq: Rq): Promise<Reply> => {
    const role = await find(rq, 'update')
    const patch = updated(ROLE, rq, role.id)
    mutable('role', role.id, role.options, patch)
    if (patch.domain_id !== undefined && patch.domain_id !== (role.domain_id || null)) throw invalid('Cannot change Domain ID', { field: 'domain_id' })
    const row: RoleRow = {
      ...role,
      ...(patch.name === undefined ? {} : { name: patch.name as string }),
      ...(patch.description === undefined ? {} : { description: patch.description as string | null }),
      options: mergedOptions(role.options, patch),
      extra: mergedExtra(role.extra, patch),
    }
    await storing('role', `Duplicate entry found with name ${row.name}`, () =>
      db.transaction(async (tx) => {
        const { id: _, ...columns } = row
        await updateRow(tx, 'keystone_roles', { id: role.id }, columns)
        await (row.name === role.name ? house.widen(tx, 'tables') : house.revoke(tx, 'tables'))
      }),
    )
    return { json: { role: roleView(rq, row) } }
  }
  const remove = async (rq: Rq): Promise<Reply> => {
    const role = await find(rq, 'delete')
    mutable('role', role.id, role.options)
    await db.transaction(async (tx) => {
      await dropRole(tx, role.id)
      await house.revoke(tx, 'tables')
    })
    return {}
  }
  return [
    at('GET', '/v3/roles', 'roles.list', 200, list),
    at('POST', '/v3/roles', 'roles.create', 201, create),
    at('GET', '/v3/roles/{role_id}', 'roles.show', 200, async (rq) => ({ json: { role: roleView(rq, await find(rq, 'get')) } })),
    at('PATCH', '/v3/roles/{role_id}', 'roles.update', 200, update),
    at('DELETE', '/v3/roles/{role_id}', 'roles.delete', 204, remove),
    ...impliedRoutes(house),
  ]
}

function impliedRoutes(house: Keystone): Route[] {
  const { db } = house
  const brief = (rq: Rq, row: RoleRow): Row => ({ id: row.id, name: row.name, links: { self: v3(rq, `roles/${row.id}`) } })
  const role = async (id: string): Promise<RoleRow> => there(await findRow(db, 'keystone_roles', { id }), 'role', id)
  const pair = async (rq: Rq): Promise<{ prior: RoleRow; implied: RoleRow; key: { prior_role_id: string; implied_role_id: string } }> => {
    const prior = await role(rq.params.prior_role_id!)
    const implied = await role(rq.params.implies_role_id!)
    return { prior, implied, key: { prior_role_id: prior.id, implied_role_id: implied.id } }
  }
  const known = async (rq: Rq): Promise<Awaited<ReturnType<typeof pair>>> => {
    const found = await pair(rq)
    if (!(await findRow(db, 'keystone_implied_roles', found.key))) throw missing('implied role', `${found.prior.id} implies ${found.implied.id}`)
    return found
  }
  const view = (rq: Rq, prior: RoleRow, implied: RoleRow): Reply => ({ json: { role_inference: { prior_role: brief(rq, prior), implies: brief(rq, implied) }, links: { self: selfUrl(rq) } } })
  const path = '/v3/roles/{prior_role_id}/implies'
  return [
    at('GET', '/v3/role_inferences', 'role_inferences.list', 200, async (rq) => {
      enforce(rq, 'list_role_inference_rules')
      const roles = new Map((await findRows(db, 'keystone_roles')).map((row) => [row.id, row]))
      const rules = Map.groupBy(await findRows(db, 'keystone_implied_roles'), (row) => row.prior_role_id)
      const role_inferences = [...rules].map(([prior, rows]) => ({ prior_role: brief(rq, roles.get(prior)!), implies: rows.map((row) => brief(rq, roles.get(row.implied_role_id)!)) }))
      return { json: { role_inferences, links: { self: selfUrl(rq) } } }
    }),
    at('GET', path, 'implied_roles.list', 200, async (rq) => {
      enforce(rq, 'list_implied_roles')
      const prior = await role(rq.params.prior_role_id!)
      const rows = await findRows(db, 'keystone_implied_roles', { prior_role_id: prior.id })
      const implies: Row[] = []
      for (const row of rows) implies.push(brief(rq, await role(row.implied_role_id)))
      return { json: { role_inference: { prior_role: brief(rq, prior), implies }, links: { self: selfUrl(rq) } } }
    }),
    at('PUT', `${path}/{implies_role_id}`, 'implied_roles.create', 201, async (rq) => {
      enforce(rq, 'create_implied_role')
      const { prior, implied, key } = await pair(rq)
      if (PROHIBITED.has(implied.name)) throw forbidden(`${implied.id} cannot be an implied roles`)
      if (prior.domain_id === '' && implied.domain_id !== '') throw forbidden(`${implied.id} is a role of a domain and cannot be implied by a role of the whole cloud`)
      if (prior.id === implied.id) throw invalid('A role cannot imply itself.', { field: 'implies_role_id' })
      await storing('implied role', `${prior.id} implies ${implied.id} already`, () =>
        db.transaction(async (tx) => {
          await insertRow(tx, 'keystone_implied_roles', key)
          await house.widen(tx, 'tables')
        }),
      )
      return view(rq, prior, implied)
    }),
    at('GET', `${path}/{implies_role_id}`, 'implied_roles.show', 200, async (rq) => {
      enforce(rq, 'get_implied_role')
      const { prior, implied } = await known(rq)
      return view(rq, prior, implied)
    }),
    at('HEAD', `${path}/{implies_role_id}`, 'implied_roles.check', 204, async (rq) => {
      enforce(rq, 'check_implied_role')
      await known(rq)
      return {}
    }),
    at('DELETE', `${path}/{implies_role_id}`, 'implied_roles.delete', 204, async (rq) => {
      enforce(rq, 'delete_implied_role')
      const { key } = await known(rq)
      await db.transaction(async (tx) => {
        await deleteRows(tx, 'keystone_implied_roles', key)
        await house.revoke(tx, 'tables')
      })
      return {}
    }),
  ]
}
