import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { slabsTaken } from '#base/hash/arena.ts'
import { openFile, pace } from '#base/open-file.ts'
import { FileBody, PIECE } from './file-body.ts'

test('a reader who goes while the file is being read harms nobody else', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-file-body-'))
  const unhandled: unknown[] = []
  const note = (thrown: unknown): void => void unhandled.push(thrown)
  process.on('unhandledRejection', note)
  try {
    await writeFile(join(dir, 'file'), Buffer.alloc(4 * PIECE))
    const file = await openFile(join(dir, 'file'), 'r', pace())
    // Reads take as long as it takes the broken write to be told.
    const slow = { read: async (...args: Parameters<typeof file.read>): Promise<number> => { await new Promise((resolve) => setImmediate(() => setImmediate(resolve))); return file.read(...args) }, close: () => file.close() }
    const gone = new Writable({ autoDestroy: false, write: (_chunk, _encoding, done) => done(Object.assign(new Error('write ECONNRESET'), { code: 'ECONNRESET' })) })
    gone.on('error', () => {})
    await assert.rejects(new FileBody(slow, 0, 4 * PIECE).pumpTo(gone), /ECONNRESET/)
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(unhandled, [])
  } finally {
    process.off('unhandledRejection', note)
    await rm(dir, { recursive: true, force: true })
  }
})

test('a client that stops reading and goes gives back what it held', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-file-body-'))
  try {
    await writeFile(join(dir, 'file'), Buffer.alloc(40 * PIECE, 5))
    const body = async (): Promise<FileBody> => new FileBody(await openFile(join(dir, 'file'), 'r', pace()), 0, 40 * PIECE)
    const kept: Buffer[] = []
    const whole = new Writable({ write: (chunk: Buffer, _encoding, done) => done(void kept.push(Buffer.from(chunk))) })
    await (await body()).pumpTo(whole)
    assert.deepEqual(Buffer.concat(kept), Buffer.alloc(40 * PIECE, 5))
    const stuck = new Writable({ write: () => {} })
    const pumping = (await body()).pumpTo(stuck)
    while (slabsTaken() === 0) await new Promise(setImmediate)
    stuck.destroy()
    await assert.rejects(pumping, /closed the connection/)
    while (slabsTaken() > 0) await new Promise(setImmediate)
    const judged = new FileBody(await openFile(join(dir, 'file'), 'r', pace()), 0, 40 * PIECE, () => {
      throw new Error('bad')
    })
    await assert.rejects(judged.pumpTo(new Writable({ write: (_chunk, _encoding, done) => done() })), /bad/)
    assert.equal(slabsTaken(), 0)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
