import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Fault, isFault } from '#base/fault.ts'
import type { Run } from '#base/process/run.ts'
import { chooseAccelerator, virtualizationFlag } from './accelerator.ts'
import { checkForeignImage } from './foreign-image.ts'
import { uptimeLine } from './host-facts.ts'
import { endProcess, findProcess, isAlive } from './pidfile.ts'
import { parseMachineTypes, parseVersion, qemu } from './qemu.ts'
import { diskDevice, type Machine, machineArguments, type MachineDisk } from './qemu-machine.ts'
import { parseInfo, qemuImg } from './qemu-img.ts'

const disk = (more: Partial<MachineDisk> = {}): MachineDisk => ({ id: 'root', node: { driver: 'qcow2', 'node-name': 'root', file: { driver: 'file', filename: '/a,b' } }, bus: 'virtio', slot: 15, ...more })

function machine(more: Partial<Machine> = {}): Machine {
  return {
    binary: 'qemu-system-x86_64',
    name: 'instance-1',
    uuid: '00000000-0000-4000-8000-000000000001',
    type: 'pc-i440fx-7.2',
    chipset: 'pc',
    accelerator: 'tcg',
    cpu: 'max',
    vcpus: 2,
    memory_mb: 128,
    pidfile: '/run/x.pid',
    sockets: { qmp: '/run/x.qmp', serial: '/run/x.ser', vnc: '/run/x,y.vnc', agent: '/run/x.ga' },
    console_log: '/var/console.log',
    disks: [disk()],
    nics: [],
    ...more,
  }
}

/** The values that follow a flag. */
const values = (args: readonly string[], flag: string): string[] => args.flatMap((arg, index) => (arg === flag ? [args[index + 1] ?? ''] : []))

describe('The arguments of a machine', () => {
  it('are the machine', () => {
    const args = machineArguments(machine())
    assert.deepEqual(values(args, '-machine'), ['pc-i440fx-7.2'])
    assert.deepEqual(values(args, '-accel'), ['tcg,thread=multi,tb-size=64'])
    assert.deepEqual(values(args, '-smp'), ['2'])
    assert.deepEqual(values(args, '-vnc'), ['unix:/run/x,,y.vnc'])
    assert.deepEqual(JSON.parse(values(args, '-blockdev')[0]!), disk().node)
    assert.ok(args.includes('-daemonize') && args.includes('-nodefaults'))
    assert.ok(!args.includes('-no-reboot') && !args.includes('-S') && !args.includes('-incoming'))
    assert.deepEqual(values(machineArguments(machine({ accelerator: 'kvm' })), '-accel'), ['kvm'])
  })

  it('give every device a place of its own', () => {
    for (const [chipset, type] of [['pc', 'pc-i440fx-7.2'], ['q35', 'pc-q35-7.2']] as const) {
      const nics = [7, 8].map((slot) => ({ id: `n${slot}`, mac: 'fa:16:3e:00:00:01', model: 'virtio', slot }))
      const args = machineArguments(machine({ chipset, type, nics, tablet: true }))
      const places = values(args, '-device')
        .map((text) => JSON.parse(text) as { bus?: string; addr?: string })
        .filter((device) => device.addr !== undefined)
        .map((device) => `${device.bus}/${device.addr}`)
      assert.equal(new Set(places).size, places.length, chipset)
      assert.ok(places.length >= 7)
    }
  })

  it('make a card without a tap end nowhere, and never run a script', () => {
    const card = { mac: 'fa:16:3e:00:00:01', model: 'virtio' }
    const args = machineArguments(machine({ nics: [{ id: 'n1', slot: 7, ...card }, { id: 'n2', slot: 8, tap: 'tap1', mtu: 1400, ...card }] }))
    assert.deepEqual(values(args, '-netdev').map((text) => JSON.parse(text)), [
      { type: 'hubport', id: 'n1', hubid: 7 },
      { type: 'tap', id: 'n2', ifname: 'tap1', script: 'no', downscript: 'no' },
    ])
  })

  it('refuse what could be read as something else', () => {
    const wrong: [Partial<Machine>, string][] = [
      [{ name: 'x,debug-threads=off' }, 'name'],
      [{ type: 'pc,accel=kvm' }, 'hw_machine_type'],
      [{ vcpus: 1.5 }, 'vcpus'],
      [{ nics: [{ id: 'n', mac: 'fa:16:3e:00:00:01,x=y', model: 'virtio', slot: 7 }] }, 'mac'],
      [{ nics: [{ id: 'n', mac: 'fa:16:3e:00:00:01', model: 'virtio', slot: 7, tap: '../../x' }] }, 'tap'],
      [{ nics: [{ id: 'n', mac: 'fa:16:3e:00:00:01', model: 'virtio-x', slot: 7 }] }, 'hw_vif_model'],
      [{ sockets: { ...machine().sockets, qmp: `/${'x'.repeat(107)}` } }, 'run'],
      [{ disks: [disk({ id: 'other' })] }, 'node-name'],
    ]
    for (const [more, field] of wrong) assert.throws(() => machineArguments(machine(more)), (thrown) => isFault(thrown, 'invalid') && thrown.field === field, field)
  })

  it('place IDE disks by controller', () => {
    assert.deepEqual(diskDevice(disk({ bus: 'ide', slot: 3, cdrom: true }), 'pc'), { driver: 'ide-cd', id: 'dev-root', drive: 'root', bus: 'ide.1', unit: 1 })
    assert.deepEqual(diskDevice(disk({ bus: 'ide', slot: 3 }), 'q35'), { driver: 'ide-hd', id: 'dev-root', drive: 'root', bus: 'ide.3', unit: 0 })
  })
})

describe('Starting', () => {
  const failing = (stderr: string): Run => async (tool) => {
    throw new Fault('internal', `${tool} failed`, { data: { stderr } })
  }
  it('tells a machine that runs already from a disk in use and from the rest', async () => {
    const code = (stderr: string): Promise<string | undefined> =>
      qemu({ run: failing(stderr) })
        .start(machine())
        .then(
          () => 'started',
          (thrown: Fault) => thrown.code ?? thrown.kind,
        )
    assert.equal(await code('qemu-system-x86_64: cannot create PID file: Cannot lock pid file'), 'qemu.running')
    assert.equal(await code('Failed to get "write" lock\nIs another process using the image [x]?'), 'qemu.disk_in_use')
    assert.equal(await code('no such option'), 'internal')
  })

  it('goes through the namespace', async () => {
    const calls: string[][] = []
    const run: Run = async (tool, args) => {
      calls.push([tool, ...args])
      return { code: 0, stdout: '', stderr: '' }
    }
    await assert.rejects(qemu({ run, namespace: 'guests' }).start(machine()))
    assert.deepEqual(calls[0]?.slice(0, 5), ['ip', 'netns', 'exec', 'guests', 'qemu-system-x86_64'])
  })

  it('reads versions and machine types', () => {
    assert.deepEqual(parseVersion('QEMU emulator version 7.2.22 (Debian 1:7.2)\n'), { text: '7.2.22', number: 7_002_022 })
    const types = parseMachineTypes('Supported machines are:\npc    Standard PC (i440FX + PIIX, 1996) (alias of pc-i440fx-7.2)\npc-i440fx-7.2   Standard PC (default)\n')
    assert.deepEqual([...types], [['pc', 'pc-i440fx-7.2'], ['pc-i440fx-7.2', 'pc-i440fx-7.2']])
  })
})

describe('qemu-img', () => {
  it('is told the format of every file it opens', async () => {
    const calls: string[] = []
    const images = qemuImg(async (tool, args) => {
      calls.push([tool, ...args].join(' '))
      return { code: 0, stdout: '{"format":"raw","virtual-size":1}', stderr: '' }
    })
    await images.info({ path: '/a', format: 'raw' })
    await images.convert({ path: '/a', format: 'vmdk' }, { path: '/b', format: 'qcow2' })
    await images.create({ path: '/a', format: 'raw' }, 512)
    await images.createOverlay('/o', { path: '/a', format: 'raw' }, 1024)
    await images.resize({ path: '/a', format: 'qcow2' }, 2048)
    await images.check({ path: '/a', format: 'qcow2' })
    for (const call of calls) assert.match(call, /qemu-img .*-f (raw|qcow2|vmdk) /, call)
    assert.match(calls[1]!, /-f vmdk -O qcow2 \/a \/b/)
    assert.match(calls[3]!, /-F raw -b \/a \/o 1024/)
    assert.match(calls[0]!, /^prlimit --as=/)
    for (const path of ['a', 'nbd:x:1', 'json:{}', './a']) await assert.rejects(images.info({ path, format: 'raw' }), (thrown) => isFault(thrown, 'invalid'), path)
  })

  it('is read as a type', () => {
    const info = parseInfo('{"format":"qcow2","virtual-size":10,"actual-size":5,"backing-filename":"/b","backing-filename-format":"raw","format-specific":{"type":"qcow2","data":{"data-file":"/d"}}}')
    assert.equal(info.backing_file, '/b')
    assert.equal(info.data_file, '/d')
    assert.throws(() => parseInfo('{}'))
  })
})

it('refuses images that refer to other files, before any tool', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ondol-image-'))
  const path = join(directory, 'image')
  const qcow2 = (change: (head: Buffer) => void): Buffer => {
    const head = Buffer.alloc(512)
    head.writeUInt32BE(0x514649fb, 0)
    head.writeUInt32BE(3, 4)
    change(head)
    return head
  }
  const vmdk = (type: string, capacity = 1n): Buffer => {
    const head = Buffer.alloc(1024)
    head.write('KDMV', 'latin1')
    head.writeBigUInt64LE(capacity, 12)
    head.writeBigUInt64LE(1n, 28)
    head.writeBigUInt64LE(1n, 36)
    head.write(`# Disk DescriptorFile\ncreateType="${type}"\n`, 512)
    return head
  }
  const verdict = async (format: 'qcow2' | 'vmdk', bytes: Buffer): Promise<boolean> => {
    await writeFile(path, bytes)
    return checkForeignImage(path, format).then(
      () => true,
      (thrown) => !isFault(thrown, 'invalid'),
    )
  }
  try {
    assert.equal(await verdict('qcow2', qcow2(() => {})), true)
    assert.equal(await verdict('qcow2', qcow2((head) => head.writeBigUInt64BE(104n, 8))), false, 'backing file')
    assert.equal(await verdict('qcow2', qcow2((head) => head.writeBigUInt64BE(4n, 72))), false, 'data file')
    assert.equal(await verdict('qcow2', qcow2((head) => head.writeUInt32BE(2, 32))), false, 'encrypted')
    assert.equal(await verdict('qcow2', Buffer.from('not a qcow2')), false)
    assert.equal(await verdict('vmdk', vmdk('streamOptimized')), true)
    assert.equal(await verdict('vmdk', vmdk('monolithicFlat')), false)
    assert.equal(await verdict('vmdk', vmdk('monolithicSparse', 0n)), false, 'descriptor decides')
    assert.equal(await verdict('vmdk', Buffer.from('# Disk DescriptorFile\ncreateType="monolithicFlat"\nRW 1 FLAT "/etc/passwd" 0\n'.padEnd(600))), false)
  } finally {
    await rm(directory, { recursive: true })
  }
})

describe('The accelerator', () => {
  it('is KVM only when the device opens and the processor can', async () => {
    const with_ = 'processor : 0\nflags\t\t: fpu vmx sse\n'
    const without = 'processor : 0\nflags\t\t: fpu vmxx sse\n'
    const choose = async (kvmRefusal: string | undefined, cpuinfo: string): Promise<string> => (await chooseAccelerator('auto', { kvmRefusal, cpuinfo })).accelerator
    assert.equal(await choose(undefined, with_), 'kvm')
    assert.equal(await choose(undefined, without), 'tcg')
    assert.equal(await choose('EACCES', with_), 'tcg')
    assert.match((await chooseAccelerator('auto', { kvmRefusal: 'ENOENT', cpuinfo: '' })).reason, /ENOENT/)
    assert.equal((await chooseAccelerator('kvm')).accelerator, 'kvm')
    assert.equal(virtualizationFlag('flags : svm\n'), 'svm')
  })
})

describe('A process of ours', () => {
  it('is known by its arguments, ended, and then gone', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'ondol-pid-'))
    const pidfile = join(directory, 'pid')
    // It hears no SIGTERM.
    const child = spawn(process.execPath, ['-e', "process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)", 'mark-one', 'mark-two'], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      await once(child.stdout, 'data')
      assert.equal(await findProcess(pidfile, ['mark-one']), undefined)
      await writeFile(pidfile, `${child.pid}\n`)
      assert.equal(await findProcess(pidfile, ['mark']), undefined, 'whole arguments count')
      assert.equal(await findProcess(pidfile, ['mark-one', 'other']), undefined)
      const own = await findProcess(pidfile, ['mark-one', 'mark-two'])
      assert.ok(own)
      assert.equal(own.pid, child.pid)
      assert.equal(await isAlive(own), true)
      assert.equal(await isAlive({ ...own, started: '1' }), false, 'another process of the same pid')
      await endProcess(own, { grace: 50 })
      assert.equal(await isAlive(own), false)
      await endProcess(own)
      assert.equal(await readFile(pidfile, 'utf8'), `${child.pid}\n`)
    } finally {
      child.kill('SIGKILL')
      await rm(directory, { recursive: true })
    }
  })
})

it('writes the uptime as `uptime` does', () => {
  assert.match(uptimeLine(new Date(2026, 0, 1, 1, 2, 3), 90_061, [0.5, 1, 2]), /^ 01:02:03 up 1 day, 1:01, {2}0 users, {2}load average: 0\.50, 1\.00, 2\.00$/)
})
