/** What the verbs about hosts and services share. */
import { clientOf } from '#base/bus/topic.ts'
import { wakeTopic } from '../contract/control-rpc.ts'
import type { Nova } from '../house.ts'
import type { HostDirectory } from '../flows/host-directory.ts'
import type { ServiceRow } from '../store/tables.ts'

/** Zone of what runs no servers. */
export const INTERNAL_ZONE = 'internal'

/** The scheduler looks at the hosts anew, in this process at once and in the others when they hear of it. */
export function hostsChanged(nova: Nova): void {
  nova.hosts.forget()
  void clientOf(nova.bus, wakeTopic)
    .hosts(null)
    .catch((thrown: unknown) => nova.world.log.module('nova.hosts').warn('Failed to tell other processes that hosts changed', { error: thrown }))
}

export const isUp = (nova: Nova, service: ServiceRow): boolean => nova.hosts.isUp(service)

/** host name → zone, of compute hosts. */
export async function zonesOf(hosts: HostDirectory): Promise<ReadonlyMap<string, string>> {
  const zones = new Map<string, string>()
  for (const state of (await hosts.states()).values()) zones.set(state.host, state.zone)
  return zones
}

export function zoneOf(nova: Nova, zones: ReadonlyMap<string, string>, service: ServiceRow): string {
  return service.binary === 'nova-compute' ? (zones.get(service.host) ?? nova.config.default_availability_zone) : INTERNAL_ZONE
}
