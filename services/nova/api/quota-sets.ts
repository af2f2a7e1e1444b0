/** Quotas of projects, of users in them, and of classes. What is used is counted from the rows. */
import { invalid } from '#base/fault.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import type { Schema } from '#stack/schema.ts'
import { type ApiVersion, byVersion, v } from '#stack/version.ts'
import { classQuotaNames, NETWORK_QUOTAS, quotaNames } from '../core/quota-resources.ts'
import type { Nova } from '../house.ts'
import { classLimits, dropLimits, limitsOf, ownLimits, setLimits, userLimitsOf } from '../store/quotas.ts'
import { serverGroupCount } from '../store/server-groups.ts'
import { usageOf, usageOfUser } from '../store/servers.ts'
import type { NovaSql } from '../store/servers.ts'
import { assertProject } from './projects.ts'
import { last, queryOf } from './queries.ts'
import { flag, isTrue, object } from './schemas.ts'

type Limits = Record<string, number>

const limit: Schema = { anyOf: [{ type: 'integer', minimum: -1, maximum: 0x7fffffff }, { type: 'string', pattern: '^-?[0-9]{1,10}$' }] }
const wishSchema = (names: readonly string[], more: Readonly<Record<string, Schema>> = {}): Schema => object({ ...Object.fromEntries(names.map((name) => [name, limit])), ...more })
const setSchema = (version: ApiVersion): Schema => object({ quota_set: wishSchema(quotaNames(version), { force: flag }) }, ['quota_set'])
const classSchema = (version: ApiVersion): Schema => object({ quota_class_set: wishSchema(classQuotaNames(version)) }, ['quota_class_set'])
const ofUser = queryOf(['user_id'])

export function quotaSetRoutes(nova: Nova): Route[] {
  const one = '/v2.1/os-quota-sets/{tenant_id}'
  const oneClass = '/v2.1/os-quota-class-sets/{id}'
  return [
    route({ method: 'GET', path: one, name: 'quota-sets.show', query: ofUser, status: 200, handle: (rq) => show(nova, rq) }),
    route({ method: 'GET', path: `${one}/detail`, name: 'quota-sets.detail', query: ofUser, status: 200, handle: (rq) => detail(nova, rq) }),
    route({
      method: 'GET', path: `${one}/defaults`, name: 'quota-sets.defaults', status: 200,
      async handle(rq) {
        await target(nova, rq, 'defaults')
        return { json: { quota_set: { id: rq.params.tenant_id, ...picked(quotaNames(rq.version), await classLimits(nova.db, 'default', nova.quotas)) } } }
      },
    }),
    route<{ quota_set: Record<string, unknown> }>({
      method: 'PUT', path: one, name: 'quota-sets.update', query: ofUser, status: 200,
      body: byVersion({ '2.1': setSchema(v('2.1')), '2.36': setSchema(v('2.36')), '2.57': setSchema(v('2.57')) }),
      handle: (rq) => update(nova, rq),
    }),
    route({
      method: 'DELETE', path: one, name: 'quota-sets.delete', query: ofUser, status: 202,
      async handle(rq) {
        rq.authorize('os_compute_api:os-quota-sets:delete', { project_id: rq.params.tenant_id })
        await dropLimits(nova.db, rq.params.tenant_id!, last(rq.query, 'user_id'))
        return {}
      },
    }),
    route({
      method: 'GET', path: oneClass, name: 'quota-class-sets.show', status: 200, policy: 'os_compute_api:os-quota-class-sets:show',
      handle: async (rq) => ({ json: { quota_class_set: { id: rq.params.id, ...(await classView(nova, rq)) } } }),
    }),
    route<{ quota_class_set: Record<string, unknown> }>({
      method: 'PUT', path: oneClass, name: 'quota-class-sets.update', status: 200, policy: 'os_compute_api:os-quota-class-sets:update',
      body: byVersion({ '2.1': classSchema(v('2.1')), '2.50': classSchema(v('2.50')), '2.57': classSchema(v('2.57')) }),
      async handle(rq) {
        const wish = numbers(rq.body.quota_class_set)
        await nova.db.transaction((tx) => setLimits(tx, `class:${rq.params.id}`, '', wish))
        return { json: { quota_class_set: await classView(nova, rq) } }
      },
    }),
  ]
}

const ABSENT: Limits = Object.fromEntries(NETWORK_QUOTAS.map((name) => [name, -1]))
const picked = (names: readonly string[], limits: Readonly<Limits>): Limits => Object.fromEntries(names.map((name) => [name, limits[name] ?? ABSENT[name]!]))

async function target(nova: Nova, rq: Rq<unknown>, verb: 'show' | 'detail' | 'defaults' | 'update'): Promise<{ project: string; user?: string }> {
  const project = rq.params.tenant_id!
  rq.authorize(`os_compute_api:os-quota-sets:${verb}`, { project_id: project })
  await assertProject(nova, rq, project)
  const user = last(rq.query, 'user_id')
  return { project, ...(user === undefined || user === '' ? {} : { user }) }
}

async function limits(nova: Nova, sql: NovaSql, project: string, user: string | undefined): Promise<Limits> {
  const known = user === undefined ? await limitsOf(sql, project, nova.quotas) : await userLimitsOf(sql, project, user, nova.quotas)
  return { ...(await ownLimits(sql, project)), ...(user === undefined ? {} : await ownLimits(sql, project, user)), ...known }
}

async function show(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const { project, user } = await target(nova, rq, 'show')
  return { json: { quota_set: { id: project, ...picked(quotaNames(rq.version), await limits(nova, nova.db, project, user)) } } }
}

async function used(sql: NovaSql, project: string, user: string | undefined): Promise<Limits> {
  const usage = user === undefined ? await usageOf(sql, project) : await usageOfUser(sql, project, user)
  return { ...usage, server_groups: await serverGroupCount(sql, project, user) }
}

async function detail(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const { project, user } = await target(nova, rq, 'detail')
  const [most, now] = await Promise.all([limits(nova, nova.db, project, user), used(nova.db, project, user)])
  const view = Object.entries(picked(quotaNames(rq.version), most)).map(([name, one]) => [name, { limit: one, in_use: now[name] ?? 0, reserved: 0 }])
  return { json: { quota_set: { id: project, ...Object.fromEntries(view) } } }
}

function numbers(wish: Readonly<Record<string, unknown>>): Limits {
  const set: Limits = {}
  for (const [name, given] of Object.entries(wish)) {
    const number = Number(given)
    if (number < -1 || number > 0x7fffffff) throw invalid(`Quota limit ${String(given)} for ${name} must be -1 or greater.`, { field: name })
    set[name] = number
  }
  return set
}

/** A limit below what is in use needs `force`; a user's limit is within the project's, and the project's not below its users'. */
async function update(nova: Nova, rq: Rq<{ quota_set: Record<string, unknown> }>): Promise<Reply> {
  const { project, user } = await target(nova, rq, 'update')
  const { force, ...wish } = rq.body.quota_set
  const set = numbers(wish)
  await nova.db.transaction(async (tx) => {
    if (!isTrue(force)) {
      const now = await used(tx, project, user)
      const roof = user === undefined ? undefined : await limits(nova, tx, project, undefined)
      for (const [name, most] of Object.entries(set)) {
        const use = now[name] ?? 0
        if (most >= 0 && most < use) throw invalid(`Quota limit ${most} for ${name} must be greater than or equal to already used and reserved ${use}.`, { field: name })
        const top = roof?.[name] ?? -1
        if (top >= 0 && (most > top || most < 0)) throw invalid(`Quota limit ${most} for ${name} must be less than or equal to ${top}.`, { field: name })
      }
    }
    await setLimits(tx, project, user ?? '', set)
  })
  return { json: { quota_set: picked(quotaNames(rq.version), await limits(nova, nova.db, project, user)) } }
}

async function classView(nova: Nova, rq: Rq<unknown>): Promise<Limits> {
  const name = rq.params.id!
  return picked(classQuotaNames(rq.version), { ...(await ownLimits(nova.db, `class:${name}`)), ...(await classLimits(nova.db, name, nova.quotas)) })
}
