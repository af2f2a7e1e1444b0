/** Bodies and requests that are made to hurt: archives, documents, forms, and what two readers of one connection would take for different requests. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { listen } from '#base/http/server.ts'
import { A, swiftKit } from './kit.ts'
import { codeOf, s3Kit } from './s3-kit.ts'

const kit = await swiftKit()
const server = await listen(kit.handler, {})
const s3 = await s3Kit()
after(async () => {
  await server.close(100)
  await kit.close()
  await s3.close()
})
const { ask } = kit
await ask('PUT', `${A}/box`)
await s3.s3('PUT', '/s3/bucket')

interface Entry { name: string; body?: Buffer; type?: string; size?: string; link?: string }
function tar(entries: readonly Entry[], end = 1024): Buffer {
  const blocks = entries.flatMap(({ name, body = Buffer.alloc(0), type = '0', size = body.length.toString(8).padStart(11, '0'), link = '' }) => {
    const head = Buffer.alloc(512)
    head.write(name, 0, 100)
    head.write('0000644\0', 100)
    head.write(size, 124, 12, 'latin1')
    head.fill(' ', 148, 156)
    head.write(type, 156)
    head.write(link, 157, 100)
    head.write('ustar\0' + '00', 257)
    head.write(`${head.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148)
    return [head, body, Buffer.alloc((512 - (body.length % 512)) % 512)]
  })
  return Buffer.concat([...blocks, Buffer.alloc(end)])
}
const pax = (records: Record<string, string>): Buffer => Buffer.concat(Object.entries(records).map(([key, value]) => {
  const rest = Buffer.from(` ${key}=${value}\n`)
  let length = rest.length + 1
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length
  return Buffer.concat([Buffer.from(String(length)), rest])
}))
const extract = async (body: Buffer, kind = 'tar', as = 'member'): Promise<{ status: string; created: number; errors: string[][] }> => {
  const answer = await ask('PUT', `${A}/box/up?extract-archive=${kind}`, { as, body, headers: { accept: 'application/json', 'content-length': String(body.length) } })
  return answer.json ? { status: answer.json['Response Status'], created: answer.json['Number Files Created'], errors: answer.json.Errors } : { status: String(answer.status), created: 0, errors: [] }
}

test('an archive leads nowhere but below where it is unpacked, and links are no files', async () => {
  const body = Buffer.from('x')
  const done = await extract(tar([
    { name: '../../secret/o', body }, { name: '/etc/passwd', body }, { name: './../o', body }, { name: 'hard', type: '1', link: '/etc/passwd' }, { name: 'soft', type: '2', link: '../../etc/passwd' }, { name: 'device', type: '3' }, { name: 'pipe', type: '6' }, { name: 'sparse', type: 'S', body },
    { name: 'x', type: 'x', body: pax({ path: '../../../AUTH_project-b/theirs/o' }) }, { name: 'ignored', body },
  ]))
  assert.deepEqual([done.status, done.created, done.errors], ['201 Created', 4, []])
  const names = (await ask('GET', `${A}/box?format=json`)).json.map((one: { name: string }) => one.name)
  assert.deepEqual(names, ['up/../../../AUTH_project-b/theirs/o', 'up/../../secret/o', 'up/../o', 'up/etc/passwd'])
  assert.deepEqual((await ask('GET', `${A}?format=json`)).json.map((one: { name: string }) => one.name), ['box'])
})

test('numbers of an archive that are none end it', async () => {
  const x = (size: string): Entry => ({ name: 'x', type: 'x', body: pax({ size }) })
  for (const entries of [[x('-5')], [x('1e9')], [x('Infinity')], [x('0x10')], [x('1.5')], [x('99999999999999999999')]] as Entry[][]) assert.equal((await extract(tar([...entries, { name: 'a', body: Buffer.from('a') }]))).status, '400 Bad Request')
  assert.equal((await extract(tar([{ name: 'a', size: '-0000000001\0' }]))).status, '400 Bad Request')
  // Base-256, beyond all that there is; and less than nothing.
  for (const first of [0x80, 0xff]) assert.notEqual((await extract(tar([{ name: 'a', size: String.fromCharCode(first) + '\xff'.repeat(11) }]))).created, 1)
  assert.equal((await extract(tar([{ name: 'x', type: 'x', body: pax({ path: 'nul\0name' }) }, { name: 'a', body: Buffer.from('a') }]))).created, 0)
  assert.equal((await extract(tar([{ name: 'x', type: 'x', body: Buffer.from('99999 path=a\n') }, { name: 'fine', body: Buffer.from('a') }]))).status, '201 Created')
  for (const wrong of ['path=a\n', '3 a\n', '-9 path=a\n']) assert.equal((await extract(tar([{ name: 'x', type: 'x', body: Buffer.from(wrong) }, { name: 'b', body: Buffer.from('a') }]))).created === 1, false, wrong)
  for (const entries of [Array.from({ length: 40 }, () => x('1')), [{ name: 'L', type: 'L', size: '77777777777\0' }], [{ name: 'x', type: 'x', size: '00010000000\0' }]] as Entry[][]) assert.equal((await extract(tar(entries))).status, '400 Bad Request')
})

test('an archive that unpacks without end is given up, and costs nothing to who has no name', async () => {
  const began = performance.now()
  const zeros = gzipSync(Buffer.alloc(1 << 20))
  const bomb = Buffer.concat([gzipSync(tar([{ name: 'a', body: Buffer.from('a') }], 512)), ...Array.from({ length: 2000 }, () => zeros)])
  const done = await extract(bomb, 'tar.gz')
  assert.deepEqual([done.status, done.created], ['400 Bad Request', 1])
  assert.equal((await extract(Buffer.concat(Array.from({ length: 2000 }, () => zeros)), 'tar.gz')).status, '400 Bad Request')
  assert.equal((await extract(bomb, 'tar.gz', 'nobody')).status, '401')
  assert.ok(performance.now() - began < 60_000)
  for (const [kind, body] of [['tar.gz', Buffer.from('no gzip')], ['tar.gz', zeros.subarray(0, 100)], ['tar.bz2', Buffer.from('BZh9nonsense')], ['tar.bz2', Buffer.from('BZh91AY&SY' + '\xff'.repeat(400), 'latin1')], ['tar', Buffer.alloc(100)], ['tar', Buffer.from('not an archive'.repeat(100))]] as const) {
    assert.equal((await extract(body, kind)).status, '400 Bad Request', kind)
  }
})

test('A14: documents of S3 hold no entities, no depth and no other spelling', async () => {
  const bodies: Record<string, Buffer | string> = {
    'billion laughs': '<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><Delete><Object><Key>&c;</Key></Object></Delete>',
    'an external entity': '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&a;</Key></Object></Delete>',
    'an external document type': '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><Delete><Object><Key>a</Key></Object></Delete>',
    'an entity that nobody named': '<Delete><Object><Key>&lol;</Key></Object></Delete>',
    'a processing instruction': '<?xml-stylesheet href="http://127.0.0.1:1/"?><Delete><Object><Key>a</Key></Object></Delete>',
    'a hundred thousand levels': `<Delete>${'<a>'.repeat(100_000)}`,
    'UTF-16': Buffer.from('\ufeff<Delete><Object><Key>a</Key></Object></Delete>', 'utf16le'),
    'UTF-7': '+ADw-Delete+AD4-',
    'no UTF-8': Buffer.from('<Delete><Object><Key>\xff\xfe</Key></Object></Delete>', 'latin1'),
    'a NUL': '<Delete><Object><Key>a\0b</Key></Object></Delete>',
    'a NUL by number': '<Delete><Object><Key>a&#0;b</Key></Object></Delete>',
    'two roots': '<Delete/><Delete/>',
    nothing: '',
    'JSON': '{"Delete":{}}',
  }
  for (const [what, body] of Object.entries(bodies)) {
    const answer = await s3.s3('POST', '/s3/bucket?delete', { body })
    assert.ok(answer.status >= 400 && answer.status < 500, `${what}: ${answer.status}`)
    assert.ok(!answer.text.includes('root:') && !answer.text.includes('lollol'), what)
  }
  const attributes = Array.from({ length: 20_000 }, (_, i) => ` a${i}="x"`).join('')
  const began = performance.now()
  for (const sub of ['delete', 'acl', 'policy', 'tagging', 'lifecycle', 'versioning', 'cors', 'website', 'object-lock', 'ownershipControls', 'publicAccessBlock']) {
    const answer = await s3.s3(sub === 'delete' ? 'POST' : 'PUT', `/s3/bucket?${sub}`, { body: `<Delete${attributes}><Object><Key>a</Key></Object></Delete>` })
    assert.ok(answer.status < 500, `${sub} ${answer.status}`)
    for (const [what, body] of Object.entries(bodies)) assert.ok((await s3.s3('PUT', `/s3/bucket?${sub}`, { body })).status < 500, `${sub}, ${what}`)
  }
  assert.ok(performance.now() - began < 60_000)
})

test('JSON of any depth and patterns of any length end soon', async () => {
  const began = performance.now()
  const deep = '['.repeat(100_000)
  assert.ok((await s3.s3('PUT', '/s3/bucket?policy', { body: `{"Statement":${deep}` })).status < 500)
  assert.equal((await ask('PUT', `${A}/box/m?multipart-manifest=put`, { body: deep + ']'.repeat(100_000) })).status, 400)
  assert.ok((await ask('PUT', `${A}/box/m?multipart-manifest=put`, { body: JSON.stringify([{ path: { toString: 1 }, etag: [], size_bytes: {}, range: { x: 1 } }, null, 5, 'x', { data: {} }]) })).status < 500)
  assert.ok((await ask('POST', A, { headers: { 'x-account-access-control': '['.repeat(4000) } })).status < 500)
  const stars = `${'*a'.repeat(2000)}*b`
  const statement = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::bucket/${stars}`, Condition: { StringLike: { 'aws:Referer': stars } } }
  assert.equal((await s3.s3('PUT', '/s3/bucket?policy', { body: JSON.stringify({ Version: '2012-10-17', Statement: [statement] }) })).status, 204)
  await s3.s3('GET', `/s3/bucket/${'a'.repeat(900)}`, { by: 'b', headers: { referer: 'a'.repeat(8000) } })
  assert.equal((await s3.s3('PUT', '/s3/bucket?cors', { body: `<CORSConfiguration><CORSRule><AllowedOrigin>http://*${'a'.repeat(500)}</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>` })).status, 200)
  await s3.visit('OPTIONS', '/s3/bucket/o', { headers: { origin: `http://${'a'.repeat(8000)}`, 'access-control-request-method': 'GET' } })
  await s3.s3('DELETE', '/s3/bucket?policy')
  for (const range of [`bytes=${'0-0,'.repeat(4000)}`, `bytes=${'9'.repeat(5000)}-`, `bytes=-${'9'.repeat(400)}`]) assert.ok((await ask('GET', `${A}/box`, { headers: { range } })).status < 500)
  assert.ok(performance.now() - began < 60_000)
})

/** What comes back on one connection. */
async function raw(text: string, end = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1')
    let said = ''
    socket.setTimeout(30_000, () => socket.destroy(new Error('never answered')))
    socket.setEncoding('latin1').on('data', (chunk: string) => (said += chunk)).on('close', () => resolve(said)).on('error', (thrown: { code?: string }) => (thrown.code === 'ECONNRESET' || thrown.code === 'EPIPE' ? resolve(said) : reject(thrown as Error)))
    // Whoever has said all may still wait for the answer; what is cut wrongly waits for more.
    if (end) socket.end(text, 'latin1')
    else socket.write(text, 'latin1')
  })
}

test('a request that two readers would cut differently is refused, and what hides behind it is never done', async () => {
  const T = 'Host: x\r\nX-Auth-Token: persona:member\r\n'
  const hidden = `DELETE ${A}/box/kept HTTP/1.1\r\n${T}\r\n`
  await ask('PUT', `${A}/box/kept`, { body: 'kept' })
  const chunked = `0\r\n\r\n${hidden}`
  const smuggled = {
    'both lengths': `PUT ${A}/box/s HTTP/1.1\r\n${T}Content-Length: ${chunked.length}\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`,
    'both lengths, the other way round': `PUT ${A}/box/s HTTP/1.1\r\n${T}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n${chunked}`,
    'two lengths': `PUT ${A}/box/s HTTP/1.1\r\n${T}Content-Length: 0\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
    'a length with a sign': `PUT ${A}/box/s HTTP/1.1\r\n${T}Content-Length: +0\r\n\r\n${hidden}`,
    'a length in hex': `PUT ${A}/box/s HTTP/1.1\r\n${T}Content-Length: 0x${hidden.length.toString(16)}\r\n\r\n${hidden}`,
    'an unknown coding': `PUT ${A}/box/s HTTP/1.1\r\n${T}Transfer-Encoding: xchunked\r\n\r\n${chunked}`,
    'a coding behind another': `PUT ${A}/box/s HTTP/1.1\r\n${T}Transfer-Encoding: chunked, identity\r\n\r\n${chunked}`,
    'a coding twice': `PUT ${A}/box/s HTTP/1.1\r\n${T}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n${chunked}`,
    'a folded header': `PUT ${A}/box/s HTTP/1.1\r\n${T}X-Object-Meta-A: a\r\n b\r\nTransfer-Encoding:\r\n chunked\r\n\r\n${chunked}`,
    'a space before the colon': `PUT ${A}/box/s HTTP/1.1\r\n${T}Content-Length : ${hidden.length}\r\n\r\n${hidden}`,
    'a bare newline': `PUT ${A}/box/s HTTP/1.1\nHost: x\nX-Auth-Token: persona:member\nContent-Length: 0\nX: y\n\n${hidden}`,
    'a NUL in a header': `PUT ${A}/box/s HTTP/1.1\r\n${T}X-Object-Meta-A: a\0b\r\nContent-Length: 0\r\n\r\n`,
    'a chunk with a wrong size': `PUT ${A}/box/s HTTP/1.1\r\n${T}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n${chunked}`,
    'a chunk beyond all sizes': `PUT ${A}/box/s HTTP/1.1\r\n${T}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n${chunked}`,
    'two requests in a name': `GET ${A}/box/s HTTP/1.1\r\nX: y HTTP/1.1\r\n${T}\r\n`,
  }
  for (const [what, text] of Object.entries(smuggled)) {
    const said = await raw(text, true)
    assert.doesNotMatch(said, /HTTP\/1\.1 (500|204)/, what)
    assert.equal((await ask('GET', `${A}/box/kept`)).text, 'kept', what)
  }
  for (const name of ['x-backend-size: 5', 'x_backend_size: 5', 'X-Object-Sysmeta-Slo-Etag: x', 'X-Object-Transient-Sysmeta-A: b', 'X-Container-Sysmeta-Quota-Bytes: 1', 'X-Timestamp: 1', 'X-Backend-Listing: {"hash":"x"}', 'X-Backend-Bypass-Governance: true']) {
    assert.match(await raw(`PUT ${A}/box/inner HTTP/1.1\r\n${T}${name}\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx`), /^HTTP\/1\.1 201/, name)
    const got = await ask('GET', `${A}/box/inner`)
    assert.equal(got.text, 'x')
    assert.deepEqual(Object.keys(got.headers).filter((one) => /sysmeta|backend|static/.test(one)), [], name)
  }
  assert.equal((await ask('GET', `${A}/box?prefix=inner&format=json`)).json[0].bytes, 1)
  // What a client calls its request is not said back as a header of its own.
  assert.doesNotMatch(await raw(`GET ${A}/box/kept HTTP/1.1\r\n${T}X-Trans-Id-Extra: a%0d%0aset-cookie: b\r\nConnection: close\r\n\r\n`), /\r\nset-cookie/i)
})

test('names that are markup are text in every listing', async () => {
  const names = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)", 'javascript:alert(1)', '&lt;b&gt;', 'a]]>b', '\u0001\u001f', '\ufffe', '-->', '{{7*7}}']
  await ask('PUT', `${A}/web`, { headers: { 'x-container-read': '.r:*,.rlistings', 'x-container-meta-web-listings': 'true', 'x-container-meta-web-listings-css': '"><script>alert(2)</script>', 'x-container-meta-web-listings-label': '<script>alert(3)</script>' } })
  for (const name of names) {
    assert.equal((await ask('PUT', `${A}/web/${encodeURIComponent(name)}`, { body: 'x', headers: { 'content-type': 'text/"><script>alert(4)</script>' } })).status, 201, JSON.stringify(name))
    assert.equal((await ask('PUT', `${A}/web/${encodeURIComponent(`${name.replaceAll('/', '')}/x`)}`, { body: 'x' })).status, 201)
    await s3.s3('PUT', `/s3/bucket/${encodeURIComponent(name)}`, { body: 'x' })
  }
  const html = await ask('GET', `${A}/web/`, { as: 'nobody' })
  assert.equal(html.status, 200)
  assert.doesNotMatch(html.text, /<script|<img|onmouseover='|href="javascript:/i)
  const pages = [await ask('GET', `${A}/web?format=xml`), await s3.s3('GET', '/s3/bucket'), await s3.s3('GET', '/s3/bucket?list-type=2'), await s3.s3('GET', '/s3/bucket?versions'), await s3.s3('GET', '/s3/bucket?prefix=%3Cscript%3E&delimiter=%3Cscript%3E&marker=%3Cscript%3E')]
  for (const page of pages) {
    assert.equal(page.status, 200)
    assert.match(String(page.headers['content-type']), /xml/)
    assert.doesNotMatch(page.text, /<script|<img|]]>/i)
  }
  for (const path of ['/s3/%3Cscript%3E', '/s3/bucket/%3Cscript%3E?uploadId=%3Cscript%3E', '/s3/bucket?prefix=x&max-keys=%3Cscript%3E']) assert.doesNotMatch((await s3.s3('GET', path)).text, /<script/)
  assert.equal(codeOf(await s3.s3('GET', '/s3/bucket?prefix=a%00b')), 'InvalidArgument')
  for (const path of ['/s3/bucket/a%00b', '/s3/buc%00ket/a', '/s3/bucket?list-type=2&continuation-token=AGE', '/s3/bucket/a?uploadId=%00', '/s3/bucket/a?versionId=%00']) assert.ok([400, 404].includes((await s3.s3('GET', path)).status), path)
})
