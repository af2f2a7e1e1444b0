/** What the operator says to a guest, through the metadata service. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { novaKit } from './kit.ts'

test('vendor data is what stands in the configuration, and what the operator answers for each server', async (t) => {
  const asked: { token: unknown; body: Record<string, unknown> }[] = []
  const operator = createServer((request, answer) => {
    if (request.url === '/broken') return void answer.writeHead(500).end('{}')
    if (request.url === '/slow') return undefined
    let text = ''
    request.on('data', (chunk: Buffer) => (text += chunk))
    request.on('end', () => {
      asked.push({ token: request.headers['x-auth-token'], body: JSON.parse(text) as Record<string, unknown> })
      answer.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ licence: `of ${(JSON.parse(text) as { hostname: string }).hostname}` }))
    })
  })
  operator.listen(0, '127.0.0.1')
  await once(operator, 'listening')
  t.after(() => operator.close())
  t.after(() => operator.closeAllConnections())
  const at = `http://127.0.0.1:${(operator.address() as AddressInfo).port}`
  const k = await novaKit({ config: { vendordata: { support: '555' }, vendordata_targets: { good: `${at}/facts?x=1`, broken: `${at}/broken`, slow: `${at}/slow` }, vendordata_timeout: 1_500 } })
  t.after(() => k.close())
  const id = await k.boot({ name: 'asker', metadata: { role: 'web' } })
  const ask = async (path: string) => (await k.request('GET', `/metadata/openstack/${path}`, { as: 'servant@service', headers: { 'x-instance-id': id, 'x-tenant-id': 'project-a' } }))
  assert.deepEqual((await ask('latest/vendor_data.json')).json, { support: '555' })
  assert.deepEqual((await ask('latest/vendor_data2.json')).json, { static: { support: '555' }, good: { licence: 'of asker' }, broken: {}, slow: {} })
  assert.equal((await ask('2013-10-17/vendor_data2.json')).status, 404, 'a version that did not know it')
  assert.equal(asked.length, 1)
  assert.ok(typeof asked[0]!.token === 'string' && asked[0]!.token !== '', 'the service says who it is')
  assert.deepEqual([asked[0]!.body['instance-id'], asked[0]!.body['project-id'], asked[0]!.body.metadata], [id, 'project-a', { role: 'web' }])
})

test('vendor data is on the config drive too', async (t) => {
  const k = await novaKit({ config: { vendordata: { support: '555' } } })
  t.after(() => k.close())
  const { driveOf } = await import('../flows/guest.ts')
  const { serverById } = await import('../store/servers.ts')
  const id = await k.boot({ config_drive: true })
  const files = await driveOf(k.nova, { server: (await serverById(k.nova.db, id))!, devices: [], nics: [] } as never)
  assert.deepEqual(JSON.parse(String(files['openstack/latest/vendor_data2.json'])), { static: { support: '555' } })
})
