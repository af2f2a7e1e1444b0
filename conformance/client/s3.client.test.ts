/** Unmodified clients of S3 against a cloud over a socket: `aws`, `boto3`, `rclone`, `s3cmd` and `restic`, with credentials that Keystone gave. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Cloud, startCloud } from '#cloud/start-cloud.ts'
import { pattern } from '#swift/drivers/conformance.ts'
import { runTool } from './tool.ts'

const big = pattern(12_000_000)
let dir: string
let cloud: Cloud
let env: Record<string, string>
let token: string
let project: string
let other: { access: string; secret: string }

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
  project = facts.project.id
  other = await second(facts.user.id)
  env = { PATH: '/usr/bin:/bin', HOME: dir, AWS_ACCESS_KEY_ID: access, AWS_SECRET_ACCESS_KEY: secret, AWS_DEFAULT_REGION: 'us-east-1', AWS_EC2_METADATA_DISABLED: 'true', RCLONE_CONFIG: join(dir, 'rclone.conf') }
  await writeFile(env.RCLONE_CONFIG!, `[s3]\ntype = s3\nprovider = Other\nenv_auth = true\nendpoint = ${cloud.url}/s3\nforce_path_style = true\n`)
  await writeFile(join(dir, 'big'), big)
  await writeFile(join(dir, 'small'), 'small')
})
/** Keys for a project of its own. */
async function second(user: string): Promise<{ access: string; secret: string }> {
  // Answers are JSON of many shapes.
  // oxlint-disable-next-line no-explicit-any
  const send = async (method: string, path: string, body?: unknown): Promise<any> => {
    const answer = await cloud.fetch(`/identity/v3${path}`, { method, headers: { 'x-auth-token': token, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    return answer.status === 204 ? undefined : answer.json()
  }
  const { project: made } = await send('POST', '/projects', { project: { name: 'second', domain_id: 'default' } })
  const { roles } = await send('GET', '/roles?name=member')
  await send('PUT', `/projects/${made.id}/users/${user}/roles/${roles[0].id}`)
  return (await send('POST', `/users/${user}/credentials/OS-EC2`, { tenant_id: made.id })).credential
}
after(async () => {
  await cloud?.close()
  await rm(dir, { recursive: true, force: true })
})

const run = (tool: string, args: readonly string[], fails = false): Promise<string> => runTool({ cwd: dir, env }, tool, args, fails)
const aws = (...args: string[]): Promise<string> => run('/usr/bin/aws', ['--endpoint-url', `${cloud.url}/s3`, '--output', 'json', ...args])
const refused = (...args: string[]): Promise<string> => run('/usr/bin/aws', ['--endpoint-url', `${cloud.url}/s3`, ...args], true)
// Answers are JSON of many shapes.
// oxlint-disable-next-line no-explicit-any
const api = async (...args: string[]): Promise<any> => JSON.parse((await aws('s3api', ...args)) || '{}')

test('aws: buckets, objects and their parts', async () => {
  await aws('s3', 'mb', 's3://first')
  // In the region us-east-1 as with Amazon: it is done already.
  await aws('s3', 'mb', 's3://first')
  await aws('s3', 'cp', 'big', 's3://first/big', '--quiet')
  assert.match((await api('head-object', '--bucket', 'first', '--key', 'big')).ETag, /-2"$/)
  await aws('s3', 'cp', 's3://first/big', 'back', '--quiet')
  assert.ok((await readFile(join(dir, 'back'))).equals(big))
  assert.match(await refused('s3api', 'get-object', '--bucket', 'absent', '--key', 'x', 'out'), /NoSuchBucket/)
  assert.match(await refused('s3', 'rb', 's3://first'), /BucketNotEmpty/)
  await aws('s3', 'rb', '--force', 's3://first')
  assert.deepEqual((await api('list-buckets')).Buckets, [])
})

test('boto3: objects, forms, rights, settings, parts, versions under lock', async () => {
  await run('/usr/bin/python3', [join(import.meta.dirname, 's3-boto3.py'), `${cloud.url}/s3`, other.access, other.secret, `${cloud.url}/v1/AUTH_${project}`, token])
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

test('s3cmd, which knows no path before the bucket, at the root of the same address', async () => {
  const host = new URL(cloud.url).host
  await writeFile(join(dir, 's3cfg'), `[default]\naccess_key = ${env.AWS_ACCESS_KEY_ID}\nsecret_key = ${env.AWS_SECRET_ACCESS_KEY}\nhost_base = ${host}\nhost_bucket = ${host}\nuse_https = False\nmultipart_chunk_size_mb = 5\n`)
  const s3cmd = (...args: string[]): Promise<string> => run('/usr/bin/s3cmd', ['-c', join(dir, 's3cfg'), '--no-progress', ...args])
  await s3cmd('mb', 's3://commanded')
  await s3cmd('put', '--acl-public', 'small', 's3://commanded/a/small')
  assert.equal(await (await fetch(`${cloud.url}/s3/commanded/a/small`)).text(), 'small')
  await s3cmd('put', 'big', 's3://commanded/big')
  await s3cmd('get', 's3://commanded/big', 'commanded')
  assert.ok((await readFile(join(dir, 'commanded'))).equals(big))
  await s3cmd('mv', 's3://commanded/a/small', 's3://commanded/moved')
  assert.match(await s3cmd('ls', '-r', 's3://commanded'), /s3:\/\/commanded\/big\n.*s3:\/\/commanded\/moved/)
  assert.match(await s3cmd('info', 's3://commanded/moved'), /File size: 5/)
  const link = (await s3cmd('signurl', 's3://commanded/moved', '+600')).trim()
  assert.equal(await (await fetch(link)).text(), 'small')
  await s3cmd('modify', '--add-header', 'x-amz-meta-color:blue', 's3://commanded/moved')
  assert.match(await s3cmd('info', 's3://commanded/moved'), /x-amz-meta-color: blue/)
  for (const [again, sent] of [/upload: /, /^$/].entries()) assert.match(await s3cmd('sync', 'small', 's3://commanded/synced/'), sent, String(again))
  await s3cmd('rb', '-r', 's3://commanded')
})

test('restic backs up, checks and restores', async () => {
  const restic = (...args: string[]): Promise<string> => run('/usr/bin/restic', ['-r', `s3:${cloud.url}/saved/files`, '--no-cache', ...args])
  env = { ...env, RESTIC_PASSWORD: 'a password' }
  await restic('init')
  await restic('backup', 'big', 'small')
  await restic('check', '--read-data')
  await restic('restore', 'latest', '--target', join(dir, 'restored'))
  // Names are kept with the folder in which they were.
  assert.ok((await readFile(join(dir, 'restored', 'big'))).equals(big))
  await aws('s3', 'rb', '--force', 's3://saved')
})
