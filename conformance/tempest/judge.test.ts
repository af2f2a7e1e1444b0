import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge, readExpected } from './judge.ts'

const passed = (name: string) => ({ test: name, status: 'success' as const, seconds: 1 })
const failed = (name: string, why: string) => ({ test: name, status: 'fail' as const, seconds: 1, why })

test('an expected failure is no failure, and a listed test that passes is one', () => {
  const { counts, lines } = judge([passed('tempest.api.a.A.x'), failed('tempest.api.a.A.y', 'boom'), passed('tempest.api.a.A.z'), { test: 'tempest.api.b.B.s', status: 'skip', seconds: 0 }], new Map([['tempest.api.a.A.y', 'why'], ['tempest.api.a.A.z', 'why']]))
  const { failures, ...figures } = counts
  assert.deepEqual(figures, { passed: 1, failed: 1, skipped: 2 })
  assert.deepEqual(failures?.map(({ test }) => test), ['tempest.api.a.A.z'])
  assert.match(lines[0]!, /A\.z\n +passes now/)
  assert.match(lines.find((line) => line.startsWith('tempest.api.a'))!, /2 passed +1 failed +0 skipped/)
})

test('a failure shows its exception without the road to it', () => {
  const why = 'Traceback (most recent call last):\n  File "x.py", line 1, in y\n    z()\ntempest.lib.exceptions.NotFound: Object not found\nDetails: no such thing\n'
  const { counts, lines } = judge([failed('tempest.api.a.A.y', why)], new Map())
  assert.equal(counts.failed, 1)
  assert.equal(lines[0], '✖ tempest.api.a.A.y\n    tempest.lib.exceptions.NotFound: Object not found\n    Details: no such thing')
})

test('every expected failure has a reason', async () => {
  for (const [name, why] of await readExpected()) assert.ok(/^\w*tempest\w*\.[\w.]+$/.test(name) && (why ?? '').length > 20, name)
})
