/** Volumes to images, and images onto volumes that are there. */
import { defineFlow, type Flow, type FlowRun } from '#base/flow/definition.ts'
import { isFault } from '#base/fault.ts'
import { deleteImage } from '#glance/contract/images.ts'
import { sendExternalEvents } from '#nova/contract/servers.ts'
import type { ImageFormat } from '../drivers/interface.ts'
import type { Cinder } from '../house.ts'
import { attachmentsOf } from '../store/attachments.ts'
import { settleVolume } from '../store/holding.ts'
import { moveVolume, setVolumeMetadata } from '../store/volumes.ts'
import { tell } from './tell.ts'

export interface UploadImage {
  volume_id: string
  project_id: string
  host: string
  image_id: string
  format: 'raw' | 'qcow2'
  was: string
}

export const uploadImage = (house: Cinder): Flow<UploadImage> => {
  const giveBack = (p: UploadImage, f?: FlowRun): Promise<void> =>
    house.db.transaction(async (tx) => {
      const now = house.world.clock.now()
      if (await moveVolume(tx, p.volume_id, ['uploading'], { status: p.was, updated_at: now })) await settleVolume(tx, p.volume_id, now)
      await f?.conclude(tx)
    })
  return defineFlow<UploadImage>(
    'upload-image',
    {
      deadline: 6 * 3_600_000,
      async failed(p, fault, cancelled) {
        await giveBack(p)
        await dropImage(house, p.image_id)
        if (!cancelled) await tell(house, { kind: 'volume', id: p.volume_id, project_id: p.project_id, action: 'upload', fault })
      },
    },
    async (f, p) => {
      await f.step('upload', (signal) => house.agentAt(p.host).uploadImage({ volume_id: p.volume_id, image_id: p.image_id, format: p.format }, { signal }))
      await f.step('give back', () => giveBack(p, f))
    },
  )
}

async function dropImage(house: Cinder, image_id: string): Promise<void> {
  try {
    await house.client.call(await house.serviceCaller(), 'glance', deleteImage, { params: { image_id } })
  } catch (thrown) {
    if (!isFault(thrown, 'not_found')) house.world.log.module('cinder.flow').warn('Failed to delete an image that never became active', { image_id, error: thrown })
  }
}

export interface Reimage {
  volume_id: string
  project_id: string
  host: string
  image_id: string
  format: ImageFormat
  image_metadata: Record<string, string>
  size_gb: number
  was: string
}

export const reimageVolume = (house: Cinder): Flow<Reimage> =>
  defineFlow<Reimage>(
    'reimage-volume',
    {
      deadline: 6 * 3_600_000,
      async failed(p, fault, cancelled) {
        if (cancelled) return
        const done = await moveVolume(house.db, p.volume_id, ['downloading'], { status: 'error', updated_at: house.world.clock.now() })
        if (done) await tell(house, { kind: 'volume', id: p.volume_id, project_id: p.project_id, action: 'reimage', fault })
        await tellNova(house, p, 'failed')
      },
    },
    async (f, p) => {
      await f.step('reimage', (signal) => house.agentAt(p.host).reimage({ volume_id: p.volume_id, image_id: p.image_id, format: p.format, size_gb: p.size_gb }, { signal }))
      // The new bytes are there: what is left is to say so.
      await f.must('publish', () =>
        house.db.transaction(async (tx) => {
          const now = house.world.clock.now()
          await setVolumeMetadata(tx, p.volume_id, 'image', p.image_metadata, now)
          // An error is what it came to be repaired from.
          if (await moveVolume(tx, p.volume_id, ['downloading'], { status: p.was === 'error' ? 'available' : p.was, bootable: 1, updated_at: now })) await settleVolume(tx, p.volume_id, now)
        }),
      )
      await f.step('tell nova', () => tellNova(house, p, 'completed'))
    },
  )

async function tellNova(house: Cinder, p: Reimage, status: 'completed' | 'failed'): Promise<void> {
  const servers = (await attachmentsOf(house.db, [p.volume_id])).flatMap((one) => one.instance_uuid ?? [])
  if (servers.length === 0) return
  try {
    await house.client.call(await house.serviceCaller(), 'nova', sendExternalEvents, { body: { events: servers.map((server_uuid) => ({ name: 'volume-reimaged' as const, server_uuid, status, tag: p.volume_id })) } })
  } catch (thrown) {
    house.world.log.module('cinder.flow').warn('Failed to tell Nova of a new image on a volume', { volume_id: p.volume_id, error: thrown })
  }
}
