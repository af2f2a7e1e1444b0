/**
 * `qemu-img`, one function per use. Every call names the format of every file it opens (a guest may have written another format's
 * header on its own raw disk), takes absolute paths only (a relative one with a colon would be read as a protocol), and is bounded
 * in time; what inspects a foreign file is bounded in memory and processor time too.
 */
import { run as realRun, type Run, type RunOptions } from '#base/process/run.ts'
import { Fault, internal, invalid } from '#base/fault.ts'

export type DiskFormat = 'raw' | 'qcow2'
/** What may be converted from. */
export type SourceFormat = DiskFormat | 'vmdk' | 'vdi' | 'vpc' | 'vhdx' | 'ploop' | 'luks'

export interface DiskFile<F extends SourceFormat = DiskFormat> {
  path: string
  format: F
}

export interface DiskInfo {
  format: string
  /** Bytes the guest sees. */
  virtual_size: number
  /** Bytes on the host's disk. */
  actual_size: number
  backing_file?: string
  backing_format?: string
  data_file?: string
  encrypted: boolean
  cluster_size?: number
  /** Names of the snapshots inside a qcow2, oldest first. */
  snapshots: readonly string[]
}

export interface CheckResult {
  ok: boolean
  corruptions: number
  leaks: number
}

export interface QemuImgOptions {
  /** Milliseconds. */
  timeout?: number
  signal?: AbortSignal
}

export interface QemuImg {
  info(file: DiskFile<SourceFormat>, options?: QemuImgOptions & { shared?: boolean }): Promise<DiskInfo>
  /**
   * Writes a stand-alone copy; `to` must not exist or is overwritten. `shared` reads a disk that a running QEMU holds; with `snapshot`
   * what is read is that snapshot inside a qcow2, which does not change while the disk is written to.
   */
  convert(from: DiskFile<SourceFormat>, to: DiskFile, options?: QemuImgOptions & { compress?: boolean; shared?: boolean; snapshot?: string }): Promise<void>
  /** An empty disk; `size` in bytes. */
  create(file: DiskFile, size: number, options?: QemuImgOptions): Promise<void>
  /** A qcow2 over `backing`; `size` in bytes, never smaller than the backing's (the caller checks). */
  createOverlay(path: string, backing: DiskFile, size?: number, options?: QemuImgOptions): Promise<void>
  /** Grows (or with `shrink` cuts) to `size` bytes. */
  resize(file: DiskFile, size: number, options?: QemuImgOptions & { shrink?: boolean }): Promise<void>
  check(file: DiskFile<'qcow2'>, options?: QemuImgOptions): Promise<CheckResult>
  /** Makes the disk what it was at the snapshot inside it, its size included. Nobody else may have it open. */
  revert(file: DiskFile<'qcow2'>, snapshot: string, options?: QemuImgOptions): Promise<void>
}

const INSPECT_LIMITS = ['--as=2147483648', '--cpu=30']
const HOURS = 3_600_000

export function qemuImg(run: Run = realRun): QemuImg {
  const inspect = (args: readonly string[], options: RunOptions) => run('prlimit', [...INSPECT_LIMITS, '--', 'qemu-img', ...args], options)
  return {
    async info(file, options = {}) {
      const args = ['info', '--output=json', ...(options.shared ? ['-U'] : []), '-f', file.format, absolute(file.path)]
      return parseInfo((await inspect(args, bound(options, 60_000))).stdout)
    },
    async convert(from, to, options = {}) {
      const flags = [...(options.compress ? ['-c'] : []), ...(options.shared ? ['-U'] : []), ...(options.snapshot === undefined ? [] : ['-l', `snapshot.name=${word(options.snapshot)}`])]
      await run('qemu-img', ['convert', '-q', ...flags, '-f', from.format, '-O', to.format, absolute(from.path), absolute(to.path)], bound(options, 2 * HOURS))
    },
    async create(file, size, options = {}) {
      await run('qemu-img', ['create', '-q', '-f', file.format, absolute(file.path), bytes(size)], bound(options, 120_000))
    },
    async createOverlay(path, backing, size, options = {}) {
      const more = size === undefined ? [] : [bytes(size)]
      await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', backing.format, '-b', absolute(backing.path), absolute(path), ...more], bound(options, 120_000))
    },
    async resize(file, size, options = {}) {
      await run('qemu-img', ['resize', '-q', ...(options.shrink ? ['--shrink'] : []), '-f', file.format, absolute(file.path), bytes(size)], bound(options, 120_000))
    },
    async check(file, options = {}) {
      // 2: corrupt, 3: leaked clusters. Both are findings, not failures of the tool.
      const { stdout } = await run('qemu-img', ['check', '--output=json', '-f', file.format, absolute(file.path)], { ...bound(options, HOURS), okCodes: [0, 2, 3] })
      const found = parseJson(stdout)
      const corruptions = count(found.corruptions) + count(found['check-errors'])
      return { ok: corruptions === 0, corruptions, leaks: count(found.leaks) }
    },
    async revert(file, snapshot, options = {}) {
      // This one has no option for the format, except so.
      const image = `driver=qcow2,file.driver=file,file.filename=${absolute(file.path).replaceAll(',', ',,')}`
      await run('qemu-img', ['snapshot', '-q', '--image-opts', '-a', word(snapshot), image], bound(options, HOURS))
    },
  }
}

/** The JSON of `qemu-img info` as a type. */
export function parseInfo(text: string): DiskInfo {
  const found = parseJson(text)
  if (typeof found.format !== 'string' || typeof found['virtual-size'] !== 'number') throw internal('qemu-img info printed something unknown')
  const own = (found['format-specific'] as { data?: Record<string, unknown> } | undefined)?.data ?? {}
  const text_ = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
  const backing = text_(found['backing-filename'])
  const backingFormat = text_(found['backing-filename-format'])
  const dataFile = text_(own['data-file'])
  return {
    format: found.format,
    virtual_size: found['virtual-size'],
    actual_size: count(found['actual-size']),
    encrypted: found.encrypted === true,
    snapshots: Array.isArray(found.snapshots) ? (found.snapshots as { name?: unknown }[]).map((each) => String(each.name)) : [],
    ...(backing === undefined ? {} : { backing_file: backing }),
    ...(backingFormat === undefined ? {} : { backing_format: backingFormat }),
    ...(dataFile === undefined ? {} : { data_file: dataFile }),
    ...(typeof found['cluster-size'] === 'number' ? { cluster_size: found['cluster-size'] } : {}),
  }
}

function parseJson(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch (thrown) {
    throw new Fault('internal', 'qemu-img printed no JSON', { cause: thrown })
  }
}

function count(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

function absolute(path: string): string {
  if (!path.startsWith('/')) throw invalid('A disk file is named by its absolute path.', { field: 'path', detail: path })
  return path
}

function word(name: string): string {
  if (!/^[\w-]{1,128}$/.test(name)) throw invalid('A snapshot name has letters, digits, dashes and underscores only.', { field: 'snapshot' })
  return name
}

function bytes(size: number): string {
  if (!Number.isSafeInteger(size) || size < 0) throw invalid('A disk size is a whole number of bytes.', { field: 'size' })
  return String(size)
}

function bound(options: QemuImgOptions, timeout: number): RunOptions {
  return { timeout: options.timeout ?? timeout, maxOutput: 2 ** 20, ...(options.signal ? { signal: options.signal } : {}) }
}
