/** How Neutron speaks: `{"NeutronError": {"type", "message", "detail"}}`, and 409 for a quota. */
import type { FaultKind } from '#base/fault.ts'
import { type Dialect, JSON_HEADERS } from '#stack/dialect.ts'

/** The type of an error that has no name of its own. */
const TYPES: Partial<Record<FaultKind, string>> = {
  invalid: 'HTTPBadRequest',
  forbidden: 'PolicyNotAuthorized',
  not_found: 'HTTPNotFound',
  method_not_allowed: 'HTTPMethodNotAllowed',
  conflict: 'Conflict',
  over_quota: 'OverQuota',
  precondition: 'RevisionNumberConstraintFailed',
  too_large: 'HTTPRequestEntityTooLarge',
  unsupported_media: 'HTTPUnsupportedMediaType',
  not_implemented: 'HTTPNotImplemented',
  unavailable: 'ServiceUnavailable',
  internal: 'HTTPInternalServerError',
}

export const dialect: Dialect = {
  service: 'neutron',
  serviceType: 'network',
  order: 'validate-first',
  maxBody: 10 * 2 ** 20,
  status: { over_quota: 409 },
  refusal: (rule) => `rule:${rule} is disallowed by policy`,
  errorBody(fault, status) {
    // Codes of our own (`policy`, `sql.duplicate`) are no names of Neutron's.
    const named = fault.code !== undefined && /^[A-Z]/.test(fault.code) ? fault.code : undefined
    const message = status === 500 ? 'Request Failed: internal server error while processing your request.' : fault.message
    return { headers: { ...JSON_HEADERS }, body: JSON.stringify({ NeutronError: { type: named ?? TYPES[fault.kind] ?? 'NeutronException', message, detail: '' } }) }
  },
}
