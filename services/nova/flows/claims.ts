/** Claims of servers on hosts, kept by Placement. A server holds one claim; while it moves, its migration holds the one on the source (S5). */
import { isFault } from '#base/fault.ts'
import { type Allocations, type ConsumerWish, deleteAllocations, listAllocations, replaceAllocations, replaceManyAllocations } from '#placement/contract/allocations.ts'
import { CONCURRENT_UPDATE } from '#placement/contract/codes.ts'
import type { Nova } from '../house.ts'

export interface Owner {
  project_id: string
  user_id: string
}

const TRIES = 5

/** Placement takes these two and nothing else; callers may hold a whole server. */
const who = ({ project_id, user_id }: Owner): Owner => ({ project_id, user_id })

/** True when the claim stands; false when the host has no room (any more). `known_new` saves a look for an older claim. */
export async function claim(nova: Nova, serverId: string, owner: Owner, allocations: Allocations, known_new: boolean): Promise<boolean> {
  const caller = await nova.service()
  for (let attempt = 1; ; attempt++) {
    const generation = known_new && attempt === 1 ? null : ((await nova.client.call(caller, 'placement', listAllocations, { params: { consumer_uuid: serverId } })).consumer_generation ?? null)
    const body: ConsumerWish = { allocations, project_id: owner.project_id, user_id: owner.user_id, consumer_generation: generation, consumer_type: 'INSTANCE' }
    try {
      await nova.client.call(caller, 'placement', replaceAllocations, { params: { consumer_uuid: serverId }, body })
      return true
    } catch (thrown) {
      if (!isFault(thrown, 'conflict')) throw thrown
      if (thrown.code !== CONCURRENT_UPDATE) return false
      if (attempt >= TRIES) return false
      await nova.world.clock.sleep(5 * attempt)
    }
  }
}

/** No claim is no error. */
export async function release(nova: Nova, consumerId: string): Promise<void> {
  const caller = await nova.service()
  await nova.client.call(caller, 'placement', deleteAllocations, { params: { consumer_uuid: consumerId } }).catch((thrown: unknown) => {
    if (!isFault(thrown, 'not_found')) throw thrown
  })
}

export async function claimOf(nova: Nova, consumerId: string): Promise<Allocations> {
  const caller = await nova.service()
  const { allocations } = await nova.client.call(caller, 'placement', listAllocations, { params: { consumer_uuid: consumerId } })
  return Object.fromEntries(Object.entries(allocations).map(([provider, { resources }]) => [provider, { resources }]))
}

/**
 * The claim on the source goes to the migration and the server claims the destination, both or none. False: no room there. Asked again after
 * it was done it does nothing.
 */
export async function moveClaim(nova: Nova, serverId: string, migrationId: string, owner: Owner, destination: Allocations): Promise<boolean> {
  const caller = await nova.service()
  for (let attempt = 1; ; attempt++) {
    const server = await nova.client.call(caller, 'placement', listAllocations, { params: { consumer_uuid: serverId } })
    const migration = await nova.client.call(caller, 'placement', listAllocations, { params: { consumer_uuid: migrationId } })
    const moved = Object.keys(migration.allocations).length > 0
    const source = plain(moved ? migration.allocations : server.allocations)
    const done = await replaceBoth(nova, [
      [serverId, { allocations: destination, ...who(owner), consumer_generation: server.consumer_generation ?? null, consumer_type: 'INSTANCE' }],
      [migrationId, { allocations: source, ...who(owner), consumer_generation: migration.consumer_generation ?? null, consumer_type: 'MIGRATION' }],
    ])
    if (done !== 'again' || attempt >= TRIES) return done === true
    await nova.world.clock.sleep(5 * attempt)
  }
}

/** The migration's claim goes back to the server; the destination is free. */
export async function returnClaim(nova: Nova, serverId: string, migrationId: string, owner: Owner): Promise<void> {
  const caller = await nova.service()
  for (let attempt = 1; ; attempt++) {
    const migration = await nova.client.call(caller, 'placement', listAllocations, { params: { consumer_uuid: migrationId } })
    if (Object.keys(migration.allocations).length === 0) return
    const server = await nova.client.call(caller, 'placement', listAllocations, { params: { consumer_uuid: serverId } })
    const done = await replaceBoth(nova, [
      [migrationId, { allocations: {}, ...who(owner), consumer_generation: migration.consumer_generation ?? null, consumer_type: 'MIGRATION' }],
      [serverId, { allocations: plain(migration.allocations), ...who(owner), consumer_generation: server.consumer_generation ?? null, consumer_type: 'INSTANCE' }],
    ])
    if (done === true) return
    if (attempt >= TRIES) throw new Error(`the claim of ${serverId} could not be given back`)
    await nova.world.clock.sleep(5 * attempt)
  }
}

async function replaceBoth(nova: Nova, wishes: [string, ConsumerWish][]): Promise<boolean | 'again'> {
  try {
    await nova.client.call(await nova.service(), 'placement', replaceManyAllocations, { body: Object.fromEntries(wishes) })
    return true
  } catch (thrown) {
    if (!isFault(thrown, 'conflict')) throw thrown
    return thrown.code === CONCURRENT_UPDATE ? 'again' : false
  }
}

function plain(allocations: Readonly<Record<string, { resources: Record<string, number> }>>): Allocations {
  return Object.fromEntries(Object.entries(allocations).map(([provider, { resources }]) => [provider, { resources }]))
}
