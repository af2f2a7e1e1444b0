/** Everything that `ondol.yaml` may say: the cloud's own keys here, each house's under its name from the house itself. */
import type { ConfigSchema } from '#base/config.ts'
import type { HouseEntry } from './houses.ts'

export interface CloudConfig {
  role: 'all' | 'control' | 'compute'
  drivers: 'auto' | 'fake' | 'real'
  region: string
  control_url: string
  shared_dir: string
  service: { password: string; password_file: string }
  agents: { network: 'auto' | 'node' | 'ports' | 'none'; volume: 'auto' | 'run' | 'none'; compute: 'auto' | 'run' | 'none' }
  http: { host: string; port: number; public_url: string; client_certificates: { trust_from: readonly string[]; header: string } }
  database: { url: string; durability: 'safe' | 'fast'; connections: number }
  bus: { url: string }
  log: { level: 'debug' | 'info' | 'warn' | 'error' }
  policy: { enforce_scope: boolean; enforce_new_defaults: boolean; dir: string }
  quota: { driver: 'own' | 'unified' }
  flows: { lease_seconds: number }
  seed: { enabled: boolean }
}

const own: ConfigSchema['properties'] = {
  role: { type: 'string', enum: ['all', 'control', 'compute'], default: 'all', description: 'What this machine does: everything, the control plane with the network node, or guests only.' },
  drivers: { type: 'string', enum: ['auto', 'fake', 'real'], default: 'auto', description: 'Real machines, networks and disks, pretended ones, or real ones where they can work.' },
  region: { type: 'string', default: 'RegionOne', description: 'Name of the region in the catalog.' },
  control_url: { type: 'string', default: '', description: "With role compute: the control plane's front door, e.g. http://192.0.2.10:5000." },
  shared_dir: { type: 'string', default: '', description: 'Folder of what every control process must see beside the database: passwords, keys of tokens, the bytes of images. Empty: the data folder; with control processes on several machines a network file system.' },
  service: {
    type: 'object',
    properties: {
      password: { type: 'string', default: '', description: 'Password of the houses’ own users, by which machines with role compute log in. Empty: drawn, and nobody else may log in.' },
      password_file: { type: 'string', default: '', description: 'A file that holds it, readable by its owner alone.' },
    },
  },
  agents: {
    type: 'object',
    description: 'What runs on this machine beside the hardware; auto goes by the role.',
    properties: {
      network: { type: 'string', enum: ['auto', 'node', 'ports', 'none'], default: 'auto', description: 'node: ports, DHCP, routers and metadata; ports: of guests alone. Auto: ports with role compute, else node.' },
      volume: { type: 'string', enum: ['auto', 'run', 'none'], default: 'auto', description: 'Storage backends. Auto: with role all, and where cinder.backends names some.' },
      compute: { type: 'string', enum: ['auto', 'run', 'none'], default: 'auto', description: 'Guests. Auto: not with role control.' },
    },
  },
  http: {
    type: 'object',
    properties: {
      host: { type: 'string', default: '127.0.0.1', description: 'Address to listen on.' },
      port: { type: 'integer', default: 5000, description: 'Port of the front door; 0 takes a free one.' },
      public_url: { type: 'string', default: '', description: 'URL under which clients reach the front door, for the catalog. Empty: made of host and port.' },
      client_certificates: {
        type: 'object',
        properties: {
          trust_from: { type: 'array', default: [], description: 'Addresses of TLS fronts that check the certificates of clients and pass them on; from all others the header is dropped.' },
          header: { type: 'string', default: 'client-cert', description: 'Name of the header: RFC 9440, PEM (percent-encoded or not), or base64.' },
        },
      },
    },
  },
  database: {
    type: 'object',
    properties: {
      url: { type: 'string', default: '', description: 'sqlite:/file, postgres://… or mysql://…. Empty: ondol.db in the data folder.' },
      durability: { type: 'string', enum: ['safe', 'fast'], default: 'safe', description: 'SQLite only. safe: every commit is on the disk; fast: a power failure may lose the last moments, a crash nothing.' },
      connections: { type: 'integer', default: 10, description: 'Most connections to PostgreSQL or MariaDB.' },
    },
  },
  bus: { type: 'object', properties: { url: { type: 'string', default: '', description: 'amqp://user:secret@host:port/vhost. Empty: inside this process.' } } },
  log: { type: 'object', properties: { level: { type: 'string', enum: ['debug', 'info', 'warn', 'error'], default: 'info', description: 'Least level that is logged.' } } },
  policy: {
    type: 'object',
    properties: {
      enforce_scope: { type: 'boolean', default: true, description: "Refuse a token whose scope a rule does not name." },
      enforce_new_defaults: { type: 'boolean', default: true, description: 'Do not accept what only a deprecated rule allows.' },
      dir: { type: 'string', default: '', description: 'Folder of the rules that override the defaults: <dir>/keystone/policy.yaml and so on, read again when they change. Empty: the folder of what every control process sees.' },
    },
  },
  quota: { type: 'object', properties: { driver: { type: 'string', enum: ['own', 'unified'], default: 'own', description: 'Who says what projects may have. own: every house its own quotas; unified: Keystone, by registered limits and limits (Nova, Cinder, Glance, Neutron). What nobody registered keeps the configured limit of its house.' } } },
  flows: { type: 'object', properties: { lease_seconds: { type: 'integer', default: 10, description: 'After how long the work of a dead process goes on in another.' } } },
  seed: { type: 'object', properties: { enabled: { type: 'boolean', default: true, description: 'Make flavors, networks and the demo project at the first start.' } } },
}

export function configSchema(houses: readonly HouseEntry[]): ConfigSchema {
  return { type: 'object', properties: { ...own, ...Object.fromEntries(houses.map((house) => [house.plate.name, house.config])) } }
}
