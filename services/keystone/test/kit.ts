/** Keystone alone, with its own tokens: bootstrapped, and two ways to ask it something. */
import type { Clock } from '#base/clock.ts'
import { Secret } from '#base/secret.ts'
import { type Answer, type HouseKit, houseKit, type RequestOptions } from '#stack/test/house-kit.ts'
import { tokenDoor } from '#stack/token-door.ts'
import { keystoneConfig, type KeystoneConfig } from '../config.ts'
import type { IdentityProcess } from '../contract/bootstrap.ts'
import policies from '../contract/policies.json' with { type: 'json' }
import { controlProcess } from '../processes/control.ts'

export interface KeystoneKit {
  kit: HouseKit<KeystoneConfig>
  keystone: IdentityProcess
  ask(method: string, target: string, options?: RequestOptions & { token?: string }): Promise<Answer>
  /** A token, and the answer that brought it. */
  login(user: string, password: string, scope?: unknown): Promise<{ token: string; answer: Answer }>
  admin(): Promise<string>
  close(): Promise<void>
}

export const ADMIN = 'admin-secret'
/** As cheap as argon2id can be: the tests are not about its strength. */
export const CHEAP = { algorithm: 'argon2id', memory_kib: 64, passes: 1, log_rounds: 4 } as const

export async function keystoneKit(config: Parameters<typeof keystoneConfig>[0] = {}, clock?: Clock, onQuery?: (sql: string) => void): Promise<KeystoneKit> {
  const kit = await houseKit<KeystoneConfig>({ config: keystoneConfig({ password_hashing: CHEAP, ...config }), policies, ...(clock ? { clock } : {}), ...(onQuery ? { onQuery } : {}) })
  let keystone: IdentityProcess | undefined
  kit.parts.tokens = tokenDoor(async (token, id) => keystone!.validateToken(token, id), kit.world.clock)
  keystone = controlProcess(kit.parts)
  await kit.migrate(keystone.plate)
  keystone.onRevoked(() => kit.parts.tokens.forget())
  await keystone.start()
  await keystone.bootstrap({
    region: 'RegionOne',
    admin: { name: 'admin', password: new Secret(ADMIN), project: 'admin' },
    services: [{ name: 'nova', password: new Secret('n'.repeat(40)) }],
    users: [{ name: 'demo', password: new Secret('demo-secret'), project: 'demo', roles: ['member'] }],
    catalog: [
      { name: 'keystone', type: 'identity', url: '{public_url}/identity' },
      { name: 'nova', type: 'compute', url: '{public_url}/compute/v2.1/{project_id}' },
    ],
  })
  const ask: KeystoneKit['ask'] = (method, target, { token, headers, ...options } = {}) =>
    kit.request(keystone.handler, method, target, { ...options, headers: { ...(token === undefined ? {} : { 'x-auth-token': token }), ...headers } })
  const login: KeystoneKit['login'] = async (user, password, scope = { project: { name: user, domain: { id: 'default' } } }) => {
    const answer = await ask('POST', '/v3/auth/tokens', { body: { auth: { identity: { methods: ['password'], password: { user: { name: user, domain: { id: 'default' }, password } } }, ...(scope === null ? {} : { scope }) } } })
    return { token: String(answer.headers['x-subject-token'] ?? ''), answer }
  }
  return {
    kit,
    keystone,
    ask,
    login,
    admin: async () => (await login('admin', ADMIN)).token,
    async close() {
      await keystone.close()
      await kit.close()
    },
  }
}
