/** Application credentials: a secret with some of a user's roles in one project, for programs; and the access rules that narrow them. */
import { forbidden, invalid } from '#base/fault.ts'
import type { Tx } from '#base/sql/database.ts'
import type { Row } from '#stack/resource/resource.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { fineInstantOr, type FineInstant, parseFine } from '../core/instant.ts'
import { hashGenerated } from '../core/password-hash.ts'
import { deleteRows, findRow, findRows, insertRow, rowsIn } from '../store/rows.ts'
import type { AccessRuleRow, ApplicationCredentialRow, KeystoneTables, RoleRow } from '../store/tables.ts'
import { newHash } from './auth/password.ts'
import { refuseRestricted } from './delegation.ts'
import type { Keystone } from './house.ts'
import { rolesNamed } from './named-roles.ts'
import { at, checked, enforce, listReply, newId, own, storing, there, v3 } from './steps.ts'

const ID = { type: 'string', minLength: 1, maxLength: 64 }
const BODY = {
  type: 'object',
  required: ['application_credential'],
  properties: {
    application_credential: {
      type: 'object',
      required: ['name'],
      properties: {
        name: { type: 'string', minLength: 1, maxLength: 255, pattern: String.raw`\S` },
        description: { type: ['string', 'null'] },
        secret: { type: ['string', 'null'], minLength: 1, maxLength: 255 },
        expires_at: { type: ['string', 'null'] },
        unrestricted: { type: ['boolean', 'null'] },
        roles: { type: 'array', items: { type: 'object', properties: { id: ID, name: { type: 'string', minLength: 1, maxLength: 255 }, domain_id: ID } } },
        access_rules: {
          type: 'array',
          items: {
            anyOf: [
              { type: 'object', required: ['id'], properties: { id: ID }, additionalProperties: false },
              {
                type: 'object',
                required: ['path', 'method', 'service'],
                properties: { path: { type: 'string', minLength: 1, maxLength: 255, pattern: '^/' }, method: { enum: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] }, service: { type: 'string', minLength: 1, maxLength: 64 } },
                additionalProperties: false,
              },
            ],
          },
        },
      },
      additionalProperties: true,
    },
  },
}

interface Ask {
  name: string
  description?: string | null
  secret?: string | null
  expires_at?: string | null
  unrestricted?: boolean | null
  roles?: { id?: string; name?: string; domain_id?: string }[]
  access_rules?: ({ id: string } | { path: string; method: string; service: string })[]
}

const ruleView = ({ id, service, path, method }: AccessRuleRow): Row => ({ id, service, path, method })

export function applicationCredentialRoutes(house: Keystone): Route[] {
  const { db } = house

  const views = async (rq: Rq, rows: readonly ApplicationCredentialRow[]): Promise<Row[]> => {
    const roles = new Map((await rowsIn(db, 'keystone_roles', 'id', [...new Set(rows.flatMap((row) => JSON.parse(row.roles) as string[]))])).map((row) => [row.id, row]))
    const rules = new Map((await rowsIn(db, 'keystone_access_rules', 'id', [...new Set(rows.flatMap((row) => JSON.parse(row.access_rules ?? '[]') as string[]))])).map((row) => [row.id, row]))
    return rows.map((row) => ({
      id: row.id,
      name: row.name,
      description: row.description,
      project_id: row.project_id,
      user_id: row.user_id,
      roles: (JSON.parse(row.roles) as string[]).flatMap((id) => (roles.has(id) ? [roleOf(roles.get(id)!)] : [])),
      expires_at: fineInstantOr(row.expires_at, row.expires_us),
      unrestricted: row.unrestricted === 1,
      ...(row.access_rules === null ? {} : { access_rules: (JSON.parse(row.access_rules) as string[]).flatMap((id) => (rules.has(id) ? [ruleView(rules.get(id)!)] : [])) }),
      system: null,
      links: { self: v3(rq, `users/${row.user_id}/application_credentials/${row.id}`) },
    }))
  }

  const create = async (rq: Rq): Promise<Reply> => {
    const user_id = rq.params.user_id!
    enforce(rq, 'create_application_credential', { user: { id: user_id } })
    const facts = own(rq)
    refuseRestricted(rq, 'additional application credentials')
    if (facts.trust_id !== undefined || facts.access_token_id !== undefined) throw forbidden('A delegated token cannot make application credentials.')
    checked(BODY, rq.body)
    const ask = (rq.body as { application_credential: Ask }).application_credential
    if (facts.project_id === undefined) throw invalid('Application credentials need a project-scoped token.', { field: 'project' })
    const roles = ask.roles && ask.roles.length > 0 ? await rolesNamed(house, ask.roles) : await rowsIn(db, 'keystone_roles', 'id', [...(facts.role_ids ?? [])])
    const held = new Set(facts.role_ids)
    for (const role of roles) if (!held.has(role.id)) throw invalid(`Invalid application credential: Could not find role assignment with role: ${role.id}, user or group: ${user_id}, project, domain, or system: ${facts.project_id}.`, { field: 'roles' })
    const expires = expiry(house, ask.expires_at)
    const limit = house.config.application_credential.user_limit
    const secret = ask.secret ?? house.world.random.bytes(64).toString('base64url')
    // Only a secret of the user's own making needs to be hard to guess from its hash.
    const secret_hash = ask.secret ? await newHash(house, ask.secret) : hashGenerated(secret, house.world.random.bytes(16))
    const row: ApplicationCredentialRow = {
      id: newId(house), user_id, name: ask.name, project_id: facts.project_id, description: ask.description ?? null, secret_hash, expires_at: expires?.ms ?? null, expires_us: expires?.us ?? 0,
      // A credential made by an unrestricted one may be unrestricted; nothing wider ever follows from something narrower.
      unrestricted: ask.unrestricted ? 1 : 0,
      roles: JSON.stringify(roles.map((role) => role.id)), access_rules: null,
    }
    if (facts.access_rules && !ask.access_rules) throw forbidden('A credential with access rules makes credentials with access rules only.')
    await storing('application_credential', `Duplicate entry found with name ${row.name}`, () =>
      db.transaction(async (tx) => {
        if (limit >= 0 && (await findRows(tx, 'keystone_application_credentials', { user_id })).length >= limit) throw forbidden(`Unable to create additional application credentials, maximum of ${limit} already exceeded for user.`)
        if (ask.access_rules) row.access_rules = JSON.stringify(await storeRules(house, tx, user_id, ask.access_rules))
        await insertRow(tx, 'keystone_application_credentials', row)
      }),
    )
    return { json: { application_credential: { ...(await views(rq, [row]))[0], secret } } }
  }

  const find = async (rq: Rq, action: string): Promise<ApplicationCredentialRow> => {
    const { user_id, application_credential_id } = rq.params
    enforce(rq, action, { user: { id: user_id } })
    const row = there(await findRow(db, 'keystone_application_credentials', { id: application_credential_id! }), 'application credential', application_credential_id!)
    if (row.user_id !== user_id) throw forbidden(`You are not authorized to perform the requested action: identity:${action}.`)
    return row
  }
  const list = async (rq: Rq): Promise<Reply> => {
    const user_id = rq.params.user_id!
    enforce(rq, 'list_application_credentials', { user: { id: user_id } })
    const name = rq.query.get('name')
    const rows = await findRows(db, 'keystone_application_credentials', { user_id, ...(name === null ? {} : { name }) }, 'id')
    return listReply(rq, 'application_credentials', await views(rq, rows))
  }
  const remove = async (rq: Rq): Promise<Reply> => {
    const row = await find(rq, 'delete_application_credential')
    refuseRestricted(rq, 'application credentials')
    await db.transaction(async (tx) => {
      await deleteRows(tx, 'keystone_application_credentials', { id: row.id })
      await house.revoke(tx)
    })
    return {}
  }

  const path = '/v3/users/{user_id}/application_credentials'
  return [
    at('GET', path, 'application_credentials.list', 200, list),
    at('POST', path, 'application_credentials.create', 201, create),
    at('GET', `${path}/{application_credential_id}`, 'application_credentials.show', 200, async (rq) => ({ json: { application_credential: (await views(rq, [await find(rq, 'get_application_credential')]))[0] } })),
    at('DELETE', `${path}/{application_credential_id}`, 'application_credentials.delete', 204, remove),
    ...accessRuleRoutes(house),
  ]
}

function accessRuleRoutes(house: Keystone): Route[] {
  const { db } = house
  const find = async (rq: Rq, action: string): Promise<AccessRuleRow> => {
    const { user_id, access_rule_id } = rq.params
    enforce(rq, action, { user: { id: user_id } })
    const row = await findRow(db, 'keystone_access_rules', { id: access_rule_id! })
    return there(row?.user_id === user_id ? row : undefined, 'access rule', access_rule_id!)
  }
  const view = (rq: Rq, row: AccessRuleRow): Row => ({ ...ruleView(row), links: { self: v3(rq, `users/${row.user_id}/access_rules/${row.id}`) } })
  const path = '/v3/users/{user_id}/access_rules'
  return [
    at('GET', path, 'access_rules.list', 200, async (rq) => {
      const user_id = rq.params.user_id!
      enforce(rq, 'list_access_rules', { user: { id: user_id } })
      const wanted = (['service', 'path', 'method'] as const).filter((key) => rq.query.has(key))
      const rows = (await findRows(db, 'keystone_access_rules', { user_id }, 'id')).filter((row) => wanted.every((key) => row[key] === rq.query.get(key)))
      return listReply(rq, 'access_rules', rows.map((row) => view(rq, row)))
    }),
    at('GET', `${path}/{access_rule_id}`, 'access_rules.show', 200, async (rq) => ({ json: { access_rule: view(rq, await find(rq, 'get_access_rule')) } })),
    at('DELETE', `${path}/{access_rule_id}`, 'access_rules.delete', 204, async (rq) => {
      const row = await find(rq, 'delete_access_rule')
      refuseRestricted(rq, 'access rules')
      const used = await findRows(db, 'keystone_application_credentials', { user_id: row.user_id })
      if (used.some((one) => (JSON.parse(one.access_rules ?? '[]') as string[]).includes(row.id))) throw forbidden(`Unable to delete access rule: it is in use by an application credential. Access rule: ${row.id}`)
      await deleteRows(db, 'keystone_access_rules', { id: row.id })
      return {}
    }),
  ]
}

const roleOf = (row: RoleRow): Row => ({ id: row.id, name: row.name, domain_id: row.domain_id || null, description: row.description, options: JSON.parse(row.options) as unknown })

function expiry(house: Keystone, text: string | null | undefined): FineInstant | null {
  if (text === null || text === undefined) return null
  const instant = parseFine(text)
  if (instant === undefined) throw invalid(`Invalid input for field 'expires_at': ${text}`, { field: 'expires_at' })
  if (instant.ms <= house.world.clock.now()) throw invalid('The `expires_at` must not be before now.', { field: 'expires_at' })
  return instant
}

/** The same rule of the same user is one rule. */
async function storeRules(house: Keystone, tx: Tx<KeystoneTables>, user_id: string, asked: NonNullable<Ask['access_rules']>): Promise<string[]> {
  const ids: string[] = []
  for (const rule of asked) {
    if ('id' in rule) {
      const row = await findRow(tx, 'keystone_access_rules', { id: rule.id })
      ids.push(there(row?.user_id === user_id ? row : undefined, 'access rule', rule.id).id)
      continue
    }
    const key = { user_id, service: rule.service, path: rule.path, method: rule.method }
    const known = await findRow(tx, 'keystone_access_rules', key)
    if (!known) await insertRow(tx, 'keystone_access_rules', { id: newId(house), ...key })
    ids.push((known ?? (await findRow(tx, 'keystone_access_rules', key)))!.id)
  }
  return [...new Set(ids)]
}
