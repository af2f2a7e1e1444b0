/**
 * One house alone, for its own tests: a fresh database (SQLite unless said otherwise), a bus in memory, a virtual or real clock, policy with its real defaults,
 * and tokens that say what they are. Other houses are whatever handlers the test gives.
 *
 *     const kit = await houseKit({ config, policies, houses: { glance: fakeGlance } })
 *     const house = controlProcess(kit.parts)      // migrates? call kit.migrate(house.plate) first
 *     const answer = await kit.request(house.handler, 'GET', '/traits', { as: 'admin' })
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryBus } from '#base/bus/memory.ts'
import { type Clock, realClock } from '#base/clock.ts'
import { flowMigrations } from '#base/flow/journal.ts'
import { type HttpBody, type HttpHandler, type HttpResponse, readBody } from '#base/http/message.ts'
import { seededRandom } from '#base/random.ts'
import { Secret } from '#base/secret.ts'
import type { Database } from '#base/sql/database.ts'
import { testDatabase } from '#base/sql/test/database.ts'
import { migrate } from '#base/sql/table.ts'
import { type World, world } from '#base/world.ts'
import { client } from '../client.ts'
import type { TokenFacts } from '../context.ts'
import type { HouseParts } from '../house.ts'
import { createEnforcer } from '../policy/enforcer.ts'
import type { RuleDefault } from '../policy/interface.ts'
import type { ServicePlate } from '../service.ts'

/** `admin`, `member`, `reader` … of project `project-a` unless said otherwise, as `member@project-b` or `admin@system`. */
export type Persona = string

export interface HouseKit<Config> {
  parts: HouseParts<Config>
  world: World
  db: Database
  migrate(...plates: Pick<ServicePlate, 'migrations'>[]): Promise<void>
  request(handler: HttpHandler, method: string, target: string, options?: RequestOptions): Promise<Answer>
  close(): Promise<void>
}

export interface RequestOptions {
  as?: Persona
  /** An object goes as JSON; text, bytes and streams as they are. */
  body?: unknown
  headers?: Record<string, string>
  /** Default: this process itself, over http. */
  remote?: string
  origin?: string
}

export interface Answer extends HttpResponse {
  text: string
  // The test knows what it asked for.
  // oxlint-disable-next-line no-explicit-any
  json: any
}

const IMPLIED: Record<string, string[]> = { admin: ['admin', 'manager', 'member', 'reader'], manager: ['manager', 'member', 'reader'], member: ['member', 'reader'], service: ['service'], servant: ['admin', 'manager', 'member', 'reader', 'service'] }

/** The facts behind a persona's token. */
export function personaFacts(persona: Persona): TokenFacts {
  const [role = 'member', where = 'project-a'] = persona.split('@')
  const scope = where === 'system' ? { system_scope: 'all' } : where.startsWith('domain-') ? { domain_id: where } : { project_id: where, project_name: where, project_domain_id: 'default', project_domain_name: 'Default' }
  return {
    user_id: `${role}-of-${where}`,
    user_name: role,
    user_domain_id: 'default',
    user_domain_name: 'Default',
    ...scope,
    roles: IMPLIED[role] ?? [role],
    expires_at: Number.MAX_SAFE_INTEGER,
    issued_at: 0,
    methods: ['password'],
    audit_ids: ['kit'],
  }
}

export async function houseKit<Config>(options: {
  config: Config
  policies: readonly RuleDefault[]
  houses?: Readonly<Record<string, HttpHandler>>
  clock?: Clock
  seed?: number
  /** Told of every SQL statement. */
  onQuery?: (sql: string) => void
}): Promise<HouseKit<Config>> {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-house-'))
  const here = world({ clock: options.clock ?? realClock, random: seededRandom(options.seed ?? 1) })
  const { db, close: removeDatabase } = await testDatabase(options.onQuery)
  const bus = memoryBus(here)
  const enforcer = createEnforcer({ defaults: options.policies })
  const doors = (name: string): HttpHandler => {
    const handler = options.houses?.[name]
    if (!handler) throw new Error(`this test gave no house called ${name}`)
    return handler
  }
  const parts: HouseParts<Config> = {
    world: here,
    config: options.config,
    db,
    bus,
    client: client(doors, here, 'test'),
    authorizer: { check: (rule, target, context) => enforcer.check(rule, target, context as never) },
    tokens: { facts: async (token) => (token.startsWith('persona:') ? personaFacts(token.slice(8)) : undefined), forget: () => {} },
    serviceCaller: async () => ({ token: new Secret('persona:servant@service') }),
    host: 'test-host',
    dataDir: dir,
    owner: 'test@test-host',
    identityUrl: () => 'http://127.0.0.1:5000/identity',
    publicUrl: () => 'http://127.0.0.1:5000',
  }
  return {
    parts,
    world: here,
    db,
    migrate: async (...plates) => void (await migrate(db, [{ house: 'base', migrations: flowMigrations }, ...plates.map((plate) => plate.migrations)], 0)),
    async request(handler, method, target, { as, body, headers, remote = 'local', origin = 'http://127.0.0.1:5000' } = {}) {
      const [path = '/', query = ''] = target.split('?')
      const plain = body === undefined || typeof body === 'string' || body instanceof Uint8Array || typeof (body as { pipe?: unknown })?.pipe === 'function'
      const response = await handler({
        method,
        path,
        query,
        headers: { host: '127.0.0.1:5000', ...(as === undefined ? {} : { 'x-auth-token': `persona:${as}` }), ...(plain ? {} : { 'content-type': 'application/json' }), ...headers },
        body: plain ? (body as HttpBody) : JSON.stringify(body),
        origin,
        remote,
      })
      const text = (await readBody(response.body, 2 ** 28))!.toString()
      const type = String(response.headers['content-type'] ?? '')
      return { ...response, text, json: type.includes('json') && text !== '' ? JSON.parse(text) : undefined }
    },
    async close() {
      await bus.close()
      await removeDatabase()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
