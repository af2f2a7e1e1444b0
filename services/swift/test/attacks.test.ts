/** What somebody tries who has no right, or somebody else's: THREATS A10, A13, A15 and those of object stores. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { A, swiftKit, tempUrl } from './kit.ts'

const kit = await swiftKit()
after(() => kit.close())
const { ask } = kit
const B = '/v1/AUTH_project-b'
const at = Math.floor(Date.now() / 1000) + 60
await ask('PUT', `${A}/box`)
await ask('PUT', `${A}/box/o`, { body: 'mine' })
await ask('PUT', `${A}/secret`)
await ask('PUT', `${A}/secret/o`, { body: 'secret' })
await ask('POST', A, { headers: { 'x-account-meta-temp-url-key': 'account' } })
await ask('POST', `${A}/box`, { headers: { 'x-container-meta-temp-url-key': 'container' } })

test('A10: no header makes somebody else of a client, or writes what only features write', async () => {
  const forged = { 'x-roles': 'ResellerAdmin', 'x-user-id': 'member-of-project-a', 'x-project-id': 'project-a', 'x-tenant-id': 'project-a', 'x-identity-status': 'Confirmed' }
  assert.equal((await ask('GET', `${A}/box/o`, { as: 'nobody', headers: forged })).status, 401)
  assert.equal((await ask('GET', `${A}/box/o`, { as: 'member@project-b', headers: forged })).status, 403)
  const inner = { 'x-object-sysmeta-slo-etag': 'x', 'x-object-sysmeta-slo-size': '1', 'x-object-sysmeta-symlink-target': 'secret/o', 'x-backend-size': '999999', 'x-backend-listing': '{"hash":"forged"}', x_backend_size: '5', 'x-timestamp': '1.0' }
  assert.equal((await ask('PUT', `${A}/box/forged`, { body: '[]', headers: { 'x-static-large-object': 'True' } })).status, 400)
  assert.equal((await ask('PUT', `${A}/box/forged`, { body: 'plain', headers: inner })).status, 201)
  const got = await ask('GET', `${A}/box/forged`)
  assert.equal(got.text, 'plain')
  assert.deepEqual(Object.keys(got.headers).filter((name) => /sysmeta|backend|static/.test(name)), [])
  const [entry] = (await ask('GET', `${A}/box?format=json&prefix=forged`)).json
  assert.deepEqual([entry.bytes, entry.hash === 'forged'], [5, false])
  assert.equal((await ask('POST', A, { headers: { 'x-account-sysmeta-quota-bytes': '0' } })).status, 204)
  assert.equal((await ask('PUT', `${A}/box/after`, { body: 'x' })).status, 201)
})

test('A15: another project sees and changes nothing, whatever the verb', async () => {
  for (const method of ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'COPY']) {
    for (const path of ['', '/box', '/box/o', '/nothing', '/box/nothing']) {
      if (method === 'COPY' && path.split('/').length < 3) continue
      const answer = await ask(method, `${A}${path}`, { as: 'member@project-b', headers: { destination: 'box/x', 'content-length': '0' } })
      assert.equal(answer.status, 403, `${method} ${path}`)
    }
  }
  assert.equal((await ask('GET', `${A}/box/o`)).text, 'mine')
})

test('no way around by copies, links, manifests or bulk requests', async () => {
  await ask('PUT', `${B}/theirs`, { as: 'member@project-b' })
  const theirs = (path: string, headers: Record<string, string>, options: { method?: string; body?: string; query?: string } = {}) =>
    ask(options.method ?? 'PUT', `${B}/theirs/${path}${options.query ?? ''}`, { as: 'member@project-b', body: options.body ?? '', headers: { 'content-length': String(options.body?.length ?? 0), ...headers } })
  assert.equal((await theirs('c', { 'x-copy-from': '/secret/o', 'x-copy-from-account': 'AUTH_project-a' })).status, 403)
  assert.equal((await ask('COPY', `${A}/secret/o`, { as: 'member@project-b', headers: { destination: 'theirs/c', 'destination-account': 'AUTH_project-b' } })).status, 403)
  assert.equal((await theirs('l', { 'x-symlink-target': 'secret/o', 'x-symlink-target-account': 'AUTH_project-a' })).status, 201)
  assert.equal((await ask('GET', `${B}/theirs/l`, { as: 'member@project-b' })).status, 403)
  assert.equal((await theirs('l2', { 'x-symlink-target': 'secret/o', 'x-symlink-target-account': 'AUTH_project-a', 'x-symlink-target-etag': '0'.repeat(32) })).status, 403)
  const slo = await theirs('m', {}, { body: JSON.stringify([{ path: '/../AUTH_project-a/secret/o' }]), query: '?multipart-manifest=put' })
  assert.equal(slo.status, 400)
  await theirs('d', { 'x-object-manifest': '../AUTH_project-a/secret/o' })
  assert.notEqual((await ask('GET', `${B}/theirs/d`, { as: 'member@project-b' })).text, 'secret')
  const bulk = await ask('POST', `${B}?bulk-delete`, { as: 'member@project-b', body: '../AUTH_project-a/secret/o\n/AUTH_project-a/secret/o\n', headers: { 'content-type': 'text/plain', accept: 'application/json' } })
  assert.equal(bulk.json['Number Deleted'], 0)
  assert.equal((await ask('GET', `${A}/secret/o`)).text, 'secret')
})

test('a public container does not open its neighbours, nor what it links to', async () => {
  await ask('PUT', `${A}/public`, { headers: { 'x-container-read': '.r:*,.rlistings' } })
  await ask('PUT', `${A}/public/link`, { body: '', headers: { 'x-symlink-target': 'secret/o', 'content-length': '0' } })
  await ask('PUT', `${A}/public/dlo`, { body: '', headers: { 'x-object-manifest': 'secret/o', 'content-length': '0' } })
  await ask('PUT', `${A}/public/slo?multipart-manifest=put`, { body: JSON.stringify([{ path: '/secret/o' }]) })
  for (const name of ['link', 'dlo', 'slo']) {
    const answer = await ask('GET', `${A}/public/${name}`, { as: 'nobody' })
    assert.notEqual(answer.status, 200, name)
    assert.ok(!answer.text.includes('secret'), name)
  }
  const head = await ask('GET', `${A}/public`, { as: 'nobody' })
  assert.deepEqual(Object.keys(head.headers).filter((name) => /read|write|key/.test(name)), [])
  for (const referer of ['http://evil.example', 'http://good.example.evil', 'http://good.example@evil.example', 'good.example']) {
    await ask('POST', `${A}/public`, { headers: { 'x-container-read': '.r:good.example' } })
    assert.equal((await ask('GET', `${A}/public/slo`, { as: 'nobody', headers: { referer } })).status, 401, referer)
  }
})

test('who may write by an ACL hands nothing on', async () => {
  await ask('POST', `${A}/box`, { headers: { 'x-container-write': 'project-b:*', 'x-container-read': 'project-b:*' } })
  assert.equal((await ask('PUT', `${A}/box/from-b`, { as: 'member@project-b', body: 'x' })).status, 201)
  assert.equal((await ask('POST', `${A}/box`, { as: 'member@project-b', headers: { 'x-container-read': '.r:*' } })).status, 403)
  const head = await ask('HEAD', `${A}/box`, { as: 'member@project-b' })
  assert.equal(head.headers['x-container-meta-temp-url-key'], undefined)
  assert.equal(head.headers['x-container-write'], undefined)
  await ask('POST', `${A}/box`, { headers: { 'x-container-write': '', 'x-container-read': '' } })
  // A role or a user named like a project's word opens nothing.
  await ask('POST', `${A}/box`, { headers: { 'x-container-read': 'other:someone' } })
  assert.equal((await ask('GET', `${A}/box/o`, { as: 'member@project-b' })).status, 403)
})

test('A13: a temporary URL is for its method, its path, its time and its container alone', async () => {
  const good = tempUrl('container', 'GET', `${A}/box/o`, at)
  const visit = (method: string, path: string, query: string, headers = {}) => ask(method, `${path}?${query}`, { as: 'nobody', body: method === 'PUT' ? 'evil' : undefined, headers })
  assert.equal((await visit('GET', `${A}/box/o`, good)).text, 'mine')
  for (const [method, path, query] of [
    ['PUT', `${A}/box/o`, good], ['DELETE', `${A}/box/o`, good], ['POST', `${A}/box/o`, good], ['COPY', `${A}/box/o`, good],
    ['GET', `${A}/box/forged`, good], ['GET', `${A}/secret/o`, good], ['GET', `${A}/box`, good], ['GET', A, good], ['GET', `${B}/box/o`, good],
    ['GET', `${A}/secret/o`, tempUrl('container', 'GET', `${A}/secret/o`, at)],
    ['GET', `${A}/box/o`, tempUrl('container', 'GET', `${A}/box/o`, at - 3600)],
    ['GET', `${A}/box/o`, good.replace(String(at), String(at + 1))],
    ['GET', `${A}/box/o`, good.replace(/sig=../, 'sig=00')],
    ['GET', `${A}/box/o`, tempUrl('', 'GET', `${A}/box/o`, at)],
    ['GET', `${A}/box/o`, `${good}&temp_url_prefix=`],
    ['GET', `${A}/box/o`, `${good}&temp_url_ip_range=0.0.0.0/0`],
  ] as const) {
    assert.equal((await visit(method, path, query)).status, 401, `${method} ${path} ${query}`)
  }
  // A signed upload makes no link, copy or manifest that would read more than was signed for.
  const upload = tempUrl('container', 'PUT', `${A}/box/up`, at)
  for (const headers of [{ 'x-symlink-target': 'secret/o' }, { 'x-copy-from': 'secret/o' }, { 'x-object-manifest': 'secret/' }]) assert.equal((await visit('PUT', `${A}/box/up`, upload, headers)).status, 400)
  assert.ok((await visit('PUT', `${A}/box/up`, `${upload}&multipart-manifest=put`)).status >= 400)
  assert.equal((await visit('PUT', `${A}/box/up`, upload)).status, 201)
  // The key is gone, and with it what it signed.
  await ask('POST', `${A}/box`, { headers: { 'x-remove-container-meta-temp-url-key': 'x' } })
  assert.equal((await visit('GET', `${A}/box/o`, good)).status, 401)
})

test('names are names: no path leads out, nothing ends up in a header', async () => {
  for (const name of ['../../../etc/passwd', '..', '%2e%2e/x', 'a/../../b', '/etc/passwd', 'C:\\x']) {
    assert.equal((await ask('PUT', `${A}/box/${name}`, { body: name })).status, 201, name)
    assert.equal((await ask('GET', `${A}/box/${name}`)).text, name)
  }
  assert.equal((await ask('GET', `${A}/box/a%00b`)).status, 412)
  assert.ok([404, 412].includes((await ask('GET', `${A}/box/%ff%fe`)).status))
  const at2 = Math.floor(Date.now() / 1000) + 60
  const split = await ask('GET', `${A}/box/o?${tempUrl('account', 'GET', `${A}/box/o`, at2, { query: '&filename=%0d%0aset-cookie:x%0d%0a' })}`, { as: 'nobody' })
  assert.doesNotMatch(String(split.headers['content-disposition']), /[\r\n]/)
  const evil = await ask('PUT', `${A}/box/${encodeURIComponent('a\r\nset-cookie: x')}`, { body: 'x' })
  assert.equal(evil.status, 201)
  const copied = await ask('COPY', `${A}/box/${encodeURIComponent('a\r\nset-cookie: x')}`, { headers: { destination: 'box/copy' } })
  assert.doesNotMatch(String(copied.headers['x-copied-from']), /[\r\n]/)
  const xml = await ask('GET', `${A}/box?format=xml`)
  assert.doesNotMatch(xml.text, /<script/)
})

test('an error page holds no markup of the client', async () => {
  const answer = await ask('PUT', `${A}/box/x`, { body: '', headers: { 'x-copy-from': '<script>alert(1)</script>' } })
  assert.doesNotMatch(answer.text, /<script>/)
  const acl = await ask('POST', `${A}/box`, { headers: { 'x-container-read': '.r:<script>alert(1)</script>,.x:<script>' } })
  assert.equal(acl.status, 400)
  assert.ok(!acl.text.includes('<script>') || String(acl.headers['content-type']).startsWith('text/plain'))
})

test('only a reseller admin makes and deletes accounts', async () => {
  for (const as of ['member', 'admin', 'reader', 'member@project-b']) for (const method of ['PUT', 'DELETE']) assert.equal((await ask(method, A, { as })).status, 403, `${method} ${as}`)
})

test('many small ranges do not make a large answer', async () => {
  await ask('PUT', `${A}/box/range`, { body: 'x'.repeat(1000) })
  assert.equal((await ask('GET', `${A}/box/range`, { headers: { range: `bytes=${Array.from({ length: 200 }, () => '0-').join(',')}` } })).status, 416)
})

test('A19: a page that is an object has nothing of the address where the dashboard is', async () => {
  await ask('PUT', `${A}/web`, { headers: { 'x-container-read': '.r:*' } })
  const types = { 'text/html': true, 'application/xhtml+xml': true, 'image/svg+xml': true, 'text/xml; charset=utf-8': true, 'multipart/x-mixed-replace': true, nonsense: true, 'text/plain': false, 'image/png': false, 'application/pdf': false }
  for (const [type, active] of Object.entries(types)) {
    await ask('PUT', `${A}/web/x`, { body: '<script>1</script>', headers: { 'content-type': type } })
    const policy = async (headers: Record<string, string>, method = 'GET'): Promise<string | undefined> => (await ask(method, `${A}/web/x`, { as: 'nobody', headers })).headers['content-security-policy'] as string | undefined
    for (const headers of [{ accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }, { 'sec-fetch-dest': 'document', accept: '*/*' }, { 'sec-fetch-dest': 'object' }] as Record<string, string>[]) {
      const said = await policy(headers)
      assert.equal(said?.startsWith('sandbox ') === true && !said.includes('allow-same-origin'), active, `${type} ${JSON.stringify(headers)}`)
    }
    // Other clients, pictures and scripts of a page.
    for (const headers of [{}, { accept: '*/*' }, { 'sec-fetch-dest': 'image', accept: 'text/html' }] as Record<string, string>[]) assert.equal(await policy(headers), undefined, type)
  }
})
