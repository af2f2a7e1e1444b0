/**
 * Aggregates in Placement: each host's resource provider stands in the aggregates of its host. A reconciler for one host: it reads the rows
 * and sets what is missing or too much, so doing it twice, or later, is the same. Aggregates that Nova did not make are left alone.
 */
import { isFault } from '#base/fault.ts'
import { listAggregates, replaceAggregates } from '#placement/contract/aggregates.ts'
import type { Nova } from '../house.ts'
import { aggregateHosts, aggregates, computeNodes } from '../store/computes.ts'

const ATTEMPTS = 4

/** `gone`: uuids of aggregates that were deleted a moment ago. */
export async function mirrorAggregates(nova: Nova, host: string, gone: readonly string[] = []): Promise<void> {
  const [nodes, all, members] = await Promise.all([computeNodes(nova.db), aggregates(nova.db), aggregateHosts(nova.db)])
  const here = new Set(members.filter((member) => member.host === host).map((member) => member.aggregate_id))
  const wanted = all.filter((one) => here.has(one.id)).map((one) => one.uuid)
  const ours = new Set([...all.map((one) => one.uuid), ...gone])
  for (const node of nodes) if (node.host === host) await mirrorProvider(nova, node.uuid, wanted, ours)
}

async function mirrorProvider(nova: Nova, uuid: string, wanted: readonly string[], ours: ReadonlySet<string>): Promise<void> {
  const caller = await nova.service()
  for (let attempt = 1; ; attempt++) {
    try {
      const now = await nova.client.call(caller, 'placement', listAggregates, { params: { uuid } })
      const aggregates = [...new Set([...now.aggregates.filter((one) => !ours.has(one)), ...wanted])]
      if (aggregates.toSorted().join() === now.aggregates.toSorted().join()) return
      await nova.client.call(caller, 'placement', replaceAggregates, { params: { uuid }, body: { aggregates, resource_provider_generation: now.resource_provider_generation } })
      return
    } catch (thrown) {
      if (isFault(thrown, 'conflict') && attempt < ATTEMPTS) continue
      // The rows are the truth; the next change of the host's aggregates brings Placement after them.
      nova.world.log.module('nova.aggregates').warn('Failed to bring the aggregates of a host to Placement', { provider: uuid, error: thrown })
      return
    }
  }
}
