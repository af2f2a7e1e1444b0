/**
 * Machines for tests: network namespaces joined by a wire, an `ondol` process in each with a data folder of its own, PostgreSQL and RabbitMQ beside the
 * control plane. All of it has the laboratory's prefix or lies in its folder, and is gone after `remove`.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { run } from '#base/process/run.ts'
import { world } from '#base/world.ts'
import { startRabbitmq, type Rabbitmq } from '#base/bus/test/rabbitmq.ts'
import { startPostgres } from '#base/sql/test/postgres.ts'
import type { SqlServer } from '#base/sql/test/server.ts'

import { ensureGuestImage } from '../guest-image/ensure.ts'

const exec = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')

export interface Result {
  code: number
  out: string
  err: string
}

export interface LabMachine {
  name: string
  netns: string
  /** On the wire. */
  ip: string
  dir: string
  /** Namespaces that its network driver makes begin with it. */
  prefix: string
  /** Any command in its namespace. */
  sh(tool: string, args: readonly string[], options?: { timeout?: number; env?: Record<string, string> }): Promise<Result>
  /** Starts `ondol up` and waits until it serves. */
  up(): Promise<void>
  down(): Promise<void>
  pid(): Promise<number>
  /** Ends processes of this machine by the name of their tool, as a power cut would. */
  kill(tool: string): Promise<void>
  /** Ids of the servers that have a place on its disk. */
  guests(): Promise<string[]>
}

export interface MachineLab {
  dir: string
  control: LabMachine
  computes: readonly LabMachine[]
  rabbit: Rabbitmq
  url: string
  /** `openstack …` from the control plane's machine, `-f json` parsed. */
  openstack(line: string, options?: { admin?: boolean }): Promise<unknown>
  openstackText(line: string, options?: { admin?: boolean; fails?: boolean }): Promise<string>
  remove(): Promise<void>
}

const TOOLS = ['ip', 'nsenter', 'setpriv', 'qemu-system-x86_64', 'qemu-img', 'nft', 'dnsmasq', 'conntrack', 'openstack', 'ssh', 'ping', 'rabbitmq-server']

/** Why it cannot work here, or false. */
export function cannotLab(): string | false {
  if (process.getuid?.() !== 0) return 'needs root'
  const missing = TOOLS.filter((tool) => !['/usr/sbin/', '/usr/bin/', '/sbin/', '/bin/', '/usr/lib/rabbitmq/bin/'].some((dir) => existsSync(dir + tool)))
  return missing.length > 0 ? `not installed: ${missing.join(', ')}` : false
}

async function command(tool: string, args: readonly string[], options: { timeout?: number; env?: Record<string, string> } = {}): Promise<Result> {
  try {
    const { stdout, stderr } = await exec(tool, [...args], { timeout: options.timeout ?? 120_000, env: { ...(process.env as Record<string, string>), ...options.env }, maxBuffer: 64 * 2 ** 20, cwd: root })
    return { code: 0, out: stdout, err: stderr }
  } catch (thrown) {
    const failed = thrown as { code?: number | string; stdout?: string; stderr?: string; message: string }
    return { code: typeof failed.code === 'number' ? failed.code : 1, out: failed.stdout ?? '', err: failed.stderr || failed.message }
  }
}

async function must(tool: string, args: readonly string[]): Promise<string> {
  const result = await command(tool, args)
  if (result.code !== 0) throw new Error(`${tool} ${args.join(' ')}: ${result.err}`)
  return result.out
}

/** `yaml` makes the one configuration of all machines from what is known only now. */
export async function machineLab(options: { computes: readonly string[]; yaml: (facts: { database: string; bus: string; control: LabMachine; computes: readonly LabMachine[]; passwordFile: string }) => string }): Promise<MachineLab> {
  const tag = `m${(process.pid % 46_656).toString(36)}`
  const dir = await mkdtemp(join(tmpdir(), 'ondol-lab-'))
  const cacheDir = process.env.ONDOL_GUEST_CACHE ?? '/var/cache/ondol/guest-image'
  const env = { ONDOL_GUEST_CACHE: cacheDir }
  // Here, because the machines reach no package mirror.
  await ensureGuestImage({ cacheDir, run, log: world().log })
  const netnses: string[] = []
  const children = new Map<string, ChildProcess>()
  let rabbit: Rabbitmq | undefined
  let postgres: SqlServer | undefined

  const namespace = async (name: string): Promise<string> => {
    const netns = `${tag}-${name}`
    await must('ip', ['netns', 'add', netns])
    netnses.push(netns)
    await must('ip', ['-n', netns, 'link', 'set', 'lo', 'up'])
    return netns
  }

  const machine = async (name: string, index: number, wire: string): Promise<LabMachine> => {
    const netns = await namespace(name)
    const ip = `10.98.0.${index}`
    await must('ip', ['-n', wire, 'link', 'add', `w${index}`, 'mtu', '1600', 'type', 'veth', 'peer', 'name', 'under', 'mtu', '1600', 'netns', netns])
    await must('ip', ['-n', wire, 'link', 'set', `w${index}`, 'master', 'wire', 'up'])
    await must('ip', ['-n', netns, 'addr', 'add', `${ip}/24`, 'dev', 'under'])
    await must('ip', ['-n', netns, 'link', 'set', 'under', 'up'])
    const data = join(dir, name)
    await mkdir(data)
    const sh: LabMachine['sh'] = (tool, args, more = {}) => command('nsenter', [`--net=/run/netns/${netns}`, tool, ...args], { ...more, env: { ...env, ...more.env } })
    const log = (): Promise<string> => readFile(join(data, 'out.log'), 'utf8').catch(() => '')
    return {
      name, netns, ip, dir: data, prefix: `${tag}${index}`, sh,
      async up() {
        const out = join(data, 'out.log')
        await writeFile(out, '')
        const child = spawn('nsenter', [`--net=/run/netns/${netns}`, '--', 'bash', '-c', `exec ./ondol up --drivers real --no-install --config ${join(dir, 'ondol.yaml')} --host ${name} --data ${data} >> ${out} 2>&1`], { cwd: root, stdio: 'ignore', env: { ...process.env, ...env } })
        children.set(name, child)
        for (const end = performance.now() + 90_000; ; ) {
          if (/●/.test(await log())) return
          if (child.exitCode !== null || performance.now() > end) throw new Error(`${name} did not come up: ${await log()}`)
          await new Promise((done) => setTimeout(done, 50))
        }
      },
      async down() {
        const child = children.get(name)
        if (!child || child.exitCode !== null || child.signalCode !== null) return
        const ended = new Promise((done) => child.once('exit', done))
        child.kill('SIGTERM')
        const late = setTimeout(() => child.kill('SIGKILL'), 15_000)
        await ended
        clearTimeout(late)
      },
      pid: async () => Number(await readFile(join(data, 'ondol.pid'), 'utf8')),
      async kill(tool) {
        for (const [pid, line] of await commandLines()) if (line.startsWith(tool) && line.includes(data)) process.kill(pid, 'SIGKILL')
      },
      guests: () => readdir(join(data, 'nova', 'instances')).catch(() => []),
    }
  }

  const remove = async (machines: readonly LabMachine[]): Promise<void> => {
    for (const one of machines.toReversed()) await one.down()
    await endProcesses(dir)
    await rabbit?.stop()
    await postgres?.stop()
    const all = JSON.parse((await command('ip', ['-j', 'netns', 'list'])).out || '[]') as { name: string }[]
    for (const { name } of all) {
      if (!netnses.includes(name) && !machines.some((one) => name.startsWith(`${one.prefix}-`))) continue
      for (const pid of (await command('ip', ['netns', 'pids', name])).out.split('\n').filter(Boolean)) await command('kill', ['-9', pid])
      await command('ip', ['netns', 'delete', name])
    }
    if (process.env.ONDOL_KEEP_LAB === undefined) await rm(dir, { recursive: true, force: true, maxRetries: 5 })
  }

  const machines: LabMachine[] = []
  try {
    const wire = await namespace('wire')
    await must('ip', ['-n', wire, 'link', 'add', 'wire', 'mtu', '1600', 'type', 'bridge', 'forward_delay', '0'])
    await must('ip', ['-n', wire, 'link', 'set', 'wire', 'up'])
    for (const [index, name] of ['control', ...options.computes].entries()) machines.push(await machine(name, index + 1, wire))
    const [control, ...computes] = machines as [LabMachine, ...LabMachine[]]
    const started = await Promise.all([startPostgres(), startRabbitmq({ netns: control.netns, address: control.ip })])
    postgres = started[0]
    rabbit = started[1]
    if (!postgres || !rabbit) throw new Error('PostgreSQL or RabbitMQ is not installed')
    const database = `${await postgres.createDatabase()}?host=${encodeURIComponent(postgres.socketFolder!)}`
    const passwordFile = join(dir, 'service-password')
    await writeFile(passwordFile, 'between-these-machines\n', { mode: 0o600 })
    await writeFile(join(dir, 'ondol.yaml'), options.yaml({ database, bus: rabbit.url, control, computes, passwordFile }), { mode: 0o600 })
    for (const one of machines) await one.up()
    const text: MachineLab['openstackText'] = async (line, { admin = true, fails = false } = {}) => {
      const args = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!)
      const result = await control.sh('/usr/bin/openstack', args, { timeout: 240_000, env: { OS_CLIENT_CONFIG_FILE: join(control.dir, 'clouds.yaml'), OS_CLOUD: admin ? 'ondol-admin' : 'ondol', PATH: '/usr/bin:/bin:/usr/sbin:/sbin' } })
      if (fails ? result.code === 0 : result.code !== 0) throw new Error(`openstack ${line} ended with ${result.code}: ${result.err.slice(0, 2000)}`)
      return fails ? result.err : result.out
    }
    return {
      dir, control, computes, rabbit,
      url: `http://${control.ip}:5000`,
      openstackText: text,
      openstack: async (line, more) => JSON.parse(await text(`${line} -f json`, more)) as unknown,
      remove: () => remove(machines),
    }
  } catch (thrown) {
    await remove(machines)
    throw thrown
  }
}

/** Guests, storage daemons, name servers: what names this folder in its command line. */
async function endProcesses(dir: string): Promise<void> {
  for (const [pid, line] of await commandLines()) {
    if (!line.includes(dir)) continue
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

async function commandLines(): Promise<[number, string][]> {
  const found: [number, string][] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue
    found.push([Number(name), await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')])
  }
  return found
}
