/** Neutron's API and worker in one process. */
import type { Serving } from '#base/bus/interface.ts'
import { corridor } from '#stack/corridor.ts'
import type { ControlProcess, HouseParts } from '#stack/house.ts'
import { withLimits } from '#stack/quota.ts'
import type { NeutronConfig } from '../config.ts'
import { spelling } from '../api/spelling.ts'
import { CONTROL_TOPIC, type ControlRpc } from '../contract/rpc.ts'
import { instanceAt, takeHeartbeat, takeReport } from '../flows/agent-reports.ts'
import { notices } from '../flows/notices.ts'
import type { Neutron } from '../house.ts'
import { plate, routesOf } from '../service.ts'
import { planOf, wishesOf } from '../store/plan-facts.ts'
import { retrying } from '../store/retrying.ts'
import { keepDefaultRanges } from '../store/segments.ts'
import type { Tables } from '../store/tables.ts'

export function controlProcess(parts: HouseParts<NeutronConfig>): ControlProcess {
  const db = retrying(parts.db.as<Tables>())
  const house: Neutron = {
    world: parts.world,
    config: parts.config,
    serviceCaller: parts.serviceCaller,
    bus: parts.bus,
    authorizer: parts.authorizer,
    client: parts.client,
    quotas: { defaults: parts.config.default_quotas, unified: parts.unifiedLimits },
    db,
    inert: parts.config.inert_extensions === 'show' || (parts.config.inert_extensions === 'auto' && parts.drivers !== 'real'),
    now: () => parts.world.clock.now(),
    notices: notices({ ...parts, db }),
  }
  const routes = withLimits(routesOf(house), parts.unifiedLimits)
  const door = corridor({ world: parts.world, dialect: plate.dialect, routes, tokens: parts.tokens, authorizer: parts.authorizer, identityUrl: parts.identityUrl })
  const rpc: ControlRpc = {
    planOf: ({ host }) => planOf(house.db, host, house.config),
    wishesOf: ({ host, ...ids }) => wishesOf(house.db, host, ids, house.config),
    reportPorts: (report) => takeReport(house, report),
    heartbeat: (beat) => takeHeartbeat(house, beat),
    instanceAt: (question) => instanceAt(house, question),
  }
  const spelled = spelling(routes)
  let serving: Serving | undefined
  return {
    plate,
    routes,
    handler: (request) => {
      request.path = spelled(request.path)
      return door(request)
    },
    async start() {
      await keepDefaultRanges(house.db, house.config, () => parts.world.random.uuid(), house.now())
      serving = await parts.bus.serve(CONTROL_TOPIC, rpc as never)
    },
    async close() {
      await serving?.close()
    },
  }
}
