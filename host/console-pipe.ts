/**
 * A browser's WebSocket and a guest's console socket (VNC or serial), joined. Binary frames go both ways; whoever is slow slows the
 * other down: nothing is kept in memory beyond the marks below. What the guest sends is bytes, never looked at.
 */
import type { Socket } from 'node:net'
import type { RawData, WebSocket } from 'ws'
import { connectUnix } from './qmp.ts'

export interface ConsolePipeOptions {
  /** Ends the connection, e.g. when the server is deleted or the token's time is over. */
  signal?: AbortSignal
  /** Text frames are input too (a terminal in a browser); VNC has none and closes with 1003. Default false. */
  text?: boolean
}

export interface ConsolePipeEnd {
  /** Who ended it. */
  by: 'browser' | 'guest' | 'us'
  /** Bytes from the guest, bytes to the guest. */
  received: number
  sent: number
}

/** Bytes waiting towards the browser at which the guest is no longer read; half of it reads again. */
const HIGH_MARK = 1 << 20

/**
 * Joins until one side ends, then ends the other. `socket` is a path on this host, or opens a way to another. Never rejects: a console socket that cannot be reached closes the WebSocket with 1011.
 */
export async function pipeConsole(browser: WebSocket, socket: string | (() => Promise<Socket>), options: ConsolePipeOptions = {}): Promise<ConsolePipeEnd> {
  // A browser that speaks before the guest's side is open must wait, not lose its words.
  browser.pause()
  let guest: Socket
  try {
    guest = await (typeof socket === 'string' ? connectUnix(socket) : socket())
  } catch {
    browser.resume()
    browser.close(1011, 'The console cannot be reached')
    return { by: 'guest', received: 0, sent: 0 }
  }
  return new Promise((resolve) => {
    const end: ConsolePipeEnd = { by: 'us', received: 0, sent: 0 }
    let over = false
    const finish = (by: ConsolePipeEnd['by'], code: number, reason: string): void => {
      if (over) return
      over = true
      end.by = by
      options.signal?.removeEventListener('abort', onAbort)
      guest.destroy()
      browser.resume()
      if (browser.readyState === browser.OPEN) browser.close(code, reason)
      resolve(end)
    }
    const onAbort = (): void => finish('us', 1000, 'The console was closed')
    guest.on('data', (chunk: Buffer) => {
      end.received += chunk.length
      if (browser.readyState !== browser.OPEN) return
      browser.send(chunk, { binary: true }, () => {
        if (guest.isPaused() && browser.bufferedAmount < HIGH_MARK / 2) guest.resume()
      })
      if (browser.bufferedAmount >= HIGH_MARK) guest.pause()
    })
    guest.on('drain', () => browser.resume())
    guest.on('error', () => finish('guest', 1011, 'The console broke'))
    guest.on('close', () => finish('guest', 1000, 'The guest closed the console'))
    browser.on('message', (data: RawData, isBinary: boolean) => {
      if (!isBinary && !options.text) {
        finish('browser', 1003, 'Only binary frames are understood')
        return
      }
      const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.isBuffer(data) ? data : Buffer.from(data)
      end.sent += bytes.length
      if (!guest.write(bytes)) browser.pause()
    })
    browser.on('close', () => finish('browser', 1000, ''))
    browser.on('error', () => finish('browser', 1011, ''))
    options.signal?.addEventListener('abort', onAbort, { once: true })
    if (options.signal?.aborted) onAbort()
    else if (browser.readyState !== browser.OPEN) finish('browser', 1000, '')
    browser.resume()
  })
}
