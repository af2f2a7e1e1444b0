/** Swift's API, and what keeps the store in order: the sweeper (expired, replaced, accounts that were deleted), the auditor, the reconciler of bytes and rows. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Reconciler, startReconciler } from '#base/reconcile.ts'
import type { World } from '#base/world.ts'
import { remoteHandler } from '#base/http/client.ts'
import { aliasOf } from '#host/dns.ts'
import type { HttpHandler, HttpRequest } from '#base/http/message.ts'
import { corridor } from '#stack/corridor.ts'
import type { ControlProcess, HouseParts } from '#stack/house.ts'
import { syncContainers } from '../api/container-sync.ts'
import { domainsOf } from '../api/domains.ts'
import { layersOf } from '../api/layers.ts'
import { sandboxed } from '../api/pages.ts'
import { isS3Form, isS3Host, isS3Signed, s3Dialect, type S3Parts, s3Routes } from '../api/s3/door.ts'
import { identities, projects } from '../api/s3/identity.ts'
import type { SwiftConfig } from '../config.ts'
import { checkRealms } from '../core/sync.ts'
import type { BytesDriver } from '../drivers/interface.ts'
import { audit, reconcile, sweep } from '../flows/keep-order.ts'
import { plainPath } from '../core/names.ts'
import type { Swift } from '../house.ts'
import { plate, routesOf } from '../service.ts'
import { commitsOf } from '../store/commits.ts'
import type { SwiftTables } from '../store/tables.ts'
import { bytesOf } from './bytes.ts'

export interface SwiftProcess extends ControlProcess {
  readonly house: Swift
}

/** What is beyond this machine, for tests to stand in for. */
export interface Seams {
  aliasOf?: (name: string) => Promise<string | undefined>
}

/** `bytes`: in the place of the driver that `swift.driver` names. */
export function controlProcess(parts: HouseParts<SwiftConfig>, bytes?: BytesDriver, seams: Seams = {}): SwiftProcess {
  const { world, config } = parts
  const db = parts.db.as<SwiftTables>()
  const secrets = { current: '', keys: new Map<string, Buffer>() }
  const remotes = new Map<string, ReturnType<typeof remoteHandler>>()
  const outbound = (origin: string): HttpHandler => {
    const known = remotes.get(origin) ?? remoteHandler(origin)
    remotes.set(origin, known)
    return known
  }
  let last = 0
  let sweeper: Reconciler | undefined
  let others: Reconciler[] = []
  const house: Swift = {
    world,
    config,
    db,
    ...bytesOf(parts, bytes),
    commits: commitsOf(db, () => world.clock.now(), config.container_sync.realms.length > 0),
    secret: config.encryption.enabled ? secrets : undefined,
    tokenKey: world.random.bytes(32),
    stamp: () => (last = Math.max(last + 10, world.clock.now() * 1000)),
    wake: () => sweeper?.wake(),
  }
  const remap = domainsOf(house, seams.aliasOf ?? aliasOf)
  checkRealms(config.container_sync)
  const doors = { world, tokens: parts.tokens, authorizer: parts.authorizer, identityUrl: parts.identityUrl }
  const routes = routesOf(house)
  const inner = corridor({ ...doors, dialect: plate.dialect, routes })
  const swift: HttpHandler = (request) => {
    request.path = plainPath(request.path)
    return inner(request)
  }
  const domains = config.s3_domains.map((name) => name.toLowerCase())
  const websites = config.s3_website_domains.map((name) => name.toLowerCase())
  const s3parts: S3Parts = { house, serve: layersOf(house), identify: identities(parts), knows: projects(parts), region: config.s3_region, domains, websites }
  const s3routes = s3Routes(s3parts)
  const s3 = corridor({ ...doors, dialect: s3Dialect, routes: s3routes })
  const s3AtRoot = corridor({ ...doors, dialect: s3Dialect, routes: s3Routes(s3parts, '') })
  const below = (request: HttpRequest): boolean => /^\/s3(\/|$)/.test(request.path)
  const hosts = [...domains, ...websites]
  const ownHost = (request: HttpRequest): boolean => hosts.length > 0 && isS3Host(request.headers.host, hosts)
  const isS3 = (request: HttpRequest): boolean => request.mount === undefined && (ownHost(request) || (!below(request) && (isS3Signed(request) || isS3Form(request))))
  // At the address of the whole cloud, where the dashboard is too.
  const shared = config.sandbox_pages ? sandboxed : (handler: HttpHandler) => handler
  const byPath = shared((request) => (request.mount === undefined && below(request) ? s3(request) : swift(request)))
  const s3Signed = shared(s3AtRoot)
  const byHost: HttpHandler = async (request) => {
    const path = await remap.pathOf(request)
    if (path === undefined) return byPath(request)
    if (path === '') return { status: 400, headers: { 'content-type': 'text/plain' }, body: 'Bad domain in host header' }
    request.shownPath = request.path
    request.path = path
    return swift(request)
  }
  return {
    plate,
    routes: [...routes, ...s3routes],
    house,
    claims: (request) => isS3(request) || remap.claims(request),
    handler: (request) => (isS3(request) ? (ownHost(request) ? s3AtRoot(request) : s3Signed(request)) : config.storage_domain === '' ? byPath(request) : byHost(request)),
    async start() {
      if (house.secret || config.tempauth_users.length > 0) {
        const { root, tokens } = await readSecrets(parts.dataDir, world)
        house.tokenKey = Buffer.from(tokens, 'hex')
        for (const [id, key] of Object.entries(root)) secrets.keys.set(id, Buffer.from(key, 'hex'))
        secrets.current = Object.keys(root).sort().at(-1)!
      }
      sweeper = startReconciler({ name: 'swift.sweeper', every: 15_000, world, run: (signal) => sweep(house, signal) })
      others = [
        startReconciler({ name: 'swift.reconciler', every: 21_600_000, world, run: async (signal) => void (await reconcile(house, signal)) }),
        ...(config.container_sync.realms.length > 0 ? [startReconciler({ name: 'swift.sync', every: config.container_sync.interval_seconds * 1000, world, run: async (signal) => void (await syncContainers(house, outbound, signal)) })] : []),
        ...(config.audit_files_per_second > 0 ? [startReconciler({ name: 'swift.auditor', every: 86_400_000, world, run: async (signal) => void (await audit(house, signal)) })] : []),
      ]
    },
    async close() {
      await sweeper?.close()
      for (const one of others) await one.close()
      for (const one of remotes.values()) one.close()
      await house.bytes.close()
    },
  }
}

/** Root secrets by id (the last in the order of ids encrypts) and the key of tokens; made once, mode 0600. */
async function readSecrets(dir: string, world: World): Promise<{ root: Record<string, string>; tokens: string }> {
  const path = join(dir, 'secrets.json')
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const fresh = { root: { '0001': world.random.bytes(32).toString('hex') }, tokens: world.random.bytes(32).toString('hex') }
  // Of two processes that start together one makes it and both read it.
  await writeFile(path, JSON.stringify(fresh), { flag: 'wx', mode: 0o600 }).catch((thrown: { code?: string }) => {
    if (thrown.code !== 'EEXIST') throw thrown
  })
  return JSON.parse(await readFile(path, 'utf8')) as typeof fresh
}
