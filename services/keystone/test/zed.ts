/** Debian's Keystone itself, on loopback with a database of its own. Undefined when it is not installed. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findTool, freePorts, privateDir, runOnce, startDaemon, unprivileged } from '#base/test/daemon.ts'
import { selfSigned } from './certificate.ts'

export interface Zed {
  /** Ends in `/v3`. */
  url: string
  fernetKeys: string
  credentialKeys: string
  /** Of the key with which it signs assertions for other clouds, as `https://zed.example/idp`; needs xmlsec1. */
  samlCertificate: string
  stop(): Promise<void>
}

export const ZED_ADMIN = 'zed-secret'

/** One process, one thread: Keystone's own application behind Python's plain server. */
const SERVER = (port: number): string => `
from wsgiref.simple_server import make_server
from keystone.server.wsgi import initialize_public_application
make_server('127.0.0.1', ${port}, initialize_public_application()).serve_forever()
`

/** `database`: URL as ours, `mariadb://…`. */
export async function startZed(database: string): Promise<Zed | undefined> {
  const manage = findTool('keystone-manage')
  const python = findTool('python3', ['/usr/bin'])
  if (!manage || !python) return undefined
  const user = unprivileged('keystone')
  const { dir, remove } = await privateDir('ondol-zed-', user)
  try {
    const [port = 0] = await freePorts(1)
    const [fernetKeys, credentialKeys] = [join(dir, 'fernet'), join(dir, 'credential')]
    const conf = join(dir, 'keystone.conf')
    const saml = selfSigned('zed')
    await writeFile(join(dir, 'saml.key'), saml.key, { mode: 0o644 })
    await writeFile(join(dir, 'saml.crt'), saml.certificate, { mode: 0o644 })
    await writeFile(
      conf,
      `[DEFAULT]\nlog_dir =\nuse_stderr = true\n[database]\nconnection = ${database.replace(/^mariadb:/, 'mysql+pymysql:')}?charset=utf8\n[fernet_tokens]\nkey_repository = ${fernetKeys}\n[credential]\nkey_repository = ${credentialKeys}\n[identity]\npassword_hash_rounds = 4\n[cache]\nenabled = false\n[saml]\nkeyfile = ${dir}/saml.key\ncertfile = ${dir}/saml.crt\nidp_entity_id = https://zed.example/idp\nidp_sso_endpoint = https://zed.example/sso\n`,
      { mode: 0o644 },
    )
    const run = (...args: string[]) => runOnce(manage, ['--config-file', conf, ...args], user)
    await runOnce('mkdir', [fernetKeys, credentialKeys], user)
    await run('db_sync')
    await run('fernet_setup')
    await run('credential_setup')
    await run('bootstrap', '--bootstrap-password', ZED_ADMIN, '--bootstrap-region-id', 'RegionOne', '--bootstrap-public-url', `http://127.0.0.1:${port}/v3`)
    const url = `http://127.0.0.1:${port}/v3`
    const daemon = await startDaemon({ tool: python, args: ['-c', SERVER(port)], user, dir, env: { OS_KEYSTONE_CONFIG_FILES: conf }, ready: () => fetch(url) })
    return {
      url,
      fernetKeys,
      credentialKeys,
      samlCertificate: saml.certificate,
      async stop() {
        await daemon.stop()
        await remove()
      },
    }
  } catch (thrown) {
    await remove()
    throw thrown
  }
}
