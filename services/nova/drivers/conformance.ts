/**
 * The one suite that every driver passes. A driver's test makes a bench (a host to drive, images, volumes) and calls `driverConformance`;
 * the fake's is the specification, the real one's boots a real guest. The tests of a block share a guest and run in order, because a boot
 * is dear; each begins by saying what it relies on.
 *
 * A driver without an ability skips that ability's tests, with its absence as the reason.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import { realClock } from '#base/clock.ts'
import { type Fault, type FaultKind, isFault } from '#base/fault.ts'
import { Secret } from '#base/secret.ts'
import type { ComputeDriver, ConnectionInfo, GuestSpec, ImageSource, PowerState, VolumeSpec } from './interface.ts'

/** What the suite needs of the outside. */
export interface Bench {
  /** A new driver on the same host, as after a restart of the agent. */
  open(): Promise<ComputeDriver>
  /** Another host that guests can migrate to. */
  peer?(): Promise<ComputeDriver>
  source: ImageSource
  image_id: string
  /** How often the source was asked for the image. */
  fetches(imageId: string): number
  /** Makes `fetch` of this image wait until the returned function is called. */
  holdImage(imageId: string): () => void
  memory_mb: number
  /** GiB: more than the image needs. */
  root_gb: number
  /** Resolves when the guest's system is up `boots` times since it was made. */
  booted(driver: ComputeDriver, serverId: string, boots: number): Promise<void>
  /** The guest turns itself off, from inside. */
  powersOffInside(driver: ComputeDriver, serverId: string): Promise<void>
  volume(volumeId: string, size_gb: number): Promise<ConnectionInfo>
  growVolume(volumeId: string, size_gb: number): Promise<void>
  /** An absolute path that is free, for a snapshot. */
  freePath(): string
  /** Milliseconds that a wait may take. */
  patience: number
  close(): Promise<void>
}

let serial = 0

/** A UUID that tells which guest of the run it is. */
export function testId(): string {
  serial += 1
  return `00000000-0000-4000-8000-${serial.toString(16).padStart(12, '0')}`
}

export function makeSpec(bench: Pick<Bench, 'image_id' | 'memory_mb' | 'root_gb'>, more: Partial<GuestSpec> = {}): GuestSpec {
  const server_id = more.server_id ?? testId()
  return {
    server_id,
    name: `instance-${server_id.slice(-8)}`,
    vcpus: 1,
    memory_mb: bench.memory_mb,
    root: { from: 'image', image_id: bench.image_id, size_gb: bench.root_gb },
    ephemerals: [],
    swap_mb: 0,
    nics: [],
    volumes: [],
    hints: {},
    ...more,
  }
}

export function driverConformance(name: string, makeBench: () => Promise<Bench>): void {
  describe(`${name} conforms`, () => {
    let bench: Bench
    let driver: ComputeDriver
    before(async () => {
      bench = await makeBench()
      driver = await bench.open()
    })
    after(async () => {
      await destroyAll(driver)
      await driver.close()
      await bench.close()
    })

    const restartAgent = async (): Promise<void> => {
      await driver.close()
      driver = await bench.open()
    }
    const destroy = async (serverId: string): Promise<void> => {
      const { host_id } = await driver.facts()
      await driver.ensureNoGuest({ server_id: serverId, host_id })
    }
    const stateBecomes = (serverId: string, state: PowerState): Promise<void> =>
      until(`${serverId} is ${state}`, bench.patience, async () => (await driver.powerState(serverId)) === state)

    describe('the core', () => {
      it('tells what the host has, and the same host id after a restart', async () => {
        const facts = await driver.facts()
        assert.ok(facts.vcpus >= 1)
        assert.ok(facts.memory_mb > 0)
        assert.ok(facts.hypervisor_hostname.length > 0)
        assert.ok(Number.isInteger(facts.hypervisor_version))
        assert.ok(facts.accelerator.reason.length > 0)
        await restartAgent()
        assert.equal((await driver.facts()).host_id, facts.host_id)
      })

      it('knows no guest that was not made', async () => {
        const nobody = testId()
        await fails(driver.powerState(nobody), 'not_found')
        await fails(driver.powerOn(nobody), 'not_found')
        await fails(driver.reboot(nobody, 'hard'), 'not_found')
        if (driver.rebuildable) await fails(driver.rebuildable.ensureRebuilt(makeSpec(bench, { server_id: nobody }), bench.source, { rebuild_id: testId(), power: 'running' }), 'not_found')
        if (driver.snapshotable) await fails(driver.snapshotable.snapshot(nobody, { path: bench.freePath(), format: 'raw' }), 'not_found')
        await destroy(nobody)
        assert.deepEqual((await driver.list()).filter((one) => one.server_id === nobody), [])
      })

      it('refuses a wish that cannot be, and names the field', async () => {
        const bad = async (more: Partial<GuestSpec>, field: string): Promise<void> => {
          const spec = makeSpec(bench, more)
          const fault = await fails(driver.ensureGuest(spec, bench.source, 'shutdown'), 'invalid')
          assert.equal(fault.field, field)
          await destroy(spec.server_id)
        }
        await bad({ vcpus: 0 }, 'vcpus')
        await bad({ memory_mb: -1 }, 'memory_mb')
        await bad({ root: { from: 'volume', volume_id: testId() } }, 'root')
      })

      it('makes a guest that is off, twice, with its image fetched once', async () => {
        const [one, two] = [makeSpec(bench), makeSpec(bench)]
        await Promise.all([one, two, one].map((spec) => driver.ensureGuest(spec, bench.source, 'shutdown')))
        assert.equal(bench.fetches(bench.image_id), 1)
        assert.equal(await driver.powerState(one.server_id), 'shutdown')
        assert.equal(await driver.powerState(two.server_id), 'shutdown')
        const ids = (await driver.list()).map((guest) => guest.server_id)
        assert.ok(ids.includes(one.server_id) && ids.includes(two.server_id))
        assert.equal(new Set(ids).size, ids.length)
        await destroy(one.server_id)
        await destroy(two.server_id)
      })

      it('begins again after an image could not be fetched', async () => {
        const spec = makeSpec(bench, { root: { from: 'image', image_id: `${bench.image_id}-absent`, size_gb: bench.root_gb } })
        await fails(driver.ensureGuest(spec, bench.source, 'running'), 'not_found')
        await driver.ensureGuest({ ...spec, root: { from: 'image', image_id: bench.image_id, size_gb: bench.root_gb } }, bench.source, 'shutdown')
        assert.equal(await driver.powerState(spec.server_id), 'shutdown')
        await destroy(spec.server_id)
      })

      it('destroys nothing for a tombstone of another host', async () => {
        const spec = makeSpec(bench)
        await driver.ensureGuest(spec, bench.source, 'shutdown')
        await fails(driver.ensureNoGuest({ server_id: spec.server_id, host_id: 'another' }), 'conflict')
        assert.equal(await driver.powerState(spec.server_id), 'shutdown')
        await destroy(spec.server_id)
        await destroy(spec.server_id)
        await fails(driver.powerState(spec.server_id), 'not_found')
      })

      it('lets destruction win over a making that hangs, and other guests of the image live', async () => {
        const image_id = `${bench.image_id}-held`
        const root = { from: 'image', image_id, size_gb: bench.root_gb } as const
        const release = bench.holdImage(image_id)
        const [doomed, other] = [makeSpec(bench, { root }), makeSpec(bench, { root })]
        const making = driver.ensureGuest(doomed, bench.source, 'shutdown').then(
          () => undefined,
          (thrown: unknown) => thrown,
        )
        const living = driver.ensureGuest(other, bench.source, 'shutdown')
        await until('the image is being fetched', bench.patience, async () => bench.fetches(image_id) > 0)
        await Promise.all([destroy(doomed.server_id), destroy(doomed.server_id)])
        assert.ok(isFault(await making, 'conflict'), 'the making gave up')
        await fails(driver.powerState(doomed.server_id), 'not_found')
        release()
        await living
        assert.equal(await driver.powerState(other.server_id), 'shutdown')
        await destroy(other.server_id)
      })

      it('keeps calls of one guest in order and those of others apart', async () => {
        const image_id = `${bench.image_id}-slow`
        const release = bench.holdImage(image_id)
        const slow = makeSpec(bench, { root: { from: 'image', image_id, size_gb: bench.root_gb } })
        const quick = makeSpec(bench)
        const order: string[] = []
        const making = driver.ensureGuest(slow, bench.source, 'shutdown').then(() => order.push('made'))
        const after = driver.powerOff(slow.server_id).then(() => order.push('powered off'))
        await driver.ensureGuest(quick, bench.source, 'shutdown')
        order.push('other guest made')
        release()
        await Promise.all([making, after])
        assert.deepEqual(order, ['other guest made', 'made', 'powered off'])
        await destroy(slow.server_id)
        await destroy(quick.server_id)
      })
    })

    describe('a running guest', () => {
      let spec: GuestSpec
      let boots = 0
      const up = async (): Promise<void> => {
        boots += 1
        await bench.booted(driver, spec.server_id, boots)
      }

      it('starts, and starting again changes nothing', async () => {
        spec = makeSpec(bench, {
          config_drive: new Secret({ 'openstack/latest/meta_data.json': JSON.stringify({ uuid: testId(), hostname: 'conforming', name: 'conforming' }) }),
          nics: [{ port_id: testId(), mac: 'fa:16:3e:00:00:01' }],
        })
        await driver.ensureGuest(spec, bench.source, 'running')
        assert.equal(await driver.powerState(spec.server_id), 'running')
        await Promise.all([driver.ensureGuest(spec, bench.source, 'running'), driver.powerOn(spec.server_id)])
        await up()
        await driver.ensureGuest(spec, bench.source, 'running')
        assert.equal(await driver.powerState(spec.server_id), 'running')
      })

      it('lives through a restart of the agent', async () => {
        await restartAgent()
        assert.equal(await driver.powerState(spec.server_id), 'running')
        await driver.ensureGuest(spec, bench.source, 'running')
        assert.ok((await driver.list()).some((one) => one.server_id === spec.server_id && one.power_state === 'running'))
      })

      it('pauses and goes on', async (t) => {
        if (absent(t, driver.pausable)) return
        await driver.pausable!.pause(spec.server_id)
        await driver.pausable!.pause(spec.server_id)
        assert.equal(await driver.powerState(spec.server_id), 'paused')
        await driver.ensureGuest(spec, bench.source, 'running')
        assert.equal(await driver.powerState(spec.server_id), 'paused', 'ensuring is not unpausing')
        await driver.pausable!.unpause(spec.server_id)
        await driver.pausable!.unpause(spec.server_id)
        assert.equal(await driver.powerState(spec.server_id), 'running')
      })

      it('gives the end of its console', async (t) => {
        if (absent(t, driver.consoleLog)) return
        const all = await driver.consoleLog!.consoleLog(spec.server_id)
        assert.ok(all.split('\n').length > 5)
        const three = await driver.consoleLog!.consoleLog(spec.server_id, 3)
        assert.ok(three.split('\n').filter((line, index, lines) => line !== '' || index < lines.length - 1).length <= 3)
        assert.ok(all.includes(three.split('\n')[0] ?? '?'))
        assert.equal(await driver.consoleLog!.consoleLog(spec.server_id, 0), '')
        await fails(driver.consoleLog!.consoleLog(testId()), 'not_found')
      })

      it('takes a volume, sees it grow, gives it back', async (t) => {
        if (absent(t, driver.volumeAttachable)) return
        const volumes = driver.volumeAttachable!
        const volume_id = testId()
        const volume: VolumeSpec = { volume_id, connection: await bench.volume(volume_id, 1), device: '/dev/vdb' }
        await volumes.attachVolume(spec.server_id, volume)
        await volumes.attachVolume(spec.server_id, volume)
        assert.deepEqual((await volumes.attachedVolumes(spec.server_id)).map((one) => one.volume_id), [volume_id])
        await bench.growVolume(volume_id, 2)
        await volumes.extendVolume(spec.server_id, volume_id, 2 * 2 ** 30)
        await fails(volumes.extendVolume(spec.server_id, testId(), 2 ** 30), 'not_found')
        await restartAgent()
        const again = driver.volumeAttachable!
        assert.deepEqual((await again.attachedVolumes(spec.server_id)).map((one) => one.volume_id), [volume_id])
        await again.detachVolume(spec.server_id, volume_id)
        await again.detachVolume(spec.server_id, volume_id)
        assert.deepEqual(await again.attachedVolumes(spec.server_id), [])
      })

      it('takes a card and gives it back', async (t) => {
        if (absent(t, driver.nicAttachable)) return
        const nic = { port_id: testId(), mac: 'fa:16:3e:00:00:02' }
        await driver.nicAttachable!.attachNic(spec.server_id, nic)
        await driver.nicAttachable!.attachNic(spec.server_id, nic)
        assert.equal((await driver.nicAttachable!.attachedNics(spec.server_id)).length, 2)
        await driver.nicAttachable!.detachNic(spec.server_id, nic.port_id)
        await driver.nicAttachable!.detachNic(spec.server_id, nic.port_id)
        assert.deepEqual((await driver.nicAttachable!.attachedNics(spec.server_id)).map((one) => one.port_id), spec.nics.map((one) => one.port_id))
      })

      it('is diagnosed', async (t) => {
        if (absent(t, driver.diagnosable)) return
        const found = await driver.diagnosable!.diagnostics(spec.server_id)
        assert.equal(found.state, 'running')
        assert.equal(found.num_cpus, 1)
        assert.equal(found.num_nics, 1)
        assert.equal(found.nic_details[0]?.mac_address, 'fa:16:3e:00:00:01')
        assert.equal(found.cpu_details.length, 1)
        assert.ok(found.disk_details.length >= 1)
        assert.equal(found.memory_details.maximum, spec.memory_mb)
      })

      it('is copied while it runs', async (t) => {
        if (absent(t, driver.snapshotable)) return
        const path = bench.freePath()
        const first = await driver.snapshotable!.snapshot(spec.server_id, { path, format: 'qcow2' })
        assert.equal(first.virtual_size, bench.root_gb * 2 ** 30)
        const second = await driver.snapshotable!.snapshot(spec.server_id, { path, format: 'qcow2' })
        assert.ok(second.size > 0)
        assert.equal(await driver.powerState(spec.server_id), 'running')
      })

      it('suspends, is found suspended after a restart, and resumes', async (t) => {
        if (absent(t, driver.suspendable)) return
        await driver.suspendable!.suspend(spec.server_id)
        await driver.suspendable!.suspend(spec.server_id)
        assert.equal(await driver.powerState(spec.server_id), 'suspended')
        await fails(driver.powerOn(spec.server_id), 'conflict')
        await driver.ensureGuest(spec, bench.source, 'running')
        await restartAgent()
        assert.equal(await driver.powerState(spec.server_id), 'suspended', 'ensuring is not resuming')
        await driver.suspendable!.resume(spec.server_id)
        await driver.suspendable!.resume(spec.server_id)
        assert.equal(await driver.powerState(spec.server_id), 'running')
      })

      it('reboots softly, itself the same guest', async () => {
        await driver.reboot(spec.server_id, 'soft', { soft_timeout: bench.patience })
        assert.equal(await driver.powerState(spec.server_id), 'running')
        await up()
      })

      it('is seen to turn itself off', async (t) => {
        const told: string[] = []
        const stop = driver.lifecycleWatchable?.watch((serverId) => told.push(serverId))
        await driver.powerState(spec.server_id)
        await bench.powersOffInside(driver, spec.server_id)
        await stateBecomes(spec.server_id, 'shutdown')
        if (stop) await until('the watcher was told', bench.patience, async () => told.includes(spec.server_id))
        else t.diagnostic('no lifecycleWatchable')
        stop?.()
        await driver.powerOff(spec.server_id, { soft_timeout: 1_000 })
        assert.equal(await driver.powerState(spec.server_id), 'shutdown')
      })

      it('refuses what needs a running guest', async () => {
        if (driver.pausable) await fails(driver.pausable.pause(spec.server_id), 'conflict')
        if (driver.suspendable) {
          await fails(driver.suspendable.suspend(spec.server_id), 'conflict')
          await fails(driver.suspendable.resume(spec.server_id), 'conflict')
        }
        if (driver.consoleSockets) await fails(driver.consoleSockets.vnc(spec.server_id), 'conflict')
        if (driver.interruptible) await fails(driver.interruptible.interrupt(spec.server_id), 'conflict')
      })

      it('is copied while it is off', async (t) => {
        if (absent(t, driver.snapshotable)) return
        const made = await driver.snapshotable!.snapshot(spec.server_id, { path: bench.freePath(), format: 'raw' })
        assert.equal(made.virtual_size, bench.root_gb * 2 ** 30)
      })

      it('keeps a volume that was attached while it was off', async (t) => {
        if (absent(t, driver.volumeAttachable)) return
        const volume_id = testId()
        await driver.volumeAttachable!.attachVolume(spec.server_id, { volume_id, connection: await bench.volume(volume_id, 1) })
        await driver.powerOn(spec.server_id)
        await driver.powerOn(spec.server_id)
        assert.equal(await driver.powerState(spec.server_id), 'running')
        const disks = (await driver.diagnosable?.diagnostics(spec.server_id))?.disk_details.length
        assert.ok(disks === undefined || disks >= 2)
        await driver.powerOff(spec.server_id)
        await driver.volumeAttachable!.detachVolume(spec.server_id, volume_id)
      })

      it('ends at once when the plug is pulled, and hard reboot starts it', async () => {
        await driver.reboot(spec.server_id, 'hard')
        assert.equal(await driver.powerState(spec.server_id), 'running')
        await driver.powerOff(spec.server_id)
        await driver.powerOff(spec.server_id)
        assert.equal(await driver.powerState(spec.server_id), 'shutdown')
      })

      it('grows, goes back, and grows for good', async (t) => {
        if (absent(t, driver.resizable)) return
        const resizable = driver.resizable!
        const larger: GuestSpec = { ...spec, vcpus: 2, root: { from: 'image', image_id: bench.image_id, size_gb: bench.root_gb + 1 } }
        const resize_id = testId()
        await resizable.ensureResized(larger, { resize_id })
        await resizable.ensureResized(larger, { resize_id })
        await fails(resizable.ensureResized(larger, { resize_id: testId() }), 'conflict')
        await driver.powerOn(spec.server_id)
        assert.equal((await driver.diagnosable?.diagnostics(spec.server_id))?.num_cpus ?? 2, 2)
        await resizable.revertResize(spec.server_id)
        await resizable.revertResize(spec.server_id)
        assert.equal(await driver.powerState(spec.server_id), 'shutdown')
        assert.equal((await driver.diagnosable?.diagnostics(spec.server_id))?.num_cpus ?? 1, 1)
        await resizable.ensureResized(larger, { resize_id: testId() })
        await resizable.confirmResize(spec.server_id)
        await resizable.confirmResize(spec.server_id)
        await resizable.revertResize(spec.server_id)
        assert.equal((await driver.diagnosable?.diagnostics(spec.server_id))?.num_cpus ?? 2, 2)
        await fails(resizable.ensureResized(spec, { resize_id: testId() }), 'invalid')
        const copy = await driver.snapshotable?.snapshot(spec.server_id, { path: bench.freePath(), format: 'qcow2' })
        assert.equal(copy?.virtual_size ?? (bench.root_gb + 1) * 2 ** 30, (bench.root_gb + 1) * 2 ** 30)
      })

      it('is rescued and comes back', async (t) => {
        if (absent(t, driver.rescuable)) return
        const rescue = { image_id: bench.image_id }
        await driver.rescuable!.rescue(spec.server_id, rescue, bench.source)
        await driver.rescuable!.rescue(spec.server_id, rescue, bench.source)
        assert.equal(await driver.powerState(spec.server_id), 'running')
        await driver.rescuable!.unrescue(spec.server_id)
        await driver.rescuable!.unrescue(spec.server_id)
        assert.equal(await driver.powerState(spec.server_id), 'running')
        await driver.powerOff(spec.server_id)
      })

      it('is rebuilt once per rebuild', async (t) => {
        if (absent(t, driver.rebuildable)) return
        const rebuild = { rebuild_id: testId(), power: 'shutdown' } as const
        await driver.rebuildable!.ensureRebuilt(spec, bench.source, rebuild)
        await driver.rebuildable!.ensureRebuilt(spec, bench.source, rebuild)
        assert.equal(await driver.powerState(spec.server_id), 'shutdown')
        await driver.rebuildable!.ensureRebuilt(spec, bench.source, { rebuild_id: testId(), power: 'running' })
        assert.equal(await driver.powerState(spec.server_id), 'running')
      })

      it('is destroyed while it runs', async () => {
        await destroy(spec.server_id)
        await fails(driver.powerState(spec.server_id), 'not_found')
        await restartAgent()
        assert.ok(!(await driver.list()).some((one) => one.server_id === spec.server_id))
      })
    })

    describe('a guest that moves', () => {
      it('leaves while it runs and never starts again here', async (t) => {
        if (absent(t, driver.liveMigratable) || absent(t, bench.peer)) return
        const there = await bench.peer!()
        try {
          const spec = makeSpec(bench)
          const { server_id } = spec
          await driver.ensureGuest(spec, bench.source, 'running')
          await bench.booted(driver, server_id, 1)
          const layout = await driver.liveMigratable!.layout(server_id)
          const target = await there.liveMigratable!.prepareIncoming(spec, layout, bench.source, '127.0.0.1')
          await fails(there.liveMigratable!.finishIncoming(server_id), 'conflict')
          await driver.liveMigratable!.migrateOut(server_id, target, { timeout: bench.patience })
          await driver.liveMigratable!.migrateOut(server_id, target)
          await there.liveMigratable!.finishIncoming(server_id)
          await there.liveMigratable!.finishIncoming(server_id)
          assert.equal(await there.powerState(server_id), 'running')
          assert.equal(await driver.powerState(server_id), 'shutdown')
          assert.equal((await driver.liveMigratable!.migrationProgress(server_id)).status, 'completed')
          await fails(driver.powerOn(server_id), 'conflict')
          await destroy(server_id)
          assert.equal(await there.powerState(server_id), 'running', 'the source forgetting it changes nothing there')
        } finally {
          await destroyAll(there)
          await there.close()
        }
      })

      it('stays when nobody waits for it', async (t) => {
        if (absent(t, driver.liveMigratable)) return
        const spec = makeSpec(bench)
        await driver.ensureGuest(spec, bench.source, 'running')
        const uri = bench.peer ? (await driver.facts()).hypervisor_type === 'fake' ? 'fake:nowhere' : 'tcp:127.0.0.1:1' : 'tcp:127.0.0.1:1'
        await assert.rejects(driver.liveMigratable!.migrateOut(spec.server_id, { uri, memory: 'none', disks: { key: 'none', exports: ['root'] } }))
        assert.equal(await driver.powerState(spec.server_id), 'running')
        await driver.liveMigratable!.abortMigration(spec.server_id)
        await driver.powerOff(spec.server_id)
        await driver.powerOn(spec.server_id)
        assert.equal(await driver.powerState(spec.server_id), 'running')
        await destroy(spec.server_id)
      })

      it('takes its disks along when it is off', async (t) => {
        if (absent(t, driver.movable) || absent(t, bench.peer)) return
        const there = await bench.peer!()
        try {
          const spec = makeSpec(bench, { ephemerals: [{ size_gb: 1 }] })
          await driver.ensureGuest(spec, bench.source, 'shutdown')
          const disks = await driver.movable!.disksToMove(spec.server_id)
          assert.deepEqual(disks.map((disk) => disk.name).sort(), ['ephemeral0', 'root'])
          const moving: ImageSource = {
            ...bench.source,
            disk: async (diskName, destination) => {
              await driver.movable!.exportDisk(spec.server_id, diskName, destination)
            },
          }
          await there.ensureGuest(spec, moving, 'running')
          assert.equal(await there.powerState(spec.server_id), 'running')
          await fails(driver.movable!.exportDisk(spec.server_id, 'nothing', bench.freePath()), 'not_found')
          await destroy(spec.server_id)
        } finally {
          await destroyAll(there)
          await there.close()
        }
      })
    })

    describe('images', () => {
      it('are kept while a guest uses them and dropped after', async (t) => {
        if (absent(t, driver.imageCaching)) return
        const caching = driver.imageCaching!
        const spec = makeSpec(bench)
        await caching.cacheImage(bench.image_id, bench.source)
        await driver.ensureGuest(spec, bench.source, 'shutdown')
        assert.equal((await caching.cachedImages()).find((image) => image.image_id === bench.image_id)?.used_by, 1)
        assert.ok(!(await caching.dropUnusedImages(0)).includes(bench.image_id))
        await destroy(spec.server_id)
        assert.ok(!(await caching.dropUnusedImages(3_600_000)).includes(bench.image_id), 'used lately')
        assert.ok((await caching.dropUnusedImages(0)).includes(bench.image_id))
        assert.ok(!(await caching.cachedImages()).some((image) => image.image_id === bench.image_id))
      })
    })
  })
}

function absent(t: TestContext, ability: unknown): boolean {
  if (ability !== undefined) return false
  t.skip('the driver does not have this ability')
  return true
}

async function destroyAll(driver: ComputeDriver): Promise<void> {
  const { host_id } = await driver.facts()
  for (const { server_id } of await driver.list()) await driver.ensureNoGuest({ server_id, host_id })
}

async function fails(promise: Promise<unknown>, kind: FaultKind): Promise<Fault> {
  const thrown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(isFault(thrown, kind), `expected a fault of kind ${kind}, got ${String(thrown)}`)
  return thrown
}

/** Waits for a condition; the wait, not the condition, takes real time. */
export async function until(what: string, patience: number, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + patience
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`Waited ${patience} ms in vain: ${what}`)
    await realClock.sleep(25)
  }
}
