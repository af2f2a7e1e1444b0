/** Files and folders as the driver needs them: plain descriptors, whole reads and writes, and syncs of folders that several wait for together. */
import { close, fdatasync, open, read, writev, writevSync } from 'node:fs'
import { Fault, unavailable } from '#base/fault.ts'

export const openFd = (path: string, flags: string, mode?: number): Promise<number> => new Promise((resolve, reject) => open(path, flags, mode ?? 0o600, (error, fd) => (error ? reject(error) : resolve(fd))))
export const closeFd = (fd: number): Promise<void> => new Promise((resolve) => close(fd, () => resolve()))
export const syncFd = (fd: number): Promise<void> => new Promise((resolve, reject) => fdatasync(fd, (error) => (error ? reject(error) : resolve())))

export function readAt(fd: number, buffer: Buffer, position: number): Promise<number> {
  return new Promise((resolve, reject) => read(fd, buffer, 0, buffer.length, position, (error, count) => (error ? reject(error) : resolve(count))))
}

/** The system takes at most 1,024 pieces at once. */
const PIECES = 1000

/** What is left of `chunks` when so many bytes of the first `PIECES` were written. */
function without(chunks: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let skip = written
  let i = 0
  while (i < chunks.length && skip >= chunks[i]!.length) skip -= chunks[i++]!.length
  return skip > 0 ? [chunks[i]!.subarray(skip), ...chunks.slice(i + 1)] : chunks.slice(i)
}

/** All of it, however the system cuts it up. */
export async function writeAll(fd: number, chunks: readonly Uint8Array[], position: number): Promise<void> {
  for (let left = chunks, at = position; left.length > 0; ) {
    const some = left.slice(0, PIECES)
    const written = await new Promise<number>((resolve, reject) => writev(fd, some as NodeJS.ArrayBufferView[], at, (error, count) => (error ? reject(error) : resolve(count))))
    at += written
    left = without(left, written)
  }
}

/** The same in the loop. */
export function writeAllNow(fd: number, chunks: readonly Uint8Array[], position: number): void {
  for (let left = chunks, at = position; left.length > 0; ) {
    const written = writevSync(fd, left.slice(0, PIECES) as NodeJS.ArrayBufferView[], at)
    at += written
    left = without(left, written)
  }
}

/** `ENOSPC` and what is like it becomes 507, what cannot be read 503. */
export function diskFault(thrown: unknown): unknown {
  const code = (thrown as { code?: string }).code
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') return new Fault('insufficient_storage', 'There is no room left for this object.', { cause: thrown })
  if (code === 'ENOENT') return unavailable('The bytes of this object are not there.', { code: 'swift.no_bytes', cause: thrown })
  if (code === 'EIO' || code === 'EMFILE' || code === 'ENFILE' || code === 'EROFS') return unavailable('The store cannot be read or written at the moment.', { cause: thrown, data: { retry_after: 5 } })
  return thrown
}

/** Syncs of one folder: who comes during one waits for the next, together with all others who do. Whose sync failed, and who waited behind it, must not count on what they wrote. */
export function folderSync(): (path: string) => Promise<void> {
  const running = new Map<string, { now: Promise<void>; next?: Promise<void> }>()
  const sync = async (path: string): Promise<void> => {
    const fd = await openFd(path, 'r')
    await syncFd(fd).finally(() => closeFd(fd))
  }
  const run = (path: string): Promise<void> => {
    const own = sync(path).finally(() => {
      if (running.get(path)?.now === own && running.get(path)?.next === undefined) running.delete(path)
    })
    return own
  }
  return (path) => {
    const busy = running.get(path)
    if (!busy) {
      const now = run(path)
      running.set(path, { now })
      return now
    }
    // The system tells a failure once: a sync after one that failed succeeds, and says nothing of what was to be synced before.
    busy.next ??= busy.now.then(
      () => {
        const now = run(path)
        running.set(path, { now })
        return now
      },
      (thrown: unknown) => {
        running.delete(path)
        throw thrown
      },
    )
    return busy.next
  }
}
