import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type ConfigSchema, loadConfig } from './config.ts'

const schema: ConfigSchema = {
  type: 'object',
  properties: {
    http: { type: 'object', properties: { port: { type: 'integer', default: 5000, description: 'Port' }, host: { type: 'string', default: '127.0.0.1', description: 'Address' } } },
    nova: { type: 'object', properties: { scheduler: { type: 'string', enum: ['filter', 'chance'], default: 'filter', description: 'Scheduler' } } },
  },
}

async function withFile(text: string, work: (file: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-config-'))
  try {
    await writeFile(join(dir, 'ondol.yaml'), text)
    await work(join(dir, 'ondol.yaml'))
  } finally {
    await rm(dir, { recursive: true })
  }
}

test('flags win over the environment, which wins over the file, which wins over defaults', () =>
  withFile('http: { port: 1, host: a }\nnova: { scheduler: chance }', async (file) => {
    const config = await loadConfig(schema, { file, env: { ONDOL_HTTP__PORT: '2', ONDOL_TEST_IMAGE: 'x' }, flags: { 'http.port': 3 } })
    assert.deepEqual(config, { http: { port: 3, host: 'a' }, nova: { scheduler: 'chance' } })
    assert.deepEqual(await loadConfig(schema, {}), { http: { port: 5000, host: '127.0.0.1' }, nova: { scheduler: 'filter' } })
  }))

test('an unknown key is an error that names the nearest', () =>
  withFile('http: { prot: 1 }', async (file) => {
    await assert.rejects(loadConfig(schema, { file }), /unknown key "http.prot"; did you mean "http.port"/)
  }))

test('a value of the wrong kind is an error that says what fits', () =>
  withFile('nova: { scheduler: best }', async (file) => {
    await assert.rejects(loadConfig(schema, { file }), /"nova.scheduler" must be one of filter, chance, not "best"/)
  }))

test('the section of a machine is laid over the rest, and those of the others are judged too', async () => {
  await withFile('http: { port: 1, host: all }\nhosts:\n  one: { http: { host: mine } }\n  two: { nova: { scheduler: chance } }', async (file) => {
    assert.deepEqual(await loadConfig(schema, { file, host: 'one', env: { ONDOL_HTTP__PORT: '2' } }), { http: { port: 2, host: 'mine' }, nova: { scheduler: 'filter' } })
    assert.deepEqual(await loadConfig(schema, { file, host: 'three' }), { http: { port: 1, host: 'all' }, nova: { scheduler: 'filter' } })
  })
  await withFile('hosts: { two: { http: { prot: 1 } } }', async (file) => {
    await assert.rejects(loadConfig(schema, { file, host: 'one' }), /hosts\.two: unknown key "http\.prot"/)
  })
})
