/** Placement's one process: its API. It has no workers, since every change is one transaction. */
import { corridor } from '#stack/corridor.ts'
import type { ControlProcess, HouseParts } from '#stack/house.ts'
import type { PlacementConfig } from '../config.ts'
import type { Placement } from '../house.ts'
import { dialect, plate, routesOf } from '../service.ts'
import type { PlacementTables } from '../store/tables.ts'

export function controlProcess(parts: HouseParts<PlacementConfig>): ControlProcess {
  const { world, tokens, authorizer, identityUrl, config } = parts
  const house: Placement = { db: parts.db.as<PlacementTables>(), world, config }
  const routes = routesOf(house)
  return {
    plate,
    routes,
    handler: corridor({ world, dialect, routes, tokens, authorizer, identityUrl }),
    start: async () => {},
    close: async () => {},
  }
}
