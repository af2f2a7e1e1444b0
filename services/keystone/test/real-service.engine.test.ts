/** A service of the real OpenStack, Debian's Glance with its keystonemiddleware, believes this Keystone and serves its users. */
import assert from 'node:assert/strict'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startCloud } from '#cloud/start-cloud.ts'
import { findTool, freePorts, privateDir, runOnce, startDaemon, unprivileged } from '#base/test/daemon.ts'

test("Debian's Glance serves a user of this Keystone", { timeout: 180_000 }, async (t) => {
  const [api, manage] = [findTool('glance-api'), findTool('glance-manage')]
  if (!api || !manage || !existsSync('/etc/glance/glance-api-paste.ini')) return t.skip('glance-api is not installed')
  const user = unprivileged('glance')
  const { dir, remove } = await privateDir('ondol-glance-', user)
  const cloud = await startCloud({ port: 0 })
  try {
    const [port = 0] = await freePorts(1)
    await cp('/etc/glance/glance-api-paste.ini', join(dir, 'paste.ini'))
    const conf = join(dir, 'glance-api.conf')
    await writeFile(
      conf,
      `[DEFAULT]
bind_host = 127.0.0.1
bind_port = ${port}
workers = 0
use_stderr = true
log_dir =
enabled_backends = fs:file
[database]
connection = sqlite:///${dir}/glance.db
[keystone_authtoken]
www_authenticate_uri = ${cloud.url}/identity
auth_url = ${cloud.url}/identity
auth_type = password
project_domain_name = Default
user_domain_name = Default
project_name = service
username = glance
password = ${cloud.secrets.get('service:glance').reveal()}
service_token_roles_required = true
[paste_deploy]
flavor = keystone
config_file = ${dir}/paste.ini
[glance_store]
default_backend = fs
[fs]
filesystem_store_datadir = ${dir}/images
[os_glance_staging_store]
filesystem_store_datadir = ${dir}/staging
[os_glance_tasks_store]
filesystem_store_datadir = ${dir}/tasks
[oslo_concurrency]
lock_path = ${dir}
[oslo_policy]
policy_dirs = ${dir}/none
`,
      { mode: 0o644 },
    )
    await runOnce('mkdir', ['images', 'staging', 'tasks'].map((name) => join(dir, name)), user)
    await runOnce(manage, ['--config-file', conf, 'db_sync'], user)
    const url = `http://127.0.0.1:${port}`
    const daemon = await startDaemon({ tool: api, args: ['--config-file', conf], user, dir, ready: () => fetch(url), patience: 90_000 })
    try {
      const { username, password, project_name } = cloud.credentials.user
      const domain = { id: 'default' }
      const login = await cloud.fetch('/identity/v3/auth/tokens', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: username, domain, password: password.reveal() } } }, scope: { project: { name: project_name, domain } } } }),
      })
      const token = login.headers.get('x-subject-token')!
      const { project } = ((await login.json()) as { token: { project: { id: string } } }).token
      const ask = (method: string, path: string, more: Record<string, string> = {}, body?: string) => fetch(url + path, { method, headers: { 'x-auth-token': token, ...more }, ...(body === undefined ? {} : { body }) })
      assert.equal((await fetch(`${url}/v2/images`, { headers: { 'x-auth-token': 'nonsense' } })).status, 401)
      const made = await ask('POST', '/v2/images', { 'content-type': 'application/json' }, JSON.stringify({ name: 'seen', disk_format: 'raw', container_format: 'bare' }))
      const text = await made.text()
      assert.equal(made.status, 201, `${text}${await readFile(join(dir, 'console.log'), 'utf8')}`)
      const image = JSON.parse(text) as { id: string; owner: string }
      assert.equal(image.owner, project.id, 'the project comes from our token')
      assert.equal((await ask('PUT', `/v2/images/${image.id}/file`, { 'content-type': 'application/octet-stream' }, 'bytes')).status, 204)
      assert.equal(await (await ask('GET', `/v2/images/${image.id}/file`)).text(), 'bytes')
      assert.equal((await ask('PATCH', `/v2/images/${image.id}`, { 'content-type': 'application/openstack-images-v2.1-json-patch' }, JSON.stringify([{ op: 'replace', path: '/visibility', value: 'public' }]))).status, 403, 'a member is no administrator there')
    } finally {
      await daemon.stop()
    }
  } finally {
    await cloud.close()
    await remove()
  }
})
