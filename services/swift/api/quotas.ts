/** Quotas of containers and accounts. What a stream of unknown length may still add is a limit on the stream; the commit of the row has the last word. */
import { Fault, invalid } from '#base/fault.ts'
import { isReseller } from './rights.ts'
import type { Swift } from '../house.ts'
import { accountTotals } from '../store/accounts.ts'
import { overQuota, type Quota, type Room } from '../store/quotas.ts'
import type { AccountRow, ContainerRow } from '../store/tables.ts'
import { accountSeen, containerSeen, type Layer, metadataOf, type Who } from './ask.ts'

/** Headers with which an account's quota is set, and under which it is kept. */
const ACCOUNT: Readonly<Record<string, string>> = { 'x-account-quota-bytes': 'x-account-sysmeta-quota-bytes', 'x-account-quota-count': 'x-account-sysmeta-quota-count', 'x-account-meta-quota-bytes': 'x-account-meta-quota-bytes' }
const POLICY = /^x-account-quota-(bytes|count)-policy-(.+)$/

export const quotas: Layer = (house, inner) => async (ask) => {
  const { method, names, headers } = ask
  if (names.container === '' && (method === 'POST' || method === 'PUT')) {
    const set = Object.keys(headers).filter((name) => ACCOUNT[name.replace(/^x-remove-/, 'x-')] !== undefined || POLICY.test(name.replace(/^x-remove-/, 'x-')))
    if (set.length > 0 && !isReseller(house, ask.who)) throw new Fault('forbidden', 'Only a reseller admin may set the quotas of an account.')
    for (const name of set) {
      const bare = name.replace(/^x-remove-/, 'x-')
      const policy = POLICY.exec(bare)
      if (policy && !house.policies.some((one) => one.name.toLowerCase() === policy[2])) throw invalid('Invalid storage policy in the name of a quota.', { field: name })
      const value = name === bare ? headers[name]! : ''
      if (value !== '' && !/^\d+$/.test(value)) throw invalid(bare.includes('count') ? 'Invalid count quota.' : 'Invalid bytes quota.', { field: name })
      delete ask.headers[name]
      ask.headers[ACCOUNT[bare] ?? `x-account-sysmeta-quota-${policy![1]}-policy-${policy![2]}`] = value
    }
    return inner(ask)
  }
  if (names.container === '' || method === 'GET' || method === 'HEAD') {
    const answer = await inner(ask)
    if (names.container === '') {
      for (const [name, kept] of Object.entries(ACCOUNT)) if (answer.headers[kept] !== undefined) answer.headers[name] = answer.headers[kept]
      for (const [name, value] of Object.entries(answer.headers)) if (name.startsWith('x-account-sysmeta-quota-') && name.includes('-policy-')) answer.headers[name.replace('-sysmeta', '')] = value
      if (answer.headers['x-account-quota-bytes'] === undefined && answer.headers['x-account-meta-quota-bytes'] !== undefined) answer.headers['x-account-quota-bytes'] = answer.headers['x-account-meta-quota-bytes']
    }
    return answer
  }
  if (method !== 'PUT' || names.object === '') return inner(ask)
  const container = await containerSeen(house, ask, names)
  if (!container) return inner(ask)
  const quota = quotaOf(house, ask.who, await accountSeen(house, ask, names.account), container)
  if (!quota) return inner(ask)
  const room = await roomFor(house, quota, container, headers['content-length'] === undefined ? 0 : Number(headers['content-length']))
  if (headers['content-length'] === undefined && room !== Number.POSITIVE_INFINITY) ask.headers['x-backend-limit'] = String(Math.max(0, room))
  ask.quota = quota
  return inner(ask)
}

/** What an upload into this container must keep to; undefined when there is no limit. */
export function quotaOf(house: Swift, who: Who, accountRow: AccountRow | undefined, container: ContainerRow): Quota | undefined {
  const limit = (text: string | undefined): number | undefined => (text === undefined || text === '' ? undefined : Number(text))
  const limited = (room: Room): boolean => room.bytes !== undefined || room.count !== undefined
  const own = metadataOf(container)
  const of = metadataOf(accountRow)
  const policy = container.policy.toLowerCase()
  const inContainer: Room = { bytes: limit(own['x-container-meta-quota-bytes']), count: limit(own['x-container-meta-quota-count']) }
  const all: Room = { bytes: limit(of['x-account-sysmeta-quota-bytes'] ?? of['x-account-meta-quota-bytes']), count: limit(of['x-account-sysmeta-quota-count']) }
  const ofPolicy: Room = { bytes: limit(of[`x-account-sysmeta-quota-bytes-policy-${policy}`]), count: limit(of[`x-account-sysmeta-quota-count-policy-${policy}`]) }
  const counts = (limited(all) || limited(ofPolicy)) && !isReseller(house, who)
  if (!limited(inContainer) && !counts) return undefined
  return { container_id: container.id, ...(limited(inContainer) ? { container: inContainer } : {}), ...(counts ? { account: { name: container.account, all, policy: container.policy, ofPolicy } } : {}) }
}

/** How many bytes there is room for, before they come; throws when `size` more, or one object more, is too much already. */
export async function roomFor(house: Swift, { container: inContainer, account }: Quota, container: ContainerRow, size: number): Promise<number> {
  let room = Number.POSITIVE_INFINITY
  const judge = (limits: Room, used: { bytes: number; objects: number }): void => {
    if (limits.bytes !== undefined) room = Math.min(room, limits.bytes - used.bytes)
    if (size > room || (limits.count !== undefined && used.objects + 1 > limits.count)) throw overQuota()
  }
  if (inContainer) judge(inContainer, { bytes: Number(container.bytes_used), objects: Number(container.object_count) })
  if (account) {
    const totals = await accountTotals(house.db, account.name)
    const sum = (list: typeof totals): { bytes: number; objects: number } => ({ bytes: list.reduce((all, one) => all + one.bytes, 0), objects: list.reduce((all, one) => all + one.objects, 0) })
    judge(account.all, sum(totals))
    judge(account.ofPolicy, sum(totals.filter((one) => one.policy === account.policy)))
  }
  return room
}
