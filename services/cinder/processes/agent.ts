/** The storage agent of this host: one driver and one topic per backend, and heartbeats. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Serving } from '#base/bus/interface.ts'
import { clientOf, serverOf } from '#base/bus/topic.ts'
import { type Reconciler, startReconciler } from '#base/reconcile.ts'
import type { AgentParts, AgentProcess } from '#stack/house.ts'
import { backupStore } from '../agent/backup-store.ts'
import { chunkReader } from '../agent/chunk-reader.ts'
import { imageBytes } from '../agent/image-bytes.ts'
import { volumeAgent } from '../agent/volume-agent.ts'
import type { BackendConfig, CinderConfig } from '../config.ts'
import { type BackendReport, controlTopic, volumeTopic } from '../contract/volume-rpc.ts'
import { type FakeVolumeBackend, fakeVolumeBackend } from '../drivers/fake/backend.ts'
import { fakeVolumeDriver } from '../drivers/fake/driver.ts'
import { openFileDriver } from '../drivers/file/driver.ts'
import type { VolumeDriver } from '../drivers/interface.ts'

const FAKES: BackendConfig[] = [
  { name: 'fake1', driver: 'fake' },
  { name: 'fake2', driver: 'fake' },
]
const FILES: BackendConfig[] = [{ name: 'file', driver: 'file' }]

interface Backend {
  config: BackendConfig
  /** `host@backend`. */
  at: string
  driver: VolumeDriver
}

/** `fakes` are the disks of fake backends by name, for tests that look at them. */
export function agentProcess(parts: AgentParts<CinderConfig>, kind: 'fake' | 'real', fakes: Readonly<Record<string, FakeVolumeBackend>> = {}): AgentProcess {
  const { world, config, bus, host } = parts
  const log = world.log.module('cinder.agent')
  const backends = new Map<string, Backend>()
  const servings: Serving[] = []
  let heart: Reconciler | undefined

  const open = async (one: BackendConfig): Promise<VolumeDriver> => {
    if (one.driver === 'fake') return fakeVolumeDriver(fakes[one.name] ?? fakeVolumeBackend({ pool_name: one.name, ...(parts.driverStorm ? { storm: parts.driverStorm } : {}), ...(one.total_gb === undefined ? {} : { total_gb: one.total_gb }) }), world)
    const listen = one.listen === undefined ? undefined : { host: one.listen.slice(0, one.listen.lastIndexOf(':')), port: Number(one.listen.slice(one.listen.lastIndexOf(':') + 1)) }
    return openFileDriver({ root: one.root ?? join(parts.dataDir, one.name), world, pool_name: one.name, ...(listen ? { listen } : {}) })
  }

  const reportOf = async ({ config: one, at, driver }: Backend): Promise<BackendReport> => ({
    host: at,
    availability_zone: config.availability_zone,
    facts: {
      ...(await driver.facts()),
      volume_backend_name: one.volume_backend_name ?? one.name,
      reserved_percentage: one.reserved_percentage ?? 0,
      max_over_subscription_ratio: one.max_over_subscription_ratio ?? 20,
      revertable: driver.revertable !== undefined,
      manageable: driver.manageable !== undefined,
      backupable: driver.backupable !== undefined,
      group_snapshots: driver.groupSnapshotable !== undefined,
    },
  })

  const report = async (): Promise<void> => {
    const reports: BackendReport[] = []
    for (const backend of backends.values()) {
      // A backend that does not answer misses its heartbeat; the others do not.
      await reportOf(backend).then(
        (one) => reports.push(one),
        (thrown: unknown) => log.warn('Failed to ask a backend how it is', { backend: backend.at, error: thrown }),
      )
    }
    await clientOf(bus, controlTopic).report({ host, availability_zone: config.availability_zone, backends: reports })
  }

  async function* readElsewhere(at: string, volume_id: string): AsyncGenerator<Uint8Array> {
    const here = backends.get(at)
    if (here?.driver.backupable) {
      yield* here.driver.backupable.readVolume({ volume_id })
      return
    }
    const far = clientOf(bus, volumeTopic, at)
    const session = world.random.uuid()
    for (let index = 0; ; index++) {
      const { base64, zeros } = await far.readChunk({ volume_id, session, index })
      if (base64 === '' && zeros === 0) return
      yield zeros > 0 ? new Uint8Array(zeros) : Buffer.from(base64, 'base64')
    }
  }

  return {
    async start() {
      const folder = join(parts.dataDir, 'work')
      const images = imageBytes({ world, client: parts.client, serviceCaller: parts.serviceCaller, folder })
      await images.clean()
      const backups = backupStore(config.backup_dir || join(parts.dataDir, 'backups'))
      const wanted = config.backends.length > 0 ? config.backends : kind === 'fake' ? FAKES : FILES
      for (const one of wanted) {
        // A cloud of fakes touches no disk of its host, whatever the configuration says of the real one.
        const backend: Backend = { config: one, at: `${host}@${one.name}`, driver: await open(kind === 'fake' ? { ...one, driver: 'fake' } : one) }
        backends.set(backend.at, backend)
        const server = volumeAgent({ driver: backend.driver, images, backups, chunks: chunkReader(world), readElsewhere, report: async () => heart?.wake() })
        servings.push(await serverOf(bus, volumeTopic, server, { at: backend.at }))
      }
      heart = startReconciler({ name: 'cinder.agent', every: config.report_interval, retry: 2_000, world, run: report })
      await report().catch((thrown: unknown) => log.warn('Failed to report at the start', { error: thrown }))
    },
    async close() {
      await heart?.close()
      for (const serving of servings) await serving.close()
      for (const { driver } of backends.values()) await driver.close()
      await rm(join(parts.dataDir, 'work'), { recursive: true, force: true })
    },
  }
}
