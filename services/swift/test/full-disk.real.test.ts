/** A disk that is really full: a small tmpfs with the bytes and the database of a store on it. Needs root. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, rmdir, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openStore } from './kill-nine.maker.ts'

const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')
const bytesOf = (name: string, size: number): Buffer => Buffer.alloc(size, `${name} `)

test('a full disk is 507 for uploads, loses nothing, and is forgotten when there is room again', { skip: process.getuid?.() === 0 ? false : 'not root' }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-full-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'ondol-full', dir])
  try {
    const store = await openStore(dir)
    try {
      const taken = new Map<string, number>()
      const put = async (name: string, size: number): Promise<number> => {
        const { status } = await store.ask('PUT', `/${name}`, bytesOf(name, size))
        if (status === 201) taken.set(name, size)
        return status
      }
      // Until nothing more fits, however small, at several at a time: the place for rows runs out as well as that for bytes.
      const statuses = new Set<number>()
      for (const [size, label] of [[1_000_000, 'large'], [60_000, 'middle'], [900, 'small']] as const) {
        for (let round = 0; ; round++) {
          const answers = await Promise.all([0, 1, 2, 3].map((i) => put(`${label}-${round}-${i}`, size)))
          for (const status of answers) statuses.add(status)
          if (answers.every((status) => status === 507)) break
        }
      }
      assert.deepEqual([...statuses].sort(), [201, 507])
      const { bfree, bsize } = await statfs(dir)
      assert.ok(bfree * bsize < 1_000_000, `${bfree * bsize} bytes are free`)
      const judge = async (): Promise<void> => {
        const list = (await store.ask('GET', '?format=json&limit=10000')).json as { name: string; bytes: number; hash: string }[]
        assert.deepEqual(new Map(list.map((one) => [one.name, one.bytes])), taken)
        for (const { name, bytes } of list) {
          const got = await store.ask('GET', `/${name}`)
          assert.deepEqual([got.status, got.bytes], [200, md5(bytesOf(name, bytes))], name)
        }
        const head = await store.ask('HEAD', '')
        assert.equal(head.headers['x-container-object-count'], String(taken.size))
      }
      await judge()
      // An upload that does not fit in the place of one that stands leaves it.
      assert.equal((await store.ask('PUT', '/large-0-0', bytesOf('other', 3_000_000))).status, 507)
      await judge()
      execFileSync('mount', ['-o', 'remount,size=64m', dir])
      for (let i = 0; i < 3; i++) assert.equal(await put(`after-${i}`, 1_000_000), 201)
      assert.equal(await put('after-small', 900), 201)
      assert.equal((await store.ask('DELETE', '/large-0-0')).status, 204)
      taken.delete('large-0-0')
      await judge()
      await writeFile(join(dir, 'room'), 'x')
    } finally {
      await store.close()
    }
    // And what was taken is there after a new start.
    const again = await openStore(dir)
    assert.equal((await again.ask('GET', '/after-small')).bytes, md5(bytesOf('after-small', 900)))
    await again.close()
  } finally {
    execFileSync('umount', ['-l', dir])
    await rm(dir, { recursive: true, force: true }).catch(() => rmdir(dir))
  }
})
