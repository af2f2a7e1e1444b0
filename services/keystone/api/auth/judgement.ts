/**
 * Is what a token says still true? Everything is read from what is stored now: the user, the domains, the project, the assignments, a
 * trust or an application credential, and the revocations. Nothing about a token is kept, so nothing has to be kept right.
 */
import { forbidden, unauthenticated } from '#base/fault.ts'
import { type RoleFacts, inferRoles, tokenRoles } from '../../core/role-inference.ts'
import type { TokenRecord } from '../../core/token-payload.ts'
import { assignmentsAt, groupIdsOf } from '../../store/assignments.ts'
import { expiringGroupIdsOf } from '../../store/federated-users.ts'
import type { MemoryTables } from '../../store/memory-tables.ts'
import { ancestorsOf } from '../../store/projects.ts'
import { isRevoked } from '../../store/revocations.ts'
import { type Db, findRow, rowsIn } from '../../store/rows.ts'
import type { AccessRuleRow, ApplicationCredentialRow, OauthTokenRow, ProjectRow, TrustRow, UserRow } from '../../store/tables.ts'
import { currentPassword, getUser } from '../../store/users.ts'

export interface Judged {
  record: TokenRecord
  user: UserRow
  user_domain: ProjectRow
  password_expires_at: number | null
  project?: ProjectRow
  project_domain?: ProjectRow
  domain?: ProjectRow
  roles: readonly RoleFacts[]
  trust?: TrustRow
  /** Whom the token acts as when a trust impersonates. */
  trustor?: UserRow
  trustor_domain?: ProjectRow
  application_credential?: ApplicationCredentialRow
  access_rules?: AccessRuleRow[]
  oauth?: OauthTokenRow
}

/** Wrong in a way that is told to nobody but the log. */
const no = (detail: string): never => {
  throw unauthenticated('The request you have made requires authentication.', { detail })
}

export interface JudgeParts {
  db: Db
  tables: MemoryTables
  now: number
  /** Milliseconds by which a token may be over its time. */
  grace?: number
  federation_ttl: number
}

/** Throws an `unauthenticated` (or, for a trust that lost its ground, `forbidden`) Fault when it is not true (any more). */
export async function judge(parts: JudgeParts, record: TokenRecord): Promise<Judged> {
  const { db, now } = parts
  if (record.expires_at + (parts.grace ?? 0) <= now) no('The token has expired')
  const user = (await getUser(db, record.user_id)) ?? no('The user is gone')
  const ids = new Set([user.domain_id])
  if (record.project_id !== undefined) ids.add(record.project_id)
  if (record.domain_id !== undefined) ids.add(record.domain_id)
  const found = new Map((await rowsIn(db, 'keystone_projects', 'id', [...ids])).map((row) => [row.id, row]))
  const user_domain = found.get(user.domain_id) ?? no('The domain of the user is gone')
  live(user, user_domain, record)
  const judged: Judged = { record, user, user_domain, roles: [], password_expires_at: null }
  const [own, chain] = record.audit_ids
  if (own === undefined || (await isRevoked(db, own, chain ?? own))) no('The token was revoked')
  judged.password_expires_at = user.federated === 1 ? null : ((await currentPassword(db, user.id))?.expires_at ?? null)

  if (record.project_id !== undefined) {
    const project = found.get(record.project_id) ?? no('The project is gone')
    if (project.enabled !== 1) no('The project is disabled')
    if (record.issued_at <= project.revoked_before) no('The project was disabled after the token was issued')
    const project_domain = project.is_domain === 1 ? project : (found.get(project.domain_id) ?? (await findRow(db, 'keystone_projects', { id: project.domain_id })) ?? no('The domain of the project is gone'))
    if (project_domain.enabled !== 1 || record.issued_at <= project_domain.revoked_before) no('The domain of the project is disabled')
    judged.project = project
    judged.project_domain = project_domain
  }
  if (record.domain_id !== undefined) {
    const domain = found.get(record.domain_id)
    if (!domain || domain.is_domain !== 1 || domain.enabled !== 1 || record.issued_at <= domain.revoked_before) no('The domain is gone or disabled')
    judged.domain = domain!
  }
  if (record.trust_id !== undefined) await trusted(parts, judged)
  else if (record.application_credential_id !== undefined) await credentialed(parts, judged)
  else if (record.access_token_id !== undefined) await delegated(parts, judged)
  else if (record.project_id !== undefined || record.domain_id !== undefined || record.system !== undefined) judged.roles = await rolesOf(parts, user.id, scopeOf(judged), record.group_ids)
  const scoped = record.project_id !== undefined || record.domain_id !== undefined || record.system !== undefined
  if (scoped && judged.roles.length === 0) no('The user has no role there')
  return judged
}

function live(user: UserRow, domain: ProjectRow, record: TokenRecord): void {
  if (user.enabled !== 1) no('The user is disabled')
  if (record.issued_at <= user.revoked_before) no('The user changed after the token was issued')
  if (domain.enabled !== 1 || record.issued_at <= domain.revoked_before) no('The domain of the user is disabled')
}

export type RoleScope = { project: ProjectRow } | { domain_id: string } | { system: true }

function scopeOf(judged: Judged): RoleScope {
  if (judged.project) return { project: judged.project }
  return judged.domain ? { domain_id: judged.domain.id } : { system: true }
}

/** Ids of the roles that a user holds there by assignment, own or of a group, direct or inherited; not inferred. */
export async function assignedRoles(parts: Pick<JudgeParts, 'db' | 'now' | 'federation_ttl'>, user_id: string, scope: RoleScope, groups: readonly string[] = []): Promise<Set<string>> {
  const { db } = parts
  const actors = [user_id, ...(await groupIdsOf(db, user_id)), ...(await expiringGroupIdsOf(db, user_id, parts.now, parts.federation_ttl)), ...groups]
  const held = new Set<string>()
  if ('system' in scope) {
    for (const row of await assignmentsAt(db, actors, ['system'])) if (row.target_kind === 'system') held.add(row.role_id)
    return held
  }
  if ('domain_id' in scope) {
    for (const row of await assignmentsAt(db, actors, [scope.domain_id])) if (row.target_kind === 'domain' && row.inherited === 0) held.add(row.role_id)
    return held
  }
  const { project } = scope
  const above = project.is_domain === 1 ? [] : project.parent_id === project.domain_id ? [project.domain_id] : (await ancestorsOf(db, project)).map((row) => row.id)
  for (const row of await assignmentsAt(db, actors, [project.id, ...above])) {
    if (row.target_id === project.id ? row.target_kind === 'project' && row.inherited === 0 : row.inherited === 1) held.add(row.role_id)
  }
  return held
}

export async function rolesOf(parts: JudgeParts, user_id: string, scope: RoleScope, groups: readonly string[] = []): Promise<RoleFacts[]> {
  const { roles, implies } = parts.tables
  return tokenRoles(await assignedRoles(parts, user_id, scope, groups), implies, roles)
}

async function trusted(parts: JudgeParts, judged: Judged): Promise<void> {
  const { db, now, tables } = parts
  const trust = await findRow(db, 'keystone_trusts', { id: judged.record.trust_id! })
  if (!trust || trust.deleted_at !== null || (trust.expires_at !== null && trust.expires_at <= now)) return no('The trust is over')
  if (trust.trustee_user_id !== judged.record.user_id) return no('The trust is for another user')
  const trustor = (await getUser(db, trust.trustor_user_id)) ?? no('The trustor is gone')
  const domain = (await findRow(db, 'keystone_projects', { id: trustor.domain_id })) ?? no('The domain of the trustor is gone')
  live(trustor, domain, judged.record)
  judged.trust = trust
  judged.trustor = trustor
  judged.trustor_domain = domain
  if (!judged.project) return
  const held = new Set(inferRoles(await assignedRoles(parts, trustor.id, { project: judged.project }), tables.implies))
  const lent = JSON.parse(trust.roles) as string[]
  if (!lent.every((id) => held.has(id))) throw forbidden('You are not authorized to perform the requested action: the trustor has lost a role that the trust lends.')
  judged.roles = tokenRoles(lent, tables.implies, tables.roles)
}

async function credentialed(parts: JudgeParts, judged: Judged): Promise<void> {
  const { db, now, tables } = parts
  const credential = await findRow(db, 'keystone_application_credentials', { id: judged.record.application_credential_id! })
  if (!credential || (credential.expires_at !== null && credential.expires_at <= now) || credential.user_id !== judged.user.id) return no('The application credential is gone')
  if (!judged.project || credential.project_id !== judged.project.id) return no('The application credential is for another project')
  const held = new Set(inferRoles(await assignedRoles(parts, judged.user.id, { project: judged.project }), tables.implies))
  judged.application_credential = credential
  judged.roles = tokenRoles((JSON.parse(credential.roles) as string[]).filter((id) => held.has(id)), tables.implies, tables.roles)
  if (credential.access_rules !== null) {
    const wanted = new Set(JSON.parse(credential.access_rules) as string[])
    judged.access_rules = (await rowsIn(db, 'keystone_access_rules', 'id', [...wanted])).sort((a, b) => a.id.localeCompare(b.id))
  }
}

async function delegated(parts: JudgeParts, judged: Judged): Promise<void> {
  const { db, now, tables } = parts
  const token = await findRow(db, 'keystone_oauth_tokens', { id: judged.record.access_token_id! })
  if (!token || token.kind !== 'access' || (token.expires_at !== null && token.expires_at <= now) || token.user_id !== judged.user.id) return no('The access token is gone')
  if (!judged.project || token.project_id !== judged.project.id) return no('The access token is for another project')
  const held = new Set(inferRoles(await assignedRoles(parts, judged.user.id, { project: judged.project }), tables.implies))
  judged.oauth = token
  judged.roles = tokenRoles((JSON.parse(token.roles) as string[]).filter((id) => held.has(id)), tables.implies, tables.roles)
}
