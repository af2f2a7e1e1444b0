/** What the rooms of this house are given. */
import type { FlowEngine } from '#base/flow/engine.ts'
import type { Database } from '#base/sql/database.ts'
import type { HouseParts } from '#stack/house.ts'
import type { GlanceConfig } from './config.ts'
import type { StoreDriver } from './drivers/interface.ts'
import type { GlanceTables } from './store/tables.ts'

export interface Glance extends Pick<HouseParts<GlanceConfig>, 'world' | 'config' | 'publicUrl'> {
  db: Database<GlanceTables>
  store: StoreDriver
  /** Set by the process once the engine is made; flows need the house and the engine needs the flows. */
  engine: FlowEngine
}

export const STORE_ID = 'file'
export const IMPORT_METHODS = ['glance-direct', 'web-download', 'glance-download'] as const
