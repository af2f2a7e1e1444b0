/**
 * Real or fake drivers: what works on this machine, said in words. The real ones need root, Linux, and Debian packages that are
 * installed here once, each named with its reason.
 */
import { access, constants } from 'node:fs/promises'
import { hostname } from 'node:os'
import { invalid } from '#base/fault.ts'
import { run } from '#base/process/run.ts'
import { chooseAccelerator } from '#host/accelerator.ts'

export interface DriverChoice {
  kind: 'fake' | 'real'
  host: string
  /** Lines for a person. */
  why: string[]
}

/** A Debian package, the tools that show it is there, and what it is for. */
export interface HostPackage {
  readonly package: string
  readonly tools: readonly string[]
  readonly why: string
}

/** What the real drivers need. */
export const DRIVER_PACKAGES: readonly HostPackage[] = [
  { package: 'qemu-system-x86', tools: ['qemu-system-x86_64'], why: 'runs the guests' },
  { package: 'qemu-utils', tools: ['qemu-img', 'qemu-storage-daemon'], why: 'makes and converts disks; its storage daemon serves volumes' },
  { package: 'iproute2', tools: ['ip'], why: 'makes bridges, taps and namespaces' },
  { package: 'nftables', tools: ['nft'], why: 'security groups, anti-spoofing and floating IPs' },
  { package: 'dnsmasq-base', tools: ['dnsmasq'], why: 'gives guests their addresses' },
  { package: 'radvd', tools: ['radvd'], why: 'announces IPv6 routers to guests' },
  { package: 'conntrack', tools: ['conntrack'], why: 'ends connections that a rule no longer allows' },
]

export async function chooseDrivers(wish: 'auto' | 'fake' | 'real', { install, say, host = hostname() }: { install: boolean; say: (text: string) => void; host?: string }): Promise<DriverChoice> {
  if (wish === 'fake') return { kind: 'fake', host, why: ['Drivers: fake. Machines, networks and disks are pretended; --drivers real makes them.'] }
  const obstacle = await whyNotReal()
  if (obstacle) {
    if (wish === 'real') throw invalid(`The real drivers cannot work here: ${obstacle}`)
    return { kind: 'fake', host, why: [`Drivers: fake, because ${obstacle}`] }
  }
  await ensurePackages(DRIVER_PACKAGES, 'The real drivers need', { install, say })
  const accelerator = await chooseAccelerator('auto')
  return { kind: 'real', host, why: [`Drivers: real. Guests: QEMU with ${accelerator.accelerator.toUpperCase()}, because ${accelerator.reason}`, 'Networks: Linux bridges and nftables. Disks: files.'] }
}

async function whyNotReal(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `they need Linux, and this is ${process.platform}`
  if (process.getuid?.() !== 0) return 'they need root; run ./ondol up as root for real machines'
  try {
    await access('/dev/net/tun', constants.R_OK | constants.W_OK)
  } catch {
    return '/dev/net/tun cannot be opened, so guests would have no network'
  }
  return undefined
}

/** Installs what is missing, naming each with its reason; with `install: false` it says what is missing instead. */
export async function ensurePackages(packages: readonly HostPackage[], who: string, { install, say }: { install: boolean; say: (text: string) => void }): Promise<void> {
  const missing: HostPackage[] = []
  for (const one of packages) if (!(await Promise.all(one.tools.map(onPath))).every(Boolean)) missing.push(one)
  if (missing.length === 0) return
  if (!install) throw invalid(`${who} Debian packages that are not there: ${missing.map((one) => one.package).join(', ')}`)
  for (const one of missing) say(`ondol: installing ${one.package}: ${one.why}`)
  await installPackages(missing.map((one) => one.package))
}

async function onPath(tool: string): Promise<boolean> {
  for (const dir of ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']) {
    const there = await access(`${dir}/${tool}`, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (there) return true
  }
  return false
}

async function installPackages(names: readonly string[]): Promise<void> {
  const options = ['-qq', '-o', 'DPkg::Lock::Timeout=600', 'install', '-y', '--no-install-recommends', ...names]
  // With run level 1 no package starts the service that it brings.
  const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const done = await run('apt-get', options, { timeout: 900_000, env }).catch(() => undefined)
  if (done) return
  await run('apt-get', ['-qq', 'update'], { timeout: 600_000, env })
  await run('apt-get', options, { timeout: 900_000, env })
}
