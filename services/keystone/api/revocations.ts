/** OS-REVOKE, and what is left of the certificates of old: an answer that says they are gone. */
import { gone, invalid } from '#base/fault.ts'
import type { Row } from '#stack/resource/resource.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { parseInstant, wireInstant } from '../core/instant.ts'
import { revocationsSince } from '../store/revocations.ts'
import type { RevocationRow } from '../store/tables.ts'
import type { Keystone } from './house.ts'
import { at, enforce, listReply } from './steps.ts'

export function revocationRoutes(house: Keystone): Route[] {
  const events = async (rq: Rq): Promise<Reply> => {
    enforce(rq, 'list_revoke_events')
    const text = rq.query.get('since')
    const since = text === null ? 0 : parseInstant(text)
    if (since === undefined) throw invalid(`Invalid input for field 'since': invalid date format ${text}`, { field: 'since' })
    const rows = await revocationsSince(house.db, since, house.world.clock.now())
    return listReply(rq, 'events', rows.map(view))
  }
  const goneForGood = (rule: string | undefined) => (rq: Rq): Reply => {
    if (rule) enforce(rq, rule)
    throw gone('This API is no longer available due to the removal of support for PKI tokens.')
  }
  return [
    at('GET', '/v3/OS-REVOKE/events', 'revoke.events', 200, events),
    at('GET', '/v3/auth/tokens/OS-PKI/revoked', 'pki.revoked', 410, goneForGood('revocation_list')),
    at('GET', '/v3/OS-SIMPLE-CERT/ca', 'simple_cert.ca', 410, goneForGood(undefined), { access: 'public' }),
    at('GET', '/v3/OS-SIMPLE-CERT/certificates', 'simple_cert.certificates', 410, goneForGood(undefined), { access: 'public' }),
  ]
}

function view(row: RevocationRow): Row {
  const event: Row = { issued_before: wireInstant(row.issued_before), revoked_at: wireInstant(row.revoked_at) }
  for (const [name, value] of [['audit_id', row.audit_id], ['audit_chain_id', row.audit_chain_id], ['user_id', row.user_id], ['project_id', row.project_id], ['domain_id', row.domain_id], ['OS-TRUST:trust_id', row.trust_id]] as const) if (value !== null) event[name] = value
  return event
}
