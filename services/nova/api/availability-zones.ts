/** Availability zones, as aggregates and the configuration make them, with the hosts in them for administrators. */
import { isoMicros } from '#base/clock.ts'
import { route, type Route } from '#stack/route.ts'
import type { Nova } from '../house.ts'
import { services } from '../store/computes.ts'
import type { ServiceRow } from '../store/tables.ts'
import { INTERNAL_ZONE, isUp, zoneOf, zonesOf } from './service-steps.ts'

interface ZoneView {
  zoneName: string
  zoneState: { available: boolean }
  hosts: Record<string, Record<string, { available: boolean; active: boolean; updated_at: string | null }>> | null
}

export function availabilityZoneRoutes(nova: Nova): Route[] {
  return [
    route({ method: 'GET', path: '/v2.1/os-availability-zone', name: 'availability-zones.index', policy: 'os_compute_api:os-availability-zone:list', status: 200, handle: async () => ({ json: { availabilityZoneInfo: await zones(nova, false) } }) }),
    route({ method: 'GET', path: '/v2.1/os-availability-zone/detail', name: 'availability-zones.detail', policy: 'os_compute_api:os-availability-zone:detail', status: 200, handle: async () => ({ json: { availabilityZoneInfo: await zones(nova, true) } }) }),
  ]
}

/** A zone is there to be used when one service in it is enabled. */
async function zones(nova: Nova, detail: boolean): Promise<ZoneView[]> {
  const [all, hostZones] = await Promise.all([services(nova.db), zonesOf(nova.hosts)])
  const inZone = Map.groupBy(all, (service) => zoneOf(nova, hostZones, service))
  const found: ZoneView[] = []
  for (const [zoneName, members] of inZone) {
    if (zoneName === INTERNAL_ZONE && !detail) continue
    const enabled = members.filter((service) => service.disabled === 0)
    if (enabled.length === 0) found.push({ zoneName, zoneState: { available: false }, hosts: null })
    else found.push({ zoneName, zoneState: { available: true }, hosts: detail ? hostsView(nova, enabled) : null })
  }
  return found.toSorted((a, b) => Number(b.zoneState.available) - Number(a.zoneState.available))
}

function hostsView(nova: Nova, members: readonly ServiceRow[]): NonNullable<ZoneView['hosts']> {
  const hosts: NonNullable<ZoneView['hosts']> = {}
  for (const service of members) (hosts[service.host] ??= {})[service.binary] = { active: true, available: isUp(nova, service), updated_at: isoMicros(service.last_seen_at) }
  return hosts
}
