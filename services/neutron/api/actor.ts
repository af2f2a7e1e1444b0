/** Who asks, judged once per request: an administrator passes every rule, as in Neutron. */
import { Fault, forbidden, notFound } from '#base/fault.ts'
import type { Context } from '#stack/context.ts'
import type { PolicyTarget, Rq } from '#stack/route.ts'
import type { Noun } from '#neutron/core/noun.ts'

export interface Actor {
  readonly project: string | undefined
  readonly admin: boolean
  /** Sees networks, subnets and ports of every project: administrators, services, and the old role advsvc. */
  readonly sees_all: boolean
  allows(rule: string, target: PolicyTarget): boolean
  /** Throws `forbidden` naming every rule of the question, as oslo.policy words it. */
  demand(rules: readonly string[], target: PolicyTarget): void
}

/** Kept on the request's own context: a WeakMap of requests would keep each of them until the next full collection of garbage. */
const ACTOR = Symbol('actor')

export function actorOf(rq: Rq<never> | Rq): Actor {
  const context: Context & { [ACTOR]?: Actor } = rq.context
  let actor = context[ACTOR]
  if (actor) return actor
  const none = {}
  const admin = rq.allows('context_is_admin', none)
  const allows = (rule: string, target: PolicyTarget): boolean => admin || rq.allows(rule, target)
  actor = {
    project: rq.context.project_id,
    admin,
    sees_all: admin || rq.allows('service_api', none) || rq.allows('context_is_advsvc', none),
    allows,
    demand(rules, target) {
      const refused = rules.find((rule) => !allows(rule, target))
      if (refused === undefined) return
      const words = rules.length === 1 ? `rule:${rules[0]!}` : `(${rules.map((rule) => `rule:${rule}`).join(' and ')})`
      throw forbidden(`${words} is disallowed by policy`, { code: 'PolicyNotAuthorized', data: { rule: refused } })
    },
  }
  context[ACTOR] = actor
  return actor
}

export function missing(noun: Pick<Noun, 'title' | 'notFound'>, id: string): Fault {
  return notFound(`${noun.title} ${id} could not be found.`, { code: noun.notFound ?? `${noun.title.replaceAll(/[ _]/g, '')}NotFound` })
}

/** What a stranger is told: that there is nothing. */
export const hidden = (): Fault => notFound('The resource could not be found.', { code: 'HTTPNotFound' })
