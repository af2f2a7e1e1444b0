/**
 * `os-instance_usage_audit_log`: whether hosts have sent the usage records of a month. No host of this cloud sends such records (usage is
 * counted from rows), so every host stands among those that have not run.
 */
import { invalid } from '#base/fault.ts'
import { type Reply, route, type Route } from '#stack/route.ts'
import type { Nova } from '../house.ts'
import { services } from '../store/computes.ts'

export function usageAuditLogRoutes(nova: Nova): Route[] {
  const policy = 'os_compute_api:os-instance-usage-audit-log'
  return [
    route({ method: 'GET', path: '/v2.1/os-instance_usage_audit_log', name: 'usage-audit-log.index', policy: `${policy}:list`, status: 200, handle: () => log(nova, 'instance_usage_audit_logs', nova.world.clock.now()) }),
    route({
      method: 'GET', path: '/v2.1/os-instance_usage_audit_log/{before_timestamp}', name: 'usage-audit-log.show', policy: `${policy}:show`, status: 200,
      handle: (rq) => log(nova, 'instance_usage_audit_log', instant(rq.params.before_timestamp!)),
    }),
  ]
}

function instant(text: string): number {
  const match = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d{1,6})?$/.exec(text.replaceAll('+', ' '))
  const ms = match ? Date.parse(`${match[1]}T${match[2]}Z`) : Number.NaN
  if (Number.isNaN(ms)) throw invalid(`Invalid timestamp for date ${text.slice(0, 100)}`, { field: 'before_timestamp' })
  return ms
}

async function log(nova: Nova, key: string, before: number): Promise<Reply> {
  const { begin, end } = monthBefore(before)
  const hosts = (await services(nova.db)).filter((service) => service.binary === 'nova-compute').map((service) => service.host)
  return {
    json: {
      [key]: {
        period_beginning: begin,
        period_ending: end,
        num_hosts: hosts.length,
        num_hosts_done: 0,
        num_hosts_running: 0,
        num_hosts_not_run: hosts.length,
        hosts_not_run: hosts,
        total_instances: 0,
        total_errors: 0,
        overall_status: `0 of ${hosts.length} hosts done. 0 errors.`,
        log: {},
      },
    },
  }
}

/** The last whole month before an instant, as Nova writes it. */
function monthBefore(ms: number): { begin: string; end: string } {
  const day = new Date(ms)
  const first = (back: number): string => `${new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() - back, 1)).toISOString().slice(0, 10)} 00:00:00`
  return { begin: first(1), end: first(0) }
}
