/** Files and sockets of one host for the agent of another, over `host/tunnels.ts`. Each is fetched or opened once, and within a time. */
import { createReadStream, createWriteStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { unavailable } from '#base/fault.ts'
import type { World } from '#base/world.ts'
import { joinUnix, openTunnel, type Tunnels, type Way } from '#host/tunnels.ts'

export interface Ways {
  /** The file is removed when it was fetched, or when nobody came. */
  offerFile(path: string): Promise<Way>
  offerSocket(path: string): Promise<Way>
  /** Writes `size` bytes to `destination`; `unavailable` when it came only in part. */
  fetchFile(way: Way, size: number, destination: string, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** Milliseconds for which a file waits to be fetched, and a socket to be opened. */
const FETCHED_WITHIN = 600_000
const OPENED_WITHIN = 60_000
const CHUNK = 1 << 20

/** `host`: this host's address that the others reach. */
export function hostWays(world: World, tunnels: Tunnels, host: string): Ways {
  return {
    async offerFile(path) {
      const forget = (): Promise<void> => rm(path, { force: true })
      const { way, withdraw } = await tunnels.offer(host, (socket) => void pipeline(createReadStream(path, { highWaterMark: CHUNK }), socket.resume()).then(forget, forget), { once: true })
      world.clock.after(FETCHED_WITHIN, () => {
        withdraw()
        void forget()
      })
      return way
    },
    async offerSocket(path) {
      const { way, withdraw } = await tunnels.offer(host, joinUnix(path), { once: true })
      world.clock.after(OPENED_WITHIN, withdraw)
      return way
    },
    async fetchFile(way, size, destination, signal) {
      const socket = await openTunnel(way, signal)
      await pipeline(socket, createWriteStream(destination, { mode: 0o600, highWaterMark: CHUNK }), { signal }).finally(() => socket.destroy())
      const { size: got } = await stat(destination)
      if (got !== size) throw unavailable('A disk came only in part.', { detail: `${got} of ${size} bytes` })
    },
    close: () => tunnels.close(),
  }
}
