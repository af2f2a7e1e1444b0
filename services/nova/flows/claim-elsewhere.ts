/** A host for a server that leaves its own, claimed for it while the migration keeps what it has. */
import type { Nova } from '../house.ts'
import { blockDevicesOf } from '../store/block-devices.ts'
import type { FlavorSnapshot } from '../store/tables.ts'
import { moveClaim } from './claims.ts'
import { type Place, placeServer } from './scheduling.ts'
import { liveServer, passengersSeated } from './state.ts'
import { isOnVolume } from './volumes.ts'

export interface ElsewhereAsk {
  server_id: string
  /** Holder of the claim on the host that is left. */
  migration: string
  zone?: string
  requested_host?: string
  force_host?: string
}

export async function claimElsewhere(nova: Nova, p: ElsewhereAsk, leftHostId: string, signal: AbortSignal): Promise<Place> {
  await passengersSeated(nova, p.server_id, signal)
  const server = await liveServer(nova, p.server_id)
  const ask = { server, flavor: JSON.parse(server.flavor) as FlavorSnapshot, on_volume: isOnVolume(await blockDevicesOf(nova.db, server.id)), ignore: [leftHostId], zone: p.zone, requested_host: p.requested_host, force_host: p.force_host }
  return placeServer(nova, ask, (_at, allocations) => moveClaim(nova, server.id, p.migration, server, allocations))
}
