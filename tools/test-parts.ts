/** The parts of the test suite, in the order in which they run. */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { run as runTests } from 'node:test'
import { spec } from 'node:test/reporters'
import { join, relative, resolve } from 'node:path'
import { buildConsole } from '#cloud/console-build.ts'
import { DRIVER_PACKAGES, type HostPackage } from '#cloud/drivers.ts'
import { HOST_PACKAGES } from '#cloud/guest-image/recipe.ts'

export interface Counts {
  passed: number
  failed: number
  skipped: number
  failures?: Failure[]
}

/** What failed, told once more at the end of a run. */
export interface Failure {
  /** Path of the test file from the root; the name of the part where that is not known. */
  file: string
  test: string
  /** First lines of the error. */
  reason: string
}

export function add(one: Counts, other: Counts): Counts {
  return { passed: one.passed + other.passed, failed: one.failed + other.failed, skipped: one.skipped + other.skipped, failures: [...(one.failures ?? []), ...(other.failures ?? [])] }
}

export interface TestPart {
  name: string
  what: string
  /** Runs only when asked for. */
  onlyByName?: boolean
  /**
   * Lives off processes, packets and hypervisors of a machine that others may load, or explores what nobody has tried: the files that fail are tried once
   * more, and that is said. A seed of the simulation that failed is told so, and belongs into its list of old ones, which fail each time until it is mended.
   */
  tryTwice?: boolean
  /** Debian packages that are installed before it runs. */
  packages?: readonly HostPackage[]
  /** `only`: of its files, those that are tried once more. */
  run(only?: ReadonlySet<string>): Promise<Counts>
}

const root = resolve(import.meta.dirname, '..')

/** Debian packages that the tests of the real drivers need beside the drivers' own. */
const REAL_PACKAGES: readonly HostPackage[] = [
  ...DRIVER_PACKAGES,
  ...HOST_PACKAGES,
  { package: 'busybox', tools: ['busybox'], why: 'stands for small guests in the packet tests' },
  { package: 'isc-dhcp-client', tools: ['dhclient'], why: 'asks for DHCPv6 addresses in the packet tests' },
  { package: 'iputils-ping', tools: ['ping'], why: 'pings guests' },
]
const ENGINE_PACKAGES: readonly HostPackage[] = [
  { package: 'postgresql', tools: ['pg_ctlcluster'], why: 'runs the same tests on PostgreSQL' },
  { package: 'mariadb-server', tools: ['mariadbd'], why: 'runs the same tests on MariaDB' },
  { package: 'keystone', tools: ['keystone-manage'], why: 'is moved in from, and reads our tokens' },
  { package: 'xmlsec1', tools: ['xmlsec1'], why: 'signs the assertions of that Keystone' },
  { package: 'glance-api', tools: ['glance-api'], why: 'is a real service that believes our tokens' },
  { package: 'slapd', tools: ['slapd'], why: 'is a directory of people' },
  { package: 'ldap-utils', tools: ['ldapmodify'], why: 'changes it' },
  { package: 'rabbitmq-server', tools: ['rabbitmq-server'], why: 'runs the bus between processes' },
]
const CLIENT_PACKAGES: readonly HostPackage[] = [
  { package: 'python3-openstackclient', tools: ['openstack'], why: 'the unmodified command that users have' },
  { package: 'python3-lxml', tools: ['../lib/python3/dist-packages/lxml'], why: 'reads XML for the logins by SAML of that command' },
  { package: 'openssl', tools: ['openssl'], why: 'makes certificates of clients' },
  { package: 'openssh-client', tools: ['ssh'], why: 'logs in to guests' },
  { package: 'python3-swiftclient', tools: ['swift'], why: 'the command of object storage' },
  { package: 'rclone', tools: ['rclone'], why: 'copies folders to object storage' },
  { package: 'awscli', tools: ['aws'], why: 'the unmodified command of users of S3' },
  { package: 'python3-boto3', tools: ['../lib/python3/dist-packages/boto3'], why: 'the library of users of S3' },
  { package: 's3cmd', tools: ['s3cmd'], why: 'a command of S3 that knows no path before the bucket' },
  { package: 'restic', tools: ['restic'], why: 'keeps backups in S3' },
  { package: 'curl', tools: ['curl'], why: 'opens console pages' },
  { package: 'netcat-openbsd', tools: ['nc'], why: 'knocks at closed ports' },
]
const CEPH_PACKAGES: readonly HostPackage[] = [
  { package: 'ceph-mon', tools: ['ceph-mon'], why: 'keeps the map of the cluster' },
  { package: 'ceph-osd', tools: ['ceph-osd'], why: 'keeps the bytes' },
  { package: 'ceph-common', tools: ['ceph'], why: 'sets the cluster up' },
  { package: 'radosgw', tools: ['radosgw'], why: 'is the S3 door of Ceph' },
]
const SWIFT_PACKAGES: readonly HostPackage[] = [
  { package: 'swift-proxy', tools: ['swift-proxy-server'], why: 'is the door of OpenStack\'s own Swift' },
  { package: 'swift-account', tools: ['swift-account-server'], why: 'keeps its accounts' },
  { package: 'swift-container', tools: ['swift-container-server'], why: 'keeps its containers' },
  { package: 'swift-object', tools: ['swift-object-server'], why: 'keeps its objects' },
]
const PROGRAM_PACKAGES: readonly HostPackage[] = [
  { package: 'duplicity', tools: ['duplicity'], why: 'keeps backups in both doors of the object store' },
  { package: 'docker-registry', tools: ['docker-registry'], why: 'keeps images of containers there' },
  { package: 's3fs', tools: ['s3fs'], why: 'mounts a bucket' },
  { package: 'glance-api', tools: ['glance-api'], why: 'keeps its images there' },
]
const BROWSER_PACKAGES: readonly HostPackage[] = [
  { package: 'chromium', tools: ['chromium'], why: 'shows the dashboard' },
]
const TEMPEST_PACKAGES: readonly HostPackage[] = [{ package: 'tempest', tools: ['tempest'], why: "OpenStack's own judge" }]

/** What Tempest itself marks as smoke, and all of the services that are here. */
const TEMPEST = [String.raw`^tempest\.api\.(identity|image|network|compute|volume|object_storage)\.`, String.raw`^tempest\..*[\[,]smoke`]

/** Of the plugins, what judges an API; they are run by name: `./ondol test tempest-plugins`. */
const PLUGINS = ['neutron_tempest_plugin.api', 'cinder_tempest_plugin']
const PERSONAS = 'keystone_tempest_plugin.tests.rbac'
const pluginPackage = (name: string): HostPackage => ({
  package: name.replaceAll('_', '-'),
  // It brings no command; its folder tells that it is there.
  tools: [`../lib/python3/dist-packages/${name}`],
  why: 'a plugin of Tempest',
})
const PLUGIN_PACKAGES: readonly HostPackage[] = PLUGINS.map((name) => pluginPackage(name.split('.')[0]!))

export const parts: readonly TestPart[] = [
  { name: 'types', what: 'the TypeScript compiler over the whole tree', run: () => command(process.execPath, ['node_modules/typescript/bin/tsc', '--noEmit']) },
  { name: 'lint', what: 'oxlint over the whole tree', run: () => command('node_modules/.bin/oxlint', ['--quiet']) },
  { name: 'unit', what: 'unit tests, flows broken at every step, and wire scenarios against the whole cloud with fake drivers', run: (only) => nodeTests((file) => !/\.(real|engine|client|browser|machines|sim|ceph|swift|programs)\.test\.ts$/.test(file), { only }) },
  { name: 'simulate', tryTwice: true, what: 'a minute of random operations, deaths and bad weather under a virtual clock, and the seeds that once failed', run: (only) => nodeTests((file) => file.endsWith('.sim.test.ts'), { only }) },
  { name: 'browser', tryTwice: true, what: 'the dashboard in Chromium', packages: BROWSER_PACKAGES, run: browser },
  { name: 'engines', tryTwice: true, what: 'the same on PostgreSQL, MariaDB and RabbitMQ', packages: ENGINE_PACKAGES, run: engines },
  { name: 'engines-flows', onlyByName: true, what: 'flows broken at every step, on PostgreSQL and MariaDB', packages: ENGINE_PACKAGES, run: async () => (await import('./test-engines.ts')).testEngines((await import('./test-engines.ts')).breaksFlows) },
  { name: 'real', tryTwice: true, what: 'the real drivers: packets, disks and guests', packages: REAL_PACKAGES, run: (only) => nodeTests((file) => file.endsWith('.real.test.ts'), { only, concurrency: 1 }) },
  { name: 'machines', tryTwice: true, what: 'a cloud of three machines in network namespaces: real guests on their way, dead agents, a dead broker', packages: [...REAL_PACKAGES, ...CLIENT_PACKAGES, ...ENGINE_PACKAGES], run: (only) => nodeTests((file) => file.endsWith('.machines.test.ts'), { only, concurrency: 1 }) },
  { name: 'client', tryTwice: true, what: 'a new user with the openstack command on real machines', packages: [...REAL_PACKAGES, ...CLIENT_PACKAGES, ...BROWSER_PACKAGES], run: client },
  { name: 'ceph', onlyByName: true, what: 'the object store on a real Ceph: one monitor, one OSD in memory, one radosgw', packages: CEPH_PACKAGES, run: (only) => nodeTests((file) => file.endsWith('.ceph.test.ts'), { only, concurrency: 1 }) },
  { name: 'swift', onlyByName: true, what: "OpenStack's own Swift with our Keystone in front", packages: [...SWIFT_PACKAGES, ...CLIENT_PACKAGES], run: (only) => nodeTests((file) => file.endsWith('.swift.test.ts'), { only, concurrency: 1 }) },
  { name: 'programs', onlyByName: true, what: 'programs that keep their things in the object store: duplicity, docker-registry, s3fs, Glance', packages: [...CLIENT_PACKAGES, ...PROGRAM_PACKAGES], run: (only) => nodeTests((file) => file.endsWith('.programs.test.ts'), { only, concurrency: 1 }) },
  { name: 'tempest', tryTwice: true, what: "OpenStack's Tempest, judged by a list of expected failures", packages: TEMPEST_PACKAGES, run: async () => (await import('../conformance/tempest/run.ts')).runTempest(TEMPEST) },
  { name: 'tempest-plugins', onlyByName: true, what: "Tempest's plugins for Neutron's API and for Cinder", packages: [...TEMPEST_PACKAGES, ...PLUGIN_PACKAGES], run: async () => (await import('../conformance/tempest/run.ts')).runTempest(['.'], { packages: PLUGINS }) },
  { name: 'tempest-personas', onlyByName: true, what: "Tempest's plugin for Keystone: its API, and who may do what as reader, member and admin of system, domains and projects", packages: [...TEMPEST_PACKAGES, pluginPackage('keystone_tempest_plugin')], run: async () => personas() },
]

/** The plugin's own API tests want an admin of a project, its personas an admin of the system. */
async function personas(): Promise<Counts> {
  const { runTempest } = await import('../conformance/tempest/run.ts')
  const api = await runTempest(['.'], { packages: ['keystone_tempest_plugin.tests.api', 'keystone_tempest_plugin.tests.scenario'] })
  return add(api, await runTempest(['.'], { packages: [PERSONAS], personas: true }))
}

/** The engines' own tests, then the houses' tests on each engine. */
async function engines(only?: ReadonlySet<string>): Promise<Counts> {
  const own = await nodeTests((file) => file.endsWith('.engine.test.ts'), { only })
  const { breaksFlows, testEngines, touchesDatabase } = await import('./test-engines.ts')
  return add(own, await testEngines((file) => touchesDatabase(file) && !breaksFlows(file), only))
}

/** The dashboard is built when its sources have changed; then its types, which need its packages. */
async function browser(only?: ReadonlySet<string>): Promise<Counts> {
  await buildConsole({ env: process.env })
  const types = await command(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'console'])
  return add(types, await nodeTests((file) => file.endsWith('.browser.test.ts'), { only, concurrency: 1 }))
}

/** The cloud of these tests lives where no registry of packages is reached: its dashboard is built before. */
async function client(only?: ReadonlySet<string>): Promise<Counts> {
  await buildConsole({ env: process.env })
  return nodeTests((file) => file.endsWith('.client.test.ts'), { only, concurrency: 1 })
}

/** Runs the tests whose path the filter takes, one process a file. */
export async function nodeTests(filter: (file: string) => boolean, { only, concurrency = 2 }: { only?: ReadonlySet<string> | undefined; concurrency?: number } = {}): Promise<Counts> {
  const files = globSync('{base,stack,host,services,cloud,tools,conformance,console}/**/*.test.ts', { cwd: root, exclude: (name) => String(name).includes('node_modules') }).filter((file) => filter(file) && (only === undefined || only.has(file))).sort()
  const failures: Failure[] = []
  const counts: Counts = { passed: 0, failed: 0, skipped: 0, failures }
  if (files.length === 0) return counts
  const stream = runTests({ files: files.map((file) => join(root, file)), concurrency, timeout: 900_000 })
  // Files count as tests of their own around what they hold; only what they hold is counted.
  const isFile = (name: string): boolean => name.endsWith('.test.ts')
  stream.on('test:pass', (event) => {
    if (isFile(event.name) || event.details.type === 'suite') return
    if (event.skip !== undefined) counts.skipped++
    else counts.passed++
  })
  stream.on('test:fail', (event) => {
    if (event.details.type === 'suite') return
    counts.failed++
    const { error } = event.details
    const cause = error.cause instanceof Error ? error.cause.message : String(error.cause ?? error.message)
    failures.push({ file: relative(root, event.file ?? event.name), test: event.name, reason: cause.split('\n').filter((line) => line.trim() !== '').slice(0, 12).join('\n') })
  })
  await new Promise<void>((done) => {
    const shown = stream.compose(new spec())
    shown.on('data', (chunk: Buffer) => process.stdout.write(chunk))
    shown.on('end', done)
  })
  return counts
}

/** One command that passes or fails as a whole. */
export function command(tool: string, args: readonly string[], env: Record<string, string> = {}): Promise<Counts> {
  return new Promise((done) => {
    const child = spawn(tool, [...args], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } })
    const end = (code: number | null): void => done(code === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 })
    child.on('error', () => end(1))
    child.on('close', end)
  })
}
