/** A handler on a TCP or Unix socket. Upgrades (WebSocket) go to `onUpgrade`. `close` lets answers under way finish. */
import { chmod, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type HttpHandler, type HttpHeaders, type HttpRequest, isStream, splitTarget } from './message.ts'

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
  const serve = (raw: IncomingMessage, res: ServerResponse, sendContinue?: () => void): void => {
    void answer(handler, raw, res, sendContinue).catch((thrown: unknown) => {
      options.onError?.(thrown)
      res.destroy()
    })
  }
  const server = createServer({ keepAliveTimeout: 65_000, requestTimeout: 0, noDelay: true })
  server.on('request', (raw, res) => serve(raw, res))
  server.on('checkContinue', (raw, res) => serve(raw, res, () => res.writeContinue()))
  server.on('upgrade', (raw, socket, head) => {
    if (options.onUpgrade) options.onUpgrade(requestOf(raw), socket, head, raw)
    else socket.destroy()
  })
  server.on('clientError', (_error, socket) => {
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
  const request = requestOf(raw)
  if (sendContinue) request.sendContinue = sendContinue
  const gone = new AbortController()
  request.signal = gone.signal
  res.once('close', () => {
    if (!res.writableFinished) gone.abort(new Error('The client closed the connection'))
  })
  const response = await handler(request)
  const headers: HttpHeaders = response.headers
  const body = response.body
  if (res.destroyed) {
    if (isStream(body)) body.destroy()
    return
  }
  const bodiless = raw.method === 'HEAD' || response.status === 204 || response.status === 304
  if (isStream(body)) {
    res.writeHead(response.status, headers)
    if (bodiless) {
      body.destroy()
      res.end()
    } else await pipeline(body, res)
  } else {
    if (headers['content-length'] === undefined && !(bodiless && raw.method !== 'HEAD')) {
      headers['content-length'] = String(body === undefined ? 0 : Buffer.byteLength(body))
    }
    res.writeHead(response.status, headers)
    res.end(bodiless ? undefined : body)
  }
  // What the handler left unread would be taken for the next request on this connection.
  if (!raw.readableEnded) raw.resume()
}

function requestOf(raw: IncomingMessage): HttpRequest {
  const { path, query } = splitTarget(raw.url ?? '/')
  const headers = raw.headers as Record<string, string>
  return {
    method: raw.method ?? 'GET',
    path,
    query,
    headers,
    body: hasBody(raw) ? raw : undefined,
    origin: `http://${headers.host ?? 'localhost'}`,
    remote: raw.socket.remoteAddress ?? 'unix',
  }
}

function hasBody(raw: IncomingMessage): boolean {
  return raw.headers['transfer-encoding'] !== undefined || (raw.headers['content-length'] !== undefined && raw.headers['content-length'] !== '0')
}

async function closeServer(server: Server, grace: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), grace)
  await closed
  clearTimeout(timer)
}
