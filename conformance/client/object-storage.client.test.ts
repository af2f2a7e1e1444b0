/** Unmodified clients of object storage against a cloud over a socket: Debian's `swift`, `openstack`, openstacksdk, `restic` and `rclone`. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { startCloud } from '#cloud/start-cloud.ts'
import { pattern } from '#swift/drivers/conformance.ts'
import { runTool } from './tool.ts'

const dir = await mkdtemp(join(tmpdir(), 'ondol-objects-'))
const cloud = await startCloud({ port: 0, config: { 'seed.enabled': false } })
after(async () => {
  await cloud.close()
  await rm(dir, { recursive: true, force: true })
})
const { admin } = cloud.credentials
const env = {
  PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: dir, OS_AUTH_URL: `${cloud.url}/identity/v3`, OS_USERNAME: admin.username, OS_PASSWORD: admin.password.reveal(), OS_PROJECT_NAME: admin.project_name,
  OS_USER_DOMAIN_NAME: 'Default', OS_PROJECT_DOMAIN_NAME: 'Default', OS_REGION_NAME: cloud.credentials.region, OS_IDENTITY_API_VERSION: '3', RCLONE_CONFIG: join(dir, 'rclone.conf'),
}
const big = pattern(12_000_000)
await writeFile(join(dir, 'big'), big)
await writeFile(join(dir, 'small'), 'small')
await writeFile(env.RCLONE_CONFIG, '[objects]\ntype = swift\nenv_auth = true\n')

const run = (tool: string, ...given: (string | Record<string, string>)[]): Promise<string> => runTool({ cwd: dir, env: given.find((one) => typeof one === 'object') ?? env }, tool, given.filter((one) => typeof one === 'string'))

test('swift: large objects of both kinds, temporary URLs, metadata, deletion', async () => {
  for (const kind of ['--use-slo', '--changed']) {
    await run('swift', 'upload', ...(kind === '--use-slo' ? [kind] : []), '--segment-size', '5000000', 'box', 'big', '--object-name', `big${kind}`)
    await run('swift', 'download', 'box', `big${kind}`, '-o', 'back')
    assert.ok((await readFile(join(dir, 'back'))).equals(big))
  }
  assert.equal(await run('swift', 'list', 'box'), 'big--changed\nbig--use-slo\n')
  await run('swift', 'post', '-m', 'Color:blue', 'box', 'big--use-slo')
  assert.match(await run('swift', 'stat', 'box', 'big--use-slo'), /Meta Color: blue[^]*12000000|12000000[^]*Meta Color: blue/)
  await run('swift', 'post', '-H', 'X-Account-Meta-Temp-URL-Key: k')
  const storage = /^export OS_STORAGE_URL=(\S+)/m.exec(await run('swift', 'auth'))![1]!
  const path = (await run('swift', 'tempurl', 'GET', '60', `${new URL(storage).pathname}/box/big--use-slo`, 'k')).trim()
  const got = await fetch(cloud.url + path)
  assert.ok(Buffer.from(await got.arrayBuffer()).equals(big))
  await run('swift', 'delete', 'box')
  assert.equal(await run('swift', 'list', 'box_segments'), '')
})

test('swift: folders as they are on the disk, and nothing sent twice', async () => {
  const names = ['a.txt', 'empty', 'deep/er/ü % & ? # + c', '한글 폴더/가나다.txt', 'quote\'"<>']
  for (const name of names) {
    await mkdir(join(dir, 'tree', dirname(name)), { recursive: true })
    await writeFile(join(dir, 'tree', name), name === 'empty' ? '' : name)
  }
  await mkdir(join(dir, 'tree', 'hollow'))
  await run('swift', 'upload', 'forest', 'tree')
  assert.deepEqual((await run('swift', 'list', 'forest')).trim().split('\n').sort(), [...names, 'hollow'].map((name) => `tree/${name}`).sort())
  assert.equal(await run('swift', 'list', 'forest', '--delimiter', '/', '--prefix', 'tree/deep/'), 'tree/deep/er/\n')
  const first = await run('swift', 'stat', 'forest', 'tree/a.txt')
  for (const flag of ['--changed', '--skip-identical']) await run('swift', 'upload', flag, 'forest', 'tree')
  assert.equal(/X-Timestamp: (\S+)/.exec(await run('swift', 'stat', 'forest', 'tree/a.txt'))![1], /X-Timestamp: (\S+)/.exec(first)![1])
  await run('swift', 'download', 'forest', '--prefix', 'tree/', '--remove-prefix', '-D', join(dir, 'grown'))
  for (const name of names) assert.equal(await readFile(join(dir, 'grown', name), 'utf8'), name === 'empty' ? '' : name)
  assert.equal(await run('swift', 'download', 'forest', 'tree/a.txt', '-o', '-', '-H', 'Range: bytes=0-1'), 'a.')
  await run('swift', 'copy', 'forest', 'tree/a.txt', '-d', '/felled/b', '-m', 'Kind:oak')
  assert.match(await run('swift', 'stat', 'felled', 'b'), /Meta Kind: oak/)
  await run('swift', 'delete', '--all')
  assert.equal(await run('swift', 'list'), '')
})

test('swift: versions, temporary URLs of every kind, and an application credential', async () => {
  await run('swift', 'post', 'vers', '-H', 'X-Versions-Enabled: true')
  for (const file of ['small', 'big']) await run('swift', 'upload', 'vers', file, '--object-name', 'v')
  const listed = JSON.parse(await run('swift', 'list', 'vers', '--versions', '-j')) as { version_id: string }[]
  assert.equal(await run('swift', 'download', 'vers', 'v', '--version-id', listed.at(-1)!.version_id, '-o', '-'), 'small')
  await run('swift', 'post', '-m', 'Temp-URL-Key:k')
  const storage = /^export OS_STORAGE_URL=(\S+)/m.exec(await run('swift', 'auth'))![1]!
  const link = async (...args: string[]): Promise<string> => (await run('swift', 'tempurl', ...args, 'k')).trim()
  for (const flags of [['--prefix-based'], ['--ip-range', '127.0.0.0/8', '--iso8601', '--digest', 'sha512']]) assert.equal((await fetch(await link(...flags, 'HEAD', '60', `${storage}/vers/v`), { method: 'HEAD' })).status, 200, flags.join(' '))
  assert.equal((await fetch(await link('--ip-range', '192.0.2.1', 'GET', '60', `${storage}/vers/v`))).status, 401)
  await run('swift', 'delete', 'vers', '--versions')
  const made = JSON.parse(await run('openstack', 'application', 'credential', 'create', 'for-swift', '-f', 'json')) as { id: string; secret: string }
  const { OS_USERNAME: _, OS_PASSWORD: __, OS_PROJECT_NAME: ___, OS_USER_DOMAIN_NAME: ____, OS_PROJECT_DOMAIN_NAME: _____, ...bare } = env
  assert.equal(await run('swift', { ...bare, OS_AUTH_TYPE: 'v3applicationcredential', OS_APPLICATION_CREDENTIAL_ID: made.id, OS_APPLICATION_CREDENTIAL_SECRET: made.secret }, 'list'), '')
})

test('openstacksdk: large objects of both kinds, whether they are stale, forms', async () => {
  assert.match(await run('/usr/bin/python3', '-W', 'ignore', join(import.meta.dirname, 'object-sdk.py')), /fine/)
})

test('restic over Swift', async () => {
  const restic = (...args: string[]): Promise<string> => run('restic', { ...env, RESTIC_PASSWORD: 'a password' }, '-r', 'swift:saved:/files', '--no-cache', ...args)
  await restic('init')
  await restic('backup', 'big', 'small')
  await restic('forget', '--keep-last', '1', '--prune')
  await restic('check', '--read-data')
  await restic('restore', 'latest', '--target', join(dir, 'restored'))
  assert.ok((await readFile(join(dir, 'restored', 'big'))).equals(big))
  await run('rclone', 'purge', 'objects:saved')
})

test('openstack: containers and objects', async () => {
  await run('openstack', 'container', 'create', 'oc')
  await run('openstack', 'object', 'create', 'oc', 'small')
  await run('openstack', 'object', 'save', 'oc', 'small', '--file', 'saved')
  assert.equal(await readFile(join(dir, 'saved'), 'utf8'), 'small')
  await run('openstack', 'object', 'delete', 'oc', 'small')
  await run('openstack', 'container', 'delete', 'oc')
})

test('rclone: copies, checks every byte, moves and purges', async () => {
  await run('rclone', '--swift-chunk-size', '5M', 'copy', 'big', 'objects:rc/folder')
  await run('rclone', 'copy', 'small', 'objects:rc/folder')
  await run('rclone', 'check', '--download', '--one-way', '--include', '/big', dir, 'objects:rc/folder')
  await run('rclone', 'moveto', 'objects:rc/folder/big', 'objects:rc/moved')
  assert.equal((await run('rclone', 'lsf', '-R', 'objects:rc')).split('\n').sort().join(' ').trim(), 'folder/ folder/small moved')
  for (let again = 0; again < 2; again++) {
    await run('rclone', 'sync', 'tree', 'objects:rc')
    assert.doesNotMatch(await run('rclone', 'sync', '--dry-run', '-v', '--log-file', 'rclone.log', 'tree', 'objects:rc').then(() => readFile(join(dir, 'rclone.log'), 'utf8')), /Skipped (copy|delete|update)/)
  }
  await run('rclone', 'purge', 'objects:rc')
})
