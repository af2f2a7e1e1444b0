/** Several machines of one cloud in one process, for tests: a bus that all of them join, and a hand for the REST doors. */
import type { Bus, Serving } from '#base/bus/interface.ts'
import { memoryBus } from '#base/bus/memory.ts'
import { type World, world } from '#base/world.ts'
import type { Cloud } from '../start-cloud.ts'

export interface SharedBus {
  /** The bus as one process has it: closing it ends what this process serves, and nothing else. */
  join(): Bus
  close(): Promise<void>
}

export function sharedBus(here: World = world()): SharedBus {
  const whole = memoryBus(here)
  return {
    join() {
      const own = new Set<Serving>()
      return {
        ...whole,
        async serve(topic, handlers, options) {
          const serving = await whole.serve(topic, handlers, options)
          own.add(serving)
          return {
            async close() {
              own.delete(serving)
              await serving.close()
            },
          }
        },
        async close() {
          await Promise.all([...own].map((serving) => serving.close()))
        },
      }
    },
    close: () => whole.close(),
  }
}

export interface Ask {
  // Answers are JSON of many shapes; the tests know what they asked for.
  // oxlint-disable-next-line no-explicit-any
  (method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<{ status: number; json: any }>
}

/** REST in the name of the ordinary user or the administrator of a fresh cloud. */
export async function asking(cloud: Pick<Cloud, 'fetch' | 'credentials'>, who: 'user' | 'admin'): Promise<Ask> {
  const { username, password, project_name } = cloud.credentials[who]
  const domain = { id: 'default' }
  const login = await cloud.fetch('/identity/v3/auth/tokens', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: username, domain, password: password.reveal() } } }, scope: { project: { name: project_name, domain } } } }),
  })
  const token = login.headers.get('x-subject-token')!
  return async (method, path, body, headers = {}) => {
    const answer = await cloud.fetch(path, {
      method,
      headers: { 'x-auth-token': token, 'content-type': 'application/json', 'openstack-api-version': 'compute 2.90', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return { status: answer.status, json: text === '' || !/json/.test(answer.headers.get('content-type') ?? '') ? text : JSON.parse(text) }
  }
}

/** Asks until the answer is something; throws with what was seen last. */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined | false | ''>, limit = 20_000, pause = 30): Promise<T> {
  const end = performance.now() + limit
  let last: unknown
  do {
    try {
      const found = await ask()
      if (found) return found
      last = found
    } catch (thrown) {
      last = thrown
    }
    await new Promise((done) => setTimeout(done, pause))
  } while (performance.now() < end)
  throw new Error(`${what} did not come about in ${limit} ms; last: ${last instanceof Error ? last.stack : JSON.stringify(last)}`)
}
