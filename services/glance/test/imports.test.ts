import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { VirtualClock } from '#base/clock.ts'
import { withDefaults } from '#base/config.ts'
import type { FlowFaults } from '#base/flow/engine.ts'
import { type FlowTables, listFlows } from '#base/flow/journal.ts'
import { eachCrash, eachFailure, type Trial } from '#base/flow/kit.ts'
import type { HttpHandler } from '#base/http/message.ts'
import type { ControlProcess } from '#stack/house.ts'
import type { RuleDefault } from '#stack/policy/interface.ts'
import { type Answer, type HouseKit, houseKit, type RequestOptions } from '#stack/test/house-kit.ts'
import { glanceConfig, type GlanceConfig } from '../config.ts'
import { makeQcow2 } from '../core/image-bytes.maker.ts'
import { controlProcess } from '../processes/control.ts'
import { plate } from '../service.ts'

const BYTES = { 'content-type': 'application/octet-stream' }
const RAW = { name: 'one', disk_format: 'raw', container_format: 'bare' }

interface GlanceKit {
  kit: HouseKit<GlanceConfig>
  control: ControlProcess
  ask(method: string, target: string, options?: RequestOptions): Promise<Answer>
  make(fields?: object): Promise<string>
  until(target: string, good: (json: never) => boolean): Promise<Answer>
  close(): Promise<void>
}

const keystone: HttpHandler = async (request) => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(
    request.path === '/v3/services' ? { services: [{ id: 's', type: 'image', name: 'glance', enabled: true }] } : { endpoints: [{ id: 'e', service_id: 's', interface: 'public', region_id: 'RegionOne', url: 'http://127.0.0.1:5000/image' }] },
  ),
})

async function glanceKit(config: Partial<GlanceConfig> = {}, more: { clock?: VirtualClock; faults?: FlowFaults } = {}): Promise<GlanceKit> {
  const policies = JSON.parse(await readFile(new URL('../contract/policies.json', import.meta.url), 'utf8')) as RuleDefault[]
  const kit = await houseKit({ config: { ...(withDefaults(glanceConfig, {}) as GlanceConfig), ...config }, policies, houses: { keystone }, ...(more.clock ? { clock: more.clock } : {}) })
  await kit.migrate(plate)
  const control = controlProcess({ ...kit.parts, ...(more.faults ? { flowFaults: more.faults } : {}) })
  await control.start()
  const ask: GlanceKit['ask'] = (method, target, options = {}) => kit.request(control.handler, method, target, { as: 'member', ...options })
  return {
    kit,
    control,
    ask,
    async make(fields = {}) {
      const made = await ask('POST', '/v2/images', { body: { ...RAW, ...fields } })
      assert.equal(made.status, 201, made.text)
      return made.json.id as string
    },
    async until(target, good) {
      for (let turn = 0; turn < 5000; turn++) {
        const answer = await ask('GET', target)
        if (answer.status === 200 && good(answer.json as never)) return answer
        await new Promise<void>((resolve) => setImmediate(resolve))
      }
      throw new Error(`${target} did not come about`)
    },
    async close() {
      await control.close(1000)
      await kit.close()
    },
  }
}

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

async function importTrial(): Promise<Trial & { glance: GlanceKit; clock: VirtualClock; id: string }> {
  let faults: FlowFaults = {}
  const clock = new VirtualClock()
  const glance = await glanceKit({ stores: [{ id: 'file' }, { id: 'far' }] }, { clock, faults: { before: (flow, step) => faults.before?.(flow, step), after: (flow, step) => faults.after?.(flow, step) } })
  const id = await glance.make()
  await glance.ask('PUT', `/v2/images/${id}/stage`, { headers: BYTES, body: Buffer.from('staged') })
  return {
    glance,
    clock,
    id,
    async run(given) {
      faults = given
      const begun = await glance.ask('POST', `/v2/images/${id}/import`, { body: { method: { name: 'glance-direct' }, all_stores: true } })
      assert.equal(begun.status, 202, begun.text)
      const live = () => listFlows(glance.kit.db.as<FlowTables>(), { live: true, limit: 5 })
      for (let turn = 0; turn < 20_000 && (await live()).length > 0; turn++) await clock.advance(100)
      assert.deepEqual(await live(), [])
    },
  }
}
type ImportTrial = Awaited<ReturnType<typeof importTrial>>

async function end({ glance, clock }: ImportTrial): Promise<void> {
  const closing = glance.close()
  await clock.advance(2000)
  await closing
}

test('an import that fails at any step leaves the image as it was, or whole', () =>
  eachFailure(importTrial, async (given, step) => {
    const trial = given as ImportTrial
    const image = (await trial.glance.ask('GET', `/v2/images/${trial.id}`)).json
    // Once it is active it stays so: only the task did not come to its end.
    assert.equal(image.status, step === 'end' ? 'active' : 'uploading')
    const file = await trial.glance.ask('GET', `/v2/images/${trial.id}/file`)
    assert.equal(file.status, step === 'end' ? 200 : 204)
    await end(trial)
  }))

test('an import whose process dies after any step is finished', () =>
  eachCrash(importTrial, async (given) => {
    const trial = given as ImportTrial
    const image = (await trial.glance.ask('GET', `/v2/images/${trial.id}`)).json
    assert.deepEqual([image.status, image.stores], ['active', 'file,far'])
    assert.equal((await trial.glance.ask('GET', `/v2/images/${trial.id}/file`)).text, 'staged')
    await end(trial)
  }))
