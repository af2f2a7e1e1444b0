/** `os-volumes` and `os-snapshots`, until 2.35: Cinder's, behind the old form. */
import { createSnapshot, createVolume, deleteSnapshot, deleteVolume, listSnapshots, listVolumes, showSnapshot, showVolume, type Volume, type VolumeSnapshot } from '#cinder/contract/volumes.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import type { Schema } from '#stack/schema.ts'
import type { Nova } from '../house.ts'
import { limited, proxiedPlainly, PROXIES_END } from './proxy-steps.ts'
import { envelope, flag, isTrue, object } from './schemas.ts'
import { callerOf } from './server-create.ts'

const text: Schema = { type: ['string', 'null'], maxLength: 255 }
const volumeSchema = envelope(
  'volume',
  object({ volume_type: { type: ['string', 'null'] }, metadata: { type: ['object', 'null'] }, snapshot_id: { type: ['string', 'null'] }, size: { anyOf: [{ type: 'integer', minimum: 1 }, { type: 'string', pattern: '^0*[1-9][0-9]{0,8}$' }] }, availability_zone: { type: ['string', 'null'] }, display_name: text, display_description: text }, ['size'], true),
)
const snapshotSchema = envelope('snapshot', object({ volume_id: { type: 'string' }, force: flag, display_name: { type: ['string', 'null'] }, display_description: { type: ['string', 'null'] } }, ['volume_id'], true))

interface VolumeWish {
  size: number | string
  volume_type?: string | null
  metadata?: Record<string, string> | null
  snapshot_id?: string | null
  availability_zone?: string | null
  display_name?: string | null
  display_description?: string | null
}

interface SnapshotWish {
  volume_id: string
  force?: unknown
  display_name?: string | null
  display_description?: string | null
}

export function volumeRoutes(nova: Nova): Route[] {
  const until = PROXIES_END
  const p = (verb: string): string => `os_compute_api:os-volumes:${verb}`
  const volumes = async (rq: Rq<unknown>): Promise<Reply> => {
    const found = await nova.client.call(callerOf(rq), 'cinder', listVolumes, {})
    return { json: { volumes: limited(found.volumes, rq.query, nova.config.max_limit).map(volumeView) } }
  }
  const snapshots = async (rq: Rq<unknown>): Promise<Reply> => {
    const found = await nova.client.call(callerOf(rq), 'cinder', listSnapshots, {})
    return { json: { snapshots: limited(found.snapshots, rq.query, nova.config.max_limit).map(snapshotView) } }
  }
  const volume_id = (rq: Rq<unknown>) => ({ params: { volume_id: rq.params.volume_id! } })
  const snapshot_id = (rq: Rq<unknown>) => ({ params: { snapshot_id: rq.params.snapshot_id! } })
  const noVolume = (rq: Rq<unknown>): string => `Volume ${rq.params.volume_id} could not be found.`
  const noSnapshot = (rq: Rq<unknown>): string => `Snapshot ${rq.params.snapshot_id} could not be found.`
  return [
    route({ method: 'GET', path: '/v2.1/os-volumes', name: 'volumes.index', until, policy: p('list'), status: 200, handle: volumes }),
    route({ method: 'GET', path: '/v2.1/os-volumes/detail', name: 'volumes.detail', until, policy: p('detail'), status: 200, handle: volumes }),
    route<{ volume: VolumeWish }>({ method: 'POST', path: '/v2.1/os-volumes', name: 'volumes.create', until, policy: p('create'), status: 200, body: volumeSchema, handle: (rq) => makeVolume(nova, rq) }),
    route({
      method: 'GET', path: '/v2.1/os-volumes/{volume_id}', name: 'volumes.show', until, policy: p('show'), status: 200,
      handle: async (rq) => ({ json: { volume: volumeView((await proxiedPlainly(nova.client.call(callerOf(rq), 'cinder', showVolume, volume_id(rq)), noVolume(rq))).volume) } }),
    }),
    route({
      method: 'DELETE', path: '/v2.1/os-volumes/{volume_id}', name: 'volumes.delete', until, policy: p('delete'), status: 202,
      async handle(rq) {
        await proxiedPlainly(nova.client.call(callerOf(rq), 'cinder', deleteVolume, volume_id(rq)), noVolume(rq))
        return {}
      },
    }),
    route({ method: 'GET', path: '/v2.1/os-snapshots', name: 'snapshots.index', until, policy: p('snapshots:list'), status: 200, handle: snapshots }),
    route({ method: 'GET', path: '/v2.1/os-snapshots/detail', name: 'snapshots.detail', until, policy: p('snapshots:detail'), status: 200, handle: snapshots }),
    route<{ snapshot: SnapshotWish }>({ method: 'POST', path: '/v2.1/os-snapshots', name: 'snapshots.create', until, policy: p('snapshots:create'), status: 200, body: snapshotSchema, handle: (rq) => makeSnapshot(nova, rq) }),
    route({
      method: 'GET', path: '/v2.1/os-snapshots/{snapshot_id}', name: 'snapshots.show', until, policy: p('snapshots:show'), status: 200,
      handle: async (rq) => ({ json: { snapshot: snapshotView((await proxiedPlainly(nova.client.call(callerOf(rq), 'cinder', showSnapshot, snapshot_id(rq)), noSnapshot(rq))).snapshot) } }),
    }),
    route({
      method: 'DELETE', path: '/v2.1/os-snapshots/{snapshot_id}', name: 'snapshots.delete', until, policy: p('snapshots:delete'), status: 202,
      async handle(rq) {
        await proxiedPlainly(nova.client.call(callerOf(rq), 'cinder', deleteSnapshot, snapshot_id(rq)), noSnapshot(rq))
        return {}
      },
    }),
  ]
}

async function makeVolume(nova: Nova, rq: Rq<{ volume: VolumeWish }>): Promise<Reply> {
  const wish = rq.body.volume
  const wanted = {
    size: Number(wish.size),
    ...(wish.display_name ? { name: wish.display_name } : {}),
    ...(wish.display_description ? { description: wish.display_description } : {}),
    ...(wish.snapshot_id ? { snapshot_id: wish.snapshot_id } : {}),
    ...(wish.volume_type ? { volume_type: wish.volume_type } : {}),
    ...(wish.availability_zone ? { availability_zone: wish.availability_zone } : {}),
    ...(wish.metadata ? { metadata: wish.metadata } : {}),
  }
  const { volume } = await proxiedPlainly(nova.client.call(callerOf(rq), 'cinder', createVolume, { body: { volume: wanted } }), `Snapshot ${wish.snapshot_id} could not be found.`)
  return { json: { volume: volumeView(volume) }, headers: { location: `${rq.base}${rq.http.path}/${volume.id}` } }
}

async function makeSnapshot(nova: Nova, rq: Rq<{ snapshot: SnapshotWish }>): Promise<Reply> {
  const { volume_id, force, display_name, display_description } = rq.body.snapshot
  const wanted = { volume_id, force: isTrue(force), ...(display_name ? { name: display_name } : {}), ...(display_description ? { description: display_description } : {}) }
  const { snapshot } = await proxiedPlainly(nova.client.call(callerOf(rq), 'cinder', createSnapshot, { body: { snapshot: wanted } }), `Volume ${volume_id} could not be found.`)
  return { json: { snapshot: snapshotView(snapshot) } }
}

function volumeView(volume: Volume): Record<string, unknown> {
  const attachments = volume.attachments.map((one) => ({ id: volume.id, volumeId: volume.id, serverId: one.server_id, ...(one.device ? { device: one.device } : {}) }))
  return {
    id: volume.id,
    status: volume.status,
    size: volume.size,
    availabilityZone: volume.availability_zone,
    createdAt: volume.created_at,
    // One that is not attached always had one empty attachment.
    attachments: attachments.length === 0 ? [{}] : attachments,
    displayName: volume.name,
    displayDescription: volume.description,
    volumeType: volume.volume_type,
    snapshotId: volume.snapshot_id,
    metadata: volume.metadata,
  }
}

function snapshotView(snapshot: VolumeSnapshot): Record<string, unknown> {
  return { id: snapshot.id, volumeId: snapshot.volume_id, status: snapshot.status, size: snapshot.size, createdAt: snapshot.created_at, displayName: snapshot.name, displayDescription: snapshot.description }
}
