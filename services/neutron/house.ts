/** What the rooms of this house are given. */
import type { Client } from '#stack/client.ts'
import type { HouseParts } from '#stack/house.ts'
import type { UnifiedLimits } from '#stack/quota.ts'
import type { NeutronConfig } from './config.ts'
import type { Db, T } from './store/tables.ts'

export interface Neutron extends Pick<HouseParts<NeutronConfig>, 'world' | 'config' | 'serviceCaller' | 'bus' | 'authorizer'> {
  db: Db
  /** Whether rows are offered that no driver acts on. */
  inert: boolean
  client: Client
  /** Where limits come from: Keystone when it keeps them, else our own over the configured ones. */
  quotas: QuotaSource
  now(): number
  /** What is told to agents and to Nova once a transaction is done. */
  notices: Notices
}

export interface QuotaSource {
  defaults: Readonly<Record<string, number>>
  unified?: UnifiedLimits | undefined
}

/** Nova's words for what happened to a port. */
export type PortEvent = 'network-vif-plugged' | 'network-vif-unplugged' | 'network-changed' | 'network-vif-deleted'

/** Ids of what changed. */
export interface Changes {
  ports?: readonly string[]
  /** Networks whose DHCP is to be looked at. */
  networks?: readonly string[]
  routers?: readonly string[]
  /** Security groups and address groups whose members changed. */
  sets?: readonly string[]
}

/** All of them take effect after the commit, and losing one costs time only: agents and Nova look for themselves. */
export interface Notices {
  /** To one host's agent, or to all. */
  changed(tx: T, changes: Changes, host?: string): void
  /** Something every agent should look at as a whole. */
  everybody(tx: T, reason: string): void
  nova(tx: T, event: PortEvent, port: { id: string; device_id: string; device_owner: string }): void
}
