/** Quotas of containers and accounts. What a stream of unknown length may still add is a limit on the stream. */
import { Fault, invalid } from '#base/fault.ts'
import { isReseller } from './rights.ts'
import { accountTotals } from '../store/accounts.ts'
import { accountSeen, containerSeen, type Layer, metadataOf } from './ask.ts'

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
  const size = headers['content-length'] === undefined ? 0 : Number(headers['content-length'])
  const own = metadataOf(container)
  const over = (limit: string | undefined, used: number, more: number): boolean => limit !== undefined && limit !== '' && used + more > Number(limit)
  // Of a stream nobody knows how long it is: it may be as long as there is room.
  let room = Number.POSITIVE_INFINITY
  const fits = (limit: string | undefined, used: number): boolean => {
    if (limit === undefined || limit === '') return true
    room = Math.min(room, Number(limit) - used)
    return !over(limit, used, size)
  }
  if (!fits(own['x-container-meta-quota-bytes'], Number(container.bytes_used)) || over(own['x-container-meta-quota-count'], Number(container.object_count), 1)) throw new Fault('too_large', 'Upload exceeds quota.', { code: 'swift.quota' })
  const account = metadataOf(await accountSeen(house, ask, names.account))
  const quota = (what: string): string | undefined => account[`x-account-sysmeta-quota-${what}`]
  const policy = container.policy.toLowerCase()
  const bytes = quota('bytes') ?? account['x-account-meta-quota-bytes']
  const any = bytes ?? quota('count') ?? quota(`bytes-policy-${policy}`) ?? quota(`count-policy-${policy}`)
  if (any !== undefined && !isReseller(house, ask.who)) {
    const totals = await accountTotals(house.db, names.account)
    const [all, mine] = [totals, totals.filter((one) => one.policy === container.policy)].map((list) => ({ bytes: list.reduce((sum, one) => sum + one.bytes, 0), objects: list.reduce((sum, one) => sum + one.objects, 0) }))
    if (!fits(bytes, all!.bytes) || over(quota('count'), all!.objects, 1) || !fits(quota(`bytes-policy-${policy}`), mine!.bytes) || over(quota(`count-policy-${policy}`), mine!.objects, 1)) throw new Fault('too_large', 'Upload exceeds quota.', { code: 'swift.quota' })
  }
  if (headers['content-length'] === undefined && room !== Number.POSITIVE_INFINITY) ask.headers['x-backend-limit'] = String(Math.max(0, room))
  return inner(ask)
}
