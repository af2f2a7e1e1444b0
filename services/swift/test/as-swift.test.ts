/** Answers that were found by playing the same requests against OpenStack's own Swift: each line is what that one says. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, test } from 'node:test'
import { changeAccount } from '../store/accounts.ts'
import { A, swiftKit, tempUrl } from './kit.ts'

const { ask, close, handler, house } = await swiftKit({ storage_domain: 'example.test' })
after(close)
const md5 = (text: string): string => createHash('md5').update(text).digest('hex')
await ask('PUT', `${A}/box`)
await ask('PUT', `${A}/box/o`, { body: '0123456789', headers: { 'content-type': 'text/plain' } })

test('a slash is a slash however it is written, and what names nothing is told without a token', async () => {
  assert.equal((await ask('GET', `${A}/box%2Fo`)).text, '0123456789')
  assert.equal((await ask('GET', `/v1.0/AUTH_project-a/box/o`)).status, 200)
  await ask('PUT', `${A}/box/50%`, { body: 'x' })
  assert.equal((await ask('GET', `${A}/box/50%25`)).text, 'x')
  assert.deepEqual([(await ask('GET', `${A}/box/%ff`)).status, (await ask('GET', `${A}/%ff`, { as: 'nobody' })).status], [412, 412])
  assert.deepEqual([(await ask('GET', '/v1//box/o', { as: 'nobody' })).status, (await ask('GET', `${A}//o`)).status], [404, 404])
  const refused = await ask('COPY', A)
  assert.deepEqual([refused.status, refused.headers['allow']?.includes('GET'), refused.text], [405, true, '<html><h1>Method Not Allowed</h1><p>The method is not allowed for this resource.</p></html>'])
  const { headers } = await ask('GET', `${A}/box/o`)
  assert.match(String(headers['x-openstack-request-id']), /^tx[0-9a-f]{21}-/)
  assert.equal(headers['x-openstack-request-id'], headers['x-trans-id'])
  const long = 'x'.repeat(257)
  assert.deepEqual([(await ask('GET', `${A}/${long}`)).status, (await ask('PUT', `${A}/${long}`)).status], [404, 400])
})

test('conditions: strong comparison, dates of HTTP, a star and nothing there', async () => {
  const got = async (headers: Record<string, string>, path = 'o'): Promise<number> => (await ask('GET', `${A}/box/${path}`, { headers })).status
  assert.equal(await got({ 'if-match': `W/"${md5('0123456789')}"` }), 412)
  assert.equal(await got({ 'if-none-match': `W/"${md5('0123456789')}"` }), 304)
  assert.deepEqual([await got({ 'if-match': '*' }, 'none'), await got({ 'if-match': 'x' }, 'none')], [412, 404])
  assert.deepEqual([await got({ 'if-modified-since': '2100-01-01T00:00:00Z' }), await got({ 'if-modified-since': 'Fri, 01 Jan 2100 00:00:00 GMT' }), await got({ 'if-unmodified-since': '1994-11-06' })], [200, 304, 200])
  assert.equal((await ask('PUT', `${A}/box/o`, { body: 'x', headers: { 'if-none-match': '"*"' } })).status, 412)
})

test('ranges: the end of nothing is all of it, the same range again is no overlap, eight that go back are too many', async () => {
  await ask('PUT', `${A}/box/empty`, { body: '' })
  const got = async (range: string, path = 'o'): Promise<number> => (await ask('GET', `${A}/box/${path}`, { headers: { range: `bytes=${range}` } })).status
  assert.deepEqual([await got('-1', 'empty'), await got('0-0', 'empty')], [200, 416])
  assert.equal(await got('1-1,1-1,1-1,1-1,1-1'), 206)
  assert.deepEqual([await got('8-8,7-7,6-6,5-5,4-4,3-3,2-2,1-1'), await got('8-8,7-7,6-6,5-5,4-4,3-3,2-2')], [416, 206])
  assert.equal((await ask('GET', `${A}/box/o`, { headers: { range: 'bytes=20-' } })).headers['content-type'], 'text/plain')
})

test('uploads and changes: what Swift refuses, with its words', async () => {
  const said = async (method: string, path: string, headers: Record<string, string>): Promise<string> => {
    const { status, text } = await ask(method, `${A}/${path}`, { headers, ...(method === 'PUT' ? { body: 'x' } : {}) })
    return `${status} ${text}`
  }
  assert.equal(await said('PUT', 'box/t', { 'content-type': 'text/plain; swift_bytes=9' }), '400 Invalid Content-Type, swift_* is not a valid parameter name.')
  assert.equal(await said('PUT', 'box/t', { 'x-static-large-object': 'true' }), '400 X-Static-Large-Object is a reserved header. To create a static large object add query param multipart-manifest=put.')
  assert.equal(await said('POST', 'box/none', { 'x-delete-at': 'x' }), '400 Non-integer X-Delete-At')
  assert.deepEqual([await said('PUT', 'box/t', { 'x-delete-at': '-1' }), await said('PUT', 'box/t', { 'x-delete-at': '' })], ['400 X-Delete-At in past', '400 Non-integer X-Delete-At'])
  assert.equal(await said('POST', 'box', { 'x-container-meta-color': 'x'.repeat(257) }), '400 Metadata value longer than 256: x-container-meta-Color')
  assert.equal(await said('PUT', 'box', { 'x-storage-policy': 'nope' }), "400 Invalid X-Storage-Policy 'nope'")
  assert.equal(await said('POST', 'box', { 'x-container-read': '.bogus:x' }), "400 Unknown designator '.bogus' in ACL: '.bogus:x'")
  assert.equal(await said('POST', 'box', { 'x-versions-location': 'a/b' }), '412 Container name cannot contain slashes')
  await ask('PUT', `${A}/box/far`, { body: 'x', headers: { 'x-delete-after': '99999999999' } })
  assert.equal((await ask('HEAD', `${A}/box/far`)).headers['x-delete-at'], '9999999999')
  for (const [name, type] of [['a.tar.gz', 'application/x-tar'], ['.html', 'application/octet-stream'], ['a.woff2', 'font/woff2'], ['a.gz', 'application/octet-stream']]) {
    await ask('PUT', `${A}/box/${name}`, { body: 'x' })
    assert.equal((await ask('HEAD', `${A}/box/${name}`)).headers['content-type'], type)
  }
})

test('copies: a body with COPY is overlooked, a part of a large object can be copied', async () => {
  assert.equal((await ask('COPY', `${A}/box/o`, { headers: { destination: 'box/c1' }, body: 'body' })).status, 201)
  assert.equal((await ask('PUT', `${A}/box/c2`, { headers: { 'x-copy-from': 'box/o', 'content-length': '4' }, body: 'body' })).status, 400)
  assert.equal((await ask('PUT', `${A}/box/c3`, { headers: { 'x-copy-from': '' }, body: 'own' })).status, 201)
  await ask('PUT', `${A}/box/large?multipart-manifest=put`, { body: JSON.stringify([{ path: '/box/o' }, { path: '/box/o', range: '0-3' }, { path: '/box/empty' }]) })
  assert.equal((await ask('PUT', `${A}/box/part?part-number=2`, { headers: { 'x-copy-from': 'box/large' }, body: '' })).status, 201)
  assert.equal((await ask('GET', `${A}/box/part`)).text, '0123')
  const beyond = await ask('GET', `${A}/box/large?part-number=4`)
  assert.deepEqual([beyond.status, beyond.text, beyond.headers['content-range'], beyond.headers['x-parts-count']], [416, 'The requested part number is not satisfiable', 'bytes */14', '3'])
})

test('listings: Vary where Accept chose, UTF-8 for content types, Swift’s lines in XML', async () => {
  assert.deepEqual([(await ask('GET', `${A}/box`)).headers['vary'], (await ask('GET', `${A}/box?format=json`)).headers['vary']], ['Accept', undefined])
  await ask('PUT', `${A}/kinds`)
  assert.equal((await ask('GET', `${A}/kinds`)).headers['content-length'], '0')
  await ask('PUT', `${A}/kinds/q%22`, { body: 'x', headers: { 'content-type': Buffer.from('text/ü').toString('latin1') } })
  assert.equal((await ask('GET', `${A}/kinds?format=json`)).json[0].content_type, 'text/ü')
  assert.match((await ask('GET', `${A}/kinds?format=xml`)).text, /<name>q"<\/name>/)
  assert.match((await ask('GET', `${A}?format=xml`)).text, /<account name="AUTH_project-a">\n<container>.*<\/container>\n<\/account>$/s)
  assert.equal((await ask('GET', `${A}/kinds?marker=%ff`)).status, 400)
})

test('links: a static one says how many bytes stand behind it, chunks of a body are a body', async () => {
  await ask('PUT', `${A}/box/link`, { body: '', headers: { 'content-length': '0', 'x-symlink-target': 'box/o', 'x-symlink-target-etag': md5('0123456789') } })
  assert.equal((await ask('HEAD', `${A}/box/link?symlink=get`)).headers['x-symlink-target-bytes'], '10')
  const posted = await ask('POST', `${A}/box/link`, { headers: { 'x-object-meta-a': 'b' } })
  assert.deepEqual([posted.status, posted.headers['x-symlink-target-etag']], [307, md5('0123456789')])
})

test('a website below a temporary URL: the listing of the prefix, with links that are signed', async () => {
  await ask('POST', `${A}`, { headers: { 'x-account-meta-temp-url-key': 'key' } })
  await ask('PUT', `${A}/site`, { headers: { 'x-container-meta-web-listings': 'true' } })
  for (const name of ['dir/a.txt', 'dir/deep/b', 'other/c']) await ask('PUT', `${A}/site/${name}`, { body: 'x' })
  const until = Math.floor(Date.now() / 1000) + 1000
  const sign = (prefix: string): string => {
    const query = tempUrl('key', 'GET', `prefix:${A}/site/${prefix}`, until)
    return `${query}&temp_url_prefix=${encodeURIComponent(prefix)}`
  }
  const inside = await ask('GET', `${A}/site/dir/?${sign('dir/')}`, { as: 'nobody' })
  assert.equal(inside.status, 200)
  assert.match(inside.text, /href="\.\/a%2Etxt\?temp_url_prefix=dir\/&amp;temp_url_expires=\d+&amp;temp_url_sig=[0-9a-f]+"/)
  assert.ok(!inside.text.includes('id="parent"'))
  assert.equal((await ask('GET', `${A}/site/other/?${sign('dir/')}`, { as: 'nobody' })).status, 401)
  assert.equal((await ask('GET', `${A}/site/?${sign('')}`, { as: 'nobody' })).status, 200)
  // What is no website is not listed, whoever signed.
  assert.equal((await ask('GET', `${A}/kinds/?${tempUrl('key', 'GET', `prefix:${A}/kinds/`, until)}&temp_url_prefix=`, { as: 'nobody' })).status, 401)
})

test('a website at a host of its own moves to addresses of that host', async () => {
  await ask('POST', `${A}/site`, { headers: { 'x-container-read': '.r:*,.rlistings' } })
  const answer = await handler({ method: 'GET', path: '/dir', query: '', headers: { host: 'site.project-a.example.test' }, body: undefined, origin: 'http://site.project-a.example.test', remote: '127.0.0.1' })
  assert.deepEqual([answer.status, answer.headers['location']], [301, 'http://site.project-a.example.test/dir/'])
})

test('temporary URLs: what an owner wrote of an object is his, and the query beside the signature counts for nothing', async () => {
  await ask('PUT', `${A}/box/meta`, { body: 'm', headers: { 'x-object-meta-secret': 's', 'x-object-meta-public-note': 'p' } })
  await ask('PUT', `${A}/box/manifest?multipart-manifest=put`, { body: JSON.stringify([{ path: '/box/meta' }]) })
  const until = Math.floor(Date.now() / 1000) + 1000
  const got = await ask('GET', `${A}/box/meta?${tempUrl('key', 'GET', `${A}/box/meta`, until)}`, { as: 'nobody' })
  assert.deepEqual([got.status, got.headers['x-object-meta-secret'], got.headers['x-object-meta-public-note']], [200, undefined, 'p'])
  assert.equal((await ask('GET', `${A}/box/manifest?${tempUrl('key', 'GET', `${A}/box/manifest`, until)}&multipart-manifest=get`, { as: 'nobody' })).text, 'm')
  assert.equal((await ask('PUT', `${A}/box/up?${tempUrl('key', 'PUT', `${A}/box/up`, until)}`, { as: 'nobody', body: 'x', headers: { 'x-object-manifest': 'box/' } })).text, "The header 'X-Object-Manifest' is not allowed in this tempurl")
})

test('websites: who may list sees the root and learns of folders, others see what they may read', async () => {
  await ask('PUT', `${A}/web`, { headers: { 'x-container-read': '.r:*', 'x-container-meta-web-index': 'index.html', 'x-container-meta-web-error': 'error.html' } })
  for (const [name, body] of [['index.html', 'INDEX'], ['dir/index.html', 'DIR'], ['bare/x', 'X'], ['404error.html', 'E404'], ['401error.html', 'E401']] as const) await ask('PUT', `${A}/web/${name}`, { body })
  const got = async (path: string): Promise<string> => {
    const { status, text } = await ask('GET', `${A}/web${path}`, { as: 'nobody' })
    return `${status} ${text}`
  }
  assert.deepEqual([await got('/'), await got('/dir/'), await got('/bare'), await got('/bare/'), await got('/none')], ['401 E401', '200 DIR', '404 E404', '404 E404', '404 E404'])
  assert.match(await got('/dir'), /^301 <html><h1>Moved Permanently/)
  await ask('POST', `${A}/web`, { headers: { 'x-container-read': '.r:*,.rlistings' } })
  assert.equal(await got('/'), '200 INDEX')
  assert.match(await got('/bare'), /^301/)
})

test('many at once: containers wait for what is in them, names come quoted or not', async () => {
  await ask('PUT', `${A}/gone`)
  for (const name of ['a', '%C3%BC', '%C3%A4']) await ask('PUT', `${A}/gone/${name}`, { body: 'x' })
  const report = (await ask('POST', `${A}?bulk-delete`, { body: '/gone\n/gone/a\n/gone/ü\n/gone/%C3%A4\n', headers: { accept: 'application/json', 'content-type': 'text/plain' } })).json
  assert.deepEqual(report, { 'Number Deleted': 4, 'Number Not Found': 0, 'Response Body': '', 'Response Status': '200 OK', Errors: [] })
  assert.equal((await ask('POST', `${A}?bulk-delete`, { body: '/gone', headers: { accept: 'application/json', 'content-type': 'application/json' } })).json['Response Status'], '406 Not Acceptable')
})

test('what a page elsewhere asks of an account, and the words about account ACLs', async () => {
  assert.equal((await ask('OPTIONS', A, { as: 'nobody', headers: { origin: 'http://a.example', 'access-control-request-method': 'GET' } })).status, 200)
  assert.equal((await ask('POST', A, { headers: { 'x-account-access-control': '{"admin":"x"}' } })).text, 'X-Account-Access-Control invalid: Value for key "admin" must be a list\n\nInput: {"admin":"x"}\n')
})

test('names in an ACL are those of the default domain, in an account of the default domain', async () => {
  await ask('PUT', `${A}/named`, { headers: { 'x-container-read': '*:member' } })
  await ask('PUT', `${A}/named/o`, { body: 'x' })
  const name = (await ask('HEAD', A)).headers['x-account-project-domain-id']
  assert.equal(name, 'default')
  const wanted = async (): Promise<number> => (await ask('GET', `${A}/named/o`, { as: 'member@project-b' })).status
  const before = await wanted()
  await changeAccount(house.db, 'AUTH_project-a', 0, (old) => ({ ...old, 'x-account-sysmeta-project-domain-id': 'another' }))
  assert.deepEqual([before, await wanted()], [200, 403])
  assert.equal((await ask('OPTIONS', '/info', { as: 'nobody' })).status, 200)
})
