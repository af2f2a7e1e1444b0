/** A cloud whose database moves under its load, and which dies at every step of that: what was acknowledged is there, in one place. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isFault } from '#base/fault.ts'
import { openDatabase } from '#base/sql/open.ts'
import { sourceMove } from '#base/sql/move/source.ts'
import { notePath, samePlace, shownUrl } from './database-note.ts'
import { startCloud } from './start-cloud.ts'
import { bodyOf, boxOf, busy } from './test/moving-cloud.maker.ts'

interface Known { present: Set<string>; gone: Set<string>; unsure: Set<string> }

/** Runs a cloud until it dies or has moved. */
async function run(dir: string, to: string, tag: string, dieAt: string, known: Known): Promise<string> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'test/moving-cloud.maker.ts'), dir, to, tag, dieAt], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  for await (const chunk of child.stdout) text += String(chunk)
  const end = child.exitCode ?? child.signalCode ?? (await new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal))))
  let last = ''
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const [word, name = ''] = line.split(' ')
    last = line
    if (word === 'try') known.unsure.add(name)
    if (word === 'put') known.present.add(name)
    if (word === 'gone') known.gone.add(name)
    if (word === 'put' || word === 'gone') known.unsure.delete(name)
  }
  return end === 'SIGKILL' ? 'died' : end === 0 ? last : `ended ${String(end)}`
}

async function check(dir: string, to: string, known: Known): Promise<void> {
  const cloud = await startCloud({ dataDir: dir, port: null, config: { 'seed.enabled': false } })
  try {
    const view = await cloud.databaseMove.view()
    assert.equal(view.place, shownUrl(to))
    const box = await boxOf(cloud)
    const listed = new Set(await box.names())
    for (const name of known.present) if (!known.gone.has(name) && !known.unsure.has(name)) assert.ok(listed.has(name), `${name} is lost`)
    for (const name of listed) assert.ok(known.unsure.has(name) || (known.present.has(name) && !known.gone.has(name)), `${name} is back`)
    for (const name of listed) assert.ok(Buffer.from(await (await box.ask('GET', `/${name}`)).arrayBuffer()).equals(bodyOf(name)), `${name} is damaged`)
    assert.equal((await box.ask('HEAD', '')).headers.get('x-container-object-count'), String(listed.size))
  } finally {
    await cloud.close()
  }
}

const server = process.env.ONDOL_TEST_DATABASE ? 'has a database of its own' : false

for (const steps of [['captured', 'slice', 'copied', 'compared', 'applied', 'left'], ['noted'], ['switched']]) {
  test(`a cloud that dies when its move is at ${steps.join(', ')} has lost nothing, and the same command goes on`, { skip: server, timeout: 300_000 }, async () => {
    const dir = await mkdtemp(join(tmpdir(), 'ondol-moving-'))
    try {
      const to = `sqlite:${join(dir, 'elsewhere.db')}`
      const known: Known = { present: new Set(), gone: new Set(), unsure: new Set() }
      for (const [i, step] of steps.entries()) assert.equal(await run(dir, to, `r${i}`, step, known), 'died', step)
      assert.equal(await run(dir, to, 'last', '', known), 'moved')
      assert.ok(known.present.size > 30)
      await check(dir, to, known)
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  })
}

test('a start finds the database where it has moved to, and whoever is told otherwise is told why not', { skip: server, timeout: 300_000 }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-moving-'))
  const start = (config: Record<string, unknown> = {}) => startCloud({ dataDir: dir, port: null, config: { 'seed.enabled': false, ...config } })
  try {
    const to = `sqlite:${join(dir, 'new.db')}`
    let over = false
    const cloud = await start()
    const box = await boxOf(cloud)
    const known = new Set<string>()
    const work = busy(box, 'a', (line) => void (line.startsWith('put') ? known.add(line.slice(4)) : line.startsWith('gone') && known.delete(line.slice(5))), () => over)
    assert.deepEqual({ ...(await cloud.databaseMove.view()) }, { engine: 'sqlite', place: `sqlite:${join(dir, 'ondol.db')}`, state: 'none' })
    await assert.rejects(cloud.databaseMove.start('oracle://x'), /Say where to/)
    await cloud.databaseMove.start(to)
    await assert.rejects(cloud.databaseMove.start('postgres://a:secret@127.0.0.1/x'), /A move to sqlite:.* is under way/)
    await assert.rejects(start({ 'database.url': to }), /is on its way|not at its end/)
    await cloud.databaseMove.stop()
    assert.equal((await cloud.databaseMove.view()).state, 'stopped')
    // Given up, and begun again at another place.
    await assert.rejects(cloud.databaseMove.start(`sqlite:${join(dir, 'other.db')}`), (thrown) => isFault(thrown, 'invalid'))
    assert.deepEqual(await cloud.databaseMove.abandon(), { abandoned: true, cleared: true })
    await cloud.databaseMove.start(to)
    await cloud.databaseMove.done
    assert.equal((await cloud.databaseMove.view()).state, 'moved', JSON.stringify(await cloud.databaseMove.view()))
    over = true
    await work
    await cloud.close()
    assert.equal((await stat(notePath(dir))).mode & 0o777, 0o600)

    const again = await start()
    assert.deepEqual(new Set(await (await boxOf(again)).names()), known)
    await again.close()
    await (await start({ 'database.url': to })).close()
    await assert.rejects(start({ 'database.url': `sqlite:${join(dir, 'ondol.db')}` }), /has moved to sqlite:.*new\.db/)
    await assert.rejects(start({ 'database.url': `sqlite:${join(dir, 'third.db')}` }), /has moved to sqlite:.*new\.db, but database\.url names/)
    const note = await readFile(notePath(dir), 'utf8')
    await rm(notePath(dir))
    await assert.rejects(start(), /has moved to sqlite:.*new\.db, and .*database\.json/)
    // A power cut took what the old database said last: the note is enough.
    await writeFile(notePath(dir), note)
    const old = await openDatabase({ url: `sqlite:${join(dir, 'ondol.db')}` })
    assert.ok((await sourceMove(old))?.moved_at)
    await old.close()
    for (const file of ['ondol.db', 'ondol.db-wal', 'ondol.db-shm']) await rm(join(dir, file), { force: true })
    await (await start()).close()
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})

test('places are compared without what is secret', () => {
  assert.equal(shownUrl('postgres://ondol:a:b@c@192.0.2.1/x'), 'postgres://ondol:…@192.0.2.1/x')
  assert.equal(shownUrl('postgres://ondol@192.0.2.1/x'), 'postgres://ondol@192.0.2.1/x')
  assert.ok(samePlace('postgresql://a:one@h/x', 'postgres://a:two@h:5432/x?ssl=1'))
  assert.ok(!samePlace('postgres://a@h/x', 'postgres://a@h/y'))
  assert.ok(samePlace('mariadb://a@h/x', 'mysql://a:b@h:3306/x'))
})
