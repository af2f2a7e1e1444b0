/** OpenStack's own Swift in the catalog in the place of ours, with our Keystone in front: users, roles, ACLs and keys of S3 hold there. `./ondol test swift`. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { startCloud } from '#cloud/start-cloud.ts'
import { startSwift } from '#swift/test/openstack-swift.maker.ts'

// The tests know what they asked for.
// oxlint-disable-next-line no-explicit-any
type Json = any

const run = promisify(execFile)
const cloud = await startCloud({})
after(() => cloud.close())
const { admin, user: demo } = cloud.credentials
const dir = await mkdtemp(join(tmpdir(), 'ondol-behind-'))
after(() => rm(dir, { recursive: true, force: true }))

interface Login { username: string; password: string; project_name: string }

/** As the command line logs in, whatever the shell around has been told of other clouds. */
const env = ({ username, password, project_name }: Login): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH, HOME: dir, OS_AUTH_URL: `${cloud.url}/identity/v3`, OS_IDENTITY_API_VERSION: '3', OS_AUTH_VERSION: '3', OS_USERNAME: username, OS_PASSWORD: password, OS_PROJECT_NAME: project_name, OS_USER_DOMAIN_ID: 'default', OS_PROJECT_DOMAIN_ID: 'default',
})
const root: Login = { ...admin, password: admin.password.reveal() }
const owner: Login = { ...demo, password: demo.password.reveal() }

async function login({ username, password, project_name }: Login): Promise<{ token: string; project: string; user: string; catalog: Json[] }> {
  const answer = await fetch(`${cloud.url}/identity/v3/auth/tokens`, {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: username, domain: { name: 'Default' }, password } } }, scope: { project: { name: project_name, domain: { name: 'Default' } } } } }),
  })
  assert.equal(answer.status, 201)
  const { token } = (await answer.json()) as Json
  return { token: answer.headers.get('x-subject-token')!, project: token.project.id, user: token.user.id, catalog: token.catalog }
}

const asAdmin = (await login(root)).token
async function keystone(method: string, path: string, body?: object): Promise<Json> {
  const answer = await fetch(`${cloud.url}/identity/v3${path}`, { method, headers: { 'x-auth-token': asAdmin, 'content-type': 'application/json' }, ...(body ? { body: JSON.stringify(body) } : {}) })
  assert.ok(answer.ok, `${method} ${path} answered ${answer.status}`)
  return answer.status === 204 ? undefined : answer.json()
}

/** A user of Keystone with a role in a project; both are made when they are not there. */
async function userWith(name: string, projectName: string, roleName: string): Promise<Login> {
  const role = (await keystone('GET', `/roles?name=${roleName}`)).roles[0] ?? (await keystone('POST', '/roles', { role: { name: roleName } })).role
  const project = (await keystone('GET', `/projects?name=${projectName}`)).projects[0] ?? (await keystone('POST', '/projects', { project: { name: projectName, domain_id: 'default' } })).project
  const { user } = await keystone('POST', '/users', { user: { name, password: 'secret-of-the-test', domain_id: 'default' } })
  await keystone('PUT', `/projects/${project.id}/users/${user.id}/roles/${role.id}`)
  return { username: name, password: 'secret-of-the-test', project_name: projectName }
}

const service = await userWith('outside-swift', 'service', 'service')
const swift = await startSwift({ url: `${cloud.url}/identity`, ...service })

if (!swift) test('Swift is not installed, or this is not root', { skip: true }, () => {})
else {
  after(() => swift.stop())
  const { services } = await keystone('GET', '/services?type=object-store')
  const { endpoints } = await keystone('GET', `/endpoints?service_id=${services[0].id}`)
  for (const { id } of endpoints) await keystone('PATCH', `/endpoints/${id}`, { endpoint: { url: `${swift.url}/v1/AUTH_%(project_id)s` } })
  const me = await login(owner)
  const at = (project: string): string => `${swift.url}/v1/AUTH_${project}`
  const ask = (method: string, url: string, token: string | undefined, options: { headers?: Record<string, string>; body?: string } = {}): Promise<Response> =>
    fetch(url, { method, headers: { ...(token === undefined ? {} : { 'x-auth-token': token }), ...options.headers }, ...(options.body === undefined ? {} : { body: options.body }) })

  test('the catalog names it, and the unmodified commands store and fetch there', async () => {
    assert.equal(me.catalog.find((one) => one.type === 'object-store').endpoints.find((one: Json) => one.interface === 'public').url, at(me.project))
    await writeFile(join(dir, 'one.txt'), 'bytes in Swift')
    const cli = (...args: string[]): Promise<{ stdout: string }> => run('openstack', args, { env: env(owner), cwd: dir })
    await cli('container', 'create', 'photos')
    await cli('object', 'create', 'photos', 'one.txt')
    assert.deepEqual(JSON.parse((await cli('object', 'list', 'photos', '-f', 'json')).stdout).map((one: Json) => one.Name), ['one.txt'])
    await cli('object', 'save', 'photos', 'one.txt', '--file', join(dir, 'back.txt'))
    assert.equal(await readFile(join(dir, 'back.txt'), 'utf8'), 'bytes in Swift')
    const { stdout } = await run('swift', ['stat', 'photos'], { env: env(owner), cwd: dir })
    assert.match(stdout, /Objects: 1/)
  })

  test('roles of ours decide: a member owns his account, a stranger does not, an ACL lets him in, a reseller admin may everywhere', async () => {
    const stranger = await userWith('stranger', 'elsewhere', 'member')
    const they = await login(stranger)
    const box = `${at(me.project)}/shared`
    assert.equal((await ask('PUT', box, me.token)).status, 201)
    assert.equal((await ask('PUT', `${box}/o`, me.token, { body: 'shared' })).status, 201)
    assert.equal((await ask('GET', `${box}/o`, they.token)).status, 403)
    assert.equal((await ask('GET', `${box}/o`, undefined)).status, 401)
    assert.equal((await ask('GET', `${box}/o`, 'gAAAAno-token-of-anybody')).status, 401)
    for (const acl of [`${they.project}:${they.user}`, 'elsewhere:stranger', '*:stranger', `${they.project}:*`]) {
      assert.equal((await ask('POST', box, me.token, { headers: { 'x-container-read': acl } })).status, 204)
      const got = await ask('GET', `${box}/o`, they.token)
      assert.equal(`${got.status} ${await got.text()}`, '200 shared', acl)
      assert.equal((await ask('PUT', `${box}/mine`, they.token, { body: 'x' })).status, 403)
    }
    assert.equal((await ask('POST', box, me.token, { headers: { 'x-container-read': 'elsewhere:somebody' } })).status, 204)
    assert.equal((await ask('GET', `${box}/o`, they.token)).status, 403)
    const reseller = await login(await userWith('reseller', 'sellers', 'ResellerAdmin'))
    assert.equal((await ask('GET', `${box}/o`, reseller.token)).status, 200)
    assert.equal((await ask('POST', at(they.project), reseller.token, { headers: { 'x-account-meta-quota-bytes': '10' } })).status, 204)
  })

  test('keys of S3 that our Keystone gave open its S3 door', async () => {
    const made = await ask('POST', `${cloud.url}/identity/v3/users/${me.user}/credentials/OS-EC2`, me.token, { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ tenant_id: me.project }) })
    const { credential } = (await made.json()) as Json
    const script = `
import boto3, sys
from botocore.config import Config
from botocore.exceptions import ClientError
def door(secret): return boto3.client('s3', endpoint_url=sys.argv[1], aws_access_key_id=sys.argv[2], aws_secret_access_key=secret, region_name='us-east-1', config=Config(s3={'addressing_style': 'path'}))
s3 = door(sys.argv[3])
s3.create_bucket(Bucket='bucket')
s3.put_object(Bucket='bucket', Key='a/key', Body=b'by s3')
print(s3.get_object(Bucket='bucket', Key='a/key')['Body'].read().decode(), [b['Name'] for b in s3.list_buckets()['Buckets'] if b['Name'] == 'bucket'])
try: door('wrong').list_buckets()
except ClientError as e: print(e.response['Error']['Code'])
`
    const { stdout } = await run('python3', ['-c', script, swift.url, credential.access, credential.secret], { env: { ...process.env, PATH: `/usr/bin:${process.env.PATH}` } })
    assert.match(stdout, /by s3 \['bucket'\]/)
    assert.match(stdout, /SignatureDoesNotMatch|AccessDenied|InvalidAccessKeyId/)
    // Both doors show the same object.
    assert.equal(await (await ask('GET', `${at(me.project)}/bucket/a/key`, me.token)).text(), 'by s3')
  })
}
