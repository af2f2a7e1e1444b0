/** Small rooms: a file is a page or two. Over 300 lines wants a reason, which stands here; over 600 is a defect. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sizes } from './sizes.ts'

/** Kinds of files that are one long list by nature: a suite of one interface, the columns of all tables, an interface with its facts, every flow's breaking. */
const LISTS = /(\/conformance\.ts|\/store\/tables\.ts|\/store\/migrations\/.*|\/drivers\/interface\.ts|\.test\.ts|\/test\/flow-cases\.ts|\/drivers\/[\w-]+\/driver\.ts)$/

/** Other long files, each with its reason. May only shrink. */
const REASONS: Readonly<Record<string, string>> = {
  'services/nova/api/server-create.ts': 'one body with forty fields, judged in the order in which Nova judges them',
  'services/neutron/api/pools.ts': 'subnet pools and address scopes, which check each other',
}

test('no file is longer than 600 lines, and those over 300 have their reason', () => {
  const all = sizes()
  assert.ok(all.length > 500)
  assert.deepEqual(all.filter(({ lines }) => lines > 600), [])
  const unexplained = all.filter(({ path, lines }) => lines > 300 && !LISTS.test(path) && !REASONS[path])
  assert.deepEqual(unexplained, [], 'split it by nouns, or write its reason down')
  const idle = Object.keys(REASONS).filter((path) => !all.some((each) => each.path === path && each.lines > 300))
  assert.deepEqual(idle, [], 'these reasons are no longer needed')
})
