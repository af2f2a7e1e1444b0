/** Users. */
import { forbidden, invalid } from '#base/fault.ts'
import { structured } from '#stack/resource/field.ts'
import { type Resource, type Row, toWire } from '#stack/resource/resource.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { naiveInstantOr, parseInstant } from '../core/instant.ts'
import { dropUser } from '../store/clean-up.ts'
import { getDomain, getProject } from '../store/projects.ts'
import { findRows, insertRow, rowsIn, updateRow } from '../store/rows.ts'
import type { UserRow } from '../store/tables.ts'
import { currentPasswords, type ExpiryBound, getUser, usersByExpiry } from '../store/users.ts'
import { assertStrength, changeOwnPassword, isEnabled, killTokensOf, newHash, storePassword } from './auth/password.ts'
import { callerDomain, defaultDomainOf } from './domain-scope.ts'
import { assertLinks, type FederatedLink, keepLinks, LINKS_SCHEMA, linksView } from './federated-links.ts'
import { id, name, onOff, ref } from './fields.ts'
import type { Keystone } from './house.ts'
import { at, checked, created, enforce, equals, listReply, mergedExtra, mergedOptions, newId, page, storing, there, updated, v3 } from './steps.ts'

const OPTIONAL_FLAG = { type: ['boolean', 'null'] }

export const USER: Resource = {
  one: 'user',
  many: 'users',
  path: '/v3/users',
  table: 'keystone_users',
  extra: 'extra',
  fields: {
    id: id(),
    name: name(255),
    domain_id: ref(),
    enabled: onOff(),
    default_project_id: ref(),
    password: { schema: { type: ['string', 'null'] }, stored: 'none', parse: () => undefined, post: 'optional', put: true, filter: false, sort: false },
    federated: { schema: LINKS_SCHEMA, stored: 'none', parse: () => undefined, post: 'optional', put: true, filter: false, sort: false },
    options: structured(
      {
        type: 'object',
        additionalProperties: false,
        properties: {
          ignore_change_password_upon_first_use: OPTIONAL_FLAG,
          ignore_password_expiry: OPTIONAL_FLAG,
          ignore_lockout_failure_attempts: OPTIONAL_FLAG,
          ignore_user_inactivity: OPTIONAL_FLAG,
          lock_password: OPTIONAL_FLAG,
          multi_factor_auth_enabled: OPTIONAL_FLAG,
          multi_factor_auth_rules: { anyOf: [{ type: 'null' }, { type: 'array', items: { type: 'array', items: { type: 'string' }, minItems: 1, uniqueItems: true }, uniqueItems: true }] },
        },
      },
      { post: 'optional', put: true, default: {} },
    ),
  },
}

export async function userViews(house: Keystone, rq: Rq, rows: readonly UserRow[]): Promise<Row[]> {
  const ids = rows.map((row) => row.id)
  const passwords = await currentPasswords(house.db, ids)
  const federated = Map.groupBy(await rowsIn(house.db, 'keystone_federated_users', 'user_id', rows.filter((row) => row.federated !== 0).map((row) => row.id)), (row) => row.user_id)
  return rows.map((row) => {
    const view = toWire(USER, row as unknown as Row)
    view.enabled = isEnabled(house, row)
    if (view.default_project_id === null) delete view.default_project_id
    view.password_expires_at = naiveInstantOr(passwords.get(row.id)?.expires_at ?? null)
    const objects = federated.get(row.id)
    if (objects) view.federated = linksView(objects)
    view.links = { self: v3(rq, `users/${row.id}`) }
    return view
  })
}

export function userTarget(user: UserRow | undefined): Row {
  return user ? { user: { id: user.id, domain_id: user.domain_id, name: user.name } } : {}
}

export function userRoutes(house: Keystone): Route[] {
  const { db } = house

  const one = async (rq: Rq, row: UserRow): Promise<Reply> => ({ json: { user: (await userViews(house, rq, [row]))[0] } })

  const list = async (rq: Rq): Promise<Reply> => {
    const domain = callerDomain(rq)
    enforce(rq, 'list_users', domain === undefined ? {} : { domain_id: domain })
    const scope = domain === undefined ? [] : [equals('domain_id', domain)]
    const expiry = rq.query.getAll('password_expires_at')
    if (expiry.length > 0) scope.push({ column: 'id', op: 'in', value: await usersByExpiry(db, expiryBounds(expiry)) })
    const unique = Object.fromEntries((['idp_id', 'protocol_id', 'unique_id'] as const).filter((key) => rq.query.has(key)).map((key) => [key, rq.query.get(key)!]))
    if (Object.keys(unique).length > 0) scope.push({ column: 'id', op: 'in', value: (await findRows(db, 'keystone_federated_users', unique)).map((row) => row.user_id) })
    await house.directories.freshen()
    const { rows, ...more } = await page<UserRow>(house, rq, USER, scope)
    return listReply(rq, 'users', await userViews(house, rq, rows), more)
  }

  const create = async (rq: Rq): Promise<Reply> => {
    const given = ((rq.body as Row | undefined)?.user ?? {}) as Row
    const domain_id = typeof given.domain_id === 'string' ? given.domain_id : defaultDomainOf(rq)
    enforce(rq, 'create_user', { user: { ...given, domain_id } })
    await house.directories.assertWritable(domain_id)
    const record = created(USER, rq)
    const password = record.password as string | null
    if (password !== null) assertStrength(house, password)
    const domain = there(await getDomain(db, domain_id), 'domain', domain_id)
    if (domain.enabled !== 1) throw forbidden(`Domain is disabled: ${domain_id}.`)
    await assertDefaultProject(house, record.default_project_id as string | null)
    const links = (record.federated ?? []) as FederatedLink[]
    await assertLinks(db, links)
    const now = house.world.clock.now()
    const row: UserRow = {
      id: newId(house), domain_id, name: record.name as string, enabled: record.enabled === false ? 0 : 1, default_project_id: record.default_project_id as string | null,
      options: mergedOptions('{}', record), extra: JSON.stringify(record.extra), created_at: now, last_active_at: house.config.security_compliance.disable_user_account_days_inactive === null ? null : now,
      failed_auth_count: 0, failed_auth_at: null, revoked_before: 0, federated: links.length > 0 ? 2 : 0,
    }
    const hash = password === null ? undefined : await newHash(house, password)
    await storing('user', `Duplicate entry found with name ${row.name} at domain ID ${domain_id}`, () =>
      db.transaction(async (tx) => {
        await insertRow(tx, 'keystone_users', row)
        if (hash !== undefined) await storePassword(house, tx, row, hash, { self_service: false, first: true })
        if (links.length > 0) await keepLinks(tx, row, links)
      }),
    )
    return one(rq, row)
  }

  const find = async (rq: Rq, action: string): Promise<UserRow> => {
    const user = await getUser(db, rq.params.user_id!)
    enforce(rq, action, userTarget(user))
    return there(user, 'user', rq.params.user_id!)
  }

  const update = async (rq: Rq): Promise<Reply> => {
    const user = await find(rq, 'update_user')
    await house.directories.assertWritable(user.domain_id)
    const patch = updated(USER, rq, user.id)
    if (patch.domain_id !== undefined && patch.domain_id !== user.domain_id) throw invalid('Cannot change Domain ID', { field: 'domain_id' })
    const domain = await getDomain(db, user.domain_id)
    if (domain?.enabled !== 1) throw forbidden(`Domain is disabled: ${user.domain_id}.`)
    if (typeof patch.default_project_id === 'string') await assertDefaultProject(house, patch.default_project_id)
    const password = patch.password as string | null | undefined
    if (typeof password === 'string') assertStrength(house, password)
    const links = (patch.federated ?? []) as FederatedLink[]
    await assertLinks(db, links)
    const hash = typeof password === 'string' ? await newHash(house, password) : undefined
    const row: UserRow = {
      ...user,
      ...(patch.name === undefined ? {} : { name: patch.name as string }),
      ...(patch.default_project_id === undefined ? {} : { default_project_id: patch.default_project_id as string | null }),
      ...(patch.enabled === undefined ? {} : { enabled: patch.enabled ? 1 : 0 }),
      ...(patch.enabled === true && user.enabled === 0 ? { last_active_at: house.world.clock.now(), failed_auth_count: 0, failed_auth_at: null } : {}),
      ...(links.length > 0 && user.federated === 0 ? { federated: 2 } : {}),
      options: mergedOptions(user.options, patch),
      extra: mergedExtra(user.extra, patch),
    }
    await storing('user', `Duplicate entry found with name ${row.name} at domain ID ${row.domain_id}`, () =>
      db.transaction(async (tx) => {
        const { id: _, ...columns } = row
        await updateRow(tx, 'keystone_users', { id: user.id }, columns)
        if (links.length > 0) await keepLinks(tx, row, links)
        if (hash !== undefined) await storePassword(house, tx, row, hash, { self_service: false, first: false })
        else if (row.enabled === 0 && user.enabled === 1) await killTokensOf(house, tx, row)
        else await house.widen(tx)
      }),
    )
    return one(rq, row)
  }

  const remove = async (rq: Rq): Promise<Reply> => {
    const user = await find(rq, 'delete_user')
    await house.directories.assertWritable(user.domain_id)
    await db.transaction(async (tx) => {
      await dropUser(tx, user.id)
      await house.revoke(tx)
    })
    return {}
  }

  const password = async (rq: Rq): Promise<Reply> => {
    checked(
      { type: 'object', required: ['user'], properties: { user: { type: 'object', required: ['original_password', 'password'], properties: { original_password: { type: 'string' }, password: { type: 'string' } } } } },
      rq.body,
    )
    const { original_password, password: wish } = (rq.body as { user: { original_password: string; password: string } }).user
    await changeOwnPassword(house, await getUser(db, rq.params.user_id!), original_password, wish)
    return {}
  }

  return [
    at('GET', '/v3/users', 'users.list', 200, list),
    at('POST', '/v3/users', 'users.create', 201, create),
    at('GET', '/v3/users/{user_id}', 'users.show', 200, async (rq) => one(rq, await find(rq, 'get_user'))),
    at('PATCH', '/v3/users/{user_id}', 'users.update', 200, update),
    at('DELETE', '/v3/users/{user_id}', 'users.delete', 204, remove),
    at('POST', '/v3/users/{user_id}/password', 'users.password', 204, password, { access: 'public' }),
  ]
}

async function assertDefaultProject(house: Keystone, id: string | null): Promise<void> {
  if (id === null) return
  const project = await getProject(house.db, id)
  if (project?.is_domain === 1) throw invalid('User’s default project ID cannot be a domain ID: ' + id, { field: 'default_project_id' })
}

/** `password_expires_at=lt:2026-11-21T00:00:00Z`. */
function expiryBounds(filters: readonly string[]): ExpiryBound[] {
  return filters.map((filter) => {
    const [, operator = 'eq', text] = /^(?:(lte?|gte?|n?eq):)?(.*)$/.exec(filter) ?? []
    const at = parseInstant(text ?? '')
    if (at === undefined) throw invalid(`Invalid input for field 'password_expires_at': ${filter}`, { field: 'password_expires_at' })
    return { operator: operator as ExpiryBound['operator'], at }
  })
}
