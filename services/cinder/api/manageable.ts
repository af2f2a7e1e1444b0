/** Taking over volumes that are on a backend already. */
import { invalid, notFound, notImplemented } from '#base/fault.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { backendOf, type ReportedFacts } from '../contract/volume-rpc.ts'
import type { Cinder } from '../house.ts'
import { allServices } from '../store/services.ts'
import type { VolumeRow } from '../store/tables.ts'
import { typeByName } from '../store/types.ts'
import { insertVolume, newVolume } from '../store/volumes.ts'
import { BOOLEAN, DESCRIPTION, envelope, flagOf, METADATA, NAME, trimmed } from './body.ts'
import { loadType } from './load.ts'
import { insistOnQuota } from './quota-check.ts'
import { volumeView } from './volume-view.ts'

const LIST = 'volume_extension:list_manageable'
const word = { type: ['string', 'null'], maxLength: 255 }

interface Manage {
  volume: {
    host?: string
    cluster?: string | null
    ref: Record<string, string> | string
    name?: string | null
    description?: string | null
    volume_type?: string | null
    metadata?: Record<string, string> | null
    availability_zone?: string | null
    bootable?: unknown
  }
}

const manageBody = envelope('volume', { host: word, cluster: word, ref: { type: ['object', 'string'] }, name: NAME, description: DESCRIPTION, volume_type: word, metadata: { anyOf: [METADATA, { type: 'null' }] }, availability_zone: word, bootable: BOOLEAN }, ['ref'])

/** The older paths and those of 3.8 do the same. */
export const manageableRoutes = (house: Cinder): Route[] => [
  ...['/manageable_volumes', '/os-volume-manage'].flatMap((path) => {
    const name = path.slice(1).replaceAll('-', '_')
    return [
      route({ method: 'GET', path, name: `${name}.list`, policy: LIST, status: 200, handle: (rq) => list(house, rq, false) }),
      route({ method: 'GET', path: `${path}/detail`, name: `${name}.list_detail`, policy: LIST, status: 200, handle: (rq) => list(house, rq, true) }),
      route<Manage>({ method: 'POST', path, name: `${name}.manage`, policy: 'volume_extension:volume_manage', body: manageBody, status: 202, handle: (rq) => manage(house, rq) }),
    ]
  }),
  ...['/manageable_snapshots', '/os-snapshot-manage'].flatMap((path) => {
    const name = path.slice(1).replaceAll('-', '_')
    const refuse = (): never => {
      throw notImplemented('Snapshots are inside their volumes on the storage backends of this cloud: they come and go with them.')
    }
    return [
      route({ method: 'GET', path, name: `${name}.list`, policy: 'snapshot_extension:list_manageable', status: 200, handle: refuse }),
      route({ method: 'GET', path: `${path}/detail`, name: `${name}.list_detail`, policy: 'snapshot_extension:list_manageable', status: 200, handle: refuse }),
      route({ method: 'POST', path, name: `${name}.manage`, policy: 'snapshot_extension:snapshot_manage', status: 202, handle: refuse }),
    ]
  }),
  route({
    method: 'POST',
    path: '/snapshots/{snapshot_id}/action',
    action: 'os-unmanage',
    name: 'snapshots.unmanage',
    policy: 'snapshot_extension:snapshot_unmanage',
    status: 202,
    handle: () => {
      throw notImplemented('Snapshots are inside their volumes on the storage backends of this cloud: they cannot be given away alone.')
    },
  }),
]

async function backendFor(house: Cinder, host: string | null | undefined): Promise<{ at: string; facts: ReportedFacts; zone: string }> {
  if (!host) throw invalid('A host is needed: <host>@<backend>.', { field: 'host' })
  const row = (await allServices(house.db, 'cinder-volume')).find((one) => one.host === backendOf(host))
  if (!row) throw notFound(`Service cinder-volume could not be found on host ${host.slice(0, 200)}.`)
  if (row.disabled === 1) throw invalid(`The service on ${row.host} is disabled.`, { field: 'host' })
  return { at: row.host, facts: JSON.parse(row.facts) as ReportedFacts, zone: row.availability_zone }
}

async function list(house: Cinder, rq: Rq, detail: boolean): Promise<Reply> {
  const { at } = await backendFor(house, rq.query.get('host'))
  const { volumes } = await house.agentAt(at).listManageable(null)
  const offset = Number(rq.query.get('offset') ?? 0) || 0
  const limit = Number(rq.query.get('limit') ?? house.config.max_limit) || house.config.max_limit
  const page = volumes.toSorted((a, b) => (a.source_name < b.source_name ? -1 : 1)).slice(offset, offset + limit)
  return {
    json: {
      'manageable-volumes': page.map((one) => ({
        reference: { 'source-name': one.source_name },
        size: one.size_gb,
        safe_to_manage: one.safe_to_manage,
        ...(detail ? { reason_not_safe: one.reason_not_safe ?? null, cinder_id: null, extra_info: null } : {}),
      })),
    },
  }
}

async function manage(house: Cinder, rq: Rq<Manage>): Promise<Reply> {
  const given = rq.body.volume
  const { at, facts, zone } = await backendFor(house, given.host)
  const source_name = typeof given.ref === 'string' ? given.ref : (given.ref['source-name'] ?? '')
  if (source_name === '') throw invalid('The reference must have a source-name.', { field: 'ref' })
  const type = given.volume_type ? await loadType(house, rq, given.volume_type, 'id or name') : await typeByName(house.db, house.config.default_volume_type)
  const project_id = rq.context.project_id ?? ''
  const now = house.world.clock.now()
  const known = (await house.agentAt(at).listManageable(null)).volumes.find((one) => one.source_name === source_name)
  if (!known) throw invalid(`Invalid input received: Manage existing volume failed: there is no ${source_name.slice(0, 200)} on ${at}.`, { field: 'ref' })
  if (!known.safe_to_manage) throw invalid(`Invalid input received: Manage existing volume failed: ${known.reason_not_safe ?? 'it is not safe'}.`, { field: 'ref' })
  const row: VolumeRow = newVolume({
    id: house.world.random.uuid(),
    project_id,
    user_id: rq.context.user_id ?? '',
    name: trimmed(given.name),
    description: trimmed(given.description),
    size: known.size_gb,
    status: rq.version >= v('3.8') ? 'managing' : 'creating',
    availability_zone: given.availability_zone ?? zone,
    host: `${at}#${facts.pool_name}`,
    volume_type_id: type?.id ?? null,
    bootable: flagOf(given.bootable, 'bootable') ? 1 : 0,
    metadata: JSON.stringify(given.metadata ?? {}),
    created_at: now,
  })
  await house.db.transaction(async (tx) => {
    await insistOnQuota(house, tx, project_id, { volumes: 1, gigabytes: row.size, type_id: row.volume_type_id })
    await insertVolume(tx, row)
    await house.engine.start(tx as never, house.flows.manageVolume, { volume_id: row.id, project_id, host: row.host!, source_name }, { resource_kind: 'volume', resource_id: row.id, project_id })
  })
  return { json: { volume: volumeView(rq, row, type, []) } }
}
