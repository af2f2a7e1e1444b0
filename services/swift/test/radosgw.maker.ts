/** The smallest Ceph with an object gateway: one monitor, one OSD in memory, one radosgw, on loopback ports and below one folder. Needs root. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Daemon, findTool, freePorts, privateDir, startDaemon } from '#base/test/daemon.ts'

const run = promisify(execFile)

export interface Radosgw {
  url: string
  access_key: string
  secret_key: string
  /** Milliseconds until it answered. */
  startedIn: number
  /** Ends the gateway as a power cut would, and starts it again. */
  kill(): Promise<void>
  restart(): Promise<void>
  stop(): Promise<void>
}

/** `settings`: further lines for the gateway. Undefined where it is not installed. */
export async function startRadosgw(settings: readonly string[] = []): Promise<Radosgw | undefined> {
  const [mon, osd, rgw] = ['ceph-mon', 'ceph-osd', 'radosgw'].map((name) => findTool(name))
  if (!mon || !osd || !rgw || process.getuid?.() !== 0) return undefined
  const began = performance.now()
  const { dir, remove } = await privateDir('ondol-ceph-')
  const at = (name: string): string => join(dir, name)
  const [v2 = 0, v1 = 0, port = 0] = await freePorts(3)
  const fsid = randomUUID()
  for (const name of ['mon', 'osd', 'rgw', 'run']) await mkdir(at(name))
  await writeFile(
    at('ceph.conf'),
    `[global]
fsid = ${fsid}
mon_host = [v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}]
public_network = 127.0.0.0/8
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
run_dir = ${at('run')}
admin_socket = ${at('run')}/$name.$pid.asok
pid_file = ${at('run')}/$name.pid
log_file = ${at('run')}/$name.log
keyring = ${at('admin.keyring')}
mon_data = ${at('mon')}
osd_data = ${at('osd')}
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_allow_pool_delete = true
mon_max_pg_per_osd = 1000
mon_osd_full_ratio = 0.99
[osd]
keyring = ${at('osd')}/keyring
[client.rgw.a]
keyring = ${at('rgw.keyring')}
rgw_data = ${at('rgw')}
rgw_frontends = beast endpoint=127.0.0.1:${port}
${settings.join('\n')}
`,
  )
  const conf = ['-c', at('ceph.conf')]
  const ceph = (...args: string[]): Promise<{ stdout: string }> => run('ceph', [...conf, '--connect-timeout', '20', ...args], { timeout: 120_000 })
  const running: Daemon[] = []
  const stopAll = async (): Promise<void> => {
    for (const one of running.reverse()) await one.stop()
    await remove()
  }
  try {
    await run('ceph-authtool', ['--create-keyring', at('admin.keyring'), '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *'])
    await run('ceph-authtool', [at('admin.keyring'), '--gen-key', '-n', 'client.admin', '--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *', '--cap', 'mgr', 'allow *', '--cap', 'mds', 'allow *'])
    await run('monmaptool', ['--create', '--addv', 'a', `[v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}]`, '--fsid', fsid, at('monmap')])
    await run(mon, [...conf, '--mkfs', '-i', 'a', '--monmap', at('monmap'), '--keyring', at('admin.keyring')])
    running.push(await startDaemon({ tool: mon, args: [...conf, '-f', '-i', 'a'], dir, ready: () => ceph('-s') }))
    const id = randomUUID()
    const { stdout: key } = await run('ceph-authtool', ['--gen-print-key'])
    await writeFile(at('osd.json'), JSON.stringify({ cephx_secret: key.trim() }))
    await ceph('osd', 'new', id, '-i', at('osd.json'))
    await writeFile(at('osd/keyring'), `[osd.0]\n key = ${key.trim()}\n`)
    await run(osd, [...conf, '-i', '0', '--mkfs', '--osd-uuid', id])
    running.push(await startDaemon({ tool: osd, args: [...conf, '-f', '-i', '0'], dir, ready: async () => {
      const state = JSON.parse((await ceph('osd', 'stat', '--format', 'json')).stdout) as { num_up_osds: number }
      if (state.num_up_osds !== 1) throw new Error('the OSD is not up')
    } }))
    await ceph('auth', 'get-or-create', 'client.rgw.a', 'mon', 'allow rw', 'osd', 'allow rwx', '-o', at('rgw.keyring'))
    const url = `http://127.0.0.1:${port}`
    const start = (): Promise<Daemon> => startDaemon({ tool: rgw, args: [...conf, '-f', '-n', 'client.rgw.a', '--setuser', 'root', '--setgroup', 'root'], dir, patience: 180_000, ready: () => fetch(url).then((answer) => answer.arrayBuffer()) })
    let gateway = await start()
    running.push(gateway)
    const [access_key, secret_key] = ['ondol', 'of no use outside of this test']
    await run('radosgw-admin', [...conf, '-n', 'client.rgw.a', 'user', 'create', '--uid=ondol', '--display-name=ondol', `--access-key=${access_key}`, `--secret-key=${secret_key}`], { timeout: 120_000 })
    return {
      url, access_key, secret_key, startedIn: Math.round(performance.now() - began),
      kill: () => gateway.kill(),
      async restart() {
        running.splice(running.indexOf(gateway), 1)
        gateway = await start()
        running.push(gateway)
      },
      stop: stopAll,
    }
  } catch (thrown) {
    await stopAll()
    throw thrown
  }
}
