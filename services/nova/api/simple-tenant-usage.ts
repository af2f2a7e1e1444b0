/** Hours, memory and disk of the servers of projects in a span of time. */
import { invalid } from '#base/fault.ts'
import { isoMicros } from '#base/clock.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import type { Schema } from '#stack/schema.ts'
import { byVersion, v } from '#stack/version.ts'
import type { Nova } from '../house.ts'
import type { FlavorSnapshot } from '../store/tables.ts'
import { type UsedServer, usedServers } from '../store/tenant-usage.ts'
import { nextLink } from './links.ts'
import { limitOf } from './paging.ts'
import { last, querySchema } from './queries.ts'

const SPAN = ['start', 'end']
const PAGE = ['limit', 'marker']
const queryOfSpan = (names: readonly string[]) => byVersion<Schema>({ '2.1': querySchema(names, false), '2.40': querySchema([...names, ...PAGE], false), '2.75': querySchema([...names, ...PAGE], true) })

export function simpleTenantUsageRoutes(nova: Nova): Route[] {
  return [
    route({ method: 'GET', path: '/v2.1/os-simple-tenant-usage', name: 'tenant-usage.index', policy: 'os_compute_api:os-simple-tenant-usage:list', query: queryOfSpan([...SPAN, 'detailed']), status: 200, handle: (rq) => list(nova, rq) }),
    route({ method: 'GET', path: '/v2.1/os-simple-tenant-usage/{tenant_id}', name: 'tenant-usage.show', query: queryOfSpan(SPAN), status: 200, handle: (rq) => show(nova, rq) }),
  ]
}

interface Span {
  begin: number
  end: number
  /** As they are told again: what was asked for keeps its microseconds. */
  start: string
  stop: string
}

function spanOf(nova: Nova, query: URLSearchParams): Span {
  const now = nova.world.clock.now()
  const begin = instant(query, 'start') ?? now
  const end = instant(query, 'end') ?? now
  if (begin > end) throw invalid('Invalid start time. The start time cannot occur after the end time.', { field: 'start' })
  return { begin, end, start: told(query, 'start', begin), stop: told(query, 'end', end) }
}

function told(query: URLSearchParams, name: string, ms: number): string {
  const fraction = /\.(\d{1,6})$/.exec(last(query, name) ?? '')?.[1]
  const text = isoMicros(ms)
  return fraction === undefined ? text : `${text.slice(0, -6)}${fraction.padEnd(6, '0')}`
}

/** `2026-11-21T00:21:05`, with a fraction or without, or with a space in the middle; always UTC. */
function instant(query: URLSearchParams, name: string): number | undefined {
  const text = last(query, name)
  if (text === undefined || text === '') return undefined
  const match = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,6})?$/.exec(text)
  const ms = match ? Date.parse(`${match[1]}T${match[2]}${(match[3] ?? '').slice(0, 4)}Z`) : Number.NaN
  if (Number.isNaN(ms)) throw invalid('Datetime is in invalid format', { field: name })
  return ms
}

async function servers(nova: Nova, rq: Rq<unknown>, span: Span, project_id?: string): Promise<{ rows: UsedServer[]; more: boolean }> {
  const paged = rq.version >= v('2.40')
  const limit = paged ? limitOf(rq.query, nova.config.max_limit) : undefined
  const marker = paged ? last(rq.query, 'marker') : undefined
  const rows = await usedServers(nova.db, { begin: span.begin, end: span.end, ...(project_id === undefined ? {} : { project_id }), ...(limit === undefined ? {} : { limit: limit + 1 }), ...(marker === undefined ? {} : { marker }) })
  if (!rows) throw invalid(`marker [${marker!.slice(0, 100)}] not found`, { field: 'marker' })
  return { rows: rows.slice(0, limit), more: limit !== undefined && limit > 0 && rows.length > limit }
}

async function list(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const span = spanOf(nova, rq.query)
  const detailed = last(rq.query, 'detailed') === '1'
  const { rows, more } = await servers(nova, rq, span)
  const tenant_usages = [...Map.groupBy(rows, (row) => row.project_id).values()].map((own) => usage(nova, own, span, detailed))
  return { json: { tenant_usages, ...(more ? { tenant_usages_links: nextLink(rq, rows.at(-1)!.id) } : {}) } }
}

async function show(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const project = rq.params.tenant_id!
  rq.authorize('os_compute_api:os-simple-tenant-usage:show', { project_id: project })
  const span = spanOf(nova, rq.query)
  const { rows, more } = await servers(nova, rq, span, project)
  return { json: { tenant_usage: rows.length === 0 ? {} : usage(nova, rows, span, true), ...(more ? { tenant_usage_links: nextLink(rq, rows.at(-1)!.id) } : {}) } }
}

function usage(nova: Nova, rows: readonly UsedServer[], { begin, end, start, stop }: Span, detailed: boolean): Record<string, unknown> {
  const now = nova.world.clock.now()
  const total = { hours: 0, vcpus: 0, memory_mb: 0, local_gb: 0 }
  const server_usages = rows.map((row) => {
    const flavor = JSON.parse(row.flavor) as FlavorSnapshot
    const local_gb = flavor.root_gb + flavor.ephemeral_gb
    const started = row.launched_at!
    const hours = Math.max(0, Math.min(row.terminated_at ?? now, end, now) - Math.max(started, begin)) / 3_600_000
    total.hours += hours
    total.vcpus += hours * row.vcpus
    total.memory_mb += hours * row.memory_mb
    total.local_gb += hours * local_gb
    return {
      instance_id: row.id,
      name: row.name,
      hours,
      flavor: flavor.name,
      vcpus: row.vcpus,
      memory_mb: row.memory_mb,
      local_gb,
      tenant_id: row.project_id,
      started_at: isoMicros(started),
      ended_at: row.terminated_at === null ? null : isoMicros(row.terminated_at),
      uptime: Math.floor(((row.terminated_at ?? now) - started) / 1_000),
      state: row.terminated_at === null ? row.vm_state : 'terminated',
    }
  })
  return {
    tenant_id: rows[0]!.project_id,
    start,
    stop,
    total_hours: total.hours,
    total_vcpus_usage: total.vcpus,
    total_memory_mb_usage: total.memory_mb,
    total_local_gb_usage: total.local_gb,
    ...(detailed ? { server_usages } : {}),
  }
}
