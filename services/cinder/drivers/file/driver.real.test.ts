/** The file backend with a real qemu-storage-daemon; qemu-io stands in for the guests' hosts. Skipped where they are not installed. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { run } from '#base/process/run.ts'
import { world } from '#base/world.ts'
import { StorageDaemon } from '#host/qsd.ts'
import { connectQmp } from '#host/qmp.ts'
import { volumeDriverConformance } from '../conformance.ts'
import type { ConnectionInfo } from '../interface.ts'
import { openFileDriver, type FileDriver } from './driver.ts'
import { qcow2File } from '../fake/qcow2-file.ts'

const missing = ['qemu-storage-daemon', 'qemu-img', 'qemu-io'].find((tool) => spawnSync(tool, ['--version']).error)
const skip = missing === undefined ? false : `${missing} is not installed`
const GIB = 2 ** 30

const makeFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'ondol-vol-'))
const uri = (info: ConnectionInfo): string => `nbd+unix:///${String(info.data.export)}?socket=${String(info.data.path)}`

async function write(info: ConnectionInfo, offset: number, bytes: Buffer): Promise<void> {
  const folder = await makeFolder()
  try {
    await writeFile(join(folder, 'bytes'), bytes)
    const { stdout } = await run('qemu-io', ['-f', 'raw', '-c', `write -q -s ${join(folder, 'bytes')} ${offset} ${bytes.length}`, '-c', 'flush', uri(info)], { okCodes: [0] })
    assert.doesNotMatch(stdout, /failed|error/i)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function read(info: ConnectionInfo, offset: number, length: number): Promise<Buffer> {
  const folder = await makeFolder()
  const path = join(folder, 'bytes')
  try {
    await run('qemu-img', ['dd', '-f', 'raw', '-O', 'raw', 'bs=512', `skip=${offset / 512}`, `count=${(offset + length) / 512}`, `if=${uri(info)}`, `of=${path}`])
    return await readFile(path)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

volumeDriverConformance(
  'file',
  async () => {
    const root = await makeFolder()
    const folder = join(root, 'images')
    await mkdir(folder)
    let latest: FileDriver | undefined
    return {
      folder,
      open: async () => (latest = await openFileDriver({ root, world: world() })),
      write,
      read,
      async placeManageable(name, bytes) {
        await writeFile(join(root, 'manageable', name), bytes)
      },
      async dispose() {
        await latest?.end()
        await rm(root, { recursive: true, force: true })
      },
    }
  },
  { skip },
)

/** Runs `work` on a backend of its own and ends its daemon. */
async function withBackend(work: (root: string, open: () => Promise<FileDriver>) => Promise<void>): Promise<void> {
  const root = await makeFolder()
  const drivers: FileDriver[] = []
  try {
    await work(root, async () => {
      const driver = await openFileDriver({ root, world: world() })
      drivers.push(driver)
      return driver
    })
  } finally {
    for (const driver of drivers) await driver.close()
    await new StorageDaemon({ run_folder: join(root, 'run') }).end()
    await rm(root, { recursive: true, force: true })
  }
}

const untilReads = async (info: ConnectionInfo, offset: number, length: number): Promise<Buffer> => {
  for (let tries = 0; ; tries++) {
    try {
      return await read(info, offset, length)
    } catch (thrown) {
      if (tries > 200) throw thrown
    }
  }
}

test('a daemon that dies is started again and serves what was connected', { skip }, () =>
  withBackend(async (root, open) => {
    const driver = await open()
    const volume_id = randomUUID()
    await driver.ensureVolume({ volume_id, size_gb: 1, source: { from: 'blank' } })
    const info = await driver.connect(volume_id, { connection_id: 'a', host: 'h' })
    await write(info, 0, Buffer.alloc(4096, 'd'))
    const look = new StorageDaemon({ run_folder: join(root, 'run') })
    const first = (await look.process())!
    process.kill(first.pid, 'SIGKILL')
    assert.deepEqual(await untilReads(info, 0, 4096), Buffer.alloc(4096, 'd'))
    assert.notEqual((await look.process())!.pid, first.pid)

    // It dies while nobody looks: the next driver restores, and takes what was half-made away.
    await driver.close()
    process.kill((await look.process())!.pid, 'SIGKILL')
    await writeFile(join(root, 'work', 'left.raw'), 'x')
    await open()
    assert.deepEqual(await untilReads(info, 0, 4096), Buffer.alloc(4096, 'd'))
    assert.deepEqual(await readdir(join(root, 'work')), [])
  }),
)

test('a guest that is running keeps its disk through a snapshot and an extension', { skip }, () =>
  withBackend(async (root, open) => {
    const driver = await open()
    const volume_id = randomUUID()
    await driver.ensureVolume({ volume_id, size_gb: 1, source: { from: 'blank' } })
    const info = await driver.connect(volume_id, { connection_id: 'a', host: 'h' })
    // QEMU itself, without a guest: its block layer is what is judged.
    const monitor = join(root, 'guest.qmp')
    const pidfile = join(root, 'guest.pid')
    const nbd = { driver: 'nbd', server: { type: 'unix', path: info.data.path }, export: info.data.export, 'reconnect-delay': 60 }
    const node = { driver: 'raw', 'node-name': 'disk', file: nbd }
    const devices = ['-blockdev', JSON.stringify(node), '-device', 'virtio-blk-pci,drive=disk,id=vda']
    await run('qemu-system-x86_64', ['-machine', 'pc', '-accel', 'tcg', '-m', '32', '-nodefaults', '-display', 'none', '-S', ...devices, '-qmp', `unix:${monitor},server=on,wait=off`, '-daemonize', '-pidfile', pidfile])
    const guest = await connectQmp(monitor)
    try {
      const size = async (): Promise<unknown> => (await guest.execute<{ 'node-name': string; image: Record<string, unknown> }[]>('query-named-block-nodes', { flat: true })).find((each) => each['node-name'] === 'disk')?.image['virtual-size']
      const io = (command: string): Promise<unknown> => guest.execute('human-monitor-command', { 'command-line': `qemu-io -d /machine/peripheral/vda/virtio-backend "${command}"` })
      await io('write -P 65 0 4096')
      await driver.ensureSnapshot({ volume_id, snapshot_id: randomUUID() })
      await io('write -P 66 0 4096')
      await driver.extend(volume_id, 2)
      assert.equal(await size(), GIB)
      await io('write -P 67 4096 4096')
      // What Nova does then: a new connection below the same disk, then the new size.
      await guest.execute('blockdev-add', { ...nbd, 'node-name': 'again' })
      await guest.execute('blockdev-reopen', { options: [{ ...node, file: 'again' }] })
      await guest.execute('block_resize', { 'node-name': 'disk', size: 2 * GIB })
      assert.equal(await size(), 2 * GIB)
      await io(`write -P 68 ${2 * GIB - 4096} 4096`)
    } finally {
      await guest.execute('quit').catch(() => {})
      guest.close()
    }
    const other = await driver.connect(volume_id, { connection_id: 'b', host: 'h' })
    for (const [offset, letter] of [[0, 'B'], [4096, 'C'], [2 * GIB - 4096, 'D']] as const) assert.deepEqual(await read(other, offset, 4096), Buffer.alloc(4096, letter))
  }),
)

test('the backend serves over TCP, and refuses to move while it serves', { skip }, async () => {
  const root = await makeFolder()
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  const driver = await openFileDriver({ root, world: world(), listen: { host: '127.0.0.1', port } })
  try {
    const volume_id = randomUUID()
    await driver.ensureVolume({ volume_id, size_gb: 1, source: { from: 'blank' } })
    const { data } = await driver.connect(volume_id, { connection_id: 'a', host: 'h' })
    assert.deepEqual([data.host, data.port, data.path], ['127.0.0.1', port, undefined])
    const { stdout } = await run('qemu-img', ['info', '--output=json', '-f', 'raw', `nbd://127.0.0.1:${port}/${String(data.export)}`])
    assert.equal((JSON.parse(stdout) as Record<string, unknown>)['virtual-size'], GIB)
    await driver.close()
    await assert.rejects(new StorageDaemon({ run_folder: join(root, 'run') }).open(), /another address/)
  } finally {
    await driver.end()
    await rm(root, { recursive: true, force: true })
  }
})

test('an image that names another file never reaches a tool', { skip }, () =>
  withBackend(async (root, open) => {
    const driver = await open()
    await writeFile(join(root, 'secret'), 'x'.repeat(65_536))
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', join(root, 'secret'), join(root, 'evil.qcow2')])
    const source = { from: 'image' as const, path: join(root, 'evil.qcow2'), format: 'qcow2' as const }
    await assert.rejects(driver.ensureVolume({ volume_id: randomUUID(), size_gb: 1, source }), /has a backing file/)
    await run('cp', [join(root, 'evil.qcow2'), join(root, 'manageable', 'evil.qcow2')])
    assert.deepEqual(await driver.manageable.listManageable(), [{ source_name: 'evil.qcow2', size_gb: 0, safe_to_manage: false, reason_not_safe: 'it refers to another file' }])
    await assert.rejects(driver.manageable.ensureManaged(randomUUID(), 'evil.qcow2'), /refers to another file/)
    assert.deepEqual(await driver.list(), [])
  }),
)

test('the qcow2 of the fake driver is a right one', { skip }, async () => {
  const folder = await makeFolder()
  try {
    const path = join(folder, 'made.qcow2')
    await writeFile(path, qcow2File(5 * GIB, new Map([[0, Buffer.alloc(4096, 'a')], [8192, Buffer.alloc(4096, 'b')], [5 * GIB - 4096, Buffer.alloc(4096, 'c')]])))
    await run('qemu-img', ['check', '-q', '-f', 'qcow2', path])
    for (const [offset, code] of [[0, 97], [4096, 0], [8192, 98], [5 * GIB - 4096, 99]]) {
      const { stdout } = await run('qemu-io', ['-f', 'qcow2', '-r', '-c', `read -P ${code} ${offset} 4096`, path])
      assert.doesNotMatch(stdout, /failed/)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
