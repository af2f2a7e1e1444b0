/**
 * Limits that Keystone keeps for all houses (unified limits), for houses that ask for them instead of keeping their own. What is used is
 * counted by each house in the transaction that uses more; what is allowed is known here, at most a second old.
 *
 * A resource that nobody registered keeps the house's configured limit.
 */
import type { Clock } from '#base/clock.ts'
import { forbidden, unavailable } from '#base/fault.ts'
import type { Route, Rq } from './route.ts'

export interface LimitFacts {
  /** Defaults by resource. */
  registered: ReadonlyMap<string, number>
  /** What was set for one project or domain, by its id and then by resource. */
  own: ReadonlyMap<string, ReadonlyMap<string, number>>
  /** With `strict_two_level`: the parent (a project or a domain) of every project. */
  parents?: ReadonlyMap<string, string>
}

export interface UnifiedLimits {
  /** Asks again when what is known is more than a second old; throws `unavailable` when nobody answers. */
  fresh(): Promise<void>
  /** The limits that bind a project, its own first. */
  levels(projectId: string): Level[]
}

export interface Level {
  /** Undefined when nobody registered the resource. */
  limit(resource: string): number | undefined
  /** Other projects that use of the same. */
  others: readonly string[]
}

/** Finds what a project may have in the end, or -1. */
export type LimitOf = (resource: string) => number

const MAX_AGE = 1_000

export function unifiedLimits(read: () => Promise<LimitFacts>, clock: Clock): UnifiedLimits {
  let facts: LimitFacts | undefined
  let at = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined
  const load = async (): Promise<void> => {
    const began = clock.now()
    try {
      facts = await read()
    } catch (thrown) {
      throw unavailable('The limits of the project are not to be had from Keystone.', { cause: thrown })
    }
    at = began
  }
  return {
    async fresh() {
      if (clock.now() - at < MAX_AGE) return
      await (reading ??= load().finally(() => {
        reading = undefined
      }))
    },
    levels(projectId) {
      if (!facts) throw unavailable('The limits of the project are not known yet.')
      return levelsOf(facts, projectId)
    },
  }
}

export function levelsOf({ registered, own, parents }: LimitFacts, projectId: string): Level[] {
  const limitOf = (id: string) => (resource: string) => own.get(id)?.get(resource) ?? registered.get(resource)
  if (!parents) return [{ limit: limitOf(projectId), others: [] }]
  const above = (id: string): string[] => {
    const chain: string[] = []
    for (let at = parents.get(id); at !== undefined && !chain.includes(at); at = parents.get(at)) chain.push(at)
    return chain
  }
  const others = new Map<string, string[]>([projectId, ...above(projectId)].map((id) => [id, []]))
  for (const id of parents.keys()) {
    if (id === projectId) continue
    for (const holder of [id, ...above(id)]) others.get(holder)?.push(id)
  }
  return [...others].map(([id, projects]) => ({ limit: limitOf(id), others: projects }))
}

/**
 * What the project may have, all levels considered: on each, what others of the tree have used is gone. `usedBy` counts for all those
 * projects together; it is asked only with `strict_two_level`.
 */
export async function roomOf(limits: UnifiedLimits, projectId: string, configured: LimitOf, usedBy: (projects: readonly string[]) => Promise<LimitOf>): Promise<LimitOf> {
  const [own, ...above] = limits.levels(projectId)
  const levels: { level: Level; used: LimitOf }[] = []
  for (const level of [own!, ...above]) levels.push({ level, used: level.others.length === 0 ? () => 0 : await usedBy(level.others) })
  return (resource) => {
    const rooms = levels.flatMap(({ level, used }) => {
      const limit = level.limit(resource) ?? (level === own ? configured(resource) : -1)
      return limit < 0 ? [] : [Math.max(0, limit - used(resource))]
    })
    return rooms.length === 0 ? -1 : Math.min(...rooms)
  }
}

/** The same routes, before each of which that may use or show a quota the limits are looked at; and the house's own quotas are not set any more. */
export function withLimits(routes: readonly Route[], limits: UnifiedLimits | undefined): readonly Route[] {
  if (!limits) return routes
  return routes.map((route) => {
    const ofQuota = /quota|\/limits|\/info\/usage/.test(route.path)
    const reads = route.method === 'GET' || route.method === 'HEAD'
    if (reads && !ofQuota) return route
    return {
      ...route,
      async handle(rq: Rq<never>) {
        if (ofQuota && !reads) throw forbidden('Quotas are limits of Keystone in this cloud (quota.driver: unified): set them with "openstack limit" and "openstack registered limit".')
        await limits.fresh()
        return route.handle(rq)
      },
    }
  })
}
