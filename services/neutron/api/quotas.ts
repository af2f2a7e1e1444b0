/** `/v2.0/quotas` */
import { conflict, invalid } from '#base/fault.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { route } from '#stack/route.ts'
import { isBad, takeInteger } from '#neutron/core/attribute.ts'
import { envelope } from '#neutron/core/body.ts'
import { QUOTAS } from '#neutron/core/quota.ts'
import type { Neutron, QuotaSource } from '#neutron/house.ts'
import { limitsOf, used } from '#neutron/store/quotas.ts'
import type { Q } from '#neutron/store/tables.ts'
import { store } from '#neutron/store/store.ts'

const noun = { one: 'quota', many: 'quotas' }
const ofProject = (id: string): Record<string, string> => ({ project_id: id, tenant_id: id })

export function quotaRoutes(house: Neutron): Route[] {
  const path = '/v2.0/quotas/{project_id}'
  const defaults = house.config.default_quotas
  const only = (limits: Record<string, number>): Record<string, number> => Object.fromEntries(Object.keys(QUOTAS).map((key) => [key, limits[key]!]))
  const show = (suffix: string, name: string, made: (db: Q, project: string) => Promise<object>): Route =>
    route({
      method: 'GET',
      path: `${path}${suffix}`,
      name,
      status: 200,
      handle: async (rq) => {
        const project = rq.params.project_id!
        // Everybody may know what is left for their own project.
        if (project !== rq.context.project_id) rq.authorize('get_quota', ofProject(project))
        return { json: { quota: await made(house.db, project) } }
      },
    })
  return [
    route({ method: 'GET', path: '/v2.0/quotas', name: 'quotas.list', status: 200, handle: (rq) => list(house, rq) }),
    route({ method: 'GET', path: '/v2.0/quotas/tenant', name: 'quotas.tenant', status: 200, handle: (rq) => ({ json: { tenant: ofProject(rq.context.project_id ?? '') } }) }),
    route({ method: 'GET', path: '/v2.0/quotas/project', name: 'quotas.project', status: 200, handle: (rq) => ({ json: { project: ofProject(rq.context.project_id ?? '') } }) }),
    show('', 'quotas.show', async (db, project) => only(await limitsOf(db, project, house.quotas))),
    show('/default', 'quotas.default', async () => only({ ...QUOTAS, ...defaults })),
    show('/details', 'quotas.details', (db, project) => details(db, project, house.quotas)),
    route({ method: 'PUT', path, name: 'quotas.update', status: 200, handle: (rq) => update(house, rq, only) }),
    route({
      method: 'DELETE',
      path,
      name: 'quotas.delete',
      status: 204,
      handle: async (rq) => {
        rq.authorize('delete_quota', ofProject(rq.params.project_id!))
        await store.quotas.drop(house.db, { project_id: rq.params.project_id! })
        return {}
      },
    }),
  ]
}

async function details(db: Q, project: string, source: QuotaSource): Promise<object> {
  const limits = await limitsOf(db, project, source)
  const out: Record<string, object> = {}
  for (const resource of Object.keys(QUOTAS)) out[resource] = { limit: limits[resource], used: await used(db, resource, project), reserved: 0 }
  return out
}

async function list(house: Neutron, rq: Rq): Promise<Reply> {
  rq.authorize('get_quota', ofProject(rq.context.project_id ?? ''))
  const all = rq.allows('context_is_admin', {})
  const rows = await store.quotas.all(house.db, {})
  const asked = [...rq.query.getAll('project_id'), ...rq.query.getAll('tenant_id')]
  const quotas = [...Map.groupBy(rows, (row) => row.project_id)]
    .filter(([project]) => (all || project === rq.context.project_id) && (asked.length === 0 || asked.includes(project)))
    .map(([project, own]) => ({ ...QUOTAS, ...house.config.default_quotas, ...Object.fromEntries(own.map((row) => [row.resource, row.limit])), ...ofProject(project) }))
  return { json: { quotas } }
}

async function update(house: Neutron, rq: Rq, only: (limits: Record<string, number>) => Record<string, number>): Promise<Reply> {
  const project = rq.params.project_id!
  rq.authorize('update_quota', ofProject(project))
  const { check_limit, force: _force, tenant_id: _t, project_id: _p, ...sent } = envelope(noun, rq.body, false).items[0]!
  const strange = Object.keys(sent).filter((key) => !(key in QUOTAS))
  if (strange.length > 0) throw invalid(`Unrecognized attribute(s) '${strange.join(', ')}'`, { code: 'HTTPBadRequest', field: strange[0]! })
  const limits: Record<string, number> = {}
  for (const [key, value] of Object.entries(sent)) {
    const taken = takeInteger(-1, 2147483647)(value)
    if (isBad(taken)) throw invalid(`Invalid input for ${key}. Reason: ${taken.reason}.`, { code: 'HTTPBadRequest', field: key })
    limits[key] = taken.value as number
  }
  await house.db.transaction(async (tx) => {
    if (check_limit === true) {
      for (const [key, limit] of Object.entries(limits)) {
        const have = await used(tx, key, project)
        if (limit >= 0 && have > limit) throw conflict(`Quota limit for ${key} cannot be set to ${limit}: ${have} are in use.`, { code: 'InvalidQuotaValue' })
      }
    }
    for (const [resource, limit] of Object.entries(limits)) {
      await store.quotas.drop(tx, { project_id: project, resource })
      await store.quotas.add(tx, { project_id: project, resource, limit })
    }
  })
  return { json: { quota: only(await limitsOf(house.db, project, house.quotas)) } }
}
