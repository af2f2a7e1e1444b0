/** Memory of the cloud while a hundred clients upload 20 MB each at once: `node tools/bench/uploads.ts [clients] [megabytes]`. Its peak is the system's own figure. */
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSession } from './session.ts'
import { closeConnections, send, startSubject } from './subject.ts'

const CLIENTS = Number(process.argv[2] ?? 100)
const SIZE = Number(process.argv[3] ?? 20) * 1_000_000
const PIECE = Buffer.alloc(65_536, 7)

/** As fast as it is taken. */
function upload(url: string, token: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: 'PUT', agent: false, headers: { 'x-auth-token': token, 'content-length': SIZE, 'content-type': 'application/octet-stream' } }, (incoming) => {
      incoming.resume()
      incoming.on('end', () => resolve(incoming.statusCode ?? 0))
    })
    outgoing.on('error', reject)
    let left = SIZE
    const more = (): void => {
      while (left > 0) {
        const piece = left < PIECE.length ? PIECE.subarray(0, left) : PIECE
        left -= piece.length
        if (!outgoing.write(piece)) return void outgoing.once('drain', more)
      }
      outgoing.end()
    }
    more()
  })
}

const memory = (pid: number, what: string): number => Number(new RegExp(`${what}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
const dir = await mkdtemp(join(tmpdir(), 'ondol-bench-'))
try {
  const cloud = await startSubject('cloud-process.ts', { BENCH_DATA: dir })
  const session = await openSession(cloud, cloud)
  const answer = await send('GET', `${session.url}/identity/v3/auth/tokens`, { 'x-auth-token': session.token, 'x-subject-token': session.token })
  const box = `${session.url}/v1/AUTH_${(JSON.parse(answer.body.toString()) as { token: { project: { id: string } } }).token.project.id}/box`
  await send('PUT', box, { 'x-auth-token': session.token, 'content-length': '0' })
  const { pid } = (await cloud.tell('pid')) as { pid: number }
  const idle = memory(pid, 'VmRSS')
  // From here on the system counts the peak anew.
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
  const before = await cloud.usage()
  const began = performance.now()
  const statuses = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => upload(`${box}/o${i}`, session.token)))
  const seconds = (performance.now() - began) / 1000
  if (statuses.some((status) => status !== 201)) throw new Error(`answered ${[...new Set(statuses)].join(', ')}`)
  const used = await cloud.usage()
  process.stdout.write(`${CLIENTS} uploads of ${SIZE / 1e6} MB at once: idle ${idle.toFixed(0)} MiB, peak ${memory(pid, 'VmHWM').toFixed(0)} MiB, ${((CLIENTS * SIZE) / 1e6 / seconds).toFixed(0)} MB/s, ${(((used.cpu_ms - before.cpu_ms) / (CLIENTS * SIZE)) * 1e6).toFixed(2)} ms CPU per MB\n`)
  closeConnections()
  await cloud.stop()
} finally {
  await rm(dir, { recursive: true, force: true })
}
