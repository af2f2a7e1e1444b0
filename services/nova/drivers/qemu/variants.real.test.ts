/** Machines of other makes, and machines in a network namespace. Most need no system in the guest; one boots on q35 with SCSI disks. */
import assert from 'node:assert/strict'
import { mkdtemp, open, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isFault } from '#base/fault.ts'
import { run } from '#base/process/run.ts'
import { Secret } from '#base/secret.ts'
import { world } from '#base/world.ts'
import { makeSpec, testId } from '../conformance.ts'
import type { GuestHints, GuestSpec, ImageSource, VolumeSpec } from '../interface.ts'
import { askInside, blankImage, qemuBench, testImage } from './bench.ts'
import { openQemuDriver, type QemuDriver } from './driver.ts'

const image = testImage()
const skip = 'reason' in image ? image.reason : false
const SHAPE = { image_id: 'blank', memory_mb: 64, root_gb: 1 }

describe('Other machines', { skip }, () => {
  let directory: string
  let driver: QemuDriver
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ondol-variants-'))
    driver = await openQemuDriver(world(), { data: join(directory, 'data') })
  })
  after(async () => {
    await destroyAll(driver)
    await rm(directory, { recursive: true, force: true })
  })
  const volume = async (): Promise<VolumeSpec> => {
    const volume_id = testId()
    const path = join(directory, volume_id)
    await writeFile(path, Buffer.alloc(2 ** 20))
    return { volume_id, connection: { driver_volume_type: 'file', data: { path, format: 'raw' } } }
  }
  const destroy = async (spec: GuestSpec): Promise<void> => driver.ensureNoGuest({ server_id: spec.server_id, host_id: (await driver.facts()).host_id })

  const makes: GuestHints[] = [
    { hw_disk_bus: 'scsi' },
    { hw_machine_type: 'q35' },
    { hw_machine_type: 'q35', hw_disk_bus: 'scsi', hw_vif_model: 'e1000e', hw_pointer_model: 'usbtablet' },
    { hw_vif_model: 'rtl8139', hw_video_model: 'cirrus' },
    { hw_vif_model: 'e1000', hw_video_model: 'virtio', hw_cpu_model: 'qemu64' },
  ]
  for (const hints of makes) {
    it(`run, take disks and cards, suspend and resume: ${JSON.stringify(hints)}`, async () => {
      const spec = makeSpec(SHAPE, { hints, nics: [{ port_id: testId(), mac: 'fa:16:3e:00:00:01', mtu: 1_400 }], volumes: [await volume()], config_drive: new Secret({ a: 'b' }), ephemerals: [{ size_gb: 1 }], swap_mb: 1 })
      await driver.ensureGuest(spec, blankImage, 'running')
      await driver.volumeAttachable.attachVolume(spec.server_id, await volume())
      await driver.nicAttachable.attachNic(spec.server_id, { port_id: testId(), mac: 'fa:16:3e:00:00:02' })
      assert.equal((await driver.diagnosable.diagnostics(spec.server_id)).nic_details.length, 2)
      // The plugged devices must be where they were when memory comes back.
      await driver.suspendable.suspend(spec.server_id)
      await driver.suspendable.resume(spec.server_id)
      assert.equal(await driver.powerState(spec.server_id), 'running')
      await destroy(spec)
    })
  }

  it('have IDE disks from the start only', async () => {
    const spec = makeSpec(SHAPE, { hints: { hw_disk_bus: 'ide' }, volumes: [await volume()] })
    await driver.ensureGuest(spec, blankImage, 'running')
    const late = await volume()
    await assert.rejects(driver.volumeAttachable.attachVolume(spec.server_id, late), (thrown) => isFault(thrown, 'conflict') && thrown.code === 'no_hot_plug')
    assert.equal((await driver.volumeAttachable.attachedVolumes(spec.server_id)).length, 1)
    await driver.powerOff(spec.server_id)
    await driver.volumeAttachable.attachVolume(spec.server_id, late)
    await driver.powerOn(spec.server_id)
    assert.equal((await driver.diagnosable.diagnostics(spec.server_id)).disk_details.length, 3)
    await destroy(spec)
  })

  it('boot from a volume', async () => {
    const root = await volume()
    const spec = makeSpec(SHAPE, { root: { from: 'volume', volume_id: root.volume_id }, volumes: [{ ...root, boot_index: 0 }] })
    await driver.ensureGuest(spec, blankImage, 'running')
    assert.equal((await driver.diagnosable.diagnostics(spec.server_id)).disk_details.length, 1)
    await assert.rejects(driver.snapshotable.snapshot(spec.server_id, { path: join(directory, 'none'), format: 'raw' }), (thrown) => isFault(thrown, 'conflict'))
    await destroy(spec)
  })

  it('refuse hints they do not know, by name', async () => {
    const wrong: [GuestHints, string][] = [
      [{ hw_machine_type: 'isapc' }, 'hw_machine_type'],
      [{ hw_machine_type: 'pc-i440fx-99.9' }, 'hw_machine_type'],
      [{ hw_disk_bus: 'floppy' }, 'hw_disk_bus'],
      [{ hw_vif_model: 'x,netdev=y' }, 'hw_vif_model'],
      [{ hw_video_model: 'eink' }, 'hw_video_model'],
      [{ hw_firmware_type: 'coreboot' }, 'hw_firmware_type'],
      [{ hw_magic: 'yes' } as GuestHints, 'hw_magic'],
    ]
    for (const [hints, field] of wrong) {
      const spec = makeSpec(SHAPE, { hints })
      await assert.rejects(driver.ensureGuest(spec, blankImage, 'shutdown'), (thrown) => isFault(thrown, 'invalid') && thrown.field === field, field)
    }
    assert.deepEqual(await driver.list(), [])
  })

  it('A5: open a disk as what we know it to be, whatever it says of itself', async () => {
    const evil = join(directory, 'evil.qcow2')
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', '/etc/passwd', evil, '1M'])
    const asDeclared = (format: 'raw' | 'qcow2'): ImageSource => ({
      async fetch(_id, destination) {
        await writeFile(destination, await readFile(evil))
        return { format, size: 0 }
      },
    })
    const refused = makeSpec(SHAPE, { root: { from: 'image', image_id: 'as-qcow2', size_gb: 1 } })
    await assert.rejects(driver.ensureGuest(refused, asDeclared('qcow2'), 'shutdown'), (thrown) => isFault(thrown, 'invalid') && thrown.code === 'image.unsafe')
    await destroy(refused)

    const spec = makeSpec(SHAPE, { root: { from: 'image', image_id: 'as-raw', size_gb: 1 } })
    const target = join(directory, 'copy.raw')
    for (const power of ['shutdown', 'running'] as const) {
      await driver.ensureGuest(spec, asDeclared('raw'), power)
      await driver.snapshotable.snapshot(spec.server_id, { path: target, format: 'raw' })
      const head = await start(target)
      assert.equal(head.toString('latin1', 0, 4), 'QFI\xfb', 'the guest sees the bytes of the file, not what they describe')
      assert.ok(!head.includes('root:x:0:0'))
    }
    await driver.resizable.ensureResized({ ...spec, root: { from: 'image', image_id: 'as-raw', size_gb: 2 } }, { resize_id: 'r' })
    await driver.snapshotable.snapshot(spec.server_id, { path: target, format: 'raw' })
    assert.ok(!(await start(target)).includes('root:x:0:0'))
    await destroy(spec)

    const evilVolume: VolumeSpec = { volume_id: testId(), connection: { driver_volume_type: 'file', data: { path: evil, format: 'raw' } } }
    const before = (await readFile(evil)).length
    const holder = makeSpec(SHAPE, { volumes: [evilVolume] })
    await driver.ensureGuest(holder, blankImage, 'running')
    await driver.volumeAttachable.extendVolume(holder.server_id, evilVolume.volume_id, 2 ** 21)
    assert.equal((await readFile(evil)).length, 2 ** 21)
    assert.ok(before < 2 ** 21)
    await destroy(holder)
  })

  it('belong to the host whose id stands on the disk', async () => {
    const { host_id } = await driver.facts()
    const data = join(directory, 'data')
    await assert.rejects(openQemuDriver(world(), { data, host_id: testId() }), (thrown) => isFault(thrown, 'conflict') && thrown.code === 'foreign_disk')
    const again = await openQemuDriver(world(), { data, host_id })
    await again.close()
    const spec = makeSpec(SHAPE)
    await driver.ensureGuest(spec, blankImage, 'running')
    const path = join(data, 'instances', spec.server_id, 'guest.json')
    const own = await readFile(path, 'utf8')
    await writeFile(path, own.replaceAll(host_id, testId()))
    await assert.rejects(driver.ensureNoGuest({ server_id: spec.server_id, host_id }), (thrown) => isFault(thrown, 'conflict') && thrown.code === 'foreign_guest')
    assert.deepEqual(await driver.list(), [])
    await writeFile(path, own)
    assert.equal(await driver.powerState(spec.server_id), 'running', 'it was not touched')
    await destroy(spec)
  })

  it('fail to be made when the image is larger than the disk, and say so', async () => {
    const source: ImageSource = {
      async fetch(_id, destination) {
        const handle = await open(destination, 'w')
        await handle.truncate(2 ** 30 + 512)
        await handle.close()
        return { format: 'raw', size: 2 ** 30 + 512 }
      },
    }
    const spec = makeSpec(SHAPE, { root: { from: 'image', image_id: 'large', size_gb: 1 } })
    await assert.rejects(driver.ensureGuest(spec, source, 'shutdown'), (thrown) => isFault(thrown, 'invalid') && thrown.code === 'image.too_large')
    assert.equal(await driver.powerState(spec.server_id), 'nostate')
    await destroy(spec)
  })
})

/** The first four mebibytes. */
async function start(path: string): Promise<Buffer> {
  const handle = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2 ** 22), 0, 2 ** 22, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

async function destroyAll(driver: QemuDriver | undefined): Promise<void> {
  if (!driver) return
  const { host_id } = await driver.facts()
  for (const { server_id } of await driver.list()) await driver.ensureNoGuest({ server_id, host_id })
  await driver.close()
}

describe('Machines in a network namespace', { skip }, () => {
  const namespace = `oqt${process.pid}`
  let directory: string
  let driver: QemuDriver
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ondol-netns-'))
    await run('ip', ['netns', 'add', namespace])
    await run('ip', ['-n', namespace, 'tuntap', 'add', 'dev', 'tap-one', 'mode', 'tap'])
    driver = await openQemuDriver(world(), { data: join(directory, 'data'), namespace })
  })
  after(async () => {
    await destroyAll(driver)
    await run('ip', ['netns', 'delete', namespace])
    await rm(directory, { recursive: true, force: true })
  })

  it('start there, and only when their taps are there', async () => {
    const nic = { port_id: testId(), mac: 'fa:16:3e:00:00:01', tap: 'tap-one', mtu: 1_450 }
    const spec = makeSpec(SHAPE, { nics: [nic] })
    const absent = { port_id: testId(), mac: 'fa:16:3e:00:00:02', tap: 'tap-two' }
    await assert.rejects(driver.ensureGuest({ ...spec, nics: [nic, absent] }, blankImage, 'running'), (thrown) => isFault(thrown, 'unavailable') && thrown.code === 'tap.absent')
    await run('ip', ['-n', namespace, 'tuntap', 'add', 'dev', 'tap-two', 'mode', 'tap'])
    await driver.ensureGuest({ ...spec, nics: [nic, absent] }, blankImage, 'running')
    const pid = (await readFile(join(directory, 'data', 'run', `${spec.server_id}.pid`), 'utf8')).trim()
    const inside = (await run('ip', ['netns', 'exec', namespace, 'readlink', '/proc/self/ns/net'])).stdout.trim()
    assert.equal(await readlink(`/proc/${pid}/ns/net`), inside)
    assert.notEqual(inside, await readlink('/proc/self/ns/net'))
    const link = (name: string): Promise<string> => run('ip', ['-n', namespace, 'link', 'show', 'dev', name]).then((result) => result.stdout)
    await run('ip', ['-n', namespace, 'link', 'set', 'dev', 'tap-one', 'up'])
    assert.match(await link('tap-one'), /LOWER_UP/)

    const plugged = { port_id: testId(), mac: 'fa:16:3e:00:00:03', tap: 'tap-three' }
    await assert.rejects(driver.nicAttachable.attachNic(spec.server_id, plugged), (thrown) => isFault(thrown, 'unavailable'))
    assert.equal((await driver.nicAttachable.attachedNics(spec.server_id)).length, 2)
    await driver.ensureNoGuest({ server_id: spec.server_id, host_id: (await driver.facts()).host_id })
    assert.match(await link('tap-one'), /NO-CARRIER/, 'the tap stays, it is not ours')
  })
})

describe('A guest on q35 with SCSI disks', { skip }, () => {
  it('boots, reads its config drive, takes and gives back a disk', async () => {
    if ('reason' in image) return
    const bench = await qemuBench(image.path)
    const driver = (await bench.open()) as QemuDriver
    const spec = makeSpec(bench, {
      hints: { hw_machine_type: 'q35', hw_disk_bus: 'scsi' },
      config_drive: new Secret({ 'openstack/latest/meta_data.json': '{"uuid":"1","hostname":"q35"}' }),
    })
    try {
      await driver.ensureGuest(spec, bench.source, 'running')
      await bench.booted(driver, spec.server_id, 1)
      assert.match((await driver.consoleLog.consoleLog(spec.server_id)), /metadata from: config drive/)
      for (const disk_bus of ['virtio', 'scsi']) {
        const volume_id = testId()
        await driver.volumeAttachable.attachVolume(spec.server_id, { volume_id, connection: await bench.volume(volume_id, 1), disk_bus })
        const name = disk_bus === 'virtio' ? 'vda' : 'sdb'
        assert.equal(await askInside(driver, spec.server_id, `n=0; until [ -e /sys/block/${name} ] || [ $n = 100 ]; do n=$((n+1)); usleep 100000; done; cat /sys/block/${name}/size`), String(2 ** 21))
        await driver.volumeAttachable.detachVolume(spec.server_id, volume_id)
      }
    } finally {
      await driver.ensureNoGuest({ server_id: spec.server_id, host_id: (await driver.facts()).host_id })
      await driver.close()
      await bench.close()
    }
  })
})
