/** The two trees of the guest: its root file system and the small initramfs that finds it. */
import { chmod, copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { internal } from '#base/fault.ts'
import type { Run } from '#base/process/run.ts'
import { neededLibraries } from './elf.ts'
import { copyModules } from './modules.ts'
import { BOOT_MODULES, LIBRARY_FOLDER, LOADER, MODULES, PROGRAMS, PROGRAM_LINKS } from './recipe.ts'

const OVERLAY = join(import.meta.dirname, 'root')
const INITRAMFS_INIT = join(import.meta.dirname, 'initramfs-init')
const FOLDERS = ['bin', 'usr/bin', 'usr/sbin', 'lib64', LIBRARY_FOLDER, 'etc/dropbear', 'proc', 'sys', 'dev', 'run', 'tmp', 'mnt', 'root', 'home', 'boot', 'var/lib/cloud', 'var/log', 'var/spool'] as const
/** Loaded by name at run time, so no DT_NEEDED tells of them. */
const RUN_TIME_LIBRARIES = ['libnss_files.so.2', 'libnss_dns.so.2']

/** Where programs and libraries lie in unpacked Debian packages. */
interface Unpacked {
  folder: string
  /** Base name → path, of every file outside documentation and kernel modules. */
  files: ReadonlyMap<string, string>
}

export async function openUnpacked(folder: string): Promise<Unpacked> {
  const files = new Map<string, string>()
  for (const each of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(each.parentPath, each.name)
    const inside = path.slice(folder.length)
    if (each.isDirectory() || /\/(share|modules|debug)\//.test(inside)) continue
    if (/^\/(usr\/)?(s?bin|lib|lib64|libexec)\//.test(inside)) files.set(each.name, path)
  }
  return { folder, files }
}

export async function buildRootTree(run: Run, unpacked: Unpacked, version: string, root: string): Promise<void> {
  for (const folder of FOLDERS) await mkdir(join(root, folder), { recursive: true })
  await chmod(join(root, 'tmp'), 0o1777)
  await chmod(join(root, 'root'), 0o700)
  await symlink('/run', join(root, 'var/run'))
  // The kernel calls /sbin/modprobe and /sbin/init, and scripts say /sbin/ip: the same applets.
  await symlink('bin', join(root, 'sbin'))
  await placeBusybox(run, unpacked, root)
  for (const program of PROGRAMS) await place(find(unpacked, program), join(root, 'usr/sbin', program))
  for (const [link, target] of Object.entries(PROGRAM_LINKS)) await symlink(target, join(root, link))
  await placeLibraries(unpacked, root)
  await copyModules(run, unpacked.folder, root, version, MODULES)
  await copyOverlay(OVERLAY, root)
  await chmod(join(root, 'etc/shadow'), 0o600)
}

export async function buildInitramfsTree(run: Run, unpacked: Unpacked, version: string, tree: string): Promise<void> {
  for (const folder of ['bin', 'proc', 'sys', 'dev', 'mnt']) await mkdir(join(tree, folder), { recursive: true })
  await place(find(unpacked, 'busybox'), join(tree, 'bin/busybox'))
  await copyModules(run, unpacked.folder, tree, version, BOOT_MODULES)
  await place(INITRAMFS_INIT, join(tree, 'init'))
}

/** Every applet of busybox as a link, except those that a program of its own or our own script stands for. */
async function placeBusybox(run: Run, unpacked: Unpacked, root: string): Promise<void> {
  const busybox = join(root, 'bin/busybox')
  await place(find(unpacked, 'busybox'), busybox)
  const taken = new Set<string>(['busybox', ...PROGRAMS])
  const { stdout } = await run(busybox, ['--list'])
  for (const applet of stdout.split('\n')) if (applet !== '' && !taken.has(applet)) await symlink('/bin/busybox', join(root, 'bin', applet))
}

async function placeLibraries(unpacked: Unpacked, root: string): Promise<void> {
  const done = new Set<string>()
  const waiting = [...RUN_TIME_LIBRARIES.filter((name) => unpacked.files.has(name)), basename(LOADER.target)]
  for (const program of PROGRAMS) waiting.push(...(await neededLibraries(find(unpacked, program))))
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (done.has(name)) continue
    done.add(name)
    const source = find(unpacked, name)
    await place(source, join(root, LIBRARY_FOLDER, name))
    waiting.push(...(await neededLibraries(source)))
  }
  await symlink(LOADER.target, join(root, LOADER.link))
}

/** Our own files: scripts (they begin with #!) are executable. */
async function copyOverlay(from: string, to: string): Promise<void> {
  for (const each of await readdir(from, { recursive: true, withFileTypes: true })) {
    if (!each.isFile()) continue
    const source = join(each.parentPath, each.name)
    const target = join(to, source.slice(from.length))
    await mkdir(dirname(target), { recursive: true })
    const bytes = await readFile(source)
    await writeFile(target, bytes)
    await chmod(target, bytes.toString('latin1', 0, 2) === '#!' ? 0o755 : 0o644)
  }
}

function find(unpacked: Unpacked, name: string): string {
  const path = unpacked.files.get(name)
  if (path === undefined) throw internal(`The Debian packages of the guest hold no ${name}`)
  return path
}

async function place(from: string, to: string): Promise<void> {
  await copyFile(from, to)
  await chmod(to, 0o755)
}
