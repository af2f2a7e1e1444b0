/** Kernel modules: the named ones and what they need, copied from an unpacked kernel package into a tree of the guest. */
import { copyFile, mkdir, readFile, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { internal } from '#base/fault.ts'
import type { Run } from '#base/process/run.ts'

/** The version of the one kernel below `tree`. */
export async function kernelVersion(tree: string): Promise<string> {
  const [version] = await readdir(join(tree, 'lib/modules'))
  if (version === undefined) throw internal('The kernel package holds no modules')
  return version
}

/** Writes `modules.dep` and its kin into the tree. */
export async function indexModules(run: Run, tree: string, version: string): Promise<void> {
  await run('depmod', ['-b', tree, version], { timeout: 120_000 })
}

/** Paths of the modules and of all they depend on, relative to `lib/modules/<version>`; built-in ones have no file. */
export function chooseModules(modulesDep: string, names: readonly string[]): string[] {
  const needs = new Map<string, { path: string; depends: string[] }>()
  for (const line of modulesDep.split('\n')) {
    const [path, rest] = line.split(':')
    if (path && rest !== undefined) needs.set(moduleName(path), { path, depends: rest.trim().split(' ').filter(Boolean) })
  }
  const chosen = new Set<string>()
  for (const name of names) {
    const found = needs.get(name.replaceAll('-', '_'))
    if (found) for (const path of [found.path, ...found.depends]) chosen.add(path)
  }
  return [...chosen].sort()
}

/** Copies the modules from one tree into another and indexes them there; compressed ones are unpacked (busybox cannot). */
export async function copyModules(run: Run, from: string, to: string, version: string, names: readonly string[]): Promise<void> {
  const source = join(from, 'lib/modules', version)
  const target = join(to, 'lib/modules', version)
  await mkdir(target, { recursive: true })
  for (const path of chooseModules(await readFile(join(source, 'modules.dep'), 'utf8'), names)) {
    await mkdir(dirname(join(target, path)), { recursive: true })
    await copyFile(join(source, path), join(target, path))
    if (path.endsWith('.xz')) await run('xz', ['-d', join(target, path)])
  }
  for (const each of ['modules.builtin', 'modules.order']) await copyFile(join(source, each), join(target, each))
  await indexModules(run, to, version)
}

function moduleName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/\.ko(\.xz)?$/, '').replaceAll('-', '_')
}
