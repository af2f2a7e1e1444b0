/** What the rooms of this house are given. */
import type { Database } from '#base/sql/database.ts'
import type { HouseParts } from '#stack/house.ts'
import type { SwiftConfig } from './config.ts'
import type { BytesDriver } from './drivers/interface.ts'
import type { SwiftTables } from './store/tables.ts'

export interface Swift extends Pick<HouseParts<SwiftConfig>, 'world' | 'config'> {
  db: Database<SwiftTables>
  bytes: BytesDriver
}
