/** snapshot-server: the root disk to an image that the API has already made (+), then, of a backup, the oldest ones are forgotten. */
import { isFault } from '#base/fault.ts'
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import { deleteImage, listImages } from '#glance/contract/images.ts'
import type { Nova } from '../house.ts'
import { callCompute } from './computes.ts'
import { letGo, liveServer, moveServer, type ServerWork, settle } from './state.ts'

export interface SnapshotServer extends ServerWork {
  image_id: string
  format: 'raw' | 'qcow2'
  /** Of a backup: how many of its kind are kept. */
  rotation?: { backup_type: string; keep: number }
}

const LOCKS = ['image_snapshot_pending', 'image_snapshot', 'image_pending_upload', 'image_uploading', 'image_backup'] as const

export const snapshotServerFlow = (nova: Nova): Flow<SnapshotServer> =>
  defineFlow<SnapshotServer>(
    'snapshot-server',
    {
      deadline: nova.config.action_deadline,
      failed: async (p, fault, cancelled) => {
        await dropImage(nova, p.image_id)
        await letGo(nova, p, LOCKS, fault, cancelled)
      },
    },
    async (f, p) => {
      await f.step('upload', async (signal) => {
        const server = await liveServer(nova, p.server_id)
        await moveServer(nova, nova.db, server.id, { task_state: LOCKS }, { task_state: 'image_uploading' })
        await callCompute(nova, server.host_id!, 'snapshot', { server_id: server.id, image_id: p.image_id, format: p.format }, { signal, timeout: nova.config.action_deadline })
      })
      // Only when the new one is there for good are old ones forgotten, and nothing is undone after that.
      await f.step('settle', async () => {
        await settle(nova, f, p, LOCKS, {}, (await liveServer(nova, p.server_id)).host)
        if (p.rotation) await rotate(nova, p.server_id, p.rotation).catch((thrown: unknown) => nova.world.log.module('nova.snapshot').warn('Left old backups to the next rotation', { server: p.server_id, error: thrown }))
      })
    },
  )

export async function dropImage(nova: Nova, imageId: string): Promise<void> {
  await nova.client.call(await nova.service(), 'glance', deleteImage, { params: { image_id: imageId } }).catch((thrown: unknown) => {
    if (!isFault(thrown, 'not_found')) throw thrown
  })
}

/** The newest `keep` stay. */
async function rotate(nova: Nova, serverId: string, { backup_type, keep }: { backup_type: string; keep: number }): Promise<void> {
  const { images } = await nova.client.call(await nova.service(), 'glance', listImages, { query: { instance_uuid: serverId, image_type: 'backup', backup_type, limit: 100 } })
  const newest = images.toSorted((a, b) => b.created_at.localeCompare(a.created_at))
  for (const image of newest.slice(keep)) await dropImage(nova, image.id)
}
