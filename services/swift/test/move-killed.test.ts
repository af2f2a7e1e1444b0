/** Whoever moves a store is killed again and again, while another process writes to it; begun again, it goes on, and nothing is lost. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openDatabase } from '#base/sql/open.ts'
import { poolOf } from '../core/policies.ts'
import type { SwiftTables } from '../store/tables.ts'
import { bodyOf, openStore } from './kill-nine.maker.ts'
import { POLICIES } from './move.maker.ts'

const COUNT = 300

test('a move that is killed in the middle of every step ends with everything moved and whole', { skip: process.env.ONDOL_TEST_DATABASE ? 'has a database of its own' : false }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-move-'))
  const store = await openStore(dir, { policies: POLICIES, durability: 'fast' })
  try {
    const put = async (name: string): Promise<void> => assert.equal((await store.ask('PUT', `/${name}`, bodyOf(name))).status, 201)
    for (let i = 0; i < COUNT; i += 20) await Promise.all(Array.from({ length: 20 }, (_, k) => put(`a-${i + k}`)))
    const present = new Set(Array.from({ length: COUNT }, (_, i) => `a-${i}`))
    let over = false
    let writes = 0
    const writing = (async () => {
      for (; !over; writes++) {
        await put(`b-${writes}`)
        present.add(`b-${writes}`)
        // What was there already is replaced, and some of it deleted.
        await put(`a-${writes % 50}`)
        const gone = `a-${100 + writes}`
        if (writes < 50 && (await store.ask('DELETE', `/${gone}`)).status === 204) present.delete(gone)
      }
    })()
    let deaths = 0
    for (let ended = false; !ended; ) {
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', new URL('move.maker.ts', import.meta.url).pathname, dir], { stdio: ['pipe', 'pipe', 'inherit'] })
      child.stdin.on('error', () => {})
      let steps = 0
      for await (const chunk of child.stdout) {
        steps += String(chunk).split('\n').length - 1
        if (steps > deaths && deaths < 4) child.kill('SIGKILL')
        else child.stdin.write('\n')
      }
      const code = child.exitCode ?? child.signalCode ?? (await new Promise((resolve) => child.once('exit', (status, signal) => resolve(status ?? signal))))
      if (code === 'SIGKILL') deaths++
      else {
        assert.equal(code, 0)
        ended = true
      }
    }
    over = true
    await writing
    assert.ok(deaths >= 2, `${deaths} deaths`)
    const page = (await store.ask('GET', '?format=json&limit=10000')).json as { name: string; bytes: number }[]
    assert.deepEqual(new Set(page.map((one) => one.name)), present)
    for (const { name } of page) {
      const got = await store.ask('GET', `/${name}`)
      assert.deepEqual([got.status, got.bytes], [200, createHash('md5').update(bodyOf(name)).digest('hex')], name)
    }
    const db = await openDatabase({ url: `sqlite:${join(dir, 'ondol.db')}` })
    const elsewhere = (await db.as<SwiftTables>().query.selectFrom('swift_objects').select(['name', 'bytes_id']).where('bytes_id', '<>', '').execute()).filter((row) => poolOf(row.bytes_id) !== 'gold')
    await db.close()
    // One upload at most was under way when the container changed its policy.
    assert.ok(elsewhere.length <= 1, JSON.stringify(elsewhere.slice(0, 5)))
  } finally {
    await store.close()
    await rm(dir, { recursive: true, force: true })
  }
})
