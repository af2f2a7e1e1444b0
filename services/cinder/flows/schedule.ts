/** Asks the scheduler with what the database knows. */
import { Fault } from '#base/fault.ts'
import type { ReportedFacts } from '../contract/volume-rpc.ts'
import { type Pool, schedule, type Wish } from '../core/scheduler.ts'
import type { Cinder } from '../house.ts'
import { allServices } from '../store/services.ts'
import type { ServiceRow } from '../store/tables.ts'
import { promisedSince } from '../store/volumes.ts'

export async function pools(house: Cinder): Promise<Pool[]> {
  const services = await allServices(house.db, 'cinder-volume')
  if (services.length === 0) return []
  const promised = await promisedSince(house.db, Math.min(...services.map((one) => one.beat_at)))
  return services.map((service) => poolOf(house, service, promised))
}

function poolOf(house: Cinder, service: ServiceRow, promised: ReadonlyMap<string, number>): Pool {
  const facts = JSON.parse(service.facts) as ReportedFacts
  return {
    host: service.host,
    availability_zone: service.availability_zone,
    usable: service.disabled === 0 && service.frozen === 0 && isUp(house, service),
    facts,
    promised_gb: promised.get(`${service.host}#${facts.pool_name}`) ?? 0,
  }
}

export function isUp(house: Cinder, service: Pick<ServiceRow, 'beat_at'>): boolean {
  return house.world.clock.now() - service.beat_at <= house.config.service_down_time
}

/** At most three hosts, best first; throws when there is none. */
export async function choose(house: Cinder, wish: Wish): Promise<string[]> {
  const choice = schedule(await pools(house), wish)
  if (choice.hosts.length === 0) {
    throw new Fault('unavailable', 'No valid backend was found. No weighed backends available', { code: 'scheduler.none', detail: `left out by ${choice.refused_by ?? 'there being none'}` })
  }
  return choice.hosts.slice(0, 3)
}
