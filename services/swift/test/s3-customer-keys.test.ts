/** Keys of customers (SSE-C): real encryption, the key nowhere kept, its errors, and what the other door says of such an object. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { composite } from '../core/s3/checksums.ts'
import { codeOf, crc32Of, judging, s3Kit } from './s3-kit.ts'

const kit = await s3Kit()
after(() => kit.close())
const { s3, swift, house } = kit
const { ok, refused } = judging(s3)

const md5 = (data: string | Buffer): string => createHash('md5').update(data).digest('base64')
const keyOf = (key: Buffer, prefix = 'x-amz'): Record<string, string> => ({ [`${prefix}-server-side-encryption-customer-algorithm`]: 'AES256', [`${prefix}-server-side-encryption-customer-key`]: key.toString('base64'), [`${prefix}-server-side-encryption-customer-key-md5`]: md5(key) })
const [mine, other] = [randomBytes(32), randomBytes(32)]
const WITH = keyOf(mine)
const fromMine = keyOf(mine, 'x-amz-copy-source')

/** Everything that stands in the database. */
async function kept(): Promise<string> {
  const rows = []
  for (const table of ['swift_objects', 'swift_versions', 'swift_uploads', 'swift_upload_parts', 'swift_containers'] as const) rows.push(await house.db.query.selectFrom(table).selectAll().execute())
  return JSON.stringify(rows, (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
}
const stored = async (id: string): Promise<Buffer> => Buffer.concat((await (await house.bytes.read(id, 0, 999_999)).toArray()) as Buffer[])

await ok('PUT', '/s3/sealed')

test('what a key seals lies sealed, and is read with it alone', async () => {
  const body = 'the text of one who trusts nobody'
  const put = await ok('PUT', '/s3/sealed/k', { body, headers: { ...WITH, 'x-amz-checksum-crc32': crc32Of(body), 'x-amz-meta-a': '1', 'content-md5': md5(body) } })
  assert.equal(put.headers['x-amz-server-side-encryption-customer-algorithm'], 'AES256')
  assert.equal(put.headers['x-amz-server-side-encryption-customer-key-md5'], md5(mine))
  assert.equal(put.headers['x-amz-checksum-crc32'], crc32Of(body))
  assert.notEqual(put.headers.etag, `"${createHash('md5').update(body).digest('hex')}"`)
  const got = await ok('GET', '/s3/sealed/k', { headers: { ...WITH, 'x-amz-checksum-mode': 'ENABLED' } })
  assert.equal(got.text, body)
  assert.equal(got.headers['x-amz-checksum-crc32'], crc32Of(body))
  assert.equal(got.headers['x-amz-server-side-encryption-customer-key-md5'], md5(mine))
  assert.equal((await ok('GET', '/s3/sealed/k', { headers: { ...WITH, range: 'bytes=17-20' } })).text, body.slice(17, 21))
  assert.equal((await s3('HEAD', '/s3/sealed/k', { headers: WITH })).status, 200)
  const row = await house.db.query.selectFrom('swift_objects').selectAll().where('name', '=', 'k').executeTakeFirstOrThrow()
  assert.equal((await stored(row.bytes_id)).includes('trusts'), false)
  // Neither the key, nor what would tell it or the bytes.
  const text = await kept()
  for (const secret of [mine.toString('base64'), mine.toString('hex'), md5(mine), crc32Of(body), createHash('md5').update(body).digest('hex')]) assert.equal(text.includes(secret), false, secret)
  // The same bytes and key are known again, so that a part that was sent twice is one part.
  assert.equal((await ok('PUT', '/s3/sealed/k', { body, headers: WITH })).headers.etag, put.headers.etag)
  await refused('BadDigest', 'PUT', '/s3/sealed/bad', { body, headers: { ...WITH, 'content-md5': md5('else') } })
  await ok('PUT', '/s3/sealed/empty', { body: '', headers: WITH })
  await refused('InvalidRequest', 'GET', '/s3/sealed/empty')
})

test('the wrong key, none, or one where none is wanted', async () => {
  await ok('PUT', '/s3/sealed/k', { body: 'text', headers: WITH })
  await ok('PUT', '/s3/sealed/open', { body: 'text' })
  for (const headers of [{}, keyOf(other)] as Record<string, string>[]) {
    await refused('InvalidRequest', 'GET', '/s3/sealed/k', { headers })
    const head = await s3('HEAD', '/s3/sealed/k', { headers })
    assert.deepEqual([head.status, head.text], [400, ''])
    await refused('InvalidRequest', 'GET', '/s3/sealed/k?attributes', { headers: { ...headers, 'x-amz-object-attributes': 'ETag' } })
    await refused('InvalidRequest', 'PUT', '/s3/sealed/copy', { headers: { 'x-amz-copy-source': '/sealed/k', ...(headers === undefined ? {} : Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.replace('x-amz-', 'x-amz-copy-source-'), value]))) } })
  }
  await refused('InvalidRequest', 'GET', '/s3/sealed/open', { headers: WITH })
  const one = (name: string, value: string): Record<string, string> => ({ ...WITH, [`x-amz-server-side-encryption-customer-${name}`]: value })
  const without = (name: string): Record<string, string> => Object.fromEntries(Object.entries(WITH).filter(([each]) => !each.endsWith(`-customer-${name}`)))
  for (const method of ['GET', 'PUT'] as const) {
    const body = method === 'PUT' ? { body: 'x' } : {}
    await refused('InvalidEncryptionAlgorithmError', method, '/s3/sealed/k', { headers: one('algorithm', 'AES192'), ...body })
    for (const headers of [without('algorithm'), without('key'), without('key-md5'), one('key-md5', md5(other)), one('key', 'short'), one('key', randomBytes(16).toString('base64'))]) await refused('InvalidArgument', method, '/s3/sealed/k', { headers, ...body })
  }
  await refused('InvalidArgument', 'PUT', '/s3/sealed/k', { body: 'x', headers: { ...WITH, 'x-amz-server-side-encryption': 'AES256' } })
  assert.equal((await ok('GET', '/s3/sealed/k', { headers: WITH })).text, 'text')
  // Who signs wrongly is not told the key back.
  const { text } = await s3('GET', '/s3/sealed/k', { headers: WITH, instead: { target: '/s3/sealed/open' } })
  assert.match(text, /SignatureDoesNotMatch/)
  assert.equal(text.includes(mine.toString('base64')), false)
})

test('copies change the key, or take it off', async () => {
  await ok('PUT', '/s3/sealed/from', { body: 'copied', headers: { ...WITH, 'x-amz-checksum-crc32': crc32Of('copied') } })
  await ok('PUT', '/s3/sealed/to-other', { headers: { 'x-amz-copy-source': '/sealed/from', ...fromMine, ...keyOf(other) } })
  const got = await ok('GET', '/s3/sealed/to-other', { headers: { ...keyOf(other), 'x-amz-checksum-mode': 'ENABLED' } })
  assert.deepEqual([got.text, got.headers['x-amz-checksum-crc32']], ['copied', crc32Of('copied')])
  await refused('InvalidRequest', 'GET', '/s3/sealed/to-other', { headers: WITH })
  await ok('PUT', '/s3/sealed/to-open', { headers: { 'x-amz-copy-source': '/sealed/from', ...fromMine } })
  const open = await ok('GET', '/s3/sealed/to-open', { headers: { 'x-amz-checksum-mode': 'ENABLED' } })
  assert.deepEqual([open.text, open.headers['x-amz-checksum-crc32'], open.headers.etag], ['copied', crc32Of('copied'), `"${createHash('md5').update('copied').digest('hex')}"`])
  // In its own place, for another key is another way of being kept.
  await ok('PUT', '/s3/sealed/from', { headers: { 'x-amz-copy-source': '/sealed/from', ...fromMine, ...keyOf(other) } })
  assert.equal((await ok('GET', '/s3/sealed/from', { headers: keyOf(other) })).text, 'copied')
})

test('uploads in parts: every part with the key of the first request', async () => {
  const begun = await ok('POST', '/s3/sealed/parts?uploads', { headers: { ...WITH, 'x-amz-checksum-algorithm': 'CRC32' } })
  assert.equal(begun.headers['x-amz-server-side-encryption-customer-algorithm'], 'AES256')
  const id = /<UploadId>(\w+)</.exec(begun.text)![1]!
  const part = (n: number): string => `/s3/sealed/parts?partNumber=${n}&uploadId=${id}`
  await refused('InvalidRequest', 'PUT', part(1), { body: 'x' })
  await refused('InvalidRequest', 'PUT', part(1), { body: 'x', headers: keyOf(other) })
  const [big, rest] = ['b'.repeat(5 << 20), 'rest of it']
  const one = await ok('PUT', part(1), { body: big, headers: { ...WITH, 'x-amz-checksum-crc32': crc32Of(big) } })
  await ok('PUT', '/s3/sealed/source', { body: `--${rest}--`, headers: keyOf(other) })
  const two = await ok('PUT', part(2), { headers: { ...WITH, 'x-amz-copy-source': '/sealed/source', 'x-amz-copy-source-range': 'bytes=2-11', ...keyOf(other, 'x-amz-copy-source') } })
  assert.match(two.text, new RegExp(`<ChecksumCRC32>${crc32Of(rest).replaceAll(/[+/]/g, '\\$&')}<`))
  assert.equal((await ok('GET', `/s3/sealed/parts?uploadId=${id}`)).text.includes('<ChecksumCRC32>'), false)
  assert.match((await ok('GET', `/s3/sealed/parts?uploadId=${id}`, { headers: WITH })).text, /<ChecksumCRC32>/)
  const body = `<CompleteMultipartUpload>${[one.headers.etag, /<ETag>(.*?)</.exec(two.text)![1]].map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`).join('')}</CompleteMultipartUpload>`
  const whole = composite('CRC32', [crc32Of(big), crc32Of(rest)])
  await refused('InvalidRequest', 'POST', `/s3/sealed/parts?uploadId=${id}`, { body })
  assert.ok((await ok('POST', `/s3/sealed/parts?uploadId=${id}`, { body, headers: WITH })).text.includes(`<ChecksumCRC32>${whole}<`))
  assert.equal((await ok('GET', '/s3/sealed/parts', { headers: WITH })).text, big + rest)
  assert.equal((await ok('GET', '/s3/sealed/parts', { headers: { ...WITH, range: 'bytes=5242870-5242883' } })).text, 'bbbbbbbbbbrest')
  const second = await ok('GET', '/s3/sealed/parts?partNumber=2', { headers: { ...WITH, 'x-amz-checksum-mode': 'ENABLED' } })
  assert.deepEqual([second.text, second.headers['x-amz-checksum-crc32'], second.headers['x-amz-checksum-type']], [rest, crc32Of(rest), 'COMPOSITE'])
  assert.match((await ok('GET', '/s3/sealed/parts?attributes', { headers: { ...WITH, 'x-amz-object-attributes': 'Checksum,ObjectParts' } })).text, new RegExp(`<ChecksumCRC32>${whole.replaceAll(/[+/]/g, '\\$&')}<.*<ChecksumCRC32>${crc32Of(rest).replaceAll(/[+/]/g, '\\$&')}<`))
  await refused('InvalidRequest', 'GET', '/s3/sealed/parts')
})

test('at Swift\'s door it is there, named and counted, and its bytes are not given', async () => {
  await ok('PUT', '/s3/sealed/k', { body: 'text', headers: WITH })
  const at = '/v1/AUTH_project-a/sealed'
  assert.equal((await swift('HEAD', `${at}/k`)).headers['content-length'], '4')
  for (const [method, target, headers] of [['GET', `${at}/k`, {}], ['GET', `${at}/k`, { range: 'bytes=0-1,2-3' }], ['COPY', `${at}/k`, { destination: 'sealed/copy' }], ['GET', `${at}/parts`, {}]] as const) {
    const answer = await swift(method, target, { headers })
    assert.equal(answer.status, 403, `${method} ${target}`)
    assert.match(answer.text, /encrypted with a key of its owner/)
  }
  // A manifest of such segments says so before it says anything else of them.
  await swift('PUT', `${at}/whole`, { body: '', headers: { 'x-object-manifest': 'sealed/k' } })
  assert.notEqual((await swift('GET', `${at}/whole`)).status, 200)
  assert.equal((await swift('POST', `${at}/k`, { headers: { 'x-object-meta-b': '2' } })).status, 202)
  assert.equal((await ok('GET', '/s3/sealed/k', { headers: WITH })).headers['x-amz-meta-b'], '2')
  assert.equal((await swift('DELETE', `${at}/k`)).status, 204)
})

test('over a wire that others may hear no key is taken, unless the operator says so', async () => {
  const far = { remote: '203.0.113.9' }
  const put = (own: typeof kit, more: { remote: string; origin?: string }): ReturnType<typeof s3> => own.s3('PUT', '/s3/far/k', { body: 'x', headers: WITH, ...more })
  await ok('PUT', '/s3/far')
  assert.equal(codeOf(await put(kit, far)), 'InvalidRequest')
  assert.equal((await put(kit, { ...far, origin: 'https://cloud.example' })).status, 200)
  const loose = await s3Kit({ s3_customer_keys_require_tls: false })
  try {
    await loose.s3('PUT', '/s3/far')
    assert.equal((await put(loose, far)).status, 200)
  } finally {
    await loose.close()
  }
})

test('a policy may ask for such a key', async () => {
  await ok('PUT', '/s3/strict')
  await ok('PUT', '/s3/strict?policy', { body: JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Deny', Principal: '*', Action: 's3:PutObject', Resource: 'arn:aws:s3:::strict/*', Condition: { Null: { 's3:x-amz-server-side-encryption-customer-algorithm': 'true' } } }] }) })
  await refused('AccessDenied', 'PUT', '/s3/strict/k', { body: 'x' })
  await ok('PUT', '/s3/strict/k', { body: 'x', headers: WITH })
})
