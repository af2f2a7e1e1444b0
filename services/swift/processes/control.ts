/** Swift's API, and the reconciler that removes what expired and bytes that no object holds, in one process. */
import { join } from 'node:path'
import { type Reconciler, startReconciler } from '#base/reconcile.ts'
import { corridor } from '#stack/corridor.ts'
import type { ControlProcess, HouseParts } from '#stack/house.ts'
import type { SwiftConfig } from '../config.ts'
import { fileBytes } from '../drivers/files/file-bytes.ts'
import type { Swift } from '../house.ts'
import { plate, routesOf } from '../service.ts'
import { dueBytes, expiredObjects, forgetBytes, removeObject } from '../store/rows.ts'
import type { SwiftTables } from '../store/tables.ts'

export function controlProcess(parts: HouseParts<SwiftConfig>): ControlProcess {
  const { world, config } = parts
  const house: Swift = { world, config, db: parts.db.as<SwiftTables>(), bytes: fileBytes(join(parts.dataDir, 'bytes'), config.durability) }
  const routes = routesOf(house)
  let sweeper: Reconciler | undefined
  return {
    plate,
    routes,
    handler: corridor({ world, dialect: plate.dialect, routes, tokens: parts.tokens, authorizer: parts.authorizer, identityUrl: parts.identityUrl }),
    async start() {
      sweeper = startReconciler({ name: 'swift.sweeper', every: 30_000, world, run: () => sweep(house) })
    },
    close: async () => sweeper?.close(),
  }
}

async function sweep(house: Swift): Promise<void> {
  const now = house.world.clock.now()
  for (const row of await expiredObjects(house.db, now)) await removeObject(house.db, row.container_id, row.name, now)
  for (const id of await dueBytes(house.db, now)) if (await forgetBytes(house.db, id, now)) await house.bytes.ensureNo(id)
}
