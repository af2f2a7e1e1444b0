import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { brotliDecompressSync } from 'node:zlib'
import type { HttpHandler, HttpResponse } from '#base/http/message.ts'
import { type ConsoleState, consoleSite } from './console.ts'

describe('console site', () => {
  let dir: string
  let state: ConsoleState
  let site: HttpHandler
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'console-site-'))
    state = { kind: 'building' }
    site = consoleSite({ dist: join(dir, 'dist'), state: () => state })
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  const build = async (text: string): Promise<void> => {
    await mkdir(join(dir, 'fresh/assets'), { recursive: true })
    await writeFile(join(dir, 'fresh/index.html'), `<html>${text}</html>`)
    await writeFile(join(dir, 'fresh/vnc.html'), '<html>noVNC</html>')
    await writeFile(join(dir, 'fresh/.made-of'), 'secret')
    await writeFile(join(dir, `fresh/assets/${text}-0a1b.js`), `${text}\n`.repeat(1000))
    await rm(join(dir, 'dist'), { recursive: true, force: true })
    await rename(join(dir, 'fresh'), join(dir, 'dist'))
  }
  const get = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<HttpResponse> => site({ method, path, query: '', headers, body: undefined, origin: 'http://x', remote: 'local' })
  const text = (response: HttpResponse): string => String(response.body)

  test('says that it is being built, why it failed, and then serves without being told', async () => {
    const early = await get('/')
    assert.equal(early.status, 503)
    assert.equal(early.headers.refresh, '2')
    state = { kind: 'failed', why: '<b>npm</b>' }
    assert.match(text(await get('/')), /&#60;b&#62;npm&#60;\/b&#62;/)
    await build('one')
    assert.equal(text(await get('/')), '<html>one</html>')
    await build('two')
    assert.equal(text(await get('/')), '<html>two</html>')
    assert.equal((await get('/assets/two-0a1b.js')).status, 200)
    // Nobody asks between these two; the second folder may have the number that the one before both had.
    await build('three')
    await build('four')
    assert.equal(text(await get('/')), '<html>four</html>')
  })

  test('keeps hashed names for ever, and asks again for the rest', async () => {
    await build('one')
    const asset = await get('/assets/one-0a1b.js', { 'accept-encoding': 'gzip, br' })
    assert.match(String(asset.headers['cache-control']), /immutable/)
    assert.equal(asset.headers['content-encoding'], 'br')
    assert.equal(brotliDecompressSync(asset.body as Buffer).toString(), 'one\n'.repeat(1000))
    assert.equal((await get('/assets/one-0a1b.js', { 'accept-encoding': 'br;q=0' })).headers['content-encoding'], undefined)
    const page = await get('/projects/p/servers')
    assert.equal(page.headers['cache-control'], 'no-cache')
    const again = await get('/', { 'if-none-match': String(page.headers.etag) })
    assert.equal(again.status, 304)
    assert.equal(again.body, undefined)
  })

  test('serves its own files only', async () => {
    await build('one')
    assert.equal((await get('/assets/nothing.js')).status, 404)
    for (const path of ['/../../etc/passwd', '/..%2f..%2fetc/passwd', '/.made-of', '/assets/../.made-of']) assert.doesNotMatch(text(await get(path)), /root:|secret/)
    assert.equal(text(await get('/vnc')), '<html>noVNC</html>')
    const post = await get('/', {}, 'POST')
    assert.equal(post.status, 405)
    assert.equal(post.headers.allow, 'GET, HEAD')
  })

  test('lets nothing run, be framed or be sent elsewhere', async () => {
    await build('one')
    const { headers } = await get('/')
    const policy = String(headers['content-security-policy'])
    assert.doesNotMatch(policy, /unsafe|\*|https?:/)
    for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "connect-src 'self'"]) assert.ok(policy.includes(part), part)
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['referrer-policy'], 'no-referrer')
  })
})
