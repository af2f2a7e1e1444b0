/**
 * A loader that costs as little as it can: kept connections, one request under way on each, bytes written as they were prepared and
 * answers only counted. So a figure in requests per second is the server's and not the loader's.
 */
import { connect, type Socket } from 'node:net'

export interface Load {
  requests: number
  wall_ms: number
  per_second: number
  p50_ms: number
  p99_ms: number
}

export interface Prepared {
  method?: string
  url: string
  headers?: Readonly<Record<string, string>>
}

const HEAD_END = Buffer.from('\r\n\r\n')

/** Sends the same request without a body `count` times over `connections` connections; any status but `status` is an error. */
export async function load(request: Prepared, count: number, connections = 16, status = 200): Promise<Load> {
  const url = new URL(request.url)
  const headers = Object.entries({ host: url.host, ...request.headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  const bytes = Buffer.from(`${request.method ?? 'GET'} ${url.pathname}${url.search} HTTP/1.1\r\n${headers.join('')}\r\n`)
  const expected = Buffer.from(`HTTP/1.1 ${status} `)
  const times = new Float64Array(count)
  let sent = 0
  let done = 0
  const began = performance.now()
  await Promise.all(Array.from({ length: Math.min(connections, count) }, () => drive()))
  const wall_ms = performance.now() - began
  times.sort()
  return { requests: count, wall_ms, per_second: (count / wall_ms) * 1000, p50_ms: times[count >> 1]!, p99_ms: times[Math.min(count - 1, Math.floor(count * 0.99))]! }

  function drive(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket: Socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true })
      let at = 0
      let missing = 0
      let kept: Buffer | undefined
      const next = (): void => {
        if (sent >= count) {
          socket.destroy()
          resolve()
          return
        }
        sent++
        at = performance.now()
        socket.write(bytes)
      }
      const arrived = (): void => {
        times[done++] = performance.now() - at
        next()
      }
      socket.on('connect', next)
      socket.on('error', reject)
      socket.on('close', () => (sent < count ? reject(new Error(`${request.url} closed a connection`)) : resolve()))
      socket.on('data', (chunk: Buffer) => {
        if (missing > 0) {
          missing -= chunk.length
          if (missing <= 0) arrived()
          return
        }
        const head = kept ? Buffer.concat([kept, chunk]) : chunk
        const end = head.indexOf(HEAD_END)
        if (end < 0) {
          kept = head
          return
        }
        kept = undefined
        const text = head.toString('latin1', 0, end)
        if (head.compare(expected, 0, expected.length, 0, expected.length) !== 0) {
          reject(new Error(`${request.url} answered ${text.slice(0, 40)}`))
          socket.destroy()
          return
        }
        const length = Number(/content-length: *(\d+)/i.exec(text)?.[1] ?? '0')
        missing = length - (head.length - end - 4)
        if (missing <= 0) arrived()
      })
    })
  }
}
