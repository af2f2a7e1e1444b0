/**
 * `ondol data move`: the whole database into another one, e.g. out of the file of a laptop into PostgreSQL. Where a cloud runs, it does so itself while it
 * serves, and this shows how far it is; where none runs, this does it.
 */
import { rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { loadConfig } from '#base/config.ts'
import { invalid } from '#base/fault.ts'
import { world } from '#base/world.ts'
import { type CloudConfig, configSchema } from '../config.ts'
import { openHome } from '../database-home.ts'
import { DatabaseMove, type MoveView } from '../database-move.ts'
import { houses } from '../houses.ts'
import { ask, assertNobodyMoves, type Place, placeOf, runningPid } from './place.ts'
import { checkedMove, moveAll, type MovedBytes, sayMoved } from './swift.ts'
import { table } from './table.ts'

export interface DataOptions { data?: string; config?: string; to?: string; bytesTo?: string; abandon?: boolean; json?: boolean }

/** The mover here or in the cloud that runs. */
interface Mover {
  live: boolean
  view(): Promise<MoveView>
  start(to: string): Promise<unknown>
  stop(): Promise<unknown>
  abandon(): Promise<{ cleared: boolean }>
  close(): Promise<void>
}

export async function data(verb: string, options: DataOptions): Promise<void> {
  if (verb !== 'move') throw invalid(`Unknown command '${verb}': move --to URL.`)
  if (!options.to && !options.abandon) throw invalid('Say where to: --to postgres://user:secret@host/db, mysql://… or sqlite:/path')
  const place = placeOf(options.data)
  const say = (text: string): void => void (options.json ? undefined : process.stdout.write(`${text}\n`))
  const running = (await runningPid(place)) !== undefined
  // A policy that nobody knows is told before hours of work.
  if (options.bytesTo !== undefined) await checkedMove(place, options, options.bytesTo)
  const mover = running ? theCloud(place) : await own(place, options)
  const interrupt = new AbortController()
  const onSignal = (): void => interrupt.abort()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, onSignal)
  let view: MoveView
  let bytes: MovedBytes | undefined
  try {
    if (options.abandon) {
      const done = await mover.abandon()
      if (options.json) process.stdout.write(`${JSON.stringify(done)}\n`)
      else say(`Given up; the database stays where it is.${done.cleared ? '' : ' What the target has got so far could not be removed: it is of no use to anybody.'}`)
      return
    }
    await mover.start(options.to!)
    view = await follow(mover, interrupt.signal, say)
    if (view.state === 'moved') tellMoved(view, mover, say)
  } finally {
    await mover.close()
  }
  if (view.state === 'moved' && options.bytesTo !== undefined && !interrupt.signal.aborted) {
    say(`Now the objects, to ${options.bytesTo}:`)
    bytes = await moveAll(place, options, options.bytesTo, interrupt.signal, say)
    if (!options.json) sayMoved(bytes, options.bytesTo)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal)
  if (options.json) process.stdout.write(`${JSON.stringify({ ...view, ...(bytes ? { bytes } : {}) }, null, 1)}\n`)
  if (view.state !== 'moved' || bytes?.stopped || (bytes?.failed.length ?? 0) > 0) process.exitCode = 1
  if (view.state === 'failed') process.stderr.write(`${view.error}\n`)
  if (view.state === 'stopped') say(`Stopped. ${mover.live ? 'The cloud goes on where it was, and writes down what changes' : 'The cloud may be started meanwhile'}; the same command goes on from here.`)
}

function theCloud(place: Place): Mover {
  return {
    live: true,
    view: () => ask(place, 'GET', '/database') as Promise<MoveView>,
    start: (to) => ask(place, 'POST', '/database/move', '', { to }),
    stop: () => ask(place, 'POST', '/database/stop'),
    abandon: () => ask(place, 'POST', '/database/abandon') as Promise<{ cleared: boolean }>,
    close: async () => {},
  }
}

async function own(place: Place, options: DataOptions): Promise<Mover> {
  const config = (await loadConfig(configSchema(houses), { ...(options.config ? { file: resolve(options.config) } : {}), host: hostname(), env: process.env })) as unknown as CloudConfig
  const here = world({})
  await assertNobodyMoves(place)
  await writeFile(place.moverFile, String(process.pid), { mode: 0o600 })
  const home = await openHome({ dataDir: place.dir, config: config.database, now: () => here.clock.now(), forMove: true })
  const move = new DatabaseMove({ home, dataDir: place.dir, config: config.database, world: here, live: false })
  return {
    live: false,
    view: () => move.view(),
    start: (to) => move.start(to),
    stop: () => move.stop(),
    abandon: () => move.abandon(),
    async close() {
      await home.database.close()
      await rm(place.moverFile, { force: true })
    },
  }
}

const WORDS: Readonly<Record<string, string>> = { preparing: 'Making the tables', copying: 'Copying', following: 'Following what has changed', comparing: 'Comparing every row', switching: 'Switching', waiting: 'Waiting for the target' }

async function follow(mover: Mover, signal: AbortSignal, say: (text: string) => void): Promise<MoveView> {
  let told = 0
  let phase = ''
  let stopping: Promise<unknown> | undefined
  for (;;) {
    const view = await mover.view().catch((thrown: unknown) => {
      if (!mover.live) throw thrown
      throw invalid('The cloud has ended. What was moved so far is kept: start it again, and the same command goes on.', { cause: thrown })
    })
    if (view.state !== 'moving') return view
    if (signal.aborted) await (stopping ??= mover.stop())
    const line = WORDS[view.phase ?? ''] ?? ''
    if (view.phase !== phase || performance.now() - told > 2000) {
      const numbers = [view.of ? `${view.tables} of ${view.of} tables` : '', view.rows ? `${view.rows} rows` : '', view.behind ? `${view.behind} changes behind` : '', view.reason ?? ''].filter((one) => one !== '')
      if (view.phase !== 'following' || performance.now() - told > 2000) {
        say(`${line}${numbers.length > 0 ? `: ${numbers.join(', ')}` : ''}`)
        told = performance.now()
      }
      phase = view.phase ?? ''
    }
    await delay(200, undefined, { signal }).catch(() => {})
  }
}

function tellMoved(view: MoveView, mover: Mover, say: (text: string) => void): void {
  if (!view.moved) return say(`The database is in ${view.place}.`)
  const full = view.moved.filter((one) => one.rows > 0)
  say(table(['TABLE', 'ROWS'], full.map((one) => [one.table, one.rows])).trimEnd())
  say(`Moved ${full.reduce((sum, one) => sum + one.rows, 0)} rows of ${view.moved.length} tables to ${view.to}.`)
  say(mover.live ? 'The cloud goes on there; nothing needs to be started again.' : 'Start the cloud as before: it finds the database there.')
  if (view.configured) say('The configuration still names the place that was left: change database.url in ondol.yaml before the next start, or take it out.')
}
