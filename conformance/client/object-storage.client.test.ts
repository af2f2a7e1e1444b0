/** Unmodified clients of object storage against a cloud over a socket: Debian's `swift`, `openstack` and `rclone`. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

const run = (tool: string, ...args: string[]): Promise<string> => runTool({ cwd: dir, env }, tool, args)

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
  await run('rclone', 'check', '--download', '--one-way', '--include', 'big', dir, 'objects:rc/folder')
  await run('rclone', 'moveto', 'objects:rc/folder/big', 'objects:rc/moved')
  assert.equal((await run('rclone', 'lsf', '-R', 'objects:rc')).split('\n').sort().join(' ').trim(), 'folder/ folder/small moved')
  await run('rclone', 'purge', 'objects:rc')
})
