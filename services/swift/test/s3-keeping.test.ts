/** What the S3 door keeps and when it lets go: lifecycle, locks, conditions, parts, encryption, web sites. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { checksum } from '../core/s3/checksums.ts'
import { sweep } from '../flows/keep-order.ts'
import { codeOf, s3Kit } from './s3-kit.ts'

const kit = await s3Kit({ s3_website_domains: ['web.example'] })
after(() => kit.close())
const { s3, swift, visit, clock, house } = kit
const DAY = 86_400_000
const ok = async (...args: Parameters<typeof s3>): ReturnType<typeof s3> => {
  const answer = await s3(...args)
  assert.ok(answer.status < 300, `${args[0]} ${args[1]}: ${answer.status} ${answer.text}`)
  return answer
}
const refused = async (code: string, ...args: Parameters<typeof s3>): Promise<void> => assert.equal(codeOf(await s3(...args)), code, `${args[0]} ${args[1]}`)
const keys = async (bucket: string, query = ''): Promise<string[]> => [...(await ok('GET', `/s3/${bucket}${query}`)).text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key!)
const versioned = async (bucket: string): Promise<void> => {
  await ok('PUT', `/s3/${bucket}`)
  await ok('PUT', `/s3/${bucket}?versioning`, { body: '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>' })
}

test('lifecycle: days, prefix, tag and size; told in the answer, acted on at midnight', async () => {
  await ok('PUT', '/s3/aging')
  const rule = (id: string, filter: string, action: string): string => `<Rule><ID>${id}</ID><Status>Enabled</Status><Filter>${filter}</Filter>${action}</Rule>`
  const two = '<Expiration><Days>2</Days></Expiration>'
  const text = `<LifecycleConfiguration>${rule('logs', '<Prefix>logs/</Prefix>', two)}${rule('tagged', '<Tag><Key>t</Key><Value>1</Value></Tag>', two)}${rule('big', '<And><Prefix>big/</Prefix><ObjectSizeGreaterThan>3</ObjectSizeGreaterThan></And>', two)}${rule('dated', '<Prefix>dated/</Prefix>', '<Expiration><Date>2026-01-03T00:00:00Z</Date></Expiration>')}</LifecycleConfiguration>`
  await ok('PUT', '/s3/aging?lifecycle', { body: text })
  assert.match((await ok('GET', '/s3/aging?lifecycle')).text, /<ID>big<\/ID><Filter><And><Prefix>big\/<\/Prefix><ObjectSizeGreaterThan>3</)
  assert.equal((await ok('PUT', '/s3/aging/logs/1', { body: 'x' })).headers['x-amz-expiration'], 'expiry-date="Sun, 04 Jan 2026 00:00:00 GMT", rule-id="logs"')
  await ok('PUT', '/s3/aging/tag', { body: 'x', headers: { 'x-amz-tagging': 't=1' } })
  for (const key of ['big/small', 'dated/1', 'stays']) await ok('PUT', `/s3/aging/${key}`, { body: 'x' })
  await ok('PUT', '/s3/aging/big/large', { body: 'large' })
  const uploads = async (): Promise<number> => (await ok('GET', '/s3/aging?uploads')).text.match(/<Upload>/g)?.length ?? 0
  await sweep(house)
  assert.equal((await keys('aging')).length, 6)
  await clock.advance(1.5 * DAY)
  await sweep(house)
  assert.deepEqual(await keys('aging'), ['big/large', 'big/small', 'logs/1', 'stays', 'tag'])
  await clock.advance(DAY)
  await sweep(house)
  assert.deepEqual(await keys('aging'), ['big/small', 'stays'])
  // New rules count from the next round on, on the same day.
  await ok('POST', '/s3/aging/parts?uploads')
  await ok('PUT', '/s3/aging?lifecycle', { body: '<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>' })
  await sweep(house)
  assert.equal(await uploads(), 1)
  await clock.advance(2 * DAY)
  await sweep(house)
  assert.equal(await uploads(), 0)
  await ok('DELETE', '/s3/aging?lifecycle')
  await refused('NoSuchLifecycleConfiguration', 'GET', '/s3/aging?lifecycle')
})

test('lifecycle of versions: old ones go, some stay, a marker with nothing behind it goes', async () => {
  await versioned('olds')
  for (const body of ['1', '2', '3', '4']) {
    await ok('PUT', '/s3/olds/k', { body })
    await clock.advance(10)
  }
  await ok('PUT', '/s3/olds/gone', { body: 'x' })
  await clock.advance(10)
  await ok('DELETE', '/s3/olds/gone')
  await ok('PUT', '/s3/olds?lifecycle', { body: '<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>' })
  const versions = async (): Promise<string> => (await keys('olds', '?versions')).join(' ')
  await sweep(house)
  assert.equal(await versions(), 'gone k k k k gone')
  await clock.advance(2 * DAY)
  await sweep(house)
  // One old version of each name stays, and with it the marker before it.
  assert.equal(await versions(), 'gone k k gone')
  assert.equal((await ok('GET', '/s3/olds/k')).text, '4')
  await ok('PUT', '/s3/olds?lifecycle', { body: '<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/><Expiration><Days>1</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>' })
  for (let day = 0; day < 4; day++) {
    await sweep(house)
    await clock.advance(DAY)
  }
  assert.equal(await versions(), '')
})

test('locks: neither door deletes or shortens what is locked; governance gives way to the owner who says so, compliance to nobody', async () => {
  await ok('PUT', '/s3/locked', { headers: { 'x-amz-bucket-object-lock-enabled': 'true' } })
  const until = new Date(clock.now() + 5 * DAY).toISOString()
  const put = async (key: string, mode: string): Promise<string> => String((await ok('PUT', `/s3/locked/${key}`, { body: key, headers: { 'x-amz-object-lock-mode': mode, 'x-amz-object-lock-retain-until-date': until } })).headers['x-amz-version-id'])
  const [hard, soft] = [await put('hard', 'COMPLIANCE'), await put('soft', 'GOVERNANCE')]
  assert.equal((await ok('HEAD', '/s3/locked/hard')).headers['x-amz-object-lock-mode'], 'COMPLIANCE')
  const bypass = { 'x-amz-bypass-governance-retention': 'true' }
  for (const [key, version] of [['hard', hard], ['soft', soft]]) {
    await refused('AccessDenied', 'DELETE', `/s3/locked/${key}?versionId=${version}`)
    assert.equal((await swift('DELETE', `/v1/AUTH_project-a/locked/${key}?version-id=${version}`)).status, 403)
    // Another version may stand before it; the locked one stays.
    await ok('DELETE', `/s3/locked/${key}`)
    assert.equal((await ok('GET', `/s3/locked/${key}?versionId=${version}`)).text, key)
    await refused('AccessDenied', 'DELETE', `/s3/locked/${key}?versionId=${version}`)
  }
  for (const headers of [{ 'x-versions-enabled': 'false' }, { 'x-remove-versions-enabled': 'x' }]) assert.equal((await swift('POST', '/v1/AUTH_project-a/locked', { headers })).status, 409)
  assert.equal((await swift('POST', '/v1/AUTH_project-a/locked', { headers: { 'x-remove-container-sysmeta-s3-lock': 'x' } })).status, 204)
  await ok('GET', '/s3/locked?object-lock')
  await refused('InvalidBucketState', 'PUT', '/s3/locked?versioning', { body: '<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>' })
  const retain = (key: string, version: string, mode: string, at: number, headers = {}) => s3('PUT', `/s3/locked/${key}?retention&versionId=${version}`, { body: `<Retention><Mode>${mode}</Mode><RetainUntilDate>${new Date(at).toISOString()}</RetainUntilDate></Retention>`, headers })
  assert.equal(codeOf(await retain('hard', hard, 'COMPLIANCE', clock.now() + DAY, bypass)), 'AccessDenied')
  assert.equal(codeOf(await retain('hard', hard, 'GOVERNANCE', clock.now() + 6 * DAY, bypass)), 'AccessDenied')
  assert.equal((await retain('hard', hard, 'COMPLIANCE', clock.now() + 6 * DAY)).status, 200)
  assert.equal(codeOf(await retain('soft', soft, 'GOVERNANCE', clock.now() + DAY)), 'AccessDenied')
  await refused('AccessDenied', 'DELETE', `/s3/locked/soft?versionId=${soft}`, { by: 'reader', headers: bypass })
  await refused('AccessDenied', 'DELETE', `/s3/locked/hard?versionId=${hard}`, { headers: bypass })
  await ok('DELETE', `/s3/locked/soft?versionId=${soft}`, { headers: bypass })
  // A hold has no end.
  const held = String((await ok('PUT', '/s3/locked/held', { body: 'held', headers: { 'x-amz-object-lock-legal-hold': 'ON' } })).headers['x-amz-version-id'])
  await clock.advance(7 * DAY)
  await refused('AccessDenied', 'DELETE', `/s3/locked/held?versionId=${held}`, { headers: bypass })
  await ok('DELETE', `/s3/locked/hard?versionId=${hard}`)
  await ok('PUT', `/s3/locked/held?legal-hold`, { body: '<LegalHold><Status>OFF</Status></LegalHold>' })
  await ok('DELETE', `/s3/locked/held?versionId=${held}`)
  // What comes by Swift's door is locked as the bucket says.
  await ok('PUT', '/s3/locked?object-lock', { body: '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>' })
  const made = await swift('PUT', '/v1/AUTH_project-a/locked/by-swift', { body: 'x' })
  assert.equal((await swift('DELETE', `/v1/AUTH_project-a/locked/by-swift?version-id=${String(made.headers['x-object-version-id'])}`)).status, 403)
  // Lifecycle does not shorten it, and a deleted account keeps it.
  await ok('PUT', '/s3/locked?lifecycle', { body: '<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/><Expiration><Date>2026-01-03T00:00:00Z</Date></Expiration><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>' })
  await sweep(house)
  await ok('GET', `/s3/locked/by-swift?versionId=${String(made.headers['x-object-version-id'])}`)
  await refused('InvalidRequest', 'PUT', '/s3/olds/k', { body: 'x', headers: { 'x-amz-object-lock-legal-hold': 'ON' } })
})

test('the checksum of a whole is told, whatever parts it came in', async () => {
  await ok('PUT', '/s3/summed')
  const begin = await ok('POST', '/s3/summed/k?uploads', { headers: { 'x-amz-checksum-algorithm': 'CRC64NVME', 'x-amz-checksum-type': 'FULL_OBJECT' } })
  const id = /<UploadId>(\w+)</.exec(begin.text)![1]!
  const bodies = [Buffer.alloc(5 * 2 ** 20, 'a'), Buffer.from('tail')]
  const etags = await Promise.all(bodies.map(async (body, i) => String((await ok('PUT', `/s3/summed/k?partNumber=${i + 1}&uploadId=${id}`, { body, sha256: 'UNSIGNED-PAYLOAD' })).headers.etag)))
  const sum = checksum('CRC64NVME')
  for (const body of bodies) sum.update(body)
  const whole = sum.digest()
  const complete = (headers: Record<string, string>) => s3('POST', `/s3/summed/k?uploadId=${id}`, { headers, body: `<CompleteMultipartUpload>${etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`).join('')}</CompleteMultipartUpload>` })
  assert.equal(codeOf(await complete({ 'x-amz-checksum-crc64nvme': 'AAAAAAAAAAA=' })), 'BadDigest')
  assert.equal((await complete({ 'x-amz-checksum-crc64nvme': whole })).status, 200)
  const head = await ok('HEAD', '/s3/summed/k', { headers: { 'x-amz-checksum-mode': 'ENABLED' } })
  assert.deepEqual([head.headers['x-amz-checksum-crc64nvme'], head.headers['x-amz-checksum-type']], [whole, 'FULL_OBJECT'])
  await refused('InvalidRequest', 'POST', '/s3/summed/k?uploads', { headers: { 'x-amz-checksum-algorithm': 'SHA256', 'x-amz-checksum-type': 'FULL_OBJECT' } })
})

test('conditions of writes and deletions hold in the commit', async () => {
  await ok('PUT', '/s3/cond')
  const etag = String((await ok('PUT', '/s3/cond/k', { body: '1', headers: { 'if-none-match': '*' } })).headers.etag)
  await refused('PreconditionFailed', 'PUT', '/s3/cond/k', { body: '2', headers: { 'if-none-match': '*' } })
  await refused('PreconditionFailed', 'PUT', '/s3/cond/k', { body: '2', headers: { 'if-match': '"0"' } })
  await refused('NoSuchKey', 'PUT', '/s3/cond/none', { body: '2', headers: { 'if-match': etag } })
  await refused('PreconditionFailed', 'DELETE', '/s3/cond/k', { headers: { 'if-match': '"0"' } })
  const both = await Promise.all(['2', '3'].map((body) => s3('PUT', '/s3/cond/k', { body, headers: { 'if-match': etag } })))
  assert.deepEqual(both.map(({ status }) => status).sort(), [200, 412])
})

test('parts are read by their numbers, listed in pages, and told with the rest', async () => {
  await ok('PUT', '/s3/parted')
  const begin = async (key: string): Promise<string> => /<UploadId>(\w+)</.exec((await ok('POST', `/s3/parted/${key}?uploads`)).text)![1]!
  const id = await begin('k')
  const bodies = [Buffer.alloc(5 * 2 ** 20, 'a'), Buffer.from('tail')]
  const etags: string[] = []
  for (const [i, body] of bodies.entries()) etags.push(String((await ok('PUT', `/s3/parted/k?partNumber=${i + 1}&uploadId=${id}`, { body, sha256: 'UNSIGNED-PAYLOAD' })).headers.etag))
  const page = await ok('GET', `/s3/parted/k?uploadId=${id}&max-parts=1`)
  assert.match(page.text, /<NextPartNumberMarker>1<\/NextPartNumberMarker><MaxParts>1<\/MaxParts><IsTruncated>true</)
  assert.match((await ok('GET', `/s3/parted/k?uploadId=${id}&part-number-marker=1`)).text, /<PartNumber>2</)
  for (const key of ['a/1', 'a/2', 'b']) await begin(key)
  const first = await ok('GET', '/s3/parted?uploads&delimiter=/&max-uploads=1')
  assert.match(first.text, /<NextKeyMarker>a\/<\/NextKeyMarker>.*<IsTruncated>true<.*<Prefix>a\/<\/Prefix>/)
  assert.deepEqual(await keys('parted', '?uploads&delimiter=/&max-uploads=2&key-marker=a/'), ['b', 'k'])
  await ok('POST', `/s3/parted/k?uploadId=${id}`, { body: `<CompleteMultipartUpload>${etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`).join('')}</CompleteMultipartUpload>` })
  // Who did not hear it asks again.
  await ok('POST', `/s3/parted/k?uploadId=${id}`, { body: `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etags[0]}</ETag></Part></CompleteMultipartUpload>` })
  const part = await s3('GET', '/s3/parted/k?partNumber=2')
  assert.deepEqual([part.status, part.text, part.headers['x-amz-mp-parts-count'], part.headers['content-range']], [206, 'tail', '2', 'bytes 5242880-5242883/5242884'])
  assert.equal((await s3('HEAD', '/s3/parted/k?partNumber=1')).headers['content-length'], String(5 * 2 ** 20))
  await refused('InvalidPartNumber', 'GET', '/s3/parted/k?partNumber=3')
  assert.match((await ok('GET', '/s3/parted/k?attributes', { headers: { 'x-amz-object-attributes': 'ETag,ObjectSize,ObjectParts' } })).text, /<PartsCount>2<.*<ObjectSize>5242884</)
  await refused('InvalidArgument', 'GET', '/s3/parted/k?attributes', { headers: { 'x-amz-object-attributes': 'Owner' } })
})

test('versions: what is deleted by its version gives way to the one before; without versions a mark is kept all the same; the totals hold', async () => {
  await versioned('turns')
  const put = async (body: string): Promise<string> => {
    await clock.advance(10)
    return String((await ok('PUT', '/s3/turns/k', { body })).headers['x-amz-version-id'])
  }
  const [, second] = [await put('1'), await put('22')]
  await clock.advance(10)
  const marker = String((await ok('DELETE', '/s3/turns/k')).headers['x-amz-version-id'])
  assert.equal((await s3('GET', '/s3/turns/k')).headers['x-amz-delete-marker'], 'true')
  assert.equal((await ok('DELETE', `/s3/turns/k?versionId=${marker}`)).headers['x-amz-delete-marker'], 'true')
  assert.equal((await ok('GET', '/s3/turns/k')).text, '22')
  await ok('DELETE', `/s3/turns/k?versionId=${second}`)
  assert.equal((await ok('GET', '/s3/turns/k')).text, '1')
  await ok('PUT', '/s3/turns?versioning', { body: '<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>' })
  for (const body of ['333', '4444']) await put(body)
  await clock.advance(10)
  assert.equal((await ok('DELETE', '/s3/turns/k')).headers['x-amz-version-id'], 'null')
  assert.match((await ok('GET', '/s3/turns?versions')).text, /<DeleteMarker><Key>k<\/Key><VersionId>null<\/VersionId><IsLatest>true</)
  await put('55555')
  const listed = (await ok('GET', '/s3/turns?versions')).text
  assert.deepEqual([listed.match(/<Version>/g)?.length, listed.match(/<DeleteMarker>/g)], [2, null])
  assert.equal((await swift('HEAD', '/v1/AUTH_project-a/turns')).headers['x-container-bytes-used'], '6')
})

test('buckets are listed in pages', async () => {
  for (const name of ['paged-1', 'paged-2', 'paged-3']) await ok('PUT', `/s3/${name}`)
  const names = (text: string): string[] => [...text.matchAll(/<Name>([^<]*)</g)].map(([, name]) => name!)
  const first = await ok('GET', '/s3?prefix=paged-&max-buckets=2')
  const token = /<ContinuationToken>([^<]+)</.exec(first.text)![1]!
  const second = await ok('GET', `/s3?prefix=paged-&max-buckets=2&continuation-token=${token}`)
  assert.deepEqual([names(first.text), names(second.text), second.text.includes('<ContinuationToken>')], [['paged-1', 'paged-2'], ['paged-3'], false])
})

test('encryption is taken where it is on, and refused in words where it is not', async () => {
  await ok('PUT', '/s3/plain')
  const sse = { 'x-amz-server-side-encryption': 'AES256' }
  await refused('NotImplemented', 'PUT', '/s3/plain/k', { body: 'x', headers: sse })
  await refused('ServerSideEncryptionConfigurationNotFoundError', 'GET', '/s3/plain?encryption')
  const own = await s3Kit({ encryption: { enabled: true } })
  try {
    await own.start()
    await own.s3('PUT', '/s3/coded')
    assert.equal((await own.s3('PUT', '/s3/coded/k', { body: 'x', headers: sse })).headers['x-amz-server-side-encryption'], 'AES256')
    assert.equal((await own.s3('GET', '/s3/coded/k')).headers['x-amz-server-side-encryption'], 'AES256')
    assert.equal(codeOf(await own.s3('PUT', '/s3/coded/k', { body: 'x', headers: { 'x-amz-server-side-encryption': 'aws:kms' } })), 'NotImplemented')
    const rule = (algorithm: string) => `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>${algorithm}</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`
    assert.equal((await own.s3('PUT', '/s3/coded?encryption', { body: rule('AES256') })).status, 200)
    assert.equal(codeOf(await own.s3('PUT', '/s3/coded?encryption', { body: rule('aws:kms') })), 'NotImplemented')
  } finally {
    await own.close()
  }
})

test('a bucket is a web site: index, error page, redirects, and nothing that is not public', async () => {
  await ok('PUT', '/s3/site')
  for (const [key, body] of [['index.html', 'home'], ['dir/index.html', 'dir'], ['oops.html', 'oops']]) await ok('PUT', `/s3/site/${key}`, { body: body!, headers: { 'x-amz-acl': 'public-read', 'content-type': 'text/html' } })
  await ok('PUT', '/s3/site/private.html', { body: 'private' })
  await ok('PUT', '/s3/site/away', { body: '', headers: { 'x-amz-acl': 'public-read', 'x-amz-website-redirect-location': '/index.html' } })
  const go = (path: string, method = 'GET') => visit(method, path, { headers: { host: 'site.web.example' } })
  assert.equal((await go('/')).status, 404)
  await ok('PUT', '/s3/site?website', { body: '<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument><ErrorDocument><Key>oops.html</Key></ErrorDocument><RoutingRules><RoutingRule><Condition><KeyPrefixEquals>old/</KeyPrefixEquals></Condition><Redirect><HostName>new.example</HostName><ReplaceKeyPrefixWith>new/</ReplaceKeyPrefixWith></Redirect></RoutingRule></RoutingRules></WebsiteConfiguration>' })
  assert.deepEqual([(await go('/')).text, (await go('/dir/')).text], ['home', 'dir'])
  assert.deepEqual([(await go('/dir')).status, (await go('/dir')).headers.location], [302, '/dir/'])
  const missing = await go('/private.html')
  assert.deepEqual([missing.status, missing.text], [403, 'oops'])
  const moved = await go('/old/a%0d%0ab')
  assert.deepEqual([moved.status, moved.headers.location], [301, 'http://new.example/new/a%0D%0Ab'])
  assert.equal((await go('/away')).status, 301)
  assert.equal((await go('/index.html', 'PUT')).status, 405)
  await ok('PUT', '/s3/site?website', { body: '<WebsiteConfiguration><RedirectAllRequestsTo><HostName>all.example</HostName><Protocol>https</Protocol></RedirectAllRequestsTo></WebsiteConfiguration>' })
  assert.equal((await go('/x')).headers.location, 'https://all.example/x')
  await refused('InvalidArgument', 'PUT', '/s3/site?website', { body: '<WebsiteConfiguration><IndexDocument><Suffix>a/b</Suffix></IndexDocument></WebsiteConfiguration>' })
})
