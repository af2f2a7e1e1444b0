/** Servers as they stand on the wire at the newest version, and the calls other houses make. Paths are below the mount `/compute`. */
import { operation } from '#stack/contract.ts'

export const COMPUTE_VERSION = 'compute 2.96'

export interface ServerAddress {
  version: 4 | 6
  addr: string
  'OS-EXT-IPS:type': 'fixed' | 'floating'
  'OS-EXT-IPS-MAC:mac_addr': string
}

export interface Server {
  id: string
  name: string
  status: string
  tenant_id: string
  user_id: string
  metadata: Record<string, string>
  tags: string[]
  addresses: Record<string, ServerAddress[]>
  created: string
  updated: string
  'OS-EXT-STS:vm_state': string
  'OS-EXT-STS:task_state': string | null
  'OS-EXT-STS:power_state': number
  'OS-EXT-AZ:availability_zone': string
  'OS-EXT-SRV-ATTR:host'?: string | null
  'OS-EXT-SRV-ATTR:hypervisor_hostname'?: string | null
  'os-extended-volumes:volumes_attached': { id: string; delete_on_termination: boolean }[]
  fault?: { code: number; message: string; created: string; details?: string }
  [field: string]: unknown
}

export interface ServerCreate {
  name: string
  imageRef?: string
  flavorRef: string
  networks: 'auto' | 'none' | readonly { uuid?: string; port?: string; fixed_ip?: string; tag?: string }[]
  [field: string]: unknown
}

interface One {
  params: { server_id: string }
}

export const listServers = operation<{ query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>> }, { servers: Server[]; servers_links?: { rel: 'next'; href: string }[] }>('GET', '/v2.1/servers/detail', COMPUTE_VERSION)
export const showServer = operation<One, { server: Server }>('GET', '/v2.1/servers/{server_id}', COMPUTE_VERSION)
export const createServer = operation<{ body: { server: ServerCreate; 'os:scheduler_hints'?: Readonly<Record<string, unknown>> } }, { server: { id: string; adminPass?: string } }>('POST', '/v2.1/servers', COMPUTE_VERSION)
export const deleteServer = operation<One>('DELETE', '/v2.1/servers/{server_id}', COMPUTE_VERSION)
/** One key names the action: `{"os-stop": null}`. */
export const actOnServer = operation<One & { body: Readonly<Record<string, unknown>> }, unknown>('POST', '/v2.1/servers/{server_id}/action', COMPUTE_VERSION)

export interface Flavor {
  id: string
  name: string
  vcpus: number
  /** MiB. */
  ram: number
  /** GiB. */
  disk: number
}

export const listFlavors = operation<{ query?: Readonly<Record<string, string | number>> }, { flavors: Flavor[] }>('GET', '/v2.1/flavors/detail', COMPUTE_VERSION)
export const listKeypairs = operation<{ query?: Readonly<Record<string, string | number>> }, { keypairs: { keypair: { name: string } }[] }>('GET', '/v2.1/os-keypairs', COMPUTE_VERSION)

/** What was done to a server; the newest first. */
export interface InstanceAction {
  action: string
  request_id: string
  user_id: string
  start_time: string
  /** `Error` when it failed, else null. */
  message: string | null
}

export const listInstanceActions = operation<One & { query?: Readonly<Record<string, string | number>> }, { instanceActions: InstanceAction[] }>('GET', '/v2.1/servers/{server_id}/os-instance-actions', COMPUTE_VERSION)
/** A URL for a browser, good for one connection soon. */
export const createRemoteConsole = operation<One & { body: { remote_console: { protocol: 'vnc'; type: 'novnc' } } }, { remote_console: { url: string } }>('POST', '/v2.1/servers/{server_id}/remote-consoles', COMPUTE_VERSION)

/** What other houses tell Nova of a server's ports and volumes. A wake-up: Nova reads the port or volume itself. */
export interface ExternalEvent {
  server_uuid: string
  name: 'network-changed' | 'network-vif-plugged' | 'network-vif-unplugged' | 'network-vif-deleted' | 'volume-extended' | 'volume-reimaged' | 'power-update' | 'accelerator-request-bound'
  status?: 'completed' | 'failed' | 'in-progress'
  /** The port or volume; `POWER_ON` or `POWER_OFF`. */
  tag?: string
}

export const sendExternalEvents = operation<{ body: { events: readonly ExternalEvent[] } }, { events: (ExternalEvent & { code: number })[] }>('POST', '/v2.1/os-server-external-events', COMPUTE_VERSION)
