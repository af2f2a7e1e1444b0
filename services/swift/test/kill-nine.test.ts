/** A process that takes uploads is killed in the middle, many times over: what it acknowledged is there and whole, and the listing agrees. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { bodyOf, openStore } from './kill-nine.maker.ts'

const ROUNDS = 20
const dir = await mkdtemp(join(tmpdir(), 'ondol-kill-'))
after(() => rm(dir, { recursive: true, force: true }))

test(`after ${ROUNDS} deaths among uploads and deletions nothing that was acknowledged is lost`, { skip: process.env.ONDOL_TEST_DATABASE ? 'has a database of its own' : false }, async () => {
  const present = new Set<string>()
  const unsure = new Set<string>()
  for (let round = 0; round < ROUNDS; round++) {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', new URL('kill-nine.maker.ts', import.meta.url).pathname, dir, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    let acknowledged = 0
    for await (const chunk of child.stdout) {
      text += String(chunk)
      acknowledged = text.split('\n').length
      // A different moment in each round.
      if (acknowledged > 20 + round * 13) child.kill('SIGKILL')
    }
    for (const line of text.split('\n').slice(0, -1)) {
      const [verb, name] = line.split(' ') as [string, string]
      if (verb === 'try') unsure.add(name)
      else {
        unsure.delete(name)
        if (verb === 'put') present.add(name)
        else present.delete(name)
      }
    }
    const cut = text.split('\n').at(-1)!
    if (cut !== '') unsure.add(cut.split(' ')[1] ?? '')
  }
  assert.ok(present.size > 500, `${present.size} objects`)
  const store = await openStore(dir)
  try {
    const listed: string[] = []
    for (let marker = ''; ; ) {
      const page = (await store.ask('GET', `?format=json&limit=1000&marker=${encodeURIComponent(marker)}`)).json as { name: string; bytes: number; hash: string }[]
      if (page.length === 0) break
      for (const { name, bytes, hash } of page) {
        const body = bodyOf(name)
        assert.equal(bytes, body.length)
        assert.equal(hash, createHash('md5').update(body).digest('hex'))
        listed.push(name)
      }
      marker = page.at(-1)!.name
    }
    const head = await store.ask('HEAD', '')
    assert.equal(head.headers['x-container-object-count'], String(listed.length))
    assert.equal(head.headers['x-container-bytes-used'], String(listed.reduce((sum, name) => sum + bodyOf(name).length, 0)))
    const there = new Set(listed)
    for (const name of present) if (!unsure.has(name)) assert.ok(there.has(name), `${name} was acknowledged and is lost`)
    for (const name of listed) {
      assert.ok(present.has(name) || unsure.has(name), `${name} was deleted and is back`)
      const got = await store.ask('GET', `/${name}`)
      assert.equal(got.status, 200)
      assert.equal(got.bytes, createHash('md5').update(bodyOf(name)).digest('hex'))
    }
  } finally {
    await store.close()
  }
})
