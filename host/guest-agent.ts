/**
 * A client of the QEMU guest agent: JSON lines over the virtio-serial socket. The far end is a program inside the guest, so every
 * answer is bounded in size and time, and a guest without an agent answers nothing: `timeout`.
 */
import { connectUnix } from './qmp.ts'
import { Fault, timedOut, unavailable } from '#base/fault.ts'

export interface GuestAgentOptions {
  /** Milliseconds for connecting and each answer. Default 5,000. */
  timeout?: number
}

const ANSWER_LIMIT = 2 ** 20

/**
 * Runs one command of the agent and returns its `return`. A connection per call: the socket serves one client at a time, and what an
 * earlier, dead client left behind is skipped by the delimited synchronisation.
 */
export async function guestAgentExecute<T = unknown>(path: string, command: string, args?: Readonly<Record<string, unknown>>, options: GuestAgentOptions = {}): Promise<T> {
  const timeout = options.timeout ?? 5_000
  const socket = await connectUnix(path).catch((thrown: unknown) => {
    throw unavailable('The guest agent channel cannot be reached.', { cause: thrown })
  })
  try {
    return await new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => reject(timedOut('The guest agent did not answer.', { code: 'guest_agent.timeout' })), timeout)
      const fail = (fault: Fault): void => {
        clearTimeout(timer)
        reject(fault)
      }
      const token = Math.floor(performance.now() * 1000) % 2 ** 31
      let synced = false
      let text = ''
      socket.on('error', () => fail(unavailable('The guest agent channel broke.')))
      socket.on('close', () => fail(unavailable('The guest agent channel was closed.')))
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1').replaceAll('\xff', '')
        if (text.length > ANSWER_LIMIT) fail(unavailable('The guest agent answered too much.'))
        for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
          const line = text.slice(0, end)
          text = text.slice(end + 1)
          const message = parse(line)
          if (!message) continue
          if (!synced) {
            if (message.return !== token) continue
            synced = true
            socket.write(`${JSON.stringify({ execute: command, ...(args ? { arguments: args } : {}) })}\n`)
          } else if (message.error) {
            fail(new Fault('internal', `The guest agent refused ${command}.`, { code: 'guest_agent.refused', detail: message.error.desc, data: { desc: message.error.desc ?? '' } }))
          } else {
            clearTimeout(timer)
            resolve(message.return as T)
          }
        }
      })
      socket.write(Buffer.concat([Buffer.from([0xff]), Buffer.from(`${JSON.stringify({ execute: 'guest-sync-delimited', arguments: { id: token } })}\n`)]))
    })
  } finally {
    socket.removeAllListeners('close')
    socket.destroy()
  }
}

function parse(line: string): { return?: unknown; error?: { desc?: string } } | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(line, 'latin1').toString('utf8'))
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
