import assert from 'node:assert/strict'
import { it } from 'node:test'
import { VirtualClock } from '#base/clock.ts'
import { isFault } from '#base/fault.ts'
import { Secret } from '#base/secret.ts'
import { world } from '#base/world.ts'
import { benchImages } from '../bench-images.ts'
import { driverConformance, makeSpec } from '../conformance.ts'
import type { ComputeDriver } from '../interface.ts'
import { fakeDriver } from './driver.ts'
import { FakeHost } from './host.ts'

const images = () => benchImages(async () => ({ format: 'qcow2', size: 1_000 }))
const SHAPE = { image_id: 'image', memory_mb: 128, root_gb: 1 }

driverConformance('The fake driver', async () => {
  const hosts = new Map([new FakeHost({ hostname: 'here' }), new FakeHost({ hostname: 'there' })].map((host) => [host.hostname, host]))
  const open = async (name: string): Promise<ComputeDriver> => fakeDriver(world(), hosts.get(name)!, { peers: (other) => hosts.get(other) })
  return {
    ...images(),
    ...SHAPE,
    open: () => open('here'),
    peer: () => open('there'),
    booted: async () => {},
    powersOffInside: async (_driver, serverId) => hosts.get('here')!.guestPowersOff(serverId),
    volume: async () => ({ driver_volume_type: 'fake', data: {} }),
    growVolume: async () => {},
    freePath: () => '/nowhere',
    patience: 5_000,
    close: async () => {},
  }
})

it('fails where it is told to, then works again', async () => {
  const host = new FakeHost()
  const driver = fakeDriver(world(), host)
  const spec = makeSpec(SHAPE)
  host.fail('ensureGuest', { times: 2, kind: 'unavailable', message: 'no room' })
  for (let time = 0; time < 2; time++) {
    await assert.rejects(driver.ensureGuest(spec, images().source, 'running'), (thrown) => isFault(thrown, 'unavailable') && thrown.message === 'no room')
    assert.deepEqual(await driver.list(), [])
  }
  await driver.ensureGuest(spec, images().source, 'running')
  assert.equal(await driver.powerState(spec.server_id), 'running')
})

it('is slow by the clock of the world, and destruction does not wait for it', async () => {
  const clock = new VirtualClock()
  const host = new FakeHost()
  const driver = fakeDriver(world({ clock }), host)
  const [slow, doomed] = [makeSpec(SHAPE), makeSpec(SHAPE)]
  host.slow('ensureGuest', 60_000)
  let made = false
  const making = driver.ensureGuest(slow, images().source, 'running').then(() => (made = true))
  const gaveUp = assert.rejects(driver.ensureGuest(doomed, images().source, 'running'), (thrown) => isFault(thrown, 'conflict'))
  await clock.advance(59_999)
  assert.equal(made, false)
  await driver.ensureNoGuest({ server_id: doomed.server_id, host_id: host.host_id })
  await gaveUp
  await clock.advance(1)
  await making
  assert.deepEqual(await driver.list(), [{ server_id: slow.server_id, power_state: 'running' }])
  assert.equal(clock.pending, 0, 'guests cost no timers')
})

it('keeps what a guest wrote over resize and revert, and loses it on rebuild', async () => {
  const host = new FakeHost()
  const driver = fakeDriver(world(), host)
  const spec = makeSpec(SHAPE)
  const { source } = images()
  const content = () => host.guests.get(spec.server_id)?.disks.get('root')?.content
  await driver.ensureGuest(spec, source, 'running')
  host.guestWrites(spec.server_id, 'root', 'mine')
  await driver.resizable?.ensureResized({ ...spec, vcpus: 2 }, { resize_id: 'r' })
  host.guestWrites(spec.server_id, 'root', 'after')
  await driver.resizable?.revertResize(spec.server_id)
  assert.equal(content(), 'image:image|mine')
  await driver.rebuildable?.ensureRebuilt(spec, source, { rebuild_id: 'b', power: 'running' })
  assert.equal(content(), 'image:image')
})

it('has a guest that hears nothing: soft power off takes its time, devices stay', async () => {
  const clock = new VirtualClock()
  const host = new FakeHost()
  const driver = fakeDriver(world({ clock }), host)
  const spec = makeSpec(SHAPE, { nics: [{ port_id: 'p', mac: 'fa:16:3e:00:00:01' }] })
  await driver.ensureGuest(spec, images().source, 'running')
  host.guests.get(spec.server_id)!.deaf = true
  await assert.rejects(driver.nicAttachable!.detachNic(spec.server_id, 'p'), (thrown) => isFault(thrown, 'timeout'))
  assert.equal((await driver.nicAttachable!.attachedNics(spec.server_id)).length, 1)
  const off = driver.powerOff(spec.server_id, { soft_timeout: 30_000 })
  await clock.advance(29_999)
  assert.equal(await driver.powerState(spec.server_id), 'running')
  await clock.advance(1)
  await off
  assert.equal(await driver.powerState(spec.server_id), 'shutdown')
})

it('carries a thousand hosts', async () => {
  const { source } = images()
  const began = performance.now()
  const hosts = Array.from({ length: 1_000 }, (_, index) => new FakeHost({ hostname: `host-${index}` }))
  await Promise.all(
    hosts.map(async (host) => {
      const driver = fakeDriver(world(), host)
      for (let guest = 0; guest < 3; guest++) await driver.ensureGuest(makeSpec(SHAPE), source, 'running')
    }),
  )
  assert.equal(hosts.reduce((sum, host) => sum + host.guests.size, 0), 3_000)
  assert.ok(performance.now() - began < 20_000)
})

it('takes a password without showing it', async () => {
  const host = new FakeHost()
  const driver = fakeDriver(world(), host)
  const spec = makeSpec(SHAPE, { config_drive: new Secret({ 'openstack/latest/meta_data.json': '{"admin_pass":"canary"}' }) })
  await driver.ensureGuest(spec, images().source, 'running')
  await driver.passwordSettable?.setPassword(spec.server_id, 'root', new Secret('s3cret'))
  assert.equal(host.guests.get(spec.server_id)?.passwords.get('root'), 's3cret')
  assert.ok(!JSON.stringify(host.guests.get(spec.server_id)).includes('canary'))
})
