/**
 * The whole cloud in this process: every house's API and workers, and this machine's agents.
 *
 *     const cloud = await startCloud()                       // fake drivers, temporary data, a free port
 *     const answer = await cloud.fetch('/identity/v3')       // or over HTTP at cloud.url
 *     await cloud.close()                                    // nothing is left
 *
 * Several may run at once. With `port: null` nothing listens and only `fetch` reaches it.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryBus } from '#base/bus/memory.ts'
import type { Bus } from '#base/bus/interface.ts'
import { type ConfigValues, loadConfig } from '#base/config.ts'
import { invalid, unavailable } from '#base/fault.ts'
import type { FlowFaults } from '#base/flow/engine.ts'
import { flowMigrations } from '#base/flow/journal.ts'
import type { HttpHandler } from '#base/http/message.ts'
import { type Listening, listen } from '#base/http/server.ts'
import type { Database } from '#base/sql/database.ts'
import { openDatabase } from '#base/sql/open.ts'
import { migrate } from '#base/sql/table.ts'
import { type World, world } from '#base/world.ts'
import { type Client, client } from '#stack/client.ts'
import { type AgentProcess, type ControlProcess, fakeHostNames, type HouseParts } from '#stack/house.ts'
import { createEnforcer } from '#stack/policy/enforcer.ts'
import { tokenDoor } from '#stack/token-door.ts'
import { type CloudConfig, configSchema } from './config.ts'
import { consoleDist } from './console-build.ts'
import { consoleSite, type ConsoleState } from './console.ts'
import { fetchOf } from './fetch.ts'
import { frontDoor, type Mount } from './front-door.ts'
import { type HouseEntry, houses } from './houses.ts'
import { type Identity, identityOf } from './identity.ts'
import { upgradeRouter } from './upgrade.ts'
import { type CloudCredentials, credentialsOf } from './credentials.ts'
import { guestImageReady, uploadGuestImage } from './seed/guest-image.ts'
import { seedCloud } from './seed/seed.ts'
import { openSecrets, type Secrets } from './secrets.ts'

export interface CloudOptions {
  /** Where everything is kept. Absent: a temporary folder that `close` removes. */
  dataDir?: string
  /** Default 0, a free one; null listens nowhere. */
  port?: number | null
  drivers?: 'fake' | 'real'
  /** Path of an `ondol.yaml`. */
  configFile?: string
  /** Dotted keys laid over the file: `{ 'nova.scheduler': 'chance' }`. */
  config?: Readonly<Record<string, unknown>>
  env?: Readonly<Record<string, string | undefined>>
  world?: Partial<World>
  /** Prefer this bus or database to what the configuration names. */
  bus?: (world: World) => Bus
  onQuery?: (sql: string, ms: number) => void
  /** Name of this machine. */
  host?: string
  /** Deaths and failures between the steps of flows, for simulation. */
  flowFaults?: FlowFaults
  /** Builds the image `ondol-guest` and gives its path; runs in the background. Absent: a pretended image with fake drivers, none with real ones. */
  guestImage?: () => Promise<string>
  /** How far the dashboard's building is; nothing here builds it. */
  console?: () => ConsoleState
  /** Told what start-up does, with milliseconds. */
  onPhase?: (phase: string, ms: number) => void
}

export interface Cloud {
  /** Root of the front door; `http://ondol.invalid` when nothing listens. */
  readonly url: string
  readonly world: World
  readonly config: CloudConfig & ConfigValues
  readonly db: Database
  readonly dataDir: string
  readonly secrets: Secrets
  readonly handler: HttpHandler
  /** As the global `fetch`, straight into the cloud. */
  fetch(target: string | URL | Request, init?: RequestInit): Promise<Response>
  readonly controls: ReadonlyMap<string, ControlProcess>
  /** User names, passwords and scopes to log in with. */
  readonly credentials: CloudCredentials
  /** Settles when the image `ondol-guest` is there, or says why it cannot be. */
  readonly guestImage: Promise<void>
  close(): Promise<void>
}

export async function startCloud(options: CloudOptions = {}): Promise<Cloud> {
  let phaseBegan = performance.now()
  const phase = (name: string): void => {
    const now = performance.now()
    options.onPhase?.(name, now - phaseBegan)
    phaseBegan = now
  }
  const temporary = options.dataDir === undefined
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'ondol-')))
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const here = world(options.world)
  const drivers = options.drivers ?? 'fake'
  const config = (await loadConfig(configSchema(houses), {
    file: options.configFile,
    env: options.env ?? {},
    flags: { ...(temporary ? { 'database.durability': 'fast' } : {}), ...options.config },
  })) as unknown as CloudConfig & ConfigValues
  phase('config')

  const undo: (() => Promise<unknown>)[] = []
  try {
    const db = await openDatabase({
      url: config.database.url || `sqlite:${join(dataDir, 'ondol.db')}`,
      durability: config.database.durability,
      connections: config.database.connections,
      ...(options.onQuery ? { onQuery: options.onQuery } : {}),
    })
    undo.push(() => db.close())
    await migrate(db, [{ house: 'base', migrations: flowMigrations }, ...houses.map((house) => house.plate.migrations)], here.clock.now())
    phase('database')
    const secrets = await openSecrets(join(dataDir, 'secrets.json'), here.random)
    const host = options.host ?? hostname()
    const owner = `${host}:${process.pid}:${here.random.uuid().slice(0, 8)}`
    const bus = options.bus ? options.bus(here) : await openBus(config.bus.url, here, owner)
    undo.push(() => bus.close())

    let listening: Listening | undefined
    const publicUrl = (): string => config.http.public_url || listening?.url || 'http://ondol.invalid'
    const handlers = new Map<string, HttpHandler>()
    const doors = (name: string): HttpHandler => {
      const handler = handlers.get(name)
      if (!handler) throw unavailable(`The service ${name} is not part of this cloud`)
      return handler
    }
    const identity = identityOf()
    const tokens = tokenDoor((token, requestId) => identity.validate(token, requestId), here.clock)
    const controls = new Map<string, ControlProcess>()
    const agents: AgentProcess[] = []
    const mounts: Mount[] = []
    for (const house of houses) {
      const { name, mount } = house.plate
      const parts = houseParts(house, { here, db, bus, config, doors, tokens, identity, host, owner, dataDir, publicUrl, ...(options.flowFaults ? { flowFaults: options.flowFaults } : {}) })
      const control = house.control(parts)
      controls.set(name, control)
      mounts.push({ path: mount, handler: control.handler })
      handlers.set(name, (request) => control.handler({ ...request, mount, origin: publicUrl() }))
      if (house.agent) agents.push(house.agent({ ...parts, ...(drivers === 'real' ? { networkNamespace: fabricOf(config) } : { alsoHosts: otherFakeHosts(host, config) }) }, drivers))
    }
    phase('houses')

    await identity.open({ controls, tokens, secrets, config, publicUrl: '{public_url}', houses, clock: here.clock })
    await secrets.save()
    phase('identity')
    const keystone = controls.get('keystone')
    if (keystone) mounts.push({ path: '/v3', handler: keystone.handler, keepPath: true }, { path: '', handler: keystone.handler, keepPath: true })
    mounts.push({ path: '/console', handler: consoleSite({ dist: consoleDist, state: options.console ?? (() => ({ kind: 'absent' })) }) })
    const handler = frontDoor(mounts)
    if (options.port !== null) {
      listening = await listen(handler, {
        host: config.http.host,
        port: options.port ?? 0,
        onUpgrade: upgradeRouter(controls),
        onError: (thrown) => here.log.module('http').warn('Broke off an answer', { error: thrown }),
      })
      const open = listening
      undo.push(() => open.close())
    }
    phase('listen')
    for (const [name, control] of controls) {
      await control.start()
      undo.push(() => control.close(temporary ? 0 : 3000))
      phase(`start ${name}`)
    }
    for (const agent of agents) {
      await agent.start()
      undo.push(() => agent.close())
    }
    phase('agents')
    const credentials = credentialsOf(secrets, config.region)
    const outbound = client(doors, here, 'ondol')
    let guestImage = Promise.resolve()
    if (config.seed.enabled) {
      await seedCloud({ client: outbound, identity, world: here, config })
      guestImage = seedGuestImage(outbound, identity, options.guestImage, drivers)
      guestImage.catch((thrown: unknown) => here.log.module('cloud').error('Failed to make the image ondol-guest', { error: thrown }))
      if (!options.guestImage) await guestImage
    }
    await secrets.save()
    phase('seed')

    const close = async (): Promise<void> => {
      for (const step of undo.reverse()) await step().catch((thrown: unknown) => here.log.module('cloud').error('Failed to stop a part', { error: thrown }))
      if (temporary) await rm(dataDir, { recursive: true, force: true, maxRetries: 3 })
    }
    const url = publicUrl()
    return { url, world: here, config, db, dataDir, secrets, handler, fetch: fetchOf(handler, url), controls, credentials, guestImage, close }
  } catch (thrown) {
    for (const step of undo.reverse()) await step().catch(() => {})
    if (temporary) await rm(dataDir, { recursive: true, force: true })
    throw thrown
  }
}

/** The namespace in which the Linux bridge driver makes taps. */
function fabricOf(config: ConfigValues): string {
  return `${(config.neutron as { network_prefix: string }).network_prefix}-fabric`
}

async function seedGuestImage(outbound: Client, identity: Identity, build: CloudOptions['guestImage'], drivers: 'fake' | 'real'): Promise<void> {
  if (drivers === 'real' && !build) return
  if (await guestImageReady(outbound, await identity.adminCaller())) return
  const path = await build?.()
  await uploadGuestImage(outbound, await identity.adminCaller(), path)
}

/** Nova's agent may play many hosts; the network reaches each of them. */
function otherFakeHosts(host: string, config: ConfigValues): string[] {
  const nova = config.nova as { agent?: { hosts?: number } } | undefined
  return fakeHostNames(host, nova?.agent?.hosts ?? 1).slice(1)
}

async function openBus(url: string, here: World, owner: string): Promise<Bus> {
  if (url === '') return memoryBus(here)
  if (!/^amqps?:/.test(url)) throw invalid('bus.url must begin with amqp: or amqps:, or be empty', { field: 'bus.url' })
  return (await import('#base/bus/amqp.ts')).amqpBus(here, { url, name: owner })
}

interface SharedParts {
  here: World
  db: Database
  bus: Bus
  config: CloudConfig & ConfigValues
  doors: (name: string) => HttpHandler
  tokens: HouseParts<unknown>['tokens']
  identity: ReturnType<typeof identityOf>
  host: string
  owner: string
  dataDir: string
  publicUrl: () => string
  flowFaults?: FlowFaults
}

function houseParts(house: HouseEntry, shared: SharedParts): HouseParts<unknown> {
  const { name } = house.plate
  const { enforce_scope, enforce_new_defaults } = shared.config.policy
  const enforcer = createEnforcer({ defaults: house.policies, enforce_scope, enforce_new_defaults })
  return {
    world: shared.here,
    config: shared.config[name],
    db: shared.db,
    bus: shared.bus,
    client: client(shared.doors, shared.here, name),
    authorizer: { check: (rule, target, context) => enforcer.check(rule, target, context as never) },
    tokens: shared.tokens,
    serviceCaller: () => shared.identity.serviceCaller(name),
    host: shared.host,
    dataDir: join(shared.dataDir, name),
    owner: `${name}@${shared.owner}`,
    lease: shared.config.flows.lease_seconds * 1000,
    ...(shared.flowFaults ? { flowFaults: shared.flowFaults } : {}),
    identityUrl: (request) => `${request.origin}/identity`,
    publicUrl: shared.publicUrl,
  }
}
