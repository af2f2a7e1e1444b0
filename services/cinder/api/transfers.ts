/** Giving a volume to another project: whoever has the key of the transfer may take it. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { invalid, notFound } from '#base/fault.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import { v } from '#stack/version.ts'
import { transferList } from '../contract/lists.ts'
import type { Cinder } from '../house.ts'
import type { TransferRow } from '../store/more-tables.ts'
import { setSnapshot, snapshotsOf } from '../store/snapshots.ts'
import { deleteTransfer, insertTransfer, setTransfer, transferById } from '../store/transfers.ts'
import { moveVolume, volumeById } from '../store/volumes.ts'
import { BOOLEAN, envelope, flagOf, NAME, trimmed, UUID } from './body.ts'
import { loadVolume } from './load.ts'
import { pageOf } from './pages.ts'
import { insistOnQuota } from './quota-check.ts'
import { linksOf, stamp } from './volume-view.ts'

interface Create {
  transfer: { volume_id: string; name?: string | null; no_snapshots?: unknown }
}

const createBody = envelope('transfer', { volume_id: UUID, name: NAME, no_snapshots: BOOLEAN }, ['volume_id'])
const acceptBody = envelope('accept', { auth_key: { type: 'string', minLength: 1, maxLength: 255 } }, ['auth_key'])

/** The older path and the one of 3.55 do the same. */
export const transferRoutes = (house: Cinder): Route[] =>
  [
    { base: '/os-volume-transfer', name: 'transfers_old', more: {} },
    { base: '/volume-transfers', name: 'transfers', more: { since: v('3.55') } },
  ].flatMap(({ base, name, more }) => [
    route({ method: 'GET', path: base, name: `${name}.list`, ...more, status: 200, handle: (rq) => list(house, rq as Rq<never>, summary) }),
    route({ method: 'GET', path: `${base}/detail`, name: `${name}.list_detail`, ...more, status: 200, handle: (rq) => list(house, rq as Rq<never>, detail) }),
    route<Create>({ method: 'POST', path: base, name: `${name}.create`, ...more, body: createBody, status: 202, handle: (rq) => create(house, rq) }),
    route({ method: 'GET', path: `${base}/{transfer_id}`, name: `${name}.show`, ...more, status: 200, handle: async (rq) => ({ json: { transfer: detail(rq as Rq<never>, await load(house, rq, 'volume:get_transfer')) } }) }),
    route({ method: 'DELETE', path: `${base}/{transfer_id}`, name: `${name}.delete`, ...more, bodyKind: 'none', status: 202, handle: (rq) => remove(house, rq) }),
    route<{ accept: { auth_key: string } }>({ method: 'POST', path: `${base}/{transfer_id}/accept`, name: `${name}.accept`, ...more, body: acceptBody, status: 202, handle: (rq) => accept(house, rq) }),
  ])

type View = (rq: Rq<never>, row: TransferRow) => Record<string, unknown>

const summary: View = (rq, row) => ({ id: row.id, name: row.name, volume_id: row.volume_id, links: linksOf(rq, 'os-volume-transfer', row.id) })

const detail: View = (rq, row) => ({
  ...summary(rq, row),
  created_at: stamp(row.created_at),
  ...(rq.version >= v('3.55') ? { no_snapshots: row.no_snapshots === 1 } : {}),
  ...(rq.version >= v('3.57') ? { source_project_id: row.source_project_id, destination_project_id: row.destination_project_id, accepted: row.accepted === 1 } : {}),
})

async function load(house: Cinder, rq: Pick<Rq, 'context' | 'params' | 'allows' | 'authorize'>, rule: string): Promise<TransferRow> {
  const id = rq.params.transfer_id!
  const row = await transferById(house.db, id)
  const mine = row && (row.source_project_id === rq.context.project_id || (row.accepted === 1 && row.destination_project_id === rq.context.project_id) || rq.allows('context_is_admin', {}))
  if (!mine) throw notFound(`Transfer ${id.slice(0, 100)} could not be found.`)
  rq.authorize(rule, { project_id: row.source_project_id })
  return row
}

async function list(house: Cinder, rq: Rq<never>, view: View): Promise<Reply> {
  rq.authorize('volume:get_all_transfers')
  const page = await pageOf<TransferRow>(house, rq, { resource: transferList, project: 'source_project_id', own: ['is_public'] })
  return { json: { transfers: page.rows.map((row) => view(rq, row)), ...(rq.version >= v('3.59') ? page.extras : {}) } }
}

const hash = (salt: string, key: string): string => createHmac('sha256', salt).update(key).digest('hex')

async function create(house: Cinder, rq: Rq<Create>): Promise<Reply> {
  const { volume_id, name, no_snapshots } = rq.body.transfer
  const volume = await loadVolume(house, rq, volume_id, 'volume:create_transfer')
  const { random, clock } = house.world
  const auth_key = random.bytes(8).toString('hex')
  const salt = random.bytes(4).toString('hex')
  const row: TransferRow = {
    id: random.uuid(),
    volume_id: volume.id,
    name: trimmed(name),
    salt,
    crypt_hash: hash(salt, auth_key),
    no_snapshots: rq.version >= v('3.55') && flagOf(no_snapshots, 'no_snapshots') ? 1 : 0,
    source_project_id: volume.project_id,
    destination_project_id: null,
    accepted: 0,
    created_at: clock.now(),
  }
  await house.db.transaction(async (tx) => {
    if (volume.group_id !== null || !(await moveVolume(tx, volume.id, ['available'], { status: 'awaiting-transfer', updated_at: clock.now() }))) throw invalid('Invalid volume: status must be available, and it must not be in a group.', { field: 'volume_id' })
    await insertTransfer(tx, row)
  })
  return { json: { transfer: { ...detail(rq as unknown as Rq<never>, row), auth_key } } }
}

async function remove(house: Cinder, rq: Rq): Promise<Reply> {
  const row = await load(house, rq, 'volume:delete_transfer')
  await house.db.transaction(async (tx) => {
    if (row.accepted === 0) await moveVolume(tx, row.volume_id, ['awaiting-transfer'], { status: 'available', updated_at: house.world.clock.now() })
    await deleteTransfer(tx, row.id)
  })
  return {}
}

async function accept(house: Cinder, rq: Rq<{ accept: { auth_key: string } }>): Promise<Reply> {
  const id = rq.params.transfer_id!
  const project = rq.context.project_id
  rq.authorize('volume:accept_transfer')
  const row = await transferById(house.db, id)
  if (!row || row.accepted === 1 || project === undefined) throw notFound(`Transfer ${id.slice(0, 100)} could not be found.`)
  const given = Buffer.from(hash(row.salt, rq.body.accept.auth_key), 'hex')
  if (!timingSafeEqual(given, Buffer.from(row.crypt_hash, 'hex'))) throw invalid(`Invalid auth key: Attempt to transfer ${row.id} with invalid auth key.`, { field: 'auth_key' })
  const now = house.world.clock.now()
  await house.db.transaction(async (tx) => {
    const volume = await volumeById(tx, row.volume_id)
    if (!volume || volume.status !== 'awaiting-transfer') throw invalid(`Invalid volume: Transfer ${row.id}: Volume id ${row.volume_id} expected in awaiting-transfer state.`)
    const snapshots = row.no_snapshots === 1 ? [] : await snapshotsOf(tx, volume.id)
    const gigabytes = volume.size + (house.config.no_snapshot_gb_quota ? 0 : snapshots.reduce((sum, one) => sum + one.volume_size, 0))
    await insistOnQuota(house, tx, project, { volumes: 1, gigabytes, snapshots: snapshots.length, type_id: volume.volume_type_id })
    await moveVolume(tx, volume.id, ['awaiting-transfer'], { status: 'available', project_id: project, user_id: rq.context.user_id ?? '', updated_at: now })
    for (const one of snapshots) await setSnapshot(tx, one.id, { project_id: project, user_id: rq.context.user_id ?? '' })
    await setTransfer(tx, row.id, { accepted: 1, destination_project_id: project })
  })
  return { json: { transfer: summary(rq as unknown as Rq<never>, row) } }
}
