/** Reconcilers: what expired goes, what nothing holds goes, what is damaged is found. Each round may be cut off anywhere and begun again. */
import { isFault } from '#base/fault.ts'
import type { Swift } from '../house.ts'
import { containersIn, deletedAccounts, forgetAccount, removeContainer } from '../store/accounts.ts'
import { poolOf } from '../core/policies.ts'
import { bytesInParts, dueBytes, forgetBytes, type Held, heldBytes, objectsAfter, poolsHeld, relocateBytes, reportBad } from '../store/bytes.ts'
import { lifecycleRound } from './lifecycle.ts'
import { expiredObjects, removeObject, removeVersion, someObjects, someVersions } from '../store/objects.ts'

/** An upload may take this long between its bytes and its row. */
const SETTLED = 86_400_000
const PACK_SETTLED = 3_600_000

export async function sweep(house: Swift): Promise<void> {
  const now = house.world.clock.now()
  for (;;) {
    const rows = await expiredObjects(house.db, now)
    await Promise.all(rows.map((row) => house.commits.run((commit) => removeObject(commit, row.container_id, row.name, { expired: true }, now)).catch(() => undefined)))
    if (rows.length < 500) break
  }
  await lifecycleRound(house)
  for (let after = ''; ; ) {
    const ids = await dueBytes(house.db, now, after)
    for (const pool of new Set(ids.map(poolOf))) await removeDue(house, ids.filter((id) => poolOf(id) === pool))
    if (ids.length < 500) break
    after = ids.at(-1)!
  }
  for (const row of await deletedAccounts(house.db)) if (Number(row.deleted_at) + house.config.reap_after_seconds * 1000 <= now) await reap(house, row.account)
}

/** A place that is away keeps the others from nothing; its bytes stay due. */
async function removeDue(house: Swift, ids: readonly string[]): Promise<void> {
  try {
    await house.bytes.remove(ids)
    await forgetBytes(house.db, ids)
  } catch (thrown) {
    house.world.log.module('swift.sweeper').warn('Bytes that nothing holds cannot be removed now', { error: thrown, count: ids.length })
  }
}

/** Takes everything out of an account that was deleted, and then forgets it. What is locked stays, and with it the account, until a later round. */
async function reap(house: Swift, account: string): Promise<void> {
  let locked = false
  for (let after = ''; ; ) {
    const containers = await containersIn(house.db, account, { limit: 100, reverse: false, low: { name: after, also: false } })
    for (const { id } of containers) {
      if (await emptied(house, id)) await removeContainer(house.db, id)
      else locked = true
    }
    if (containers.length < 100) break
    after = containers.at(-1)!.name
  }
  if (!locked) await forgetAccount(house.db, account)
}

async function emptied(house: Swift, id: string): Promise<boolean> {
  const now = house.world.clock.now()
  const gone = (work: Promise<unknown>): Promise<boolean> =>
    work.then(() => true, (thrown: unknown) => {
      if (!isFault(thrown, 'forbidden')) throw thrown
      return false
    })
  for (let rows = await someObjects(house.db, id); rows.length > 0; rows = await someObjects(house.db, id)) {
    if (!(await Promise.all(rows.map((row) => gone(house.commits.run((commit) => removeObject(commit, id, row.name, {}, now)))))).includes(true)) return false
  }
  for (let rows = await someVersions(house.db, id); rows.length > 0; rows = await someVersions(house.db, id)) {
    if (!(await Promise.all(rows.map((row) => gone(house.commits.run((commit) => removeVersion(commit, row, now)))))).includes(true)) return false
  }
  return true
}

/** Bytes that nothing holds go; packs that are mostly holes are written anew. */
export async function reconcile(house: Swift, signal?: AbortSignal): Promise<{ removed: number }> {
  const log = house.world.log.module('swift.reconciler')
  const parts = await bytesInParts(house.db)
  const known = new Set(house.bytes.names)
  const lost = new Set([...(await poolsHeld(house.db)), ...[...parts].map(poolOf)].filter((pool) => !known.has(pool)))
  // A policy whose name was changed would make all that lies in its place look as if nothing held it.
  if (lost.size > 0) {
    log.error('Objects lie in places that no policy names; nothing is removed until swift.policies names them again', { places: [...lost].join(', ') })
    return { removed: 0 }
  }
  let removed = 0
  for (const pool of known) {
    try {
      removed += await reconcilePool(house, pool, parts, signal)
    } catch (thrown) {
      log.warn('Failed to look through a place of bytes', { place: pool, error: thrown })
    }
  }
  return { removed }
}

async function reconcilePool(house: Swift, pool: string, parts: ReadonlySet<string>, signal?: AbortSignal): Promise<number> {
  const now = house.world.clock.now()
  const bytes = house.bytes.of(pool)!
  await bytes.sweep(now - SETTLED)
  let removed = 0
  let batch: string[] = []
  const flush = async (): Promise<void> => {
    const held = await heldBytes(house.db, batch)
    const loose = batch.filter((id) => !held.has(id) && !parts.has(id))
    await bytes.remove(loose)
    removed += loose.length
    batch = []
  }
  for await (const id of bytes.list(now - SETTLED)) {
    if (signal?.aborted) return removed
    batch.push(id)
    if (batch.length >= 200) await flush()
  }
  await flush()
  await bytes.compact?.(
    async (ids) => {
      const held = new Set<string>()
      for (let i = 0; i < ids.length; i += 200) for (const id of await heldBytes(house.db, ids.slice(i, i + 200))) held.add(id)
      // A pack with parts of composite objects stays as it is: their places stand inside of lists.
      return ids.some((id) => parts.has(id)) ? new Set(ids) : held
    },
    (from, to) => relocateBytes(house.db, from, to),
    now - PACK_SETTLED,
  )
  return removed
}

/** Reads every object again, slowly, and reports what is bad or gone. */
export async function audit(house: Swift, signal?: AbortSignal): Promise<{ bad: number }> {
  const { clock, log } = house.world
  const pause = 1000 / house.config.audit_files_per_second
  let after: Held | undefined
  let bad = 0
  for (;;) {
    const rows = await objectsAfter(house.db, after, 100)
    for (const row of rows) {
      const ids = row.parts === null ? [row.bytes_id] : (JSON.parse(row.parts) as { bytes_id: string }[]).map((part) => part.bytes_id)
      for (const id of ids) {
        if (signal?.aborted) return { bad }
        let verdict: Awaited<ReturnType<typeof house.bytes.verify>>
        try {
          verdict = await house.bytes.verify(id)
        } catch (thrown) {
          // What cannot be reached is not judged; the next round asks again.
          log.module('swift.auditor').warn('Cannot read an object again now', { bytes_id: id, error: thrown })
          continue
        }
        if (verdict !== 'good' && (await heldBytes(house.db, [id])).has(id)) {
          bad++
          log.module('swift.auditor').error(verdict === 'bad' ? 'Found damaged bytes and put them aside' : 'Found an object without its bytes', { container_id: row.container_id, object: row.name, bytes_id: id })
          if (verdict === 'bad') await house.bytes.quarantine(id)
          await reportBad(house.db, { bytes_id: id, reason: verdict === 'bad' ? 'The checksum does not fit.' : 'The bytes are gone.', found_at: clock.now() })
        }
        if (pause >= 1) await clock.sleep(pause, signal).catch(() => {})
      }
    }
    if (rows.length < 100) return { bad }
    after = rows.at(-1)
  }
}
