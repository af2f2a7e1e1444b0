/** `ondol up`: the cloud in this process, or detached from the terminal. */
import { spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { hostname } from 'node:os'
import { chmod, mkdir, open, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { loadConfig } from '#base/config.ts'
import { invalid } from '#base/fault.ts'
import { fileSink } from '#base/file-sink.ts'
import { createLog, type Level, type Log } from '#base/log.ts'
import { realClock } from '#base/clock.ts'
import { run } from '#base/process/run.ts'
import { createTrace } from '#base/trace.ts'
import { type CloudConfig, configSchema } from '../config.ts'
import { houses } from '../houses.ts'
import { startConsoleBuild } from '../console-build.ts'
import type { ConsoleState } from '../console.ts'
import { controlSocket } from '../control-socket.ts'
import { writeCloudsYaml } from '../credentials.ts'
import { chooseDrivers, ensurePackages } from '../drivers.ts'
import { ensureGuestImage } from '../guest-image/ensure.ts'
import { HOST_PACKAGES } from '../guest-image/recipe.ts'
import { type Machine, startCompute } from '../start-compute.ts'
import { startCloud } from '../start-cloud.ts'
import { traceFile } from '../trace-file.ts'
import { ask, assertNobodyMoves, type Place, placeOf, runningPid } from './place.ts'
import { bold, paint } from './table.ts'

export interface UpOptions {
  data?: string
  port?: number
  drivers?: 'auto' | 'fake' | 'real'
  detach?: boolean
  config?: string
  role?: 'all' | 'control' | 'compute'
  host?: string
  install: boolean
}

export async function up(options: UpOptions): Promise<void> {
  const place = placeOf(options.data)
  const running = await runningPid(place)
  if (running) throw invalid(`A cloud already runs in ${place.dir} (process ${running}). Stop it with ./ondol down, or use another --data folder.`)
  await assertNobodyMoves(place)
  await mkdir(dirname(place.logFile), { recursive: true, mode: 0o700 })
  if (options.detach) return detach(place, options)
  await foreground(place, options)
}

async function foreground(place: Place, options: UpOptions): Promise<void> {
  const began = performance.now()
  const say = (text: string): void => void process.stdout.write(`${text}\n`)
  const host = options.host ?? hostname()
  const configFile = options.config ? { configFile: resolve(options.config) } : {}
  const flags = options.role ? { role: options.role } : {}
  const config = (await loadConfig(configSchema(houses), { file: configFile.configFile, host, env: process.env, flags })) as unknown as CloudConfig
  const drivers = await chooseDrivers(options.drivers ?? config.drivers, { install: options.install, say, host })
  const file = fileSink(place.logFile)
  const level = (process.env.ONDOL_LOG__LEVEL ?? 'info') as Level
  const log = createLog({ level, sinks: [{ form: 'json', sink: file }, ...(process.stdout.isTTY && process.env.ONDOL_LOG_SHOWN ? [{ form: 'person' as const, sink: process.stderr }] : [])] })
  const spans = traceFile(place.traceDir)
  const trace = createTrace(realClock, { sink: spans, host: drivers.host })
  await rm(place.socket, { force: true })

  let dashboard: () => ConsoleState = () => ({ kind: 'building' })
  const common = { dataDir: place.dir, drivers: drivers.kind, host, env: process.env, config: flags, ...configFile, world: { log, trace } }
  const compute = config.role === 'compute' ? await startCompute(common) : undefined
  const cloud = compute ? undefined : await startCloud({
    ...common,
    console: () => dashboard(),
    port: options.port ?? config.http.port,
    ...(drivers.kind === 'real' ? { guestImage: () => buildGuestImage(say, log, options.install) } : {}),
    ...(process.env.ONDOL_DEBUG ? { onPhase: (phase: string, ms: number) => say(`${ms.toFixed(0).padStart(6)} ms  ${phase}`) } : {}),
  })
  const pid = await open(place.pidFile, 'w', 0o600)
  await pid.write(String(process.pid))
  await pid.close()
  if (cloud) await writeCloudsYaml(place.cloudsYaml, cloud.credentials, cloud.url)
  let stopping: (() => void) | undefined
  const stop = new Promise<void>((done) => {
    stopping = done
  })
  const machine = compute ?? { url: cloud!.url, world: cloud!.world, agents: [] }
  const control = await controlSocket(place.socket, { cloud, machine, trace, traceDir: place.traceDir, drivers, startedAt: realClock.now(), startMs: performance.now() - began, stop: () => stopping!() })
  await chmod(place.socket, 0o600)

  welcome(place, machine.url, drivers.why, performance.now() - began, compute)
  const leaving = new AbortController()
  if (cloud) {
    const build = startConsoleBuild({ env: process.env, signal: leaving.signal })
    dashboard = build.state
    void build.done.then((end) => end.kind === 'failed' && !leaving.signal.aborted && log.module('console').warn('Failed to build the dashboard', { reason: end.why }))
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping!())
  await stop
  leaving.abort()
  say('Stopping; guests, networks and disks go on.')
  await control.close()
  await (compute ?? cloud!).close()
  spans.flush()
  file.flushSync()
  await rm(place.pidFile, { force: true })
  process.exit(0)
}

/** Built once on this machine and kept; the API does not wait for it. */
async function buildGuestImage(say: (text: string) => void, log: Log, install: boolean): Promise<string> {
  await ensurePackages(HOST_PACKAGES, 'Building the image ondol-guest needs', { install, say })
  const cacheDir = process.env.ONDOL_GUEST_CACHE ?? '/var/cache/ondol/guest-image'
  const path = await ensureGuestImage({ cacheDir, run, log, onProgress: ({ step, fraction }) => say(`ondol-guest: ${Math.round(fraction * 100)} % ${step}`) })
  say('ondol-guest: ready')
  return path
}

function welcome(place: Place, url: string, why: readonly string[], ms: number, compute?: Pick<Machine, 'host' | 'agents'>): void {
  const say = (text: string): void => void process.stdout.write(`${text}\n`)
  say('')
  if (compute) {
    say(`${paint('green', '●')} ${bold(`${compute.host} serves the cloud at ${url}`)}  (${Math.round(ms)} ms)`)
    for (const reason of why) say(`  ${reason}`)
    say(`  Agents       ${compute.agents.join(', ')}`)
    say(`  Log          ${place.logFile}`)
    say('')
    return
  }
  say(`${paint('green', '●')} ${bold('Ondol answers at')} ${bold(url)}  (${Math.round(ms)} ms)`)
  for (const reason of why) say(`  ${reason}`)
  say(`  Credentials  ${place.cloudsYaml}  (clouds: ondol, ondol-admin)`)
  say(`  Dashboard    ${url}/console`)
  say(`  Log          ${place.logFile}`)
  say('')
  say('  Next, in another terminal:')
  say(`    eval "$(./ondol env)"`)
  say('    openstack server create --image ondol-guest --flavor m1.nano --network private --wait first')
  say('')
}

async function detach(place: Place, options: UpOptions): Promise<void> {
  const out = openSync(`${place.dir}/log/up.out`, 'w', 0o600)
  const args = [...process.execArgv, process.argv[1]!, 'up', ...process.argv.slice(3).filter((arg) => arg !== '--detach')]
  const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', out, out], env: process.env })
  let ended: number | null | undefined
  child.on('exit', (code) => (ended = code))
  // The real drivers may have packages to install first.
  for (let waited = 0; waited < 900_000; waited += 25) {
    if (ended !== undefined) throw invalid(`The cloud did not start; see ${place.dir}/log/up.out`)
    if ((await runningPid(place)) === child.pid) {
      const status = (await ask(place, 'GET', '/status').catch(() => undefined)) as { url: string; why: string[]; start_ms: number; compute?: Pick<Machine, 'host' | 'agents'> } | undefined
      if (status) {
        child.unref()
        welcome(place, status.url, status.why, status.start_ms, status.compute)
        process.exit(0)
      }
    }
    await delay(25)
  }
  throw invalid(`The cloud did not answer in time; see ${place.logFile}`)
}
