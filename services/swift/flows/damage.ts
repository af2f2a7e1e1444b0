/** Bytes that are not what was stored: looked at once more, put aside, told. The auditor comes by here, and every reader who met some. */
import type { Swift } from '../house.ts'
import { forgetBad, heldBytes, reportBad } from '../store/bytes.ts'

/**
 * True when they are good, cannot be reached now (the next round asks again), or are nobody's any more. `whose`: for the log. `still`: whether the
 * object that they are a piece of is there yet.
 */
export async function judgeBytes(house: Swift, id: string, whose: Record<string, unknown>, still?: () => Promise<boolean>): Promise<boolean> {
  const log = house.world.log.module('swift.auditor')
  let verdict: Awaited<ReturnType<typeof house.bytes.verify>>
  try {
    verdict = await house.bytes.verify(id)
  } catch (thrown) {
    log.warn('Cannot read an object again now', { ...whose, bytes_id: id, error: thrown })
    return true
  }
  if (verdict === 'good') return true
  if (!(await heldBytes(house.db, [id], true)).has(id) && !(await still?.())) return true
  log.error(verdict === 'bad' ? 'Found damaged bytes and put them aside' : 'Found an object without its bytes', { ...whose, bytes_id: id })
  if (verdict === 'bad') await house.bytes.quarantine(id)
  await reportBad(house.db, { bytes_id: id, reason: verdict === 'bad' ? 'The checksum does not fit.' : 'The bytes are gone.', found_at: house.world.clock.now() })
  return false
}

/** What was reported, and is good now. */
export async function clearReports(house: Swift, reported: readonly string[]): Promise<void> {
  for (const id of reported) {
    const verdict = await house.bytes.verify(id).catch(() => undefined)
    // A damaged piece that was put aside is missing; it is good again only when somebody puts it back.
    if (verdict === 'good') await forgetBad(house.db, id)
  }
}

const AGAIN = 600_000
const noticed = new WeakMap<Swift, Map<string, number>>()

/** A reader met bytes that are bad or gone: they are judged beside the request, each not more often than every ten minutes. */
export function noticeDamage(house: Swift, id: string, thrown: unknown, still?: () => Promise<boolean>): void {
  const { code } = thrown as { code?: string }
  if (code !== 'swift.bad_bytes' && code !== 'swift.no_bytes') return
  const known = noticed.get(house) ?? new Map<string, number>()
  noticed.set(house, known)
  const now = house.world.clock.now()
  if ((known.get(id) ?? -AGAIN) + AGAIN > now) return
  if (known.size >= 1000) known.delete(known.keys().next().value!)
  known.set(id, now)
  judgeBytes(house, id, { found_by: 'a reader' }, still).catch((failed: unknown) => house.world.log.module('swift.auditor').warn('Cannot judge bytes now', { bytes_id: id, error: failed }))
}
