/** A worker is killed with kill -9; another process on the same database goes on with its flows within the lease. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startPostgres } from '../sql/test/postgres.ts'
import { measureTakeover } from './test/takeover.ts'

const LEASE = 2_500
/** Of a machine that others load. */
const SLACK = 2_000

async function judge(url: string): Promise<string> {
  const found = await measureTakeover(url, { lease: LEASE, flows: 20 })
  assert.equal(found.flows, 20)
  assert.deepEqual(found.states, ['done'])
  assert.ok(found.last_ms <= LEASE + SLACK, `the last flow waited ${found.last_ms} ms`)
  return `${found.flows} flows went on after ${Math.round(found.first_ms)} to ${Math.round(found.last_ms)} ms, the lease is ${LEASE} ms`
}

test('two processes on one SQLite file', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-takeover-'))
  try {
    t.diagnostic(await judge(`sqlite:${join(dir, 'test.db')}`))
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})

test('two processes on PostgreSQL', async (t) => {
  const server = await startPostgres()
  if (!server) return t.skip('not installed')
  try {
    t.diagnostic(await judge(await server.createDatabase()))
  } finally {
    await server.stop()
  }
})
