/**
 * Starting QEMU so that it outlives us: daemonized, in a session of its own, its pid in a file that it keeps locked (a second start of
 * the same machine fails instead of running the guest twice). It must start in the network namespace that holds its taps.
 */
import { run as realRun, type Run } from '#base/process/run.ts'
import { conflict, Fault, internal, isFault, unavailable } from '#base/fault.ts'
import { findProcess, type OwnProcess } from './pidfile.ts'
import { machineArguments, type Machine } from './qemu-machine.ts'

export interface QemuVersion {
  text: string
  /** As libvirt writes it: major * 1,000,000 + minor * 1,000 + micro. */
  number: number
}

export interface Qemu {
  version(): Promise<QemuVersion>
  /** The versioned type that a short one stands for today, e.g. `pc` → `pc-i440fx-7.2`; `invalid` when QEMU does not know it. */
  machineType(name: string): Promise<string>
  /** Returns when the monitor listens. `conflict` (code `qemu.running`) when this machine already runs. */
  start(machine: Machine): Promise<OwnProcess>
  find(machine: Pick<Machine, 'pidfile' | 'uuid'>): Promise<OwnProcess | undefined>
  /** undefined when the tap is not there. QEMU must not be started then: it would make a loose one by itself. */
  tap(name: string): Promise<TapCounters | undefined>
}

/** As the host sees the tap: what it receives, the guest has sent. */
export interface TapCounters {
  rx: { bytes: number; packets: number; errors: number; dropped: number }
  tx: { bytes: number; packets: number; errors: number; dropped: number }
}

export interface QemuOptions {
  /** Default `qemu-system-x86_64`. */
  binary?: string
  /** Named network namespace in which guests run. */
  namespace?: string
  run?: Run
  /** Milliseconds for a start. Default 120,000: a loaded machine is slow. */
  startTimeout?: number
}

export function qemu(options: QemuOptions = {}): Qemu {
  const run = options.run ?? realRun
  const binary = options.binary ?? 'qemu-system-x86_64'
  const { namespace } = options
  let types: Promise<Map<string, string>> | undefined
  const find: Qemu['find'] = (machine) => findProcess(machine.pidfile, ['-uuid', machine.uuid, '-pidfile', machine.pidfile])
  return {
    async version() {
      return parseVersion((await run(binary, ['--version'])).stdout)
    },
    async machineType(name) {
      types ??= run(binary, ['-machine', 'help']).then((result) => parseMachineTypes(result.stdout))
      const type = (await types).get(name)
      if (type === undefined) throw invalidType(name)
      return type
    },
    find,
    async start(machine) {
      const args = machineArguments(machine)
      const [tool, all] = namespace === undefined ? [binary, args] : ['ip', ['netns', 'exec', namespace, binary, ...args]]
      try {
        await run(tool, all, { timeout: options.startTimeout ?? 120_000 })
      } catch (thrown) {
        const said = isFault(thrown) && typeof thrown.data.stderr === 'string' ? thrown.data.stderr : ''
        if (/[Cc]annot lock pid file|PID file.*lock/.test(said)) throw conflict('The machine already runs.', { code: 'qemu.running', cause: thrown })
        if (/Failed to get "?(write|consistent read|shared)|another process using the image/.test(said)) {
          throw conflict('A disk of the machine is in use by another process.', { code: 'qemu.disk_in_use', cause: thrown, detail: said })
        }
        throw new Fault('internal', 'The hypervisor could not start the machine.', { cause: thrown, detail: said.trim().split('\n').slice(-3).join(' | ') })
      }
      const own = await find(machine)
      if (!own) throw internal('The hypervisor ended right after its start.')
      return own
    },
    async tap(name) {
      const where = namespace === undefined ? [] : ['-n', namespace]
      const { code, stdout, stderr } = await run('ip', [...where, '-s', '-j', 'link', 'show', 'dev', name], { okCodes: [0, 1, 255], timeout: 10_000 })
      if (code === 0) return parseTap(stdout)
      if (/network namespace/.test(stderr)) throw unavailable(`The network namespace ${namespace} does not exist.`)
      return undefined
    },
  }
}

function parseTap(text: string): TapCounters {
  const [link] = JSON.parse(text) as { stats64?: TapCounters }[]
  const none = { bytes: 0, packets: 0, errors: 0, dropped: 0 }
  return { rx: { ...none, ...link?.stats64?.rx }, tx: { ...none, ...link?.stats64?.tx } }
}

/** Of the first line of `--version`. */
export function parseVersion(text: string): QemuVersion {
  const found = /version (\d+)\.(\d+)\.(\d+)/.exec(text)
  if (!found) throw internal('QEMU printed no version')
  const [, major, minor, micro] = found
  return { text: `${major}.${minor}.${micro}`, number: Number(major) * 1_000_000 + Number(minor) * 1_000 + Number(micro) }
}

/** Of `-machine help`: each name, aliases included, to the versioned name. */
export function parseMachineTypes(text: string): Map<string, string> {
  const types = new Map<string, string>()
  for (const line of text.split('\n').slice(1)) {
    const name = /^(\S+)\s/.exec(line)?.[1]
    if (name === undefined) continue
    types.set(name, /\(alias of ([^)\s]+)\)/.exec(line)?.[1] ?? name)
  }
  return types
}

function invalidType(name: string): Fault {
  return new Fault('invalid', `The hypervisor has no machine type ${name}.`, { field: 'hw_machine_type' })
}
