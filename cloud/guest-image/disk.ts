/**
 * The disk: a master boot record, a FAT partition with kernel, initramfs and syslinux, and the ext4 root last, so that it can grow.
 * Everything is made in plain files: no mount, no loop device, no root.
 */
import { copyFile, open, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Run } from '#base/process/run.ts'
import { qemuImg } from '#host/qemu-img.ts'
import { BOOT_MIB, DISK_ID, FILE_TIME, HASH_SEED, KERNEL_ARGUMENTS, ROOT_LABEL, ROOT_MIB, ROOT_UUID } from './recipe.ts'

const MIB = 2 ** 20
const SECTOR = 512
const BOOT_AT = MIB
const ROOT_AT = BOOT_AT + BOOT_MIB * MIB
/** The first inodes are the file system's own, except the root folder. */
const ROOT_INODE = 2
const FIRST_INODE = 11

/** ext4 from a folder; every file belongs to root and has the one fixed time, whoever builds it and when. */
export async function makeRootFileSystem(run: Run, tree: string, path: string): Promise<void> {
  await rm(path, { force: true })
  const features = ['-O', '^metadata_csum_seed', '-J', 'size=4', '-m', '0', '-N', '8192']
  const fixed = ['-U', ROOT_UUID, '-E', `hash_seed=${HASH_SEED},root_owner=0:0,lazy_itable_init=0`]
  await run('mke2fs', ['-q', '-t', 'ext4', '-b', '4096', '-L', ROOT_LABEL, ...fixed, ...features, '-d', tree, path, `${ROOT_MIB}M`], {
    env: { E2FSPROGS_FAKE_TIME: String(FILE_TIME) },
    timeout: 120_000,
  })
  const files = (await readdir(tree, { recursive: true })).length
  const inodes = [ROOT_INODE, ...Array.from({ length: files + 1 }, (_, index) => FIRST_INODE + index)]
  const script = inodes.flatMap((inode) => [
    ...['uid', 'gid'].map((field) => `sif <${inode}> ${field} 0`),
    ...['ctime', 'atime', 'mtime', 'crtime'].map((field) => `sif <${inode}> ${field} @${FILE_TIME}`),
  ])
  await run('debugfs', ['-w', '-f', '-', path], { input: `${script.join('\n')}\n`, timeout: 120_000 })
}

/** FAT with the kernel and its boot loader. `kernel` and `initramfs` are paths. */
export async function makeBootPartition(run: Run, kernel: string, initramfs: string, path: string): Promise<void> {
  await rm(path, { force: true })
  await writeFile(path, '')
  await truncate(path, BOOT_MIB * MIB)
  const sectors = (BOOT_MIB * MIB) / SECTOR
  // -H: the sectors before the partition, which the boot sector must know.
  await run('mformat', ['-i', path, '-h', '64', '-s', '32', '-T', String(sectors), '-H', String(BOOT_AT / SECTOR), '-N', DISK_ID.toString(16).padStart(8, '0'), '-v', 'ONDOLBOOT', '::'])
  await run('mcopy', ['-i', path, kernel, '::/vmlinuz'])
  await run('mcopy', ['-i', path, initramfs, '::/initrd.gz'])
  const menu = ['DEFAULT ondol', 'PROMPT 0', 'TIMEOUT 0', 'SERIAL 0 115200', 'LABEL ondol', ' LINUX /vmlinuz', ' INITRD /initrd.gz', ` APPEND ${KERNEL_ARGUMENTS}`, '']
  await writeFile(`${path}.cfg`, menu.join('\n'))
  await run('mcopy', ['-i', path, `${path}.cfg`, '::/syslinux.cfg'])
  await run('syslinux', ['--install', path])
}

/** Puts the parts together as one raw disk. `bootCode` is syslinux' mbr.bin. */
export async function assembleDisk(bootCode: string, boot: string, root: string, path: string): Promise<void> {
  const record = Buffer.alloc(SECTOR)
  ;(await readFile(bootCode)).copy(record, 0, 0, 440)
  record.writeUInt32LE(DISK_ID, 440)
  writePartition(record, 0, { active: true, type: 0x0c, at: BOOT_AT, bytes: BOOT_MIB * MIB })
  writePartition(record, 1, { active: false, type: 0x83, at: ROOT_AT, bytes: ROOT_MIB * MIB })
  record.writeUInt16LE(0xaa55, 510)
  await rm(path, { force: true })
  const disk = await open(path, 'w')
  try {
    await disk.write(record, 0, SECTOR, 0)
    await writeAt(disk, await readFile(boot), BOOT_AT)
    await writeAt(disk, await readFile(root), ROOT_AT)
    await disk.truncate(ROOT_AT + ROOT_MIB * MIB)
  } finally {
    await disk.close()
  }
}

export async function compressDisk(run: Run, raw: string, qcow2: string): Promise<void> {
  await qemuImg(run).convert({ path: raw, format: 'raw' }, { path: qcow2, format: 'qcow2' }, { compress: true, timeout: 300_000 })
}

/** `mbr.bin` of the syslinux-common package. */
export async function placeBootCode(unpacked: string, to: string): Promise<void> {
  await copyFile(join(unpacked, 'usr/lib/syslinux/mbr/mbr.bin'), to)
}

function writePartition(record: Buffer, index: number, partition: { active: boolean; type: number; at: number; bytes: number }): void {
  const at = 446 + index * 16
  record[at] = partition.active ? 0x80 : 0
  // Cylinder, head and sector are of no use any more: the greatest value says "see the sector numbers".
  record.set([0xfe, 0xff, 0xff], at + 1)
  record[at + 4] = partition.type
  record.set([0xfe, 0xff, 0xff], at + 5)
  record.writeUInt32LE(partition.at / SECTOR, at + 8)
  record.writeUInt32LE(partition.bytes / SECTOR, at + 12)
}

/** Writes only what is not zero, so that the file stays sparse. */
async function writeAt(disk: Awaited<ReturnType<typeof open>>, bytes: Buffer, offset: number): Promise<void> {
  const zero = Buffer.alloc(MIB)
  for (let at = 0; at < bytes.length; at += MIB) {
    const part = bytes.subarray(at, at + MIB)
    if (!part.equals(zero.subarray(0, part.length))) await disk.write(part, 0, part.length, offset + at)
  }
}
