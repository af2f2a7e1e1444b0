/** `ondol data move`: the whole database into another one, e.g. out of the file of a laptop into PostgreSQL. The cloud must be stopped meanwhile. */
import { readFile, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { loadConfig } from '#base/config.ts'
import { invalid } from '#base/fault.ts'
import { flowMigrations } from '#base/flow/journal.ts'
import { moveDatabase } from '#base/sql/move.ts'
import { openDatabase } from '#base/sql/open.ts'
import { world } from '#base/world.ts'
import { type CloudConfig, configSchema } from '../config.ts'
import { houses } from '../houses.ts'
import { type Place, placeOf, runningPid } from './place.ts'
import { table } from './table.ts'

export interface DataOptions { data?: string; config?: string; to?: string; json?: boolean }

/** Stands in the data folder once a move has begun, so that nobody starts the old database by mistake. */
const NOTE = 'database-moved.json'
interface Note { to: string; state: 'moving' | 'moved' }

const shown = (url: string): string => url.replace(/:[^:@/]*@/, ':…@')

export async function data(verb: string, options: DataOptions): Promise<void> {
  if (verb !== 'move') throw invalid(`Unknown command '${verb}': move --to URL.`)
  if (!options.to || !/^(sqlite|postgres|postgresql|mysql|mariadb):/.test(options.to)) throw invalid('Say where to: --to postgres://user:secret@host/db, mysql://… or sqlite:/path')
  const place = placeOf(options.data)
  const pid = await runningPid(place)
  if (pid) throw invalid(`The cloud runs (process ${pid}); what it changed meanwhile would be lost. Stop it first: ./ondol down`)
  const config = (await loadConfig(configSchema(houses), { ...(options.config ? { file: resolve(options.config) } : {}), host: hostname(), env: process.env })) as unknown as CloudConfig
  const from = config.database.url || `sqlite:${join(place.dir, 'ondol.db')}`
  if (from === options.to) throw invalid('The database is there already.')
  const here = world({})
  const all = [{ house: 'base', migrations: flowMigrations }, ...houses.map((house) => house.plate.migrations)]
  const source = await openDatabase({ url: from, durability: config.database.durability })
  try {
    const target = await openDatabase({ url: options.to, durability: config.database.durability })
    try {
      await note(place, { to: shown(options.to), state: 'moving' })
      const stop = new AbortController()
      const onSignal = (): void => stop.abort()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, onSignal)
      let told = performance.now()
      const moved = await moveDatabase(source, target, all, {
        now: () => here.clock.now(),
        signal: stop.signal,
        report: ({ table: name, rows }) => {
          if (options.json || performance.now() - told < 2000) return
          told = performance.now()
          process.stdout.write(`${name}: ${rows} rows\n`)
        },
      })
      if (stop.signal.aborted) {
        process.exitCode = 1
        process.stdout.write('Stopped. The same command goes on from here; do not start the cloud in between.\n')
        return
      }
      await note(place, { to: shown(options.to), state: 'moved' })
      if (options.json) process.stdout.write(`${JSON.stringify(moved, null, 1)}\n`)
      else process.stdout.write(`${table(['TABLE', 'ROWS'], moved.filter((one) => one.rows > 0).map((one) => [one.table, one.rows]))}Moved ${moved.reduce((sum, one) => sum + one.rows, 0)} rows of ${moved.length} tables. Now name the database in ondol.yaml, and start the cloud:\n  database: {url: '${shown(options.to)}'}\n`)
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

async function note(place: Place, value: Note): Promise<void> {
  await writeFile(join(place.dir, NOTE), `${JSON.stringify(value)}\n`, { mode: 0o600 })
}

/** Refuses to start on a database that has been moved away, or is half-way. */
export async function assertNotMoved(place: Place, url: string): Promise<void> {
  const text = await readFile(join(place.dir, NOTE), 'utf8').catch(() => undefined)
  if (text === undefined) return
  const { to, state } = JSON.parse(text) as Note
  const file = join(place.dir, NOTE)
  if (state === 'moving') throw invalid(`The database is on its way to ${to}: end the move with ./ondol data move --to …, or give it up by removing ${file}.`)
  if (url === '') throw invalid(`The database was moved to ${to}: name it as database.url in ondol.yaml and start with --config. To go on with the old one, remove ${file}.`, { field: 'database.url' })
}
