/** What runs where: services, hosts, pools, capabilities, zones; clusters and workers, of which there are none. */
import { invalid, notFound, notImplemented } from '#base/fault.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { backendOf, type ReportedFacts } from '../contract/volume-rpc.ts'
import { fitsSpec } from '../core/scheduler.ts'
import { isUp } from '../flows/schedule.ts'
import type { Cinder } from '../house.ts'
import { allServices, setService } from '../store/services.ts'
import type { ServiceRow } from '../store/tables.ts'
import { typeById, typeByName } from '../store/types.ts'
import { usageOfHost } from '../store/volumes.ts'
import { queryFlag } from './body.ts'
import { stamp } from './volume-view.ts'

const INDEX = 'volume_extension:services:index'
const UPDATE = 'volume_extension:services:update'
const HOSTS = 'volume_extension:hosts'
const text = { type: 'string', minLength: 1, maxLength: 255 }
const one = { type: 'object', required: ['host'], properties: { host: text, binary: { type: 'string', maxLength: 255 }, service: { type: 'string', maxLength: 255 }, disabled_reason: {} } }

interface Named {
  host: string
  binary?: string
  service?: string
  disabled_reason?: string | null
}

export const serviceRoutes = (house: Cinder): Route[] => [
  route({ method: 'GET', path: '/os-services', name: 'services.list', policy: INDEX, status: 200, handle: (rq) => list(house, rq) }),
  route<Named>({ method: 'PUT', path: '/os-services/enable', name: 'services.enable', policy: UPDATE, body: one, status: 200, handle: (rq) => toggle(house, rq, false) }),
  route<Named>({ method: 'PUT', path: '/os-services/disable', name: 'services.disable', policy: UPDATE, body: one, status: 200, handle: (rq) => toggle(house, rq, true) }),
  route<Named>({ method: 'PUT', path: '/os-services/disable-log-reason', name: 'services.disable_log_reason', policy: UPDATE, body: { ...one, required: ['host', 'disabled_reason'], properties: { ...one.properties, disabled_reason: { ...text, pattern: '\\S' } } }, status: 200, handle: (rq) => toggle(house, rq, true) }),
  route<Named>({ method: 'PUT', path: '/os-services/freeze', name: 'services.freeze', policy: 'volume:freeze_host', body: one, status: 200, handle: (rq) => freeze(house, rq, 1) }),
  route<Named>({ method: 'PUT', path: '/os-services/thaw', name: 'services.thaw', policy: 'volume:thaw_host', body: one, status: 200, handle: (rq) => freeze(house, rq, 0) }),
  ...(['failover_host', 'failover'] as const).map((verb) =>
    route({ method: 'PUT', path: `/os-services/${verb}`, name: `services.${verb}`, policy: 'volume:failover_host', status: 202, handle: () => refuse('The storage backends of this cloud do not replicate, so there is nothing to fail over to.') }),
  ),
  ...(['get-log', 'set-log'] as const).map((verb) =>
    route({ method: 'PUT', path: `/os-services/${verb}`, name: `services.${verb}`, policy: UPDATE, since: v('3.32'), status: verb === 'get-log' ? 200 : 202, handle: () => refuse('Log levels are set by the configuration of this cloud, not by its services.') }),
  ),
  route({ method: 'GET', path: '/os-hosts', name: 'hosts.list', policy: HOSTS, status: 200, handle: (rq) => hosts(house, rq) }),
  route({ method: 'GET', path: '/os-hosts/{host_name}', name: 'hosts.show', policy: HOSTS, status: 200, handle: (rq) => showHost(house, rq) }),
  route<{ status: string }>({ method: 'PUT', path: '/os-hosts/{host_name}', name: 'hosts.update', policy: HOSTS, body: { type: 'object', required: ['status'], properties: { status: { enum: ['enable', 'disable'] } } }, status: 200, handle: (rq) => updateHost(house, rq) }),
  route({ method: 'GET', path: '/scheduler-stats/get_pools', name: 'pools.list', policy: 'scheduler_extension:scheduler_stats:get_pools', status: 200, handle: (rq) => listPools(house, rq) }),
  route({ method: 'GET', path: '/capabilities/{hostname}', name: 'capabilities.show', policy: 'volume_extension:capabilities', status: 200, handle: (rq) => capabilities(house, rq) }),
  route({ method: 'GET', path: '/os-availability-zone', name: 'zones.list', status: 200, handle: () => zones(house) }),
  route({ method: 'GET', path: '/clusters', name: 'clusters.list', policy: 'clusters:get_all', since: v('3.7'), status: 200, handle: () => ({ json: { clusters: [] } }) }),
  route({ method: 'GET', path: '/clusters/detail', name: 'clusters.list_detail', policy: 'clusters:get_all', since: v('3.7'), status: 200, handle: () => ({ json: { clusters: [] } }) }),
  route({ method: 'GET', path: '/clusters/{cluster_name}', name: 'clusters.show', policy: 'clusters:get', since: v('3.7'), status: 200, handle: (rq) => noCluster(rq.params.cluster_name!) }),
  ...(['enable', 'disable'] as const).map((verb) =>
    route<{ name: string }>({ method: 'PUT', path: `/clusters/${verb}`, name: `clusters.${verb}`, policy: 'clusters:update', since: v('3.7'), body: { type: 'object', required: ['name'], properties: { name: text } }, status: 200, handle: (rq) => noCluster(rq.body.name) }),
  ),
  // A worker that died leaves nothing to clean: its flows are taken over when their lease ends.
  ...['/workers/cleanup', '/v3/{target_project}/workers/cleanup'].map((path, i) => route({ method: 'POST', path, name: `workers.cleanup${i === 0 ? '' : '_doubled'}`, policy: 'workers:cleanup', since: v('3.24'), status: 202, handle: () => ({ json: { cleaning: [], unavailable: [] } }) })),
]

function refuse(why: string): never {
  throw notImplemented(why)
}

function noCluster(name: string): never {
  throw notFound(`Cluster ${name.slice(0, 100)} could not be found.`)
}

const onHost = (host: string) => (row: ServiceRow): boolean => row.host === host || row.host.startsWith(`${host}@`) || row.host === backendOf(host)

async function list(house: Cinder, rq: Rq): Promise<Reply> {
  const binary = rq.query.get('binary') ?? rq.query.get('service') ?? undefined
  const host = rq.query.get('host')
  const rows = (await allServices(house.db, binary)).filter((row) => host === null || onHost(host)(row))
  return { json: { services: rows.map((row) => serviceView(house, rq, row)) } }
}

function serviceView(house: Cinder, rq: Rq, row: ServiceRow): Record<string, unknown> {
  const up = isUp(house, row)
  return {
    binary: row.binary,
    host: row.host,
    zone: row.availability_zone,
    status: row.disabled === 1 ? 'disabled' : 'enabled',
    state: up ? 'up' : 'down',
    updated_at: stamp(row.beat_at),
    disabled_reason: row.disabled_reason,
    ...(row.binary === 'cinder-volume'
      ? {
          replication_status: 'disabled',
          active_backend_id: null,
          frozen: row.frozen === 1,
          ...(rq.version >= v('3.49') ? { backend_state: up ? 'up' : 'down' } : {}),
        }
      : {}),
    ...(rq.version >= v('3.7') ? { cluster: null } : {}),
  }
}

async function toggle(house: Cinder, rq: Rq<Named>, disabled: boolean): Promise<Reply> {
  const { host, disabled_reason } = rq.body
  const binary = rq.body.binary || rq.body.service
  if (!binary) throw invalid('Invalid input for field/attribute binary: it is needed.', { field: 'binary' })
  const row = (await allServices(house.db, binary)).find((one) => one.host === host)
  if (!row) throw notFound(`Service ${binary.slice(0, 100)} could not be found on host ${host.slice(0, 100)}.`)
  const reason = disabled ? (disabled_reason ?? null) : null
  await setService(house.db, row.id, { disabled: disabled ? 1 : 0, disabled_reason: reason })
  const withReason = !disabled || disabled_reason !== undefined
  return { json: { host, service: binary, binary, disabled, status: disabled ? 'disabled' : 'enabled', ...(withReason ? { disabled_reason: reason } : {}) } }
}

async function freeze(house: Cinder, rq: Rq<Named>, frozen: 0 | 1): Promise<Reply> {
  const row = (await allServices(house.db, 'cinder-volume')).find((one) => one.host === backendOf(rq.body.host))
  if (!row) throw invalid(`Invalid host: ${rq.body.host.slice(0, 100)} has no cinder-volume.`, { field: 'host' })
  await setService(house.db, row.id, { frozen })
  return {}
}

async function hosts(house: Cinder, rq: Rq): Promise<Reply> {
  const service = rq.query.get('service')
  const zone = rq.query.get('zone')
  const rows = (await allServices(house.db)).filter((row) => (service === null || row.binary === service) && (zone === null || row.availability_zone === zone))
  return {
    json: {
      hosts: rows.map((row) => ({
        host_name: row.host,
        service: row.binary,
        zone: row.availability_zone,
        'service-status': isUp(house, row) ? 'available' : 'unavailable',
        'service-state': row.disabled === 1 ? 'disabled' : 'enabled',
        'last-update': stamp(row.beat_at),
      })),
    },
  }
}

async function showHost(house: Cinder, rq: Rq): Promise<Reply> {
  const host = rq.params.host_name!
  if (!(await allServices(house.db, 'cinder-volume')).some((row) => onHost(host)(row) && row.disabled === 0)) throw notFound(`Host ${host.slice(0, 100)} could not be found.`)
  const usage = await usageOfHost(house.db, host)
  const line = (project: string, rows: typeof usage): object => {
    const sum = (pick: (row: (typeof usage)[number]) => number): string => String(rows.reduce((total, row) => total + pick(row), 0))
    return {
      resource: {
        host,
        project,
        volume_count: sum((row) => row.volumes.count),
        total_volume_gb: sum((row) => row.volumes.gigabytes),
        snapshot_count: sum((row) => row.snapshots.count),
        total_snapshot_gb: sum((row) => row.snapshots.gigabytes),
      },
    }
  }
  return { json: { host: [line('(total)', usage), ...usage.map((row) => line(row.project_id, [row]))] } }
}

async function updateHost(house: Cinder, rq: Rq<{ status: string }>): Promise<Reply> {
  const host = rq.params.host_name!
  const rows = (await allServices(house.db, 'cinder-volume')).filter(onHost(host))
  if (rows.length === 0) throw notFound(`Host ${host.slice(0, 100)} could not be found.`)
  const disabled = rq.body.status === 'disable' ? 1 : 0
  for (const row of rows) await setService(house.db, row.id, { disabled })
  return { json: { host, status: disabled === 1 ? 'disabled' : 'enabled' } }
}

async function listPools(house: Cinder, rq: Rq): Promise<Reply> {
  const detail = queryFlag(rq.query, 'detail')
  const typeName = rq.version >= v('3.35') ? rq.query.get('volume_type') : null
  const type = typeName === null ? undefined : ((await typeById(house.db, typeName)) ?? (await typeByName(house.db, typeName)))
  const specs = Object.entries(JSON.parse(type?.extra_specs ?? '{}') as Record<string, string>)
  const rows = (await allServices(house.db, 'cinder-volume')).filter((row) => isUp(house, row))
  const found = rows.map((row) => ({ row, facts: JSON.parse(row.facts) as ReportedFacts })).map(({ row, facts }) => ({ name: `${row.host}#${facts.pool_name}`, row, facts }))
  const wanted = rq.version >= v('3.28') ? rq.query.get('name') : null
  const fits = found.filter(
    ({ name, facts }) =>
      (wanted === null || name === wanted) &&
      specs.every(([key, value]) => {
        const known = (facts as unknown as Record<string, unknown>)[key.replace(/^capabilities:/, '')]
        return known === undefined ? !key.startsWith('capabilities:') && key !== 'volume_backend_name' : fitsSpec(known, value)
      }),
  )
  return {
    json: {
      pools: fits.map(({ name, row, facts }) => ({
        name,
        ...(detail
          ? {
              capabilities: {
                ...facts,
                QoS_support: false,
                allocated_capacity_gb: facts.provisioned_capacity_gb,
                thick_provisioning_support: !facts.thin_provisioning_support,
                location_info: `${facts.volume_backend_name}:${row.host}`,
                backend_state: 'up',
                filter_function: null,
                goodness_function: null,
                timestamp: stamp(row.beat_at),
                updated: stamp(row.beat_at),
              },
            }
          : {}),
      })),
    },
  }
}

async function capabilities(house: Cinder, rq: Rq): Promise<Reply> {
  const host = backendOf(rq.params.hostname!)
  const row = (await allServices(house.db, 'cinder-volume')).find((one) => one.host === host)
  if (!row) throw notFound(`Service cinder-volume could not be found on host ${host.slice(0, 100)}.`)
  const facts = JSON.parse(row.facts) as ReportedFacts
  const ability = (title: string, description: string): object => ({ title, description, type: 'boolean' })
  return {
    json: {
      namespace: `OS::Storage::Capabilities::${host}`,
      vendor_name: facts.vendor_name,
      volume_backend_name: facts.volume_backend_name,
      pool_name: facts.pool_name,
      driver_version: facts.driver_version,
      storage_protocol: facts.storage_protocol,
      display_name: null,
      description: null,
      visibility: null,
      replication_targets: [],
      properties: {
        thin_provisioning: ability('Thin Provisioning', 'Sets thin provisioning.'),
        compression: ability('Compression', 'Enables compression.'),
        qos: ability('QoS', 'Enables QoS.'),
        replication_enabled: ability('Replication', 'Enables replication.'),
      },
    },
  }
}

async function zones(house: Cinder): Promise<Reply> {
  const available = new Map<string, boolean>()
  for (const row of await allServices(house.db, 'cinder-volume')) available.set(row.availability_zone, (available.get(row.availability_zone) ?? false) || row.disabled === 0)
  if (available.size === 0) available.set(house.config.availability_zone, true)
  return { json: { availabilityZoneInfo: [...available].map(([zoneName, up]) => ({ zoneName, zoneState: { available: up } })) } }
}
