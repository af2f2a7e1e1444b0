/**
 * A process that serves a thousand requests at once is killed in the middle, twenty times over: what it acknowledged is there and whole, what it did not
 * is there whole or not at all, and the listings agree.
 *
 * By hand, two processes on one database and an S3 store, of which one is killed each time: `node services/swift/test/kill-nine.by-hand.ts`.
 */
import { test } from 'node:test'
import { killed } from './kill-nine.clients.ts'

test('after twenty deaths among a thousand uploads, overwrites, deletions, copies, manifests and uploads in parts nothing that was acknowledged is lost', { skip: process.env.ONDOL_TEST_DATABASE ? 'has a database of its own' : false }, async () => {
  await killed({ rounds: 20, clients: 1000, processes: 1 })
})
