/** `os-hosts`, until 2.42: hosts by name, what is used on them, and their powers, of which no driver here has any. */
import { type Fault, notFound, notImplemented } from '#base/fault.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import type { ComputeFacts } from '#nova/drivers/interface.ts'
import type { Nova } from '../house.ts'
import { computeNodes, patchService, serviceOf, services } from '../store/computes.ts'
import { hostUsageByProject, NO_USAGE, plus } from '../store/host-usage.ts'
import { last } from './queries.ts'
import { object } from './schemas.ts'
import { hostsChanged, zoneOf, zonesOf } from './service-steps.ts'

const choice = { type: 'string', pattern: '^([Ee][Nn][Aa][Bb][Ll][Ee]|[Dd][Ii][Ss][Aa][Bb][Ll][Ee])$' }

export function hostRoutes(nova: Nova): Route[] {
  const all = '/v2.1/os-hosts'
  const one = `${all}/{host_name}`
  const until = v('2.42')
  const p = (verb: string): string => `os_compute_api:os-hosts:${verb}`
  const power = (path: string, action: string, verb: string): Route =>
    route({
      method: 'GET', path: `${one}/${path}`, name: `hosts.${path}`, until, policy: p(verb), status: 200,
      async handle(rq) {
        await computeHost(nova, rq)
        throw notImplemented(`Unable to ${action} a host: no driver of this cloud has power over its host.`)
      },
    })
  return [
    route({
      method: 'GET', path: all, name: 'hosts.index', until, policy: p('list'), status: 200,
      async handle(rq) {
        const zone = last(rq.query, 'zone')
        const [rows, zones] = await Promise.all([services(nova.db), zonesOf(nova.hosts)])
        const hosts = rows.map((row) => ({ host_name: row.host, service: row.topic, zone: zoneOf(nova, zones, row) }))
        return { json: { hosts: zone ? hosts.filter((host) => host.zone === zone) : hosts } }
      },
    }),
    route({ method: 'GET', path: one, name: 'hosts.show', until, policy: p('show'), status: 200, handle: (rq) => show(nova, rq) }),
    route<{ status?: string; maintenance_mode?: string }>({
      method: 'PUT', path: one, name: 'hosts.update', until, policy: p('update'), status: 200,
      body: { ...object({ status: choice, maintenance_mode: choice }), minProperties: 1 },
      async handle(rq) {
        const { status, maintenance_mode } = rq.body
        const service = await computeHost(nova, rq)
        if (maintenance_mode !== undefined) throw notImplemented('Maintenance mode is not supported by the drivers of this cloud: disable the service instead.')
        const disabled = status!.toLowerCase() === 'disable'
        await patchService(nova.db, service.id, { disabled: disabled ? 1 : 0, disabled_reason: null, updated_at: nova.world.clock.now() })
        hostsChanged(nova)
        return { json: { host: service.host, status: disabled ? 'disabled' : 'enabled' } }
      },
    }),
    power('startup', 'start up', 'start'),
    power('shutdown', 'shut down', 'shutdown'),
    power('reboot', 'reboot', 'reboot'),
  ]
}

const noHost = (name: string): Fault => notFound(`Compute host ${name} could not be found.`)

async function computeHost(nova: Nova, rq: Rq<unknown>) {
  const name = rq.params.host_name!
  const service = await serviceOf(nova.db, name, 'nova-compute')
  if (!service) throw noHost(name)
  return service
}

async function show(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const { host } = await computeHost(nova, rq)
  const node = (await computeNodes(nova.db)).find((row) => row.host === host)
  if (!node) throw noHost(host)
  const facts = JSON.parse(node.facts) as ComputeFacts
  const projects = await hostUsageByProject(nova.db, node.uuid)
  const all = [...projects.values()].reduce(plus, NO_USAGE)
  const line = (project: string, cpu: number, memory_mb: number, disk_gb: number) => ({ resource: { host, project, cpu, memory_mb, disk_gb } })
  return {
    json: {
      host: [
        line('(total)', facts.vcpus, facts.memory_mb, facts.local_gb),
        line('(used_now)', all.vcpus, all.memory_mb + nova.config.reserved_host_memory_mb, all.local_gb),
        line('(used_max)', all.vcpus, all.memory_mb, all.local_gb),
        ...[...projects].map(([project, usage]) => line(project, usage.vcpus, usage.memory_mb, usage.local_gb)),
      ],
    },
  }
}
