/**
 * Ranks the hosts that have room: filters, then weighers, best first. Only as many as may be tried are put in order, so ten thousand hosts
 * cost a few passes and no sort.
 *
 *     const { ranked, refused } = schedule(request, candidates, options, random, 3)
 */
import type { Random } from '#base/random.ts'
import { FILTERS } from './filters.ts'
import type { Candidate, SchedulerOptions, ScheduleRequest, Test } from './types.ts'
import { weigh } from './weighers.ts'

export interface Schedule {
  /** At most `count`, best first. */
  ranked: Candidate[]
  /** Filter → how many hosts it refused, for the log. */
  refused: Record<string, number>
}

export function schedule(request: ScheduleRequest, candidates: readonly Candidate[], options: SchedulerOptions, random: Random, count: number): Schedule {
  const refused: Record<string, number> = {}
  const forced = request.force_host !== undefined || request.force_node !== undefined
  let left = candidates.filter((one) => named(request, one))
  if (left.length < candidates.length) refused.requested = candidates.length - left.length
  // Who forces a host is not asked the filters' questions; that is what forcing means.
  if (!forced) {
    const tests: [string, Test][] = []
    for (const name of options.kind === 'filter' ? options.enabled_filters : ['ComputeFilter', 'AvailabilityZoneFilter']) {
      const test = FILTERS[name]?.(request, options)
      if (test) tests.push([name, test])
    }
    left = left.filter((candidate) => {
      for (const [name, test] of tests) {
        if (test(candidate)) continue
        refused[name] = (refused[name] ?? 0) + 1
        return false
      }
      return true
    })
  }
  if (options.kind === 'chance') return { ranked: some(left, random, count), refused }
  const weights = options.kind === 'simple' ? weigh(left, request, { ram: 1 }) : weigh(left, request, options.weights)
  const ranked = best(left, weights, count + options.host_subset_size - 1)
  if (options.host_subset_size > 1 && ranked.length > 1) {
    const chosen = random.below(Math.min(options.host_subset_size, ranked.length))
    ranked.unshift(...ranked.splice(chosen, 1))
  }
  return { ranked: ranked.slice(0, count), refused }
}

function named(request: ScheduleRequest, { host }: Candidate): boolean {
  if (request.ignore_host_ids.has(host.host_id)) return false
  const name = request.force_host ?? request.requested_host
  const node = request.force_node ?? request.requested_node
  return (name === undefined || host.host === name) && (node === undefined || host.node === node)
}

function some(left: Candidate[], random: Random, count: number): Candidate[] {
  const chosen: Candidate[] = []
  const pool = [...left]
  while (chosen.length < count && pool.length > 0) chosen.push(...pool.splice(random.below(pool.length), 1))
  return chosen
}

/** The `count` heaviest; of equals, those that came first. */
function best(left: readonly Candidate[], weights: Float64Array, count: number): Candidate[] {
  const top: number[] = []
  for (let i = 0; i < left.length; i++) {
    if (top.length === count && weights[i]! <= weights[top.at(-1)!]!) continue
    let at = top.length
    while (at > 0 && weights[top[at - 1]!]! < weights[i]!) at--
    top.splice(at, 0, i)
    if (top.length > count) top.pop()
  }
  return top.map((i) => left[i]!)
}
