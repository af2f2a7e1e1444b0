/** A store on a folder; run by itself it listens on a port of its own, which it says, until it is killed. */
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { withDefaults } from '#base/config.ts'
import { realClock } from '#base/clock.ts'
import type { HttpHandler } from '#base/http/message.ts'
import { listen } from '#base/http/server.ts'
import { Secret } from '#base/secret.ts'
import { client } from '#stack/client.ts'
import type { Swift } from '../house.ts'
import { keystone } from './s3-kit.ts'
import { systemRandom } from '#base/random.ts'
import { openDatabase } from '#base/sql/open.ts'
import { migrate } from '#base/sql/table.ts'
import { world } from '#base/world.ts'
import type { HouseParts } from '#stack/house.ts'
import { personaFacts } from '#stack/test/house-kit.ts'
import { type SwiftConfig, swiftConfig } from '../config.ts'
import { controlProcess, type SwiftProcess } from '../processes/control.ts'

const BOX = '/v1/AUTH_project-a/box'

export interface Store {
  handler: HttpHandler
  house: Swift
  ask(method: string, below: string, body?: Buffer): Promise<{ status: number; headers: Record<string, string>; json: unknown; bytes: string }>
  close(): Promise<void>
}

/** `ahead`: milliseconds by which its clock is. */
export async function openStore(dir: string, settings: Record<string, unknown> = {}, { database = `sqlite:${join(dir, 'ondol.db')}`, ahead = 0 } = {}): Promise<Store> {
  const here = world({ random: systemRandom, ...(ahead === 0 ? {} : { clock: { ...realClock, now: () => realClock.now() + ahead } }) })
  const db = await openDatabase({ url: database, durability: 'safe' })
  const config = withDefaults(swiftConfig, { durability: 'safe', ...settings }) as SwiftConfig
  const parts = { world: here, config, db, dataDir: dir, tokens: { facts: async () => personaFacts('member'), forget: () => {} }, authorizer: { check: () => true }, identityUrl: () => '', publicUrl: () => '', client: client(() => keystone, here, 'test'), serviceCaller: async () => ({ token: new Secret('x') }) } as unknown as HouseParts<SwiftConfig>
  const house = controlProcess(parts) as SwiftProcess
  await migrate(db, [house.plate.migrations], 0)
  const ask: Store['ask'] = async (method, below, body) => {
    const [path = '', query = ''] = `${BOX}${below}`.split('?')
    const answer = await house.handler({ method, path, query, headers: { 'x-auth-token': 'x', 'content-length': String(body?.length ?? 0) }, body, origin: 'http://127.0.0.1', remote: 'local' })
    const hash = createHash('md5')
    let text = ''
    if (typeof answer.body === 'string') text = answer.body
    else if (answer.body instanceof Uint8Array) hash.update(answer.body)
    else if (answer.body) for await (const chunk of answer.body as AsyncIterable<Buffer>) hash.update(chunk)
    return { status: answer.status, headers: answer.headers as Record<string, string>, json: text.startsWith('[') ? JSON.parse(text) : undefined, bytes: hash.digest('hex') }
  }
  await ask('PUT', '')
  return {
    handler: house.handler,
    house: house.house,
    ask,
    async close() {
      await house.close()
      await db.close()
    },
  }
}

/** Of a size and content that follow from the name: most are small, some cross every edge. */
export function bodyOf(name: string): Buffer {
  const number = Number(/(\d+)$/.exec(name)?.[1] ?? 0)
  return Buffer.alloc(number % 11 === 0 ? 70_000 + number * 100 : (number * 37) % 5000, `${name} `)
}

if (import.meta.main) {
  const [dir, settings, database] = process.argv.slice(2) as [string, string, string?]
  const store = await openStore(dir, JSON.parse(settings) as Record<string, unknown>, database ? { database } : {})
  const { url } = await listen(store.handler, {})
  writeSync(1, `${url}\n`)
}
