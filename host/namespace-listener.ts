/**
 * A TCP listener inside another network namespace, accepted by this process. Node cannot change its namespace, but a listening
 * socket keeps the one it was made in: a short-lived child enters the namespace, listens, hands the socket over and ends.
 * So whoever connects is known by the listener that accepted, and no header has to be believed (threat A17).
 */
import { spawn } from 'node:child_process'
import type { Server } from 'node:net'
import { fileURLToPath } from 'node:url'
import { internal, timedOut } from '#base/fault.ts'
import { namespacePath } from './namespace.ts'

export interface NamespaceAddress {
  netns: string
  /** IPv4 or IPv6; a link-local one with its `%device`. */
  address: string
  port: number
}

export type ListenInNamespace = (where: NamespaceAddress) => Promise<Server>

const CHILD = fileURLToPath(new URL('./namespace-listener-child.ts', import.meta.url))
const LIMIT = 20_000

/** Resolves with a server that listens already; `close()` it to stop. Throws `internal` with what the child met. */
export const listenInNamespace: ListenInNamespace = ({ netns, address, port }) =>
  new Promise((resolve, reject) => {
    const child = spawn('nsenter', [`--net=${namespacePath(netns)}`, '--', process.execPath, CHILD, address, String(port)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    })
    let said = ''
    let done = false
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      finish(() => reject(timedOut(`Listening in ${netns} took longer than ${LIMIT} ms`)))
    }, LIMIT)
    const finish = (act: () => void): void => {
      if (done) return
      done = true
      clearTimeout(timer)
      act()
    }
    child.stderr?.on('data', (chunk: Buffer) => {
      if (said.length < 4096) said += chunk.toString()
    })
    child.on('message', (_message, handle) => {
      finish(() => (handle ? resolve(handle as Server) : reject(internal(`The listener of ${netns} handed over no socket`))))
    })
    child.on('error', (thrown) => finish(() => reject(internal(`nsenter could not be run`, { cause: thrown }))))
    child.on('exit', (code) => {
      // After 0 the message with the socket is still on its way.
      if (code !== 0) finish(() => reject(internal(`Could not listen on ${address} port ${port} in ${netns}`, { detail: `exit code ${code}: ${said.trim()}` })))
    })
  })
