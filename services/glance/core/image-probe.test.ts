import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STREAM_DESCRIPTOR, makeIso, makeLuks, makeMbr, makePloop, makeQcow2, makeVdi, makeVhd, makeVhdFooter, makeVhdx, makeVmdk } from './image-bytes.maker.ts'
import { type ImageFinding, type ImageLimits, judgeImage } from './image-judge.ts'
import { ImageProbe } from './image-probe.ts'

function judge(bytes: Buffer, disk_format: string, limits: ImageLimits = {}, step = 65_521): ImageFinding {
  const probe = new ImageProbe()
  for (let at = 0; at < bytes.length; at += step) probe.write(bytes.subarray(at, at + step))
  return judgeImage(probe.finish(), { disk_format, container_format: 'bare' }, limits)
}

function refused(bytes: Buffer, disk_format: string, code: string, limits: ImageLimits = {}): void {
  assert.equal(judge(bytes, disk_format, limits).problem?.code, code)
}

const MIB = 2 ** 20

test('honest images of every format are recognised with their virtual size', () => {
  const cases: [Buffer, string, number, string?][] = [
    [makeQcow2(), 'qcow2', 64 * MIB],
    [makeQcow2({ version: 2 }), 'qcow2', 64 * MIB],
    [makeVmdk(), 'vmdk', 64 * MIB, 'streamOptimized'],
    [makeVmdk({ descriptor: STREAM_DESCRIPTOR.replace('streamOptimized', 'monolithicSparse') }), 'vmdk', 64 * MIB, 'monolithicSparse'],
    [makeVmdk({ grain_directory_at_end: true, footer: {} }), 'vmdk', 64 * MIB, 'streamOptimized'],
    [makeVhd(3, 1024n * 2n ** 20n), 'vhd', 1024 * MIB, 'dynamic'],
    [Buffer.concat([Buffer.alloc(3 * MIB), makeVhdFooter(2, 3n * 2n ** 20n)]), 'vhd', 3 * MIB, 'fixed'],
    [makeVhdx(), 'vhdx', 5 * 2 ** 30],
    [makeVdi(), 'vdi', 2 ** 30, 'dynamic'],
    [makeIso(), 'iso', 40 * 2048],
    [makeLuks(1, 4096), 'luks', 2 * MIB, 'luks1'],
    [makePloop(), 'ploop', 64 * MIB],
    [makeMbr(0x83), 'raw', MIB, 'mbr'],
    [makeMbr(0xee), 'raw', MIB, 'gpt'],
    [Buffer.from('hello'), 'raw', 5],
    [Buffer.alloc(0), 'raw', 0],
    [Buffer.alloc(100_000, 1), 'aki', 100_000],
    [Buffer.alloc(100_000, 1), 'ari', 100_000],
    [Buffer.alloc(100_000, 1), 'ami', 100_000],
  ]
  for (const [bytes, format, size, subformat] of cases) {
    const found = judge(bytes, format)
    assert.equal(found.problem, undefined, `${format} ${subformat}: ${found.problem?.reason}`)
    assert.equal(found.virtual_size, size, format)
    assert.equal(found.subformat, subformat, format)
  }
})

test('what is found does not depend on how the bytes are cut', () => {
  for (const bytes of [makeQcow2(), makeVmdk({ grain_directory_at_end: true, footer: {} }), makeVhd(3, 2n ** 30n), makeVhdx(), makeIso()]) {
    const whole = JSON.stringify(judge(bytes, 'raw', {}, bytes.length))
    for (const step of [1021, 4096, 65_536, 262_144]) assert.equal(JSON.stringify(judge(bytes, 'raw', {}, step)), whole)
  }
  assert.equal(JSON.stringify(judge(makeVmdk(), 'vmdk', {}, 1)), JSON.stringify(judge(makeVmdk(), 'vmdk')))
})

test('A1: a qcow2 with a backing file is refused, as soon as its head has passed', () => {
  refused(makeQcow2({ backing_offset: 512n, backing_size: 11 }), 'qcow2', 'backing_file')
  refused(makeQcow2({ backing_offset: 512n }), 'qcow2', 'backing_file')
  refused(makeQcow2({ backing_size: 11 }), 'qcow2', 'backing_file')
  refused(makeQcow2({ version: 2, backing_offset: 512n, backing_size: 11 }), 'qcow2', 'backing_file')
  refused(makeQcow2({ extensions: [{ type: 0xe2792aca, bytes: Buffer.from('raw') }] }), 'qcow2', 'backing_file')
  const probe = new ImageProbe()
  probe.write(makeQcow2({ backing_offset: 512n, backing_size: 11 }).subarray(0, 65_536))
  assert.equal(probe.found?.problem?.code, 'backing_file')
})

test('A2: a qcow2 with an external data file is refused, by its feature bit and by its name', () => {
  refused(makeQcow2({ incompatible: 4n }), 'qcow2', 'data_file')
  refused(makeQcow2({ extensions: [{ type: 0x44415441, bytes: Buffer.from('/etc/passwd') }] }), 'qcow2', 'data_file')
  refused(makeQcow2({ extensions: [{ type: 0x6803f857, bytes: Buffer.alloc(48) }, { type: 0x44415441, bytes: Buffer.from('/etc/shadow') }] }), 'qcow2', 'data_file')
})

test('a qcow2 with unknown features or a broken header is refused', () => {
  for (const bit of [5n, 17n, 63n]) refused(makeQcow2({ incompatible: 1n << bit }), 'qcow2', 'unknown_feature')
  refused(makeQcow2({ incompatible: 2n }), 'qcow2', 'malformed')
  refused(makeQcow2({ version: 4 }), 'qcow2', 'unsupported')
  refused(makeQcow2({ cluster_bits: 40 }), 'qcow2', 'malformed')
  refused(makeQcow2({ size: 2n ** 63n }), 'qcow2', 'malformed')
  refused(makeQcow2({ l1_size: 2 ** 31 }), 'qcow2', 'malformed')
  refused(makeQcow2({ header_length: 2 ** 31 }), 'qcow2', 'malformed')
  refused(makeQcow2({ extensions: [{ type: 0x12345678, bytes: Buffer.alloc(8), length: 2 ** 31 }] }), 'qcow2', 'malformed')
  refused(Buffer.from('QFI\xfb\0\0\0\x03', 'latin1'), 'qcow2', 'malformed')
})

test('A3: only self-contained vmdk sub-types, and no path of the host', () => {
  const flat = ['# Disk DescriptorFile', 'version=1', 'CID=1', 'parentCID=ffffffff', 'createType="monolithicFlat"', 'RW 4 FLAT "/etc/passwd" 0', ''].join('\n')
  refused(Buffer.from(flat), 'vmdk', 'subformat')
  refused(Buffer.from(`# a comment\n\n  \nversion=1\nRW 4 FLAT "/etc/passwd" 0\n`), 'vmdk', 'subformat')
  refused(Buffer.from('COWD' + '\0'.repeat(2000)), 'vmdk', 'subformat')
  for (const kind of ['monolithicFlat', 'twoGbMaxExtentFlat', 'twoGbMaxExtentSparse', 'fullDevice', 'vmfs', 'custom']) {
    refused(makeVmdk({ descriptor: STREAM_DESCRIPTOR.replace('streamOptimized', kind) }), 'vmdk', 'subformat')
  }
  const second = STREAM_DESCRIPTOR.replace('createType="streamOptimized"', 'createType="streamOptimized"\nCREATETYPE = "monolithicFlat"')
  refused(makeVmdk({ descriptor: second }), 'vmdk', 'subformat')
  refused(makeVmdk({ descriptor: STREAM_DESCRIPTOR.replace('"disk.vmdk"', '"/etc/passwd"') }), 'vmdk', 'host_path')
  refused(makeVmdk({ descriptor: STREAM_DESCRIPTOR.replace('"disk.vmdk"', '"../x"') }), 'vmdk', 'host_path')
  refused(makeVmdk({ descriptor: STREAM_DESCRIPTOR.replace('SPARSE', 'FLAT') }), 'vmdk', 'subformat')
  refused(makeVmdk({ descriptor: STREAM_DESCRIPTOR.replace('"disk.vmdk"', '"disk.vmdk"\nRW 9 SPARSE "b.vmdk"') }), 'vmdk', 'subformat')
  refused(makeVmdk({ descriptor: STREAM_DESCRIPTOR.replace('RW 131072 SPARSE', 'RW x') }), 'vmdk', 'malformed')
  refused(makeVmdk({ descriptor: STREAM_DESCRIPTOR.replace('parentCID=ffffffff', 'parentCID=12345678') }), 'vmdk', 'backing_file')
  refused(makeVmdk({ descriptor: `${STREAM_DESCRIPTOR}parentFileNameHint="/etc/passwd"\n` }), 'vmdk', 'backing_file')
  refused(makeVmdk({ descriptor: STREAM_DESCRIPTOR.padEnd(1024) + 'parentFileNameHint="/etc/passwd"', descriptor_size: 1n }), 'vmdk', 'backing_file')
})

test('A3: tricks with the vmdk header', () => {
  refused(makeVmdk({ capacity: 0n }), 'vmdk', 'malformed')
  refused(makeVmdk({ capacity: 2n ** 60n }), 'vmdk', 'malformed')
  refused(makeVmdk({ descriptor_size: 2n ** 40n }), 'vmdk', 'malformed')
  refused(makeVmdk({ descriptor_size: 0n }), 'vmdk', 'subformat')
  refused(makeVmdk({ descriptor_at: 2n ** 50n }), 'vmdk', 'malformed')
  refused(makeVmdk({ descriptor_at: 2000n }), 'vmdk', 'subformat') // beyond the end of the file: nothing to read
  refused(makeVmdk({ grain_directory_at_end: true }), 'vmdk', 'malformed')
  refused(makeVmdk({ grain_directory_at_end: true, footer: { capacity: 0n } }), 'vmdk', 'malformed')
  refused(makeVmdk({ grain_directory_at_end: true, footer: { descriptor_at: 90n } }), 'vmdk', 'malformed')
})

test('A4: bytes of another format than declared are refused, both ways', () => {
  const made: Record<string, Buffer> = {
    qcow2: makeQcow2(),
    vmdk: makeVmdk(),
    vhd: makeVhd(3, 2n ** 30n),
    vhdx: makeVhdx(),
    vdi: makeVdi(),
    iso: makeIso(),
    luks: makeLuks(1, 4096),
    ploop: makePloop(),
  }
  for (const declared of [...Object.keys(made), 'raw', 'aki', 'ari', 'ami']) {
    for (const [actual, bytes] of Object.entries(made)) {
      if (declared !== actual) refused(bytes, declared, 'mismatch')
    }
    if (made[declared]) refused(Buffer.alloc(200_000, 7), declared, 'unrecognised')
  }
  refused(Buffer.concat([Buffer.alloc(MIB), makeVhdFooter(2, 2n ** 20n)]), 'raw', 'mismatch')
  refused(makeIso(makeQcow2()), 'iso', 'mismatch')
  refused(Buffer.from('hello'), 'floppy', 'unsupported')
})

test('formats no image may have are refused whatever is declared', () => {
  for (const magic of ['QED\0', 'Bochs Virtual HD Image']) refused(Buffer.from(magic.padEnd(4096, '\0'), 'latin1'), 'raw', 'unsupported')
  refused(Buffer.concat([Buffer.alloc(4096), Buffer.from('koly'.padEnd(512, '\0'), 'latin1')]), 'raw', 'unsupported')
})

test('A6: a virtual size over the limit is refused', () => {
  refused(makeQcow2({ size: 2n ** 50n }), 'qcow2', 'too_big')
  refused(makeQcow2({ size: 2n ** 31n }), 'qcow2', 'too_big', { max_virtual_size: 2 ** 30 })
  assert.equal(judge(makeQcow2({ size: 2n ** 30n }), 'qcow2', { max_virtual_size: 2 ** 30 }).problem, undefined)
})

test('differences to a parent are refused in every format', () => {
  refused(makeVhd(4, 2n ** 30n), 'vhd', 'backing_file')
  refused(makeVhd(3, 2n ** 30n, makeVhdFooter(4, 2n ** 30n)), 'vhd', 'backing_file')
  refused(makeVhd(3, 2n ** 30n, makeVhdFooter(3, 2n ** 40n)), 'vhd', 'malformed')
  refused(makeVhdx({ parent: true }), 'vhdx', 'backing_file')
  refused(makeVhdx({ locator: true }), 'vhdx', 'backing_file')
  refused(makeVdi({ parent: true }), 'vdi', 'backing_file')
  refused(makeVdi({ type: 4 }), 'vdi', 'backing_file')
})

test('A6: tables far away or behind the stream are refused, in bounded memory', () => {
  refused(makeVhdx({ metadata_at: 2n ** 60n }), 'vhdx', 'malformed')
  refused(makeVhdx({ metadata_at: 0n }), 'vhdx', 'malformed')
  refused(makeVhdx({ metadata_at: 512n * 2n ** 20n }), 'vhdx', 'malformed') // beyond the end
  refused(makeLuks(1, 2 ** 31), 'luks', 'malformed')
  refused(makeLuks(2, 4096), 'luks', 'unsupported')

  const probe = new ImageProbe()
  const chunk = makeVhdx({ metadata_at: 1024n * 2n ** 20n }).subarray(0, 2 ** 20)
  probe.write(chunk)
  const before = process.memoryUsage().arrayBuffers
  const zeros = Buffer.alloc(2 ** 20)
  for (let mib = 0; mib < 2048; mib++) probe.write(zeros)
  assert.ok(process.memoryUsage().arrayBuffers - before < 32 * MIB)
  assert.equal(judgeImage(probe.finish(), { disk_format: 'vhdx' }).problem?.code, 'malformed')
})

test('an archive container is not judged as a disk', () => {
  const probe = new ImageProbe()
  probe.write(makeQcow2({ incompatible: 4n }))
  assert.deepEqual(judgeImage(probe.finish(), { disk_format: 'raw', container_format: 'ova' }), { detected_format: 'raw' })
})
