import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash, createHmac } from 'node:crypto'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { VirtualClock } from '#base/clock.ts'
import { isFault } from '#base/fault.ts'
import { bunzip2 } from '../core/bzip2.ts'
import { audit, reconcile, sweep } from '../flows/keep-order.ts'
import { memoryBytes } from '../drivers/fake/memory-bytes.ts'
import { badBytes } from '../store/bytes.ts'
import { A, swiftKit, tempUrl } from './kit.ts'

const kit = await swiftKit()
after(() => kit.close())
const { ask } = kit
const md5 = (text: string): string => createHash('md5').update(text).digest('hex')
const put = async (path: string, body: string, headers: Record<string, string> = {}): Promise<void> => assert.equal((await ask('PUT', `${A}/${path}`, { body, headers })).status, 201)
await ask('PUT', `${A}/box`)
await ask('PUT', `${A}/other`)

test('a static large object is its segments, in ranges, nested, and with all of its checks', async () => {
  await put('box/s1', 'hello ')
  await put('box/s2', 'large world')
  const inner = await ask('PUT', `${A}/box/inner?multipart-manifest=put`, { body: JSON.stringify([{ path: '/box/s2', range: '6-', etag: md5('large world'), size_bytes: 11 }, { data: Buffer.from('!').toString('base64') }]) })
  assert.equal(inner.status, 201)
  const made = await ask('PUT', `${A}/box/slo?multipart-manifest=put`, { body: JSON.stringify([{ path: '/box/s1' }, { path: '/box/inner' }]), headers: { 'x-object-meta-a': 'b' } })
  assert.equal(made.status, 201, made.text)
  const got = await ask('GET', `${A}/box/slo`)
  assert.deepEqual([got.text, got.headers['content-length'], got.headers['x-static-large-object'], got.headers['x-object-meta-a']], ['hello world!', '12', 'True', 'b'])
  assert.equal((await ask('GET', `${A}/box/slo`, { headers: { range: 'bytes=4-8' } })).text, 'o wor')
  const many = await ask('GET', `${A}/box/slo`, { headers: { range: 'bytes=0-1,10-11' } })
  assert.equal(many.status, 206)
  assert.match(many.text, /bytes 0-1\/12\r\n\r\nhe\r\n.*bytes 10-11\/12\r\n\r\nd!\r\n/s)
  assert.equal((await ask('GET', `${A}/box/slo`, { headers: { 'if-none-match': String(got.headers.etag) } })).status, 304)
  assert.equal(JSON.parse((await ask('GET', `${A}/box/slo?multipart-manifest=get`)).text).length, 2)
  const wrong = await ask('PUT', `${A}/box/bad?multipart-manifest=put`, { body: JSON.stringify([{ path: '/box/s1', etag: 'x', size_bytes: 6 }, { path: '/box/none' }, { path: '/box/s1', size_bytes: 5 }]) })
  assert.deepEqual([wrong.status, wrong.text], [400, 'Errors:\n/box/s1, Etag Mismatch\n/box/none, 404 Not Found\n/box/s1, Size Mismatch\n'])
  assert.equal((await ask('GET', `${A}/box?format=json&prefix=slo`)).json[0].bytes, 12)
  // A segment that is not what it was is not sent as part of it.
  await put('box/s1', 'HELLO')
  assert.equal((await ask('GET', `${A}/box/slo`)).status, 409)
  const gone = await ask('DELETE', `${A}/box/slo?multipart-manifest=delete`, { headers: { accept: 'application/json' } })
  assert.deepEqual([gone.json['Number Deleted'], gone.json['Response Status']], [4, '200 OK'])
})

test('a dynamic large object grows with its prefix', async () => {
  await put('other/seg/1', 'one ')
  await put('box/dlo', '', { 'x-object-manifest': 'other/seg/', 'content-length': '0' })
  await put('other/seg/2', 'two')
  assert.equal((await ask('GET', `${A}/box/dlo`)).text, 'one two')
  assert.equal((await ask('GET', `${A}/box/dlo`, { headers: { range: 'bytes=2-4' } })).text, 'e t')
  assert.equal((await ask('PUT', `${A}/box/x`, { body: '', headers: { 'x-object-manifest': 'nonsense', 'content-length': '0' } })).status, 400)
})

test('a link stands for its target, and says when that has changed', async () => {
  await put('box/target', 'aim')
  await put('box/link', '', { 'x-symlink-target': 'box/target', 'content-length': '0' })
  await put('box/static', '', { 'x-symlink-target': 'box/target', 'x-symlink-target-etag': md5('aim'), 'content-length': '0' })
  assert.equal((await ask('GET', `${A}/box/link`)).text, 'aim')
  assert.equal((await ask('GET', `${A}/box/link?symlink=get`)).headers['x-symlink-target'], 'box/target')
  await put('box/target', 'moved')
  assert.equal((await ask('GET', `${A}/box/link`)).text, 'moved')
  assert.equal((await ask('GET', `${A}/box/static`)).status, 409)
  await put('box/link2', '', { 'x-symlink-target': 'box/link', 'content-length': '0' })
  await put('box/link3', '', { 'x-symlink-target': 'box/link2', 'content-length': '0' })
  assert.equal((await ask('GET', `${A}/box/link3`)).status, 409)
  assert.equal((await ask('POST', `${A}/box/link`, { headers: { 'x-object-meta-a': 'b' } })).status, 307)
})

test('versions are kept, listed, restored and removed one by one', async () => {
  await ask('PUT', `${A}/ver`, { headers: { 'x-versions-enabled': 'true' } })
  await put('ver/o', 'one')
  await put('ver/o', 'two!')
  assert.equal((await ask('DELETE', `${A}/ver/o`)).status, 204)
  assert.equal((await ask('GET', `${A}/ver/o`)).status, 404)
  const list = (await ask('GET', `${A}/ver?versions&format=json`)).json as { version_id: string; is_latest: boolean; bytes: number }[]
  assert.deepEqual(list.map((one) => [one.bytes, one.is_latest]), [[0, true], [4, false], [3, false]])
  assert.equal((await ask('GET', `${A}/ver/o?version-id=${list[2]!.version_id}`)).text, 'one')
  assert.equal((await ask('PUT', `${A}/ver/o?version-id=${list[2]!.version_id}`, { headers: { 'content-length': '0' } })).status, 201)
  assert.equal((await ask('GET', `${A}/ver/o`)).text, 'one')
  assert.equal((await ask('HEAD', `${A}/ver`)).headers['x-container-bytes-used'], '7')
  assert.equal((await ask('DELETE', `${A}/ver`)).status, 409)
  for (const one of list) await ask('DELETE', `${A}/ver/o?version-id=${one.version_id}`)
  assert.equal((await ask('HEAD', `${A}/ver`)).headers['x-container-bytes-used'], '0')
  assert.equal((await ask('DELETE', `${A}/ver`)).status, 204)
})

test('the older kind of versions moves what is replaced to another container and back', async () => {
  await ask('PUT', `${A}/old`)
  await ask('PUT', `${A}/stack`, { headers: { 'x-versions-location': 'old' } })
  await put('stack/o', 'one')
  await put('stack/o', 'two')
  assert.equal((await ask('HEAD', `${A}/old`)).headers['x-container-object-count'], '1')
  // A refused upload moves nothing.
  assert.equal((await ask('PUT', `${A}/stack/o`, { body: 'three', headers: { etag: md5('four') } })).status, 422)
  assert.equal((await ask('GET', `${A}/stack/o`)).text, 'two')
  await ask('DELETE', `${A}/stack/o`)
  assert.equal((await ask('GET', `${A}/stack/o`)).text, 'one')
})

test('quotas hold for bytes, for objects, and for what has no length', async () => {
  await ask('PUT', `${A}/quota`, { headers: { 'x-container-meta-quota-bytes': '10', 'x-container-meta-quota-count': '2' } })
  await put('quota/a', '12345')
  assert.equal((await ask('PUT', `${A}/quota/b`, { body: '123456' })).status, 413)
  await put('quota/b', '12345')
  assert.equal((await ask('PUT', `${A}/quota/c`, { body: '' , headers: { 'content-length': '0' } })).status, 413)
  assert.equal((await ask('POST', A, { headers: { 'x-account-meta-quota-bytes': '1' } })).status, 403)
  assert.equal((await ask('POST', A, { as: 'ResellerAdmin@project-z', headers: { 'x-account-quota-bytes': '1' } })).status, 204)
  assert.equal((await ask('PUT', `${A}/box/late`, { body: 'xx' })).status, 413)
  assert.equal((await ask('POST', A, { as: 'ResellerAdmin@project-z', headers: { 'x-remove-account-quota-bytes': 'x' } })).status, 204)
})

test('archives are unpacked, plain, gzip and bzip2; a list is deleted', async () => {
  const tar = spawnSync('tar', ['-cf', '-', '--format=ustar', '-C', import.meta.dirname, 'kit.ts', 'objects.test.ts'], { maxBuffer: 1 << 24 }).stdout
  for (const [kind, bytes] of [['tar', tar], ['tar.gz', gzipSync(tar)]] as const) {
    const answer = await ask('PUT', `${A}/bulk?extract-archive=${kind}`, { body: bytes, headers: { accept: 'application/json', 'content-length': String(bytes.length) } })
    assert.deepEqual([answer.json['Number Files Created'], answer.json['Response Status']], [2, '201 Created'], answer.text)
  }
  assert.match((await ask('GET', `${A}/bulk/kit.ts`)).text, /Swift alone/)
  const gone = await ask('POST', `${A}?bulk-delete`, { body: '/bulk/kit.ts\nbulk/objects.test.ts\nbulk/none\nbulk\n', headers: { accept: 'application/json', 'content-type': 'text/plain' } })
  assert.deepEqual([gone.json['Number Deleted'], gone.json['Number Not Found'], gone.json.Errors], [3, 1, []])
  const broken = await ask('PUT', `${A}/bulk?extract-archive=tar`, { body: 'x'.repeat(600), headers: { accept: 'application/json', 'content-length': '600' } })
  assert.equal(broken.json['Response Status'], '400 Bad Request')
})

test('bzip2 is read as bzip2 writes it, and what is damaged is refused', async () => {
  const unpack = async (packed: Buffer): Promise<string> => {
    const out: Buffer[] = []
    for await (const chunk of bunzip2((async function* () { for (let at = 0; at < packed.length; at += 7) yield packed.subarray(at, at + 7) })())) out.push(chunk)
    return Buffer.concat(out).toString()
  }
  // What `bzip2` makes of it.
  const packed = Buffer.from('QlpoOTFBWSZTWW9PEPMAAAXRAAAQQAACRKAAMMACqDRxDa2HDxdyRThQkG9PEPM=', 'base64')
  assert.equal(await unpack(packed), 'hello hello hello hello\n')
  // Several streams may follow one another.
  assert.equal(await unpack(Buffer.concat([packed, packed])), 'hello hello hello hello\n'.repeat(2))
  for (const broken of [packed.subarray(0, 30), Buffer.from('not bzip2 at all'), Buffer.concat([packed.subarray(0, 20), Buffer.alloc(1), packed.subarray(21)])]) await assert.rejects(unpack(broken), (thrown) => isFault(thrown, 'invalid'))
})

test('a form uploads what it was signed for', async () => {
  await ask('POST', A, { headers: { 'x-account-meta-temp-url-key': 'secret' } })
  const expires = Math.floor(Date.now() / 1000) + 100
  const form = (signature: string, size = 100): string => `--B\r\nContent-Disposition: form-data; name="max_file_size"\r\n\r\n${size}\r\n--B\r\nContent-Disposition: form-data; name="max_file_count"\r\n\r\n1\r\n--B\r\nContent-Disposition: form-data; name="expires"\r\n\r\n${expires}\r\n--B\r\nContent-Disposition: form-data; name="signature"\r\n\r\n${signature}\r\n--B\r\nContent-Disposition: form-data; name="file1"; filename="f.txt"\r\nContent-Type: text/plain\r\n\r\nform bytes\r\n--B--\r\n`
  const sign = (size: number): string => createHmac('sha256', 'secret').update(`${A}/box/up/\n\n${size}\n1\n${expires}`).digest('hex')
  const send = (body: string) => ask('POST', `${A}/box/up/`, { as: 'nobody', body, headers: { 'content-type': 'multipart/form-data; boundary=B' } })
  assert.equal((await send(form(sign(100)))).status, 201)
  assert.equal((await ask('GET', `${A}/box/up/f.txt`)).text, 'form bytes')
  assert.equal((await send(form(sign(100), 1000))).status, 401)
  assert.equal((await send(form(sign(5), 5))).status, 400)
  assert.equal((await ask('GET', `${A}/box/up/f.txt`)).text, 'form bytes')
})

test('a container is a web site for those without a token', async () => {
  await ask('PUT', `${A}/site`, { headers: { 'x-container-read': '.r:*,.rlistings', 'x-container-meta-web-index': 'index.html', 'x-container-meta-web-error': 'error.html', 'x-container-meta-web-listings': 'true' } })
  await put('site/index.html', '<b>home</b>')
  await put('site/404error.html', 'not here')
  await put('site/dir/<script>.txt', 'x')
  const visit = (path: string) => ask('GET', `${A}/site${path}`, { as: 'nobody' })
  assert.equal((await visit('')).status, 301)
  assert.equal((await visit('/')).text, '<b>home</b>')
  const missing = await visit('/nothing')
  assert.deepEqual([missing.status, missing.text], [404, 'not here'])
  assert.equal((await visit('/dir')).status, 301)
  const listing = await visit('/dir/')
  assert.match(listing.text, /&lt;script&gt;\.txt/)
  assert.doesNotMatch(listing.text, /<script>/)
})

test('CORS is what the container says', async () => {
  await ask('PUT', `${A}/cors`, { headers: { 'x-container-meta-access-control-allow-origin': 'http://a.example', 'x-container-read': '.r:*' } })
  await put('cors/o', 'x')
  const flight = (origin: string) => ask('OPTIONS', `${A}/cors/o`, { as: 'nobody', headers: { origin, 'access-control-request-method': 'PUT' } })
  assert.equal((await flight('http://a.example')).headers['access-control-allow-origin'], 'http://a.example')
  assert.equal((await flight('http://b.example')).status, 401)
  assert.equal((await ask('GET', `${A}/cors/o`, { as: 'nobody', headers: { origin: 'http://b.example' } })).headers['access-control-allow-origin'], undefined)
})

test('a host name is an account and a container where a domain is given, and ETags are quoted where one asks', async () => {
  const own = await swiftKit({ storage_domain: 'store.example', quote_etags: true })
  try {
    await own.ask('PUT', `${A}/box`)
    await own.ask('PUT', `${A}/box/o`, { body: 'x' })
    assert.equal((await own.ask('GET', '/v1/o', { headers: { host: 'box.auth-project-a.store.example' } })).text, 'x')
    assert.equal((await own.ask('GET', '/v1/AUTH_project-a/box/o')).headers.etag, `"${md5('x')}"`)
    await own.ask('POST', `${A}/box`, { headers: { 'x-container-rfc-compliant-etags': 'false' } })
    assert.equal((await own.ask('GET', `${A}/box/o`)).headers.etag, md5('x'))
  } finally {
    await own.close()
  }
})

test('names of 1,024 bytes are kept, and longer ones refused', async () => {
  const name = '온'.repeat(341) + 'x'
  await put(`box/${encodeURIComponent(name)}`, 'long')
  assert.equal((await ask('GET', `${A}/box?prefix=${encodeURIComponent('온')}`)).text, `${name}\n`)
  assert.equal((await ask('PUT', `${A}/box/${encodeURIComponent(`${name}y`)}`, { body: '' })).status, 400)
})

test('what expired is gone at once, and its bytes a little later; what nothing holds is found', async () => {
  const clock = new VirtualClock()
  const bytes = memoryBytes(() => clock.now())
  const own = await swiftKit({}, { clock, bytes })
  try {
    await own.ask('PUT', `${A}/box`)
    await own.ask('PUT', `${A}/box/o`, { body: 'x', headers: { 'x-delete-after': '10' } })
    await own.ask('PUT', `${A}/box/stays`, { body: 'y' })
    await clock.advance(11_000)
    assert.equal((await own.ask('GET', `${A}/box/o`)).status, 404)
    assert.equal((await own.ask('GET', `${A}/box`)).text, 'stays\n')
    await sweep(own.house)
    assert.equal((await own.ask('HEAD', `${A}/box`)).headers['x-container-object-count'], '1')
    assert.equal(bytes.size, 2)
    await clock.advance(61_000)
    await sweep(own.house)
    assert.equal(bytes.size, 1)
    // Bytes of an upload that died before its row.
    await bytes.write((async function* () { yield Buffer.from('loose') })())
    await reconcile(own.house)
    assert.equal(bytes.size, 2)
    await clock.advance(90_000_000)
    assert.deepEqual(await reconcile(own.house), { removed: 1 })
    assert.equal((await own.ask('GET', `${A}/box/stays`)).text, 'y')
    // An account that was deleted is emptied.
    assert.equal((await own.ask('DELETE', A, { as: 'ResellerAdmin@project-z' })).status, 204)
    assert.equal((await own.ask('GET', A)).status, 410)
    await sweep(own.house)
    assert.equal((await own.ask('GET', `${A}/box/stays`)).status, 404)
    assert.equal((await own.ask('GET', A)).status, 204)
  } finally {
    await own.close()
  }
})

test('bit rot is told by the auditor and never served; a full disk is 507 and loses nothing', async () => {
  const bytes = memoryBytes(() => Date.now())
  const own = await swiftKit({ audit_files_per_second: 100_000 }, { bytes })
  try {
    await own.ask('PUT', `${A}/box`)
    await own.ask('PUT', `${A}/box/good`, { body: 'good' })
    await own.ask('PUT', `${A}/box/bad`, { body: 'bad' })
    bytes.rot('m-2')
    assert.equal((await own.ask('GET', `${A}/box/bad`)).status, 503)
    assert.deepEqual(await audit(own.house), { bad: 1 })
    assert.equal((await badBytes(own.house.db))[0]!.bytes_id, 'm-2')
    const { Fault } = await import('#base/fault.ts')
    bytes.failWrites(new Fault('insufficient_storage', 'There is no room left for this object.'))
    assert.equal((await own.ask('PUT', `${A}/box/good`, { body: 'more' })).status, 507)
    bytes.failWrites(undefined)
    assert.equal((await own.ask('GET', `${A}/box/good`)).text, 'good')
    assert.equal((await own.ask('PUT', `${A}/box/good`, { body: 'more' })).status, 201)
  } finally {
    await own.close()
  }
})

test('encrypted objects are ciphertext in the store and plain on the wire, in any range', async () => {
  const bytes = memoryBytes(() => Date.now())
  const own = await swiftKit({ encryption: { enabled: true } }, { bytes })
  try {
    await own.start()
    await own.ask('PUT', `${A}/box`)
    const text = 'a secret of many blocks, '.repeat(20)
    await own.ask('PUT', `${A}/box/o`, { body: text })
    const kept: Buffer[] = []
    for await (const chunk of await bytes.read('m-1', 0, text.length - 1)) kept.push(chunk as Buffer)
    assert.ok(!Buffer.concat(kept).includes('secret'))
    assert.equal((await own.ask('GET', `${A}/box/o`)).text, text)
    assert.equal((await own.ask('GET', `${A}/box/o`, { headers: { range: 'bytes=37-90' } })).text, text.slice(37, 91))
    assert.equal((await own.ask('GET', `${A}/box/o`)).headers.etag, md5(text))
  } finally {
    await own.close()
  }
})

test('temporary URLs: prefix, address, digests, names of downloads', async () => {
  await ask('POST', A, { headers: { 'x-account-meta-temp-url-key': 'secret' } })
  await put('box/t/1', 'one')
  const at = Math.floor(Date.now() / 1000) + 60
  const visit = (query: string, path = 'box/t/1', method = 'GET') => ask(method, `${A}/${path}?${query}`, { as: 'nobody' })
  for (const digest of ['sha1', 'sha256', 'sha512']) assert.equal((await visit(tempUrl('secret', 'GET', `${A}/box/t/1`, at, { digest }))).text, 'one')
  assert.equal((await visit(tempUrl('secret', 'GET', `prefix:${A}/box/t/`, at, { query: '&temp_url_prefix=t/' }))).text, 'one')
  assert.equal((await visit(tempUrl('secret', 'GET', `prefix:${A}/box/t/`, at, { query: '&temp_url_prefix=t/' }), 'box/target')).status, 401)
  assert.equal((await visit(tempUrl('secret', 'GET', `${A}/box/t/1`, at, { head: 'ip=10.0.0.0/8\n', query: '&temp_url_ip_range=10.0.0.0/8' }))).status, 401)
  const named = await visit(tempUrl('secret', 'GET', `${A}/box/t/1`, at, { query: '&filename=%EA%B0%80%22.txt' }))
  assert.match(String(named.headers['content-disposition']), /^attachment; filename="[^"]*"; filename\*=UTF-8''%EA%B0%80%22\.txt$/)
  assert.equal((await visit(tempUrl('secret', 'GET', `${A}/box/t/1`, at, { query: '&inline' }))).headers['content-disposition'], 'inline')
})

test('the operator may forbid names that Swift would take', async () => {
  const strict = await swiftKit({ name_check: { enabled: true, maximum_length: 60 } })
  try {
    assert.equal((await strict.ask('PUT', `${A}/fine`)).status, 201)
    for (const [name, why] of [['a%3Cb', /forbidden chars from/], ['fine/./x', /forbidden substring/], ['fine/..', /forbidden substring/], [`fine/${'x'.repeat(60)}`, /allowed maximum 60/]] as const) {
      const answer = await strict.ask('PUT', `${A}/${name}`, { body: '' })
      assert.equal(answer.status, 400, name)
      assert.match(answer.text, why)
      assert.equal((await ask('PUT', `${A}/${name.includes('/') ? name.replace('fine', 'box') : name}`, { body: '' })).status, 201, name)
    }
    assert.equal((await strict.ask('GET', '/info')).json.name_check.maximum_length, 60)
  } finally {
    await strict.close()
  }
})
