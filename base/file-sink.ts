/**
 * A file that lines are added to, and that costs its writers next to nothing: lines gather in memory and go out in one write, when there
 * are many or after a fifth of a second. A process that is killed loses that much; one that ends by itself loses nothing.
 */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

export interface FileSink {
  write(line: string): void
  flushSync(): void
  /** Writes out what is there and closes; later lines are lost. */
  end(): void
}

const ROOM = 256 * 1024
const PAUSE = 200

const open = new Set<FileSink>()
let watching = false

/** Writes out every sink of this process. */
export function flushFileSinks(): void {
  for (const sink of open) sink.flushSync()
}

/** Made with mode 0600, its folder too if it is missing. */
export function fileSink(path: string): FileSink {
  mkdirSync(dirname(path), { recursive: true })
  const fd = openSync(path, 'a', 0o600)
  // Bytes at once: text that is only added to becomes a rope of thousands of pieces, and every collection of garbage walks it.
  let room = Buffer.allocUnsafeSlow(ROOM)
  let used = 0
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    timer = undefined
    sink.flushSync()
  }
  const sink: FileSink = {
    write(line) {
      if (!open.has(sink)) return
      // A character takes at most three bytes.
      const most = line.length * 3
      if (used + most > room.length) {
        sink.flushSync()
        if (most > room.length) room = Buffer.allocUnsafeSlow(Math.max(ROOM, most))
      }
      used += room.write(line, used)
      timer ??= setTimeout(flush, PAUSE).unref()
    },
    flushSync() {
      const end = used
      used = 0
      try {
        // One write into the system's cache is cheaper than handing it to another thread.
        for (let at = 0; at < end; ) at += writeSync(fd, room, at, end - at)
      } catch {
        // A full disk may not stop the cloud: what cannot be written is lost.
      }
    },
    end() {
      if (!open.delete(sink)) return
      clearTimeout(timer)
      sink.flushSync()
      closeSync(fd)
    },
  }
  open.add(sink)
  if (!watching) {
    watching = true
    process.on('exit', flushFileSinks)
  }
  return sink
}
