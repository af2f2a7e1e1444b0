/**
 * dnsmasq as the DHCP and DNS server of one network, with static leases only. Everything it reads lies in one directory; a
 * change of hosts or options is a SIGHUP, a change of ranges a restart. It daemonizes, so it outlives us, and it is found
 * again by its pid file.
 *
 * Up to 2.90 at least it crashes at a SIGHUP when a host with a tag has asked for its address before: where hosts have tags, it is restarted.
 *
 * It refuses to give an address that it remembers as leased to another MAC. Addresses are given out anew as soon as a port is
 * gone, so `ensure` strikes such a lease out and restarts it.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { invalid } from '#base/fault.ts'
import type { Run } from '#base/process/run.ts'
import type { Daemons } from './daemon.ts'
import { runInNamespace } from './namespace.ts'
import { ensureFile, readIfThere } from './state-file.ts'

export interface DhcpRange {
  tag: string
  /** Network address: `192.168.5.0` or `2001:db8::`. */
  network: string
  /** Netmask for IPv4, prefix length for IPv6. */
  mask: string
}

export interface DhcpHost {
  mac: string
  /** Tags that select options. */
  tags: readonly string[]
  name: string
  /** One address; without one only options are given (stateless DHCPv6). */
  address?: string
}

export interface DhcpOption {
  tag: string
  /** `26`, `option:mtu`, `option6:dns-server`. */
  option: string
  value: string
}

export interface DnsmasqConfig {
  netns: string
  device: string
  /** Directory of its own. */
  directory: string
  ranges: readonly DhcpRange[]
  hosts: readonly DhcpHost[]
  options: readonly DhcpOption[]
  domain: string
  /** Names it answers for: address and its names. */
  names: readonly { address: string; names: readonly string[] }[]
  /** Resolvers it asks for all other names; with none it answers only for its own. */
  upstream: readonly string[]
  /** Seconds. */
  lease_time: number
}

export interface Dnsmasq {
  /** Makes it run with this configuration. */
  ensure(config: DnsmasqConfig): Promise<'started' | 'reloaded' | 'unchanged'>
  ensureNone(directory: string): Promise<void>
}

export function createDnsmasq(run: Run, daemons: Daemons): Dnsmasq {
  return {
    async ensure(config) {
      const path = (name: string): string => join(config.directory, name)
      const before = (await readIfThere(path('hosts'))) ?? ''
      const hosts = lines(config.hosts.map(hostLine))
      const stale = await staleLeases(path('leases'), before, config.hosts)
      if (stale) {
        await daemons.stop(path('pid'), path('dnsmasq.conf'))
        await ensureFile(path('leases'), stale.kept)
      }
      const moved = await ensureFile(path('dnsmasq.conf'), configText(config))
      const changed = [
        await ensureFile(path('hosts'), hosts),
        await ensureFile(path('options'), lines(config.options.map(({ tag, option, value }) => `tag:${tag},${option}${value === '' ? '' : `,${value}`}`))),
        await ensureFile(path('names'), lines(config.names.map(({ address, names }) => `${address} ${names.join(' ')}`))),
      ].some(Boolean)
      const tagged = before.includes(',set:') || config.hosts.some(({ tags }) => tags.length > 0)
      const running = (await daemons.find(path('pid'), path('dnsmasq.conf'))) !== undefined
      if (running && !moved) {
        if (!changed) return 'unchanged'
        if (!tagged && (await daemons.reload(path('pid'), path('dnsmasq.conf')))) return 'reloaded'
      }
      await daemons.stop(path('pid'), path('dnsmasq.conf'))
      await runInNamespace(run, config.netns)('dnsmasq', [`--conf-file=${path('dnsmasq.conf')}`])
      return 'started'
    },
    async ensureNone(directory) {
      await daemons.stop(join(directory, 'pid'), join(directory, 'dnsmasq.conf'))
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function configText(config: DnsmasqConfig): string {
  const path = (name: string): string => join(config.directory, name)
  return lines([
    'no-hosts',
    'no-resolv',
    'no-ping',
    'bind-dynamic',
    'dhcp-authoritative',
    'quiet-dhcp',
    'quiet-dhcp6',
    'user=root',
    'except-interface=lo',
    `interface=${config.device}`,
    `domain=${config.domain}`,
    `local=/${config.domain}/`,
    `dhcp-hostsfile=${path('hosts')}`,
    `dhcp-optsfile=${path('options')}`,
    `addn-hosts=${path('names')}`,
    `dhcp-leasefile=${path('leases')}`,
    `pid-file=${path('pid')}`,
    `log-facility=${path('log')}`,
    'dhcp-lease-max=16777216',
    ...config.upstream.map((server) => `server=${server}`),
    ...config.ranges.map(({ tag, network, mask }) => `dhcp-range=set:${tag},${network},static,${mask},${config.lease_time}s`),
  ])
}

function hostLine(host: DhcpHost): string {
  const address = host.address === undefined ? [] : [host.address.includes(':') ? `[${host.address}]` : host.address]
  return [host.mac, ...host.tags.map((tag) => `set:${tag}`), host.name, ...address].join(',')
}

/** Every line is one fact: a line break inside a value would be a second fact (threat A20). */
function lines(all: readonly string[]): string {
  for (const line of all) {
    if (/[\u0000-\u001f\u007f]/.test(line)) throw invalid('A value for DHCP contains a control character')
  }
  return all.length === 0 ? '' : `${all.join('\n')}\n`
}

/** The lease file without leases whose address now belongs to another MAC; undefined when there are none of these. */
async function staleLeases(file: string, before: string, hosts: readonly DhcpHost[]): Promise<{ kept: string } | undefined> {
  const text = await readIfThere(file)
  if (text === undefined || text === '') return undefined
  const owner = new Map(hosts.flatMap(({ mac, address }) => (address === undefined ? [] : [[address, mac] as const])))
  const former = new Map(before.split('\n').flatMap((line) => (line === '' ? [] : [[line.slice(line.lastIndexOf(',') + 1).replace(/^\[|\]$/g, ''), line.slice(0, 17)] as const])))
  const kept = text.split('\n').filter((line) => {
    const [, identity, address] = line.split(' ')
    const mac = address === undefined ? undefined : owner.get(address)
    if (mac === undefined || address === undefined) return true
    // An IPv6 lease names no MAC: it is stale when the address was not this port's before.
    return address.includes(':') ? former.get(address) === mac : identity === mac
  })
  const result = kept.join('\n')
  return result === text ? undefined : { kept: result }
}
