/** Wires Keystone together: the API, and the judge of tokens for this process. It has no worker: all its work is transactions. */
import { readFileSync } from 'node:fs'
import type { Serving } from '#base/bus/interface.ts'
import { notFound } from '#base/fault.ts'
import { hexId } from '#base/ids.ts'
import { type Reconciler, startReconciler } from '#base/reconcile.ts'
import { Secret } from '#base/secret.ts'
import { type CorridorParts, corridor } from '#stack/corridor.ts'
import type { HouseParts } from '#stack/house.ts'
import { audited } from '../api/audit.ts'
import { keystoneHouse } from '../api/house.ts'
import type { KeystoneConfig } from '../config.ts'
import type { IdentityProcess } from '../contract/bootstrap.ts'
import { NOTIFICATIONS_TOPIC, REVOKED, REVOKED_TOPIC } from '../contract/topics.ts'
import { hashGenerated, hashPassword, verifyPassword } from '../core/password-hash.ts'
import { standingOf } from '../api/auth/standing.ts'
import { webSignOns } from '../api/auth/websso.ts'
import { ldapDirectory } from '../drivers/ldap.ts'
import { askProvider } from '../drivers/provider-http.ts'
import { plate, routesOf } from '../service.ts'
import { bootstrap } from '../store/bootstrap.ts'
import { currentPassword } from '../store/users.ts'
import { findRow } from '../store/rows.ts'
import { sweep } from '../store/sweep.ts'
import type { KeystoneTables } from '../store/tables.ts'

const SWEEP_EVERY = 3_600_000

export function controlProcess(parts: HouseParts<KeystoneConfig>): IdentityProcess {
  const { world, bus, config } = parts
  const db = parts.db.as<KeystoneTables>()
  const log = world.log.module('keystone')
  const listeners: (() => void)[] = []
  const tell = (): void => {
    for (const listener of listeners) listener()
  }
  const announce = (): void => {
    tell()
    bus.fanout(REVOKED_TOPIC, REVOKED, { from: parts.owner }).catch((thrown: unknown) => log.warn('Failed to announce a revocation', { error: thrown }))
  }
  const house = keystoneHouse({ world, config, db, dataDir: parts.dataDir, publicUrl: parts.publicUrl, announce, openDirectory: ldapDirectory, federation: { ask: askProvider, readFile: (path) => readFileSync(path, 'utf8') } })
  const routes = audited(world, parts.host, routesOf(house), (notification) => {
    bus.fanout(NOTIFICATIONS_TOPIC, 'info', notification).catch((thrown: unknown) => log.warn('Failed to tell an audit event', { event_type: notification.event_type, error: thrown }))
  })
  const corridorParts: CorridorParts = { world, dialect: plate.dialect, routes, tokens: parts.tokens, authorizer: parts.authorizer, identityUrl: (request) => `${request.origin}${request.mount ?? ''}/v3` }
  let serving: Serving | undefined
  let sweeper: Reconciler | undefined

  return {
    plate,
    routes,
    handler: corridor(corridorParts),
    async start() {
      sweeper = startReconciler({ name: 'keystone.sweep', every: SWEEP_EVERY, world, run: async () => void (await sweep(db, world.clock.now())) })
      serving = await bus.serve(REVOKED_TOPIC, {
        [REVOKED]: ({ from }: { from: string }) => {
          if (from !== parts.owner) tell()
        },
      })
    },
    async close() {
      await sweeper?.close()
      await serving?.close()
    },
    validateToken: async (token) => (await house.tokens.validate(token))?.facts,
    async bootstrap(wish) {
      const hashes = new Map<string, string>()
      await Promise.all(
        wish.services.map(async ({ name, password, chosen }) => {
          const known = await findRow(db, 'keystone_users', { domain_id: 'default', name })
          const stored = known && (await currentPassword(db, known.id))
          if (stored && (await verifyPassword(password.reveal(), stored.hash))) return
          hashes.set(name, chosen ? await hashPassword(password.reveal(), config.password_hashing, world.random.bytes(16)) : hashGenerated(password.reveal(), world.random.bytes(16)))
        }),
      )
      for (const { name, password } of [wish.admin, ...wish.users]) {
        const known = await findRow(db, 'keystone_users', { domain_id: 'default', name })
        if (!known) hashes.set(name, await hashPassword(password.reveal(), config.password_hashing, world.random.bytes(16)))
      }
      await db.transaction(async (tx) => {
        if (await bootstrap(tx, wish, { now: world.clock.now(), newId: () => hexId(world.random), hashes })) await house.widen(tx, 'tables')
      })
    },
    async issueFor(userName, projectName) {
      const user = await findRow(db, 'keystone_users', { domain_id: 'default', name: userName })
      const project = await findRow(db, 'keystone_projects', { domain_id: 'default', name: projectName })
      if (!user || !project) throw notFound(`There is no user ${userName} in project ${projectName}`)
      const { token, known } = await house.tokens.issue({ user_id: user.id, project_id: project.id, methods: ['password'] })
      return { token: new Secret(token), expires_at: known.record.expires_at }
    },
    webSignOns: () => webSignOns(house),
    standing: (wish) => standingOf(house, wish),
    onRevoked: (listener) => void listeners.push(listener),
  }
}
