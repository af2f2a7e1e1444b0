/** The browser's end of consoles: a WebSocket with a one-time token, from an allowed origin, joined to the guest's socket (A19). */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { faultChain } from '#base/fault.ts'
import type { HttpRequest } from '#base/http/message.ts'
import { pipeConsole } from '#host/console-pipe.ts'
import { openTunnel } from '#host/tunnels.ts'
import { hashOf } from '../api/remote-consoles.ts'
import { callCompute } from '../flows/computes.ts'
import type { Nova } from '../house.ts'
import { takeConsoleToken } from '../store/console-tokens.ts'

/** `here`: this machine's name. Guests of other machines are reached through their agents. */
export function consoleProxy(nova: Nova, here: string): (request: HttpRequest, socket: Duplex, head: Buffer, raw: IncomingMessage) => void {
  const server = new WebSocketServer({ noServer: true, handleProtocols: (asked) => (asked.has('binary') ? 'binary' : false) })
  const log = nova.world.log.module('nova.console')
  const refuse = (socket: Duplex, status: string): void => void socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  return (request, socket, head, raw) => {
    void (async () => {
      if (request.path !== '/consoles') return refuse(socket, '404 Not Found')
      const { origin, host } = request.headers
      const own = [host, new URL(nova.publicUrl()).host]
      if (origin !== undefined && !own.includes(new URL(origin).host) && !nova.config.console_allowed_origins.includes(origin)) return refuse(socket, '403 Forbidden')
      const token = new URLSearchParams(request.query).get('token') ?? ''
      const found = await takeConsoleToken(nova.db, hashOf(token), nova.world.clock.now())
      if (!found) return refuse(socket, '403 Forbidden')
      const kind = found.console_type === 'serial' ? 'serial' : 'vnc'
      const end = await callCompute(nova, found.host_id, 'consoleSocket', { server_id: found.server_id, kind, from: here }, { wait: 0 })
      server.handleUpgrade(raw, socket, head, (browser) => void pipeConsole(browser, end.way ? () => openTunnel(end.way) : end.socket, { text: kind === 'serial' }))
    })().catch((thrown: unknown) => {
      log.info('Refused a console', { error: faultChain(thrown) })
      refuse(socket, '502 Bad Gateway')
    })
  }
}
