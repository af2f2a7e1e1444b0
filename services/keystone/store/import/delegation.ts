/** Credentials, application credentials, trusts, OAuth, and the revocations that still hold. */
import { blob, count, flagOf, type ForeignKeystone, micros, naive, word, words } from '../foreign-keystone.ts'
import { findRow, updateRow } from '../rows.ts'
import type { Arrival } from './arrival.ts'
import { roleOf } from './identity.ts'

const WEEK = 604_800_000

/** `blobs`: those of the credentials, sealed with our keys, by id. */
export async function importDelegation(at: Arrival, foreign: ForeignKeystone, blobs: ReadonlyMap<string, string>): Promise<void> {
  for (const row of foreign.credential) {
    const id = word(row.id)
    await at.put('keystone_credentials', { id }, { id, user_id: word(row.user_id), project_id: words(row.project_id), type: word(row.type), encrypted_blob: blobs.get(id)!, extra: JSON.stringify(blob(row.extra)) })
  }
  await applicationCredentials(at, foreign)
  await trusts(at, foreign)
  for (const row of foreign.consumer) await at.put('keystone_consumers', { id: word(row.id) }, { id: word(row.id), description: words(row.description), secret: word(row.secret), extra: JSON.stringify(blob(row.extra)) })
  for (const row of foreign.access_token) {
    const roles = JSON.parse(word(row.role_ids) || '[]') as string[]
    await at.put('keystone_oauth_tokens', { id: word(row.id) }, {
      id: word(row.id), kind: 'access', secret: word(row.access_secret), consumer_id: word(row.consumer_id), project_id: word(row.project_id), user_id: words(row.authorizing_user_id), roles: JSON.stringify(roles.map((id) => roleOf(at, id))), verifier: null, expires_at: naive(row.expires_at),
    })
  }
  await revocations(at, foreign)
}

async function applicationCredentials(at: Arrival, foreign: ForeignKeystone): Promise<void> {
  const roles = Map.groupBy(foreign.application_credential_role, (row) => String(row.application_credential_id))
  const rules = Map.groupBy(foreign.application_credential_access_rule, (row) => String(row.application_credential_id))
  const externals = new Map(foreign.access_rule.map((row) => [String(row.id), word(row.external_id)]))
  for (const row of foreign.access_rule) await at.put('keystone_access_rules', { id: word(row.external_id) }, { id: word(row.external_id), user_id: word(row.user_id), service: word(row.service), path: word(row.path), method: word(row.method) })
  for (const row of foreign.application_credential) {
    const id = word(row.id)
    const bound = rules.get(String(row.internal_id))
    await at.put('keystone_application_credentials', { id }, {
      id, user_id: word(row.user_id), name: word(row.name), project_id: word(row.project_id), description: words(row.description), secret_hash: word(row.secret_hash), expires_at: micros(row.expires_at), expires_us: count(row.expires_at) % 1000,
      unrestricted: flagOf(row.unrestricted), roles: JSON.stringify((roles.get(String(row.internal_id)) ?? []).map((one) => roleOf(at, one.role_id))), access_rules: bound ? JSON.stringify(bound.map((one) => externals.get(String(one.access_rule_id)))) : null,
    })
  }
}

async function trusts(at: Arrival, foreign: ForeignKeystone): Promise<void> {
  const roles = Map.groupBy(foreign.trust_role, (row) => word(row.trust_id))
  for (const row of foreign.trust) {
    const id = word(row.id)
    await at.put('keystone_trusts', { id }, {
      id, trustor_user_id: word(row.trustor_user_id), trustee_user_id: word(row.trustee_user_id), project_id: words(row.project_id), impersonation: flagOf(row.impersonation), expires_at: micros(row.expires_at_int) ?? naive(row.expires_at), expires_us: count(row.expires_at_int) % 1000,
      deleted_at: naive(row.deleted_at), remaining_uses: row.remaining_uses === null ? null : count(row.remaining_uses), redelegated_trust_id: words(row.redelegated_trust_id), redelegation_count: count(row.redelegation_count),
      roles: JSON.stringify((roles.get(id) ?? []).map((one) => roleOf(at, one.role_id))), extra: JSON.stringify(blob(row.extra)),
    })
  }
}

/** Of one token or chain: kept. Of a user, project or domain: as the instant before which its tokens are dead. */
async function revocations(at: Arrival, foreign: ForeignKeystone): Promise<void> {
  for (const row of foreign.revocation_event) {
    const issued_before = naive(row.issued_before) ?? at.now
    const revoked_at = naive(row.revoked_at) ?? at.now
    const [audit_id, audit_chain_id] = [words(row.audit_id), words(row.audit_chain_id)]
    if (audit_id !== null || audit_chain_id !== null) {
      const known = audit_id === null ? { audit_chain_id } : { audit_id }
      await at.put('keystone_revocations', known, { id: at.newId(), audit_id, audit_chain_id, user_id: null, project_id: null, domain_id: null, trust_id: null, issued_before, revoked_at, forget_at: at.now + WEEK })
    } else if (row.role_id !== null || row.trust_id !== null || row.consumer_id !== null || row.access_token_id !== null) {
      continue // What they refer to is gone, and is looked at with every token.
    } else if (row.user_id !== null) {
      const user = await findRow(at.tx, 'keystone_users', { id: word(row.user_id) })
      if (user && user.revoked_before < issued_before) await updateRow(at.tx, 'keystone_users', { id: user.id }, { revoked_before: issued_before })
    } else {
      const project = await findRow(at.tx, 'keystone_projects', { id: word(row.project_id ?? row.domain_id) })
      if (project && project.revoked_before < issued_before) await updateRow(at.tx, 'keystone_projects', { id: project.id }, { revoked_before: issued_before })
    }
  }
}
