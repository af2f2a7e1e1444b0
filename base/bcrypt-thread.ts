/** bcrypt in a thread of its own: its library is JavaScript, and a hash of the usual cost would hold up every request for a quarter of a second. */
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { compareSync } from 'bcryptjs'

interface Question {
  id: number
  password: string
  stored: string
}

if (!isMainThread && parentPort) {
  const port = parentPort
  port.on('message', ({ id, password, stored }: Question) => {
    let right = false
    try {
      right = compareSync(password, stored)
    } catch {
      // What is no bcrypt hash fits no password.
    }
    port.postMessage({ id, right })
  })
}

let worker: Worker | undefined
let serial = 0
const waiting = new Map<number, { done(right: boolean): void; failed(thrown: Error): void }>()

/** One thread for the process, started at the first question; it keeps no process alive. */
function thread(): Worker {
  if (worker) return worker
  const made = new Worker(new URL(import.meta.url))
  made.on('message', ({ id, right }: { id: number; right: boolean }) => {
    waiting.get(id)?.done(right)
    waiting.delete(id)
    if (waiting.size === 0) made.unref()
  })
  made.on('error', (thrown) => {
    worker = undefined
    for (const { failed } of waiting.values()) failed(thrown as Error)
    waiting.clear()
  })
  worker = made
  return made
}

export function bcryptCompare(password: string, stored: string): Promise<boolean> {
  return new Promise((done, failed) => {
    const id = ++serial
    waiting.set(id, { done, failed })
    const at = thread()
    at.ref()
    at.postMessage({ id, password, stored } satisfies Question)
  })
}
