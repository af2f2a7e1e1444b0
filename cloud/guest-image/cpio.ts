/** A cpio archive (newc) of a folder, as the kernel wants its initramfs: root's files, one fixed time, names in order. */
import { lstat, readFile, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'

const FOLDER = 0o040000
const LINK = 0o120000
const FILE = 0o100000

export async function cpioArchive(folder: string, mtime: number): Promise<Buffer> {
  const names = (await readdir(folder, { recursive: true })).sort()
  const parts: Buffer[] = []
  for (const [index, name] of names.entries()) {
    const path = join(folder, name)
    const facts = await lstat(path)
    const permissions = facts.mode & 0o7777
    if (facts.isDirectory()) parts.push(entry(name, index + 1, FOLDER | permissions, mtime, Buffer.alloc(0)))
    else if (facts.isSymbolicLink()) parts.push(entry(name, index + 1, LINK | 0o777, mtime, Buffer.from(await readlink(path))))
    else parts.push(entry(name, index + 1, FILE | permissions, mtime, await readFile(path)))
  }
  parts.push(entry('TRAILER!!!', 0, 0, 0, Buffer.alloc(0)))
  const whole = Buffer.concat(parts)
  return Buffer.concat([whole, Buffer.alloc(pad(whole.length, 512))])
}

function entry(name: string, inode: number, mode: number, mtime: number, data: Buffer): Buffer {
  const links = (mode & 0o170000) === FOLDER ? 2 : 1
  const fields = [inode, mode, 0, 0, links, mtime, data.length, 0, 0, 0, 0, Buffer.byteLength(name) + 1, 0]
  const head = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`)
  return Buffer.concat([head, Buffer.alloc(pad(head.length, 4)), data, Buffer.alloc(pad(data.length, 4))])
}

function pad(length: number, to: number): number {
  return (to - (length % to)) % to
}
