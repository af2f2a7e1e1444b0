/** The rules in force, and why one of them would let somebody in or not: for `ondol policy`. */
import { invalid } from '#base/fault.ts'
import type { Standing, StandingWish } from '#keystone/contract/bootstrap.ts'
import { nearest } from '#base/config.ts'
import type { Credentials, EffectiveRule, Enforcer, Explanation } from '#stack/policy/interface.ts'
import type { IdentityProcess } from '#keystone/contract/bootstrap.ts'
import type { Cloud } from './start-cloud.ts'

export interface ServiceRule extends EffectiveRule {
  service: string
}

export interface ServiceExplanation extends Explanation {
  service: string
  /** Names of the roles that the user has there, implied ones included. */
  roles: readonly string[]
}

export function policyRules(enforcers: ReadonlyMap<string, Enforcer>): ServiceRule[] {
  return [...enforcers].flatMap(([service, enforcer]) => enforcer.rules().map((rule) => ({ service, ...rule })))
}

/** `query`: rule, as, on | on_domain | on_system, domain, service, and target (`key=value`, any number). */
export async function explainPolicy(cloud: Pick<Cloud, 'enforcers' | 'controls'>, query: URLSearchParams): Promise<ServiceExplanation> {
  const rule = query.get('rule') ?? ''
  const service = query.get('service') ?? [...cloud.enforcers].find(([, enforcer]) => enforcer.rules().some(({ name }) => name === rule))?.[0]
  const enforcer = service === undefined ? undefined : cloud.enforcers.get(service)
  if (service === undefined || !enforcer) {
    const near = nearest(rule, policyRules(cloud.enforcers).map(({ name }) => name))
    throw invalid(service === undefined ? `No service has a rule '${rule}'${near ? `; did you mean ${near}?` : ''} (./ondol policy list)` : `There is no service '${service}'. There are: ${[...cloud.enforcers.keys()].join(', ')}.`)
  }
  const keystone = cloud.controls.get('keystone') as IdentityProcess
  const standing = await keystone.standing(wishOf(query))
  const credentials = credentialsOf(enforcer, standing)
  const target: Record<string, unknown> = { project_id: standing.project_id, tenant_id: standing.project_id, user_id: standing.user_id, domain_id: standing.domain_id }
  for (const pair of query.getAll('target')) {
    const at = pair.indexOf('=')
    if (at <= 0) throw invalid(`A target is key=value, not '${pair}'`, { field: 'target' })
    target[pair.slice(0, at)] = pair.slice(at + 1)
  }
  return { service, roles: standing.roles, ...enforcer.explain(rule, target, credentials) }
}

function wishOf(query: URLSearchParams): StandingWish {
  const user = query.get('as')
  if (!user) throw invalid('Say who: --as USER', { field: 'as' })
  const [project, domain] = [query.get('on'), query.get('on_domain')]
  const scope = project ? { project } : domain ? { domain } : query.has('on_system') ? ({ system: true } as const) : undefined
  const home = query.get('domain')
  return { user, scope, ...(home ? { domain: home } : {}) }
}

/** As the corridor and the houses give them to the rules. */
function credentialsOf(enforcer: Enforcer, standing: Standing): Credentials {
  const credentials: Credentials = { ...standing, is_admin: false, is_admin_project: true, service_roles: [] }
  return { ...credentials, is_admin: enforcer.has('context_is_admin') && enforcer.check('context_is_admin', {}, credentials) }
}
