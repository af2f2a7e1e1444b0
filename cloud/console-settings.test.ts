import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HttpResponse } from '#base/http/message.ts'
import { withSettings } from './console-settings.ts'

const PAGE = '<html><head><meta charset="utf-8" /></head></html>'
const site = withSettings(
  async ({ method, path }) => ({ status: 200, headers: { etag: '"1"', 'cache-control': 'no-cache' }, body: Buffer.from(method === 'GET' && path === '/index.html' ? PAGE : `${method} ${path}`) }),
  async () => ({ sign_on: [], public_url: 'https://cloud.example', s3_region: 'here' }),
)
const ask = (method: string, path: string, body?: string): Promise<HttpResponse> => site({ method, path, query: '', headers: { 'if-none-match': '"1"' }, body, origin: 'https://cloud.example', remote: '192.0.2.1' })

test('a token that is posted stands in the page that is answered, which nobody keeps', async () => {
  const { status, headers, body } = await ask('POST', '/websso', new URLSearchParams({ token: 'gAAAAA-b_c=' }).toString())
  assert.equal(status, 200)
  assert.deepEqual(headers, { 'cache-control': 'no-store' })
  assert.equal(body, PAGE.replace('/>', '/><meta name="ondol-token" content="gAAAAA-b_c=">'))
})

test('what is no token is repeated nowhere', async () => {
  for (const form of ['', 'token=', `token=${encodeURIComponent('"><script>')}`, `token=${encodeURIComponent('$&')}`, `token=${'a'.repeat(20_000)}`, `x=${'a'.repeat(100_000)}&token=abc`]) {
    assert.equal(String((await ask('POST', '/websso', form)).body), PAGE, form.slice(0, 40))
  }
})

test('everything else is the site, but the settings', async () => {
  assert.deepEqual(JSON.parse(String((await ask('GET', '/settings.json')).body)), { sign_on: [], public_url: 'https://cloud.example', s3_region: 'here' })
  for (const [method, path] of [['GET', '/websso'], ['POST', '/settings.json'], ['POST', '/']] as const) assert.equal(String((await ask(method, path)).body), `${method} ${path}`)
})
