/** Everything that `ondol.yaml` may say: the cloud's own keys here, each house's under its name from the house itself. */
import type { ConfigSchema } from '#base/config.ts'
import type { HouseEntry } from './houses.ts'

export interface CloudConfig {
  role: 'all' | 'control' | 'compute'
  drivers: 'auto' | 'fake' | 'real'
  region: string
  http: { host: string; port: number; public_url: string }
  database: { url: string; durability: 'safe' | 'fast'; connections: number }
  bus: { url: string }
  log: { level: 'debug' | 'info' | 'warn' | 'error' }
  policy: { enforce_scope: boolean; enforce_new_defaults: boolean }
  flows: { lease_seconds: number }
  seed: { enabled: boolean }
}

const own: ConfigSchema['properties'] = {
  role: { type: 'string', enum: ['all', 'control', 'compute'], default: 'all', description: 'What this machine does: everything, the control plane, or guests only.' },
  drivers: { type: 'string', enum: ['auto', 'fake', 'real'], default: 'auto', description: 'Real machines, networks and disks, pretended ones, or real ones where they can work.' },
  region: { type: 'string', default: 'RegionOne', description: 'Name of the region in the catalog.' },
  http: {
    type: 'object',
    properties: {
      host: { type: 'string', default: '127.0.0.1', description: 'Address to listen on.' },
      port: { type: 'integer', default: 5000, description: 'Port of the front door; 0 takes a free one.' },
      public_url: { type: 'string', default: '', description: 'URL under which clients reach the front door, for the catalog. Empty: made of host and port.' },
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
    },
  },
  flows: { type: 'object', properties: { lease_seconds: { type: 'integer', default: 10, description: 'After how long the work of a dead process goes on in another.' } } },
  seed: { type: 'object', properties: { enabled: { type: 'boolean', default: true, description: 'Make flavors, networks and the demo project at the first start.' } } },
}

export function configSchema(houses: readonly HouseEntry[]): ConfigSchema {
  return { type: 'object', properties: { ...own, ...Object.fromEntries(houses.map((house) => [house.plate.name, house.config])) } }
}
