/**
 * Runs part of Tempest (Debian's package) against a cloud that it starts itself, and judges the result by a list of expected failures
 * that may only shrink: a failure that is not on the list is one, and so is a listed test that passes. An answer of 500 is a failure too.
 *
 *     node conformance/tempest/run.ts 'tempest\.api\.identity' ['smoke' …]   --packages a.b,c   --keep DIR   --workers N   --personas
 */
import { spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { createLog } from '#base/log.ts'
import { freePorts } from '#base/test/daemon.ts'
import { world } from '#base/world.ts'
import { startCloud } from '#cloud/start-cloud.ts'
import { selfSigned } from '#keystone/test/certificate.ts'
import type { Counts } from '../../tools/test-parts.ts'
import { judge, readExpected, type TempestResult } from './judge.ts'
import { makeWorkspace } from './workspace.ts'

export interface TempestOptions {
  /** Default 3: the cloud itself is a fourth process. */
  workers?: number
  /** A folder for the configuration, Tempest's log and all results, kept. */
  keep?: string
  /** Python packages in which to look for tests. */
  packages?: readonly string[]
  /** Lets Keystone's personas run: with the stricter rules that they were written for, and users made by an admin of the system. */
  personas?: boolean
}

/** What the log says of every answer of 500. */
const BROKEN = 'Failed to answer a request'
/** The slowest class takes a third of this. */
const SILENCE_MS = 180_000
const PACKAGES = ['tempest.api', 'tempest.scenario']

export async function runTempest(patterns: readonly string[], options: TempestOptions = {}): Promise<Counts> {
  const dir = options.keep ?? (await mkdtemp(join(tmpdir(), 'ondol-tempest-')))
  const images = await serveImage()
  const troubles: string[] = []
  const log = createLog({ level: 'warn', sinks: [{ form: 'person', sink: { write: (line) => void troubles.push(line) } }] })
  const personas = options.personas === true
  const [port = 0] = await freePorts(1)
  const cloud = await startCloud({ port, config: { ...testedCloud(new URL(images.url).host, port), 'keystone.federation.saml': await ownProvider(dir), ...(personas ? { 'policy.dir': await stricterPolicy(dir) } : {}) }, world: world({ log }) })
  try {
    await makeWorkspace(dir, cloud, { httpImage: images.url, log: options.keep !== undefined, enforceScope: personas })
    const began = performance.now()
    const results = await runWorkers(dir, options.workers ?? 3, options.packages ?? PACKAGES, patterns)
    await writeFile(join(dir, 'results.json'), JSON.stringify(results, null, 1))
    const { counts, lines } = judge(results, await readExpected())
    await writeFile(join(dir, 'cloud.log'), troubles.join(''))
    for (const line of lines) process.stdout.write(`${line}\n`)
    const broken = troubles.filter((line) => line.includes(BROKEN))
    if (broken.length > 0) {
      process.stdout.write(`✖ the cloud answered ${broken.length} requests with an error of its own:\n${broken.slice(0, 5).join('')}`)
      counts.failed += 1
    }
    process.stdout.write(`Tempest took ${Math.round((performance.now() - began) / 1000)} s\n`)
    return counts
  } finally {
    await cloud.close()
    images.close()
    if (!options.keep) await rm(dir, { recursive: true, force: true })
  }
}

/** What Tempest wants of a cloud beyond the defaults: thousands of users log in, images come from this machine, and there are stores and hosts to choose from. */
function testedCloud(imageHost: string, port: number): Record<string, unknown> {
  return {
    'keystone.password_hashing.memory_kib': 64,
    'keystone.password_hashing.passes': 1,
    'glance.web_download_allow_private': [imageHost],
    'keystone.security_compliance.lockout_failure_attempts': 3,
    'keystone.security_compliance.lockout_duration': 1,
    'keystone.security_compliance.unique_last_password_count': 2,
    // A plugin takes this range for granted.
    'neutron.vni_range.min': 1,
    'neutron.vni_range.max': 2000,
    'nova.agent.hosts': 2,
    // A second snapshot is refused while the first is taken, which on a real disk takes longer than a request.
    'nova.agent.fake.slow': { snapshot: 300 },
    'glance.stores': [{ id: 'file' }, { id: 'second' }],
    // Containers are synchronized with others of the same cloud, which stands in its own realm.
    'swift.container_sync.realms': [{ name: 'realm1', key: 'key of the realm', clusters: [{ name: 'name1', url: `http://127.0.0.1:${port}/v1` }] }],
    'swift.container_sync.current': '//realm1/name1',
    'swift.container_sync.interval_seconds': 1,
  }
}

/** The cloud as a provider of identities for itself: a user of it leaves by Keystone-to-Keystone and comes back in. */
async function ownProvider(dir: string): Promise<Record<string, unknown>> {
  const { key, certificate } = selfSigned('tempest')
  const [key_file, certificate_file] = [join(dir, 'saml.key'), join(dir, 'saml.crt')]
  await mkdir(dir, { recursive: true })
  await writeFile(key_file, key, { mode: 0o600 })
  await writeFile(certificate_file, certificate)
  const entity_id = 'https://tempest.example/idp'
  return { idp_entity_id: entity_id, key_file, certificate_file, providers: { keystone: { entity_id, certificate_files: [certificate_file], keystone: true, protocol: 'mapped' } } }
}

/** A folder of rules for a cloud whose personas are those of Keystone's plugin. */
async function stricterPolicy(dir: string): Promise<string> {
  const folder = join(dir, 'policy')
  await mkdir(join(folder, 'keystone'), { recursive: true })
  await cp(join(import.meta.dirname, 'personas-policy.yaml'), join(folder, 'keystone', 'policy.yaml'))
  return folder
}

/** A small image on the web. */
async function serveImage(): Promise<{ url: string; close(): void }> {
  const server = createServer((_request, answer) => answer.end(Buffer.alloc(4096, 'image')))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/image.raw`, close: () => server.close() }
}

async function runWorkers(dir: string, workers: number, packages: readonly string[], patterns: readonly string[]): Promise<TempestResult[]> {
  const child = spawn('/usr/bin/python3', [join(import.meta.dirname, 'worker.py'), String(workers), packages.join(','), ...patterns], {
    cwd: dir,
    env: { TEMPEST_CONFIG_DIR: join(dir, 'etc'), TEMPEST_CONFIG: 'tempest.conf', PYTHONWARNINGS: 'ignore', PYTHONDONTWRITEBYTECODE: '1', PATH: '/usr/bin:/bin', OS_TEST_TIMEOUT: '300' },
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    // A group of its own, so that it can be ended with its workers.
    detached: true,
  })
  const ended = once(child, 'close')
  let silence: NodeJS.Timeout | undefined
  let silent = false
  const heard = (): void => {
    clearTimeout(silence)
    silence = setTimeout(() => {
      silent = true
      process.kill(-child.pid!, 'SIGKILL')
    }, SILENCE_MS)
  }
  heard()
  const results: TempestResult[] = []
  const classes: { class: string; seconds: number }[] = []
  for await (const line of createInterface({ input: child.stdio[3] as Readable })) {
    heard()
    const said = JSON.parse(line) as TempestResult | { class: string; seconds: number }
    if ('class' in said) classes.push(said)
    else results.push(said)
  }
  await writeFile(join(dir, 'classes.txt'), classes.sort((a, b) => b.seconds - a.seconds).map((one) => `${one.seconds}\t${one.class}\n`).join(''))
  const [code] = await ended
  clearTimeout(silence)
  if (silent) throw new Error(`The workers of Tempest said nothing for ${SILENCE_MS / 1000} s`)
  if (code !== 0) throw new Error(`The workers of Tempest ended with ${code}`)
  if (results.length === 0) throw new Error(`No Tempest test matches ${patterns.join(' ')}`)
  return results
}

if (import.meta.main) {
  const args = process.argv.slice(2)
  const value = (name: string): string | undefined => {
    const at = args.indexOf(name)
    return at < 0 ? undefined : args.splice(at, 2)[1]
  }
  const keep = value('--keep')
  const personas = args.includes('--personas') && args.splice(args.indexOf('--personas'), 1).length > 0
  const workers = value('--workers')
  const packages = value('--packages')
  const counts = await runTempest(args, { personas, ...(keep ? { keep } : {}), ...(workers ? { workers: Number(workers) } : {}), ...(packages ? { packages: packages.split(',') } : {}) })
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`)
  process.exitCode = counts.failed > 0 ? 1 : 0
}
