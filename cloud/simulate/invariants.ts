/**
 * What must hold once the faults have stopped and every deadline has passed. Each broken one is a sentence that names the resource. They
 * look across houses and at rows, which nothing else may do.
 */
import type { Cloud } from '../start-cloud.ts'
import type { User } from './user.ts'

interface Rows {
  flows: { id: string; name: string; state: string; resource_id: string; step: string }
  placement_allocations: { consumer_uuid: string }
  nova_migrations: { uuid: string; server_id: string; status: string; migration_type: string }
}

const PASSING = new Set(['BUILD', 'REBOOT', 'HARD_REBOOT', 'RESIZE', 'REVERT_RESIZE', 'MIGRATING', 'REBUILD', 'PASSWORD'])

interface WireServer {
  id: string
  status: string
  'OS-EXT-STS:task_state': string | null
  'os-extended-volumes:volumes_attached': { id: string }[]
  addresses: Record<string, { addr: string }[]>
}

export async function checkInvariants(cloud: Cloud, users: readonly User[]): Promise<string[]> {
  const broken: string[] = []
  const db = cloud.db.as<Rows>()
  for (const flow of await db.query.selectFrom('flows').select(['id', 'name', 'state', 'resource_id', 'step']).where('state', 'in', ['queued', 'running', 'unwinding']).execute()) {
    broken.push(`flow ${flow.name} of ${flow.resource_id} is still ${flow.state} at step ${flow.step}`)
  }
  const living = new Set<string>()
  const attached = new Map<string, string>()
  for (const user of users) {
    const { servers } = (await user.get('/compute/v2.1/servers/detail?limit=1000')) as { servers: WireServer[] }
    for (const server of servers) {
      living.add(server.id)
      if (PASSING.has(server.status)) broken.push(`server ${server.id} is still ${server.status}`)
      const task = server['OS-EXT-STS:task_state']
      if (task !== null) broken.push(`server ${server.id} (${server.status}) still has the task ${task}`)
      for (const { id } of server['os-extended-volumes:volumes_attached']) {
        if (attached.has(id)) broken.push(`volume ${id} is attached to ${attached.get(id)} and to ${server.id}`)
        attached.set(id, server.id)
      }
    }
    const { ports } = (await user.get('/networking/v2.0/ports')) as { ports: { id: string; device_id: string; device_owner: string; fixed_ips: { ip_address: string }[] }[] }
    const used = new Set<string>()
    for (const port of ports) {
      for (const { ip_address } of port.fixed_ips) {
        if (used.has(ip_address)) broken.push(`address ${ip_address} is given twice in project ${user.project}`)
        used.add(ip_address)
      }
      if (port.device_owner.startsWith('compute:') && !living.has(port.device_id)) broken.push(`port ${port.id} belongs to server ${port.device_id}, which is gone`)
    }
    const volumes = (await user.get(`/volume/v3/${user.project}/volumes/detail`)) as { volumes: { id: string; status: string }[] } | undefined
    for (const volume of volumes?.volumes ?? []) {
      const holder = attached.get(volume.id)
      if ((/ing$/.test(volume.status) && !volume.status.startsWith('error')) || volume.status === 'reserved') broken.push(`volume ${volume.id} is still ${volume.status}`)
      if (holder && volume.status !== 'in-use') broken.push(`volume ${volume.id} is ${volume.status}, yet server ${holder} holds it`)
      if (!holder && volume.status === 'in-use') broken.push(`volume ${volume.id} is in-use, yet no server holds it`)
    }
  }
  // A resize that waits to be confirmed holds the place on the source in the name of its migration.
  const migrations = new Map((await db.query.selectFrom('nova_migrations').select(['uuid', 'server_id', 'status', 'migration_type']).execute()).map((row) => [row.uuid, row]))
  const consumers = await db.query.selectFrom('placement_allocations').select('consumer_uuid').distinct().execute()
  for (const { consumer_uuid } of consumers) {
    const migration = migrations.get(consumer_uuid)
    if (migration ? living.has(migration.server_id) && migration.status === 'finished' : living.has(consumer_uuid)) continue
    broken.push(migration ? `allocations of the ${migration.status} ${migration.migration_type} ${consumer_uuid} of server ${migration.server_id} are left` : `allocations of ${consumer_uuid} are left, and no such server lives`)
  }
  return broken
}
