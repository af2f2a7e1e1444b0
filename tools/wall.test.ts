/**
 * The wall of ARCHITECTURE.md as a test over every import of the tree: which room may enter which, where SQL is spoken, and where time,
 * chance and the outside world are touched (laws 4 and 8). When it fails: move the code, not the wall. `ALLOWED` holds what
 * was there when the wall was drawn; it may only shrink.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'

const root = resolve(import.meta.dirname, '..')

interface Source {
  /** From the root: `services/nova/api/servers.ts`. */
  path: string
  text: string
  imports: Import[]
}

interface Import {
  /** A path from the root for our own files, else the name of a package: `kysely`, `node:net`. */
  to: string
  /** Types only: gone when the code runs. */
  type: boolean
}

/** What a room of a house may enter besides itself: rooms of the same house, and floors below. `top` are the files beside the rooms. */
const ROOMS: Readonly<Record<string, { rooms: readonly string[]; floors: readonly string[] }>> = {
  contract: { rooms: ['core'], floors: ['base', 'stack'] },
  core: { rooms: ['contract'], floors: ['base', 'stack'] },
  store: { rooms: ['core', 'contract'], floors: ['base', 'stack'] },
  flows: { rooms: ['store', 'core', 'contract', 'top'], floors: ['base', 'stack'] },
  api: { rooms: ['flows', 'store', 'core', 'contract', 'top'], floors: ['base', 'stack'] },
  agent: { rooms: ['drivers', 'core', 'contract', 'top'], floors: ['base', 'stack'] },
  drivers: { rooms: ['core', 'contract'], floors: ['base', 'host'] },
  top: { rooms: ['api', 'flows', 'store', 'core', 'contract'], floors: ['base', 'stack'] },
  processes: { rooms: ['api', 'flows', 'store', 'agent', 'drivers', 'core', 'contract', 'top'], floors: ['base', 'stack', 'host'] },
  test: { rooms: ['api', 'flows', 'store', 'agent', 'drivers', 'core', 'contract', 'processes', 'top'], floors: ['base', 'stack', 'host', 'tools', 'cloud'] },
}

/** The floors, each with what lies below it. */
const FLOORS: Readonly<Record<string, readonly string[]>> = { base: [], host: ['base'], stack: ['base'] }

/** `file → file`, of code that stood across the wall when it was drawn. */
const ALLOWED: ReadonlySet<string> = new Set(['services/nova/agent/host-identity.ts → host/durable-file.ts'])

const sources = globSync('{base,stack,host,services,cloud,tools,conformance,console}/**/*.{ts,tsx}', { cwd: root, exclude: (name) => String(name).includes('node_modules') }).map(read)

test('there is something to judge', () => {
  assert.ok(sources.length > 100)
  assert.ok(sources.some((source) => source.imports.length > 5))
})

test('every import goes through a door', () => {
  const across = sources.flatMap((source) =>
    source.imports.flatMap((one) => {
      const line = `${source.path} → ${one.to}`
      const why = ALLOWED.has(line) ? undefined : trespass(source.path, one)
      return why ? [`${line}: ${why}`] : []
    }),
  )
  assert.deepEqual(across, [])
})

test('what is allowed across the wall is still there', () => {
  const lines = new Set(sources.flatMap((source) => source.imports.map((one) => `${source.path} → ${one.to}`)))
  assert.deepEqual([...ALLOWED].filter((line) => !lines.has(line)), [], 'take these out of ALLOWED')
})

test('the database speaks in store/ only', () => {
  // The list engine writes the one query of every derived list; the simulation judges rows as an auditor does.
  const may = (path: string): boolean => /^(base\/(sql|flow)\/|services\/\w+\/store\/|stack\/resource\/listing\.ts$|cloud\/simulate\/|tools\/)/.test(path) || isTest(path)
  assert.deepEqual(sources.filter((source) => speaksSql(source) && !may(source.path)).map((source) => source.path), [])
})

test('time, chance and the outside world are given, not taken', () => {
  const world: readonly [RegExp, string][] = [
    [/\bDate\.now\(/, 'Date.now'],
    [/\bnew Date\(\)/, 'new Date()'],
    [/\bMath\.random\(/, 'Math.random'],
    [/\b(setTimeout|setInterval)\(/, 'a timer'],
    [/\bprocess\.env\b/, 'process.env'],
    [/\brandomUUID\(|\brandomBytes\(/, 'randomness of node:crypto'],
  ]
  const modules = new Set(['node:child_process', 'node:net', 'node:http', 'node:https', 'node:http2', 'node:tls', 'node:dgram', 'node:timers', 'node:timers/promises', 'node:cluster', 'node:worker_threads'])
  // The command line is where the outside world comes in.
  const may = (path: string): boolean => /^(base|host|tools|conformance|console|cloud\/cli)\//.test(path) || isTest(path)
  const taken = sources
    .filter((source) => !may(source.path))
    .flatMap((source) => [
      ...world.filter(([pattern]) => pattern.test(source.text)).map(([, what]) => `${source.path}: ${what}`),
      ...source.imports.filter((one) => !one.type && modules.has(one.to)).map((one) => `${source.path}: ${one.to}`),
    ])
  assert.deepEqual(taken, [])
})

test('a house has only the rooms that every house may have', () => {
  const rooms = new Set(sources.map((source) => roomOf(source.path)?.room).filter((room) => room !== undefined))
  assert.deepEqual([...rooms].filter((room) => !(room in ROOMS)), [])
})

function speaksSql(source: Source): boolean {
  return source.imports.some((one) => one.to === 'kysely' && !one.type) || /\.query\s*\.\s*(selectFrom|insertInto|updateTable|deleteFrom|with)\b/.test(source.text)
}

/** Why this import may not be, or undefined. */
function trespass(from: string, { to, type }: Import): string | undefined {
  const floor = from.split('/')[0]!
  const below = to.split('/')[0]!
  if (!isOurs(to)) return undefined
  if (floor === 'tools' || floor === 'conformance') return undefined
  const target = roomOf(to)
  // `stack/contract.ts` is the word that contracts are written in.
  if (floor === 'console') return below === 'console' || target?.room === 'contract' || to === 'stack/contract.ts' || isTest(from) ? undefined : 'the console sees contracts only'
  if (floor === 'cloud') {
    return target && !['processes', 'contract', 'top'].includes(target.room) && !isTest(from) ? `the cloud starts houses and does not enter their ${target.room}/` : undefined
  }
  const here = roomOf(from)
  if (!here) return below === floor || FLOORS[floor]!.includes(below) || isTest(from) ? undefined : `${floor}/ knows nothing of ${below}/`
  const { rooms, floors } = ROOMS[isTest(from) ? 'test' : here.room] ?? { rooms: [], floors: [] }
  if (!target) return floors.includes(below) ? undefined : `${here.room}/ may not use ${below}/`
  if (target.house !== here.house) return target.room === 'contract' || isTest(from) ? undefined : `another house is entered through its contract/ only`
  if (target.room === here.room || rooms.includes(target.room)) return undefined
  // Shapes may be known where nothing of them runs: a driver's on both sides, rows' in decisions, the house's own anywhere.
  if (type && (/\/drivers\/(interface|plan)\.ts$/.test(to) || (here.room === 'core' && to.endsWith('/store/tables.ts')) || /^services\/\w+\/(house|config)\.ts$/.test(to))) return undefined
  return `${here.room}/ may not enter ${target.room}/`
}

function isOurs(path: string): boolean {
  return /^(base|stack|host|services|cloud|tools|conformance|console)\//.test(path)
}

/** Tests, and what only tests use. */
function isTest(path: string): boolean {
  return /\.test\.tsx?$|\.maker\.ts$|\/test\/|\/drivers\/([\w-]+\/)?(conformance|bench)\.ts$/.test(path) || path === 'base/flow/kit.ts'
}

function roomOf(path: string): { house: string; room: string } | undefined {
  const [, house, rest] = /^services\/([\w-]+)\/(.+)$/.exec(path) ?? []
  if (house === undefined) return undefined
  const slash = rest!.indexOf('/')
  return { house, room: slash < 0 ? 'top' : rest!.slice(0, slash) }
}

function read(path: string): Source {
  const text = withoutComments(readFileSync(join(root, path), 'utf8'))
  const imports = [...text.matchAll(/\b(?:import|export)\s+(type\s)?([\w*{}\s,$]*?)\s*from\s*'([^']+)'|\bimport\s*\(?\s*'([^']+)'/g)].map((found): Import => {
    const names = (found[2] ?? '').trim()
    const eachIsType = /^\{[^}]*\}$/.test(names) && names.slice(1, -1).split(',').filter((name) => name.trim()).every((name) => name.trim().startsWith('type '))
    return { to: target(path, found[3] ?? found[4]!), type: found[1] !== undefined || eachIsType }
  })
  return { path, text, imports }
}

function target(from: string, specifier: string): string {
  if (specifier.startsWith('.')) return relative(root, resolve(root, dirname(from), specifier))
  const [, alias, rest] = /^#([\w-]+)\/(.+)$/.exec(specifier) ?? []
  if (alias === undefined) return specifier
  return /^(base|stack|host|cloud|tools)$/.test(alias) ? `${alias}/${rest}` : `services/${alias}/${rest}`
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1')
}
