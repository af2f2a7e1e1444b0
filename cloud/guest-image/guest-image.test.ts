import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, existsSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { VirtualClock, realClock } from '#base/clock.ts'
import { cpioArchive } from './cpio.ts'
import { neededLibraries, parseNeeded } from './elf.ts'
import { holdLock } from './lock.ts'
import { chooseModules } from './modules.ts'
import { parseShow } from './packages.ts'

function inFolder(work: (folder: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ondol-guest-unit-'))
    try {
      await work(folder)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

test('apt-cache show gives names, versions, hashes and dependencies', () => {
  const text = 'Package: a\nVersion: 1:2-3\nPre-Depends: libc6 (>= 2)\nDepends: libx1 (= 1) | liby2, z:any\nSHA256: ff\n\nPackage: virtual\nVersion: 1\n\nPackage: b\nVersion: 4\nSHA256: ee\n'
  assert.deepEqual(parseShow(text), [
    { name: 'a', version: '1:2-3', sha256: 'ff', depends: ['libc6', 'libx1', 'liby2', 'z'] },
    { name: 'b', version: '4', sha256: 'ee', depends: [] },
  ])
})

test('modules come with all that they depend on; built-in ones are left out', () => {
  const dep = 'kernel/a/virtio-net.ko.xz: kernel/b/net_failover.ko kernel/b/failover.ko\nkernel/b/net_failover.ko: kernel/b/failover.ko\nkernel/b/failover.ko:\nkernel/c/other.ko:\n'
  assert.deepEqual(chooseModules(dep, ['virtio_net', 'ext4']), ['kernel/a/virtio-net.ko.xz', 'kernel/b/failover.ko', 'kernel/b/net_failover.ko'])
})

test('the libraries of a program are read from its ELF', async () => {
  assert.deepEqual(parseNeeded(Buffer.from('#!/bin/sh\n')), [])
  assert.ok((await neededLibraries('/bin/sh')).includes('libc.so.6'))
})

test(
  'a cpio archive belongs to root and does not depend on when it is made',
  inFolder(async (folder) => {
    mkdirSync(join(folder, 'bin'))
    writeFileSync(join(folder, 'bin/tool'), 'abc', { mode: 0o755 })
    symlinkSync('tool', join(folder, 'bin/link'))
    const archive = await cpioArchive(folder, 1234)
    const names = [...archive.toString('latin1').matchAll(/070701[0-9a-f]{104}([^\0]+)\0/g)].map((found) => found[1])
    assert.deepEqual(names, ['bin', 'bin/link', 'bin/tool', 'TRAILER!!!'])
    const tool = /070701([0-9a-f]{104})bin\/tool\0\0*abc/.exec(archive.toString('latin1'))![1]!
    const fields = tool.match(/.{8}/g)!.map((hex) => Number.parseInt(hex, 16))
    assert.deepEqual(fields.slice(1, 7), [0o100755, 0, 0, 1, 1234, 3])
    assert.equal(archive.length % 512, 0)
    writeFileSync(join(folder, 'bin/tool'), 'abc')
    assert.ok((await cpioArchive(folder, 1234)).equals(archive))
  }),
)

test(
  'the lock lets one in at a time, and a dead holder holds nothing',
  inFolder(async (folder) => {
    const path = join(folder, 'lock')
    writeFileSync(path, '4194304 77 0\n') // beyond the greatest pid
    let inside = 0
    let most = 0
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setImmediate(resolve))
      inside--
    }
    await Promise.all([1, 2, 3].map(() => holdLock(path, realClock, undefined, work)))
    assert.equal(most, 1)
    assert.equal(existsSync(path), false)

    const stop = new AbortController()
    let entered = false
    await holdLock(path, realClock, undefined, async () => {
      const waiting = holdLock(path, new VirtualClock(), stop.signal, async () => {
        entered = true
      })
      stop.abort(new Error('stopped'))
      await assert.rejects(waiting, /stopped/)
    })
    assert.equal(entered, false)
  }),
)
