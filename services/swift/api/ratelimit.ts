/** No faster than the operator allows: writes to an account's containers, and to containers by how full they are. */
import { type Answer, containerSeen, type Layer } from './ask.ts'

/** When the next request of this key may go, in milliseconds. */
export const ratelimit: Layer = (house, inner) => {
  const { account_ratelimit, container_ratelimits, max_sleep_seconds, account_denylist } = house.config.ratelimit
  const next = new Map<string, number>()
  const slow = (): Answer => ({ status: 498, headers: { 'content-type': 'text/html; charset=UTF-8' }, body: 'Slow down' })
  return async (ask) => {
    const { method, names } = ask
    if (account_denylist.includes(names.account)) return { status: 497, headers: { 'content-type': 'text/html; charset=UTF-8' }, body: 'Your account has been blocked' }
    const writes = method === 'PUT' || method === 'POST' || method === 'DELETE' || method === 'COPY'
    if (!writes || (account_ratelimit === 0 && container_ratelimits.length === 0) || names.container === '') return inner(ask)
    const limits: [string, number][] = []
    if (names.object === '' && method !== 'POST') limits.push([names.account, account_ratelimit])
    if (names.object !== '' && container_ratelimits.length > 0) {
      const row = await containerSeen(house, ask, names)
      const steps = container_ratelimits.filter((one) => Number(row?.object_count ?? 0) >= one.size).sort((a, b) => b.size - a.size)
      if (steps[0]) limits.push([`${names.account}/${names.container}`, steps[0].rate])
    }
    for (const [key, rate] of limits) {
      if (rate <= 0) continue
      const now = house.world.clock.now()
      // Who was idle may catch up a little, not all of it.
      const at = Math.max(next.get(key) ?? 0, now - 1000)
      if (at - now > max_sleep_seconds * 1000) return slow()
      next.set(key, at + 1000 / rate)
      if (next.size > 10_000) for (const [old, when] of next) if (when < now) next.delete(old)
      if (at > now) await house.world.clock.sleep(at - now, ask.signal)
    }
    return inner(ask)
  }
}
