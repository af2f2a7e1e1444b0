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
import type { Bus } from '#base/bus/interface.ts'
import { type ConfigValues, loadConfig } from '#base/config.ts'
import { invalid, unavailable } from '#base/fault.ts'
import type { FlowFaults } from '#base/flow/engine.ts'
import type { HttpHandler } from '#base/http/message.ts'
import { type Listening, listen } from '#base/http/server.ts'
import type { Database } from '#base/sql/database.ts'
import { alone, migrate } from '#base/sql/table.ts'
import { type World, world } from '#base/world.ts'
import { type Client, client } from '#stack/client.ts'
import type { AgentProcess, ControlProcess, DriverStorm } from '#stack/house.ts'
import type { Enforcer } from '#stack/policy/interface.ts'
import { clientCertificates } from '#stack/client-certificate.ts'
import { tokenDoor } from '#stack/token-door.ts'
import { type CloudConfig, configSchema } from './config.ts'
import { openHome } from './database-home.ts'
import { cloudMigrations, DatabaseMove } from './database-move.ts'
import { consoleDist } from './console-build.ts'
import { withSettings } from './console-settings.ts'
import { consoleSite, type ConsoleState } from './console.ts'
import { fetchOf } from './fetch.ts'
import { frontDoor, type Mount } from './front-door.ts'
import { agentOf, houseParts, openBus, type SharedParts } from './house-parts.ts'
import { houses } from './houses.ts'
import { type Identity, identityOf } from './identity.ts'
import { upgradeRouter } from './upgrade.ts'
import { type CloudCredentials, credentialsOf } from './credentials.ts'
import { guestImageReady, removeHalfMade, uploadGuestImage } from './seed/guest-image.ts'
import { seedCloud } from './seed/seed.ts'
import { checkRole } from './roles.ts'
import { openSecrets, type Secrets, servicePassword } from './secrets.ts'

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
  /** What befalls the calls of one house at another's door, for simulation. */
  doorStorm?: (handler: HttpHandler) => HttpHandler
  /** Slowness and failures of fake drivers, for simulation. */
  driverStorm?: DriverStorm
  /** Builds the image `ondol-guest` and gives its path; runs in the background. Absent: a pretended image with fake drivers, none with real ones. */
  guestImage?: () => Promise<string>
  /** How far the dashboard's building is; nothing here builds it. */
  console?: () => ConsoleState
  /** Told at every step of a move of the database, for tests that die there. */
  atMove?: (step: string) => void | Promise<void>
  /** Told what start-up does, with milliseconds. */
  onPhase?: (phase: string, ms: number) => void
}

export interface Cloud {
  /** Root of the front door as clients reach it; `http://ondol.invalid` when nothing listens. */
  readonly url: string
  /** Where this process itself listens: the same, but for a proxy in front. */
  readonly localUrl: string
  readonly world: World
  readonly config: CloudConfig & ConfigValues
  /** Wherever it is: it follows a move. */
  readonly db: Database
  /** Takes the database elsewhere while the cloud runs. */
  readonly databaseMove: DatabaseMove
  readonly bus: Pick<Bus, 'up'>
  readonly dataDir: string
  readonly secrets: Secrets
  readonly handler: HttpHandler
  /** As the global `fetch`, straight into the cloud. */
  fetch(target: string | URL | Request, init?: RequestInit): Promise<Response>
  readonly controls: ReadonlyMap<string, ControlProcess>
  /** The policy in force, by house. */
  readonly enforcers: ReadonlyMap<string, Enforcer>
  /** User names, passwords and scopes to log in with. */
  readonly credentials: CloudCredentials
  /** Settles when the image `ondol-guest` is there, or says why it cannot be. */
  readonly guestImage: Promise<void>
  close(): Promise<void>
}

/** Numbers of what one of several control processes does at a time. */
const [FIRST_SECRETS, SEED, GUEST_IMAGE] = [1, 2, 3] as const

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
  const host = options.host ?? hostname()
  const config = (await loadConfig(configSchema(houses), {
    file: options.configFile,
    host,
    env: options.env ?? {},
    flags: { ...(temporary ? { 'database.durability': 'fast', 'swift.durability': 'fast' } : {}), ...options.config },
  })) as unknown as CloudConfig & ConfigValues
  if (config.role === 'compute') throw invalid('A machine with role: compute has no control plane: start it by startCompute', { field: 'role' })
  checkRole(config, { bus: options.bus !== undefined })
  const sharedDir = config.shared_dir || dataDir
  phase('config')

  const undo: (() => Promise<unknown>)[] = []
  try {
    const query = options.onQuery ? { onQuery: options.onQuery } : {}
    const home = await openHome({ dataDir, config: config.database, now: () => here.clock.now(), ...query })
    const db = home.database
    undo.push(() => db.close())
    await migrate(db, cloudMigrations(), here.clock.now())
    const move = new DatabaseMove({ home, dataDir, config: config.database, world: here, live: true, at: options.atMove, ...query })
    undo.push(() => move.stop())
    phase('database')
    const secrets = await alone(db, FIRST_SECRETS, async () => {
      const opened = await openSecrets(join(sharedDir, 'secrets.json'), here.random)
      drawAll(opened)
      await opened.save()
      return opened
    })
    const owner = `${host}:${process.pid}:${here.random.uuid().slice(0, 8)}`
    const bus = options.bus ? options.bus(here) : await openBus(config.bus.url, here, owner)
    undo.push(() => bus.close())

    let listening: Listening | undefined
    const publicUrl = (): string => config.http.public_url.replace(/\/$/, '') || listening?.url || 'http://ondol.invalid'
    const handlers = new Map<string, HttpHandler>()
    const doors = (name: string): HttpHandler => {
      const handler = handlers.get(name)
      if (!handler) throw unavailable(`The service ${name} is not part of this cloud`)
      return options.doorStorm?.(handler) ?? handler
    }
    const identity = identityOf()
    const tokens = tokenDoor((token, requestId) => identity.validate(token, requestId), here.clock)
    const controls = new Map<string, ControlProcess>()
    const agents: AgentProcess[] = []
    const mounts: Mount[] = []
    const enforcers = new Map<string, Enforcer>()
    const shared: SharedParts = { here, db, bus, config, doors, tokens, serviceCaller: (house) => identity.serviceCaller(house), host, owner, dataDir, sharedDir, drivers, publicUrl, enforcers, ...(options.flowFaults ? { flowFaults: options.flowFaults } : {}), ...(options.driverStorm ? { driverStorm: options.driverStorm } : {}) }
    for (const house of houses) {
      const { name, mount } = house.plate
      const control = house.control(houseParts(house, shared))
      controls.set(name, control)
      mounts.push({ path: mount, handler: control.handler, ...(control.claims ? { claims: control.claims } : {}) })
      for (const path of house.plate.rootPaths ?? []) mounts.push({ path, handler: control.handler, keepPath: true })
      handlers.set(name, (request) => control.handler({ ...request, mount, origin: publicUrl() }))
      const agent = agentOf(house, shared, drivers)
      if (agent) agents.push(agent)
    }
    phase('houses')

    await identity.open({ controls, tokens, secrets, config, publicUrl: '{public_url}', houses, clock: here.clock, servicePassword: await servicePassword(config.service) })
    phase('identity')
    const keystone = controls.get('keystone')
    if (keystone) mounts.push({ path: '/v3', handler: keystone.handler, keepPath: true }, { path: '', handler: keystone.handler, keepPath: true })
    const settings = async () => ({ sign_on: await identity.webSignOns(), public_url: publicUrl(), s3_region: (config as { swift?: { s3_region: string } }).swift?.s3_region ?? '' })
    mounts.push({ path: '/console', handler: withSettings(consoleSite({ dist: consoleDist, state: options.console ?? (() => ({ kind: 'absent' })) }), settings) })
    const inside = clientCertificates(frontDoor(mounts), config.http.client_certificates)
    const seen = config.http.public_url.replace(/\/$/, '')
    // Behind a proxy the links in answers name the proxy.
    const handler: HttpHandler = seen === '' ? inside : (request) => inside({ ...request, origin: seen })
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
      // Of several control processes that start together, one makes it and the others find it.
      await alone(db, SEED, () => seedCloud({ client: outbound, identity, world: here, config }))
      guestImage = seedGuestImage(outbound, identity, options.guestImage, drivers, db)
      guestImage.catch((thrown: unknown) => here.log.module('cloud').error('Failed to make the image ondol-guest', { error: thrown }))
      if (!options.guestImage) await guestImage
    }
    phase('seed')

    let closing: Promise<void> | undefined
    const close = (): Promise<void> => (closing ??= end())
    const end = async (): Promise<void> => {
      for (const step of undo.reverse()) await step().catch((thrown: unknown) => here.log.module('cloud').error('Failed to stop a part', { error: thrown }))
      if (temporary) await rm(dataDir, { recursive: true, force: true, maxRetries: 3 })
    }
    const url = publicUrl()
    return { url, localUrl: listening?.url ?? url, world: here, config, db, databaseMove: move, bus, dataDir, secrets, handler, fetch: fetchOf(handler, url), controls, enforcers, credentials, guestImage, close }
  } catch (thrown) {
    for (const step of undo.reverse()) await step().catch(() => {})
    if (temporary) await rm(dataDir, { recursive: true, force: true })
    throw thrown
  }
}

async function seedGuestImage(outbound: Client, identity: Identity, build: CloudOptions['guestImage'], drivers: 'fake' | 'real', db: Database): Promise<void> {
  if (drivers === 'real' && !build) return
  if (await guestImageReady(outbound, await identity.adminCaller())) return
  const path = await build?.()
  await alone(db, GUEST_IMAGE, async () => {
    const admin = await identity.adminCaller()
    if (await guestImageReady(outbound, admin)) return
    await removeHalfMade(outbound, admin)
    await uploadGuestImage(outbound, admin, path)
  })
}

/** All names at once, so that of several processes that start together one draws and the others read. */
function drawAll(secrets: Secrets): void {
  for (const name of ['user:admin', 'user:demo', ...houses.map((house) => `service:${house.plate.name}`)]) secrets.get(name)
}
