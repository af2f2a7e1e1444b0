/** The worked examples of Amazon's own documentation, and what must be refused. */
import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import { isFault } from '#base/fault.ts'
import { type ChunkedBody, unchunked } from './chunked.ts'
import { looseOf, assertSigned, type SignedRequest, signedOf, signingKey } from './signature.ts'

const ACCESS = 'AKIAIOSFODNN7EXAMPLE'
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const NOW = Date.parse('2013-05-24T00:00:00Z')
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const HOST = 'examplebucket.s3.amazonaws.com'
const credential = `${ACCESS}/20130524/us-east-1/s3/aws4_request`
const authorization = (names: string, signature: string): string => `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=${names},Signature=${signature}`
const refused = (code: string) => (thrown: unknown) => isFault(thrown) && thrown.code === code

const examples: (SignedRequest & { name: string })[] = [
  {
    name: 'GET with a range', method: 'GET', path: '/test.txt', query: '',
    headers: { host: HOST, range: 'bytes=0-9', 'x-amz-content-sha256': EMPTY, 'x-amz-date': '20130524T000000Z', authorization: authorization('host;range;x-amz-content-sha256;x-amz-date', 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41') },
  },
  {
    name: 'PUT of a name that must be escaped', method: 'PUT', path: '/test%24file.text', query: '',
    headers: {
      host: HOST, date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY', 'x-amz-date': '20130524T000000Z', 'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
      authorization: authorization('date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class', '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd'),
    },
  },
  {
    name: 'a sub-resource', method: 'GET', path: '/', query: 'lifecycle',
    headers: { host: HOST, 'x-amz-date': '20130524T000000Z', 'x-amz-content-sha256': EMPTY, authorization: authorization('host;x-amz-content-sha256;x-amz-date', 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543') },
  },
  {
    name: 'a list with a query', method: 'GET', path: '/', query: 'max-keys=2&prefix=J',
    headers: { host: HOST, 'x-amz-date': '20130524T000000Z', 'x-amz-content-sha256': EMPTY, authorization: authorization('host;x-amz-content-sha256;x-amz-date', '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7') },
  },
  {
    name: 'a pre-signed URL', method: 'GET', path: '/test.txt', headers: { host: HOST },
    query: `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${encodeURIComponent(credential)}&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404`,
  },
]

for (const { name, ...request } of examples) {
  test(`version 4: ${name}`, () => {
    const signed = signedOf(request)!
    assert.equal(signed.access, ACCESS)
    assertSigned(signed, SECRET, NOW)
    assert.throws(() => assertSigned(signed, `${SECRET}x`, NOW), refused('SignatureDoesNotMatch'))
    assert.throws(() => assertSigned(signedOf({ ...request, path: `${request.path}x` })!, SECRET, NOW), refused('SignatureDoesNotMatch'))
    assert.throws(() => assertSigned(signedOf({ ...request, query: `${request.query}${request.query ? '&' : ''}x=1` })!, SECRET, NOW), refused('SignatureDoesNotMatch'))
  })
}

test('version 4: the path as it was sent may be what was signed', () => {
  const sign = (spelt: string): SignedRequest => {
    const head = { host: HOST, 'x-amz-content-sha256': EMPTY, 'x-amz-date': '20130524T000000Z' }
    const names = 'host;x-amz-content-sha256;x-amz-date'
    const whole = ['GET', spelt, '', ...Object.entries(head).map(([name, value]) => `${name}:${value}`), '', names, EMPTY].join('\n')
    const text = ['AWS4-HMAC-SHA256', '20130524T000000Z', '20130524/us-east-1/s3/aws4_request', createHash('sha256').update(whole).digest('hex')].join('\n')
    const signature = createHmac('sha256', signingKey(SECRET, { date: '20130524', region: 'us-east-1', service: 's3' })).update(text).digest('hex')
    return { method: 'GET', path: '/s3/b/env:/x', query: '', headers: { ...head, authorization: authorization(names, signature) } }
  }
  for (const spelt of ['/s3/b/env:/x', '/s3/b/env%3A/x']) assertSigned(signedOf(sign(spelt))!, SECRET, NOW)
  assert.throws(() => assertSigned(signedOf(sign('/s3/b/env:/y'))!, SECRET, NOW), refused('SignatureDoesNotMatch'))
})

test('version 4 holds for its time only', () => {
  const signed = signedOf(examples[0]!)!
  assertSigned(signed, SECRET, NOW + 14 * 60_000)
  for (const apart of [-16, 16]) assert.throws(() => assertSigned(signed, SECRET, NOW + apart * 60_000), refused('RequestTimeTooSkewed'))
  const link = signedOf(examples[4]!)!
  assertSigned(link, SECRET, NOW + 86_399_000)
  assert.throws(() => assertSigned(link, SECRET, NOW + 86_401_000), refused('AccessDenied'))
  assert.throws(() => assertSigned(link, SECRET, NOW - 16 * 60_000), refused('AccessDenied'))
})

test('headers that matter must be signed, and what is malformed is said', () => {
  const get = examples[0]!
  assert.throws(() => signedOf({ ...get, headers: { ...get.headers, 'x-amz-acl': 'public-read' } }), refused('AccessDenied'))
  assert.throws(() => signedOf({ ...get, headers: { ...get.headers, authorization: get.headers.authorization!.replace('/s3/', '/sts/') } }), refused('AuthorizationHeaderMalformed'))
  assert.throws(() => signedOf({ ...get, headers: { ...get.headers, authorization: get.headers.authorization!.replace('20130524/', '20130525/') } }), refused('AuthorizationHeaderMalformed'))
  assert.throws(() => signedOf({ ...get, headers: { ...get.headers, authorization: 'AWS4-HMAC-SHA256 x' } }), refused('AuthorizationHeaderMalformed'))
  assert.throws(() => signedOf({ ...get, headers: { ...get.headers, 'x-amz-content-sha256': 'no' } }), refused('InvalidArgument'))
  assert.throws(() => signedOf({ ...get, headers: { authorization: 'Basic eA==' } }), refused('InvalidArgument'))
  assert.throws(() => signedOf({ ...examples[4]!, query: examples[4]!.query.replace('86400', '604801') }), refused('AuthorizationQueryParametersError'))
  assert.equal(signedOf({ ...get, headers: { host: HOST } }), undefined)
})

const V2SECRET = SECRET
const v2: (SignedRequest & { name: string })[] = [
  { name: 'GET', method: 'GET', path: '/photos/puppy.jpg', query: '', hostBucket: 'awsexamplebucket1', headers: { date: 'Tue, 27 Mar 2007 19:36:42 +0000', authorization: `AWS ${ACCESS}:qgk2+6Sv9/oM7G3qLEjTH1a1l1g=` } },
  { name: 'PUT', method: 'PUT', path: '/photos/puppy.jpg', query: '', hostBucket: 'awsexamplebucket1', headers: { 'content-type': 'image/jpeg', date: 'Tue, 27 Mar 2007 21:15:45 +0000', authorization: `AWS ${ACCESS}:iqRzw+ileNPu1fhspnRs8nOjjIA=` } },
  { name: 'a list', method: 'GET', path: '/', query: 'prefix=photos&max-keys=50&marker=puppy', hostBucket: 'awsexamplebucket1', headers: { date: 'Tue, 27 Mar 2007 19:42:41 +0000', authorization: `AWS ${ACCESS}:m0WP8eCtspQl5Ahe6L1SozdX9YA=` } },
  { name: 'a sub-resource', method: 'GET', path: '/', query: 'acl', hostBucket: 'awsexamplebucket1', headers: { date: 'Tue, 27 Mar 2007 19:44:46 +0000', authorization: `AWS ${ACCESS}:82ZHiFIjc+WbcwFKGUVEQspPn+0=` } },
]
for (const { name, ...request } of v2) {
  test(`version 2: ${name}`, () => {
    const signed = signedOf(request)!
    assertSigned(signed, V2SECRET, signed.made!)
    assert.throws(() => assertSigned({ ...signed, text: `${signed.text} ` }, V2SECRET, signed.made!), refused('SignatureDoesNotMatch'))
  })
}

// --- chunks

const STREAM = {
  key: signingKey(SECRET, { date: '20130524', region: 'us-east-1', service: 's3' }),
  scope: { date: '20130524', region: 'us-east-1', service: 's3' },
  stamp: '20130524T000000Z',
  seed: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
}
const CHUNKS = ['ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648', '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497', 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9']
const whole = (): Buffer => Buffer.concat([Buffer.from(`10000;chunk-signature=${CHUNKS[0]}\r\n`), Buffer.alloc(65536, 'a'), Buffer.from(`\r\n400;chunk-signature=${CHUNKS[1]}\r\n`), Buffer.alloc(1024, 'a'), Buffer.from(`\r\n0;chunk-signature=${CHUNKS[2]}\r\n\r\n`)])

async function read(bytes: Buffer, body: ChunkedBody, size = bytes.length): Promise<Buffer> {
  const out: Buffer[] = []
  const pieces = (async function* () {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  })()
  for await (const chunk of unchunked(pieces, body)) out.push(Buffer.from(chunk))
  return Buffer.concat(out)
}

test('signed chunks come out as their bytes, however they are cut on the way', async () => {
  const seed = signedOf({
    method: 'PUT', path: '/examplebucket/chunkObject.txt', query: '',
    headers: {
      host: 's3.amazonaws.com', 'x-amz-date': '20130524T000000Z', 'x-amz-storage-class': 'REDUCED_REDUNDANCY', 'content-encoding': 'aws-chunked', 'x-amz-decoded-content-length': '66560', 'content-length': '66824', 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      authorization: authorization('content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class', STREAM.seed),
    },
  })!
  assertSigned(seed, SECRET, NOW)
  assert.deepEqual(seed.payload, { kind: 'chunks', signed: true, trailer: false })
  for (const size of [1, 7, 4096, 70_000]) assert.ok((await read(whole(), { signing: STREAM, trailer: false, length: 66_560 }, size)).equals(Buffer.alloc(66_560, 'a')))
})

test('a chunk that was changed, is missing, or is too much is refused', async () => {
  const body = { signing: STREAM, trailer: false, length: 66_560 }
  const changed = whole()
  changed[200] = 98
  await assert.rejects(read(changed, body), refused('SignatureDoesNotMatch'))
  await assert.rejects(read(whole().subarray(0, 66_000), body), refused('IncompleteBody'))
  await assert.rejects(read(whole(), { ...body, length: 66_559 }), refused('IncompleteBody'))
  await assert.rejects(read(whole(), { ...body, length: 66_561 }), refused('IncompleteBody'))
  await assert.rejects(read(Buffer.from('5\r\nhello\r\n0\r\n\r\n'), { ...body, length: 5 }), refused('IncompleteBody'), 'a chunk without a signature')
  await assert.rejects(read(Buffer.from('x'.repeat(20_000)), body), refused('InvalidRequest'))
  await assert.rejects(read(Buffer.from('5\r\nhello!\r\n0\r\n\r\n'), { trailer: false, length: 5 }), refused('IncompleteBody'))
})

test('headers after unsigned chunks are told', async () => {
  let heard: Readonly<Record<string, string>> = {}
  const body = { trailer: true, length: 5, onTrailer: (headers: Readonly<Record<string, string>>) => void (heard = headers) }
  assert.equal((await read(Buffer.from('5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n'), body, 3)).toString(), 'hello')
  assert.deepEqual(heard, { 'x-amz-checksum-crc32': 'NhCmhg==' })
  await assert.rejects(read(Buffer.from('5\r\nhello\r\n0\r\nno header\r\n\r\n'), body), refused('MalformedTrailerError'))
  await assert.rejects(read(Buffer.from('5\r\nhello\r\n0\r\na:b\r\n\r\n'), { trailer: false, length: 5 }), refused('MalformedTrailerError'))
})

test('headers after signed chunks are signed too', async () => {
  const bytes = Buffer.concat([
    Buffer.from('10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n'), Buffer.alloc(65_536, 'a'),
    Buffer.from('\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n'), Buffer.alloc(1024, 'a'),
    Buffer.from('\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\nx-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n'),
  ])
  const body = { signing: { ...STREAM, seed: '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e' }, trailer: true, length: 66_560 }
  let heard: Readonly<Record<string, string>> = {}
  assert.equal((await read(bytes, { ...body, onTrailer: (headers) => void (heard = headers) })).length, 66_560)
  assert.deepEqual(heard, { 'x-amz-checksum-crc32c': 'sOO8/Q==' })
  const forged = Buffer.from(bytes.toString('latin1').replace('sOO8', 'sOO9'), 'latin1')
  await assert.rejects(read(forged, body), refused('SignatureDoesNotMatch'))
})

test('what a header says of a body holds also where version 2 or a link does not cover it', () => {
  assert.deepEqual(looseOf(undefined), { kind: 'unsigned' })
  assert.deepEqual(looseOf('UNSIGNED-PAYLOAD'), { kind: 'unsigned' })
  assert.deepEqual(looseOf('STREAMING-UNSIGNED-PAYLOAD-TRAILER'), { kind: 'digest', sha256: 'streaming-unsigned-payload-trailer' })
  assert.deepEqual(looseOf('nonsense'), { kind: 'digest', sha256: 'nonsense' })
})
