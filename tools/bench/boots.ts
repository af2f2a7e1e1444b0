/**
 * Many servers at once: `boots` keeps creating until `count` are made and waits until every one has an end; how long each stood in BUILD is what
 * the clients saw. Clients spread over all the control processes that are given.
 */
import type { Session } from './figures.ts'
import { send } from './subject.ts'

export interface Boots {
  servers: number
  seconds: number
  per_second: number
  active: number
  error: number
  /** Still in BUILD when the patience ended. */
  stuck: number
  /** Milliseconds from the request to ACTIVE, as the clients saw it (to the next look: a quarter of a second). */
  build_p50_ms: number
  build_p99_ms: number
  accept_p99_ms: number
}

/** `at_once`: creations under way at a time. `bulk`: servers per request. */
export async function boots(session: Session, urls: readonly string[], options: { count: number; at_once: number; bulk?: number; patience_ms?: number; built?: () => Promise<unknown> }): Promise<Boots> {
  const { count, at_once, bulk = 1, patience_ms = 120_000 } = options
  const name = `boots-${Math.floor(performance.now())}`
  const asked = new Map<string, number>()
  const ended = new Map<string, number>()
  const accepted: number[] = []
  const began = performance.now()
  let next = 0
  let making = true

  const create = async (url: string): Promise<void> => {
    const at = performance.now()
    const server = { name, flavorRef: '42', imageRef: session.image, networks: [{ uuid: session.network }], security_groups: [{ name: 'bench' }], ...(bulk > 1 ? { min_count: bulk, max_count: bulk } : {}) }
    const answer = await send('POST', `${url}/compute/v2.1/servers`, session.headers, JSON.stringify({ server }))
    if (answer.status !== 202) throw new Error(`a creation answered ${answer.status}: ${answer.body.toString().slice(0, 300)}`)
    accepted.push(performance.now() - at)
    const { id } = (JSON.parse(answer.body.toString()) as { server: { id: string } }).server
    asked.set(id, at)
  }
  const maker = async (which: number): Promise<void> => {
    for (let i = next; i < count; i = next) {
      next += bulk
      await create(urls[which % urls.length]!)
    }
  }
  // Only what still builds is asked for: a short list, so that looking costs the cloud little.
  const watch = async (): Promise<void> => {
    const until = performance.now() + patience_ms
    while (performance.now() < until) {
      const complete = !making
      const before = [...asked.keys()]
      const building = new Set(await listed(session, urls[0]!, name, 'BUILD'))
      const now = performance.now()
      for (const id of before) if (!building.has(id) && !ended.has(id)) ended.set(id, now)
      if (complete && building.size === 0) return
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }
  const made = Promise.all(Array.from({ length: at_once }, (_, i) => maker(i))).finally(() => (making = false))
  await Promise.all([made, watch()])
  const last = Math.max(...ended.values(), began)
  const of = (values: readonly number[], part: number): number => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? 0
  const builds = [...ended].map(([id, at]) => at - asked.get(id)!)
  const active = await listed(session, urls[0]!, name, 'ACTIVE')
  const failed = await listed(session, urls[0]!, name, 'ERROR')
  const building = await listed(session, urls[0]!, name, 'BUILD')
  const result: Boots = {
    servers: count,
    seconds: (last - began) / 1000,
    per_second: active.length / ((last - began) / 1000),
    active: active.length,
    error: failed.length,
    stuck: building.length,
    build_p50_ms: of(builds, 0.5),
    build_p99_ms: of(builds, 0.99),
    accept_p99_ms: of(accepted, 0.99),
  }
  await options.built?.()
  await remove(session, urls, [...active, ...failed, ...building])
  return result
}

export function saidOf(boots: Boots): string {
  return `${boots.active} ACTIVE, ${boots.error} ERROR, ${boots.stuck} stuck in ${boots.seconds.toFixed(1)} s: ${boots.per_second.toFixed(0)} boots/s; in BUILD p50 ${boots.build_p50_ms.toFixed(0)} ms, p99 ${boots.build_p99_ms.toFixed(0)} ms; accepted p99 ${boots.accept_p99_ms.toFixed(0)} ms`
}

async function listed(session: Session, url: string, name: string, status: string): Promise<string[]> {
  const all: string[] = []
  for (let marker = ''; ; ) {
    const answer = await send('GET', `${url}/compute/v2.1/servers?name=${name}&status=${status}&limit=1000${marker}`, session.headers)
    const { servers } = JSON.parse(answer.body.toString()) as { servers: { id: string }[] }
    for (const { id } of servers) all.push(id)
    if (servers.length < 1000) return all
    marker = `&marker=${servers.at(-1)!.id}`
  }
}

async function remove(session: Session, urls: readonly string[], ids: readonly string[]): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: 8 }, async (_, which) => {
      for (let i = next++; i < ids.length; i = next++) await send('DELETE', `${urls[which % urls.length]!}/compute/v2.1/servers/${ids[i]!}`, session.headers)
    }),
  )
  for (const id of ids) {
    while ((await send('GET', `${urls[0]!}/compute/v2.1/servers/${id}`, session.headers)).status !== 404) await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
