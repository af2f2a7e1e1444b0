/** A cloud that goes from its embedded database to PostgreSQL and to MariaDB while objects are uploaded, read, listed and deleted and servers are made: no request fails. */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startMariadb } from '#base/sql/test/mariadb.ts'
import { startPostgres } from '#base/sql/test/postgres.ts'
import { type Cloud, startCloud } from './start-cloud.ts'
import { bodyOf, boxOf, busy, tokenOf } from './test/moving-cloud.maker.ts'

for (const begin of [startPostgres, startMariadb]) {
  test(`a busy cloud moves to what ${begin.name} starts`, { timeout: 300_000 }, async (t) => {
    const server = await begin()
    if (!server) return t.skip('not installed')
    const dataDir = await mkdtemp(join(tmpdir(), 'ondol-moving-'))
    const settings = { dataDir, port: null, config: { 'database.durability': 'fast', 'swift.durability': 'fast' } }
    let cloud = await startCloud(settings)
    try {
      const to = await server.createDatabase()
      const box = await boxOf(cloud)
      const present = new Set<string>()
      let over = false
      let requests = 0
      let active = 0
      const objects = busy(box, 'x', (line) => {
        requests++
        const [word, name = ''] = line.split(' ')
        if (word === 'put') present.add(name)
        if (word === 'gone') present.delete(name)
      }, () => over)
      const servers = boots(cloud, () => over, () => active++)
      const all = Promise.all([objects, servers])
      // It is told below; until then nobody else hears of it.
      all.catch(() => {})
      const until = async (ready: () => boolean): Promise<void> => {
        while (!ready()) await Promise.race([delay(5), all])
      }
      await until(() => requests > 100 && active > 0)
      await cloud.databaseMove.start(to)
      await Promise.race([cloud.databaseMove.done, all])
      const view = await cloud.databaseMove.view()
      assert.deepEqual([view.state, view.engine, view.error], ['moved', server.engine, undefined])
      await assert.rejects(cloud.databaseMove.start(`sqlite:${join(dataDir, 'back.db')}`), /moves while the cloud is stopped/)
      // What was under way goes on, and new work begins.
      const [then, begun] = [requests, active]
      await until(() => requests > then + 100 && active > begun + 1)
      over = true
      await all
      assert.deepEqual(new Set(await box.names()), present)
      await cloud.close()
      cloud = await startCloud(settings)
      assert.equal(cloud.db.engine, server.engine)
      const again = await boxOf(cloud)
      assert.deepEqual(new Set(await again.names()), present)
      for (const name of [...present].slice(0, 50)) assert.ok(Buffer.from(await (await again.ask('GET', `/${name}`)).arrayBuffer()).equals(bodyOf(name)))
    } finally {
      await cloud.close()
      await server.stop()
      await rm(dataDir, { recursive: true, force: true })
    }
  })
}

/** One server after the other, each until it is ACTIVE. */
async function boots(cloud: Cloud, over: () => boolean, done: () => void): Promise<void> {
  const headers = { 'x-auth-token': await tokenOf(cloud), 'content-type': 'application/json' }
  const get = async (path: string): Promise<any> => {
    const answer = await cloud.fetch(path, { headers })
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    return answer.json()
  }
  const imageRef = (await get('/image/v2/images')).images[0].id
  const network = (await get('/networking/v2.0/networks?name=private')).networks[0].id
  const flavorRef = (await get('/compute/v2.1/flavors')).flavors.find((one: { name: string }) => one.name === 'm1.nano').id
  for (let i = 0; !over(); i++) {
    const made = await cloud.fetch('/compute/v2.1/servers', { method: 'POST', headers, body: JSON.stringify({ server: { name: `s${i}`, imageRef, flavorRef, networks: [{ uuid: network }] } }) })
    assert.equal(made.status, 202, await made.clone().text())
    const { id } = ((await made.json()) as { server: { id: string } }).server
    for (let status = 'BUILD'; status !== 'ACTIVE'; ) {
      status = (await get(`/compute/v2.1/servers/${id}`)).server.status
      assert.notEqual(status, 'ERROR')
      await delay(20)
    }
    done()
    assert.equal((await cloud.fetch(`/compute/v2.1/servers/${id}`, { method: 'DELETE', headers })).status, 204)
  }
}
