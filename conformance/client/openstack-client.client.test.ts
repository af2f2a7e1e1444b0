/** What a new user does with the unmodified `openstack` command, on real machines, networks and disks. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { openPage } from '../../console/test/browser.ts'
import { eventually } from '#cloud/test/machines-kit.ts'
import { type RealCloud, realCloud } from './real-cloud.ts'

const until = <T>(what: string, ask: () => Promise<T | undefined | false>, limit = 180_000): Promise<T> => eventually(what, ask, limit, 500)

// Answers of the command are JSON of many shapes.
// oxlint-disable-next-line no-explicit-any
type Json = any

let cloud: RealCloud
let key: string
let fip = ''

before(async () => {
  cloud = await realCloud()
})
after(() => cloud?.remove())

const os = (line: string, options?: { admin?: boolean }): Promise<Json> => cloud.openstack(split(line), options)
const osText = (line: string, options?: { admin?: boolean; fails?: boolean }): Promise<string> => cloud.openstackText(split(line), options)
const split = (line: string): string[] => [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!)

async function ssh(address: string, command: string): Promise<string> {
  const result = await cloud.inHost('ssh', ['-i', key, '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'ConnectTimeout=10', '-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR', `ondol@${address}`, command], { timeout: 60_000 })
  if (result.code !== 0) throw new Error(`ssh ${command}: ${result.err}`)
  return result.out
}

const status = async (server: string): Promise<string> => ((await os(`server show ${server}`)) as { status: string }).status

test('credentials, catalog and the seed', async () => {
  assert.ok(((await os('token issue')) as Json).id)
  const catalog = ((await os('catalog list')) as Json[]).map((one) => one.Type)
  for (const type of ['identity', 'placement', 'image', 'network', 'compute', 'volumev3']) assert.ok(catalog.includes(type), `${type} is not in the catalog`)
  const flavors = ((await os('flavor list')) as Json[]).map((one) => one.Name)
  assert.deepEqual(flavors.sort(), ['m1.large', 'm1.medium', 'm1.micro', 'm1.nano', 'm1.small', 'm1.tiny', 'm1.xlarge'])
  await until('the image ondol-guest', async () => ((await os('image list --status active')) as Json[]).some((one) => one.Name === 'ondol-guest'), 600_000)
  assert.deepEqual(((await os('compute service list', { admin: true })) as Json[]).map((one) => one.Binary).sort(), ['nova-compute', 'nova-conductor', 'nova-scheduler'])
})

test('a server boots, is reached by ssh through a floating IP, and knows its metadata', async () => {
  key = join(cloud.dir, 'key')
  await writeFile(key, await osText('keypair create mine'), { mode: 0o600 })
  await osText('security group rule create --proto icmp default')
  await osText('security group rule create --proto tcp --dst-port 22 default')
  await writeFile(join(cloud.dir, 'user-data'), '#!/bin/sh\necho made by user data > /tmp/user-data-ran\n')
  const server = (await os(`server create --image ondol-guest --flavor m1.nano --network private --key-name mine --user-data ${join(cloud.dir, 'user-data')} --property role=first --wait first`)) as Json
  assert.equal(server.status, 'ACTIVE')
  fip = ((await os('floating ip create public')) as Json).floating_ip_address
  await osText(`server add floating ip first ${fip}`)
  await until('READY on the console', async () => (await osText('console log show first')).includes('ondol-guest: READY'), 240_000)
  const ping = await cloud.inHost('ping', ['-c', '3', '-W', '5', fip])
  assert.equal(ping.code, 0, ping.out)
  await until('an ssh login', async () => (await ssh(fip, 'hostname')).trim() === 'first')
  assert.match(await ssh(fip, 'cat /tmp/user-data-ran'), /made by user data/)
  const metadata = JSON.parse(await ssh(fip, 'curl -s http://169.254.169.254/openstack/latest/meta_data.json')) as Json
  assert.equal(metadata.meta.role, 'first')
  assert.equal(metadata.name, 'first')
  const addresses = await ssh(fip, 'ip -o addr show')
  assert.match(addresses, /inet 10\.0\.0\./)
  assert.match(addresses, /inet6 fd42:/)
})

test('what no rule allows does not pass', async () => {
  await ssh(fip, '(echo x | nc -l -p 8080 >/dev/null 2>&1 &) ; true')
  const closed = await cloud.inHost('nc', ['-z', '-w', '3', fip, '8080'])
  assert.notEqual(closed.code, 0)
})

test('a volume is seen in the guest, grows, and is taken away', async () => {
  await osText('volume create --size 1 disk')
  await until('the volume', async () => ((await os('volume show disk')) as Json).status === 'available')
  const volume = ((await os('volume show disk')) as Json).id as string
  await osText('server add volume first disk')
  await until('the disk in the guest', async () => (await ssh(fip, 'cat /sys/block/vdb/serial')).trim().startsWith(volume.slice(0, 8)), 60_000)
  await ssh(fip, 'sudo mke2fs -q -t ext4 /dev/vdb && mkdir -p /mnt/d && mount /dev/vdb /mnt/d && echo kept > /mnt/d/file && sync && umount /mnt/d')
  await osText('server remove volume first disk')
  await until('the volume to be free', async () => ((await os('volume show disk')) as Json).status === 'available')
  await until('the disk gone from the guest', async () => !(await ssh(fip, 'ls /sys/block')).includes('vdb'), 60_000)
  await osText('volume snapshot create --volume disk shot')
  await until('the snapshot', async () => ((await os('volume snapshot show shot')) as Json).status === 'available')
  await osText('volume set --size 2 disk')
  await until('the larger volume', async () => ((await os('volume show disk')) as Json).size === 2)
  await osText('server add volume first disk')
  await until('2 GiB in the guest', async () => (await ssh(fip, 'cat /sys/block/vdb/size')).trim() === '4194304', 60_000)
  assert.match(await ssh(fip, 'mkdir -p /mnt/d && mount /dev/vdb /mnt/d && cat /mnt/d/file && umount /mnt/d'), /kept/)
  await osText('server remove volume first disk')
  await until('the volume to be free', async () => ((await os('volume show disk')) as Json).status === 'available')
  await osText('volume snapshot delete shot')
  await until('no snapshot', async () => ((await os('volume snapshot list')) as Json[]).length === 0)
  await osText('volume delete disk')
  await until('no volume', async () => ((await os('volume list')) as Json[]).length === 0)
})

test('the screen and the serial line of a guest open in a browser', async () => {
  // The cloud answers in its host's namespace only, so the browser lives there too.
  const chromium = join(cloud.dir, 'chromium')
  await writeFile(chromium, `#!/bin/sh\nexec nsenter --net=/run/netns/${cloud.netns} /usr/bin/chromium "$@"\n`, { mode: 0o700 })
  process.env.CHROMIUM = chromium
  const { url } = (await os('console url show first')) as { url: string }
  // The dashboard is built in the background at the first start.
  await until('the console page', async () => (await cloud.inHost('curl', ['-s', '-o', '/dev/null', '-w', '%{http_code}', url])).out === '200')
  const { page, troubles } = await openPage(cloud.url)
  await page.goto(url)
  await page.getByText('Connected').waitFor({ timeout: 60_000 })
  const colours = "new Set(new Uint32Array(document.querySelector('canvas').getContext('2d').getImageData(0, 0, 600, 300).data.buffer)).size"
  await until('something on the screen', async () => Number(await page.evaluate(colours)) > 1, 60_000)
  assert.deepEqual(troubles, [])
  const serial = (await os('console url show --serial first')) as { url: string }
  assert.match(serial.url, /^ws:/)
  const said = page.evaluate(
    ([address, limit]) =>
      new Promise<string>((done) => {
        let heard = ''
        const socket = new WebSocket(address as string, ['binary'])
        socket.binaryType = 'arraybuffer'
        socket.onopen = () => socket.send(new TextEncoder().encode('\r'))
        socket.onmessage = ({ data }) => {
          heard += new TextDecoder().decode(data as ArrayBuffer)
          if (/login:|[$#] $/.test(heard)) socket.close()
        }
        socket.onclose = () => done(heard)
        setTimeout(() => socket.close(), limit as number)
      }),
    [serial.url, 30_000] as const,
  )
  assert.match(await said, /login:|[$#]/)
  // A token opens once.
  const again = await page.evaluate((address) => new Promise((done) => {
    const socket = new WebSocket(address, ['binary'])
    socket.onopen = () => done('opened')
    socket.onerror = () => done('refused')
  }), serial.url)
  assert.equal(again, 'refused')
  await page.context().close()
})

test('an image is saved, made anew, and listed', async () => {
  const file = join(cloud.dir, 'saved.qcow2')
  await osText(`image save --file ${file} ondol-guest`)
  await osText(`image create --disk-format qcow2 --container-format bare --file ${file} --property hw_rng_model=virtio copied`)
  const [original, copied] = [(await os('image show ondol-guest')) as Json, (await os('image show copied')) as Json]
  assert.equal(copied.status, 'active')
  assert.equal(copied.checksum, original.checksum)
  await osText('image delete copied')
  await osText('flavor create --ram 128 --disk 1 --vcpus 1 --id tiny-own own', { admin: true })
  assert.ok(((await os('flavor list')) as Json[]).some((one) => one.Name === 'own'))
})

test('power, pause, suspend, lock', async () => {
  for (const [command, expected] of [
    ['server pause first', 'PAUSED'],
    ['server unpause first', 'ACTIVE'],
    ['server suspend first', 'SUSPENDED'],
    ['server resume first', 'ACTIVE'],
    ['server stop first', 'SHUTOFF'],
    ['server start first', 'ACTIVE'],
    ['server reboot --wait first', 'ACTIVE'],
    ['server reboot --hard --wait first', 'ACTIVE'],
  ] as const) {
    await osText(command)
    await until(`${command} → ${expected}`, async () => (await status('first')) === expected, 120_000)
  }
  await osText('server lock first')
  assert.match(await osText('server stop first', { fails: true }), /locked/)
  await osText('server unlock first')
  await until('ssh after all that', async () => (await ssh(fip, 'uptime')).length > 0, 240_000)
})

test('rename, events, image, trace', async () => {
  await osText('server set --name renamed first')
  assert.equal(((await os('server show renamed')) as Json).name, 'renamed')
  const events = (await os('server event list renamed')) as Json[]
  assert.ok(events.some((one) => one.Action === 'create'))
  assert.ok(events.every((one) => /^req-/.test(one['Request ID'])))
  await osText('server image create --wait --name shot renamed')
  assert.equal(((await os('image show shot')) as Json).status, 'active')
  const trace = await cloud.ondol(['trace', events.find((one) => one.Action === 'create')!['Request ID']])
  assert.match(trace.out, /create-server/)
})

test('resize and rebuild', async () => {
  await osText('server resize --flavor own --wait renamed')
  await until('VERIFY_RESIZE', async () => (await status('renamed')) === 'VERIFY_RESIZE', 120_000)
  await osText('server resize revert renamed')
  await until('ACTIVE', async () => (await status('renamed')) === 'ACTIVE')
  assert.match(JSON.stringify(((await os('server show renamed')) as Json).flavor), /m1.nano/)
  await osText('server resize --flavor m1.micro --wait renamed')
  await until('VERIFY_RESIZE', async () => (await status('renamed')) === 'VERIFY_RESIZE', 120_000)
  await osText('server resize confirm renamed')
  await until('ACTIVE', async () => (await status('renamed')) === 'ACTIVE')
  await until('more memory in the guest', async () => Number(/MemTotal:\s+(\d+)/.exec(await ssh(fip, 'cat /proc/meminfo'))![1]) > 180_000, 240_000)
  await osText('server rebuild --image ondol-guest --wait renamed')
  assert.equal(await status('renamed'), 'ACTIVE')
})

/** The data as the version before the last migration left them. */
function asBeforeTheUpgrade(): void {
  const db = new DatabaseSync(join(cloud.dir, 'ondol.db'))
  db.exec('drop index flows_resource_id_created_at_ix')
  db.exec("delete from schema_migrations where house = 'base' and name = '0002-flows-by-resource'")
  db.close()
}

function migrations(): string[] {
  const db = new DatabaseSync(join(cloud.dir, 'ondol.db'), { readOnly: true })
  const rows = db.prepare("select name from schema_migrations where house = 'base' order by name").all() as { name: string }[]
  db.close()
  return rows.map(({ name }) => name)
}

test('the control plane is killed and upgraded with its data, the guest does not notice, and the next one takes it over', async () => {
  await until('ssh after the rebuild', async () => (await ssh(fip, 'uptime')).length > 0, 240_000)
  const before = await ssh(fip, 'cat /proc/sys/kernel/random/boot_id')
  const pinging = cloud.inHost('ping', ['-i', '0.2', '-c', '60', '-W', '2', fip])
  const session = ssh(fip, 'for i in $(seq 12); do echo tick $i; sleep 1; done')
  const pid = await cloud.pid()
  process.kill(pid, 'SIGKILL')
  await until('the end of the killed process', async () => !existsSync(`/proc/${pid}`))
  asBeforeTheUpgrade()
  assert.deepEqual(migrations(), ['0001-flows'])
  const up = await cloud.up()
  assert.equal(up.code, 0, up.err)
  const { out } = await pinging
  assert.match(out, /60 received, 0% packet loss/)
  assert.match(await session, /tick 12/)
  assert.deepEqual(migrations(), ['0001-flows', '0002-flows-by-resource'])
  assert.equal(await status('renamed'), 'ACTIVE')
  assert.equal(await ssh(fip, 'cat /proc/sys/kernel/random/boot_id'), before)
})

test('after a power cut nothing that was kept is lost', async () => {
  const boot = await ssh(fip, 'echo kept > /root/kept; sync; cat /proc/sys/kernel/random/boot_id')
  await cloud.cutPower()
  const up = await cloud.up()
  assert.equal(up.code, 0, up.err)
  // As in OpenStack, a guest that was running is found to be off, and its owner starts it.
  await until('SHUTOFF', async () => (await status('renamed')) === 'SHUTOFF')
  await osText('server start renamed')
  await until('ssh after the power cut', async () => (await ssh(fip, 'cat /root/kept')).trim() === 'kept', 240_000)
  assert.notEqual(await ssh(fip, 'cat /proc/sys/kernel/random/boot_id'), boot)
})

test('a server booted from a volume, with two networks, a fixed address, a zone, a group and a config drive', async () => {
  await osText('server delete --wait renamed')
  await osText('network create other')
  await osText('subnet create --network other --subnet-range 10.9.0.0/24 --allocation-pool start=10.9.0.10,end=10.9.0.50 other4')
  const group = ((await os('server group create --policy anti-affinity apart')) as Json).id as string
  await osText('volume create --size 1 --image ondol-guest boot')
  await until('the boot volume', async () => ((await os('volume show boot')) as Json).status === 'available', 120_000)
  const made = (await os(`server create --volume boot --flavor m1.nano --nic net-id=private --nic net-id=other,v4-fixed-ip=10.9.0.77 --config-drive True --availability-zone nova --hint group=${group} --wait second`)) as Json
  assert.equal(made.status, 'ACTIVE')
  const { addresses } = (await os('server show second')) as Json
  assert.ok(JSON.stringify(addresses).includes('10.9.0.77'))
  assert.ok(JSON.stringify(addresses).includes('10.0.0.'))
  assert.ok(JSON.stringify(await os(`server group show ${group}`)).includes(made.id))
  // One host only, so a second one that must be elsewhere has nowhere to go.
  await osText(`server create --image ondol-guest --flavor m1.nano --network private --hint group=${group} third`)
  await until('ERROR', async () => (await status('third')) === 'ERROR')
  assert.match(JSON.stringify(((await os('server show third')) as Json).fault), /No valid host/)
  await osText('server delete --wait third')
  await until('READY', async () => (await osText('console log show second')).includes('ondol-guest: READY'), 240_000)
  await osText('server delete --wait second')
  await osText('volume delete boot')
})

test('quotas and hypervisors for the administrator', async () => {
  await osText('quota set --instances 3 demo', { admin: true })
  const quotas = JSON.stringify(await os('quota show demo', { admin: true }))
  assert.match(quotas, /"instances": ?3|"Resource": ?"instances", ?"Limit": ?3/)
  const hypervisors = (await os('hypervisor list', { admin: true })) as Json[]
  assert.equal(hypervisors.length, 1)
  assert.match(await readFile(join(cloud.dir, 'log', 'ondol.log'), 'utf8'), /"request_id":"req-/)
})
