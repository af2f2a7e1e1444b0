/** Programs of Debian that keep their things in the object store, each through both doors where it knows both. `./ondol test programs`. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { freePorts, startDaemon } from '#base/test/daemon.ts'
import { glanceConfig } from './glance.ts'
import { type Place, startPlace } from './place.ts'

let place: Place
before(async () => {
  place = await startPlace()
})
after(() => place?.close())

const bucket = (name: string): Promise<string> => place.run('/usr/bin/aws', ['--endpoint-url', place.s3.url, 's3', 'mb', `s3://${name}`], { ...keys(), AWS_DEFAULT_REGION: 'us-east-1' })
const keys = (): Record<string, string> => ({ AWS_ACCESS_KEY_ID: place.s3.access, AWS_SECRET_ACCESS_KEY: place.s3.secret })

async function folder(name: string): Promise<string> {
  const path = join(place.dir, name)
  await mkdir(path, { recursive: true })
  return path
}

test('duplicity: full and incremental backups, verified and restored', async () => {
  const os = place.openstack
  const swift = {
    SWIFT_AUTHURL: os.OS_AUTH_URL!, SWIFT_AUTHVERSION: '3', SWIFT_USERNAME: os.OS_USERNAME!, SWIFT_PASSWORD: os.OS_PASSWORD!, SWIFT_TENANTNAME: os.OS_PROJECT_NAME!,
    SWIFT_USER_DOMAIN_NAME: 'Default', SWIFT_PROJECT_DOMAIN_NAME: 'Default', SWIFT_REGIONNAME: os.OS_REGION_NAME!,
  }
  await bucket('duplicity')
  for (const [url, env, flags] of [['swift://duplicity-swift', swift, []], ['boto3+s3://duplicity/x', keys(), ['--s3-endpoint-url', place.s3.url]]] as const) {
    const source = await folder('source')
    await writeFile(join(source, 'big'), place.big)
    const duplicity = (...args: string[]): Promise<string> => place.run('duplicity', [...flags, '--archive-dir', join(place.dir, 'archive'), '--no-encryption', '--volsize', '5', ...args], env)
    await duplicity('full', source, url)
    await writeFile(join(source, 'ü'), 'new')
    await duplicity('incr', source, url)
    await duplicity('verify', url, source)
    await rm(join(place.dir, 'archive'), { recursive: true })
    await duplicity('restore', url, join(place.dir, 'restored'))
    assert.ok((await readFile(join(place.dir, 'restored', 'big'))).equals(place.big))
    assert.equal(await readFile(join(place.dir, 'restored', 'ü'), 'utf8'), 'new')
    await duplicity('full', source, url)
    await duplicity('remove-all-but-n-full', '1', '--force', url)
    for (const gone of ['restored', 'archive', 'source']) await rm(join(place.dir, gone), { recursive: true })
  }
})

test('docker-registry: layers in chunks, manifests, mounts, redirects to signed links', async () => {
  const os = place.openstack
  await bucket('registry')
  const stores = {
    s3: `{accesskey: ${place.s3.access}, secretkey: ${place.s3.secret}, region: us-east-1, regionendpoint: '${place.s3.url}', bucket: registry, secure: false, v4auth: true, chunksize: 5242880, rootdirectory: /root}`,
    swift: `{authurl: '${os.OS_AUTH_URL}', username: ${os.OS_USERNAME}, password: '${os.OS_PASSWORD}', tenant: ${os.OS_PROJECT_NAME}, domain: Default, tenantdomain: Default, region: ${os.OS_REGION_NAME}, container: registry-swift, chunksize: 5242880, authversion: 3}`,
  }
  for (const [kind, store] of Object.entries(stores)) {
    const [port = 0] = await freePorts(1)
    const dir = await folder(`registry-${kind}`)
    await writeFile(join(dir, 'config.yml'), `version: 0.1\nlog: {level: error}\nstorage: {${kind}: ${store}, delete: {enabled: true}}\nhttp: {addr: '127.0.0.1:${port}', secret: x}\n`)
    const url = `http://127.0.0.1:${port}/v2`
    const daemon = await startDaemon({ tool: '/usr/bin/docker-registry', args: ['serve', join(dir, 'config.yml')], dir, ready: async () => void (await fetch(`${url}/`)) })
    try {
      const push = async (data: Buffer, size: number): Promise<string> => {
        let at = (await fetch(`${url}/img/blobs/uploads/`, { method: 'POST' })).headers.get('location')!
        for (let from = 0; from < data.length; from += size) {
          const part = data.subarray(from, from + size)
          const sent = await fetch(at, { method: 'PATCH', body: new Uint8Array(part), headers: { 'content-type': 'application/octet-stream', 'content-range': `${from}-${from + part.length - 1}` } })
          assert.equal(sent.status, 202, `${kind}: ${await sent.text()}`)
          at = sent.headers.get('location')!
        }
        const digest = `sha256:${createHash('sha256').update(data).digest('hex')}`
        assert.equal((await fetch(`${at}&digest=${digest}`, { method: 'PUT' })).status, 201)
        return digest
      }
      const digest = await push(place.big, 6_000_000)
      const config = await push(Buffer.from('{}'), 10)
      assert.ok(Buffer.from(await (await fetch(`${url}/img/blobs/${digest}`)).arrayBuffer()).equals(place.big), kind)
      const type = 'application/vnd.docker.distribution.manifest.v2+json'
      const manifest = JSON.stringify({ schemaVersion: 2, mediaType: type, config: { mediaType: 'application/vnd.docker.container.image.v1+json', size: 2, digest: config }, layers: [{ mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', size: place.big.length, digest }] })
      assert.equal((await fetch(`${url}/img/manifests/latest`, { method: 'PUT', body: manifest, headers: { 'content-type': type } })).status, 201)
      assert.equal(await (await fetch(`${url}/img/manifests/latest`, { headers: { accept: type } })).text(), manifest)
      assert.deepEqual(((await (await fetch(`${url}/img/tags/list`)).json()) as { tags: string[] }).tags, ['latest'])
      assert.equal((await fetch(`${url}/other/blobs/uploads/?mount=${digest}&from=img`, { method: 'POST' })).status, 201)
      assert.equal((await fetch(`${url}/img/blobs/${digest}`, { method: 'DELETE' })).status, 202)
    } finally {
      await daemon.stop()
    }
  }
})

test('s3fs: a bucket as a folder', { skip: !existsSync('/dev/fuse') || process.getuid?.() !== 0 }, async () => {
  await bucket('mounted')
  const at = await folder('mount')
  await writeFile(join(place.dir, 'keys'), `${place.s3.access}:${place.s3.secret}`, { mode: 0o600 })
  await place.run('s3fs', ['mounted', at, '-o', `passwd_file=${join(place.dir, 'keys')},url=${place.cloud.url},use_path_request_style,multipart_size=5,enable_noobj_cache`])
  try {
    const sh = (script: string): Promise<string> => place.run('/bin/sh', ['-ec', `cd ${at}; ${script}`])
    await sh('mkdir -p a/b; cp ../big a/big; cp a/big a/b/copy; mv a/b/copy moved; cmp moved ../big')
    assert.equal(await sh('echo one > a/b/c; echo two >> a/b/c; chmod 640 a/b/c; ln -s a/b/c link; cat link; stat -c %a a/b/c'), 'one\ntwo\n640\n')
    await sh('truncate -s 5000000 a/big; mv a c; cmp -n 5000000 c/big ../big')
    assert.equal((await stat(join(at, 'c', 'big'))).size, 5_000_000)
    await sh('rm -r c link moved')
    assert.equal(await sh('ls -A'), '')
  } finally {
    await place.run('umount', [at])
  }
})

test("Glance itself: images in one account, in each project's own, and in S3, whole and in segments", async () => {
  const run = (...args: string[]): Promise<string> => place.run('openstack', args, place.openstack)
  await run('user', 'create', 'imager', '--password', 'secret', '--project', 'service')
  for (const role of ['admin', 'ResellerAdmin']) await run('role', 'add', role, '--user', 'imager', '--project', 'service')
  for (const kind of ['swift', 'swift-each', 's3'] as const) {
    const dir = await folder(`glance-${kind}`)
    const [port = 0] = await freePorts(1)
    const config = await glanceConfig(kind, { dir, port, place, user: { name: 'imager', password: 'secret' } })
    await place.run('glance-manage', ['--config-file', config, 'db_sync'])
    const url = `http://127.0.0.1:${port}/v2/images`
    const daemon = await startDaemon({ tool: '/usr/bin/glance-api', args: ['--config-file', config], dir, ready: async () => void (await fetch(url)) })
    try {
      const headers = { 'x-auth-token': place.token, 'content-type': 'application/octet-stream' }
      for (const size of [1000, place.big.length]) {
        const { id } = (await (await fetch(url, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify({ name: kind, disk_format: 'raw', container_format: 'bare' }) })).json()) as { id: string }
        const sent = await fetch(`${url}/${id}/file`, { method: 'PUT', headers, body: new Uint8Array(place.big.subarray(0, size)) })
        assert.equal(sent.status, 204, `${kind}: ${await sent.text()}`)
        assert.ok(Buffer.from(await (await fetch(`${url}/${id}/file`, { headers })).arrayBuffer()).equals(place.big.subarray(0, size)), kind)
        assert.equal((await fetch(`${url}/${id}`, { method: 'DELETE', headers })).status, 204)
      }
    } finally {
      await daemon.stop()
    }
  }
})
