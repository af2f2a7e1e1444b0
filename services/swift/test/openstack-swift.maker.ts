/**
 * Debian's own OpenStack Swift: one proxy, one server each of accounts, containers and objects, one device, below one folder and on loopback. Needs root,
 * because Swift reads `/etc/swift/swift.conf` wherever it is told to look: each process sees our folder in that place.
 */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Daemon, findTool, freePorts, privateDir, startDaemon } from '#base/test/daemon.ts'

const run = promisify(execFile)

export interface OpenStackSwift {
  url: string
  stop(): Promise<void>
}

/** A Keystone, and its user as whom Swift asks it about tokens. */
export interface KeystoneOfSwift {
  url: string
  username: string
  password: string
  project_name: string
}

/** Asks `keystone` about tokens and about signatures of S3. Undefined where Swift is not installed, or this is not root. */
export async function startSwift(keystone: KeystoneOfSwift): Promise<OpenStackSwift | undefined> {
  const tools = ['proxy', 'account', 'container', 'object'].map((name) => findTool(`swift-${name}-server`))
  const [builder, unshare] = [findTool('swift-ring-builder'), findTool('unshare')]
  if (tools.includes(undefined) || !builder || !unshare || process.getuid?.() !== 0) return undefined
  const { dir, remove } = await privateDir('ondol-openstack-swift-')
  const at = (name: string): string => join(dir, name)
  const [proxy = 0, account = 0, container = 0, object = 0] = await freePorts(4)
  const ports = { proxy, account, container, object }
  await mkdir(at('devices/one'), { recursive: true })
  await writeFile(at('swift.conf'), '[swift-hash]\nswift_hash_path_suffix = suffix\nswift_hash_path_prefix = prefix\n[storage-policy:0]\nname = Policy-0\ndefault = yes\n')
  const auth = Object.entries({ auth_type: 'password', auth_url: keystone.url, username: keystone.username, password: keystone.password, project_name: keystone.project_name, user_domain_id: 'default', project_domain_id: 'default' }).map(([key, value]) => `${key} = ${value}`).join('\n')
  const simple = ['catch_errors', 'gatekeeper', 'healthcheck', 'listing_formats', 'bulk', 'tempurl', 'copy', 'container_quotas', 'account_quotas', 'slo', 'dlo', 'symlink'].map((name) => `[filter:${name}]\nuse = egg:swift#${name}`).join('\n')
  await writeFile(at('proxy-server.conf'), `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${proxy}
workers = 0
user = root
swift_dir = ${dir}
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck listing_formats bulk tempurl authtoken s3api s3token keystoneauth copy container_quotas account_quotas slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = ${keystone.url}
delay_auth_decision = true
${auth}
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member
reseller_admin_role = ResellerAdmin
[filter:s3api]
use = egg:swift#s3api
[filter:s3token]
use = egg:swift#s3token
auth_uri = ${keystone.url}/v3
delay_auth_decision = true
${auth}
${simple}
`)
  const running: Daemon[] = []
  const stop = async (): Promise<void> => {
    for (const one of running.reverse()) await one.stop()
    await remove()
  }
  try {
    for (const name of ['account', 'container', 'object'] as const) {
      await run(builder, [at(`${name}.builder`), 'create', '2', '1', '0'])
      await run(builder, [at(`${name}.builder`), 'add', `r1z1-127.0.0.1:${ports[name]}/one`, '1'])
      await run(builder, [at(`${name}.builder`), 'rebalance'])
      await writeFile(at(`${name}-server.conf`), `[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = ${ports[name]}\nworkers = 0\nuser = root\nswift_dir = ${dir}\ndevices = ${at('devices')}\nmount_check = false\n[pipeline:main]\npipeline = healthcheck ${name}-server\n[app:${name}-server]\nuse = egg:swift#${name}\n[filter:healthcheck]\nuse = egg:swift#healthcheck\n`)
    }
    for (const [i, name] of (['proxy', 'account', 'container', 'object'] as const).entries()) {
      const ready = async (): Promise<void> => {
        const answer = await fetch(`http://127.0.0.1:${ports[name]}/healthcheck`)
        if (!answer.ok) throw new Error(`swift-${name}-server answered ${answer.status}`)
      }
      const line = `mount --bind '${dir}' /etc/swift && exec '${tools[i]!}' '${at(`${name}-server.conf`)}' --verbose`
      running.push(await startDaemon({ tool: unshare, args: ['--mount', 'sh', '-c', line], dir, ready }))
    }
  } catch (thrown) {
    await stop()
    throw thrown
  }
  return { url: `http://127.0.0.1:${proxy}`, stop }
}
