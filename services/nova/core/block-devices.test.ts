import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bootPlan, wishesOfV2, withImageDevices } from './block-devices.ts'

const SNAPSHOT = '33333333-3333-4333-8333-333333333333'
const VOLUME = '44444444-4444-4444-8444-444444444444'
const image = {
  bdm_v2: 'True',
  root_device_name: '/dev/vda',
  block_device_mapping: JSON.stringify([
    { source_type: 'snapshot', destination_type: 'volume', snapshot_id: SNAPSHOT, volume_size: 1, boot_index: 0, delete_on_termination: true, device_name: '/dev/vda', volume_id: null, image_id: null, no_device: null },
    { source_type: 'blank', destination_type: 'volume', volume_size: 2, boot_index: null, device_name: '/dev/vdb' },
  ]),
}

test('an image of a server on volumes brings its devices', () => {
  const wishes = withImageDevices([], image)
  assert.deepEqual(wishes.map((one) => [one.source_type, one.uuid, one.boot_index, one.volume_size, one.delete_on_termination]), [['snapshot', SNAPSHOT, 0, 1, true], ['blank', null, -1, 2, false]])
  const plan = bootPlan(wishes, null, { ephemeral_gb: 0, swap: 0 })
  assert.deepEqual([plan.on_volume, plan.local_image], [true, null])
})

test('what the request says of a device or of the root comes before what the image says', () => {
  const asked = wishesOfV2([{ source_type: 'volume', destination_type: 'volume', uuid: VOLUME, boot_index: 0 }, { source_type: 'blank', destination_type: 'volume', volume_size: 5, device_name: '/dev/vdb' }])
  assert.deepEqual(withImageDevices(asked, image), asked)
})

test('an ordinary image brings none, and one that cannot be read is refused', () => {
  assert.deepEqual(withImageDevices([], {}), [])
  assert.throws(() => withImageDevices([], { block_device_mapping: '[{' }), /cannot be read/)
})
