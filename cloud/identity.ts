/** The bridge to the Keystone of this process: judging tokens, and the identities under which houses call each other. */
import type { Clock } from '#base/clock.ts'
import { unavailable } from '#base/fault.ts'
import { Secret } from '#base/secret.ts'
import type { Caller } from '#stack/client.ts'
import type { TokenFacts } from '#stack/context.ts'
import type { ControlProcess } from '#stack/house.ts'
import type { IdentityProcess, WebSignOn } from '#keystone/contract/bootstrap.ts'
import type { TokenDoor } from '#stack/token-door.ts'
import type { CloudConfig } from './config.ts'
import type { HouseEntry } from './houses.ts'
import type { Secrets } from './secrets.ts'

export interface Identity {
  webSignOns(): Promise<WebSignOn[]>
  validate(token: string, requestId: string): Promise<TokenFacts | undefined>
  serviceCaller(house: string): Promise<Caller>
  adminCaller(): Promise<Caller>
  /** In the name of an ordinary user of this cloud, for the seed. */
  userCaller(user: string, project: string): Promise<Caller>
  open(parts: {
    controls: ReadonlyMap<string, ControlProcess>
    tokens: TokenDoor
    secrets: Secrets
    config: CloudConfig
    publicUrl: string
    houses: readonly HouseEntry[]
    clock: Clock
    /** Of the houses' users, when an operator gave it; else each has one of its own. */
    servicePassword?: Secret | undefined
  }): Promise<void>
}

const RENEW_BEFORE = 120_000

export function identityOf(): Identity {
  let keystone: IdentityProcess | undefined
  let clock: Clock | undefined
  const callers = new Map<string, { caller: Caller; expires_at: number }>()
  const callerFor = async (user: string, project: string): Promise<Caller> => {
    const key = `${user}@${project}`
    const known = callers.get(key)
    if (known && known.expires_at - RENEW_BEFORE > clock!.now()) return known.caller
    if (!keystone) throw unavailable('Keystone is not part of this process')
    const { token, expires_at } = await keystone.issueFor(user, project)
    const caller = { token }
    callers.set(key, { caller, expires_at })
    return caller
  }
  return {
    webSignOns: async () => (await keystone?.webSignOns()) ?? [],
    validate: async (token, requestId) => keystone?.validateToken(token, requestId),
    serviceCaller: (house) => callerFor(house, 'service'),
    adminCaller: () => callerFor('admin', 'admin'),
    userCaller: callerFor,
    async open(parts) {
      clock = parts.clock
      keystone = parts.controls.get('keystone') as IdentityProcess | undefined
      if (!keystone) return
      const { secrets, config, houses } = parts
      keystone.onRevoked(() => {
        parts.tokens.forget()
        callers.clear()
      })
      await keystone.bootstrap({
        region: config.region,
        admin: { name: 'admin', password: secrets.get('user:admin'), project: 'admin' },
        services: houses.map(({ plate }) => ({ name: plate.name, password: parts.servicePassword ?? secrets.get(`service:${plate.name}`), chosen: parts.servicePassword !== undefined })),
        roles: houses.flatMap(({ plate }) => plate.roles ?? []),
        users: [{ name: 'demo', password: secrets.get('user:demo'), project: 'demo', roles: ['member'] }],
        catalog: houses.flatMap(({ plate }) => [plate, ...(plate.aliases ?? [])].map(({ name, type }) => ({ name, type, url: `${parts.publicUrl}${plate.catalogAtRoot ? '' : plate.mount}${plate.catalogPath}` }))),
      })
    },
  }
}
