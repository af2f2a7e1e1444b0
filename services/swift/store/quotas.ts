/** Quotas, judged in the commit that writes: whoever else adds to the container or the account has ended, or waits. */
import { Fault } from '#base/fault.ts'
import { accountTotals } from './accounts.ts'
import type { Commit } from './commits.ts'
import type { ObjectRow } from './tables.ts'

/** Most bytes and objects; what is absent is not limited. */
export interface Room { bytes?: number | undefined; count?: number | undefined }
export interface Quota {
  container_id: string
  container?: Room
  account?: { name: string; all: Room; policy: string; ofPolicy: Room }
}

export const overQuota = (): Fault => new Fault('too_large', 'Upload exceeds quota.', { code: 'swift.quota' })

const over = (room: Room, used: { bytes: number; objects: number }, size: number): boolean => (room.bytes !== undefined && used.bytes + size > room.bytes) || (room.count !== undefined && used.objects + 1 > room.count)

/** Throws `too_large`. As in Swift, what stands there already counts until it is replaced. */
export async function assertRoom({ tx, settle }: Commit, row: Pick<ObjectRow, 'container_id' | 'stored'>, { container, account }: Quota): Promise<void> {
  await settle()
  if (container) {
    const used = await tx.query.selectFrom('swift_containers').select(['object_count', 'bytes_used']).where('id', '=', row.container_id).executeTakeFirstOrThrow()
    if (over(container, { objects: Number(used.object_count), bytes: Number(used.bytes_used) }, row.stored)) throw overQuota()
  }
  if (account) {
    await tx.hold(`swift.account/${account.name}`)
    const totals = await accountTotals(tx, account.name)
    const sum = (list: typeof totals): { bytes: number; objects: number } => ({ bytes: list.reduce((all, one) => all + one.bytes, 0), objects: list.reduce((all, one) => all + one.objects, 0) })
    if (over(account.all, sum(totals), row.stored) || over(account.ofPolicy, sum(totals.filter((one) => one.policy === account.policy)), row.stored)) throw overQuota()
  }
}
