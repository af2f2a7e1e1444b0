/** Brings bytes into an image: from staging, from the web, from another image, or from one store to others. */
import { defineFlow, type Flow } from '#base/flow/definition.ts'
import { Fault, type FaultData, invalid } from '#base/fault.ts'
import { fetchOutbound } from '#base/http/outbound.ts'
import type { Glance, ImportMethod } from '../house.ts'
import { stagedId } from '../house.ts'
import { imageById, moveImage, setStores } from '../store/images.ts'
import { setTask } from '../store/tasks.ts'
import { type Kept, limited, NOTHING_KEPT, writeJudged } from './keep-bytes.ts'

export interface ImportImage {
  image_id: string
  task_id: string
  method: ImportMethod
  /** Of web-download. */
  uri?: string
  /** Of glance-download: an image of this cloud that the user may download; absent: they may not, or it is elsewhere. */
  source_id?: string
  why_not?: string
  /** In the order in which they are filled. */
  stores: readonly string[]
  all_must_succeed: boolean
}

export const importImage = (house: Glance): Flow<ImportImage> =>
  defineFlow<ImportImage>(
    'import-image',
    {
      deadline: 12 * 3_600_000,
      async failed(p, fault, cancelled) {
        const now = house.world.clock.now()
        if (p.method === 'copy-image') {
          await setStores(house.db, p.image_id, (row) => ({ importing_to: [], failed_import: [...new Set([...row.failed_import, ...row.importing_to])] }), now)
        } else await giveBack(house, p, fault, now)
        // Last: whoever sees that it failed finds the image as it was.
        await setTask(house.db, p.task_id, { status: 'failure', message: cancelled ? 'The import was cancelled.' : fault.kind === 'internal' ? 'The import failed.' : fault.message, updated_at: now, expires_at: now + house.config.task_time_to_live * 1000 })
      },
    },
    async (f, p) => {
      await f.step('begin', () => setTask(house.db, p.task_id, { status: 'processing', updated_at: house.world.clock.now() }))
      const [first, ...rest] = p.stores as [string, ...string[]]
      // What the image names as its own stays, whatever came after.
      const remove = (store: string) => async () => {
        const row = await imageById(house.db, p.image_id)
        if (!row || !(JSON.parse(row.stores) as string[]).includes(store)) await house.stores.get(store)!.ensureNo(p.image_id)
      }
      if (p.method === 'copy-image') {
        for (const store of p.stores) {
          if (p.all_must_succeed) await f.step(`copy to ${store}`, async () => copy(house, p, store, await holderOf(house, p.image_id)), remove(store))
          else await f.step(`copy to ${store}`, () => copyIfPossible(house, p, store))
        }
        if (p.all_must_succeed) await f.step('publish', () => arrived(house, p.image_id, p.stores))
        await f.step('end', () => end(house, p))
        return
      }
      const kept = await f.step('keep', (signal) => keep(house, p, signal), remove(first))
      if (p.all_must_succeed) for (const store of rest) await f.step(`copy to ${store}`, () => copy(house, p, store, first), remove(store))
      const full = p.all_must_succeed ? p.stores : [first]
      await f.step('publish', async () => {
        const now = house.world.clock.now()
        const done = await moveImage(house.db, p.image_id, ['importing'], { status: 'active', ...kept, stores: JSON.stringify(full), importing_to: JSON.stringify(p.stores.filter((id) => !full.includes(id))), updated_at: now })
        if (!done && (await imageById(house.db, p.image_id))?.status !== 'active') throw new Fault('gone', `Image ${p.image_id} was deleted while it was imported.`)
      })
      if (!p.all_must_succeed) for (const store of rest) await f.step(`copy to ${store}`, () => copyIfPossible(house, p, store))
      await f.step('end', async () => {
        await house.staging.ensureNo(stagedId(p.image_id))
        await end(house, p)
      })
    },
  )

async function giveBack(house: Glance, p: ImportImage, fault: FaultData, now: number): Promise<void> {
  // What was refused must not be tried again as it is; what only failed waits where it was staged.
  const staged = p.method === 'glance-direct' && fault.code !== 'image.refused' && (await house.staging.size(stagedId(p.image_id))) !== undefined
  if (!staged) await house.staging.ensureNo(stagedId(p.image_id))
  const back = { ...NOTHING_KEPT, stores: '[]', importing_to: '[]', failed_import: JSON.stringify(p.stores), updated_at: now }
  await moveImage(house.db, p.image_id, ['importing'], staged ? { ...back, size: (await house.staging.size(stagedId(p.image_id))) ?? null, status: 'uploading' } : { ...back, status: 'queued' })
}

/** The first store gets the bytes from outside, judged on the way. */
async function keep(house: Glance, p: ImportImage, signal: AbortSignal): Promise<Kept> {
  const row = await imageById(house.db, p.image_id)
  if (!row) throw new Fault('gone', `Image ${p.image_id} was deleted while it was imported.`)
  const store = house.stores.get(p.stores[0]!)!
  return writeJudged(house, row, store, p.image_id, limited(await source(house, p, signal), house.config.image_size_cap))
}

async function source(house: Glance, p: ImportImage, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  if (p.method === 'web-download') return fetchOutbound(p.uri!, { allow: house.config.web_download_allow_private, signal })
  if (p.method === 'glance-download') {
    if (p.source_id === undefined) throw invalid(p.why_not ?? 'The image cannot be downloaded.')
    return bytesOf(house, p.source_id)
  }
  return (await house.staging.read(stagedId(p.image_id))).stream
}

/** An image's bytes out of whichever store has them. */
export async function bytesOf(house: Glance, imageId: string): Promise<AsyncIterable<Uint8Array>> {
  return (await house.stores.get(await holderOf(house, imageId))!.read(imageId)).stream
}

async function holderOf(house: Glance, imageId: string): Promise<string> {
  const row = await imageById(house.db, imageId)
  const holder = row && (JSON.parse(row.stores) as string[]).find((id) => house.stores.has(id))
  if (!row || row.status !== 'active' || holder === undefined) throw new Fault('not_found', `Image ${imageId} has no data.`)
  return holder
}

async function copy(house: Glance, p: ImportImage, to: string, from: string): Promise<void> {
  await house.stores.get(to)!.write(p.image_id, (await house.stores.get(from)!.read(p.image_id)).stream)
}

async function copyIfPossible(house: Glance, p: ImportImage, store: string): Promise<void> {
  try {
    await copy(house, p, store, await holderOf(house, p.image_id))
  } catch (thrown) {
    house.world.log.module('glance.flow').warn('Failed to copy an image to a store', { image_id: p.image_id, store, error: thrown })
    await setStores(house.db, p.image_id, (row) => ({ importing_to: row.importing_to.filter((id) => id !== store), failed_import: [...new Set([...row.failed_import, store])] }), house.world.clock.now())
    return
  }
  await arrived(house, p.image_id, [store])
}

const arrived = (house: Glance, imageId: string, stores: readonly string[]): Promise<void> =>
  setStores(house.db, imageId, (row) => ({ stores: [...new Set([...row.stores, ...stores])], importing_to: row.importing_to.filter((id) => !stores.includes(id)), failed_import: row.failed_import.filter((id) => !stores.includes(id)) }), house.world.clock.now())

async function end(house: Glance, p: ImportImage): Promise<void> {
  const now = house.world.clock.now()
  await setTask(house.db, p.task_id, { status: 'success', message: '', result: JSON.stringify({ image_id: p.image_id }), updated_at: now, expires_at: now + house.config.task_time_to_live * 1000 })
}
