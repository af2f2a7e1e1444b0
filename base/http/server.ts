/** A handler on a TCP or Unix socket. Upgrades (WebSocket) go to `onUpgrade`. `close` lets answers under way finish. */
import { chmod, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { FileBody } from './file-body.ts'
import { type HttpBody, type HttpHandler, type HttpRequest, isStream, splitTarget } from './message.ts'

export interface ListenOptions {
  host?: string
  /** 0 takes a free one. */
  port?: number
  /** A Unix socket instead of host and port; mode 0600. */
  path?: string
  onUpgrade?: (request: HttpRequest, socket: Duplex, head: Buffer, raw: IncomingMessage) => void
  /** Told of what the handler threw or a stream that broke; a handler should throw nothing. */
  onError?: (thrown: unknown) => void
}

export interface Listening {
  readonly port: number
  readonly url: string
  /** Stops taking connections, waits for answers under way (at most `grace` ms, default 5,000), then cuts. */
  close(grace?: number): Promise<void>
}

export async function listen(handler: HttpHandler, options: ListenOptions): Promise<Listening> {
  const answering = new WeakMap<object, { raw: IncomingMessage; res: ServerResponse }>()
  const serve = (raw: IncomingMessage, res: ServerResponse, sendContinue?: () => void): void => {
    answering.set(raw.socket, { raw, res })
    void answer(handler, raw, res, sendContinue).catch((thrown: unknown) => {
      options.onError?.(thrown)
      res.destroy()
    })
  }
  const server = createServer({ keepAliveTimeout: 65_000, requestTimeout: 0, noDelay: true, optimizeEmptyRequests: true } as ServerOptions)
  server.on('request', (raw, res) => serve(raw, res))
  server.on('checkContinue', (raw, res) => serve(raw, res, () => res.writeContinue()))
  // Another expectation than to be told to go on is one that nobody has: it is passed over.
  server.on('checkExpectation', (raw, res) => serve(raw, res))
  server.on('upgrade', (raw, socket, head) => {
    if (options.onUpgrade) options.onUpgrade(new SocketRequest(raw), socket, head, raw)
    else socket.destroy()
  })
  server.on('clientError', (_error, socket) => {
    // What came behind a whole request is none; that one is answered all the same, and is the last.
    const { raw, res } = answering.get(socket) ?? {}
    if (raw?.complete && res && !res.writableFinished && !res.destroyed) {
      res.shouldKeepAlive = false
      res.once('finish', () => socket.end())
      return
    }
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  })
  if (options.path) await rm(options.path, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    if (options.path) server.listen(options.path, resolve)
    else server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve)
  })
  if (options.path) await chmod(options.path, 0o600)
  const port = options.path ? 0 : (server.address() as AddressInfo).port
  const host = options.host ?? '127.0.0.1'
  return {
    port,
    url: options.path ? `unix:${options.path}` : `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    close: (grace = 5000) => closeServer(server, grace),
  }
}

async function answer(handler: HttpHandler, raw: IncomingMessage, res: ServerResponse, sendContinue?: () => void): Promise<void> {
  const request = new SocketRequest(raw, res)
  if (sendContinue) request.sendContinue = sendContinue
  const response = await handler(request)
  const { headers, body, status } = response
  if (res.destroyed) {
    if (isStream(body)) body.destroy()
    return
  }
  const bodiless = raw.method === 'HEAD' || status === 204 || status === 304
  if (isStream(body)) {
    res.writeHead(status, headers)
    if (bodiless) {
      body.destroy()
      res.end()
    } else if (body instanceof FileBody) await body.pumpTo(res)
    else await pipeline(body, res)
  } else {
    const length = body === undefined ? 0 : Buffer.byteLength(body)
    if (headers['content-length'] === undefined && !(bodiless && raw.method !== 'HEAD')) headers['content-length'] = String(length)
    res.writeHead(status, headers)
    if (bodiless || body === undefined) res.end()
    // A text whose every character is one byte is ASCII: written as such, head and body leave in one piece without being encoded.
    // Other text goes as bytes: Node would encode the head as it does the body, and values of headers are bytes already.
    else if (typeof body === 'string') length === body.length ? res.end(body, 'latin1') : res.end(Buffer.from(body))
    else res.end(body)
  }
  // What the handler left unread would be taken for the next request on this connection.
  if (request.body !== undefined && !raw.readableEnded) raw.resume()
}

/** A request as it came over a socket. What few handlers ask for is made when they ask. */
class SocketRequest implements HttpRequest {
  method: string
  path: string
  query: string
  headers: Record<string, string>
  body: HttpBody
  origin: string
  remote: string
  sendContinue?: () => void
  mount?: string
  certificate?: Uint8Array
  readonly #res: ServerResponse | undefined
  #signal: AbortSignal | undefined

  constructor(raw: IncomingMessage, res?: ServerResponse) {
    const { path, query } = splitTarget(raw.url ?? '/')
    const headers = raw.headers as Record<string, string>
    this.method = raw.method ?? 'GET'
    this.path = path
    this.query = query
    this.headers = headers
    this.body = hasBody(headers) ? raw : undefined
    this.origin = `http://${headers.host ?? 'localhost'}`
    this.remote = raw.socket.remoteAddress ?? 'unix'
    this.#res = res
  }

  get signal(): AbortSignal {
    if (!this.#signal) {
      const gone = new AbortController()
      const res = this.#res
      const left = (): void => {
        if (!res?.writableFinished) gone.abort(new Error('The client closed the connection'))
      }
      if (res?.destroyed) left()
      else res?.once('close', left)
      this.#signal = gone.signal
    }
    return this.#signal
  }
}

function hasBody(headers: Readonly<Record<string, string>>): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] !== undefined && headers['content-length'] !== '0')
}

async function closeServer(server: Server, grace: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), grace)
  await closed
  clearTimeout(timer)
}
