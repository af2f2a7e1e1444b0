/** Where requests come in and answers go out: who asks, what no client may say, what no client may see. */
import { Fault } from '#base/fault.ts'
import type { Reply, Rq } from '#stack/route.ts'
import { hexId } from '#base/ids.ts'
import { truthy } from '../core/metadata.ts'
import { type Names, namesOf } from '../core/names.ts'
import type { Swift } from '../house.ts'
import { type Answer, answerOf, type Ask, type Serve, type Who } from './ask.ts'
import { deliver } from './deliver.ts'
import { tempUser } from './tempauth.ts'

/** Headers that features speak among themselves. */
const INNER = /^x-(?:remove-)?(account|container|object)-(sysmeta|transient-sysmeta)-|^x-backend-|^x-timestamp$|^x-static-large-object$/
const INNER_OUT = /^x-(account|container|object)-(sysmeta|transient-sysmeta)-|^x-backend-/

export function doorOf(house: Swift, serve: Serve): (rq: Rq) => Promise<Reply> {
  return async (rq) => {
    const { http } = rq
    const mount = http.mount ?? ''
    let ask: Ask | undefined
    let answer: Answer
    try {
      const { path } = http
      ask = {
        method: http.method, path, shownPath: rq.http.shownPath, names: { account: '', container: '', object: '' }, query: rq.query, headers: incoming(http.headers, house.config.limits.max_header_size), body: http.body, who: whoOf(house, rq), base: http.origin + mount, mount,
        remote: http.remote, trans_id: rq.context.request_id, signal: http.signal, sendContinue: once(http.sendContinue), seen: new Map(),
        ...(http.headers['x-static-large-object'] === undefined || http.headers['x-container-sync-auth'] !== undefined ? {} : { claimsLarge: true }),
        ...(http.headers['x-container-sync-auth'] === undefined ? {} : { sent: { timestamp: http.headers['x-timestamp'], slo: truthy(http.headers['x-static-large-object']) } }),
      }
      ask.names = namesOf(path) satisfies Names
      answer = await deliver(ask, await serve(ask), () => hexId(house.world.random))
    } catch (thrown) {
      if (!(thrown instanceof Fault) || thrown.kind === 'internal' || !ask) throw thrown
      answer = answerOf(thrown, ask)
    }
    return outgoing(answer)
  }
}

function once(run: (() => void) | undefined): (() => void) | undefined {
  let done = false
  return run && (() => {
    if (!done) run()
    done = true
  })
}

function incoming(headers: Readonly<Record<string, string>>, most: number): Record<string, string> {
  const out: Record<string, string> = {}
  for (const [given, value] of Object.entries(headers)) {
    // Swift's server knows no underscores in names; one spelling also leaves no way around what is forbidden.
    const name = given.replaceAll('_', '-')
    if (INNER.test(name)) continue
    if (value.length > most && name !== 'x-auth-token') throw new Fault('invalid', `Header value too long: ${name.slice(0, 64)}`)
    out[name] = value
  }
  return out
}

function outgoing(answer: Answer): Reply {
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(answer.headers)) if (!INNER_OUT.test(name)) headers[cased(name)] = wire(value)
  return { status: answer.status, headers, ...(answer.body === undefined ? {} : { body: answer.body }) }
}

/** Users' own names as their clients are used to read them: `X-Object-Meta-Color`. */
function cased(name: string): string {
  return /^x-(account|container|object)-meta-/.test(name) ? name.replaceAll(/(^|-)([a-z])/g, (_all, dash: string, letter: string) => dash + letter.toUpperCase()) : name
}

/** Text beyond latin-1 goes as its bytes in UTF-8. */
function wire<T extends string | string[]>(value: T): T {
  // oxlint-disable-next-line no-control-regex
  return typeof value === 'string' && !/^[\x00-\xff]*$/.test(value) ? (Buffer.from(value).toString('latin1') as T) : value
}

function whoOf(house: Swift, rq: Rq): Who {
  const { context } = rq
  if (context.user_id === undefined) return tempUser(house, rq.http.headers['x-auth-token'] ?? rq.http.headers['x-storage-token']) ?? { byName: false, roles: [] }
  return {
    user_id: context.user_id, user_name: context.user_name, project_id: context.project_id, project_name: context.project_name, roles: context.roles, project_domain_id: context.project_domain_id,
    byName: context.user_domain_id === 'default' && (context.project_domain_id ?? 'default') === 'default',
  }
}
