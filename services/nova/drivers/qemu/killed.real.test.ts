/**
 * An agent killed with -9 at moments that nobody chose, in the middle of each verb. The next agent must find one machine or none, bring
 * about what is asked, and leave nothing when the guest is destroyed. The guests have no system: they need none.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { seededRandom } from '#base/random.ts'
import { world } from '#base/world.ts'
import { makeSpec, testId } from '../conformance.ts'
import { blankImage, testImage } from './bench.ts'
import { openQemuDriver, type QemuDriverOptions } from './driver.ts'
import { VERBS } from './killed-child.ts'

const image = testImage()
const seed = Number(process.env.ONDOL_TEST_SEED ?? 7)
const TIMES = 4

describe(`An agent killed at any line (seed ${seed})`, { skip: 'reason' in image ? image.reason : false }, () => {
  const random = seededRandom(seed)
  let directory: string
  let options: QemuDriverOptions
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ondol-kill-'))
    options = { data: join(directory, 'data') }
  })
  after(() => rm(directory, { recursive: true, force: true }))

  for (const verb of Object.keys(VERBS)) {
    it(`converges after ${TIMES} deaths in ${verb}`, async () => {
      const volume_id = testId()
      const file = join(directory, volume_id)
      await writeFile(file, Buffer.alloc(2 ** 20))
      const volume = { volume_id, connection: { driver_volume_type: 'file', data: { path: file, format: 'raw' } } }
      const spec = makeSpec({ image_id: 'blank', memory_mb: 16, root_gb: 1 })
      for (let time = 0; time < TIMES; time++) {
        const words = JSON.stringify({ options, spec, verb, volume, path: join(directory, 'snapshot') })
        const child = spawn(process.execPath, [join(import.meta.dirname, 'killed-child.ts'), words], { stdio: ['ignore', 'pipe', 'inherit'] })
        const died = once(child, 'exit')
        const first = await Promise.race([once(child.stdout, 'data').then(() => 'begun'), died.then(() => 'died')])
        assert.equal(first, 'begun')
        await new Promise((resolve) => setTimeout(resolve, random.below(400)))
        child.kill('SIGKILL')
        await died

        const driver = await openQemuDriver(world(), options)
        const { host_id } = await driver.facts()
        assert.ok((await machinesOf(spec.server_id)).length <= 1)
        await driver.ensureGuest(spec, blankImage, 'running')
        if ((await driver.powerState(spec.server_id)) === 'suspended') await driver.suspendable.resume(spec.server_id)
        await VERBS[verb]!(driver, spec, blankImage, volume, join(directory, 'snapshot'))
        if (verb !== 'make') {
          if ((await driver.powerState(spec.server_id)) === 'shutdown') await driver.powerOn(spec.server_id)
          assert.equal(await driver.powerState(spec.server_id), 'running')
          assert.equal((await machinesOf(spec.server_id)).length, 1)
          const names = await readdir(join(directory, 'data', 'instances', spec.server_id))
          assert.deepEqual(names.filter((name) => /\.part$/.test(name)), [])
        }
        if (time === TIMES - 1) await driver.ensureNoGuest({ server_id: spec.server_id, host_id })
        await driver.close()
      }
      assert.deepEqual(await machinesOf(spec.server_id), [])
      assert.deepEqual(await readdir(join(directory, 'data', 'instances')), [])
      assert.deepEqual(await readdir(join(directory, 'data', 'run')), [])
    })
  }
})

/** Processes of this machine, whatever its pid file says; a launcher that waits for its daemon, still in our session, is none. */
async function machinesOf(serverId: string): Promise<string[]> {
  const session = async (pid: string): Promise<string | undefined> => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]
  }
  const ours = await session('self')
  const found: string[] = []
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
    if (args[0]?.includes('qemu-system') && args[args.indexOf('-uuid') + 1] === serverId && (await session(pid)) !== ours) found.push(pid)
  }
  return found
}
