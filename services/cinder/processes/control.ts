/** Cinder's API, scheduler and worker in one process. */
import type { Serving } from '#base/bus/interface.ts'
import { serverOf } from '#base/bus/topic.ts'
import type { Flow } from '#base/flow/definition.ts'
import { FlowEngine } from '#base/flow/engine.ts'
import { type Reconciler, startReconciler } from '#base/reconcile.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import { corridor } from '#stack/corridor.ts'
import { emptyIds } from '#stack/empty-id.ts'
import { type ControlProcess, engineSettings, type HouseParts } from '#stack/house.ts'
import { withLimits } from '#stack/quota.ts'
import { adminAware } from '../api/admin.ts'
import type { CinderConfig } from '../config.ts'
import { controlTopic } from '../contract/volume-rpc.ts'
import { flowsOf } from '../flows/index.ts'
import { agents, type Cinder } from '../house.ts'
import { plate, routesOf } from '../service.ts'
import { deleteExpiredMessages } from '../store/messages.ts'
import { beat } from '../store/services.ts'
import type { CinderTables, ServiceRow } from '../store/tables.ts'
import { insertType, typeByName } from '../store/types.ts'

export function controlProcess(parts: HouseParts<CinderConfig>): ControlProcess {
  const { world, config } = parts
  const house: Cinder = {
    world,
    config,
    client: parts.client,
    serviceCaller: parts.serviceCaller,
    host: parts.host,
    publicUrl: parts.publicUrl,
    ...(parts.unifiedLimits ? { unifiedLimits: parts.unifiedLimits } : {}),
    db: parts.db.as<CinderTables>(),
    agentAt: agents(parts.bus, config.agent_wait),
    engine: undefined as never,
    flows: undefined as never,
  }
  house.flows = flowsOf(house)
  house.engine = new FlowEngine({ house: 'cinder', db: parts.db, world, owner: parts.owner, ...engineSettings(parts) }, Object.values(house.flows) as unknown as Flow<never>[])
  const routes = withLimits(routesOf(house), parts.unifiedLimits)
  const handler = emptyIds(corridor({ world, dialect: plate.dialect, routes, tokens: parts.tokens, authorizer: adminAware(parts.authorizer), identityUrl: parts.identityUrl }))
  let serving: Serving | undefined
  let heart: Reconciler | undefined

  const serviceRow = (host: string, binary: string, availability_zone: string, facts: object): ServiceRow => {
    const now = world.clock.now()
    return { id: world.random.uuid(), host, binary, availability_zone, disabled: 0, disabled_reason: null, frozen: 0, facts: JSON.stringify(facts), beat_at: now, created_at: now, updated_at: now }
  }
  const ownBeat = async (): Promise<void> => {
    await beat(house.db, serviceRow(parts.host, 'cinder-scheduler', config.availability_zone, {}))
    await deleteExpiredMessages(house.db, world.clock.now())
  }

  return {
    plate,
    routes,
    handler,
    async start() {
      await ensureDefaultType(house)
      await ownBeat()
      serving = await serverOf(parts.bus, controlTopic, {
        async report({ host, availability_zone, backends }) {
          for (const one of backends) await beat(house.db, serviceRow(one.host, 'cinder-volume', one.availability_zone, one.facts))
          await beat(house.db, serviceRow(host, 'cinder-backup', availability_zone, {}))
        },
      })
      heart = startReconciler({ name: 'cinder.control', every: config.report_interval, world, run: ownBeat })
      house.engine.open()
    },
    async close(grace) {
      await house.engine.close(grace)
      await heart?.close()
      await serving?.close()
    },
  }
}

/** A cloud has a type for volumes that name none. */
async function ensureDefaultType({ db, config, world }: Cinder): Promise<void> {
  const name = config.default_volume_type
  if (await typeByName(db, name)) return
  try {
    await insertType(db, { id: world.random.uuid(), name, description: 'Default Volume Type', is_public: 1, extra_specs: '{}', qos_specs_id: null, created_at: world.clock.now(), updated_at: null })
  } catch (thrown) {
    if (!isDuplicate(db.engine, thrown)) throw thrown
  }
}
