/** OS-TRUST: a user lends roles in a project to another user, for a time or a number of uses. */
import { forbidden, invalid, notFound } from '#base/fault.ts'
import type { Row } from '#stack/resource/resource.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { fineInstantOr, type FineInstant, parseFine } from '../core/instant.ts'
import { inferRoles } from '../core/role-inference.ts'
import { getProject } from '../store/projects.ts'
import { findRow, insertRow, rowsIn } from '../store/rows.ts'
import type { RoleRow, TrustRow } from '../store/tables.ts'
import { endTrust, listTrusts } from '../store/trusts.ts'
import { getUser } from '../store/users.ts'
import { assignedRoles } from './auth/judgement.ts'
import { refuseRestricted } from './delegation.ts'
import type { Keystone } from './house.ts'
import { rolesNamed } from './named-roles.ts'
import { roleView } from './roles.ts'
import { at, checked, enforce, listReply, newId, own, there, v3 } from './steps.ts'

const ID = { type: 'string', minLength: 1, maxLength: 64 }
const TRUST_BODY = {
  type: 'object',
  required: ['trust'],
  properties: {
    trust: {
      type: 'object',
      required: ['trustee_user_id', 'trustor_user_id', 'impersonation'],
      properties: {
        trustor_user_id: ID,
        trustee_user_id: ID,
        impersonation: { type: 'boolean' },
        project_id: { anyOf: [ID, { type: 'null' }] },
        remaining_uses: { type: ['integer', 'null'], minimum: 1 },
        expires_at: { type: ['string', 'null'] },
        allow_redelegation: { type: ['boolean', 'null'] },
        redelegation_count: { type: ['integer', 'null'], minimum: 0 },
        roles: { type: 'array', items: { type: 'object', properties: { id: ID, name: { type: 'string', minLength: 1, maxLength: 255 } }, minProperties: 1, maxProperties: 2, additionalProperties: false } },
      },
    },
  },
}

interface TrustAsk {
  trustor_user_id: string
  trustee_user_id: string
  impersonation: boolean
  project_id?: string | null
  remaining_uses?: number | null
  expires_at?: string | null
  allow_redelegation?: boolean | null
  redelegation_count?: number | null
  roles?: { id?: string; name?: string }[]
}

const target = (row: TrustRow | undefined): Row => (row ? { trust: { id: row.id, trustor_user_id: row.trustor_user_id, trustee_user_id: row.trustee_user_id, project_id: row.project_id } } : {})

function zulu(ms: number | null, us = 0): string | null {
  return ms === null ? null : `${fineInstantOr(ms, us)}Z`
}

export function trustRoutes(house: Keystone): Route[] {
  const { db } = house

  const view = async (rq: Rq, row: TrustRow, roles?: readonly RoleRow[]): Promise<Row> => ({
    ...(JSON.parse(row.extra) as Row),
    id: row.id,
    trustor_user_id: row.trustor_user_id,
    trustee_user_id: row.trustee_user_id,
    project_id: row.project_id,
    impersonation: row.impersonation === 1,
    expires_at: zulu(row.expires_at, row.expires_us),
    deleted_at: zulu(row.deleted_at),
    remaining_uses: row.remaining_uses,
    redelegated_trust_id: row.redelegated_trust_id,
    redelegation_count: row.redelegation_count,
    ...(roles ? { roles: roles.map((role) => roleView(rq, role)) } : {}),
    roles_links: { next: null, self: v3(rq, `OS-TRUST/trusts/${row.id}/roles`), previous: null },
    links: { self: v3(rq, `OS-TRUST/trusts/${row.id}`) },
  })
  const rolesOf = async (row: TrustRow): Promise<RoleRow[]> => rowsIn(db, 'keystone_roles', 'id', JSON.parse(row.roles) as string[])
  const find = async (rq: Rq, action: string): Promise<TrustRow> => {
    const row = await findRow(db, 'keystone_trusts', { id: rq.params.trust_id! })
    enforce(rq, action, target(row))
    const now = house.world.clock.now()
    return there(row && row.deleted_at === null && (row.expires_at === null || row.expires_at > now || action === 'delete_trust') ? row : undefined, 'trust', rq.params.trust_id!)
  }

  const create = async (rq: Rq): Promise<Reply> => {
    const given = ((rq.body as Row | undefined)?.trust ?? {}) as Row
    enforce(rq, 'create_trust', { trust: given })
    refuseRestricted(rq, 'trusts')
    checked(TRUST_BODY, rq.body)
    const ask = (rq.body as { trust: TrustAsk }).trust
    if (ask.trustor_user_id !== own(rq).user_id) throw forbidden('The authenticated user should match the trustor.')
    there(await getUser(db, ask.trustee_user_id), 'user', ask.trustee_user_id)
    const project_id = ask.project_id ?? null
    const wanted = ask.roles ?? []
    if (project_id === null && wanted.length > 0) throw invalid('A trust with roles needs a project_id.', { field: 'project_id' })
    if (project_id !== null && wanted.length === 0) throw forbidden('At least one role should be specified.')
    const expires = expiry(house, ask.expires_at)
    const expires_at = expires?.ms ?? null
    const roles = await rolesNamed(house, wanted)
    if (project_id !== null) {
      const project = there(await getProject(db, project_id), 'project', project_id)
      if (own(rq).application_credential_id !== undefined && project_id !== own(rq).project_id) throw forbidden('An application credential lends roles of its own project only.')
      const held = own(rq).application_credential_id === undefined
        ? new Set(inferRoles(await assignedRoles({ db, now: house.world.clock.now(), federation_ttl: house.config.federation.default_authorization_ttl * 60_000 }, ask.trustor_user_id, { project }, own(rq).group_ids), (await house.tokens.tables()).implies))
        : new Set(own(rq).role_ids)
      for (const role of roles) if (!held.has(role.id)) throw notFound(`Could not find role: ${role.id}.`)
    }
    const redelegation = await redelegate(house, rq, ask, roles, expires_at)
    const row: TrustRow = {
      id: newId(house), trustor_user_id: ask.trustor_user_id, trustee_user_id: ask.trustee_user_id, project_id, impersonation: ask.impersonation ? 1 : 0, expires_at, expires_us: expires?.us ?? 0, deleted_at: null,
      remaining_uses: ask.remaining_uses ?? null, ...redelegation, roles: JSON.stringify(roles.map((role) => role.id)), extra: '{}',
    }
    await insertRow(db, 'keystone_trusts', row)
    return { json: { trust: await view(rq, row, roles) } }
  }

  const list = async (rq: Rq): Promise<Reply> => {
    const trustor = rq.query.get('trustor_user_id') ?? undefined
    const trustee = rq.query.get('trustee_user_id') ?? undefined
    const asked = { trust: { ...(trustor === undefined ? {} : { trustor_user_id: trustor }), ...(trustee === undefined ? {} : { trustee_user_id: trustee }) } }
    if (trustor === undefined && trustee === undefined) enforce(rq, 'list_trusts')
    if (trustor !== undefined) enforce(rq, 'list_trusts_for_trustor', asked)
    if (trustee !== undefined) enforce(rq, 'list_trusts_for_trustee', asked)
    const rows = await listTrusts(db, { ...(trustor === undefined ? {} : { trustor_user_id: trustor }), ...(trustee === undefined ? {} : { trustee_user_id: trustee }) })
    const now = house.world.clock.now()
    return listReply(rq, 'trusts', await Promise.all(rows.filter((row) => row.expires_at === null || row.expires_at > now).map((row) => view(rq, row))))
  }

  const remove = async (rq: Rq): Promise<Reply> => {
    const row = await find(rq, 'delete_trust')
    refuseRestricted(rq, 'trusts')
    await db.transaction(async (tx) => {
      await endTrust(tx, row.id, house.world.clock.now())
      await house.revoke(tx)
    })
    return {}
  }

  const role = async (rq: Rq): Promise<Reply> => {
    const found = (await rolesOf(await find(rq, 'get_role_for_trust'))).find((one) => one.id === rq.params.role_id)
    return { json: { role: roleView(rq, there(found, 'role', rq.params.role_id!)) } }
  }

  const path = '/v3/OS-TRUST/trusts'
  return [
    at('GET', path, 'trusts.list', 200, list),
    at('POST', path, 'trusts.create', 201, create),
    at('GET', `${path}/{trust_id}`, 'trusts.show', 200, async (rq) => {
      const row = await find(rq, 'get_trust')
      return { json: { trust: await view(rq, row, await rolesOf(row)) } }
    }),
    at('DELETE', `${path}/{trust_id}`, 'trusts.delete', 204, remove),
    at('GET', `${path}/{trust_id}/roles`, 'trusts.roles', 200, async (rq) => {
      const roles = await rolesOf(await find(rq, 'list_roles_for_trust'))
      return listReply(rq, 'roles', roles.map((one) => roleView(rq, one)))
    }),
    at('GET', `${path}/{trust_id}/roles/{role_id}`, 'trusts.role', 200, role),
    at('HEAD', `${path}/{trust_id}/roles/{role_id}`, 'trusts.role', 200, role),
  ]
}

function expiry(house: Keystone, text: string | null | undefined): FineInstant | null {
  if (text === null || text === undefined) return null
  const instant = parseFine(text)
  if (instant === undefined) throw invalid(`Invalid input for field 'expires_at': the format must be ISO 8601, e.g. 2026-11-21T00:00:00.000000Z. ${text}`, { field: 'expires_at' })
  if (instant.ms <= house.world.clock.now()) throw invalid('The `expires_at` must not be before now. The server could not comply with the request since it is either malformed or otherwise incorrect.', { field: 'expires_at' })
  return instant
}

/** A trustee may pass on what was lent, never more, never longer, and only as often as was allowed. */
async function redelegate(house: Keystone, rq: Rq, ask: TrustAsk, roles: readonly RoleRow[], expires_at: number | null): Promise<Pick<TrustRow, 'redelegated_trust_id' | 'redelegation_count'>> {
  const rules = house.config.trust
  const from = own(rq).trust_id
  const count = ask.allow_redelegation ? (ask.redelegation_count ?? rules.max_redelegation_count) : 0
  if (count > rules.max_redelegation_count) throw forbidden(`Requested redelegation depth of ${count} is greater than allowed ${rules.max_redelegation_count}.`)
  if (ask.allow_redelegation && ask.remaining_uses) throw invalid('remaining_uses must not be set if redelegation is allowed', { field: 'remaining_uses' })
  if (from === undefined) return { redelegated_trust_id: null, redelegation_count: count }
  const parent = there(await findRow(house.db, 'keystone_trusts', { id: from }), 'trust', from)
  if (!rules.allow_redelegation || parent.redelegation_count < 1) throw forbidden(`Remaining redelegation depth of ${parent.redelegation_count} out of allowed range of [0..${rules.max_redelegation_count}].`)
  if (parent.remaining_uses !== null) throw forbidden('A trust with limited uses cannot be passed on.')
  if (parent.expires_at !== null && (expires_at === null || expires_at > parent.expires_at)) throw forbidden('Requested expiration time is more than redelegated trust can provide.')
  const lent = new Set(JSON.parse(parent.roles) as string[])
  if (roles.some((role) => !lent.has(role.id))) throw forbidden('Some of requested roles are not in redelegated trust.')
  if (ask.impersonation && parent.impersonation !== 1) throw forbidden('Impersonation is not allowed because redelegated trust does not specify impersonation.')
  if ((ask.project_id ?? null) !== parent.project_id) throw forbidden('A trust is passed on for its own project only.')
  return { redelegated_trust_id: parent.id, redelegation_count: Math.min(count, parent.redelegation_count - 1) }
}
