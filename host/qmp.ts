/**
 * A client of QEMU's machine protocol (QMP): newline-delimited JSON over a unix socket. Replies are matched by `id`, objects with
 * an `event` come by themselves. A monitor serves one client at a time: a second one waits without a greeting, and `connectQmp`
 * reports that as `unavailable`.
 *
 *     const qmp = await connectQmp('/run/guest.qmp')
 *     const stopped = qmp.waitEvent('STOP', { timeout: 5_000 })
 *     await qmp.execute('stop')
 *     await stopped
 *
 * Errors: `internal` with code `qmp.<class>` and `data.desc` when QEMU refuses a command; `timeout`; `unavailable` with code
 * `qmp.closed` when QEMU ends or the connection is closed while something waits.
 */
import { createConnection, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Fault, isFault, timedOut, unavailable } from '#base/fault.ts'

export interface QmpEvent {
  event: string
  data: Readonly<Record<string, unknown>>
}

export interface QmpWait {
  /** Milliseconds. Default 30,000. */
  timeout?: number
  signal?: AbortSignal
  match?: (event: QmpEvent) => boolean
}

interface Waiting {
  command: string
  resolve(value: unknown): void
  reject(reason: Fault): void
}

interface QmpMessage {
  id?: number
  return?: unknown
  error?: { class?: string; desc?: string }
  event?: string
  data?: Record<string, unknown>
  QMP?: unknown
}

/** A line longer than this is not QMP. */
const LINE_LIMIT = 64 * 2 ** 20

export class QmpConnection {
  readonly #socket: Socket
  readonly #waiting = new Map<number, Waiting>()
  readonly #listeners = new Set<(event: QmpEvent) => void>()
  readonly #onClose = new Set<() => void>()
  #serial = 0
  #parts: Buffer[] = []
  #size = 0
  #open = true
  #greeted: (() => void) | undefined
  /** Resolves when the connection has ended, whoever ended it. */
  readonly closed: Promise<void>

  constructor(socket: Socket) {
    this.#socket = socket
    this.closed = new Promise((resolve) => this.#onClose.add(resolve))
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', () => {
      // 'close' follows and rejects what waits.
    })
    socket.on('close', () => this.#ended())
  }

  get open(): boolean {
    return this.#open
  }

  /** Waits for the greeting and agrees on capabilities. */
  async greet(timeout: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(unavailable('The hypervisor monitor did not answer.', { code: 'qmp.busy' }))
      }, timeout)
      const lost = (): void => {
        clearTimeout(timer)
        reject(closedFault('greeting'))
      }
      this.#onClose.add(lost)
      this.#greeted = () => {
        clearTimeout(timer)
        this.#onClose.delete(lost)
        resolve()
      }
    })
    await this.execute('qmp_capabilities', undefined, { timeout })
  }

  /** Runs a command and returns what stands under `return`; the caller names its type. */
  execute<T = unknown>(command: string, args?: Readonly<Record<string, unknown>>, options: { timeout?: number } = {}): Promise<T> {
    if (!this.#open) return Promise.reject(closedFault(command))
    const id = ++this.#serial
    const timeout = options.timeout ?? 30_000
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id)
        reject(timedOut(`The hypervisor did not answer ${command} within ${timeout} ms.`, { code: 'qmp.timeout' }))
      }, timeout)
      this.#waiting.set(id, {
        command,
        resolve: (value) => {
          clearTimeout(timer)
          resolve(value as T)
        },
        reject: (reason) => {
          clearTimeout(timer)
          reject(reason)
        },
      })
      this.#socket.write(`${JSON.stringify({ execute: command, ...(args ? { arguments: args } : {}), id })}\n`)
    })
  }

  /** Calls `listener` for every event; the returned function stops that. */
  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The next event of this name. Ask before running the command that causes it. */
  waitEvent(name: string | readonly string[], wait: QmpWait = {}): Promise<QmpEvent> {
    const names = typeof name === 'string' ? [name] : name
    const promise = new Promise<QmpEvent>((resolve, reject) => {
      const timeout = wait.timeout ?? 30_000
      const timer = setTimeout(() => {
        done()
        reject(timedOut(`The event ${names.join(' or ')} did not come within ${timeout} ms.`, { code: 'qmp.timeout' }))
      }, timeout)
      const stop = this.onEvent((event) => {
        if (!names.includes(event.event) || (wait.match && !wait.match(event))) return
        done()
        resolve(event)
      })
      const lost = (): void => {
        done()
        reject(closedFault(`waiting for ${names.join(' or ')}`))
      }
      const aborted = (): void => {
        done()
        reject(wait.signal?.reason)
      }
      const done = (): void => {
        clearTimeout(timer)
        stop()
        this.#onClose.delete(lost)
        wait.signal?.removeEventListener('abort', aborted)
      }
      this.#onClose.add(lost)
      wait.signal?.addEventListener('abort', aborted, { once: true })
      if (!this.#open) lost()
      else if (wait.signal?.aborted) aborted()
    })
    // The command that should cause the event may fail first; then nobody awaits this one.
    promise.catch(() => {})
    return promise
  }

  /** Leaves the machine as it is. */
  close(): void {
    this.#socket.destroy()
    this.#ended()
  }

  #read(chunk: Buffer): void {
    let from = 0
    for (;;) {
      const end = chunk.indexOf(0x0a, from)
      if (end < 0) break
      this.#parts.push(chunk.subarray(from, end))
      const line = Buffer.concat(this.#parts).toString('utf8')
      this.#parts = []
      this.#size = 0
      from = end + 1
      if (line.trim() !== '') this.#message(line)
    }
    if (from < chunk.length) {
      this.#parts.push(chunk.subarray(from))
      this.#size += chunk.length - from
      if (this.#size > LINE_LIMIT) this.close()
    }
  }

  #message(line: string): void {
    let message: QmpMessage
    try {
      message = JSON.parse(line) as QmpMessage
    } catch {
      this.close()
      return
    }
    if (message.QMP !== undefined) this.#greeted?.()
    else if (message.event !== undefined) {
      const event: QmpEvent = { event: message.event, data: message.data ?? {} }
      for (const listener of [...this.#listeners]) listener(event)
    } else if (message.id !== undefined) {
      const waiting = this.#waiting.get(message.id)
      if (!waiting) return
      this.#waiting.delete(message.id)
      if (message.error) waiting.reject(refused(waiting.command, message.error))
      else waiting.resolve(message.return)
    }
  }

  #ended(): void {
    if (!this.#open) return
    this.#open = false
    for (const waiting of this.#waiting.values()) waiting.reject(closedFault(waiting.command))
    this.#waiting.clear()
    for (const call of [...this.#onClose]) call()
    this.#onClose.clear()
    this.#listeners.clear()
  }
}

/**
 * Connects, greets, and is ready for `execute`. A socket that is not there yet is tried again until `timeout` (default 10,000 ms)
 * has passed; then `unavailable`.
 */
export async function connectQmp(path: string, options: { timeout?: number; signal?: AbortSignal } = {}): Promise<QmpConnection> {
  const deadline = performance.now() + (options.timeout ?? 10_000)
  for (;;) {
    options.signal?.throwIfAborted()
    try {
      const connection = new QmpConnection(await connectUnix(path))
      try {
        await connection.greet(Math.max(200, deadline - performance.now()))
        return connection
      } catch (thrown) {
        connection.close()
        throw thrown
      }
    } catch (thrown) {
      if (performance.now() >= deadline || isFault(thrown, 'timeout')) {
        throw unavailable('The hypervisor monitor cannot be reached.', { code: 'qmp.unreachable', detail: path, cause: thrown })
      }
    }
    await delay(50)
  }
}

/** A connected unix stream socket; rejects with the system's error. */
export function connectUnix(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.removeListener('error', reject)
      resolve(socket)
    })
  })
}

function refused(command: string, error: { class?: string; desc?: string }): Fault {
  const desc = error.desc ?? 'no reason given'
  return new Fault('internal', `The hypervisor refused ${command}.`, { code: `qmp.${error.class ?? 'GenericError'}`, detail: desc, data: { desc } })
}

function closedFault(command: string): Fault {
  return unavailable(`The hypervisor ended during ${command}.`, { code: 'qmp.closed' })
}

/** QEMU's own words when it refused a command, else ''. */
export function qmpReason(thrown: unknown): string {
  return isFault(thrown) && typeof thrown.data.desc === 'string' ? thrown.data.desc : ''
}
