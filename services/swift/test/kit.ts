/** Swift alone, with Keystone's personas and a clock of the test's choice. */
import { createHmac } from 'node:crypto'
import { join } from 'node:path'
import { withDefaults } from '#base/config.ts'
import type { Clock } from '#base/clock.ts'
import type { HttpHandler } from '#base/http/message.ts'
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
  close(): Promise<void>
}

export async function swiftKit(config: Record<string, unknown> = {}, options: { clock?: Clock; bytes?: BytesDriver; seams?: Seams } = {}): Promise<SwiftKit> {
  const kit = await houseKit<SwiftConfig>({ config: withDefaults(swiftConfig, { durability: 'fast', ...config }) as SwiftConfig, policies: [], ...(options.clock ? { clock: options.clock } : {}) })
  const process = controlProcess(kit.parts, options.bytes, options.seams)
  await kit.migrate(process.plate)
  return {
    house: process.house,
    bytesDir: join(kit.parts.dataDir, 'bytes'),
    handler: process.handler,
    ask: async (method, target, { as = 'member', ...rest } = {}) => {
      const answer = await kit.request(process.handler, method, target, as === 'nobody' ? rest : { as, ...rest })
      // As a client reads them.
      return { ...answer, headers: Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), value])) }
    },
    start: () => process.start(),
    async close() {
      await process.close()
      await kit.close()
    },
  }
}

export function tempUrl(key: string, method: string, path: string, expires: number, extra: { digest?: string; head?: string; query?: string } = {}): string {
  const sig = createHmac(extra.digest ?? 'sha256', key).update(`${extra.head ?? ''}${method}\n${expires}\n${path}`).digest('hex')
  return `temp_url_sig=${sig}&temp_url_expires=${expires}${extra.query ?? ''}`
}
