import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { VirtualClock } from '#base/clock.ts'
import { makeQcow2 } from '../core/image-bytes.maker.ts'
import { BYTES, glanceKit } from './glance-kit.ts'

const active = (json: { status: string }): boolean => json.status === 'active'
const ended = (json: { tasks: { status: string }[] }): boolean => ['success', 'failure'].includes(json.tasks[0]?.status ?? '')

async function withServer(body: Buffer, work: (url: string, host: string) => Promise<void>): Promise<void> {
  const server: Server = createServer((_request, answer) => answer.end(body))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    await work(`http://${host}/image`, host)
  } finally {
    server.close()
  }
}

test('staged bytes become an image in every store, and a task tells of it', async () => {
  const glance = await glanceKit({ stores: [{ id: 'file' }, { id: 'far' }] })
  try {
    const id = await glance.make()
    assert.equal((await glance.ask('POST', `/v2/images/${id}/import`, { body: { method: { name: 'glance-direct' } } })).status, 409)
    assert.equal((await glance.ask('PUT', `/v2/images/${id}/stage`, { headers: BYTES, body: Buffer.from('staged bytes') })).status, 204)
    assert.equal((await glance.ask('GET', `/v2/images/${id}`)).json.status, 'uploading')
    const begun = await glance.ask('POST', `/v2/images/${id}/import`, { body: { method: { name: 'glance-direct' }, all_stores: true } })
    assert.equal(begun.status, 202, begun.text)
    const image = (await glance.until(`/v2/images/${id}`, active)).json
    assert.deepEqual([image.stores, image.size, image.os_glance_importing_to_stores, image.os_glance_failed_import], ['file,far', 12, '', ''])
    const { tasks } = (await glance.until(`/v2/images/${id}/tasks`, ended)).json
    assert.deepEqual([tasks[0].status, tasks[0].request_id, tasks[0].input.import_req.method.name], ['success', begun.headers['x-openstack-request-id'], 'glance-direct'])

    // One store may go, the last one not.
    assert.equal((await glance.ask('DELETE', `/v2/stores/file/${id}`)).status, 403)
    assert.equal((await glance.ask('DELETE', `/v2/stores/file/${id}`, { as: 'admin' })).status, 204)
    assert.equal((await glance.ask('DELETE', `/v2/stores/far/${id}`, { as: 'admin' })).status, 403)
    assert.equal((await glance.ask('GET', `/v2/images/${id}/file`)).text, 'staged bytes')
    assert.equal((await glance.ask('POST', `/v2/images/${id}/import`, { as: 'admin', body: { method: { name: 'copy-image' }, stores: ['far'] } })).status, 400)
    assert.equal((await glance.ask('POST', `/v2/images/${id}/import`, { as: 'admin', body: { method: { name: 'copy-image' }, stores: ['file'] } })).status, 202)
    await glance.until(`/v2/images/${id}`, (json: { stores: string }) => json.stores === 'far,file')
  } finally {
    await glance.close()
  }
})

test('A1: hostile bytes that were staged never become active, and cannot be tried again', async () => {
  const glance = await glanceKit()
  try {
    const id = await glance.make({ disk_format: 'qcow2' })
    await glance.ask('PUT', `/v2/images/${id}/stage`, { headers: BYTES, body: makeQcow2({ backing_offset: 4096n, backing_size: 11 }) })
    await glance.ask('POST', `/v2/images/${id}/import`, { body: { method: { name: 'glance-direct' } } })
    const { tasks } = (await glance.until(`/v2/images/${id}/tasks`, ended)).json
    assert.match(tasks[0].message, /refused/)
    assert.equal((await glance.ask('GET', `/v2/images/${id}`)).json.status, 'queued')
    assert.equal((await glance.ask('GET', `/v2/images/${id}/file`)).status, 204)
  } finally {
    await glance.close()
  }
})

test('A7 to A9: web-download reaches what is public or allowed, by http only', async () => {
  await withServer(Buffer.from('from the web'), async (url, host) => {
    const glance = await glanceKit({ web_download_allow_private: [host] })
    try {
      const id = await glance.make()
      const ask = (uri: string) => glance.ask('POST', `/v2/images/${id}/import`, { body: { method: { name: 'web-download', uri } } })
      for (const uri of ['file:///etc/passwd', 'ftp://example.org/x', 'http://user:pass@example.org/']) assert.equal((await ask(uri)).status, 400, uri)
      for (const uri of ['http://169.254.169.254/latest', 'http://0x7f000001:1/', 'http://[::ffff:127.0.0.1]:1/']) {
        assert.equal((await ask(uri)).status, 202)
        const { tasks } = (await glance.until(`/v2/images/${id}/tasks`, (json: { tasks: { status: string }[] }) => json.tasks.every((task) => task.status === 'failure'))).json
        assert.match(tasks.at(-1).message, /not allowed/)
        assert.equal((await glance.ask('GET', `/v2/images/${id}`)).json.status, 'queued')
      }
      assert.equal((await ask(url)).status, 202)
      await glance.until(`/v2/images/${id}`, active)
      assert.equal((await glance.ask('GET', `/v2/images/${id}/file`)).text, 'from the web')
    } finally {
      await glance.close()
    }
  })
})

test('glance-download copies what the caller may read, with its formats and hardware properties', async () => {
  const glance = await glanceKit()
  try {
    const source = await glance.make({ hw_disk_bus: 'scsi', speed: 'high' })
    await glance.ask('PUT', `/v2/images/${source}/file`, { headers: BYTES, body: Buffer.from('source') })
    const copy = async (as: string, region: string) => {
      const made = await glance.ask('POST', '/v2/images', { as, body: { name: 'copy', disk_format: 'iso', container_format: 'ovf' } })
      const id = made.json.id as string
      const asked = await glance.ask('POST', `/v2/images/${id}/import`, { as, body: { method: { name: 'glance-download', glance_image_id: source, glance_region: region } } })
      assert.equal(asked.status, 202, asked.text)
      for (;;) {
        const { tasks } = (await glance.ask('GET', `/v2/images/${id}/tasks`, { as })).json
        if (tasks[0].status !== 'pending' && tasks[0].status !== 'processing') return { task: tasks[0], image: (await glance.ask('GET', `/v2/images/${id}`, { as })).json }
        await new Promise<void>((resolve) => setImmediate(resolve))
      }
    }
    const good = await copy('member', 'RegionOne')
    assert.deepEqual([good.task.status, good.image.status, good.image.disk_format, good.image.hw_disk_bus, good.image.speed], ['success', 'active', 'raw', 'scsi', undefined])
    for (const [as, region] of [['member@project-b', 'RegionOne'], ['member', 'Elsewhere']] as const) {
      const bad = await copy(as, region)
      assert.deepEqual([bad.task.status, bad.image.status, bad.image.disk_format], ['failure', 'queued', 'iso'])
    }
  } finally {
    await glance.close()
  }
})

test('uploads whose process died are given back, and bytes without an image are swept', async () => {
  const clock = new VirtualClock()
  const glance = await glanceKit({}, { clock })
  try {
    const { db } = glance.kit
    const images = db.as<{ glance_images: { id: string; status: string } }>()
    const saving = await glance.make()
    const staged = await glance.make()
    assert.equal((await glance.ask('PUT', `/v2/images/${staged}/stage`, { headers: BYTES, body: Buffer.from('waits') })).status, 204)
    await images.query.updateTable('glance_images').set({ status: 'saving' }).where('id', '=', saving).execute()
    await clock.advance(200_000)
    const status = async (id: string) => (await glance.ask('GET', `/v2/images/${id}`)).json.status as string
    // Looking through folders takes real time, so many moments of the virtual one.
    for (let turn = 0; turn < 5000 && (await status(saving)) !== 'queued'; turn++) await clock.advance(1000)
    assert.deepEqual([await status(saving), await status(staged)], ['queued', 'uploading'])
  } finally {
    const closing = glance.close()
    await clock.advance(2000)
    await closing
  }
})
