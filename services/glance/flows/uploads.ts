/** Uploads under way in this process, and what becomes of those whose process died: nothing stays in `saving` (S-list: images). */
import type { Glance } from '../house.ts'
import { stagedId } from '../house.ts'
import { imageIdsAmong, imagesStuck, moveImage } from '../store/images.ts'
import { expireTasks } from '../store/tasks.ts'
import { beatUploads, deleteUpload, insertUpload } from '../store/uploads.ts'
import { NOTHING_KEPT } from './keep-bytes.ts'

/** Runs `work` with a record that it is alive. */
export async function asUpload<T>(house: Glance, imageId: string, work: () => Promise<T>): Promise<T> {
  await insertUpload(house.db, { image_id: imageId, owner: house.owner, beat_at: house.world.clock.now() })
  try {
    return await work()
  } finally {
    await deleteUpload(house.db, imageId)
  }
}

export const beat = (house: Glance): Promise<void> => beatUploads(house.db, house.owner, house.world.clock.now())

const OLD = 3_600_000

/** Gives images of broken uploads back, and takes bytes away that no image names. */
export async function sweep(house: Glance): Promise<void> {
  const { clock, log } = house.world
  const now = clock.now()
  for (const row of await imagesStuck(house.db, now - house.config.upload_lease)) {
    for (const id of JSON.parse(row.stores) as string[]) await house.stores.get(id)?.ensureNo(row.id)
    for (const store of house.stores.values()) await store.ensureNo(row.id)
    await house.staging.ensureNo(stagedId(row.id))
    const back = await moveImage(house.db, row.id, [row.status], { status: 'queued', ...NOTHING_KEPT, stores: '[]', updated_at: now })
    await deleteUpload(house.db, row.id)
    if (back) log.module('glance.sweep').warn('Gave back an image whose upload was broken off', { image_id: row.id })
  }
  for (const store of new Set([...house.stores.values(), house.staging])) {
    await store.sweep(now - OLD)
    const old = (await store.list()).filter((one) => one.written_at < now - OLD)
    const known = await imageIdsAmong(house.db, old.map((one) => one.id.split('.')[0]!))
    for (const { id } of old) if (!known.has(id.split('.')[0]!)) await store.ensureNo(id)
  }
  await expireTasks(house.db, now)
}
