/** What the guest itself sees of what is done to it. Two boots and a half; the tests share one guest and run in order. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { GUEST_LOGIN } from '#cloud/guest-image/recipe.ts'
import { Secret } from '#base/secret.ts'
import { connectQmp, connectUnix } from '#host/qmp.ts'
import { qemuImg } from '#host/qemu-img.ts'
import { makeSpec, testId, until } from '../conformance.ts'
import type { GuestSpec } from '../interface.ts'
import { askInside, bootsOf, consoleOf, PATIENCE, type QemuBench, qemuBench, runInside, testImage } from './bench.ts'
import type { QemuDriver } from './driver.ts'

const image = testImage()

describe('Seen from inside the guest', { skip: 'reason' in image ? image.reason : false }, () => {
  let bench: QemuBench
  let here: QemuDriver
  let there: QemuDriver
  let spec: GuestSpec
  let daemon: ChildProcess
  const volume_id = testId()
  const pid = async (driver: 'a' | 'b'): Promise<string> => (await readFile(join(bench.directory, driver, 'run', `${spec.server_id}.pid`), 'utf8')).trim()

  before(async () => {
    if ('reason' in image) return
    bench = await qemuBench(image.path)
    here = (await bench.open()) as QemuDriver
    there = (await bench.peer!()) as QemuDriver
    const disk = join(bench.directory, 'volume.raw')
    await qemuImg().create({ path: disk, format: 'raw' }, 2 ** 26)
    daemon = spawn('qemu-storage-daemon', [
      '--blockdev', `driver=file,filename=${disk},node-name=vol`,
      '--nbd-server', `addr.type=unix,addr.path=${join(bench.directory, 'nbd')},max-connections=8`,
      '--export', 'type=nbd,id=e,node-name=vol,name=vol,writable=on',
      '--chardev', `socket,path=${join(bench.directory, 'qsd')},server=on,wait=off,id=m`, '--monitor', 'chardev=m',
    ], { stdio: 'inherit' })
    await until('the storage daemon listens', PATIENCE, async () => existsSync(join(bench.directory, 'qsd')))
  })
  after(async () => {
    if (!bench) return
    for (const driver of [here, there]) {
      const { host_id } = await driver.facts()
      for (const { server_id } of await driver.list()) await driver.ensureNoGuest({ server_id, host_id })
      await driver.close()
    }
    daemon.kill()
    await bench.close()
  })

  it('reads its config drive and fills its root disk', async () => {
    const uuid = testId()
    spec = makeSpec(bench, {
      config_drive: new Secret({
        'openstack/latest/meta_data.json': JSON.stringify({ uuid, hostname: 'inside.example', name: 'inside' }),
        'openstack/latest/user_data': '#!/bin/sh\necho user data ran > /dev/console\n',
      }),
      ephemerals: [{ size_gb: 2 }],
      swap_mb: 64,
    })
    await here.ensureGuest(spec, bench.source, 'running')
    await bench.booted(here, spec.server_id, 1)
    const log = await consoleOf(here, spec.server_id)
    assert.match(log, /metadata from: config drive/)
    assert.match(log, new RegExp(`instance ${uuid}, host name inside,`))
    assert.match(log, /user data ran/)
    const kib = Number((await askInside(here, spec.server_id, "df -k / | awk 'END{print $2}'")) || '0')
    assert.ok(kib > 900_000, `root file system has ${kib} KiB`)
    assert.equal(await askInside(here, spec.server_id, 'cat /sys/block/vda/serial /sys/block/vdb/size /sys/block/vdc/size'), `root${2 * 2 ** 21}\n${64 * 2 ** 11}`)
  })

  it('shows its screen', async () => {
    const { socket } = await here.consoleSockets.vnc(spec.server_id)
    const vnc = await connectUnix(socket)
    const [greeting] = (await once(vnc, 'data')) as [Buffer]
    vnc.destroy()
    assert.equal(greeting.toString(), 'RFB 003.008\n')
  })

  it('sees an NBD volume come, grow and go', async () => {
    const connection = { driver_volume_type: 'nbd', data: { path: join(bench.directory, 'nbd'), export: 'vol' } }
    await here.volumeAttachable.attachVolume(spec.server_id, { volume_id, connection })
    const size = (): Promise<string> => askInside(here, spec.server_id, 'cat /sys/block/vdd/size')
    await until('vdd is there', PATIENCE, async () => (await size()) === String(2 ** 26 / 512))
    assert.equal(await askInside(here, spec.server_id, 'cat /sys/block/vdd/serial; echo'), volume_id.slice(0, 20))
    await askInside(here, spec.server_id, 'echo precious > /dev/vdd; sync')
    const qsd = await connectQmp(join(bench.directory, 'qsd'))
    for (const times of [2, 3]) {
      // An export holds its size: it must go and come again, while the guest's requests wait.
      await qsd.execute('block-export-del', { id: 'e', mode: 'hard' })
      await until('the export is gone', PATIENCE, async () => (await qsd.execute<unknown[]>('query-block-exports')).length === 0)
      await qsd.execute('block_resize', { 'node-name': 'vol', size: times * 2 ** 26 })
      await qsd.execute('block-export-add', { type: 'nbd', id: 'e', 'node-name': 'vol', name: 'vol', writable: true })
      await here.volumeAttachable.extendVolume(spec.server_id, volume_id, times * 2 ** 26)
      assert.equal(await size(), String((times * 2 ** 26) / 512))
    }
    qsd.close()
    assert.equal(await askInside(here, spec.server_id, 'head -c 8 /dev/vdd'), 'precious')
    await here.volumeAttachable.detachVolume(spec.server_id, volume_id)
    assert.equal(await askInside(here, spec.server_id, 'ls /sys/block | grep -c vdd'), '0')
    assert.equal((await readFile(join(bench.directory, 'volume.raw'))).subarray(0, 8).toString(), 'precious')
  })

  it('keeps its memory over suspension', async () => {
    await askInside(here, spec.server_id, 'echo remembered > /run/mark; echo written > /root/mark; sync')
    const before = await pid('a')
    await here.suspendable.suspend(spec.server_id)
    await here.suspendable.resume(spec.server_id)
    assert.notEqual(await pid('a'), before)
    assert.equal(await askInside(here, spec.server_id, 'cat /run/mark'), 'remembered')
  })

  it('keeps its memory and disk over live migration, with a volume attached', async () => {
    const connection = { driver_volume_type: 'nbd', data: { path: join(bench.directory, 'nbd'), export: 'vol' } }
    await here.volumeAttachable.attachVolume(spec.server_id, { volume_id, connection })
    const volumes = await here.volumeAttachable.attachedVolumes(spec.server_id)
    const target = await there.liveMigratable.prepareIncoming({ ...spec, volumes }, await here.liveMigratable.layout(spec.server_id), bench.source, '127.0.0.1')
    await here.liveMigratable.migrateOut(spec.server_id, target, { timeout: PATIENCE })
    await there.liveMigratable.finishIncoming(spec.server_id)
    assert.equal(await askInside(there, spec.server_id, 'cat /run/mark /root/mark; head -c 8 /dev/vdd'), 'remembered\nwritten\nprecious')
    await there.volumeAttachable.detachVolume(spec.server_id, volume_id)
    await here.ensureNoGuest({ server_id: spec.server_id, host_id: (await here.facts()).host_id })
    // And back, from an instance directory made anew.
    const home = await here.liveMigratable.prepareIncoming(spec, await there.liveMigratable.layout(spec.server_id), bench.source, '127.0.0.1')
    await there.liveMigratable.migrateOut(spec.server_id, home, { timeout: PATIENCE })
    await here.liveMigratable.finishIncoming(spec.server_id)
    assert.equal(await askInside(here, spec.server_id, 'cat /run/mark /root/mark'), 'remembered\nwritten')
  })

  it('gets a password from outside', async () => {
    await here.passwordSettable.setPassword(spec.server_id, GUEST_LOGIN.user, new Secret('fresh-password'))
    await runInside(here, spec.server_id, 'exit', 'login: ')
    await runInside(here, spec.server_id, 'true', 'true', 'fresh-password')
  })

  it('is copied with what it has written; the copy boots', async () => {
    const path = bench.freePath()
    await here.snapshotable.snapshot(spec.server_id, { path, format: 'qcow2' }, { quiesce: true })
    assert.equal((await qemuImg().info({ path, format: 'qcow2' })).backing_file, undefined)
    assert.ok((await qemuImg().check({ path, format: 'qcow2' })).ok)
    const copy = makeSpec(bench, { root: { from: 'image', image_id: 'copied', size_gb: 0 } })
    const source = { fetch: async (_id: string, destination: string) => (await copyFile(path, destination), { format: 'qcow2' as const, size: 0 }) }
    await there.ensureGuest(copy, source, 'running')
    await bench.booted(there, copy.server_id, 1)
    await there.ensureNoGuest({ server_id: copy.server_id, host_id: (await there.facts()).host_id })
  })

  it('reboots itself in the same machine', async () => {
    const before = await pid('a')
    const boots = bootsOf(await consoleOf(here, spec.server_id))
    await runInside(here, spec.server_id, 'reboot')
    await bench.booted(here, spec.server_id, boots + 1)
    assert.equal(await pid('a'), before)
    assert.equal(await here.powerState(spec.server_id), 'running')
  })
})
