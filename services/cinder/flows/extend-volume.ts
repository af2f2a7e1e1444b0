/** Makes a volume larger; a server that uses it is told through Nova. */
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import { sendExternalEvents } from '#nova/contract/servers.ts'
import type { Cinder } from '../house.ts'
import { attachmentsOf } from '../store/attachments.ts'
import { settleVolume } from '../store/holding.ts'
import { moveVolume } from '../store/volumes.ts'
import { tell } from './tell.ts'

export interface ExtendVolume {
  volume_id: string
  project_id: string
  host: string
  size_gb: number
  old_size_gb: number
  was: string
}

export const extendVolume = (house: Cinder): Flow<ExtendVolume> =>
  defineFlow<ExtendVolume>(
    'extend-volume',
    {
      deadline: 600_000,
      async failed(p, fault, cancelled) {
        if (cancelled) return
        // What is larger than the row says is no harm: the row goes back, and a later extension finds it done.
        const done = await moveVolume(house.db, p.volume_id, ['extending'], { status: p.was, size: p.old_size_gb, updated_at: house.world.clock.now() })
        if (done) await tell(house, { kind: 'volume', id: p.volume_id, project_id: p.project_id, action: 'extend', fault })
      },
    },
    async (f, p) => {
      await f.step('extend', (signal) => house.agentAt(p.host).extend({ volume_id: p.volume_id, size_gb: p.size_gb }, { signal }))
      // It is larger: what is left is to say so.
      await f.must('publish', () =>
        house.db.transaction(async (tx) => {
          const now = house.world.clock.now()
          await moveVolume(tx, p.volume_id, ['extending'], { status: 'available', size: p.size_gb, updated_at: now })
          await settleVolume(tx, p.volume_id, now)
        }),
      )
      if (p.was === 'in-use') await f.step('tell nova', () => tellNova(house, p.volume_id))
    },
  )

async function tellNova(house: Cinder, volumeId: string): Promise<void> {
  const servers = (await attachmentsOf(house.db, [volumeId])).flatMap((one) => one.instance_uuid ?? [])
  if (servers.length === 0) return
  const events = servers.map((server_uuid) => ({ name: 'volume-extended' as const, server_uuid, status: 'completed' as const, tag: volumeId }))
  try {
    await house.client.call(await house.serviceCaller(), 'nova', sendExternalEvents, { body: { events } })
  } catch (thrown) {
    // The disk has grown; the guest sees it at its next start.
    house.world.log.module('cinder.flow').warn('Failed to tell Nova of a larger volume', { volume_id: volumeId, error: thrown })
  }
}
