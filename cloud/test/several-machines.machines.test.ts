/**
 * Three machines: a control plane with its network node, and two for guests; PostgreSQL, RabbitMQ, VXLAN between them, real guests. What is
 * done to it is what an operator does, with the unmodified `openstack` command, and what befalls a data centre.
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type LabMachine, type MachineLab, cannotLab, machineLab, type Result } from './machine-lab.ts'
import { eventually } from './machines-kit.ts'

// Answers of the command are JSON of many shapes.
// oxlint-disable-next-line no-explicit-any
type Json = any

const skip = cannotLab()
const FIRST = '10.0.0.11'
const SECOND = '10.0.0.12'

describe('a cloud of three machines', { skip, timeout: 600_000 }, () => {
  let lab: MachineLab
  let c1: LabMachine
  let c2: LabMachine
  let key: string
  let router: string

  const os = (line: string): Promise<Json> => lab.openstack(line)
  const osText = (line: string): Promise<string> => lab.openstackText(line)
  /** The administrator within the demo project, for only an administrator names a host. */
  const mine = (line: string): Promise<Json> => lab.openstack(`--os-project-name demo ${line}`)
  const mineText = (line: string): Promise<string> => lab.openstackText(`--os-project-name demo ${line}`)
  const show = (server: string): Promise<Json> => os(`server show ${server}`)
  const settled = (server: string, status: string, host?: string): Promise<Json> =>
    eventually(`${server} ${status} ${host ?? ''}`, async () => {
      const seen = await show(server)
      if (seen.status === 'ERROR') throw new Error(`${server} is in ERROR: ${JSON.stringify(seen.fault)}`)
      return seen.status === status && seen['OS-EXT-STS:task_state'] === null && (host === undefined || seen['OS-EXT-SRV-ATTR:host'] === host) && seen
    }, 120_000, 200)
  /** From the router's place on the network node. */
  const routed = (tool: string, args: readonly string[], timeout = 60_000): Promise<Result> => lab.control.sh('nsenter', [`--net=/run/netns/${lab.control.prefix}-r-${router}`, tool, ...args], { timeout })
  const ssh = async (address: string, line: string): Promise<string> => {
    const result = await routed('ssh', ['-i', key, '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'ConnectTimeout=10', '-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR', `ondol@${address}`, line])
    if (result.code !== 0) throw new Error(`ssh ${address} ${line}: ${result.err}`)
    return result.out
  }
  const ready = (server: string): Promise<boolean> => eventually(`READY of ${server}`, async () => (await osText(`console log show ${server}`)).includes('ondol-guest: READY'), 180_000, 500)
  const liveMigrate = (server: string, host: string): Promise<string> => osText(`--os-compute-api-version 2.30 server migrate --live-migration --host ${host} ${server}`)
  const state = async (host: string): Promise<string> => ((await os(`compute service list --host ${host}`)) as Json[])[0].State
  const lost = (ping: Result): number => {
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(ping.out) ?? []
    assert.ok(sent, ping.out + ping.err)
    return Number(sent) - Number(received)
  }

  before(async () => {
    lab = await machineLab({
      computes: ['c1', 'c2'],
      yaml: ({ database, bus, control, computes, passwordFile }) => `
role: control
database: { url: '${database}' }
bus: { url: '${bus}' }
http: { host: ${control.ip} }
control_url: http://${control.ip}:5000
service: { password_file: ${passwordFile} }
nova: { report_interval: 1000, service_down_time: 4000, agent: { accelerator: tcg } }
hosts:
  control:
    neutron: { network_prefix: ${control.prefix}, tunnel_ip: ${control.ip} }
    cinder: { backends: [{ name: disks, driver: file, listen: '${control.ip}:10809' }] }
${computes.map((one) => `  ${one.name}:\n    role: compute\n    nova: { agent: { host_ip: ${one.ip} } }\n    neutron: { network_prefix: ${one.prefix}, tunnel_ip: ${one.ip} }\n`).join('')}`,
    })
    ;[c1, c2] = lab.computes as [LabMachine, LabMachine]
  })
  after(() => lab?.remove())

  it('boots a guest on each, and they reach each other over the tenant network', async () => {
    const services = (await os('compute service list')) as Json[]
    assert.deepEqual(services.map((one) => `${one.Binary} ${one.Host} ${one.State}`).sort(), ['nova-compute c1 up', 'nova-compute c2 up', 'nova-conductor control up', 'nova-scheduler control up'])
    await osText('role add --project demo --user admin admin')
    key = join(lab.dir, 'key')
    await writeFile(key, await mineText('keypair create mine'), { mode: 0o600 })
    await mineText('security group rule create --proto icmp default')
    await mineText('security group rule create --proto tcp --dst-port 22 default')
    router = (await mine('router show router')).id
    await eventually('the image', async () => ((await mine('image list --status active')) as Json[]).some((one) => one.Name === 'ondol-guest'), 120_000, 500)
    for (const [name, address, host] of [['g1', FIRST, 'c1'], ['g2', SECOND, 'c2']] as const) {
      await mineText(`port create --network private --fixed-ip subnet=private-subnet,ip-address=${address} p-${name}`)
      await mineText(`server create --image ondol-guest --flavor m1.nano --nic port-id=p-${name} --key-name mine --availability-zone nova:${host} ${name}`)
    }
    await Promise.all([settled('g1', 'ACTIVE', 'c1'), settled('g2', 'ACTIVE', 'c2')])
    await Promise.all([ready('g1'), ready('g2')])
    await eventually('ssh', async () => (await ssh(FIRST, 'hostname')).trim() === 'g1', 30_000, 500)
    assert.match(await ssh(FIRST, `ping -c 3 -W 2 ${SECOND}`), / 0% packet loss/)
    // What no rule allows does not come in on that host, and what is not the guest's own does not go out of this one.
    await ssh(SECOND, '(while true; do echo open | nc -l -p 8080; done > /dev/null 2>&1 &) ; true')
    assert.match(await ssh(FIRST, `nc -w 3 ${SECOND} 8080 < /dev/null`), /open/, 'members of one group reach each other')
    assert.notEqual((await routed('timeout', ['3', 'bash', '-c', `cat < /dev/tcp/${SECOND}/8080`])).code, 0)
    assert.match(await ssh(FIRST, `ip addr add 10.0.0.99/32 dev eth0; ping -c 2 -W 1 -I 10.0.0.99 ${SECOND}; ip addr del 10.0.0.99/32 dev eth0`), /100% packet loss/)
    assert.match(await ssh(SECOND, `curl -s http://169.254.169.254/openstack/latest/meta_data.json`), /"g2"/)
  })

  it('live-migrates a guest with its disk while it is pinged', async () => {
    const boot = await ssh(FIRST, 'cat /proc/sys/kernel/random/boot_id; echo kept > /root/file; sync')
    const pinging = routed('ping', ['-n', '-i', '0.1', '-c', '120', '-W', '2', FIRST])
    await liveMigrate('g1', 'c2')
    await settled('g1', 'ACTIVE', 'c2')
    const ping = await pinging
    console.log(`live migration: ${lost(ping)} of 120 pings lost, one each 0.1 s`)
    assert.ok(lost(ping) < 40, ping.out)
    assert.equal(await ssh(FIRST, 'cat /proc/sys/kernel/random/boot_id; cat /root/file'), `${boot}kept\n`)
    assert.match(await ssh(FIRST, `ping -c 3 -W 2 ${SECOND}`), / 0% packet loss/)
    assert.equal((await c1.sh('ip', ['-n', `${c1.prefix}-fabric`, '-br', 'link'])).out.includes('tap'), false)
  })

  it('shows the console of a guest on another machine than the API', async () => {
    const { url } = (await mine('console url show g1')) as { url: string }
    const path = new URL(url).searchParams.get('path')!
    const open = `const s = new WebSocket('ws://${lab.control.ip}:5000/${path}', 'binary'); s.binaryType = 'arraybuffer'; s.onmessage = (m) => { console.log(Buffer.from(m.data).toString().trim()); s.close() }; s.onerror = s.onclose = () => process.exit(0)`
    const seen = await lab.control.sh(process.execPath, ['-e', open], { timeout: 20_000 })
    assert.match(seen.out, /^RFB 003/, seen.err)
    const again = await lab.control.sh(process.execPath, ['-e', open], { timeout: 20_000 })
    assert.equal(again.out, '', 'a token opens a console once')
  })

  it('moves a guest with a volume of another machine', async () => {
    await mineText('volume create --size 1 disk')
    await eventually('the volume', async () => ((await mine('volume show disk')) as Json).status === 'available', 30_000, 300)
    await mineText('server add volume g1 disk')
    await eventually('the disk in the guest', async () => (await ssh(FIRST, 'ls /sys/block')).includes('vdb'), 30_000, 300)
    await ssh(FIRST, 'sudo mke2fs -q -t ext4 /dev/vdb && mkdir -p /mnt/d && mount /dev/vdb /mnt/d && echo on the volume > /mnt/d/file && sync')
    await liveMigrate('g1', 'c1')
    await settled('g1', 'ACTIVE', 'c1')
    assert.equal(await ssh(FIRST, 'echo more >> /mnt/d/file && sync && echo 3 > /proc/sys/vm/drop_caches && cat /mnt/d/file'), 'on the volume\nmore\n')
    assert.equal(((await mine('volume show disk')) as Json).attachments[0].host_name, 'c1')
    await mineText('--os-volume-api-version 3.42 volume set --size 2 disk')
    await eventually('2 GiB in the guest', async () => (await ssh(FIRST, 'cat /sys/block/vdb/size')).trim() === '4194304', 30_000, 300)
    await ssh(FIRST, 'echo still >> /mnt/d/file && sync && umount /mnt/d')
    await mineText('server remove volume g1 disk')
    await eventually('the volume to be free', async () => ((await mine('volume show disk')) as Json).status === 'available', 30_000, 300)
  })

  it('goes on when an agent is killed, says so, and takes it back', async () => {
    const pinging = routed('ping', ['-n', '-i', '0.2', '-c', '60', '-W', '2', FIRST])
    process.kill(await c1.pid(), 'SIGKILL')
    await eventually('c1 down', async () => (await state('c1')) === 'down', 30_000, 300)
    assert.equal((await show('g1')).status, 'ACTIVE')
    await c1.up()
    await eventually('c1 up', async () => (await state('c1')) === 'up', 30_000, 300)
    const ping = await pinging
    assert.equal(lost(ping), 0, ping.out)
    await mineText('server reboot --hard g1')
    await settled('g1', 'ACTIVE', 'c1')
  })

  it('loses nothing while the message broker is away for half a minute', async () => {
    for (const name of ['g3', 'g4']) await mineText(`server create --image ondol-guest --flavor m1.nano --network private ${name}`)
    const killed = performance.now()
    await lab.rabbit.kill()
    const during = mineText('server create --image ondol-guest --flavor m1.nano --network private g5')
    await new Promise((done) => setTimeout(done, 30_000 - (performance.now() - killed)))
    await lab.rabbit.start()
    const back = performance.now()
    await during
    for (const name of ['g3', 'g4', 'g5']) await settled(name, 'ACTIVE')
    console.log(`after the broker was back: all boots ACTIVE in ${((performance.now() - back) / 1000).toFixed(1)} s`)
    for (const host of ['c1', 'c2']) assert.equal(await state(host), 'up')
    for (const name of ['g3', 'g4', 'g5']) await mineText(`server delete --wait ${name}`)
  })

  it('drains a machine, one server after the other', async () => {
    await osText('compute service set --disable --disable-reason drained c1 nova-compute')
    const here = ((await os('server list --all-projects --host c1')) as Json[]).map((one) => one.ID)
    assert.ok(here.length > 0)
    for (const id of here) {
      await osText(`server migrate --wait ${id}`)
      await settled(id, 'VERIFY_RESIZE', 'c2')
      await osText(`server migration confirm ${id}`)
      await settled(id, 'ACTIVE', 'c2')
    }
    assert.deepEqual(await os('server list --all-projects --host c1'), [])
    await eventually('ssh', async () => (await ssh(FIRST, 'cat /root/file')) === 'kept\n', 60_000, 500)
    await osText('compute service set --enable c1 nova-compute')
  })

  it('brings servers of a machine that died up on another', async () => {
    process.kill(await c2.pid(), 'SIGKILL')
    await c2.kill('qemu-system-x86_64')
    await eventually('c2 down', async () => (await state('c2')) === 'down', 30_000, 300)
    // Debian's client trips over the answer to its own request, so by REST.
    const [token, id] = [((await mine('token issue')) as Json).id, (await show('g2')).id]
    const asked = await lab.control.sh('curl', ['-s', '-o', '/dev/null', '-w', '%{http_code}', '-X', 'POST', '-H', `x-auth-token: ${token}`, '-H', 'content-type: application/json', '-H', 'openstack-api-version: compute 2.90', '-d', '{"evacuate":{}}', `${lab.url}/compute/v2.1/servers/${id}/action`])
    assert.equal(asked.out, '200')
    await settled('g2', 'ACTIVE', 'c1')
    await eventually('ssh', async () => (await ssh(SECOND, 'hostname')).trim() === 'g2', 60_000, 500)
    await c2.up()
    await eventually('c2 up', async () => (await state('c2')) === 'up', 30_000, 300)
    await eventually('the old guest gone from c2', async () => !(await c2.guests()).includes((await show('g2')).id as string), 30_000, 500)
  })
})
