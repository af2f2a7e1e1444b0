/** What every process of a cloud gives its houses: the control side all of it, the machine side the part that needs no database. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { memoryBus } from '#base/bus/memory.ts'
import type { Bus } from '#base/bus/interface.ts'
import type { ConfigValues } from '#base/config.ts'
import { invalid } from '#base/fault.ts'
import type { FlowFaults } from '#base/flow/engine.ts'
import type { HttpHandler } from '#base/http/message.ts'
import type { Database } from '#base/sql/database.ts'
import type { World } from '#base/world.ts'
import { type Caller, client } from '#stack/client.ts'
import { type AgentParts, type AgentProcess, type DriverStorm, fakeHostNames, type HouseParts } from '#stack/house.ts'
import { type PolicyFile, watchedEnforcer } from '#stack/policy/file.ts'
import type { Enforcer } from '#stack/policy/interface.ts'
import { unifiedLimits } from '#stack/quota.ts'
import type { CloudConfig } from './config.ts'
import type { HouseEntry } from './houses.ts'
import { limitFacts } from './limits.ts'
import { agentsOf } from './roles.ts'

export interface MachineParts {
  here: World
  bus: Bus
  config: CloudConfig & ConfigValues
  doors: (name: string) => HttpHandler
  serviceCaller(house: string): Promise<Caller>
  host: string
  dataDir: string
  driverStorm?: DriverStorm
}

export interface SharedParts extends MachineParts {
  db: Database
  tokens: HouseParts<unknown>['tokens']
  owner: string
  /** Of the houses whose files every control process must see. */
  sharedDir: string
  drivers: 'fake' | 'real'
  publicUrl: () => string
  /** The rules in force, by house; filled as the houses are made. */
  enforcers: Map<string, Enforcer>
  flowFaults?: FlowFaults
}

/** Keys of tokens and the bytes of images: not in the database, and the same for every control process. */
const SHARED = new Set(['keystone', 'glance', 'swift'])

export function houseParts(house: HouseEntry, shared: SharedParts): HouseParts<unknown> {
  const { name } = house.plate
  const { enforce_scope, enforce_new_defaults, dir } = shared.config.policy
  const file = policyFile(join(dir || shared.sharedDir, name, 'policy.yaml'))
  const enforcer = watchedEnforcer({ defaults: house.policies, enforce_scope, enforce_new_defaults, file, clock: shared.here.clock, log: shared.here.log.module('policy') })
  shared.enforcers.set(name, enforcer)
  const own = machineParts(house, shared)
  const names = [house.plate, ...(house.plate.aliases ?? [])].map((one) => one.name)
  const limits = unifiedLimits(async () => limitFacts(own.client, await own.serviceCaller(), names, shared.config.region), shared.here.clock)
  return {
    ...own,
    db: shared.db,
    authorizer: {
      check: (rule, target, context) => enforcer.check(rule, target, context as never),
      explain: (rule, target, context) => enforcer.explain(rule, target, context as never),
    },
    tokens: shared.tokens,
    dataDir: join(SHARED.has(name) ? shared.sharedDir : shared.dataDir, name),
    owner: `${name}@${shared.owner}`,
    lease: shared.config.flows.lease_seconds * 1000,
    ...(shared.flowFaults ? { flowFaults: shared.flowFaults } : {}),
    ...(shared.driverStorm ? { driverStorm: shared.driverStorm } : {}),
    ...(shared.config.quota.driver === 'unified' ? { unifiedLimits: limits } : {}),
    identityUrl: (request) => `${request.origin}/identity`,
    publicUrl: shared.publicUrl,
    drivers: shared.drivers,
  }
}

function policyFile(path: string): PolicyFile {
  return {
    path,
    modified: () => statSync(path, { throwIfNoEntry: false })?.mtimeMs,
    read: () => readFileSync(path, 'utf8'),
  }
}

function machineParts(house: HouseEntry, shared: MachineParts) {
  const { name } = house.plate
  return {
    world: shared.here,
    config: shared.config[name],
    bus: shared.bus,
    client: client(shared.doors, shared.here, name),
    serviceCaller: () => shared.serviceCaller(name),
    host: shared.host,
    dataDir: join(shared.dataDir, name),
  }
}

/** The agent of a house on this machine; undefined when none runs here. */
export function agentOf(house: HouseEntry, shared: MachineParts, drivers: 'fake' | 'real'): AgentProcess | undefined {
  const agents = agentsOf(shared.config)
  if (!house.agent || !agents.has(house.plate.name)) return undefined
  const fabric = drivers === 'real' ? { networkNamespace: fabricOf(shared.config) } : agents.has('nova') ? { alsoHosts: otherFakeHosts(shared.host, shared.config) } : {}
  const parts: AgentParts<unknown> = { ...machineParts(house, shared), networkNode: agents.get('neutron') === 'node', ...fabric, ...(shared.driverStorm ? { driverStorm: shared.driverStorm } : {}) }
  return house.agent(parts, drivers)
}

/** The namespace in which the Linux bridge driver makes taps. */
function fabricOf(config: ConfigValues): string {
  return `${(config.neutron as { network_prefix: string }).network_prefix}-fabric`
}

/** Nova's agent may play many hosts; the network reaches each of them. */
function otherFakeHosts(host: string, config: ConfigValues): string[] {
  const nova = config.nova as { agent?: { hosts?: number } } | undefined
  return fakeHostNames(host, nova?.agent?.hosts ?? 1).slice(1)
}

export async function openBus(url: string, here: World, owner: string): Promise<Bus> {
  if (url === '') return memoryBus(here)
  if (!/^amqps?:/.test(url)) throw invalid('bus.url must begin with amqp: or amqps:, or be empty', { field: 'bus.url' })
  return (await import('#base/bus/amqp.ts')).amqpBus(here, { url, name: owner })
}
