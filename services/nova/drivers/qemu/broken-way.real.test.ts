/** A live migration whose way breaks in the middle leaves one guest, where it was; the next one takes it over. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { systemRandom } from '#base/random.ts'
import { world } from '#base/world.ts'
import { agentTunnels, type Tunnels } from '#host/tunnels.ts'
import { makeSpec, until } from '../conformance.ts'
import { bootsOf, consoleOf, PATIENCE, type QemuBench, qemuBench, testImage } from './bench.ts'
import { openQemuDriver, type QemuDriver } from './driver.ts'

const image = testImage()

describe('a way that breaks', { skip: 'reason' in image ? image.reason : false }, () => {
  let bench: QemuBench
  let tunnels: Tunnels
  let here: QemuDriver
  let there: QemuDriver
  before(async () => {
    bench = await qemuBench((image as { path: string }).path)
    tunnels = agentTunnels({ ports: [49_152, 49_999], random: systemRandom })
    here = await openQemuDriver(world(), bench.options)
    there = await openQemuDriver(world(), { ...bench.options, data: join(bench.directory, 'b'), tunnels })
  })
  after(async () => {
    for (const driver of [here, there]) {
      if (!driver) continue
      const { host_id } = await driver.facts()
      for (const { server_id } of await driver.list()) await driver.ensureNoGuest({ server_id, host_id })
      await driver.close()
    }
    await tunnels?.close()
    await bench?.close()
  })

  it('leaves the guest at its source, and the next migration takes it', async () => {
    const spec = makeSpec(bench)
    const { server_id } = spec
    await here.ensureGuest(spec, bench.source, 'running')
    await bench.booted(here, server_id, 1)
    const layout = await here.liveMigratable.layout(server_id)
    const target = await there.liveMigratable.prepareIncoming(spec, layout, bench.source, '127.0.0.1')
    const leaving = here.liveMigratable.migrateOut(server_id, target)
    const failed = assert.rejects(leaving)
    // In the middle of the memory, or of the disks: wherever it is by then.
    await until('bytes on their way', PATIENCE, async () => {
      const { memory_processed, disk_processed } = await here.liveMigratable.migrationProgress(server_id)
      return memory_processed > 0 || disk_processed > 0
    })
    await tunnels.close()
    await failed
    assert.equal(await here.powerState(server_id), 'running')
    await assert.rejects(there.liveMigratable.finishIncoming(server_id))
    await there.ensureNoGuest({ server_id, host_id: (await there.facts()).host_id })
    assert.equal(bootsOf(await consoleOf(here, server_id)), 1)

    const again = await there.liveMigratable.prepareIncoming(spec, layout, bench.source, '127.0.0.1')
    await here.liveMigratable.migrateOut(server_id, again)
    assert.equal(await there.powerState(server_id), 'paused', 'it stands still until it is let go on')
    await there.liveMigratable.finishIncoming(server_id)
    assert.equal(await there.powerState(server_id), 'running')
  })
})
