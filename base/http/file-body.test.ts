import assert from 'node:assert/strict'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { FileBody, PIECE } from './file-body.ts'

test('a reader who goes while the file is being read harms nobody else', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-file-body-'))
  const unhandled: unknown[] = []
  const note = (thrown: unknown): void => void unhandled.push(thrown)
  process.on('unhandledRejection', note)
  try {
    await writeFile(join(dir, 'file'), Buffer.alloc(4 * PIECE))
    const file = await open(join(dir, 'file'))
    // Reads take as long as it takes the broken write to be told.
    const slow = { read: async (...args: Parameters<typeof file.read>) => { await new Promise((resolve) => setImmediate(() => setImmediate(resolve))); return file.read(...args) }, close: () => file.close() }
    const gone = new Writable({ autoDestroy: false, write: (_chunk, _encoding, done) => done(Object.assign(new Error('write ECONNRESET'), { code: 'ECONNRESET' })) })
    gone.on('error', () => {})
    await assert.rejects(new FileBody(slow as never, 0, 4 * PIECE).pumpTo(gone), /ECONNRESET/)
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(unhandled, [])
  } finally {
    process.off('unhandledRejection', note)
    await rm(dir, { recursive: true, force: true })
  }
})
