/** The controller side: the API, and the worker that runs flows, hears agents and keeps house. */
import { serverOf } from '#base/bus/topic.ts'
import type { Serving } from '#base/bus/interface.ts'
import { FlowEngine } from '#base/flow/engine.ts'
import { type Reconciler, startReconciler } from '#base/reconcile.ts'
import { corridor } from '#stack/corridor.ts'
import { type ControlProcess, engineSettings, type HouseParts } from '#stack/house.ts'
import { withLimits } from '#stack/quota.ts'
import { withLegacyPaths } from '../api/legacy-paths.ts'
import type { NovaConfig } from '../config.ts'
import { controlTopic, wakeTopic } from '../contract/control-rpc.ts'
import { flowList, makeFlows } from '../flows/flows.ts'
import { HostDirectory, PULSE } from '../flows/host-directory.ts'
import { hostReports } from '../flows/host-reports.ts'
import { housekeeping } from '../flows/housekeeping.ts'
import { Wakes } from '../flows/wakes.ts'
import type { Nova } from '../house.ts'
import { plate, routesOf } from '../service.ts'
import { consoleProxy } from './console-proxy.ts'
import type { NovaTables } from '../store/tables.ts'

/** For tests: faults of flows. */
export interface ControlOptions {
  faults?: ConstructorParameters<typeof FlowEngine>[0]['faults']
  onHouse?: (nova: Nova) => void
}

export function controlProcess(parts: HouseParts<NovaConfig>, options: ControlOptions = {}): ControlProcess {
  const { world, config, bus, client, tokens, authorizer, identityUrl } = parts
  const db = parts.db.as<NovaTables>()
  const nova: Nova = {
    world, config, db, bus, client,
    service: parts.serviceCaller,
    engine: undefined as never,
    flows: undefined as never,
    hosts: new HostDirectory({ db, world, config }),
    wakes: new Wakes(world.clock),
    quotas: { defaults: config.quota, unified: parts.unifiedLimits },
    publicUrl: parts.publicUrl,
  }
  nova.flows = makeFlows(nova)
  nova.engine = new FlowEngine({ house: 'nova', db: parts.db, world, owner: parts.owner, announce: () => void bus.fanout('nova.wake', 'look', null), ...engineSettings(parts), ...(options.faults ? { faults: options.faults } : {}) }, flowList(nova.flows))
  options.onHouse?.(nova)
  const routes = withLimits(routesOf(nova), parts.unifiedLimits)
  const serving: Serving[] = []
  const reconcilers: Reconciler[] = []
  return {
    plate,
    routes,
    handler: withLegacyPaths(corridor({ world, dialect: plate.dialect, routes, tokens, authorizer, identityUrl })),
    onUpgrade: consoleProxy(nova, parts.host),
    async start() {
      serving.push(
        await serverOf(bus, controlTopic, hostReports(nova)),
        await serverOf(bus, wakeTopic, {
          wake: async ({ server_ids }) => {
            for (const id of server_ids) nova.wakes.wake(id)
          },
          look: () => nova.engine.look(),
          hosts: async () => nova.hosts.forget(),
        }),
      )
      nova.engine.open()
      const keep = housekeeping(nova, parts.host)
      await keep.beat()
      reconcilers.push(
        startReconciler({
          name: 'nova.pulse',
          every: config.report_interval / PULSE,
          world,
          // Nobody listens: the broker's own confirmation is the answer.
          run: async () => {
            await bus.fanout('nova.pulse', 'beat', null)
            nova.hosts.brokerAnswered()
          },
        }),
        startReconciler({ name: 'nova.beat', every: config.report_interval, world, run: keep.beat }),
        startReconciler({ name: 'nova.housekeeping', every: 60_000, world, run: keep.round }),
      )
    },
    async close(grace = 0) {
      await Promise.all(reconcilers.map((one) => one.close()))
      await nova.engine.close(grace)
      await Promise.all(serving.map((one) => one.close()))
    },
  }
}
