/** Calls a handler over a socket, in the same shape as calling it in this process. Keep-alive connections are reused. */
import { Agent, request as httpRequest } from 'node:http'
import { Agent as TlsAgent, request as httpsRequest } from 'node:https'
import { Fault } from '../fault.ts'
import { type HttpHandler, type HttpHeaders, type HttpRequest, type HttpResponse, isStream } from './message.ts'

export interface RemoteOptions {
  /** Milliseconds without a byte before the call fails. Default 60,000. */
  timeout?: number
}

/** `base` is a URL such as `http://127.0.0.1:8774`, `https://…` or `unix:/run/x.sock`; the request's path is appended to it. */
export function remoteHandler(base: string, options: RemoteOptions = {}): HttpHandler & { close(): void } {
  const socketPath = base.startsWith('unix:') ? base.slice(5) : undefined
  const url = socketPath ? undefined : new URL(base)
  const secure = url?.protocol === 'https:'
  const agent = new (secure ? TlsAgent : Agent)({ keepAlive: true, maxSockets: 256, noDelay: true } as ConstructorParameters<typeof Agent>[0])
  const prefix = url ? url.pathname.replace(/\/$/, '') : ''
  const send = (request: HttpRequest): Promise<HttpResponse> =>
    new Promise((resolve, reject) => {
      const body = request.body
      const headers: HttpHeaders = { ...request.headers }
      if (body !== undefined && !isStream(body)) headers['content-length'] = String(Buffer.byteLength(body))
      const outgoing = (secure ? httpsRequest : httpRequest)(
        {
          method: request.method,
          path: `${prefix}${request.path}${request.query ? `?${request.query}` : ''}`,
          headers,
          agent,
          timeout: options.timeout ?? 60_000,
          ...(socketPath ? { socketPath } : { host: url!.hostname.replace(/^\[|\]$/g, ''), port: url!.port || (secure ? 443 : 80) }),
          ...(request.signal ? { signal: request.signal } : {}),
        },
        (incoming) => resolve({ status: incoming.statusCode ?? 502, headers: incoming.headers as HttpHeaders, body: incoming }),
      )
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')))
      outgoing.on('error', (thrown) => reject(new Fault('unavailable', 'A service that is needed for this did not answer', { cause: thrown, detail: base })))
      if (isStream(body)) body.pipe(outgoing)
      else outgoing.end(body)
    })
  return Object.assign(send, { close: () => agent.destroy() })
}
