/** Unmodified clients of S3 against a cloud over a socket: `aws` (botocore) and `rclone`, with credentials that Keystone gave. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Cloud, startCloud } from '#cloud/start-cloud.ts'
import { pattern } from '#swift/drivers/conformance.ts'

const big = pattern(12_000_000)
let dir: string
let cloud: Cloud
let env: Record<string, string>
let token: string

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ondol-s3-'))
  cloud = await startCloud({ port: 0, config: { 'seed.enabled': false } })
  const { username, password, project_name } = cloud.credentials.admin
  const domain = { name: 'Default' }
  const login = await cloud.fetch('/identity/v3/auth/tokens', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: username, domain, password: password.reveal() } } }, scope: { project: { name: project_name, domain } } } }) })
  token = login.headers.get('x-subject-token')!
  const facts = ((await login.json()) as { token: { user: { id: string }; project: { id: string } } }).token
  const made = await cloud.fetch(`/identity/v3/users/${facts.user.id}/credentials/OS-EC2`, { method: 'POST', headers: { 'x-auth-token': token, 'content-type': 'application/json' }, body: JSON.stringify({ tenant_id: facts.project.id }) })
  const { access, secret } = ((await made.json()) as { credential: { access: string; secret: string } }).credential
  env = { PATH: '/usr/bin:/bin', HOME: dir, AWS_ACCESS_KEY_ID: access, AWS_SECRET_ACCESS_KEY: secret, AWS_DEFAULT_REGION: 'us-east-1', AWS_EC2_METADATA_DISABLED: 'true', RCLONE_CONFIG: join(dir, 'rclone.conf') }
  await writeFile(env.RCLONE_CONFIG!, `[s3]\ntype = s3\nprovider = Other\nenv_auth = true\nendpoint = ${cloud.url}/s3\nforce_path_style = true\n`)
  await writeFile(join(dir, 'big'), big)
  await writeFile(join(dir, 'small'), 'small')
})
after(async () => {
  await cloud?.close()
  await rm(dir, { recursive: true, force: true })
})

function run(tool: string, args: readonly string[], fails = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, args, { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk: Buffer) => (out += String(chunk)))
    child.stderr.on('data', (chunk: Buffer) => (err += String(chunk)))
    child.on('error', reject)
    child.on('close', (code) => ((code === 0) === fails ? reject(new Error(`${tool} ${args.join(' ')} ended with ${code}: ${out}${err}`)) : resolve(fails ? err : out)))
  })
}
const aws = (...args: string[]): Promise<string> => run('/usr/bin/aws', ['--endpoint-url', `${cloud.url}/s3`, '--output', 'json', ...args])
const refused = (...args: string[]): Promise<string> => run('/usr/bin/aws', ['--endpoint-url', `${cloud.url}/s3`, ...args], true)
// Answers are JSON of many shapes.
// oxlint-disable-next-line no-explicit-any
const api = async (...args: string[]): Promise<any> => JSON.parse((await aws('s3api', ...args)) || '{}')

test('aws: buckets, objects, copies, lists', async () => {
  await aws('s3', 'mb', 's3://first')
  assert.match(await refused('s3', 'mb', 's3://first'), /BucketAlreadyOwnedByYou/)
  assert.match(await refused('s3', 'mb', 's3://Not_A_Name'), /InvalidBucketName|Invalid bucket name/)
  await api('put-object', '--bucket', 'first', '--key', 'a/한글 1', '--body', 'small', '--metadata', 'color=blue', '--content-type', 'text/plain', '--checksum-algorithm', 'CRC32')
  const head = await api('head-object', '--bucket', 'first', '--key', 'a/한글 1', '--checksum-mode', 'ENABLED')
  assert.deepEqual([head.ContentLength, head.ContentType, head.Metadata, head.ChecksumCRC32 !== undefined], [5, 'text/plain', { color: 'blue' }, true])
  await aws('s3', 'cp', 's3://first/a/한글 1', 's3://first/b')
  assert.deepEqual((await api('head-object', '--bucket', 'first', '--key', 'b')).Metadata, { color: 'blue' })
  await api('get-object', '--bucket', 'first', '--key', 'b', '--range', 'bytes=1-2', 'part')
  assert.equal(await readFile(join(dir, 'part'), 'utf8'), 'ma')
  const listed = await api('list-objects-v2', '--bucket', 'first', '--delimiter', '/')
  assert.deepEqual([listed.Contents.map((one: { Key: string }) => one.Key), listed.CommonPrefixes], [['b'], [{ Prefix: 'a/' }]])
  assert.equal((await api('list-objects', '--bucket', 'first', '--page-size', '1')).Contents.length, 2)
  assert.match(await refused('s3api', 'head-object', '--bucket', 'first', '--key', 'absent'), /404/)
  assert.match(await refused('s3api', 'get-object', '--bucket', 'absent', '--key', 'x', 'out'), /NoSuchBucket/)
  assert.match(await refused('s3', 'rb', 's3://first'), /BucketNotEmpty/)
  assert.match(await refused('s3api', 'put-bucket-policy', '--bucket', 'first', '--policy', '{}'), /MalformedPolicy/)
  assert.match(await refused('s3api', 'put-bucket-replication', '--bucket', 'first', '--replication-configuration', '{"Role":"r","Rules":[]}'), /NotImplemented/)
  await aws('s3', 'rb', '--force', 's3://first')
  assert.deepEqual((await api('list-buckets')).Buckets, [])
})

test('aws: uploads in parts, listed, completed, given up, copied', async () => {
  await aws('s3', 'mb', 's3://parts')
  await aws('s3', 'cp', 'big', 's3://parts/big', '--quiet')
  assert.match((await api('head-object', '--bucket', 'parts', '--key', 'big')).ETag, /-2"$/)
  await aws('s3', 'cp', 's3://parts/big', 'back', '--quiet')
  assert.ok((await readFile(join(dir, 'back'))).equals(big))
  const { UploadId } = await api('create-multipart-upload', '--bucket', 'parts', '--key', 'made')
  const at = ['--bucket', 'parts', '--key', 'made', '--upload-id', UploadId as string]
  const one = await api('upload-part-copy', ...at, '--part-number', '1', '--copy-source', 'parts/big', '--copy-source-range', 'bytes=0-5999999')
  const two = await api('upload-part', ...at, '--part-number', '2', '--body', 'small')
  assert.deepEqual((await api('list-parts', ...at)).Parts.map((part: { Size: number }) => part.Size), [6_000_000, 5])
  assert.equal((await api('list-multipart-uploads', '--bucket', 'parts')).Uploads.length, 1)
  await api('complete-multipart-upload', ...at, '--multipart-upload', JSON.stringify({ Parts: [{ PartNumber: 1, ETag: one.CopyPartResult.ETag }, { PartNumber: 2, ETag: two.ETag }] }))
  await api('get-object', '--bucket', 'parts', '--key', 'made', '--range', 'bytes=5999998-', 'tail')
  assert.deepEqual(await readFile(join(dir, 'tail')), Buffer.concat([big.subarray(5_999_998, 6_000_000), Buffer.from('small')]))
  const given = await api('create-multipart-upload', '--bucket', 'parts', '--key', 'given-up')
  await aws('s3api', 'abort-multipart-upload', '--bucket', 'parts', '--key', 'given-up', '--upload-id', given.UploadId)
  assert.match(await refused('s3api', 'list-parts', '--bucket', 'parts', '--key', 'given-up', '--upload-id', given.UploadId), /NoSuchUpload/)
  // The same object at Swift's door.
  const account = ((await (await cloud.fetch('/identity/v3/auth/projects', { headers: { 'x-auth-token': token } })).json()) as { projects: { id: string }[] }).projects[0]!.id
  const swift = await cloud.fetch(`/v1/AUTH_${account}/parts/big`, { headers: { 'x-auth-token': token } })
  assert.ok(Buffer.from(await swift.arrayBuffer()).equals(big))
})

test('aws: versions, markers, tags, CORS, lists of who may', async () => {
  await aws('s3', 'mb', 's3://kept')
  await aws('s3api', 'put-bucket-versioning', '--bucket', 'kept', '--versioning-configuration', 'Status=Enabled')
  const first = await api('put-object', '--bucket', 'kept', '--key', 'k', '--body', 'small', '--tagging', 'a=1')
  await api('put-object', '--bucket', 'kept', '--key', 'k', '--body', 'big')
  assert.equal((await api('delete-object', '--bucket', 'kept', '--key', 'k')).DeleteMarker, true)
  assert.match(await refused('s3api', 'get-object', '--bucket', 'kept', '--key', 'k', 'out'), /NoSuchKey/)
  await api('get-object', '--bucket', 'kept', '--key', 'k', '--version-id', first.VersionId, 'old')
  assert.equal(await readFile(join(dir, 'old'), 'utf8'), 'small')
  const versions = await api('list-object-versions', '--bucket', 'kept')
  assert.deepEqual([versions.Versions.length, versions.DeleteMarkers.length, versions.DeleteMarkers[0].IsLatest], [2, 1, true])
  assert.deepEqual((await api('get-object-tagging', '--bucket', 'kept', '--key', 'k', '--version-id', first.VersionId)).TagSet, [{ Key: 'a', Value: '1' }])
  const cors = { CORSRules: [{ AllowedOrigins: ['https://a.example'], AllowedMethods: ['GET'] }] }
  await aws('s3api', 'put-bucket-cors', '--bucket', 'kept', '--cors-configuration', JSON.stringify(cors))
  assert.deepEqual((await api('get-bucket-cors', '--bucket', 'kept')).CORSRules[0].AllowedOrigins, ['https://a.example'])
  const preflight = await fetch(`${cloud.url}/s3/kept/k`, { method: 'OPTIONS', headers: { origin: 'https://a.example', 'access-control-request-method': 'GET' } })
  assert.equal(preflight.headers.get('access-control-allow-origin'), 'https://a.example')
  await aws('s3api', 'put-bucket-acl', '--bucket', 'kept', '--acl', 'public-read')
  assert.equal((await api('get-bucket-acl', '--bucket', 'kept')).Grants.length, 2)
  const all = [...versions.Versions, ...versions.DeleteMarkers].map(({ Key, VersionId }: { Key: string; VersionId: string }) => ({ Key, VersionId }))
  await aws('s3api', 'delete-objects', '--bucket', 'kept', '--delete', JSON.stringify({ Objects: all }))
  await aws('s3', 'rb', 's3://kept')
})

test('a link that was signed opens for its time; what is forged or unsigned does not', async () => {
  await aws('s3', 'mb', 's3://links')
  await aws('s3', 'cp', 'small', 's3://links/small', '--quiet')
  const link = (await aws('s3', 'presign', 's3://links/small')).trim()
  assert.equal(await (await fetch(link)).text(), 'small')
  const forged = await fetch(link.replace('links/small', 'links/other'))
  assert.deepEqual([forged.status, /<Code>SignatureDoesNotMatch<\/Code>/.test(await forged.text())], [403, true])
  assert.equal((await fetch(`${cloud.url}/s3/links/small`)).status, 403)
  const evil = await fetch(link.replace('X-Amz-Credential=', 'X-Amz-Credential=x'))
  assert.match(await evil.text(), /InvalidAccessKeyId/)
})

test('rclone', async () => {
  await run('rclone', ['mkdir', 's3:cone'])
  await run('rclone', ['copy', 'big', 's3:cone/r', '--s3-upload-cutoff', '5M', '--s3-chunk-size', '5M'])
  await run('rclone', ['copy', 'small', 's3:cone'])
  await run('rclone', ['check', 'big', 's3:cone/r', '--one-way', '--download'])
  assert.match(await run('rclone', ['lsf', '-R', 's3:cone']), /^r\/\n|^small\n/m)
  await run('rclone', ['moveto', 's3:cone/small', 's3:cone/moved'])
  assert.equal(await run('rclone', ['cat', 's3:cone/moved']), 'small')
  await run('rclone', ['purge', 's3:cone'])
})
