/** Cinder's policy asks `is_admin`, which another of its rules, `context_is_admin`, answers; and a token's project is an admin project unless it says otherwise. */
import type { Authorizer } from '#stack/authorize.ts'
import type { Context } from '#stack/context.ts'

export function adminAware(authorizer: Authorizer): Authorizer {
  const known = new WeakMap<Context, Context>()
  const aware = (context: Context): Context => {
    let found = known.get(context)
    if (!found) known.set(context, (found = { ...context, is_admin: authorizer.check('context_is_admin', {}, context), is_admin_project: context.is_admin_project ?? true }))
    return found
  }
  return { check: (rule, target, context) => authorizer.check(rule, target, aware(context)) }
}
