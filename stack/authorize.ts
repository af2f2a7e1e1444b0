/** The question "may this caller do X to this target", asked of a policy engine. */
import { forbidden } from '#base/fault.ts'
import type { Context } from './context.ts'
import type { Dialect } from './dialect.ts'
import type { PolicyTarget } from './route.ts'

export interface Authorizer {
  check(rule: string, target: PolicyTarget, context: Context): boolean
  /** Why not, in names only, for the log of a refusal. */
  explain?(rule: string, target: PolicyTarget, context: Context): object
}

export function ownTarget(context: Context): PolicyTarget {
  return { project_id: context.project_id, tenant_id: context.project_id, user_id: context.user_id, domain_id: context.domain_id }
}

export function refuse(dialect: Dialect, rule: string): never {
  throw forbidden(dialect.refusal ? dialect.refusal(rule) : `Policy doesn't allow ${rule} to be performed.`, { code: 'policy', data: { rule } })
}
