/**
 * Deaths of the process that serves a request: after it changed something in another house, between the commit of a transaction and the wake-up that
 * follows it, or before the answer. What the request would have done after that is not done: no handler of an exception runs, nothing is undone, nobody
 * answers. The process as such lives on, as another one would serve the next request.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { HttpHandler } from '#base/http/message.ts'
import type { Random } from '#base/random.ts'
import { currentScope } from '#base/scope.ts'
import type { Cloud } from '../start-cloud.ts'
import type { Storm } from './storm.ts'

type Fetch = Cloud['fetch']
type Moment = 'call' | 'commit' | 'answer'

interface Doom {
  moment: Moment
  /** So many calls go well before. */
  calls: number
  id: string
  over: boolean
  die(): void
}

export interface ApiDeaths {
  /** For `CloudOptions`. */
  doorStorm: (handler: HttpHandler) => HttpHandler
  /** For `FlowFaults`. */
  started: () => boolean
  /** The same way into the cloud, on which requests may find nobody who answers: then 502. */
  mortal(fetch: Fetch): Fetch
}

const MOMENTS: readonly Moment[] = ['call', 'commit', 'answer']

export function apiDeaths(random: Random, storm: Storm): ApiDeaths {
  const doomed = new AsyncLocalStorage<Doom>()
  const never = new Promise<never>(() => {})
  /** Flows and reconcilers that a request woke are not the request. */
  const own = (): Doom | undefined => {
    const doom = doomed.getStore()
    const scope = currentScope()
    return doom && !doom.over && scope?.global_request_id === doom.id && scope.flow === undefined ? doom : undefined
  }
  return {
    doorStorm: (handler) => async (request) => {
      const answer = await handler(request)
      const doom = own()
      if (doom?.moment !== 'call' || request.method === 'GET' || request.method === 'HEAD' || doom.calls-- > 0) return answer
      doom.die()
      return never
    },
    started() {
      const doom = own()
      if (doom?.moment !== 'commit') return false
      doom.die()
      return true
    },
    mortal: (fetch) => async (target, init) => {
      if (!storm.on || init?.method === undefined || init.method === 'GET' || random.fraction() >= 0.05) return fetch(target, init)
      const id = `req-${random.uuid()}`
      let broken = (): void => {}
      const death = new Promise<Response>((resolve) => (broken = () => resolve(new Response('the connection broke, as simulated', { status: 502 }))))
      const doom: Doom = {
        moment: MOMENTS[random.below(MOMENTS.length)]!,
        calls: random.below(3) === 0 ? 1 : 0,
        id,
        over: false,
        die() {
          doom.over = true
          storm.told.api_deaths++
          broken()
        },
      }
      const headers = { ...(init.headers as Record<string, string>), 'x-openstack-request-id': id }
      const served = doomed.run(doom, () => fetch(target, { ...init, headers })).then((answer) => {
        if (doom.moment === 'answer' && !doom.over) doom.die()
        doom.over = true
        return answer
      })
      return Promise.race([death, served])
    },
  }
}
