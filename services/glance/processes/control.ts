/** Glance's API and worker in one process. */
import { join } from 'node:path'
import type { Flow } from '#base/flow/definition.ts'
import { FlowEngine } from '#base/flow/engine.ts'
import { isFault } from '#base/fault.ts'
import { type Reconciler, startReconciler } from '#base/reconcile.ts'
import { corridor } from '#stack/corridor.ts'
import { emptyIds } from '#stack/empty-id.ts'
import { type ControlProcess, engineSettings, type HouseParts } from '#stack/house.ts'
import { withLimits } from '#stack/quota.ts'
import type { GlanceConfig, StoreConfig } from '../config.ts'
import { fileStore } from '../drivers/file/file-store.ts'
import { memoryStore } from '../drivers/memory/memory-store.ts'
import { imageCache } from '../flows/image-cache.ts'
import { bytesOf } from '../flows/import-image.ts'
import { flowsOf } from '../flows/index.ts'
import { beat, sweep } from '../flows/uploads.ts'
import type { Glance } from '../house.ts'
import { plate, routesOf } from '../service.ts'
import type { GlanceTables } from '../store/tables.ts'

const HEARTBEAT = 10_000

export function controlProcess(parts: HouseParts<GlanceConfig>): ControlProcess {
  const { world, config, dataDir } = parts
  const stores = config.stores.length > 0 ? config.stores : [{ id: 'file' }]
  let caching: Reconciler | undefined
  const house: Glance = {
    world,
    config,
    publicUrl: parts.publicUrl,
    client: parts.client,
    serviceCaller: parts.serviceCaller,
    owner: parts.owner,
    ...(parts.unifiedLimits ? { unifiedLimits: parts.unifiedLimits } : {}),
    db: parts.db.as<GlanceTables>(),
    stores: new Map(stores.map(({ id, driver, path }: StoreConfig, i) => [id, driver === 'memory' ? memoryStore(() => world.clock.now()) : fileStore(path ?? join(dataDir, i === 0 ? 'images' : `images-${id}`))])),
    staging: fileStore(join(dataDir, 'staging')),
    cache: imageCache(fileStore(join(dataDir, 'cache')), world),
    wakeCache: () => caching?.wake(),
    engine: undefined as never,
    flows: undefined as never,
  }
  house.flows = flowsOf(house)
  house.engine = new FlowEngine({ house: 'glance', db: parts.db, world, owner: parts.owner, ...engineSettings(parts) }, Object.values(house.flows) as unknown as Flow<never>[])
  const routes = withLimits(routesOf(house), parts.unifiedLimits)
  const handler = emptyIds(corridor({ world, dialect: plate.dialect, routes, tokens: parts.tokens, authorizer: parts.authorizer, identityUrl: parts.identityUrl }))
  const reconcilers: Reconciler[] = []
  return {
    plate,
    routes,
    handler,
    async start() {
      house.engine.open()
      reconcilers.push(startReconciler({ name: 'glance.uploads', every: HEARTBEAT, world, run: () => beat(house) }))
      const sweeper = startReconciler({ name: 'glance.sweep', every: config.sweep_interval, world, run: () => sweep(house) })
      sweeper.wake()
      const read = (imageId: string) =>
        bytesOf(house, imageId).catch((thrown: unknown) => {
          if (isFault(thrown, 'not_found')) return undefined
          throw thrown
        })
      caching = startReconciler({ name: 'glance.cache', every: config.sweep_interval, world, run: () => house.cache.fill(read) })
      reconcilers.push(sweeper, caching)
    },
    async close(grace) {
      await house.engine.close(grace)
      for (const one of reconcilers) await one.close()
    },
  }
}
