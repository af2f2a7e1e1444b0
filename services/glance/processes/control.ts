/** Glance's API and worker in one process. */
import { join } from 'node:path'
import { FlowEngine } from '#base/flow/engine.ts'
import { corridor } from '#stack/corridor.ts'
import { type ControlProcess, engineSettings, type HouseParts } from '#stack/house.ts'
import type { GlanceConfig } from '../config.ts'
import { fileStore } from '../drivers/file/file-store.ts'
import type { Glance } from '../house.ts'
import { plate, routesOf } from '../service.ts'
import type { GlanceTables } from '../store/tables.ts'

export function controlProcess(parts: HouseParts<GlanceConfig>): ControlProcess {
  const house: Glance = {
    world: parts.world,
    config: parts.config,
    publicUrl: parts.publicUrl,
    db: parts.db.as<GlanceTables>(),
    store: fileStore(join(parts.dataDir, 'images')),
    engine: new FlowEngine({ house: 'glance', db: parts.db, world: parts.world, owner: parts.owner, ...engineSettings(parts) }, []),
  }
  const routes = routesOf(house)
  const handler = corridor({ world: parts.world, dialect: plate.dialect, routes, tokens: parts.tokens, authorizer: parts.authorizer, identityUrl: parts.identityUrl })
  return {
    plate,
    routes,
    handler,
    start: async () => house.engine.open(),
    close: (grace) => house.engine.close(grace),
  }
}
