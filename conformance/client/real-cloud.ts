/**
 * A cloud with real drivers for tests, in a network namespace of its own, and the unmodified `openstack` command beside it. Everything it makes
 * lives in namespaces with its prefix, in its folder, or below its processes, and is removed by `remove`.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const exec = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')

export interface CommandResult {
  code: number
  out: string
  err: string
}

export interface RealCloud {
  dir: string
  netns: string
  url: string
  /** Runs `openstack …` as the ordinary user, or the administrator, with `-f json` parsed. */
  openstack(args: readonly string[], options?: { admin?: boolean; timeout?: number }): Promise<unknown>
  /** The same as text; throws when it fails unless `fails`. */
  openstackText(args: readonly string[], options?: { admin?: boolean; fails?: boolean; timeout?: number }): Promise<string>
  /** Any command in the host's namespace. */
  inHost(tool: string, args: readonly string[], options?: { timeout?: number }): Promise<CommandResult>
  ondol(args: readonly string[], timeout?: number): Promise<CommandResult>
  pid(): Promise<number>
  /** What a power cut leaves: no process, no network, only the disk. */
  cutPower(): Promise<void>
  /** Starts the cloud again on the same data. */
  up(): Promise<CommandResult>
  remove(): Promise<void>
}

export async function realCloud(options: { port?: number; config?: Record<string, string> } = {}): Promise<RealCloud> {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-real-'))
  const netns = `ondol-t${process.pid}`
  const port = options.port ?? 5000
  const cache = process.env.ONDOL_GUEST_CACHE ?? '/var/cache/ondol/guest-image'
  const env: Record<string, string> = { ...(process.env as Record<string, string>), ONDOL_NEUTRON__NETWORK_PREFIX: `t${process.pid % 1_000_000}`, ONDOL_GUEST_CACHE: cache, ...options.config }
  const tool = async (name: string, args: readonly string[], timeout = 120_000, more: Record<string, string> = {}): Promise<CommandResult> => {
    try {
      const { stdout, stderr } = await exec(name, [...args], { timeout, env: { ...env, ...more }, maxBuffer: 64 * 2 ** 20, cwd: root })
      return { code: 0, out: stdout, err: stderr }
    } catch (thrown) {
      const failed = thrown as { code?: number | string; stdout?: string; stderr?: string; message: string }
      return { code: typeof failed.code === 'number' ? failed.code : 1, out: failed.stdout ?? '', err: failed.stderr || failed.message }
    }
  }
  // nsenter and not `ip netns exec`: that one mounts anew, and namespaces made inside would be unknown to the next call.
  const inHost: RealCloud['inHost'] = (name, args, { timeout } = {}) => tool('nsenter', [`--net=/run/netns/${netns}`, name, ...args], timeout)
  const ondol: RealCloud['ondol'] = (args, timeout = 900_000) => tool('nsenter', [`--net=/run/netns/${netns}`, './ondol', ...args, '--data', dir], timeout)
  const text: RealCloud['openstackText'] = async (args, { admin, fails, timeout } = {}) => {
    const result = await tool('nsenter', [`--net=/run/netns/${netns}`, '/usr/bin/openstack', ...args], timeout ?? 240_000, { OS_CLIENT_CONFIG_FILE: join(dir, 'clouds.yaml'), OS_CLOUD: admin ? 'ondol-admin' : 'ondol', PATH: '/usr/bin:/bin:/usr/sbin:/sbin' })
    if (fails ? result.code === 0 : result.code !== 0) throw new Error(`openstack ${args.join(' ')} ended with ${result.code}: ${result.err.slice(0, 2000)}`)
    return fails ? result.err : result.out
  }
  const cloud: RealCloud = {
    dir,
    netns,
    url: `http://127.0.0.1:${port}`,
    openstackText: text,
    openstack: async (args, more) => JSON.parse(await text([...args, '-f', 'json'], more)) as unknown,
    inHost,
    ondol,
    pid: async () => Number(await readFile(join(dir, 'ondol.pid'), 'utf8')),
    up: () => ondol(['up', '--detach', '--drivers', 'real', '--port', String(port)]),
    async cutPower() {
      process.kill(await cloud.pid(), 'SIGKILL')
      await endProcesses(dir)
      await endNetworks()
      const { out } = await inHost('ip', ['-j', 'link'])
      for (const { ifname } of JSON.parse(out) as { ifname: string }[]) if (ifname !== 'lo') await inHost('ip', ['link', 'delete', ifname])
      await inHost('nft', ['flush', 'ruleset'])
    },
    async remove() {
      await ondol(['down'], 60_000)
      await endProcesses(dir)
      await endNetworks(netns)
      await rm(dir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
  /** The namespaces of the cloud's networks, and the one given, with what runs in them. */
  const endNetworks = async (also?: string): Promise<void> => {
    const { out } = await tool('ip', ['-j', 'netns', 'list'])
    const prefix = env.ONDOL_NEUTRON__NETWORK_PREFIX!
    for (const { name } of JSON.parse(out || '[]') as { name: string }[]) {
      if (!name.startsWith(prefix) && name !== also) continue
      const { out: pids } = await tool('ip', ['netns', 'pids', name])
      for (const pid of pids.split('\n').filter(Boolean)) await tool('kill', ['-9', pid])
      await tool('ip', ['netns', 'delete', name])
    }
  }
  await tool('ip', ['netns', 'add', netns])
  await tool('ip', ['-n', netns, 'link', 'set', 'lo', 'up'])
  const up = await cloud.up()
  if (up.code !== 0) {
    const log = await readFile(join(dir, 'log', 'up.out'), 'utf8').catch(() => '')
    await cloud.remove()
    throw new Error(`ondol up failed: ${up.err}\n${log}`)
  }
  return cloud
}

/** Ends the daemons whose command line names this test's folder: guests, storage daemons. */
async function endProcesses(dir: string): Promise<void> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')
    if (command.includes(dir)) {
      try {
        process.kill(Number(name), 'SIGKILL')
      } catch {
        // It ended by itself meanwhile.
      }
    }
  }
}
