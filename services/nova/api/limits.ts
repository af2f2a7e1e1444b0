/** Limits of the caller's project and what of them is used, in one answer. */
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import type { Schema } from '#stack/schema.ts'
import { byVersion, v } from '#stack/version.ts'
import { LIMIT_FIELDS } from '../core/quota-resources.ts'
import type { Nova } from '../house.ts'
import { limitsOf, ownLimits } from '../store/quotas.ts'
import { serverGroupCount } from '../store/server-groups.ts'
import { usageOf } from '../store/servers.ts'
import { last, querySchema } from './queries.ts'

const query = byVersion<Schema>({ '2.1': querySchema(['tenant_id', 'reserved'], false), '2.57': querySchema(['tenant_id'], false), '2.75': querySchema(['tenant_id'], true) })

export function limitRoutes(nova: Nova): Route[] {
  return [route({ method: 'GET', path: '/v2.1/limits', name: 'limits.index', policy: 'os_compute_api:limits', query, status: 200, handle: (rq) => show(nova, rq) })]
}

async function show(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const asked = last(rq.query, 'tenant_id')
  const project = asked ?? rq.context.project_id ?? ''
  if (asked !== undefined && asked !== rq.context.project_id) rq.authorize('os_compute_api:limits:other_project', { project_id: asked })
  const [known, own, usage, groups] = await Promise.all([limitsOf(nova.db, project, nova.quotas), ownLimits(nova.db, project), usageOf(nova.db, project), serverGroupCount(nova.db, project)])
  const limits: Record<string, number> = { ...own, ...known }
  const absolute = Object.fromEntries(LIMIT_FIELDS.filter(({ until }) => until === undefined || rq.version <= until).map(({ name, quota }) => [name, limits[quota] ?? -1]))
  return {
    json: {
      limits: {
        rate: [],
        absolute: {
          ...absolute,
          totalInstancesUsed: usage.instances,
          totalCoresUsed: usage.cores,
          totalRAMUsed: usage.ram,
          totalServerGroupsUsed: groups,
          // Neutron counts these; Nova always said none.
          ...(rq.version < v('2.36') ? { totalFloatingIpsUsed: 0, totalSecurityGroupsUsed: 0 } : {}),
        },
      },
    },
  }
}
