/** Against images that qemu-img makes; skipped where it is not installed. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createReadStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { run } from '#base/process/run.ts'
import { type ImageFinding, judgeImage } from './image-judge.ts'
import { ImageProbe } from './image-probe.ts'

const skip = spawnSync('qemu-img', ['--version']).error ? 'qemu-img is not installed' : false
const SIZE = 64 * 2 ** 20

async function probeFile(path: string, disk_format: string): Promise<ImageFinding> {
  const probe = new ImageProbe()
  for await (const chunk of createReadStream(path)) probe.write(chunk as Buffer)
  return judgeImage(probe.finish(), { disk_format })
}

const MADE: readonly { disk_format: string; args: readonly string[]; problem?: string; size?: number }[] = [
  { disk_format: 'raw', args: ['-f', 'raw'] },
  { disk_format: 'qcow2', args: ['-f', 'qcow2'] },
  { disk_format: 'qcow2', args: ['-f', 'qcow2', '-o', 'compat=0.10'] },
  { disk_format: 'qcow2', args: ['-f', 'qcow2', '-o', 'compression_type=zstd,extended_l2=on,lazy_refcounts=on'] },
  { disk_format: 'qcow2', args: ['-f', 'qcow2', '-b', 'base.qcow2', '-F', 'qcow2'], problem: 'backing_file' },
  { disk_format: 'qcow2', args: ['-f', 'qcow2', '-o', 'data_file=data.raw'], problem: 'data_file' },
  { disk_format: 'vmdk', args: ['-f', 'vmdk'] },
  { disk_format: 'vmdk', args: ['-f', 'vmdk', '-o', 'subformat=streamOptimized'] },
  { disk_format: 'vmdk', args: ['-f', 'vmdk', '-o', 'subformat=monolithicFlat'], problem: 'subformat' },
  { disk_format: 'vmdk', args: ['-f', 'vmdk', '-o', 'subformat=twoGbMaxExtentSparse'], problem: 'subformat' },
  { disk_format: 'vhd', args: ['-f', 'vpc', '-o', 'subformat=dynamic,force_size'] },
  { disk_format: 'vhd', args: ['-f', 'vpc', '-o', 'subformat=fixed,force_size'] },
  { disk_format: 'vhdx', args: ['-f', 'vhdx'] },
  { disk_format: 'vhdx', args: ['-f', 'vhdx', '-o', 'subformat=fixed'] },
  { disk_format: 'vdi', args: ['-f', 'vdi'] },
  { disk_format: 'ploop', args: ['-f', 'parallels'] },
  { disk_format: 'raw', args: ['-f', 'qed'], problem: 'unsupported' },
]

test('what qemu-img makes is judged rightly', { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ondol-probe-'))
  try {
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', 'base.qcow2', String(SIZE)], { cwd: folder })
    for (const [index, each] of MADE.entries()) {
      const name = `image-${index}`
      await run('qemu-img', ['create', '-q', ...each.args, name, String(SIZE)], { cwd: folder })
      const found = await probeFile(join(folder, name), each.disk_format)
      const what = each.args.join(' ')
      assert.equal(found.problem?.code, each.problem, `${what}: ${found.problem?.reason}`)
      if (!each.problem) assert.equal(found.virtual_size, SIZE, what)
      if (each.disk_format !== 'raw') assert.ok((await probeFile(join(folder, name), 'raw')).problem, `${what} declared as raw`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
