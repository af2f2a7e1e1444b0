/**
 * Files that are read and written in the loop as long as the system answers from its memory, and by its threads when it does not. Handing 256 KiB to a
 * thread and back costs three times what copying them does.
 */
import { close, closeSync, open, openSync, read, readSync, write, writeSync } from 'node:fs'

/** What takes longer has waited for a disk or for a processor, milliseconds. */
const SLOW_MS = 2
/** For so many times as long as it took, nothing else waits for that disk in the loop: it stands still for a few hundredths of the time at most. */
const REST = 50
/** So long after something slow, it is looked which of the two the next one waits for. */
const WATCH_MS = 1000

/** Of one disk. */
export interface Pace {
  /** Runs `here`, or when the disk was slow of late, `there`. Throws what `here` throws. */
  run<T>(here: () => T, there: () => Promise<T>): T | Promise<T>
}

export interface Watch {
  now(): number
  /** Milliseconds that this thread has waited for a processor, ever, and how often this process has let one go to wait for something else. */
  waits(): { queued: number; yields: number }
}

export function pace(watch: Watch = systemWatch): Pace {
  let resting = Number.NEGATIVE_INFINITY
  let watching = Number.NEGATIVE_INFINITY
  return {
    run(here, there) {
      const began = watch.now()
      if (began < resting) return there()
      const before = began < watching ? watch.waits() : undefined
      try {
        return here()
      } finally {
        const took = watch.now() - began
        if (took > SLOW_MS) {
          const after = watch.waits()
          if (!before) watching = began + took + WATCH_MS
          // Without a yield it was not the disk, but other programs, or the machine under this one.
          else if (after.yields > before.yields && took - (after.queued - before.queued) > SLOW_MS) resting = began + took * (REST + 1)
        }
      }
    },
  }
}

let schedstat: number | undefined
const line = Buffer.alloc(100)
const systemWatch: Watch = {
  now: () => performance.now(),
  waits: () => ({ queued: queuedMs(), yields: process.resourceUsage().voluntaryContextSwitches }),
}

function queuedMs(): number {
  try {
    schedstat ??= openSync('/proc/thread-self/schedstat', 'r')
    // Nanoseconds on a processor, nanoseconds in the queue for one, turns.
    return Number(line.toString('latin1', 0, readSync(schedstat, line, 0, line.length, 0)).split(' ')[1]) / 1e6
  } catch {
    return 0
  }
}

export interface OpenFile {
  /** Into the beginning of `buffer`; resolves with how many bytes there were. */
  read(buffer: Buffer, size: number, position: number): number | Promise<number>
  /** All of `bytes`. */
  write(bytes: Uint8Array, position: number): void | Promise<void>
  readonly fd: number
  close(): void | Promise<void>
}

/** Rejects with the system's error. */
export async function openFile(path: string, flags: string, of: Pace, mode = 0o600): Promise<OpenFile> {
  const fd = await of.run(
    () => openSync(path, flags, mode),
    () => new Promise<number>((resolve, reject) => open(path, flags, mode, (error, opened) => (error ? reject(error) : resolve(opened)))),
  )
  const all = (bytes: Uint8Array, position: number): void | Promise<void> => {
    for (let at = 0; at < bytes.length; ) {
      const [from, left] = [at, bytes.length - at]
      const one = of.run(
        () => writeSync(fd, bytes, from, left, position + from),
        () => new Promise<number>((resolve, reject) => write(fd, bytes, from, left, position + from, (error, count) => (error ? reject(error) : resolve(count)))),
      )
      if (typeof one !== 'number') return one.then((count) => all(bytes.subarray(from + count), position + from + count))
      at += one
    }
  }
  const closed = (): Promise<void> => new Promise((resolve) => close(fd, () => resolve()))
  return {
    fd,
    read: (buffer, size, position) =>
      of.run(
        () => readSync(fd, buffer, 0, size, position),
        () => new Promise<number>((resolve, reject) => read(fd, buffer, 0, size, position, (error, count) => (error ? reject(error) : resolve(count)))),
      ),
    write: all,
    close: () => of.run(() => closeSync(fd), closed),
  }
}
