/** HTTP servers on sockets of other network namespaces (namespace-listener.ts), answered by this process. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { ListenInNamespace, NamespaceAddress } from './namespace-listener.ts'

/** `remote_address` is the peer of the socket, without `::ffff:` and without a `%device`. */
export type NamespaceHandler = (remote_address: string, request: IncomingMessage, response: ServerResponse) => void

export interface NamespaceHttp {
  close(): void
}

/** Resolves when it listens. */
export type ServeInNamespace = (where: NamespaceAddress, handler: NamespaceHandler) => Promise<NamespaceHttp>

export function serveInNamespace(listen: ListenInNamespace): ServeInNamespace {
  return async (where, handler) => {
    const socket = await listen(where)
    const http = createServer({ headersTimeout: 10_000, requestTimeout: 30_000, maxHeaderSize: 16_384 }, (request, response) => {
      handler((request.socket.remoteAddress ?? '').replace(/^::ffff:/, '').replace(/%.*$/, ''), request, response)
    })
    // The inner server never listens, so its own limit does not count.
    socket.maxConnections = 256
    socket.on('connection', (connection) => http.emit('connection', connection))
    return {
      close() {
        socket.close()
        http.closeAllConnections()
      },
    }
  }
}
