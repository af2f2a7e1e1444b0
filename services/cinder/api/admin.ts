/** Cinder's policy asks `is_admin`, which another of its rules, `context_is_admin`, answers; and a token's project is an admin project unless it says otherwise. */
import type { Authorizer } from '#stack/authorize.ts'
import type { Context } from '#stack/context.ts'

/** Kept on the request's own context: a WeakMap of requests would keep each of them until the next full collection of garbage. */
const AWARE = Symbol('aware')

export function adminAware(authorizer: Authorizer): Authorizer {
  const aware = (context: Context & { [AWARE]?: Context }): Context => (context[AWARE] ??= { ...context, is_admin: authorizer.check('context_is_admin', {}, context), is_admin_project: context.is_admin_project ?? true })
  return {
    check: (rule, target, context) => authorizer.check(rule, target, aware(context)),
    ...(authorizer.explain ? { explain: (rule, target, context) => authorizer.explain!(rule, target, aware(context)) } : {}),
  }
}
