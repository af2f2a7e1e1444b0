/** What the rooms of this house are given: their database, the world, and the configuration. */
import type { Database } from '#base/sql/database.ts'
import type { World } from '#base/world.ts'
import type { PlacementConfig } from './config.ts'
import type { PlacementTables } from './store/tables.ts'

export interface Placement {
  db: Database<PlacementTables>
  world: World
  config: PlacementConfig
}
