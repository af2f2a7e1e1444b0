/** Builds the image and boots it under QEMU without KVM: config drive, growth, network, login. Needs apt, qemu and the host packages. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { type Socket, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { run } from '#base/process/run.ts'
import { silentLog } from '#base/log.ts'
import { ensureGuestImage } from './ensure.ts'
import { GUEST_LOGIN, HOST_PACKAGES, READY_PATTERN } from './recipe.ts'

const missing = ['qemu-system-x86_64', ...HOST_PACKAGES.flatMap((each) => each.tools)].find((tool) => spawnSync('which', [tool], { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } }).status !== 0)
const skip = missing === undefined ? false : `${missing} is not installed`
/** Kept from run to run, so that only the first one builds. */
const CACHE = process.env.ONDOL_GUEST_CACHE ?? join(tmpdir(), 'ondol-guest-cache')
const BOOT_LIMIT = 300_000

/** What the guest prints, and a way to type. */
class Console {
  #text = ''
  #waiting: (() => void)[] = []
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1')
      for (const wake of this.#waiting.splice(0)) wake()
    })
    socket.on('close', () => {
      for (const wake of this.#waiting.splice(0)) wake()
    })
  }

  get text(): string {
    return this.#text
  }

  async until(pattern: RegExp, limit = BOOT_LIMIT): Promise<RegExpExecArray> {
    const timer = setTimeout(() => this.#socket.destroy(), limit)
    try {
      for (;;) {
        const found = pattern.exec(this.#text)
        if (found) return found
        if (this.#socket.destroyed) throw new Error(`The console did not show ${String(pattern)}; it showed:\n${this.#text.slice(-3000)}`)
        await new Promise<void>((resolve) => this.#waiting.push(resolve))
      }
    } finally {
      clearTimeout(timer)
    }
  }

  /** Types a line, waits for what it prints, gives that. */
  async ask(command: string): Promise<string> {
    const mark = Math.random().toString(36).slice(2)
    // The quotes keep what is typed, which the terminal echoes, from looking like the answer.
    this.#socket.write(`echo 'b''${mark}'; ${command}; echo 'e''${mark}'\n`)
    const [, answer] = await this.until(new RegExp(`b${mark}\\r\\n([^]*?)e${mark}\\r\\n`), 60_000)
    return answer!.replaceAll('\r', '').trim()
  }

  type(line: string): void {
    this.#socket.write(`${line}\n`)
  }
}

async function connectConsole(path: string): Promise<Console> {
  for (let tries = 0; ; tries++) {
    const socket = connect(path)
    const opened = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    if (opened) return new Console(socket)
    if (tries > 100) throw new Error('QEMU opened no console')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** A FAT image with the label config-2. */
async function makeConfigDrive(folder: string, files: Record<string, string>): Promise<string> {
  const path = join(folder, 'config.img')
  writeFileSync(path, '')
  truncateSync(path, 2 * 2 ** 20)
  await run('mformat', ['-i', path, '-h', '4', '-s', '16', '-T', '4096', '-v', 'CONFIG-2', '::'])
  mkdirSync(join(folder, 'openstack/latest'), { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'openstack/latest', name), text)
  await run('mcopy', ['-i', path, '-s', join(folder, 'openstack'), '::/openstack'])
  return path
}

interface Guest {
  process: ChildProcess
  console: Console
}

/** The image's guest on a disk of 1 GiB, with one card on `netdev` and what else `args` say. */
async function bootGuest(image: string, folder: string, netdev: string, args: readonly string[]): Promise<Guest> {
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', image, join(folder, 'disk.qcow2'), '1G'])
  const machine = [
    ['-machine', 'pc', '-accel', 'tcg', '-cpu', 'max', '-m', '256', '-nodefaults', '-no-reboot', '-display', 'none'],
    ['-chardev', `socket,id=serial,path=${folder}/serial,server=on,wait=on`, '-serial', 'chardev:serial'],
    ['-blockdev', `driver=file,filename=${folder}/disk.qcow2,node-name=file`, '-blockdev', 'driver=qcow2,file=file,node-name=disk', '-device', 'virtio-blk-pci,drive=disk'],
    ['-netdev', `user,id=net,restrict=on${netdev}`, '-device', 'virtio-net-pci,netdev=net,romfile='],
  ].flat()
  const process = spawn('qemu-system-x86_64', [...machine, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  return { process, console: await connectConsole(join(folder, 'serial')) }
}

/** Metadata at its address, one process per request: for QEMU's network to start. */
function metadataCommand(folder: string, files: Record<string, string>): string {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  const path = join(folder, 'metadata')
  const answer = `if [ -f "$file" ]; then printf 'HTTP/1.0 200 OK\\r\\n\\r\\n'; cat "$file"; else printf 'HTTP/1.0 404 Not Found\\r\\n\\r\\n'; fi`
  writeFileSync(path, `#!/bin/sh\nread -r method path rest\nwhile read -r header && [ \${#header} -gt 1 ]; do :; done\nfile=${folder}/$(basename "$path")\n${answer}\n`)
  chmodSync(path, 0o755)
  return path
}

test('the guest image is built once, boots, and takes what a cloud gives it', { skip, timeout: 900_000 }, async () => {
  const steps: string[] = []
  const options = { cacheDir: CACHE, run, log: silentLog, onProgress: (progress: { step: string }) => steps.push(progress.step) }
  const image = await ensureGuestImage(options)
  steps.length = 0
  assert.equal(await ensureGuestImage(options), image)
  assert.deepEqual(steps, [], 'a second call asks nobody')

  const folder = mkdtempSync(join(tmpdir(), 'ondol-guest-test-'))
  let qemu: ChildProcess | undefined
  try {
    const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuestImageTest test@example'
    const config = await makeConfigDrive(folder, {
      'meta_data.json': JSON.stringify({ uuid: '7c1f2c0e-2d7e-4c57-a3f1-1d2f3a4b5c6d', hostname: 'first.novalocal', public_keys: { 'my key': `${key}\n` }, admin_pass: 'Se"c\\ret' }),
      user_data: '#!/bin/sh\necho user-data said $(hostname)\n(sleep 600 &)\nexit 3\n',
      'vendor_data.json': JSON.stringify({ 'cloud-init': '#!/bin/sh\necho vendor-data "said" hello\n' }),
    })
    const guest = await bootGuest(image, folder, '', [
      ...['-blockdev', `driver=file,filename=${config},node-name=config-file,read-only=on`, '-blockdev', 'driver=raw,file=config-file,node-name=config,read-only=on', '-device', 'virtio-blk-pci,drive=config'],
      ...['-device', 'virtio-serial-pci', '-chardev', `socket,path=${folder}/agent,server=on,wait=off,id=agent`, '-device', 'virtserialport,chardev=agent,name=org.qemu.guest_agent.0'],
    ])
    qemu = guest.process
    const console_ = guest.console
    await console_.until(READY_PATTERN)
    if (process.env.ONDOL_SHOW_CONSOLE) console.log(console_.text)
    assert.match(console_.text, /metadata from: config drive/)
    assert.match(console_.text, /host name first, 1 keys/)
    assert.match(console_.text, /vendor-data said hello/)
    assert.match(console_.text, /user-data said first\r\n.*user-data ended with 3/s)
    assert.match(console_.text, /eth0 10\.0\.2\.15\/24 /)
    assert.match(console_.text, /guest agent listens/)

    await console_.until(/first login: /)
    console_.type(GUEST_LOGIN.user)
    await console_.until(/Password: /)
    console_.type('Se"c\\ret')
    await console_.until(/ondol@first|root@first/)
    assert.equal(await console_.ask('cat /root/.ssh/authorized_keys'), key)
    assert.ok(Number(await console_.ask("df -m / | awk 'END { print $2 }'")) > 850, 'the root file system grew')
    assert.match(await console_.ask('ip -6 addr show dev eth0'), /inet6 fe(c0|80)::/)
    assert.equal(await console_.ask('sudo id -u'), '0')
    assert.match(await console_.ask('lsblk -lb --nodeps'), /vda .* disk/)
    await console_.ask('truncate -s 64M /tmp/fs')
    assert.match(await console_.ask('sudo mke2fs -q -t ext4 /tmp/fs && blkid /tmp/fs'), /TYPE="ext4"/)
    assert.match(await console_.ask('netstat -ltn'), /:22 /)
    assert.match(await console_.ask('readlink /proc/$(cat /var/run/udhcpc.eth0.pid)/exe'), /busybox/)
    console_.type('poweroff')
    await new Promise((resolve) => (qemu!.exitCode === null ? qemu!.once('exit', resolve) : resolve(undefined)))
    qemu = undefined
    assert.equal(readFileSync(image).subarray(0, 4).toString('latin1'), 'QFI\xfb')
  } finally {
    qemu?.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a guest that gets its address after its boot takes its metadata then, once', { skip, timeout: 900_000 }, async () => {
  const image = await ensureGuestImage({ cacheDir: CACHE, run, log: silentLog })
  const folder = mkdtempSync(join(tmpdir(), 'ondol-guest-late-'))
  let qemu: ChildProcess | undefined
  try {
    const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuestLateTest late@example'
    const service = metadataCommand(folder, {
      'meta_data.json': JSON.stringify({ uuid: '3d9c5f0a-5b0c-4a7e-8a55-0c9f3e1b7a10', hostname: 'later.novalocal', public_keys: { late: `${key}\n` } }),
      user_data: '#!/bin/sh\necho user-data said $(hostname)\n(sleep 600 &)\n',
    })
    const guest = await bootGuest(image, folder, `,net=169.254.0.0/16,guestfwd=tcp:169.254.169.254:80-cmd:${service}`, ['-chardev', `socket,path=${folder}/monitor,server=on,wait=off,id=monitor`, '-mon', 'chardev=monitor,mode=readline', '-S'])
    qemu = guest.process
    const monitor = await connectConsole(join(folder, 'monitor'))
    // The cable is out before the first instruction.
    monitor.type('set_link net off')
    monitor.type('cont')
    await guest.console.until(READY_PATTERN)
    assert.match(guest.console.text, /metadata from: none/)
    await guest.console.until(/ondol-guest login: /)
    monitor.type('set_link net on')
    await guest.console.until(/LATE \(\S+s\)/)
    if (process.env.ONDOL_SHOW_CONSOLE) console.log(guest.console.text)
    assert.match(guest.console.text, /metadata service, late[^]*host name later, 1 keys[^]*user-data said later[^]*user-data ended with 0/)
    assert.equal(guest.console.text.match(/user-data said/g)?.length, 1)
    guest.console.type(GUEST_LOGIN.user)
    await guest.console.until(/Password: /)
    guest.console.type(GUEST_LOGIN.password)
    await guest.console.until(/ondol@later|root@later/)
    assert.equal(await guest.console.ask('cat /root/.ssh/authorized_keys'), key)
    assert.equal(await guest.console.ask("ps | grep -c '[o]ndol-guest late'"), '0', 'nobody asks any more')
  } finally {
    qemu?.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
})

test('builders that start together build one image', { skip, timeout: 600_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ondol-guest-lock-'))
  try {
    await ensureGuestImage({ cacheDir: CACHE, run, log: silentLog })
    // Borrow the packages that are there already, by a fake apt-get that finds nothing to do.
    await run('cp', ['-r', join(CACHE, 'packages'), join(folder, 'packages')])
    let unpacked = 0
    const counting: typeof run = (tool, args, options) => {
      if (tool === 'depmod') unpacked++
      return run(tool, args, options)
    }
    const paths = await Promise.all([1, 2, 3].map(() => ensureGuestImage({ cacheDir: folder, run: counting, log: silentLog })))
    assert.equal(new Set(paths).size, 1)
    assert.equal(unpacked, 3, 'one build runs depmod three times')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
