/**
 * A laboratory of network namespaces: hosts with a driver each, an underlay between them, and guests that are namespaces with one
 * end of a veth in place of a virtual machine's tap. Everything has the laboratory's prefix and goes away with `close`.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '#base/process/run.ts'
import { world } from '#base/world.ts'
import { runInNamespace } from '#host/namespace.ts'
import { createLinuxbridge } from '../create.ts'
import type { LinuxbridgeDriver } from '../driver.ts'
import type { LinuxbridgeOptions } from '../host.ts'
import { names } from '../names.ts'
import type { NetworkPlan, PortPlan } from '../../plan.ts'

const TOOLS = ['ip', 'nft', 'bridge', 'conntrack', 'dnsmasq', 'nsenter', 'sysctl', 'ping', 'busybox']

/** Why these tests cannot run here, or false. */
export const cannot: string | false =
  process.getuid?.() === 0
    ? (TOOLS.filter((tool) => !['/usr/sbin/', '/usr/bin/', '/sbin/', '/bin/'].some((dir) => existsSync(dir + tool)))
        .map((tool) => `${tool} is not installed`)
        .join(', ') || false)
    : 'needs root'

export const hasTool = (tool: string): boolean => ['/usr/sbin/', '/usr/bin/', '/sbin/', '/bin/'].some((dir) => existsSync(dir + tool))

export interface Guest {
  netns: string
  sh(...command: string[]): Promise<string>
  /** Exit code 0. */
  tries(...command: string[]): Promise<boolean>
  pings(address: string): Promise<boolean>
}

export class Lab {
  readonly prefix: string
  readonly directory: string
  readonly #namespaces: string[] = []
  readonly #drivers: LinuxbridgeDriver[] = []
  readonly #children: ChildProcess[] = []
  /** Every process that the drivers started: tool and arguments. */
  readonly spawned: string[][] = []

  static async open(prefix: string): Promise<Lab> {
    return new Lab(prefix, await mkdtemp(join(tmpdir(), `${prefix}-`)))
  }

  private constructor(prefix: string, directory: string) {
    this.prefix = prefix
    this.directory = directory
  }

  async namespace(name: string): Promise<string> {
    const netns = `${this.prefix}-${name}`
    await run('ip', ['netns', 'add', netns])
    this.#namespaces.push(netns)
    await run('ip', ['-n', netns, 'link', 'set', 'lo', 'up'])
    return netns
  }

  /** Hosts joined by a bridge in a third namespace: 10.99.0.1, 10.99.0.2 … */
  async hosts(count: number): Promise<string[]> {
    const middle = await this.namespace('wire')
    await run('ip', ['-n', middle, 'link', 'add', 'wire', 'mtu', '1600', 'type', 'bridge', 'forward_delay', '0'])
    await run('ip', ['-n', middle, 'link', 'set', 'wire', 'up'])
    const hosts: string[] = []
    for (let i = 1; i <= count; i++) {
      const netns = await this.namespace(`host${i}`)
      await run('ip', ['-n', middle, 'link', 'add', `h${i}`, 'mtu', '1600', 'type', 'veth', 'peer', 'name', 'under', 'mtu', '1600', 'netns', netns])
      await run('ip', ['-n', middle, 'link', 'set', `h${i}`, 'master', 'wire', 'up'])
      await run('ip', ['-n', netns, 'addr', 'add', `10.99.0.${i}/24`, 'dev', 'under'])
      await run('ip', ['-n', netns, 'link', 'set', 'under', 'up'])
      hosts.push(netns)
    }
    return hosts
  }

  /** A driver with a prefix of its own; `again` is the same driver after a restart of its process. */
  driver(name: string, host: string | undefined, more: Partial<LinuxbridgeOptions> = {}): LinuxbridgeDriver {
    const driver = createLinuxbridge(
      { prefix: `${this.prefix}${name}`, state_directory: join(this.directory, name), physical_networks: { public: { kind: 'host' } }, ...(host === undefined ? {} : { host_netns: host }), ...more },
      world(),
      (tool, args, options) => {
        this.spawned.push([tool, ...args])
        return run(tool, args, options)
      },
    )
    this.#drivers.push(driver)
    return driver
  }

  fabric(name: string): string {
    return names(`${this.prefix}${name}`).fabric
  }

  /** A port whose endpoint is a fresh namespace. */
  async guestPort(plan: PortPlan): Promise<{ plan: PortPlan; guest: Guest }> {
    const netns = await this.namespace(`g${plan.id.slice(0, 8)}`)
    return { plan: { ...plan, vif: { kind: 'veth', netns, device: 'eth0' } }, guest: this.inside(netns) }
  }

  inside(netns: string): Guest {
    const enter = runInNamespace(run, netns)
    const tries = async (...[tool = '', ...args]: string[]): Promise<boolean> =>
      enter(tool, args, { timeout: 60_000 }).then(
        () => true,
        () => false,
      )
    return {
      netns,
      sh: async (...[tool = '', ...args]) => (await enter(tool, args, { timeout: 60_000 })).stdout,
      tries,
      pings: (address) => tries('ping', '-n', '-c', '1', '-W', '1', address),
    }
  }

  /** Gives a guest the addresses of its port by hand. */
  async addresses(guest: Guest, port: PortPlan, on: NetworkPlan): Promise<void> {
    await guest.sh('ip', 'link', 'set', 'eth0', 'up')
    for (const { ip_address, subnet_id } of port.fixed_ips) {
      const subnet = on.subnets.find((one) => one.id === subnet_id)!
      await guest.sh('ip', 'addr', 'replace', `${ip_address}/${subnet.cidr.split('/')[1]}`, 'dev', 'eth0', ...(subnet.ip_version === 6 ? ['nodad'] : []))
      if (subnet.gateway_ip !== null) await guest.sh('ip', subnet.ip_version === 6 ? '-6' : '-4', 'route', 'replace', 'default', 'via', subnet.gateway_ip)
    }
  }

  /** Asks for a lease and uses it, option 121 included. The client's words. */
  async dhcp(guest: Guest, ...more: string[]): Promise<string> {
    const script = join(this.directory, 'udhcpc.sh')
    await writeFile(
      script,
      `#!/bin/sh
[ "$1" = bound ] || exit 0
ip -4 addr flush dev $interface scope global
ip addr add $ip/$mask dev $interface
[ -n "$mtu" ] && ip link set $interface mtu $mtu
if [ -n "$staticroutes" ]; then
 set -- $staticroutes
 while [ $# -ge 2 ]; do ip route replace $1 via $2 dev $interface; shift 2; done
elif [ -n "$router" ]; then ip route replace default via $router; fi
set
`,
    )
    await chmod(script, 0o755)
    await guest.sh('ip', 'link', 'set', 'eth0', 'up')
    return guest.sh('busybox', 'udhcpc', '-i', 'eth0', '-n', '-q', '-f', '-t', '10', '-T', '1', '-s', script, '-O', '121', '-O', 'mtu', ...more)
  }

  /** A process that goes on in a guest until the laboratory closes. */
  start(guest: Guest, ...command: string[]): ChildProcess {
    const child = spawn('nsenter', [`--net=/run/netns/${guest.netns}`, '--', ...command], { stdio: ['ignore', 'pipe', 'ignore'] })
    child.stdout.resume()
    this.#children.push(child)
    return child
  }

  async close(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL')
    for (const driver of this.#drivers) await driver.close()
    // Whichever driver object is the last of its prefix takes all away.
    const seen = new Set<string>()
    for (const driver of this.#drivers.toReversed()) {
      if (seen.has(driver.netns)) continue
      seen.add(driver.netns)
      await driver.destroy()
    }
    for (const netns of this.#namespaces) await run('ip', ['netns', 'del', netns])
    await rm(this.directory, { recursive: true, force: true })
  }

  /** Names of namespaces that still carry the prefix. */
  left(): string[] {
    const text = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })
    return text.split('\n').flatMap((line) => (line.startsWith(this.prefix) ? [line.split(' ')[0]!] : []))
  }
}

/** Asks until it holds; false when it never did. */
export async function eventually(holds: () => Promise<boolean>, limit = 20_000): Promise<boolean> {
  for (const end = Date.now() + limit; Date.now() < end; ) {
    if (await holds()) return true
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return holds()
}
