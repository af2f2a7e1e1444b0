/** Which domain a request is about when it does not say. */
import type { Rq } from '#stack/route.ts'

export const DEFAULT_DOMAIN = 'default'

/** The domain of a domain-scoped token: such callers see nothing beyond it. */
export function callerDomain(rq: Rq): string | undefined {
  return rq.context.domain_id
}

/** Where a new user, group or project goes without a `domain_id`. */
export function defaultDomainOf(rq: Rq): string {
  return rq.context.domain_id ?? rq.context.project_domain_id ?? DEFAULT_DOMAIN
}
