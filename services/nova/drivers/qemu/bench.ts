/**
 * A bench for real guests: a host in a temporary directory and the project's own guest image: `ONDOL_TEST_IMAGE`, or what the image's
 * own test has left in its cache. A guest is up when its console says READY.
 */
import { existsSync, globSync, statSync } from 'node:fs'
import { copyFile, mkdtemp, open, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { world } from '#base/world.ts'
import { GUEST_LOGIN, READY_PATTERN } from '#cloud/guest-image/recipe.ts'
import { connectUnix } from '#host/qmp.ts'
import { benchImages } from '../bench-images.ts'
import { type Bench, until } from '../conformance.ts'
import type { ComputeDriver, ImageSource } from '../interface.ts'
import { openQemuDriver, type QemuDriverOptions } from './driver.ts'

/** The qcow2 to boot, or why there is none. */
export function testImage(): { path: string } | { reason: string } {
  const named = process.env.ONDOL_TEST_IMAGE
  if (named !== undefined && named !== '') return existsSync(named) ? { path: named } : { reason: `${named} is not there` }
  const cache = process.env.ONDOL_GUEST_CACHE ?? join(tmpdir(), 'ondol-guest-cache')
  const [found] = globSync(join(cache, 'ondol-guest-*.qcow2')).sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)
  return found === undefined ? { reason: 'ONDOL_TEST_IMAGE names no guest image, and none is built: node tools/build-guest-image.ts <folder>' } : { path: found }
}

export interface QemuBench extends Bench {
  directory: string
  options: QemuDriverOptions
}

/** A boot under emulation on a busy machine takes this long at most. */
export const PATIENCE = 240_000

export async function qemuBench(imagePath: string, more: Partial<QemuDriverOptions> = {}): Promise<QemuBench> {
  const directory = await mkdtemp(join(tmpdir(), 'ondol-qemu-'))
  const options: QemuDriverOptions = { data: join(directory, 'a'), unplugTimeout: PATIENCE, ...more }
  let serial = 0
  return {
    ...benchImages(async (_imageId, destination) => {
      await copyFile(imagePath, destination)
      return { format: 'qcow2', size: (await stat(destination)).size }
    }),
    directory,
    options,
    image_id: 'guest-image',
    memory_mb: 128,
    root_gb: 1,
    patience: PATIENCE,
    open: () => openQemuDriver(world(), options),
    peer: () => openQemuDriver(world(), { ...options, data: join(directory, 'b') }),
    booted: (driver, serverId, boots) => until(`boot ${boots} of ${serverId}`, PATIENCE, async () => bootsOf(await consoleOf(driver, serverId)) >= boots),
    powersOffInside: (driver, serverId) => runInside(driver, serverId, 'poweroff'),
    async volume(volumeId, sizeGb) {
      const path = join(directory, volumeId)
      const handle = await open(path, 'w')
      await handle.truncate(sizeGb * 2 ** 30)
      await handle.close()
      return { driver_volume_type: 'file', data: { path, format: 'raw' } }
    },
    growVolume: (volumeId, sizeGb) => truncate(join(directory, volumeId), sizeGb * 2 ** 30),
    freePath: () => join(directory, `free-${++serial}`),
    close: () => rm(directory, { recursive: true, force: true }),
  }
}

export async function consoleOf(driver: ComputeDriver, serverId: string): Promise<string> {
  return (await driver.consoleLog?.consoleLog(serverId)) ?? ''
}

/** How often the guest has come up, by its console. */
export function bootsOf(text: string): number {
  return text.split(READY_PATTERN).length >> 1
}

let asked = 0

/** Runs a command line in the guest and returns what it printed. */
export async function askInside(driver: ComputeDriver, serverId: string, command: string): Promise<string> {
  asked += 1
  const [begin, end] = [`BEGIN${asked}`, `END${asked}`]
  // Quotes keep the marks out of the echo of the command itself.
  await runInside(driver, serverId, `echo "BEG""IN${asked}"; ${command}; echo "E""ND${asked}"`, end)
  const log = await consoleOf(driver, serverId)
  return log.slice(log.lastIndexOf(begin) + begin.length, log.lastIndexOf(end)).replaceAll('\r', '').trim()
}

/** Logs in on the serial console and runs a command line; returns when its echo, or `sign`, was printed. */
export async function runInside(driver: ComputeDriver, serverId: string, command: string, sign = command, password: string = GUEST_LOGIN.password): Promise<void> {
  const { socket: path } = await driver.consoleSockets!.serial(serverId)
  const socket = await connectUnix(path)
  try {
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.on('error', () => {})
    const prompt = (): 'login' | 'password' | 'shell' | undefined =>
      // The shell asks the terminal where its cursor is right after the prompt.
      /[#$] (\x1b\[6n)?$/.test(text) ? 'shell' : /Password: $/.test(text) ? 'password' : /login: $/.test(text) ? 'login' : undefined
    const answer = async (line: string): Promise<void> => {
      text = ''
      socket.write(`${line}\n`)
      await until(`an answer to ${line}`, PATIENCE, async () => prompt() !== undefined || socket.destroyed)
    }
    await answer('')
    if (prompt() === 'login') await answer(GUEST_LOGIN.user)
    if (prompt() === 'password') await answer(password)
    if (prompt() !== 'shell') throw new Error(`No shell on the serial console: ${text}`)
    text = ''
    socket.write(`${command}\n`)
    await until(`${sign} on the console`, PATIENCE, async () => text.includes(sign) || socket.destroyed)
  } finally {
    socket.destroy()
  }
}

/** An image of a mebibyte of nothing, for machines that need no system. */
export const blankImage: ImageSource = {
  async fetch(_imageId, destination) {
    await writeFile(destination, Buffer.alloc(2 ** 20))
    return { format: 'raw', size: 2 ** 20 }
  },
}
