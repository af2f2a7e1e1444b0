/** What other Keystones stored is verified, and while it is, the others of the process go on. */
import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import { test } from 'node:test'
import { hash as bcryptHash } from 'bcryptjs'
import { verifyPassword } from './password-hash.ts'

test('verifying bcrypt hashes costs this thread next to nothing', async () => {
  const stored = await bcryptHash('a-secret', 11)
  assert.equal(await verifyPassword('a-secret', stored), true)
  const before = performance.eventLoopUtilization()
  const answers = await Promise.all([verifyPassword('a-secret', stored), verifyPassword('another', stored), verifyPassword('a-secret', '$2b$nonsense')])
  const { active, idle } = performance.eventLoopUtilization(before)
  assert.deepEqual(answers, [true, false, false])
  assert.ok(active < (active + idle) / 2, `busy for ${active} of ${active + idle} ms`)
})
