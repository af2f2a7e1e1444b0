/** Every operation of the S3 door with every way of not being allowed to: one code, a whole error, and nothing changed. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, test } from 'node:test'
import { OPERATIONS } from '../api/s3/operations.ts'
import { codeOf, type S3Options, s3Kit } from './s3-kit.ts'

const kit = await s3Kit()
after(() => kit.close())
const { s3, link, visit, clock, house } = kit
const ok = async (...args: Parameters<typeof s3>): ReturnType<typeof s3> => {
  const answer = await s3(...args)
  assert.ok(answer.status < 300, `${args[0]} ${args[1]}: ${answer.status} ${answer.text}`)
  return answer
}
type Answer = Awaited<ReturnType<typeof s3>>

await ok('PUT', '/s3/matrix')
await ok('PUT', '/s3/matrix/k', { body: 'stays', headers: { 'x-amz-tagging': 'a=b' } })
const upload = /<UploadId>(\w+)</.exec((await ok('POST', '/s3/matrix/up?uploads')).text)![1]!
await ok('PUT', `/s3/matrix/up?partNumber=1&uploadId=${upload}`, { body: 'part' })

async function everything(): Promise<string> {
  const rows = []
  for (const table of ['swift_objects', 'swift_versions', 'swift_uploads', 'swift_upload_parts', 'swift_containers', 'swift_buckets', 'swift_cleanup'] as const) rows.push(await house.db.query.selectFrom(table).selectAll().execute())
  return JSON.stringify(rows, (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
}

/** A body that would be taken. */
const BODIES: Readonly<Record<string, string>> = {
  'PUT versioning': '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>', 'PUT tagging': '<Tagging><TagSet><Tag><Key>x</Key><Value>y</Value></Tag></TagSet></Tagging>', 'PUT policy': '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::matrix","arn:aws:s3:::matrix/*"]}]}',
  'PUT cors': '<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>', 'POST delete': '<Delete><Object><Key>k</Key></Object></Delete>',
  'PUT lifecycle': '<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>', 'PUT ': 'other', 'PUT uploadId': 'other',
}

interface Call {
  name: string
  method: string
  target: string
  options: S3Options
}

const calls: Call[] = [
  { name: 'ListBuckets', method: 'GET', target: '/s3', options: {} },
  { name: 'CreateBucket', method: 'PUT', target: '/s3/fresh', options: {} },
  ...(['bucket', 'object'] as const).flatMap((on) => OPERATIONS[on].map((name): Call => {
    const [method = '', what = ''] = name.split(' ')
    const query = what === '' ? '' : what === 'uploadId' ? `?${method === 'PUT' ? 'partNumber=1&' : ''}uploadId=${upload}` : `?${what}`
    const body = on === 'bucket' && name === 'PUT ' ? undefined : BODIES[name]
    return {
      name: `${on} ${name}`, method, target: `/s3/matrix${on === 'object' ? `/${what === 'uploadId' ? 'up' : 'k'}` : ''}${query}`,
      options: { ...(body === undefined ? {} : { body }), ...(what === 'delete' ? { headers: { 'content-md5': createHash('md5').update(body!).digest('base64') } } : what === 'attributes' ? { headers: { 'x-amz-object-attributes': 'ETag' } } : what === 'acl' && method === 'PUT' ? { headers: { 'x-amz-acl': 'public-read' } } : {}) },
    }
  })),
]

function assertWhole({ name, method, target }: Call, answer: Answer, code: string, status: number): void {
  const of = `${name}: ${answer.status} ${answer.text}`
  assert.equal(answer.status, status, of)
  assert.match(String(answer.headers['x-amz-request-id']), /./, of)
  assert.match(String(answer.headers['x-amz-id-2']), /./, of)
  if (method === 'HEAD') return assert.equal(answer.text, '', of)
  assert.equal(codeOf(answer), code, of)
  assert.equal(answer.headers['content-type'], 'application/xml', of)
  for (const element of ['Message', 'RequestId', 'HostId']) assert.match(answer.text, new RegExp(`<${element}>[^<]+</${element}>`), of)
  assert.ok(answer.text.includes(`<Resource>${target.split('?')[0]}</Resource>`), of)
}

const WAYS: Readonly<Record<string, { code: string; status: number; how: (call: Call) => Promise<Answer>; passes?: (call: Call) => boolean }>> = {
  'no signature': { code: 'AccessDenied', status: 403, how: ({ method, target, options }) => s3(method, target, { ...options, by: 'nobody' }) },
  'a signature of another request': { code: 'SignatureDoesNotMatch', status: 403, how: ({ method, target, options }) => s3(method, target, { ...options, instead: { target: target.includes('?') ? `${target}&more=1` : `${target}?more=1` } }) },
  'a key that was deleted': { code: 'InvalidAccessKeyId', status: 403, how: ({ method, target, options }) => s3(method, target, { ...options, by: 'unknown' }) },
  'a key of a user who was disabled': { code: 'InvalidAccessKeyId', status: 403, how: ({ method, target, options }) => s3(method, target, { ...options, by: 'disabled' }) },
  // Who is in the cloud has buckets of their own to list and to make.
  'a key of another project': { code: 'AccessDenied', status: 403, how: ({ method, target, options }) => s3(method, target, { ...options, by: 'b' }), passes: ({ name }) => name === 'ListBuckets' || name === 'CreateBucket' },
  // As of a credential that an application credential without the right roles made.
  'a key whose roles allow nothing': { code: 'AccessDenied', status: 403, how: ({ method, target, options }) => s3(method, target, { ...options, by: 'limited' }) },
  'a clock that is wrong': { code: 'RequestTimeTooSkewed', status: 403, how: ({ method, target, options }) => s3(method, target, { ...options, at: clock.now() - 16 * 60_000 }) },
  'another region': { code: 'AuthorizationHeaderMalformed', status: 400, how: ({ method, target, options }) => s3(method, target, { ...options, region: 'eu-west-9' }) },
  'a link that has expired': {
    code: 'AccessDenied', status: 403,
    async how({ method, target, options: { headers = {}, body } }) {
      const signed = Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-amz-')))
      const made = link(method, target, { expires: 1, signed })
      await clock.advance(2000)
      return visit(method, made, { headers: { ...headers, ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(String(body))) }) }, ...(body === undefined ? {} : { body }) })
    },
  },
}

for (const [way, { code, status, how, passes }] of Object.entries(WAYS)) {
  test(`every operation with ${way}`, async () => {
    const before = await everything()
    for (const call of calls) {
      if (passes?.(call)) continue
      const answer = await how(call)
      // Each key of many is judged by itself, and the answer says so.
      if (call.name === 'bucket POST delete' && answer.status === 200) assert.match(answer.text, /<Error><Key>k<\/Key><Code>AccessDenied<\/Code>/)
      else assertWhole(call, answer, code, status)
    }
    assert.equal(await everything(), before)
  })
}

test('methods, documents and sub-resources that there are not', async () => {
  const refused = async (code: string, status: number, method: string, target: string, options: S3Options = {}): Promise<void> => assertWhole({ name: `${method} ${target}`, method, target, options }, await s3(method, target, options), code, status)
  await refused('MethodNotAllowed', 405, 'POST', '/s3/matrix')
  await refused('MethodNotAllowed', 405, 'POST', '/s3/matrix/k')
  for (const what of ['replication', 'inventory', 'metadataTable', 'abac']) await refused('NotImplemented', 501, 'PUT', `/s3/matrix?${what}`, { body: '<x/>' })
  for (const what of ['restore', 'select', 'torrent', 'renameObject', 'append']) await refused('NotImplemented', 501, what === 'restore' || what === 'select' ? 'POST' : 'PUT', `/s3/matrix/k?${what}`, { body: '' })
  await refused('NotImplemented', 501, 'PUT', '/s3/matrix/k', { body: 'x', headers: { 'x-amz-write-offset-bytes': '5' } })
  for (const body of ['', '<', '<VersioningConfiguration>', '<Other/>', '<!DOCTYPE x [<!ENTITY e "x">]><VersioningConfiguration>&e;</VersioningConfiguration>', '\ufffe']) await refused('MalformedXML', 400, 'PUT', '/s3/matrix?versioning', { body })
  assert.equal((await ok('GET', '/s3/matrix/k')).text, 'stays')
  // The region is told to whom it is told that theirs is wrong, and to whoever asks.
  assert.match((await s3('GET', '/s3/matrix', { region: 'eu-west-9' })).text, /<Region>us-east-1<\/Region>/)
  assert.equal((await s3('GET', '/s3/matrix', { region: 'RegionOne' })).status, 200)
  assert.match((await ok('GET', '/s3/matrix?location')).text, /<LocationConstraint xmlns="[^"]*"><\/LocationConstraint>/)
  assert.equal((await s3('HEAD', '/s3/matrix')).headers['x-amz-bucket-region'], 'us-east-1')
})
