/**
 * `ensureGuestImage`: the small Linux that Ondol offers as its first image, built once from Debian packages and kept in a cache.
 *
 * The file's name carries a hash of the recipe (this folder) and of the package versions. `current.json` beside it remembers
 * which recipe it was built from, so that a later call answers without asking apt; `refresh` asks again for newer packages.
 */
import { createHash } from 'node:crypto'
import { access, mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { type Clock, realClock } from '#base/clock.ts'
import type { Log } from '#base/log.ts'
import type { Run } from '#base/process/run.ts'
import { cpioArchive } from './cpio.ts'
import { assembleDisk, compressDisk, makeBootPartition, makeRootFileSystem, placeBootCode } from './disk.ts'
import { holdLock } from './lock.ts'
import { indexModules, kernelVersion } from './modules.ts'
import { type AptOptions, type DebianPackage, choosePackages, fetchPackages, openPackageLists } from './packages.ts'
import { FILE_TIME } from './recipe.ts'
import { buildInitramfsTree, buildRootTree, openUnpacked } from './trees.ts'

export interface GuestImageProgress {
  step: 'waiting' | 'packages' | 'download' | 'unpack' | 'trees' | 'disk' | 'compress' | 'done'
  /** 0 to 1. */
  fraction: number
}

export interface GuestImageOptions {
  /** Holds packages and images; made when it is not there. */
  cacheDir: string
  run: Run
  log: Log
  clock?: Clock
  onProgress?: (progress: GuestImageProgress) => void
  /** Looks for newer packages although an image of this recipe is there. */
  refresh?: boolean
  signal?: AbortSignal
}

interface Current {
  recipe: string
  file: string
  packages: Readonly<Record<string, string>>
}

/** Path of the qcow2. Errors: `unavailable` where apt cannot give the packages; `internal` from a tool. */
export async function ensureGuestImage(given: GuestImageOptions): Promise<string> {
  const options = { ...given, cacheDir: resolve(given.cacheDir) }
  const recipe = await hashRecipe(import.meta.dirname)
  await mkdir(options.cacheDir, { recursive: true })
  const ready = options.refresh ? undefined : await findCurrent(options.cacheDir, recipe)
  if (ready !== undefined) return ready
  options.onProgress?.({ step: 'waiting', fraction: 0 })
  return holdLock(join(options.cacheDir, 'build.lock'), options.clock ?? realClock, options.signal, async () => {
    const built = options.refresh ? undefined : await findCurrent(options.cacheDir, recipe)
    return built ?? build(options, recipe)
  })
}

async function build(options: GuestImageOptions, recipe: string): Promise<string> {
  const { cacheDir, run, log } = options
  const progress = (step: GuestImageProgress['step'], fraction: number): void => {
    options.signal?.throwIfAborted()
    options.onProgress?.({ step, fraction })
  }
  progress('packages', 0.05)
  const apt = await openPackageLists(run, cacheDir)
  const packages = await choosePackages(run, apt)
  const key = createHash('sha256').update(recipe).update(JSON.stringify(packages.map((each) => [each.name, each.version, each.sha256]))).digest('hex').slice(0, 16)
  const file = `ondol-guest-${key}.qcow2`
  const path = join(cacheDir, file)
  if (!(await exists(path))) {
    const work = join(cacheDir, 'build')
    await rm(work, { recursive: true, force: true })
    try {
      await makeImage(run, apt, packages, cacheDir, work, progress)
      await rename(join(work, 'disk.qcow2'), path)
    } finally {
      await rm(work, { recursive: true, force: true })
    }
    log.info('Built guest image', { file, bytes: (await stat(path)).size, packages: packages.length })
  }
  const current: Current = { recipe, file, packages: Object.fromEntries(packages.map((each) => [each.name, each.version])) }
  await writeFile(join(cacheDir, 'current.json.new'), `${JSON.stringify(current, undefined, 1)}\n`)
  await rename(join(cacheDir, 'current.json.new'), join(cacheDir, 'current.json'))
  progress('done', 1)
  return path
}

async function makeImage(run: Run, apt: AptOptions, packages: readonly DebianPackage[], cacheDir: string, work: string, progress: (step: GuestImageProgress['step'], fraction: number) => void): Promise<void> {
  const at = (name: string): string => join(work, name)
  progress('download', 0.1)
  const debs = await fetchPackages(run, apt, packages, join(cacheDir, 'packages'))
  progress('unpack', 0.4)
  await mkdir(at('unpacked'), { recursive: true })
  for (const deb of debs) await run('dpkg-deb', ['-x', deb, at('unpacked')], { timeout: 120_000 })
  const version = await kernelVersion(at('unpacked'))
  await indexModules(run, at('unpacked'), version)
  const unpacked = await openUnpacked(at('unpacked'))
  progress('trees', 0.6)
  await buildRootTree(run, unpacked, version, at('root'))
  await buildInitramfsTree(run, unpacked, version, at('initramfs'))
  await writeFile(at('initrd.gz'), await promisify(gzip)(await cpioArchive(at('initramfs'), FILE_TIME), { level: 9 }))
  progress('disk', 0.7)
  await makeRootFileSystem(run, at('root'), at('root.ext4'))
  await makeBootPartition(run, at(`unpacked/boot/vmlinuz-${version}`), at('initrd.gz'), at('boot.fat'))
  await placeBootCode(at('unpacked'), at('mbr.bin'))
  await assembleDisk(at('mbr.bin'), at('boot.fat'), at('root.ext4'), at('disk.raw'))
  progress('compress', 0.8)
  await compressDisk(run, at('disk.raw'), at('disk.qcow2'))
}

async function findCurrent(cacheDir: string, recipe: string): Promise<string | undefined> {
  try {
    const current = JSON.parse(await readFile(join(cacheDir, 'current.json'), 'utf8')) as Current
    const path = join(cacheDir, basename(current.file))
    return current.recipe === recipe && (await exists(path)) ? path : undefined
  } catch {
    return undefined
  }
}

/** Over every file of this folder that has a part in the image. */
async function hashRecipe(folder: string): Promise<string> {
  const hash = createHash('sha256')
  for (const name of (await readdir(folder, { recursive: true })).sort()) {
    const path = join(folder, name)
    if (/\.(test\.ts|md)$/.test(name) || !(await stat(path)).isFile()) continue
    hash.update(`${name}\0`).update(await readFile(path)).update('\0')
  }
  return hash.digest('hex')
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false)
}
