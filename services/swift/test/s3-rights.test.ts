/** Who may do what at the S3 door: lists, policies, names, links, forms, and what somebody tries who has no right. */
import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { after, test } from 'node:test'
import { signingKey } from '../core/s3/signature.ts'
import { accessOf, codeOf, s3Kit, secretOf } from './s3-kit.ts'

const kit = await s3Kit()
after(() => kit.close())
const { s3, link, visit, swift, clock } = kit
const ok = async (...args: Parameters<typeof s3>): ReturnType<typeof s3> => {
  const answer = await s3(...args)
  assert.ok(answer.status < 300, `${args[0]} ${args[1]}: ${answer.status} ${answer.text}`)
  return answer
}
const refused = async (code: string, ...args: Parameters<typeof s3>): Promise<void> => assert.equal(codeOf(await s3(...args)), code, `${args[0]} ${args[1]}`)

test('a name is one bucket in the whole cloud; a container of Swift has none until it asks for one', async () => {
  await ok('PUT', '/s3/names')
  // As Amazon's first region: who makes what they have has it, as long as they say the same of who may.
  await ok('PUT', '/s3/names/stays', { body: 'x' })
  await ok('PUT', '/s3/names')
  await ok('DELETE', '/s3/names/stays')
  await refused('BucketAlreadyExists', 'PUT', '/s3/names', { headers: { 'x-amz-acl': 'public-read' } })
  await refused('AccessDenied', 'PUT', '/s3/names', { by: 'reader' })
  await refused('BucketAlreadyExists', 'PUT', '/s3/names', { by: 'b' })
  assert.equal((await s3('HEAD', '/s3/names', { by: 'b' })).status, 403)
  await refused('AccessDenied', 'GET', '/s3/names', { by: 'b' })
  await refused('AccessDenied', 'PUT', '/s3/names/k', { by: 'b', body: 'x' })
  // Containers of two projects may have one name; the S3 door leads each to its own.
  for (const [by, as] of [['a', 'member'], ['b', 'member@project-b']] as const) assert.equal((await swift('PUT', `/v1/AUTH_project-${by}/both`, { as })).status, 201)
  await ok('PUT', '/s3/both/k', { by: 'b', body: 'of b' })
  await refused('NoSuchKey', 'GET', '/s3/both/k')
  await refused('NoSuchBucket', 'GET', '/s3/both/k', { by: 'nobody' })
  await ok('PUT', '/s3/both', { by: 'b', headers: { 'x-amz-acl': 'public-read' } })
  await refused('BucketAlreadyOwnedByYou', 'PUT', '/s3/both')
  // A container that goes, by whichever door, gives its name back.
  await swift('DELETE', '/v1/AUTH_project-a/names')
  await ok('PUT', '/s3/names', { by: 'b' })
  await ok('DELETE', '/s3/names', { by: 'b' })
  await refused('AccessDenied', 'GET', '/s3/both', { headers: { 'x-amz-expected-bucket-owner': 'project-b' } })
})

test('of two that ask for one name at once, one has it, and the other has nothing', async () => {
  const both = await Promise.all((['a', 'b'] as const).map((by) => s3('PUT', '/s3/raced', { by })))
  assert.deepEqual(both.map(codeOf).sort(), ['200', 'BucketAlreadyExists'])
  const loser = both[0]!.status === 200 ? 'b' : 'a'
  assert.equal((await swift('HEAD', `/v1/AUTH_project-${loser}/raced`, { as: `member@project-${loser}` })).status, 404)
  await refused('AccessDenied', 'GET', '/s3/raced', { by: loser })
})

test('lists: of buckets for listing and writing, of objects for reading; nobody without one', async () => {
  await ok('PUT', '/s3/lists', { headers: { 'x-amz-acl': 'public-read' } })
  await ok('PUT', '/s3/lists/private', { body: 'mine' })
  await ok('PUT', '/s3/lists/public', { body: 'all', headers: { 'x-amz-acl': 'public-read' } })
  await ok('PUT', '/s3/lists/known', { body: 'known', headers: { 'x-amz-acl': 'authenticated-read' } })
  await ok('PUT', '/s3/lists/granted', { body: 'granted', headers: { 'x-amz-grant-read': 'id=project-b' } })
  const reads = async (key: string, by: 'b' | 'nobody'): Promise<boolean> => (await s3('GET', `/s3/lists/${key}`, { by })).status === 200
  assert.deepEqual(await Promise.all(['private', 'public', 'known', 'granted'].map((key) => reads(key, 'nobody'))), [false, true, false, false])
  assert.deepEqual(await Promise.all(['private', 'public', 'known', 'granted'].map((key) => reads(key, 'b'))), [false, true, true, true])
  assert.match((await ok('GET', '/s3/lists', { by: 'nobody' })).text, /<Key>private<\/Key>/)
  // The list of a bucket opens it for listing; Swift's door knows nothing of it.
  assert.equal((await swift('GET', '/v1/AUTH_project-a/lists/public', { as: 'member@project-b' })).status, 403)
  await refused('NoSuchKey', 'GET', '/s3/lists/none', { by: 'nobody' })
  await ok('PUT', '/s3/lists?acl', { headers: { 'x-amz-acl': 'private' } })
  await refused('AccessDenied', 'GET', '/s3/lists/none', { by: 'nobody' })
  await refused('AccessDenied', 'GET', '/s3/lists', { by: 'b' })
  assert.match((await ok('GET', '/s3/lists/public?acl')).text, /AllUsers/)
  await ok('PUT', '/s3/lists/public?acl', { headers: { 'x-amz-acl': 'private' } })
  assert.equal(await reads('public', 'nobody'), false)
  await refused('AccessDenied', 'PUT', '/s3/lists/private?acl', { by: 'b', headers: { 'x-amz-acl': 'public-read' } })
  await refused('AccessDenied', 'GET', '/s3/lists/granted?acl', { by: 'b' })
  // What Swift's own lists let in comes in here too, is shown, and goes with a new list.
  await swift('POST', '/v1/AUTH_project-a/lists', { headers: { 'x-container-read': '.r:*' } })
  assert.equal(await reads('private', 'nobody'), true)
  assert.match((await ok('GET', '/s3/lists?acl')).text, /AllUsers/)
  await ok('PUT', '/s3/lists?acl', { headers: { 'x-amz-acl': 'private' } })
  assert.equal(await reads('private', 'nobody'), false)
})

test('who may write brings what is theirs, and gains nothing else', async () => {
  await ok('PUT', '/s3/drop', { headers: { 'x-amz-acl': 'public-read-write' } })
  await ok('PUT', '/s3/drop/from-b', { by: 'b', body: 'b' })
  assert.match((await ok('GET', '/s3/drop/from-b?acl', { by: 'b' })).text, /<Owner><ID>project-b</)
  await refused('AccessDenied', 'GET', '/s3/drop/from-b', { by: 'nobody' })
  assert.equal((await ok('GET', '/s3/drop/from-b')).text, 'b')
  await ok('PUT', '/s3/drop/from-nobody', { by: 'nobody', body: 'x' })
  await ok('PUT', '/s3/drop/mine', { body: 'mine' })
  for (const what of ['acl', 'policy', 'lifecycle', 'website', 'cors', 'versioning', 'tagging', 'publicAccessBlock']) await refused('AccessDenied', 'PUT', `/s3/drop?${what}`, { by: 'b', body: 'x' })
  await refused('AccessDenied', 'PUT', '/s3/drop/copy', { by: 'b', headers: { 'x-amz-copy-source': '/drop/mine' } })
  await refused('AccessDenied', 'DELETE', '/s3/drop', { by: 'b' })
  await refused('AccessDenied', 'GET', '/s3/drop/mine?versionId=null', { by: 'b' })
  await refused('AccessDenied', 'DELETE', '/s3/drop/mine?versionId=null', { by: 'b' })
  assert.equal((await ok('GET', '/s3/drop/mine')).text, 'mine')
  // Everything public may be turned off at once.
  await ok('PUT', '/s3/drop?publicAccessBlock', { body: '<PublicAccessBlockConfiguration><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>' })
  await refused('AccessDenied', 'PUT', '/s3/drop/x', { by: 'nobody', body: 'x' })
  await refused('AccessDenied', 'PUT', '/s3/drop/x', { body: 'x', headers: { 'x-amz-acl': 'public-read' } })
})

test('who may write meddles with nobody else\'s upload in parts', async () => {
  await ok('PUT', '/s3/parts', { headers: { 'x-amz-acl': 'public-read-write' } })
  const begin = async (by: 'a' | 'b'): Promise<string> => /<UploadId>(\w+)</.exec((await ok('POST', '/s3/parts/k?uploads', { by })).text)![1]!
  const [mine, theirs] = [await begin('a'), await begin('b')]
  for (const [method, more] of [['PUT', '&partNumber=1'], ['GET', ''], ['DELETE', '']] as const) await refused('AccessDenied', method, `/s3/parts/k?uploadId=${mine}${more}`, { by: 'b', ...(method === 'PUT' ? { body: 'x' } : {}) })
  await refused('AccessDenied', 'POST', '/s3/parts/k?uploads', { by: 'nobody' })
  await ok('PUT', `/s3/parts/k?uploadId=${theirs}&partNumber=1`, { by: 'b', body: 'x' })
  await ok('DELETE', `/s3/parts/k?uploadId=${theirs}`)
})

test('a reader of the project reads', async () => {
  await ok('PUT', '/s3/readers')
  await ok('PUT', '/s3/readers/k', { body: 'x' })
  assert.equal((await ok('GET', '/s3/readers/k', { by: 'reader' })).text, 'x')
  await refused('AccessDenied', 'PUT', '/s3/readers/k', { by: 'reader', body: 'y' })
  await refused('AccessDenied', 'PUT', '/s3/readers-own', { by: 'reader' })
})

test('policies: who, what, where, when; a refusal wins; what cannot be judged is not taken', async () => {
  await ok('PUT', '/s3/ruled')
  await ok('PUT', '/s3/ruled/open/k', { body: 'open' })
  await ok('PUT', '/s3/ruled/shut/k', { body: 'shut', headers: { 'x-amz-acl': 'public-read', 'x-amz-tagging': 'secret=yes' } })
  const put = (...Statement: unknown[]) => ok('PUT', '/s3/ruled?policy', { body: JSON.stringify({ Version: '2012-10-17', Statement }) })
  const status = async (): Promise<string | undefined> => /<IsPublic>(\w+)</.exec((await ok('GET', '/s3/ruled?policyStatus')).text)?.[1]
  const allow = (more: object): object => ({ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::ruled/open/*', ...more })
  await put(allow({}))
  assert.equal(await status(), 'true')
  assert.equal((await ok('GET', '/s3/ruled/open/k', { by: 'nobody' })).text, 'open')
  await refused('AccessDenied', 'PUT', '/s3/ruled/open/k', { by: 'nobody', body: 'x' })
  await refused('AccessDenied', 'GET', '/s3/ruled', { by: 'nobody' })
  await put(allow({ Principal: { AWS: 'arn:aws:iam::project-b:root' } }), allow({ Effect: 'Deny', Resource: 'arn:aws:s3:::ruled/*', Condition: { StringEquals: { 's3:ExistingObjectTag/secret': 'yes' } } }))
  assert.equal(await status(), 'false')
  assert.equal((await ok('GET', '/s3/ruled/open/k', { by: 'b' })).text, 'open')
  await refused('AccessDenied', 'GET', '/s3/ruled/open/k', { by: 'nobody' })
  for (const by of ['a', 'b', 'nobody'] as const) await refused('AccessDenied', 'GET', '/s3/ruled/shut/k', { by })
  await put(allow({ Condition: { Bool: { 'aws:SecureTransport': 'true' } } }))
  await refused('AccessDenied', 'GET', '/s3/ruled/open/k', { by: 'b' })
  await put(allow({ Action: ['s3:ListBucket'], Resource: 'arn:aws:s3:::ruled', Condition: { StringLike: { 's3:prefix': 'open/*' } } }))
  await ok('GET', '/s3/ruled?prefix=open/k', { by: 'nobody' })
  await refused('AccessDenied', 'GET', '/s3/ruled?prefix=shut', { by: 'nobody' })
  await refused('AccessDenied', 'GET', '/s3/ruled', { by: 'nobody' })
  // The owner is never locked out of the policy itself.
  await put({ Effect: 'Deny', Principal: '*', Action: 's3:*', Resource: ['arn:aws:s3:::ruled', 'arn:aws:s3:::ruled/*'] })
  await refused('AccessDenied', 'GET', '/s3/ruled')
  await ok('DELETE', '/s3/ruled?policy')
  await ok('GET', '/s3/ruled')
  const wrong = (statement: object): Promise<void> => refused('MalformedPolicy', 'PUT', '/s3/ruled?policy', { body: JSON.stringify({ Statement: [allow(statement)] }) })
  for (const statement of [{ Resource: 'arn:aws:s3:::other/*' }, { Effect: 'Maybe' }, { Action: 'ec2:Run' }, { Condition: { StringMaybe: { 's3:prefix': 'x' } } }, { Condition: { StringEquals: { 'aws:PrincipalOrgID': 'o-1' } } }, { Principal: { Service: 'x' } }, { NotPrincipal: '*' }, { Extra: 1 }]) await wrong(statement)
  await refused('MalformedPolicy', 'PUT', '/s3/ruled?policy', { body: '{' })
  await ok('PUT', '/s3/ruled?publicAccessBlock', { body: '<PublicAccessBlockConfiguration><BlockPublicPolicy>true</BlockPublicPolicy></PublicAccessBlockConfiguration>' })
  await refused('AccessDenied', 'PUT', '/s3/ruled?policy', { body: JSON.stringify({ Statement: [allow({})] }) })
})

test('A13: a signature is for its method, its path, its query, its headers and its time alone', async () => {
  await ok('PUT', '/s3/signed')
  await ok('PUT', '/s3/signed/k', { body: 'k' })
  await ok('PUT', '/s3/signed/other', { body: 'other' })
  await refused('SignatureDoesNotMatch', 'PUT', '/s3/signed/k', { body: 'evil', instead: { target: '/s3/signed/other' } })
  await refused('SignatureDoesNotMatch', 'GET', '/s3/signed/k', { instead: { method: 'DELETE' } })
  await refused('SignatureDoesNotMatch', 'GET', '/s3/signed/k', { instead: { target: '/s3/signed/k?acl' } })
  await refused('AccessDenied', 'PUT', '/s3/signed/k', { body: 'x', instead: { headers: { 'x-amz-acl': 'public-read' } } })
  await refused('XAmzContentSHA256Mismatch', 'PUT', '/s3/signed/k', { body: 'evil', sha256: '0'.repeat(64) })
  for (const shift of [-16 * 60_000, 16 * 60_000]) await refused('RequestTimeTooSkewed', 'GET', '/s3/signed/k', { at: clock.now() + shift })
  const get = link('GET', '/s3/signed/k')
  assert.equal((await visit('GET', get)).text, 'k')
  for (const [method, target, headers] of [
    ['PUT', get, {}], ['DELETE', get, {}], ['HEAD', get, {}], ['GET', get.replace('/k?', '/other?'), {}], ['GET', `${get}&versionId=null`, {}], ['GET', get.replace('Expires=600', 'Expires=6000'), {}], ['GET', get, { host: 'evil.example' }],
    ['GET', get.replace('access-a', 'access-b'), {}],
  ] as const) assert.equal((await visit(method, target, { headers })).status, 403, `${method} ${target}`)
  // A link for an upload makes no copy of what its maker could read, and gives nothing away.
  const put = link('PUT', '/s3/signed/up')
  for (const headers of [{ 'x-amz-copy-source': '/signed/other' }, { 'x-amz-acl': 'public-read' }, { 'x-amz-meta-a': 'b' }] as Record<string, string>[]) assert.equal(codeOf(await visit('PUT', put, { body: 'x', headers: { 'content-length': '1', ...headers } })), 'AccessDenied')
  assert.equal((await visit('PUT', put, { body: 'x', headers: { 'content-length': '1' } })).status, 200)
  assert.equal((await visit('PUT', link('PUT', '/s3/signed/acl', { signed: { 'x-amz-acl': 'public-read' } }), { body: 'x', headers: { 'content-length': '1', 'x-amz-acl': 'public-read' } })).status, 200)
  await ok('GET', '/s3/signed/acl', { by: 'nobody' })
  await clock.advance(601_000)
  assert.equal(codeOf(await visit('GET', get)), 'AccessDenied')
  // Nobody's chunks are not signed, and a link of another project opens nothing of this one.
  assert.equal((await visit('GET', link('GET', '/s3/signed/k', { by: 'b' }))).status, 403)
  await refused('InvalidArgument', 'GET', '/s3/signed/k', { by: 'nobody', headers: { authorization: 'Bearer x' } })
})

test('A13: a link of version 2 takes nothing that it does not cover', async () => {
  await ok('PUT', '/s3/old-links')
  await ok('PUT', '/s3/old-links/k', { body: 'k' })
  const expires = Math.floor(clock.now() / 1000) + 60
  const old = (method: string, path: string, resource = path): string => `${path}?AWSAccessKeyId=${accessOf('a')}&Expires=${expires}&Signature=${encodeURIComponent(createHmac('sha1', secretOf('a')).update(`${method}\n\n\n${expires}\n${resource}`).digest('base64'))}`
  assert.equal((await visit('GET', old('GET', '/s3/old-links/k'))).text, 'k')
  // Some clients leave the door's own path out of what they sign.
  assert.equal((await visit('GET', old('GET', '/s3/old-links/k', '/old-links/k'))).text, 'k')
  for (const more of ['acl', 'attributes', 'versionId=null', 'retention', 'publicAccessBlock', 'policyStatus']) assert.equal((await visit('GET', `${old('GET', '/s3/old-links/k')}&${more}`)).status, 403, more)
  for (const more of ['publicAccessBlock', 'ownershipControls', 'encryption', 'policy', 'acl']) assert.equal((await visit('PUT', `${old('PUT', '/s3/old-links')}&${more}`, { body: 'x' })).status, 403, more)
  const up = `${old('PUT', '/s3/old-links/up')}&x-amz-acl=public-read`
  assert.equal((await visit('PUT', up, { body: 'x', headers: { 'content-length': '1' } })).status, 200)
  await refused('AccessDenied', 'GET', '/s3/old-links/up', { by: 'nobody' })
  assert.equal((await visit('PUT', old('PUT', '/s3/old-links/up'), { body: 'x', headers: { 'content-length': '1', 'x-amz-acl': 'public-read' } })).status, 403)
})

test('where the owner alone owns, lists are not taken', async () => {
  await ok('PUT', '/s3/enforced', { headers: { 'x-amz-object-ownership': 'BucketOwnerEnforced' } })
  for (const acl of ['public-read', 'private']) await refused('AccessControlListNotSupported', 'PUT', '/s3/enforced/k', { body: 'x', headers: { 'x-amz-acl': acl } })
  await ok('PUT', '/s3/enforced/k', { body: 'x', headers: { 'x-amz-acl': 'bucket-owner-full-control' } })
  await refused('AccessControlListNotSupported', 'PUT', '/s3/enforced/k?acl', { headers: { 'x-amz-grant-read': 'id=project-b' } })
})

test('a signed request at the root is the S3 door; anything else is not', async () => {
  await ok('PUT', '/rooted')
  await ok('PUT', '/rooted/k', { body: 'r' })
  assert.equal((await ok('GET', '/s3/rooted/k')).text, 'r')
  assert.notEqual((await visit('GET', '/rooted/k')).status, 200)
  // As `s3cmd signurl` signs.
  const expires = Math.floor(clock.now() / 1000) + 60
  const link = (signature: string): string => `/rooted/k?AWSAccessKeyId=${accessOf('a')}&Expires=${expires}&Signature=${encodeURIComponent(signature)}`
  assert.equal((await visit('GET', link(createHmac('sha1', secretOf('a')).update(`GET\n\n\n${expires}\n/rooted/k`).digest('base64')))).text, 'r')
  assert.match((await visit('GET', link('x'))).text, /<Code>SignatureDoesNotMatch</)
})

test('no document expands or fetches anything', async () => {
  await ok('PUT', '/s3/bombs')
  for (const body of [
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><Tagging><TagSet><Tag><Key>&b;</Key><Value>v</Value></Tag></TagSet></Tagging>',
    '<!DOCTYPE x SYSTEM "file:///etc/passwd"><Tagging/>', '<?xml-stylesheet href="x"?><Tagging/>', `${'<a>'.repeat(5000)}`, '<Tagging><TagSet><Tag><Key>&undefined;</Key></Tag></TagSet></Tagging>',
  ]) {
    for (const what of ['tagging', 'lifecycle', 'website', 'acl', 'cors', 'object-lock', 'publicAccessBlock', 'ownershipControls']) await refused('MalformedXML', 'PUT', `/s3/bombs?${what}`, { body })
    await refused('MalformedXML', 'POST', '/s3/bombs?delete', { body, headers: { 'content-md5': createHash('md5').update(body).digest('base64') } })
  }
})

interface Form { bucket?: string | null; fields?: Record<string, string>; conditions?: unknown[]; file?: string; by?: 'a' | 'b'; version2?: boolean; expires?: number; unsigned?: boolean }
function form({ bucket = 'forms', fields = {}, conditions = [], file = 'bytes', by = 'a', version2 = false, expires = 60_000, unsigned = false }: Form): { body: string; headers: Record<string, string> } {
  const stamp = new Date(clock.now()).toISOString().replaceAll(/[-:]|\.\d{3}/g, '')
  const scope = { date: stamp.slice(0, 8), region: 'us-east-1', service: 's3' }
  const said: Record<string, string> = version2 ? { AWSAccessKeyId: accessOf(by) } : { 'x-amz-algorithm': 'AWS4-HMAC-SHA256', 'x-amz-credential': `${accessOf(by)}/${scope.date}/us-east-1/s3/aws4_request`, 'x-amz-date': stamp }
  const policy = Buffer.from(JSON.stringify({ expiration: new Date(clock.now() + expires).toISOString(), conditions: [...(bucket === null ? [] : [{ bucket }]), ...conditions, ...(version2 ? [] : Object.entries(said).map(([name, value]) => ({ [name]: value })))] })).toString('base64')
  const signature = version2 ? { signature: createHmac('sha1', secretOf(by)).update(policy).digest('base64') } : { 'x-amz-signature': createHmac('sha256', signingKey(secretOf(by), scope)).update(policy).digest('hex') }
  const all = { ...fields, ...(unsigned ? {} : { ...said, policy, ...signature }) }
  const body = [...Object.entries(all).map(([name, value]) => `--B\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`), `--B\r\nContent-Disposition: form-data; name="file"; filename="C:\\\\dir\\\\of.txt"\r\nContent-Type: text/plain\r\n\r\n${file}\r\n--B--\r\n`].join('')
  return { body, headers: { 'content-type': 'multipart/form-data; boundary=B' } }
}

test('a form uploads what its policy allows, signed in both ways, and nothing else', async () => {
  await ok('PUT', '/s3/forms')
  const send = (one: Form, bucket = 'forms') => visit('POST', `/s3/${bucket}`, form(one))
  const conditions = [['starts-with', '$key', 'up/'], ['content-length-range', 2, 10], { acl: 'private' }, ['starts-with', '$Content-Type', 'text/']]
  const fields = { key: 'up/${filename}', acl: 'private', 'Content-Type': 'text/plain' }
  const made = await send({ fields, conditions })
  assert.deepEqual([made.status, made.headers.etag], [204, '"4b3a6218bb3e3a7303e8a171a60fcf92"'])
  const got = await ok('GET', '/s3/forms/up/of.txt')
  assert.deepEqual([got.text, got.headers['content-type']], ['bytes', 'text/plain'])
  assert.equal((await send({ fields, conditions, version2: true })).status, 204)
  const told = await send({ fields: { ...fields, success_action_status: '201' }, conditions: [...conditions, { success_action_status: '201' }] })
  assert.match(told.text, /<PostResponse><Location>.*<Bucket>forms<\/Bucket><Key>up\/of\.txt<\/Key>/)
  const moved = await send({ fields: { ...fields, success_action_redirect: 'http://a.example/x?y=1' }, conditions: [...conditions, ['starts-with', '$success_action_redirect', 'http://a.example/']] })
  assert.deepEqual([moved.status, moved.headers.location], [303, 'http://a.example/x?y=1&bucket=forms&key=up%2Fof.txt&etag=%224b3a6218bb3e3a7303e8a171a60fcf92%22'])
  const wrong = async (code: string, one: Form, bucket?: string): Promise<void> => assert.equal(codeOf(await send(one, bucket)), code)
  await wrong('AccessDenied', { fields: { ...fields, key: 'elsewhere' }, conditions })
  await wrong('AccessDenied', { fields: { ...fields, acl: 'public-read' }, conditions })
  await wrong('AccessDenied', { fields: { ...fields, 'x-amz-meta-extra': '1' }, conditions })
  await wrong('AccessDenied', { fields, conditions, expires: -1 })
  await wrong('AccessDenied', { fields, conditions, by: 'b' })
  await wrong('AccessDenied', { fields, conditions, unsigned: true })
  await wrong('AccessDenied', { fields, conditions, bucket: null })
  await wrong('EntityTooLarge', { fields, conditions, file: 'x'.repeat(11) })
  await wrong('EntityTooSmall', { fields, conditions, file: 'x' })
  await wrong('UserKeyMustBeSpecified', { fields: { acl: 'private' }, conditions })
  await ok('PUT', '/s3/other-forms')
  await wrong('AccessDenied', { fields, conditions }, 'other-forms')
  const { body, headers } = form({ fields, conditions })
  assert.equal(codeOf(await visit('POST', '/s3/forms', { body: body.replace(/(x-amz-signature"\r\n\r\n)../, '$100'), headers })), 'SignatureDoesNotMatch')
  assert.equal(codeOf(await visit('POST', '/s3/forms', { body: body.slice(0, 60), headers })), 'MalformedPOSTRequest')
  // What was refused left nothing behind.
  assert.equal((await ok('GET', '/s3/forms')).text.match(/<Key>/g)?.length, 1)
})
