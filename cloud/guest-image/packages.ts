/**
 * The Debian packages of the guest: which versions there are, and their files in a cache folder. The machine's own package lists
 * are used; where there are none (a fresh container), a private copy is made in the cache, so that nothing of the host changes.
 */
import { createHash } from 'node:crypto'
import { access, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { unavailable } from '#base/fault.ts'
import type { Run } from '#base/process/run.ts'
import { ARCHITECTURE, KERNEL_PACKAGE, SOURCE_PACKAGES } from './recipe.ts'

export interface DebianPackage {
  name: string
  version: string
  sha256: string
  depends: readonly string[]
}

/** Options that every apt command of one build takes. */
export type AptOptions = readonly string[]

/** Finds the machine's lists, or makes private ones below `cacheDir`. */
export async function openPackageLists(run: Run, cacheDir: string): Promise<AptOptions> {
  const own: AptOptions = []
  if ((await showPackages(run, own, [KERNEL_PACKAGE])).length > 0) return own
  const state = join(cacheDir, 'apt')
  await mkdir(join(state, 'lists/partial'), { recursive: true })
  await mkdir(join(state, 'archives/partial'), { recursive: true })
  await writeFile(join(state, 'status'), '')
  const mine: AptOptions = [`Dir::State=${state}`, `Dir::State::lists=${state}/lists`, `Dir::State::status=${state}/status`, `Dir::Cache=${state}`].flatMap((each) => ['-o', each])
  await run('apt-get', ['-qq', ...mine, '-o', 'APT::Sandbox::User=root', 'update'], { timeout: 600_000 })
  if ((await showPackages(run, mine, [KERNEL_PACKAGE])).length > 0) return mine
  throw unavailable(`The guest image needs Debian packages, and apt knows no ${KERNEL_PACKAGE}.`)
}

/** The newest version of every package the guest needs: the kernel, the sources of programs, and the libraries below them. */
export async function choosePackages(run: Run, apt: AptOptions): Promise<DebianPackage[]> {
  const [meta] = await showPackages(run, apt, [KERNEL_PACKAGE])
  const kernel = meta?.depends.find((name) => name.startsWith('linux-image-'))
  if (!kernel) throw unavailable(`The package ${KERNEL_PACKAGE} names no kernel.`)
  const chosen = new Map<string, DebianPackage>()
  let wanted: string[] = [kernel, ...SOURCE_PACKAGES]
  while (wanted.length > 0) {
    for (const each of await showPackages(run, apt, wanted)) chosen.set(each.name, each)
    // Libraries only: what else packages depend on (perl, debconf) serves their installation.
    const libraries = [...chosen.values()].flatMap((each) => (each.name === kernel ? [] : each.depends)).filter((name) => /^(lib|zlib)/.test(name) && !name.includes('perl'))
    wanted = [...new Set(libraries)].filter((name) => !chosen.has(name) && !wanted.includes(name))
  }
  const missing = [kernel, ...SOURCE_PACKAGES].find((name) => !chosen.has(name))
  if (missing) throw unavailable(`The guest image needs the Debian package ${missing}, which apt does not know.`)
  return [...chosen.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Downloads what the folder lacks; gives the path of every file, each checked against the signed lists' hash. */
export async function fetchPackages(run: Run, apt: AptOptions, packages: readonly DebianPackage[], folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true })
  const missing: DebianPackage[] = []
  for (const each of packages) if (!(await isWhole(each, folder))) missing.push(each)
  if (missing.length > 0) {
    await run('apt-get', ['-qq', ...apt, '-o', 'APT::Sandbox::User=root', 'download', ...missing.map((each) => `${each.name}=${each.version}`)], { cwd: folder, timeout: 900_000 })
  }
  for (const each of missing) {
    if (!(await isWhole(each, folder))) throw unavailable(`The download of the Debian package ${each.name} is not what the package lists promise.`)
  }
  return packages.map((each) => debPath(each, folder))
}

function debPath(each: DebianPackage, folder: string): string {
  return join(folder, `${each.name}_${each.version.replaceAll(':', '%3a')}_${ARCHITECTURE}.deb`)
}

async function isWhole(each: DebianPackage, folder: string): Promise<boolean> {
  for (const path of [debPath(each, folder), debPath(each, folder).replace(`_${ARCHITECTURE}.deb`, '_all.deb')]) {
    try {
      await access(path)
    } catch {
      continue
    }
    if (createHash('sha256').update(await readFile(path)).digest('hex') !== each.sha256) continue
    // One name for both kinds of package keeps the caller simple.
    if (path !== debPath(each, folder)) await writeFile(debPath(each, folder), await readFile(path))
    return true
  }
  return false
}

async function showPackages(run: Run, apt: AptOptions, names: readonly string[]): Promise<DebianPackage[]> {
  // Exit code 100: some are unknown (virtual packages); those that are known are printed all the same.
  const { stdout } = await run('apt-cache', [...apt, 'show', '--no-all-versions', ...names.map((name) => `${name}:${ARCHITECTURE}`)], { okCodes: [0, 100], timeout: 120_000 })
  return parseShow(stdout)
}

/** The paragraphs of `apt-cache show`. */
export function parseShow(text: string): DebianPackage[] {
  return text.split(/\n\n+/).flatMap((paragraph) => {
    const field = (key: string): string => new RegExp(`^${key}: (.*)$`, 'm').exec(paragraph)?.[1] ?? ''
    if (field('Package') === '' || field('SHA256') === '') return []
    const depends = `${field('Pre-Depends')},${field('Depends')}`.split(/[,|]/).map((each) => each.trim().split(/[\s:(]/)[0] ?? '')
    return [{ name: field('Package'), version: field('Version'), sha256: field('SHA256'), depends: depends.filter((each) => each !== '') }]
  })
}
