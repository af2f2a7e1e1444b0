/** A store on a folder; run by itself it uploads and deletes until it is killed, and says what was acknowledged. */
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { withDefaults } from '#base/config.ts'
import { systemRandom } from '#base/random.ts'
import { openDatabase } from '#base/sql/open.ts'
import { migrate } from '#base/sql/table.ts'
import { world } from '#base/world.ts'
import type { HouseParts } from '#stack/house.ts'
import { personaFacts } from '#stack/test/house-kit.ts'
import { type SwiftConfig, swiftConfig } from '../config.ts'
import { controlProcess } from '../processes/control.ts'

const BOX = '/v1/AUTH_project-a/box'

export interface Store {
  ask(method: string, below: string, body?: Buffer): Promise<{ status: number; headers: Record<string, string>; json: unknown; bytes: string }>
  close(): Promise<void>
}

export async function openStore(dir: string, settings: Record<string, unknown> = {}): Promise<Store> {
  const here = world({ random: systemRandom })
  const db = await openDatabase({ url: `sqlite:${join(dir, 'ondol.db')}`, durability: 'safe' })
  const config = withDefaults(swiftConfig, { durability: 'safe', ...settings }) as SwiftConfig
  const parts = { world: here, config, db, dataDir: dir, tokens: { facts: async () => personaFacts('member'), forget: () => {} }, authorizer: { check: () => true }, identityUrl: () => '', publicUrl: () => '' } as unknown as HouseParts<SwiftConfig>
  const house = controlProcess(parts)
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
  const [dir, round] = process.argv.slice(2) as [string, string]
  const store = await openStore(dir)
  const tell = (line: string): void => void writeSync(1, `${line}\n`)
  await Promise.all(
    Array.from({ length: 16 }, async (_, worker) => {
      for (let i = 0; ; i++) {
        const name = `r${round}-w${worker}-${i}`
        tell(`try ${name}`)
        if ((await store.ask('PUT', `/${name}`, bodyOf(name))).status !== 201) throw new Error('refused')
        tell(`put ${name}`)
        if (i % 4 !== 3) continue
        const old = `r${round}-w${worker}-${i - 2}`
        tell(`try ${old}`)
        if ((await store.ask('DELETE', `/${old}`)).status !== 204) throw new Error('refused')
        tell(`gone ${old}`)
      }
    }),
  )
}
