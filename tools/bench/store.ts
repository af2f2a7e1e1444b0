/** A container of a cloud under measurement, and requests whose bytes are counted and thrown away. */
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Session } from './figures.ts'
import { openSession } from './session.ts'
import { send, startSubject, type Subject } from './subject.ts'

export interface Store {
  cloud: Subject
  session: Session
  /** Of the container. */
  url: string
  headers: Record<string, string>
  stop(): Promise<void>
}

/** A cloud in a folder of its own. `fast`: neither objects nor rows are synced. */
export async function openStore(durability: 'safe' | 'fast', env: Record<string, string> = {}): Promise<Store> {
  const dir = await mkdtemp(join(tmpdir(), 'ondol-bench-'))
  const cloud = await startSubject('cloud-process.ts', { BENCH_DATA: dir, BENCH_CONFIG: JSON.stringify({ 'database.durability': durability, 'swift.durability': durability }), ...env })
  const session = await openSession(cloud, cloud)
  const facts = await send('GET', `${session.url}/identity/v3/auth/tokens`, { 'x-auth-token': session.token, 'x-subject-token': session.token })
  const { token } = JSON.parse(facts.body.toString()) as { token: { project: { id: string } } }
  const headers = { 'x-auth-token': session.token, 'content-type': 'application/octet-stream' }
  const url = `${session.url}/v1/AUTH_${token.project.id}/bench`
  await transfer('PUT', url, headers, Buffer.alloc(0))
  return {
    cloud, session, url, headers,
    async stop() {
      await cloud.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 })

/** How many bytes came. Throws when the status is none of success. */
export function transfer(method: string, url: string, headers: Record<string, string> = {}, body?: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, agent, headers: { ...headers, ...(body ? { 'content-length': body.length } : {}) } }, (incoming) => {
      let size = 0
      incoming.on('data', (chunk: Buffer) => (size += chunk.length))
      incoming.on('end', () => (incoming.statusCode! < 300 ? resolve(size) : reject(new Error(`${method} ${url} answered ${incoming.statusCode}`))))
      incoming.on('error', reject)
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

export const closeTransfers = (): void => agent.destroy()
