/** How much a host is wished for. Each weigher gives a raw number; over all hosts it is brought to 0…1 and multiplied. */
import type { Candidate, ScheduleRequest } from './types.ts'

type Weigher = (candidate: Candidate, request: ScheduleRequest) => number

const members = (candidate: Candidate, request: ScheduleRequest): number => request.group?.members.get(candidate.host.host_id) ?? 0

export const WEIGHERS: Readonly<Record<string, Weigher>> = {
  cpu: (one) => one.free_vcpus,
  ram: (one) => one.free_ram_mb,
  disk: (one) => one.free_disk_gb,
  io_ops: (one) => one.host.busy,
  num_instances: (one) => one.host.instances,
  build_failure: (one) => -one.host.failed_builds,
  soft_affinity: (one, request) => (request.group?.policy === 'soft-affinity' ? members(one, request) : 0),
  soft_anti_affinity: (one, request) => (request.group?.policy === 'soft-anti-affinity' ? -members(one, request) : 0),
}

/** The weight of every candidate, in their order. */
export function weigh(candidates: readonly Candidate[], request: ScheduleRequest, multipliers: Readonly<Record<string, number>>): Float64Array {
  const total = new Float64Array(candidates.length)
  const raw = new Float64Array(candidates.length)
  for (const [name, weigher] of Object.entries(WEIGHERS)) {
    const multiplier = multipliers[name] ?? 0
    if (multiplier === 0) continue
    let low = Infinity
    let high = -Infinity
    for (let i = 0; i < candidates.length; i++) {
      const value = weigher(candidates[i]!, request)
      raw[i] = value
      if (value < low) low = value
      if (value > high) high = value
    }
    if (high === low) continue
    const scale = multiplier / (high - low)
    for (let i = 0; i < candidates.length; i++) total[i]! += (raw[i]! - low) * scale
  }
  return total
}
