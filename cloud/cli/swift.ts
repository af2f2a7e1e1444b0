/** `ondol swift`: where the bytes of objects lie, and moving them to another storage policy. Works on the data of a cloud, running or not. */
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { loadConfig } from '#base/config.ts'
import { invalid } from '#base/fault.ts'
import { migrate } from '#base/sql/table.ts'
import { world } from '#base/world.ts'
import { remoteHandler } from '#base/http/client.ts'
import { readBody } from '#base/http/message.ts'
import type { SwiftConfig } from '#swift/config.ts'
import { type Moved, type SwiftManage, swiftManage, type Which } from '#swift/processes/manage.ts'
import { type CloudConfig, configSchema } from '../config.ts'
import { openHome } from '../database-home.ts'
import { houses } from '../houses.ts'
import { ask, type Place, placeOf, runningPid } from './place.ts'
import { table } from './table.ts'

export interface SwiftOptions {
  data?: string
  config?: string
  to?: string
  container?: string
  account?: string
  all?: boolean
  json?: boolean
}

export interface MovedBytes extends Moved { stopped: boolean }

interface Desk { manage: SwiftManage; place: Place }

export async function swift(verb: string, options: SwiftOptions): Promise<void> {
  if (verb !== 'places' && verb !== 'move' && verb !== 'damaged') throw invalid(`Unknown command '${verb}': places, damaged, or move --to POLICY with --container ACCOUNT/NAME, --account ACCOUNT or --all.`)
  await atDesk(placeOf(options.data), options, (desk) => (verb === 'places' ? places(desk.manage, options) : verb === 'damaged' ? damaged(desk.manage, options) : move(desk, options)))
}

async function atDesk<T>(place: Place, options: Pick<SwiftOptions, 'config'>, work: (desk: Desk) => Promise<T>): Promise<T> {
  const config = (await loadConfig(configSchema(houses), { ...(options.config ? { file: resolve(options.config) } : {}), host: hostname(), env: process.env })) as unknown as CloudConfig & { swift: SwiftConfig }
  const here = world({})
  const { database: db } = await openHome({ dataDir: place.dir, config: config.database, now: () => here.clock.now() })
  try {
    await migrate(db, houses.filter((house) => house.plate.name === 'swift').map((house) => house.plate.migrations), here.clock.now())
    const manage = swiftManage({ world: here, config: config.swift, db, dataDir: join(config.shared_dir || place.dir, 'swift') })
    try {
      return await work({ manage, place })
    } finally {
      await manage.close()
    }
  } finally {
    await db.close()
  }
}

async function places(manage: SwiftManage, options: SwiftOptions): Promise<void> {
  const found = await manage.places()
  if (options.json) process.stdout.write(`${JSON.stringify(found, null, 1)}\n`)
  else process.stdout.write(table(['POLICY', 'DRIVER', 'CONTAINERS', 'OBJECTS', 'BYTES', 'LYING THERE'], found.map((one) => [`${one.policy}${one.default ? ' (default)' : ''}${one.deprecated ? ' (deprecated)' : ''}`, one.driver, one.containers, one.objects, one.bytes, one.lying])))
}

/** Exits with 1 when there is any, for who asks regularly. */
async function damaged(manage: SwiftManage, options: SwiftOptions): Promise<void> {
  const found = await manage.damaged()
  if (found.length > 0) process.exitCode = 1
  if (options.json) process.stdout.write(`${JSON.stringify(found, null, 1)}\n`)
  else if (found.length === 0) process.stdout.write('Nothing was found damaged.\n')
  else process.stdout.write(table(['FOUND', 'BYTES', 'WHAT', 'WHOSE'], found.map((one) => [new Date(one.found_at).toISOString(), one.bytes_id, one.reason, one.objects.join(', ') || 'nobody\'s any more'])))
}

async function move(desk: Desk, options: SwiftOptions): Promise<void> {
  if (!options.to) throw invalid('Say where to: --to POLICY')
  const wishes = [options.container, options.account, options.all].filter((one) => one !== undefined && one !== false)
  if (wishes.length !== 1) throw invalid('Say what, with one of --container ACCOUNT/NAME, --account ACCOUNT, --all.')
  const [, account, name] = options.container === undefined ? [] : (/^([^/]+)\/([^/]+)$/.exec(options.container) ?? [])
  if (options.container !== undefined && name === undefined) throw invalid('--container wants ACCOUNT/NAME, e.g. AUTH_4f1c…/photos')
  await assertKnown(desk.place, options.to)
  const stop = new AbortController()
  const onSignal = (): void => stop.abort()
  process.once('SIGINT', onSignal)
  process.once('SIGTERM', onSignal)
  const moved = await carry(desk, options.to, options.container === undefined ? { account: options.account } : { account, container: name }, stop.signal, (text) => void (options.json ? undefined : process.stdout.write(`${text}\n`)))
  process.off('SIGINT', onSignal)
  process.off('SIGTERM', onSignal)
  if (moved.failed.length > 0 || moved.stopped) process.exitCode = 1
  if (options.json) process.stdout.write(`${JSON.stringify(moved, null, 1)}\n`)
  else sayMoved(moved, options.to)
}

async function carry(desk: Desk, to: string, which: Which, signal: AbortSignal, say: (text: string) => void): Promise<MovedBytes> {
  let told = performance.now()
  const moved = await desk.manage.move(to, which, {
    signal,
    report: ({ objects, bytes }) => {
      if (performance.now() - told < 2000) return
      told = performance.now()
      say(`${objects} objects, ${(bytes / 2 ** 20).toFixed(0)} MiB`)
    },
  })
  return { ...moved, stopped: signal.aborted }
}

export function sayMoved(moved: MovedBytes, to: string): void {
  for (const one of moved.failed) process.stdout.write(`${one.container}/${one.object} stays where it is: ${one.reason}\n`)
  process.stdout.write(`Moved ${moved.objects} objects, ${(moved.bytes / 2 ** 20).toFixed(1)} MiB, of ${moved.containers} containers to ${to}.${moved.stopped ? ' Stopped; the same command goes on from here.' : ''}\n`)
}

/** All objects of the cloud. */
export function moveAll(place: Place, options: Pick<SwiftOptions, 'config'>, to: string, signal: AbortSignal, say: (text: string) => void): Promise<MovedBytes> {
  return atDesk(place, options, (desk) => carry(desk, to, {}, signal, say))
}

/** Throws when objects cannot be moved to this policy. */
export async function checkedMove(place: Place, options: Pick<SwiftOptions, 'config'>, to: string): Promise<void> {
  if (!(await atDesk(place, options, async ({ manage }) => manage.knows(to)))) throw invalid(`There is no storage policy ${to}: name it under swift.policies in the ondol.yaml that --config names.`, { field: 'bytes-to' })
  await assertKnown(place, to)
}

/** What runs must know the policy before containers have it, or it could not take uploads into them. */
async function assertKnown(place: Place, policy: string): Promise<void> {
  if (!(await runningPid(place))) return
  const { url } = (await ask(place, 'GET', '/status')) as { url: string }
  const handler = remoteHandler(url)
  try {
    const answer = await handler({ method: 'GET', path: '/info', query: '', headers: {}, body: undefined, origin: url, remote: '' })
    const { swift: info } = JSON.parse((await readBody(answer.body, 2 ** 20))!.toString()) as { swift: { policies: { aliases: string }[] } }
    if (!info.policies.some((one) => one.aliases.toLowerCase().split(', ').includes(policy.toLowerCase()))) throw invalid(`The cloud that runs does not know the policy ${policy}: name it in its ondol.yaml and start it again first.`)
  } finally {
    handler.close()
  }
}
