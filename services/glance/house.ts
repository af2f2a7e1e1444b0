/** What the rooms of this house are given. */
import type { FlowEngine } from '#base/flow/engine.ts'
import type { Database } from '#base/sql/database.ts'
import type { HouseParts } from '#stack/house.ts'
import type { GlanceConfig } from './config.ts'
import type { StoreDriver } from './drivers/interface.ts'
import type { Flows } from './flows/index.ts'
import type { ImageCache } from './flows/image-cache.ts'
import type { GlanceTables } from './store/tables.ts'

export interface Glance extends Pick<HouseParts<GlanceConfig>, 'world' | 'config' | 'publicUrl' | 'client' | 'serviceCaller' | 'owner' | 'unifiedLimits'> {
  db: Database<GlanceTables>
  /** By id; the first is the default. */
  stores: ReadonlyMap<string, StoreDriver>
  /** Bytes that are not an image yet, as `<image id>.staged`. */
  staging: StoreDriver
  cache: ImageCache
  /** Asks for what waits to be fetched into the cache soon. */
  wakeCache(): void
  /** Set by the process once the engine is made; flows need the house and the engine needs the flows. */
  engine: FlowEngine
  flows: Flows
}

export const IMPORT_METHODS = ['glance-direct', 'web-download', 'glance-download', 'copy-image'] as const
export type ImportMethod = (typeof IMPORT_METHODS)[number]

export const stagedId = (imageId: string): string => `${imageId}.staged`

export function defaultStore(house: Pick<Glance, 'stores'>): string {
  return house.stores.keys().next().value!
}
