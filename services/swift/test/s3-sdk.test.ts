/** What the newest SDKs and the suites of others send, as it was seen on the wire, and what they count on in the answer. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, test } from 'node:test'
import { composite } from '../core/s3/checksums.ts'
import { sweep } from '../flows/keep-order.ts'
import { moveBytes } from '../flows/move-bytes.ts'
import { codeOf, crc32Of, judging, s3Kit } from './s3-kit.ts'

const kit = await s3Kit({ policies: [{ name: 'plain', default: true }, { name: 'cold', aliases: ['standard-ia'], driver: 'memory' }, { name: 'gone', driver: 'memory', deprecated: true }] })
after(() => kit.close())
const { s3, swift, house } = kit
const { ok, refused } = judging(s3)
const order = (text: string, ...names: string[]): void => assert.match(text, new RegExp(names.map((name) => `<${name}>`).join('.*')), text)
const begin = async (key: string, headers: Record<string, string> = {}): Promise<string> => /<UploadId>(\w+)</.exec((await ok('POST', `/s3/sdk/${key}?uploads`, { headers })).text)![1]!
const complete = (key: string, id: string, etags: readonly string[], options: Parameters<typeof s3>[2] = {}): ReturnType<typeof s3> =>
  s3('POST', `/s3/sdk/${key}?uploadId=${id}`, { body: `<CompleteMultipartUpload>${etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`).join('')}</CompleteMultipartUpload>`, ...options })

await ok('PUT', '/s3/sdk')

test('checksums by default: of a whole, of a part, none with 304, made anew for a copy', async () => {
  const ask = { 'x-amz-checksum-mode': 'ENABLED' }
  const put = await ok('PUT', '/s3/sdk/k', { body: 'hello', headers: { 'x-amz-sdk-checksum-algorithm': 'CRC32', 'x-amz-checksum-crc32': crc32Of('hello') } })
  const same = await s3('GET', '/s3/sdk/k', { headers: { ...ask, 'if-none-match': put.headers.etag as string } })
  assert.deepEqual([same.status, Object.keys(same.headers).filter((name) => name.startsWith('x-amz-checksum'))], [304, []])
  const id = await begin('parts', { 'x-amz-checksum-algorithm': 'CRC32' })
  const big = 'b'.repeat(5 << 20)
  const one = await ok('PUT', `/s3/sdk/parts?partNumber=1&uploadId=${id}`, { body: big, headers: { 'x-amz-checksum-crc32': crc32Of(big) } })
  const two = await ok('PUT', `/s3/sdk/parts?partNumber=2&uploadId=${id}`, { headers: { 'x-amz-copy-source': 'sdk/k' } })
  order(two.text, 'LastModified', 'ETag', 'ChecksumCRC32')
  order((await ok('GET', `/s3/sdk/parts?uploadId=${id}`)).text, 'StorageClass', 'ChecksumAlgorithm', 'ChecksumType', 'Part')
  const etags = [one.headers.etag as string, /<ETag>(.*?)</.exec(two.text)![1]!]
  // A condition that does not hold leaves the upload as it was.
  await ok('PUT', '/s3/sdk/parts', { body: 'stands' })
  assert.equal(codeOf(await complete('parts', id, etags, { headers: { 'if-none-match': '*' } })), 'PreconditionFailed')
  assert.equal((await complete('parts', id, etags)).status, 200)
  const whole = await ok('HEAD', '/s3/sdk/parts', { headers: ask })
  assert.deepEqual([whole.headers['x-amz-checksum-crc32'], whole.headers['x-amz-checksum-type']], [composite('CRC32', [crc32Of(big), crc32Of('hello')]), 'COMPOSITE'])
  const part = await ok('GET', '/s3/sdk/parts?partNumber=2', { headers: ask })
  assert.deepEqual([part.text, part.headers['x-amz-checksum-crc32'], part.headers['x-amz-checksum-type'], part.headers['x-amz-mp-parts-count']], ['hello', crc32Of('hello'), 'COMPOSITE', '2'])
  const sha = createHash('sha256').update('hello').digest('base64')
  assert.ok((await ok('PUT', '/s3/sdk/copy', { headers: { 'x-amz-copy-source': '/sdk/k', 'x-amz-checksum-algorithm': 'SHA256' } })).text.includes(`<ChecksumSHA256>${sha}<`))
  assert.equal((await ok('HEAD', '/s3/sdk/copy', { headers: ask })).headers['x-amz-checksum-sha256'], sha)
  await refused('InvalidRequest', 'PUT', '/s3/sdk/copy', { headers: { 'x-amz-copy-source': '/sdk/k', 'x-amz-checksum-algorithm': 'MD4' } })
})

test('sources of copies, however they are encoded; and nothing beside their version', async () => {
  await ok('PUT', '/s3/sdk/a%20%25-sign%20%F0%9F%99%82', { body: 'odd' })
  for (const source of ['/sdk/a%20%25-sign%20%F0%9F%99%82', Buffer.from('sdk/a %-sign 🙂').toString('latin1')]) await ok('PUT', '/s3/sdk/copied', { headers: { 'x-amz-copy-source': source } })
  for (const query of ['?nonsense', '?versionId=null&nonsense']) await refused('InvalidArgument', 'PUT', '/s3/sdk/copied', { headers: { 'x-amz-copy-source': `/sdk/k${query}` } })
})

test('metadata to S3\'s own limit, beyond ASCII in the words of RFC 2047; how it came is not how it is', async () => {
  await ok('PUT', '/s3/sdk/meta', { body: 'x', headers: { 'x-amz-meta-long': 'v'.repeat(1500), 'x-amz-meta-name': Buffer.from('온돌').toString('latin1'), 'content-encoding': 'aws-chunked' } })
  const { headers } = await ok('HEAD', '/s3/sdk/meta')
  assert.deepEqual([headers['x-amz-meta-long'], headers['x-amz-meta-name'], headers['content-encoding']], ['v'.repeat(1500), `=?UTF-8?B?${Buffer.from('온돌').toString('base64')}?=`, 'aws-chunked'])
  await refused('MetadataTooLarge', 'PUT', '/s3/sdk/meta', { body: 'x', headers: { 'x-amz-meta-long': 'v'.repeat(2100) } })
})

test('what Swift knows of an end is told as S3 tells it; a HEAD has ranges too', async () => {
  await ok('PUT', '/s3/sdk/ends', { body: '0123456789', headers: { 'x-delete-after': '60', 'x-robots-tag': 'noindex' } })
  const head = await s3('HEAD', '/s3/sdk/ends', { headers: { range: 'bytes=2-4' } })
  assert.deepEqual([head.status, head.headers['content-length'], head.headers['content-range'], head.headers['x-robots-tag']], [206, '3', 'bytes 2-4/10', 'noindex'])
  assert.match(String(head.headers['x-amz-expiration']), /^expiry-date="Thu, 01 Jan 2026 12:01:\d\d GMT", rule-id="swift-object-expiration"$/)
  for (const [name, value] of [['x-delete-at', 'test'], ['x-delete-at', '1'], ['x-delete-after', '-5']] as const) await refused('InvalidArgument', 'PUT', '/s3/sdk/ends', { body: 'x', headers: { [name]: value } })
})

test('a form is posted to a bucket at the root of the address as well', async () => {
  await ok('PUT', '/s3/forms', { headers: { 'x-amz-acl': 'public-read-write' } })
  const body = ['key', 'file'].map((name) => `--b\r\nContent-Disposition: form-data; name="${name}"${name === 'file' ? '; filename="f"' : ''}\r\n\r\n${name === 'key' ? 'posted' : 'by a page'}\r\n`).join('') + '--b--\r\n'
  const answer = await kit.visit('POST', '/forms', { body, headers: { 'content-type': 'multipart/form-data; boundary=b', 'content-length': String(body.length) } })
  assert.equal(answer.status, 204, answer.text)
  assert.equal((await ok('GET', '/s3/forms/posted')).text, 'by a page')
})

test('lists have their elements in Amazon\'s order', async () => {
  order((await ok('GET', '/s3/sdk?prefix=k')).text, 'Key', 'LastModified', 'ETag', 'Size', 'Owner', 'StorageClass')
  order((await ok('GET', '/s3/sdk?uploads')).text, 'KeyMarker', 'UploadIdMarker', 'NextKeyMarker', 'NextUploadIdMarker', 'Prefix', 'MaxUploads', 'IsTruncated')
  order((await ok('GET', '/s3/sdk?versions&max-keys=1&delimiter=')).text, 'NextKeyMarker', 'NextVersionIdMarker', 'MaxKeys', 'Delimiter', 'IsTruncated')
})

test('chunks: small ones that are signed, and none under version 2 and behind links', async () => {
  const head = { 'x-amz-decoded-content-length': '12' }
  const chunked = { sha256: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', headers: { ...head, 'x-amz-trailer': 'x-amz-checksum-crc32' } }
  await ok('PUT', '/s3/sdk/chunks', { ...chunked, body: `6\r\nhello \r\n6\r\nchunks\r\n0\r\nx-amz-checksum-crc32:${crc32Of('hello chunks')}\r\n\r\n` })
  assert.equal((await ok('GET', '/s3/sdk/chunks')).text, 'hello chunks')
  await refused('BadDigest', 'PUT', '/s3/sdk/chunks', { ...chunked, body: `c\r\nhello chunks\r\n0\r\nx-amz-checksum-crc32:${crc32Of('x')}\r\n\r\n` })
  const wrong = await s3('PUT', '/s3/sdk/chunks', { sha256: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', headers: head, body: `c;chunk-signature=${'0'.repeat(64)}\r\nhello chunks\r\n` })
  assert.equal(codeOf(wrong), 'SignatureDoesNotMatch')
  for (const element of ['AWSAccessKeyId', 'StringToSign', 'SignatureProvided', 'CanonicalRequest']) assert.match(wrong.text, new RegExp(`<${element}>`))
  const link = await kit.visit('PUT', kit.link('PUT', '/s3/sdk/chunks'), { body: '0123456789ab', headers: { 'content-length': '12', 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', 'x-amz-decoded-content-length': '12' } })
  assert.equal(codeOf(link), 'AccessDenied')
  assert.equal((await ok('GET', '/s3/sdk/chunks')).text, 'hello chunks')
})

test('storage classes are the policies that have a place of their own', async () => {
  const cold = { 'x-amz-storage-class': 'STANDARD_IA' }
  const pool = async (key: string): Promise<boolean[]> => {
    const row = await house.db.query.selectFrom('swift_objects').selectAll().where('name', '=', key).executeTakeFirstOrThrow()
    return (row.parts === null ? [row.bytes_id] : (JSON.parse(row.parts) as { bytes_id: string }[]).map(({ bytes_id }) => bytes_id)).map((id) => id.startsWith('@cold/'))
  }
  await ok('PUT', '/s3/sdk/c/1', { body: 'cold', headers: cold })
  await ok('PUT', '/s3/sdk/c/2', { body: 'warm', headers: { 'x-amz-storage-class': 'STANDARD' } })
  const id = await begin('c/3', cold)
  assert.match((await ok('GET', '/s3/sdk?uploads')).text, /<StorageClass>STANDARD_IA</)
  const part = await ok('PUT', `/s3/sdk/c/3?partNumber=1&uploadId=${id}`, { body: 'part' })
  await complete('c/3', id, [part.headers.etag as string])
  assert.deepEqual([await pool('c/1'), await pool('c/2'), await pool('c/3')], [[true], [false], [true]])
  const got = await ok('GET', '/s3/sdk/c/1')
  assert.deepEqual([got.text, got.headers['x-amz-storage-class'], (await ok('HEAD', '/s3/sdk/c/2')).headers['x-amz-storage-class']], ['cold', 'STANDARD_IA', undefined])
  const classes = async (query: string): Promise<string[]> => [...(await ok('GET', `/s3/sdk?prefix=c/${query}`)).text.matchAll(/<StorageClass>(\w+)</g)].map(([, name]) => name!)
  for (const query of ['', '&list-type=2', '&versions']) assert.deepEqual(await classes(query), ['STANDARD_IA', 'STANDARD', 'STANDARD_IA'])
  assert.match((await ok('GET', '/s3/sdk/c/3?attributes', { headers: { 'x-amz-object-attributes': 'StorageClass' } })).text, /STANDARD_IA/)
  // Onto itself, for the class is what changes.
  await ok('PUT', '/s3/sdk/c/1', { headers: { 'x-amz-copy-source': '/sdk/c/1', 'x-amz-storage-class': 'STANDARD' } })
  assert.deepEqual([await pool('c/1'), (await ok('GET', '/s3/sdk/c/1')).text], [[false], 'cold'])
  for (const name of ['GLACIER', 'GONE', 'standard_ia', 'plain', 'PLAIN']) await refused('InvalidStorageClass', 'PUT', '/s3/sdk/c/1', { body: 'x', headers: { 'x-amz-storage-class': name } })
  // Where the operator has moved all of it, there it lies.
  await moveBytes(house, 'cold', { account: 'AUTH_project-a', container: 'sdk' })
  assert.deepEqual([await pool('c/1'), await classes('')], [[true], ['STANDARD', 'STANDARD', 'STANDARD']])
  // A quota of the policy would not see it.
  assert.ok((await swift('POST', '/v1/AUTH_project-a', { as: 'ResellerAdmin@project-a', headers: { 'x-account-quota-bytes-policy-cold': '5' } })).status < 300)
  await ok('PUT', '/s3/sdk-b')
  await refused('InvalidStorageClass', 'PUT', '/s3/sdk-b/k', { body: 'x', headers: cold })
})

test('lifecycle moves objects, wholes in parts and old versions to another class', async () => {
  await ok('PUT', '/s3/ages', { by: 'b' })
  const by = { by: 'b' } as const
  await ok('PUT', '/s3/ages?versioning', { ...by, body: '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>' })
  const rules = (name: string): string => `<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter><Prefix>old/</Prefix></Filter><Transition><Days>2</Days><StorageClass>${name}</StorageClass></Transition><NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays><StorageClass>${name}</StorageClass></NoncurrentVersionTransition></Rule></LifecycleConfiguration>`
  for (const [name, code] of [['GLACIER', 'InvalidStorageClass'], ['STANDARD', 'InvalidArgument']] as const) await refused(code, 'PUT', '/s3/ages?lifecycle', { ...by, body: rules(name) })
  await refused('InvalidArgument', 'PUT', '/s3/ages?lifecycle', { ...by, body: '<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/><Transition><Date>20260927</Date><StorageClass>STANDARD_IA</StorageClass></Transition></Rule></LifecycleConfiguration>' })
  await ok('PUT', '/s3/ages?lifecycle', { ...by, body: rules('STANDARD_IA') })
  assert.match((await ok('GET', '/s3/ages?lifecycle', by)).text, /<Transition><Days>2<\/Days><StorageClass>STANDARD_IA<\/StorageClass><\/Transition><NoncurrentVersionTransition>/)
  for (const [key, body] of [['old/k', 'first'], ['old/k', 'second'], ['young', 'x']] as const) await ok('PUT', `/s3/ages/${key}`, { ...by, body })
  const id = /<UploadId>(\w+)</.exec((await ok('POST', '/s3/ages/old/parts?uploads', by)).text)![1]!
  const { headers } = await ok('PUT', `/s3/ages/old/parts?partNumber=1&uploadId=${id}`, { ...by, body: 'part' })
  await ok('POST', `/s3/ages/old/parts?uploadId=${id}`, { ...by, body: `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${String(headers.etag)}</ETag></Part></CompleteMultipartUpload>` })
  const classes = async (): Promise<string[]> => [...(await ok('GET', '/s3/ages?versions', by)).text.matchAll(/<Key>([^<]+)<.*?<StorageClass>(\w+)</g)].map(([, key, name]) => `${key} ${name}`)
  await sweep(house)
  assert.deepEqual(await classes(), ['old/k STANDARD', 'old/k STANDARD', 'old/parts STANDARD', 'young STANDARD'])
  await kit.clock.advance(1.6 * 86_400_000)
  await sweep(house)
  assert.deepEqual(await classes(), ['old/k STANDARD', 'old/k STANDARD_IA', 'old/parts STANDARD', 'young STANDARD'])
  await kit.clock.advance(86_400_000)
  await sweep(house)
  assert.deepEqual(await classes(), ['old/k STANDARD_IA', 'old/k STANDARD_IA', 'old/parts STANDARD_IA', 'young STANDARD'])
  assert.deepEqual([(await ok('GET', '/s3/ages/old/k', by)).text, (await ok('GET', '/s3/ages/old/parts', by)).text], ['second', 'part'])
})
