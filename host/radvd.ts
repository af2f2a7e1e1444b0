/** radvd: router advertisements for the IPv6 subnets of one router. It daemonizes and is found again by its pid file. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Run } from '#base/process/run.ts'
import type { Daemons } from './daemon.ts'
import { runInNamespace } from './namespace.ts'
import { ensureFile } from './state-file.ts'

export interface AdvertisedInterface {
  device: string
  mtu: number
  /** Addresses come from DHCPv6. */
  managed: boolean
  /** Other facts (resolvers) come from DHCPv6. */
  other: boolean
  /** `autonomous`: hosts may make their own address from it (SLAAC). */
  prefixes: readonly { prefix: string; autonomous: boolean }[]
  dns: readonly string[]
}

export interface RadvdConfig {
  netns: string
  directory: string
  interfaces: readonly AdvertisedInterface[]
}

export interface Radvd {
  ensure(config: RadvdConfig): Promise<'started' | 'reloaded' | 'unchanged'>
  ensureNone(directory: string): Promise<void>
}

export function createRadvd(run: Run, daemons: Daemons): Radvd {
  return {
    async ensure({ netns, directory, interfaces }) {
      const config = join(directory, 'radvd.conf')
      const pidFile = join(directory, 'pid')
      const changed = await ensureFile(config, interfaces.map(interfaceText).join(''))
      if ((await daemons.find(pidFile, config)) !== undefined) {
        if (!changed) return 'unchanged'
        if (await daemons.reload(pidFile, config)) return 'reloaded'
      }
      await daemons.stop(pidFile, config)
      await runInNamespace(run, netns)('radvd', ['-C', config, '-p', pidFile, '-u', 'root', '-m', 'logfile', '-l', join(directory, 'log')])
      return 'started'
    },
    async ensureNone(directory) {
      await daemons.stop(join(directory, 'pid'), join(directory, 'radvd.conf'))
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function interfaceText({ device, mtu, managed, other, prefixes, dns }: AdvertisedInterface): string {
  return [
    `interface ${device} {`,
    ' AdvSendAdvert on;',
    ' MinRtrAdvInterval 30;',
    ' MaxRtrAdvInterval 100;',
    ` AdvLinkMTU ${mtu};`,
    ` AdvManagedFlag ${managed ? 'on' : 'off'};`,
    ` AdvOtherConfigFlag ${other ? 'on' : 'off'};`,
    ...prefixes.map(({ prefix, autonomous }) => ` prefix ${prefix} { AdvOnLink on; AdvAutonomous ${autonomous ? 'on' : 'off'}; };`),
    ...(dns.length === 0 ? [] : [` RDNSS ${dns.join(' ')} { };`]),
    '};',
    '',
  ].join('\n')
}
