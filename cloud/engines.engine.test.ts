/** The whole cloud on a database server and RabbitMQ, by configuration alone. Skipped where they are not installed. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startRabbitmq } from '#base/bus/test/rabbitmq.ts'
import { startMariadb } from '#base/sql/test/mariadb.ts'
import { startPostgres } from '#base/sql/test/postgres.ts'
import { type Cloud, startCloud } from './start-cloud.ts'

const rabbit = await startRabbitmq()
after(() => rabbit?.stop())

for (const start of [startPostgres, startMariadb]) {
  test(`the cloud starts with RabbitMQ and what ${start.name} starts, and again on what it left there`, async (t) => {
    const server = await start()
    if (!server || !rabbit) {
      await server?.stop()
      return t.skip('not installed')
    }
    const dataDir = await mkdtemp(join(tmpdir(), 'ondol-engines-'))
    try {
      const config = { 'database.url': await server.createDatabase(), 'bus.url': rabbit.url, 'seed.enabled': false }
      const once = async (work: (cloud: Cloud, token: string) => Promise<void>): Promise<void> => {
        const cloud = await startCloud({ port: null, dataDir, config })
        try {
          await work(cloud, await adminToken(cloud))
        } finally {
          await cloud.close()
        }
      }
      const names = async (cloud: Cloud, token: string): Promise<string[]> => {
        const answer = await cloud.fetch('/image/v2/images', { headers: { 'x-auth-token': token } })
        assert.equal(answer.status, 200)
        return ((await answer.json()) as { images: { name: string }[] }).images.map((image) => image.name)
      }
      await once(async (cloud, token) => {
        const made = await cloud.fetch('/image/v2/images', { method: 'POST', headers: { 'x-auth-token': token, 'content-type': 'application/json' }, body: JSON.stringify({ name: 'kept' }) })
        assert.equal(made.status, 201, await made.text())
        assert.deepEqual(await names(cloud, token), ['kept'])
      })
      await once(async (cloud, token) => assert.deepEqual(await names(cloud, token), ['kept']))
    } finally {
      await server.stop()
      await rm(dataDir, { recursive: true, force: true })
    }
  })
}

async function adminToken(cloud: Cloud): Promise<string> {
  const { username, password, project_name } = cloud.credentials.admin
  const domain = { id: 'default' }
  const body = { auth: { identity: { methods: ['password'], password: { user: { name: username, password: password.reveal(), domain } } }, scope: { project: { name: project_name, domain } } } }
  const answer = await cloud.fetch('/v3/auth/tokens', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  assert.equal(answer.status, 201, await answer.clone().text())
  return answer.headers.get('x-subject-token')!
}
