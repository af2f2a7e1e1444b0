import assert from 'node:assert/strict'
import { it } from 'node:test'
import { isFault } from '#base/fault.ts'
import { isoImage } from './iso9660.ts'

const SECTOR = 2048

/** A reader of one tree, by its descriptor: name → content. Of the primary tree the names are Rock Ridge's. */
function read(image: Buffer, descriptor: 16 | 17): Record<string, string> {
  const found: Record<string, string> = {}
  const at = descriptor * SECTOR
  const walk = (sector: number, size: number, prefix: string): void => {
    for (let offset = sector * SECTOR; offset < sector * SECTOR + size; ) {
      const length = image[offset]!
      if (length === 0) {
        offset = Math.ceil((offset + 1) / SECTOR) * SECTOR
        continue
      }
      const idLength = image[offset + 32]!
      const id = image.subarray(offset + 33, offset + 33 + idLength)
      if (!(idLength === 1 && id[0]! <= 1)) {
        const name = descriptor === 17 ? Buffer.from(id).swap16().toString('utf16le') : rockRidgeName(image.subarray(offset + 33 + idLength + (idLength % 2 === 0 ? 1 : 0), offset + length))
        const [extent, bytes] = [image.readUInt32LE(offset + 2), image.readUInt32LE(offset + 10)]
        assert.equal(extent, image.readUInt32BE(offset + 6), 'both byte orders agree')
        if ((image[offset + 25]! & 2) !== 0) walk(extent, bytes, `${prefix}${name}/`)
        else found[prefix + name] = image.toString('utf8', extent * SECTOR, extent * SECTOR + bytes)
      }
      offset += length
    }
  }
  walk(image.readUInt32LE(at + 158), image.readUInt32LE(at + 166), '')
  return found
}

function rockRidgeName(use: Buffer): string {
  for (let at = 0; at + 4 <= use.length; at += use[at + 2]!) {
    if (use.toString('latin1', at, at + 2) === 'NM') return use.toString('utf8', at + 5, at + use[at + 2]!)
    if (use[at + 2] === 0) break
  }
  return '?'
}

it('holds the same files in both trees', () => {
  const files: Record<string, string> = { 'ec2/latest/meta-data.json': 'x'.repeat(5_000), 'openstack/latest/meta_data.json': '{"é":1}', 'openstack/latest/user_data': '', 'openstack/content/0000': 'c' }
  // So many that a directory needs several sectors.
  for (let number = 0; number < 120; number++) files[`openstack/many/file-with-a-long-name-${number}`] = String(number)
  const image = isoImage(files, { label: 'config-2', time: Date.UTC(2026, 0, 2) })
  assert.deepEqual(read(image, 16), files)
  assert.deepEqual(read(image, 17), files)
  assert.equal(image.toString('latin1', 16 * SECTOR + 1, 16 * SECTOR + 6), 'CD001')
  assert.equal(image.toString('latin1', 16 * SECTOR + 40, 16 * SECTOR + 72).trim(), 'config-2')
  assert.equal(image.readUInt32LE(16 * SECTOR + 80) * SECTOR, image.length)
  assert.ok(image.length > 150 * SECTOR)
})

it('refuses paths that lead elsewhere', () => {
  for (const path of ['../x', '/x', 'a//b', 'a/./b', 'a/\n', 'é']) {
    assert.throws(() => isoImage({ [path]: '' }, { label: 'config-2', time: 0 }), (thrown) => isFault(thrown, 'invalid'), path)
  }
  assert.throws(() => isoImage({ a: '', 'a/b': '' }, { label: 'config-2', time: 0 }), (thrown) => isFault(thrown, 'invalid'))
  assert.throws(() => isoImage({}, { label: 'x'.repeat(17), time: 0 }), (thrown) => isFault(thrown, 'invalid'))
})
