import assert from 'node:assert/strict'
import { it } from 'node:test'
import { isFault } from '#base/fault.ts'
import { machineArguments } from '#host/qemu-machine.ts'
import { makeSpec, testId } from '../conformance.ts'
import type { GuestSpec, VolumeSpec } from '../interface.ts'
import { protocolNode, volumeNode, volumeNodeName } from './connection.ts'
import { assignSlots, chipsetOf, machineOf } from './machine.ts'
import { type GuestRecord, nextFile, records } from './record.ts'
import { lastLines } from './watching.ts'

const SHAPE = { image_id: 'image', memory_mb: 128, root_gb: 1 }
const nic = (number: number) => ({ port_id: testId(), mac: `fa:16:3e:00:00:0${number}` })
const volume = (more: Partial<VolumeSpec> = {}): VolumeSpec => ({ volume_id: testId(), connection: { driver_volume_type: 'nbd', data: { path: '/s', export: 'e' } }, ...more })

function record(spec: GuestSpec): GuestRecord {
  const made: GuestRecord = {
    version: 1,
    server_id: spec.server_id,
    host_id: 'h',
    stage: 'ready',
    machine_type: 'pc-i440fx-7.2',
    chipset: chipsetOf(spec.hints.hw_machine_type ?? 'pc'),
    spec,
    slots: {},
    disks: spec.root.from === 'image' ? { root: { file: 'root-1.qcow2', format: 'qcow2', base: { image_id: 'image', format: 'raw' } } } : {},
  }
  assignSlots(made)
  return made
}

const host = (spec: GuestSpec) => ({ accelerator: 'tcg' as const, place: records({ instances: '/i', run: '/r', hostId: 'h' }).place(spec.server_id), imagePath: (id: string) => `/b/${id}.img` })

it('keeps every device where it was when others come and go', () => {
  const spec = makeSpec(SHAPE, { nics: [nic(1), nic(2)], volumes: [volume(), volume()] })
  const made = record(spec)
  const before = { ...made.slots }
  const kept = spec.volumes[1]!
  made.spec = { ...made.spec, volumes: [kept, volume()], nics: [...made.spec.nics, nic(3)] }
  assignSlots(made)
  for (const key of [`volume:${kept.volume_id}`, ...spec.nics.map((one) => `nic:${one.port_id}`), 'root']) assert.equal(made.slots[key], before[key], key)
  assert.equal(made.slots[`volume:${spec.volumes[0]!.volume_id}`], undefined)
  assert.equal(new Set(Object.values(made.slots)).size, Object.values(made.slots).length)
  const cards = Object.entries(made.slots).filter(([key]) => key.startsWith('nic:')).map(([, slot]) => slot)
  assert.deepEqual(cards, cards.toSorted((a, b) => a - b), 'cards stay in order')
})

it('takes as many volumes as there are places, and no more', () => {
  const spec = makeSpec(SHAPE, { volumes: Array.from({ length: 20 }, () => volume()) })
  const made = record(spec)
  assert.equal(new Set(Object.values(made.slots)).size, Object.values(made.slots).length)
  made.spec = { ...spec, volumes: Array.from({ length: 40 }, () => volume()) }
  assert.throws(() => assignSlots(made), (thrown) => isFault(thrown, 'invalid') && thrown.field === 'volumes')
})

it('names the base of the root disk and its format itself', () => {
  const spec = makeSpec(SHAPE)
  const [root] = machineOf(record(spec), host(spec)).disks
  assert.deepEqual(root?.node.backing, { driver: 'raw', 'read-only': true, file: { driver: 'file', filename: '/b/image.img', 'read-only': true } })
  assert.equal(root?.boot_index, 1)
})

it('boots the rescue disk first and nothing of the volumes', () => {
  const spec = makeSpec(SHAPE, { volumes: [volume({ boot_index: 0 })] })
  const made = record(spec)
  made.rescue = { image_id: 'r' }
  made.disks.rescue = { file: 'rescue-1.qcow2', format: 'qcow2' }
  const disks = machineOf(made, host(spec)).disks
  assert.deepEqual(disks.filter((disk) => disk.boot_index !== undefined).map((disk) => disk.id), ['rescue'])
  delete made.rescue
  assert.deepEqual(machineOf(made, host(spec)).disks.map((disk) => disk.id), ['root', volumeNodeName(spec.volumes[0]!.volume_id)])
})

it('puts a boot volume where the root disk would be', () => {
  const root = volume({ boot_index: 0 })
  const spec = makeSpec(SHAPE, { root: { from: 'volume', volume_id: root.volume_id }, volumes: [volume(), root] })
  const made = record(spec)
  assert.equal(made.slots[`volume:${root.volume_id}`], made.slots.root)
  machineArguments(machineOf(made, host(spec)))
})

it('gives a direct kernel its ramdisk and command line, but not to a rescue', () => {
  const spec = makeSpec(SHAPE, { kernel_id: 'k', ramdisk_id: 'r', command_line: 'root=/dev/vda' })
  const made = record(spec)
  assert.deepEqual(machineOf(made, host(spec)).kernel, { kernel: '/b/k.img', initrd: '/b/r.img', append: 'root=/dev/vda' })
  assert.equal(machineOf({ ...made, rescue: { image_id: 'x' }, disks: { ...made.disks, rescue: { file: 'f', format: 'qcow2' } } }, host(spec)).kernel, undefined)
})

it('opens volumes as their connection says, and nothing by guessing', () => {
  const node = (driver_volume_type: string, data: Record<string, unknown>) => volumeNode(volume({ connection: { driver_volume_type, data } }))
  assert.equal(node('nbd', { host: 'h', port: 10, export: 'e' }).driver, 'raw')
  assert.equal(node('file', { path: '/v', format: 'qcow2' }).driver, 'qcow2')
  assert.deepEqual(protocolNode({ driver_volume_type: 'rbd', data: { name: 'p/i', hosts: ['m'], ports: [6789], auth_username: 'u' } }), { driver: 'rbd', pool: 'p', image: 'i', server: [{ host: 'm', port: '6789' }], user: 'u' })
  const wrong: [string, Record<string, unknown>, string][] = [
    ['file', { path: '/v' }, 'invalid'],
    ['file', { path: '/v', format: 'vmdk' }, 'invalid'],
    ['file', { path: 'nbd:x', format: 'raw' }, 'invalid'],
    ['nbd', { path: '/s' }, 'invalid'],
    ['rbd', { name: 'a/b/c' }, 'invalid'],
    ['fibre_channel', {}, 'not_implemented'],
    ['iscsi', { target_portal: 'p', target_iqn: 'q', auth_password: 'x' }, 'not_implemented'],
  ]
  for (const [type, data, kind] of wrong) assert.throws(() => node(type, data), (thrown) => isFault(thrown) && thrown.kind === kind, JSON.stringify([type, data]))
  assert.equal((node('nbd', { path: '/s', export: 'e', access_mode: 'ro' })['read-only']), true)
})

it('names volumes so that no two are one', () => {
  const ids = Array.from({ length: 300 }, () => testId())
  const names = ids.map(volumeNodeName)
  assert.equal(new Set(names).size, ids.length)
  for (const name of names) assert.match(`${name}-a`, /^[a-zA-Z][\w-]{0,30}$/)
  assert.throws(() => volumeNodeName('../x'), (thrown) => isFault(thrown, 'invalid'))
})

it('never reuses the name of a file that counts', () => {
  const made = record(makeSpec(SHAPE))
  assert.equal(nextFile(made, 'root', 'qcow2'), 'root-2.qcow2')
  made.resize = { resize_id: 'r', spec: made.spec, disks: { root: { file: 'root-7.qcow2', format: 'qcow2' } } }
  assert.equal(nextFile(made, 'root', 'qcow2'), 'root-8.qcow2')
  assert.equal(nextFile(made, 'swap', 'qcow2'), 'swap-1.qcow2')
})

it('cuts the last lines', () => {
  assert.equal(lastLines('a\nb\nc\n', 2), 'b\nc\n')
  assert.equal(lastLines('a\nb\nc', 2), 'b\nc')
  assert.equal(lastLines('a\nb\n', 9), 'a\nb\n')
  assert.equal(lastLines('', 3), '')
  assert.equal(lastLines('a\n', 0), '')
  assert.equal(lastLines('\n\n\n', 2), '\n\n')
})
