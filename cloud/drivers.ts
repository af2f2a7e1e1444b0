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

/** Debian packages of the real drivers: the tool that shows it is there, and what it is for. */
const PACKAGES: readonly { name: string; tool: string; why: string }[] = [
  { name: 'qemu-system-x86', tool: 'qemu-system-x86_64', why: 'runs the guests' },
  { name: 'qemu-utils', tool: 'qemu-img', why: 'makes and converts disks; its storage daemon serves volumes' },
  { name: 'iproute2', tool: 'ip', why: 'makes bridges, taps and namespaces' },
  { name: 'nftables', tool: 'nft', why: 'security groups, anti-spoofing and floating IPs' },
  { name: 'dnsmasq-base', tool: 'dnsmasq', why: 'gives guests their addresses' },
  { name: 'radvd', tool: 'radvd', why: 'announces IPv6 routers to guests' },
  { name: 'conntrack', tool: 'conntrack', why: 'ends connections that a rule no longer allows' },
]

export async function chooseDrivers(wish: 'auto' | 'fake' | 'real', { install, say }: { install: boolean; say: (text: string) => void }): Promise<DriverChoice> {
  const host = hostname()
  if (wish === 'fake') return { kind: 'fake', host, why: ['Drivers: fake. Machines, networks and disks are pretended; --drivers real makes them.'] }
  const obstacle = await whyNotReal()
  if (obstacle) {
    if (wish === 'real') throw invalid(`The real drivers cannot work here: ${obstacle}`)
    return { kind: 'fake', host, why: [`Drivers: fake, because ${obstacle}`] }
  }
  const missing: typeof PACKAGES[number][] = []
  for (const one of PACKAGES) if (!(await onPath(one.tool))) missing.push(one)
  if (missing.length > 0) {
    if (!install) throw invalid(`The real drivers need Debian packages that are not there: ${missing.map((one) => one.name).join(', ')}`)
    for (const one of missing) say(`ondol: installing ${one.name}: ${one.why}`)
    await installPackages(missing.map((one) => one.name))
  }
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

export async function installPackages(names: readonly string[]): Promise<void> {
  const options = ['-qq', '-o', 'DPkg::Lock::Timeout=600', 'install', '-y', '--no-install-recommends', ...names]
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const done = await run('apt-get', options, { timeout: 900_000, env }).catch(() => undefined)
  if (done) return
  await run('apt-get', ['-qq', 'update'], { timeout: 600_000, env })
  await run('apt-get', options, { timeout: 900_000, env })
}
