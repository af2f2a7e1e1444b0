/** From a raw path to names, and who may pass: operators, readers, reseller admins, and those whom a container's ACL names. */
import { forbidden, Fault, invalid, unauthenticated } from '#base/fault.ts'
import type { Rq } from '#stack/route.ts'

export interface Names { account: string; container: string; object: string }

export function namesOf(path: string): Names {
  const [, account = '', container = '', object = ''] = /^\/v1\/([^/]*)(?:\/([^/]*)(?:\/(.*))?)?$/s.exec(path) ?? []
  try {
    const names = { account: decodeURIComponent(account), container: decodeURIComponent(container), object: decodeURIComponent(object) }
    if (/[\0]/.test(names.account + names.container + names.object)) throw invalid('A name may not hold a NUL.')
    if (names.container.includes('/') || Buffer.byteLength(names.container) > 256) throw invalid('Container name length or character is not allowed (at most 256 bytes, no slash).', { field: 'container' })
    if (Buffer.byteLength(names.object) > 700) throw invalid('Object name length is longer than 700 bytes', { field: 'object' })
    return names
  } catch (thrown) {
    throw thrown instanceof Fault ? thrown : new Fault('precondition', 'Invalid UTF8 or contains NULL', { cause: thrown })
  }
}

/** Throws 401 or 403 unless the caller may; `acl` is what the container grants for this kind of request. */
export function admit(rq: Rq, names: Names, kind: 'read' | 'write' | 'own', acl = ''): void {
  const { context } = rq
  const known = context.user_id !== undefined
  if (known && context.roles.includes('ResellerAdmin')) return
  if (known && context.project_id !== undefined && names.account === `AUTH_${context.project_id}`) {
    if (context.roles.some((role) => role === 'admin' || role === 'member' || role === 'swiftoperator')) return
    if (kind === 'read' && context.roles.includes('reader')) return
  }
  if (kind !== 'own' && acl !== '' && granted(rq, acl, names)) return
  throw known ? forbidden('Access was denied to this resource.') : unauthenticated('This server could not verify that you are authorized.')
}

function granted(rq: Rq, acl: string, names: Names): boolean {
  const words = acl.split(',').map((word) => word.trim())
  const { context } = rq
  if (rq.http.method === 'GET' || rq.http.method === 'HEAD') {
    // Only what is granted to everybody; a rule with a host wants a judgement of the Referer that is not here yet.
    if (words.includes('.r:*') && !words.some((word) => word.startsWith('.r:-')) && (names.object !== '' || words.includes('.rlistings'))) return true
  }
  if (context.user_id === undefined) return false
  return words.some((word) => {
    if (word.startsWith('.')) return false
    const at = word.indexOf(':')
    if (at < 0) return context.roles.includes(word)
    const [project, user] = [word.slice(0, at), word.slice(at + 1)]
    return (project === '*' || project === context.project_id) && (user === '*' || user === context.user_id)
  })
}

export const timestamp = (ms: number): string => (ms / 1000).toFixed(5)
