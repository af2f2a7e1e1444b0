/**
 * A machine's memory to and from a file, through a unix socket: QEMU streams its state and we write the file, and the other way round.
 * (QEMU's own way, `exec:`, would run a shell; and a file descriptor cannot be handed over from here.)
 */
import { createServer, type Server, type Socket } from 'node:net'
import { createReadStream, createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { connectUnix } from './qmp.ts'

export interface MemoryStream {
  /** For `migrate`. */
  uri: string
  /** Resolves with the bytes moved when all was; rejects when the stream broke. */
  done: Promise<number>
  /** Ends everything and removes the socket. */
  close(): Promise<void>
}

/** QEMU's outgoing state becomes the file `path` (mode 0600). Not synced, not renamed: the caller decides when it counts. */
export function receiveMemory(socketPath: string, path: string): Promise<MemoryStream> {
  return serve(socketPath, async (socket) => {
    const file = createWriteStream(path, { mode: 0o600, flush: true })
    await pipeline(socket, file)
    return file.bytesWritten
  })
}

/** Bytes of the file sent to a QEMU that listens at `socketPath` after `migrate-incoming unix:<socketPath>`. */
export async function sendMemory(socketPath: string, path: string): Promise<number> {
  const socket = await connectUnix(socketPath)
  const file = createReadStream(path)
  // QEMU reads to its own end mark and then closes: what it does not want to read is no failure.
  await pipeline(file, socket).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code !== 'EPIPE' && thrown.code !== 'ERR_STREAM_PREMATURE_CLOSE' && thrown.code !== 'ECONNRESET') throw thrown
  })
  return file.bytesRead
}

async function serve(socketPath: string, move: (socket: Socket) => Promise<number>): Promise<MemoryStream> {
  await rm(socketPath, { force: true })
  const server: Server = createServer()
  let finish: (bytes: number) => void = () => {}
  let fail: (reason: unknown) => void = () => {}
  const done = new Promise<number>((resolve, reject) => {
    finish = resolve
    fail = reject
  })
  done.catch(() => {})
  let current: Socket | undefined
  server.once('connection', (socket) => {
    current = socket
    server.close()
    move(socket).then(finish, fail)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socketPath, resolve)
  })
  return {
    uri: `unix:${socketPath}`,
    done,
    async close() {
      server.close()
      current?.destroy()
      fail(new Error('the memory stream was closed'))
      await rm(socketPath, { force: true })
    },
  }
}
