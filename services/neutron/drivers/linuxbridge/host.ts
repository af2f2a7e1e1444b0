/** What every part of the driver is given: the options, the tools, the names and the fabric. */
import type { Log } from '#base/log.ts'
import type { Run } from '#base/process/run.ts'
import type { Daemons } from '#host/daemon.ts'
import type { Dnsmasq } from '#host/dnsmasq.ts'
import type { ServeInNamespace } from '#host/namespace-http.ts'
import type { Radvd } from '#host/radvd.ts'
import type { Fabric, FabricTools } from './fabric.ts'
import type { Names } from './names.ts'

export interface LinuxbridgeOptions {
  /** Begins the name of all namespaces and devices: one to eight lower-case letters and digits. */
  prefix: string
  /** Files of dnsmasq and radvd; must be an absolute path. */
  state_directory: string
  /** This host's end of VXLAN tunnels; without it tenant networks stay on this host. */
  local_ip?: string
  /** Default 4789. */
  vxlan_port?: number
  /** How flat networks reach the world, by `physical_network`. */
  physical_networks: Readonly<Record<string, PhysicalNetwork>>
  /** Resolvers that dnsmasq asks for names outside of the cloud. */
  dns_upstream?: readonly string[]
  /** Default `openstacklocal`. */
  dns_domain?: string
  /** Default 86400 seconds. */
  dhcp_lease_time?: number
  /** The user (or group) that may open taps; default root only. */
  tap_user?: string
  /** The namespace that counts as the host itself; for tests. Default our own. */
  host_netns?: string
}

/**
 * `host`: a cable between the fabric and the host itself, whose end carries the subnets' gateway addresses; with `masquerade` also
 * to wherever the host's routes lead. `bridge`: a cable into a bridge that exists on the host and leads to a real network.
 */
export type PhysicalNetwork = { kind: 'host'; masquerade?: boolean } | { kind: 'bridge'; bridge: string }

export interface HostTools extends FabricTools {
  run: Run
  daemons: Daemons
  dnsmasq: Dnsmasq
  radvd: Radvd
  serve: ServeInNamespace
}

export interface Host {
  options: LinuxbridgeOptions
  tools: HostTools
  names: Names
  fabric: Fabric
  log: Log
}
