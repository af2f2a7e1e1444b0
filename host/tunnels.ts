/**
 * Ways from one host's agent to another's: guests on their move, disks, consoles. One TCP port on the host's own address; whoever connects
 * says a key that was told over the message bus and is joined to what was offered under it. Nothing else listens on the network: QEMU
 * itself only on unix sockets, whatever namespace it is in.
 *
 *     const tunnels = agentTunnels({ ports: [49152, 49215], random })
 *     const offer = await tunnels.offer('192.0.2.7', joinUnix('/run/guest.vnc'))     // there
 *     const socket = await openTunnel(offer.way)                                     // here
 *
 * What runs through is not encrypted: it belongs on a network of the hosts alone.
 */
import { chmod, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { pipeline } from 'node:stream'
import { unavailable } from '#base/fault.ts'
import type { Random } from '#base/random.ts'

/** Where to connect and what to say; secret. Plain JSON. */
export interface Way {
  host: string
  port: number
  key: string
}

export interface Offer {
  way: Way
  /** Nobody is let in any more; who is in stays. */
  withdraw(): void
}

export interface Tunnels {
  /** `join` gets each connection that said the key; with `once` the first alone. `host` is this host's address that the others reach. */
  offer(host: string, join: (socket: Socket) => void, options?: { once?: boolean }): Promise<Offer>
  close(): Promise<void>
}

const GREETING = 'ondol-way '
const LONGEST = 200
const PATIENCE = 10_000

export function agentTunnels({ ports: [low, high], random }: { ports: readonly [number, number]; random: Random }): Tunnels {
  const offers = new Map<string, (socket: Socket) => void>()
  const servers = new Map<string, Promise<{ server: Server; port: number }>>()
  const sockets = new Set<Socket>()
  const receive = (socket: Socket): void => {
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    readLine(socket).then(
      (line) => {
        const join = line.startsWith(GREETING) ? offers.get(line.slice(GREETING.length)) : undefined
        if (!join) return socket.destroy()
        socket.write('ok\n')
        return join(socket)
      },
      () => socket.destroy(),
    )
  }
  const listening = async (host: string): Promise<{ server: Server; port: number }> => {
    const count = high - low + 1
    const first = random.below(count)
    for (let step = 0; step < count; step++) {
      const port = low + ((first + step) % count)
      const server = createServer({ allowHalfOpen: true }, receive)
      const failure = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
        server.once('error', resolve)
        server.listen(port, host, () => resolve(undefined))
      })
      if (!failure) return { server, port }
      if (failure.code !== 'EADDRINUSE') throw unavailable(`This host cannot listen on ${host} for other hosts: is it the machine's own address?`, { code: 'tunnel.listen', cause: failure })
    }
    throw unavailable(`All ports for other hosts (${low} to ${high}) are taken.`, { code: 'tunnel.ports' })
  }
  return {
    async offer(host, join, { once = false } = {}) {
      let opening = servers.get(host)
      if (!opening) {
        servers.set(host, (opening = listening(host)))
        opening.catch(() => servers.delete(host))
      }
      const { port } = await opening
      const key = Buffer.from(random.bytes(24)).toString('base64url')
      const withdraw = (): void => void offers.delete(key)
      const first = (socket: Socket): void => {
        withdraw()
        join(socket)
      }
      offers.set(key, once ? first : join)
      return { way: { host, port, key }, withdraw }
    },
    async close() {
      offers.clear()
      const open = await Promise.allSettled(servers.values())
      servers.clear()
      for (const socket of sockets) socket.destroy()
      await Promise.all(open.map((one) => one.status === 'fulfilled' && new Promise((resolve) => one.value.server.close(resolve))))
    },
  }
}

/** Joins a connection with a unix socket of this host, both ways, until either ends. */
export function joinUnix(path: string): (socket: Socket) => void {
  return (socket) => {
    const inner = connect({ path, allowHalfOpen: true })
    joinSockets(socket, inner)
  }
}

/** Throws `unavailable` when the other host does not answer or does not know the key. */
export async function openTunnel({ host, port, key }: Way, signal?: AbortSignal): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true, allowHalfOpen: true })
  const giveUp = (): void => void socket.destroy(new Error('no answer in time'))
  const late = setTimeout(giveUp, PATIENCE)
  signal?.addEventListener('abort', giveUp, { once: true })
  try {
    socket.write(`${GREETING}${key}\n`)
    if ((await readLine(socket)) !== 'ok') throw new Error('refused')
    socket.on('error', () => socket.destroy())
    return socket
  } catch (thrown) {
    socket.destroy()
    throw unavailable(`The host at ${host} cannot be reached on port ${port}.`, { code: 'tunnel.refused', cause: thrown })
  } finally {
    clearTimeout(late)
    signal?.removeEventListener('abort', giveUp)
  }
}

/** A unix socket of this host (mode 0600) that leads to what another host offers, for as long as it is open. */
export async function bridgeUnix(path: string, way: Way): Promise<{ close(): void }> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (inner) => {
    sockets.add(inner)
    inner.once('close', () => sockets.delete(inner))
    inner.on('error', () => inner.destroy())
    openTunnel(way).then(
      (outer) => joinSockets(inner, outer),
      () => inner.destroy(),
    )
  })
  await rm(path, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  await chmod(path, 0o600)
  return {
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Both ways, until either breaks; an end goes through as an end. */
function joinSockets(a: Socket, b: Socket): void {
  const fail = (thrown: Error | null | undefined): void => {
    if (!thrown) return
    a.destroy()
    b.destroy()
  }
  pipeline(a, b, fail)
  pipeline(b, a, fail)
}

/** The first line, and not a byte more: what follows it is the user's. Leaves the socket paused. */
function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let line = ''
    const finish = (act: () => void): void => {
      socket.removeListener('readable', read)
      socket.removeListener('error', fail)
      socket.removeListener('close', fail)
      socket.removeListener('end', fail)
      act()
    }
    const fail = (thrown?: unknown): void => finish(() => reject(thrown instanceof Error ? thrown : new Error('The connection was closed')))
    const read = (): void => {
      for (;;) {
        const byte = socket.read(1) as Buffer | null
        if (byte === null) return
        if (byte[0] === 10) return finish(() => resolve(line))
        line += String.fromCharCode(byte[0]!)
        if (line.length > LONGEST) return fail()
      }
    }
    socket.on('readable', read)
    socket.once('error', fail)
    socket.once('close', fail)
    socket.once('end', fail)
  })
}
