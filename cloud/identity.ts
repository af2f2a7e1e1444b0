/** The bridge to the Keystone of this process: judging tokens, and the identities under which houses call each other. */
import type { Clock } from '#base/clock.ts'
import { unavailable } from '#base/fault.ts'
import { Secret } from '#base/secret.ts'
import type { Caller } from '#stack/client.ts'
import type { TokenFacts } from '#stack/context.ts'
import type { ControlProcess } from '#stack/house.ts'
import type { Standing, StandingWish } from '#keystone/contract/bootstrap.ts'
import type { WebSignOn } from '#keystone/contract/bootstrap.ts'
import type { TokenDoor } from '#stack/token-door.ts'
import type { CloudConfig } from './config.ts'
import type { HouseEntry } from './houses.ts'
import type { Secrets } from './secrets.ts'

/** What the keystone house offers to the process that starts it. */
export interface IdentityProcess extends ControlProcess {
  validateToken(token: string, requestId: string): Promise<TokenFacts | undefined>
  /** Makes what a cloud cannot be without; safe to repeat. */
  bootstrap(wish: BootstrapWish): Promise<void>
  /** A token for a user by name in a project by name (domain Default), without a password: only for callers in this process. */
  issueFor(userName: string, projectName: string): Promise<{ token: Secret; expires_at: number }>
  onRevoked(listener: () => void): void
  webSignOns(): Promise<WebSignOn[]>
  standing(wish: StandingWish): Promise<Standing>
}

export interface BootstrapWish {
  region: string
  /** Users with the role admin: the administrator in `admin`, and the houses' own in `service` with the role service as well. */
  admin: { name: string; password: Secret; project: string }
  services: readonly { name: string; password: Secret; chosen?: boolean }[]
  users: readonly { name: string; password: Secret; project: string; roles: readonly string[] }[]
  /** Roles that are made beside Keystone's own. */
  roles?: readonly string[]
  catalog: readonly { name: string; type: string; url: string }[]
}

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
