/** Swift alone, with Keystone's personas and a clock of the test's choice. */
import { createHmac } from 'node:crypto'
import { join } from 'node:path'
import { withDefaults } from '#base/config.ts'
import type { Clock } from '#base/clock.ts'
import type { HttpHandler } from '#base/http/message.ts'
import { seededRandom } from '#base/random.ts'
import type { Database } from '#base/sql/database.ts'
import { world } from '#base/world.ts'
import { type Answer, houseKit, type RequestOptions } from '#stack/test/house-kit.ts'
import { type SwiftConfig, swiftConfig } from '../config.ts'
import type { BytesDriver } from '../drivers/interface.ts'
import type { Swift } from '../house.ts'
import { controlProcess, type Seams } from '../processes/control.ts'

export const A = '/v1/AUTH_project-a'

export interface SwiftKit {
  house: Swift
  /** Where the driver `files` has its files. */
  bytesDir: string
  handler: HttpHandler
  /** As a member of project-a unless said otherwise; `as: 'nobody'` sends no token. */
  ask(method: string, target: string, options?: RequestOptions): Promise<Answer>
  start(): Promise<void>
  /** Another process on the same database and bytes, perhaps with a clock of its own. */
  twin(options?: { clock?: Clock; config?: Record<string, unknown> }): { house: Swift; handler: HttpHandler; ask: SwiftKit['ask'] }
  close(): Promise<void>
}

export async function swiftKit(config: Record<string, unknown> = {}, options: { clock?: Clock; bytes?: BytesDriver; seams?: Seams; /** In the place of the database, or around it. */ around?: (db: Database) => Database } = {}): Promise<SwiftKit> {
  const kit = await houseKit<SwiftConfig>({ config: withDefaults(swiftConfig, { durability: 'fast', ...config }) as SwiftConfig, policies: [], ...(options.clock ? { clock: options.clock } : {}) })
  if (options.around) kit.parts.db = options.around(kit.parts.db)
  const process = controlProcess(kit.parts, options.bytes, options.seams)
  await kit.migrate(process.plate)
  const twins: ReturnType<typeof controlProcess>[] = []
  const askOf = (handler: HttpHandler): SwiftKit['ask'] => async (method, target, { as = 'member', ...rest } = {}) => {
    const answer = await kit.request(handler, method, target, as === 'nobody' ? rest : { as, ...rest })
    // As a client reads them.
    return { ...answer, headers: Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), value])) }
  }
  return {
    house: process.house,
    bytesDir: join(kit.parts.dataDir, 'bytes'),
    handler: process.handler,
    ask: askOf(process.handler),
    twin(other = {}) {
      const parts = { ...kit.parts, config: withDefaults(swiftConfig, { durability: 'fast', ...config, ...other.config }) as SwiftConfig, world: world({ clock: other.clock ?? kit.world.clock, random: seededRandom(1000 + twins.length) }) }
      const own = controlProcess(parts, options.bytes, options.seams)
      twins.push(own)
      return { house: own.house, handler: own.handler, ask: askOf(own.handler) }
    },
    start: () => process.start(),
    async close() {
      for (const one of twins) await one.close()
      await process.close()
      await kit.close()
    },
  }
}

export function tempUrl(key: string, method: string, path: string, expires: number, extra: { digest?: string; head?: string; query?: string } = {}): string {
  const sig = createHmac(extra.digest ?? 'sha256', key).update(`${extra.head ?? ''}${method}\n${expires}\n${path}`).digest('hex')
  return `temp_url_sig=${sig}&temp_url_expires=${expires}${extra.query ?? ''}`
}
