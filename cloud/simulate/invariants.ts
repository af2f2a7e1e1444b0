/**
 * What must hold once the faults have stopped and every deadline has passed. Each broken one is a sentence that names the resource. They
 * look across houses and at rows, which nothing else may do.
 */
import type { Cloud } from '../start-cloud.ts'
import type { User } from './user.ts'

interface Rows {
  flows: { id: string; name: string; state: string; resource_id: string; step: string; created_at: number; error: string | null }
  placement_allocations: { consumer_uuid: string }
  nova_migrations: { uuid: string; server_id: string; status: string; migration_type: string }
  nova_block_devices: { id: string; server_id: string; volume_id: string | null; attachment_id: string | null }
  cinder_attachments: { id: string; volume_id: string; instance_uuid: string | null; attach_status: string }
  neutron_ports: { id: string; network_id: string; device_id: string; device_owner: string }
  neutron_ip_allocations: { network_id: string; ip_address: string; port_id: string }
  neutron_floatingips: { id: string; floating_port_id: string | null; port_id: string | null }
}

/** States that something must lead out of. */
const PASSING: Readonly<Record<string, RegExp>> = {
  servers: /^(BUILD|REBOOT|HARD_REBOOT|RESIZE|REVERT_RESIZE|MIGRATING|REBUILD|PASSWORD)$/,
  volumes: /^(?!error).*ing$/,
  snapshots: /^(?!error).*ing$/,
  backups: /^(?!error).*ing$/,
  images: /^(saving|importing|uploading)$/,
}

interface Found {
  id: string
  status: string
}
interface WireServer extends Found {
  'OS-EXT-STS:task_state': string | null
  'os-extended-volumes:volumes_attached': { id: string }[]
}

export async function checkInvariants(cloud: Cloud, users: readonly User[]): Promise<string[]> {
  const broken: string[] = []
  const db = cloud.db.as<Rows>()
  for (const flow of await db.query.selectFrom('flows').select(['id', 'name', 'state', 'resource_id', 'step']).where('state', 'in', ['queued', 'running', 'unwinding']).execute()) {
    broken.push(`flow ${flow.name} of ${flow.resource_id} is still ${flow.state} at step ${flow.step}`)
  }
  const servers = new Set<string>()
  const volumes = new Set<string>()
  for (const user of users) {
    const seen = await look(user, broken)
    for (const { id } of seen.servers) servers.add(id)
    for (const { id } of seen.volumes) volumes.add(id)
    checkVolumes(seen, broken)
    await checkGuests(user, seen, broken)
    await checkQuotas(user, seen, broken)
  }
  await checkAllocations(cloud, servers, broken)
  await checkAttachments(cloud, servers, volumes, broken)
  await checkPorts(cloud, servers, broken)
  return Promise.all(broken.map(async (line) => `${line}${await storyOf(cloud, line)}`))
}

/** What was last done with the resources that a sentence names. */
async function storyOf(cloud: Cloud, line: string): Promise<string> {
  const ids = line.match(/[0-9a-f]{8}-[0-9a-f-]{27}/g) ?? []
  if (ids.length === 0) return ''
  const flows = await cloud.db.as<Rows>().query.selectFrom('flows').select(['name', 'state', 'step', 'error']).where('resource_id', 'in', ids).orderBy('created_at').execute()
  return flows.slice(-6).map(({ name, state, step, error }) => `\n      ${name} ${state}${step ? ` at ${step}` : ''}${error === null ? '' : `: ${(JSON.parse(error) as { message: string }).message}`}`).join('')
}

interface Seen {
  servers: WireServer[]
  volumes: Found[]
  snapshots: Found[]
  ports: { id: string }[]
  floatingips: { id: string }[]
}

async function look(user: User, broken: string[]): Promise<Seen> {
  const list = async <T>(path: string, noun: string): Promise<T[]> => ((await user.get(path)) as Record<string, T[]>)[noun]!
  const volume = `/volume/v3/${user.project}`
  const seen = {
    servers: await list<WireServer>('/compute/v2.1/servers/detail?limit=1000', 'servers'),
    volumes: await list<Found>(`${volume}/volumes/detail`, 'volumes'),
    snapshots: await list<Found>(`${volume}/snapshots/detail`, 'snapshots'),
    backups: await list<Found>(`${volume}/backups/detail`, 'backups'),
    images: await list<Found & { instance_uuid?: string }>('/image/v2/images?limit=1000', 'images'),
    ports: await list<{ id: string }>(`/networking/v2.0/ports?project_id=${user.project}`, 'ports'),
    floatingips: await list<{ id: string }>(`/networking/v2.0/floatingips?project_id=${user.project}`, 'floatingips'),
  }
  for (const kind of ['servers', 'volumes', 'snapshots', 'backups', 'images'] as const) for (const { id, status } of seen[kind]) if (PASSING[kind]!.test(status)) broken.push(`${kind} ${id} is still ${status}`)
  for (const image of seen.images) if (image.status === 'queued' && image.instance_uuid !== undefined) broken.push(`image ${image.id} of server ${image.instance_uuid} is still queued`)
  for (const server of seen.servers) if (server['OS-EXT-STS:task_state'] !== null) broken.push(`server ${server.id} (${server.status}) still has the task ${server['OS-EXT-STS:task_state']}`)
  return seen
}

/** A server that is ACTIVE has a guest on the host that its record names: the host is asked. */
async function checkGuests({ hands }: User, { servers }: Seen, broken: string[]): Promise<void> {
  for (const { id, status } of servers) {
    if (status !== 'ACTIVE') continue
    const answer = await hands.operator('GET', `/servers/${id}/diagnostics`)
    if (answer.status !== 200) broken.push(`server ${id} is ACTIVE, and its host knows no guest of it: ${answer.status} ${answer.text.slice(0, 200)}`)
  }
}

/** Servers on no host keep their volumes reserved; what a server in ERROR was to have stays on its record until it is deleted. */
function checkVolumes({ servers, volumes }: Seen, broken: string[]): void {
  const holders = new Map<string, WireServer>()
  const promised = new Set<string>()
  for (const server of servers) {
    for (const { id } of server['os-extended-volumes:volumes_attached']) {
      if (server.status === 'ERROR') {
        promised.add(id)
        continue
      }
      if (holders.has(id)) broken.push(`volume ${id} is attached to ${holders.get(id)!.id} and to ${server.id}`)
      holders.set(id, server)
    }
  }
  for (const { id, status } of volumes) {
    const holder = holders.get(id)
    const good = holder ? status === 'in-use' || (status === 'reserved' && holder.status === 'SHELVED_OFFLOADED') : promised.has(id) || (status !== 'in-use' && status !== 'reserved')
    if (!good) broken.push(`volume ${id} is ${status}, and ${holder ? `server ${holder.id} (${holder.status}) holds it` : 'no server holds it'}`)
  }
}

async function checkQuotas(user: User, { servers, volumes, snapshots, ports, floatingips }: Seen, broken: string[]): Promise<void> {
  const same = (what: string, used: unknown, rows: number): void => {
    if (used !== rows) broken.push(`quota of ${what} of project ${user.project} says ${String(used)}, there are ${rows}`)
  }
  const nova = (await user.get(`/compute/v2.1/os-quota-sets/${user.project}/detail`)) as { quota_set: Record<string, { in_use: number }> }
  same('instances', nova.quota_set.instances?.in_use, servers.length)
  const cinder = (await user.get(`/volume/v3/${user.project}/os-quota-sets/${user.project}?usage=True`)) as { quota_set: Record<string, { in_use: number }> }
  same('volumes', cinder.quota_set.volumes?.in_use, volumes.length)
  same('snapshots', cinder.quota_set.snapshots?.in_use, snapshots.length)
  const neutron = (await user.get(`/networking/v2.0/quotas/${user.project}/details`)) as { quota: Record<string, { used: number }> }
  same('ports', neutron.quota.port?.used, ports.length)
  same('floating IPs', neutron.quota.floatingip?.used, floatingips.length)
}

/** A resize that waits to be confirmed holds the place on the source in the name of its migration. */
async function checkAllocations(cloud: Cloud, servers: ReadonlySet<string>, broken: string[]): Promise<void> {
  const db = cloud.db.as<Rows>()
  const migrations = new Map((await db.query.selectFrom('nova_migrations').select(['uuid', 'server_id', 'status', 'migration_type']).execute()).map((row) => [row.uuid, row]))
  for (const { consumer_uuid } of await db.query.selectFrom('placement_allocations').select('consumer_uuid').distinct().execute()) {
    const migration = migrations.get(consumer_uuid)
    if (migration ? servers.has(migration.server_id) && migration.status === 'finished' : servers.has(consumer_uuid)) continue
    broken.push(migration ? `allocations of the ${migration.status} ${migration.migration_type} ${consumer_uuid} of server ${migration.server_id} are left` : `allocations of ${consumer_uuid} are left, and no such server lives`)
  }
}

/** Who holds a volume: Cinder's record and Nova's row say the same. */
async function checkAttachments(cloud: Cloud, servers: ReadonlySet<string>, volumes: ReadonlySet<string>, broken: string[]): Promise<void> {
  const db = cloud.db.as<Rows>()
  const devices = await db.query.selectFrom('nova_block_devices').select(['id', 'server_id', 'volume_id', 'attachment_id']).execute()
  const named = new Map(devices.flatMap((row) => (row.attachment_id === null ? [] : [[row.attachment_id, row]])))
  const records = await db.query.selectFrom('cinder_attachments').select(['id', 'volume_id', 'instance_uuid', 'attach_status']).execute()
  for (const record of records) {
    if (record.instance_uuid !== null && !servers.has(record.instance_uuid)) broken.push(`attachment ${record.id} of volume ${record.volume_id} is held by server ${record.instance_uuid}, which is gone`)
    if (!volumes.has(record.volume_id)) broken.push(`attachment ${record.id} is of volume ${record.volume_id}, which is gone`)
  }
  const known = new Set(records.map(({ id }) => id))
  for (const row of devices) if (!servers.has(row.server_id)) broken.push(`block device ${row.id} is of server ${row.server_id}, which is gone`)
  for (const [id, row] of named) if (!known.has(id)) broken.push(`server ${row.server_id} names attachment ${id} of volume ${String(row.volume_id)}, which is gone`)
}

async function checkPorts(cloud: Cloud, servers: ReadonlySet<string>, broken: string[]): Promise<void> {
  const db = cloud.db.as<Rows>()
  const ports = await db.query.selectFrom('neutron_ports').select(['id', 'network_id', 'device_id', 'device_owner']).execute()
  const known = new Set(ports.map(({ id }) => id))
  const floating = new Set((await db.query.selectFrom('neutron_floatingips').select(['id', 'floating_port_id', 'port_id']).execute()).map(({ id }) => id))
  for (const port of ports) {
    if (port.device_owner.startsWith('compute:') && !servers.has(port.device_id)) broken.push(`port ${port.id} belongs to server ${port.device_id}, which is gone`)
    if (port.device_owner === 'network:floatingip' && !floating.has(port.device_id)) broken.push(`port ${port.id} belongs to floating IP ${port.device_id}, which is gone`)
  }
  // An address is given twice only if two rows could share a key; what can happen is one that nobody has.
  for (const { ip_address, port_id } of await db.query.selectFrom('neutron_ip_allocations').select(['ip_address', 'port_id']).execute()) if (!known.has(port_id)) broken.push(`address ${ip_address} is given to port ${port_id}, which is gone`)
}
