/** Idle connections to the cloud and what they cost others: `node tools/bench/idle.ts [connections]`, 10,000 by default (`ulimit -n` must allow them). */
import { connect, type Socket } from 'node:net'
import { openSession } from './session.ts'
import { closeConnections, measure, send, startSubject } from './subject.ts'

const COUNT = Number(process.argv[2] ?? 10_000)
const cloud = await startSubject('cloud-process.ts')
const session = await openSession(cloud, cloud)
const headers = { 'x-auth-token': session.token }
const port = Number(new URL(session.url).port)
const answer = await send('GET', `${session.url}/identity/v3/auth/tokens`, { ...headers, 'x-subject-token': session.token })
const url = `${session.url}/v1/AUTH_${(JSON.parse(answer.body.toString()) as { token: { project: { id: string } } }).token.project.id}/box`
await send('PUT', url, { ...headers, 'content-length': '0' })
await send('PUT', `${url}/o`, headers, Buffer.alloc(1024, 7))
const get = (): Promise<{ p50_ms: number; p99_ms: number; cpu_ms_per_op: number }> => measure(cloud, 1500, 8, async () => void (await send('GET', `${url}/o`, headers)))
const tell = async (what: string): Promise<void> => {
  const { p50_ms, p99_ms, cpu_ms_per_op } = await get()
  process.stdout.write(`${what}: ${(await cloud.usage()).rss_mib.toFixed(0)} MiB; GET of 1 KiB ${cpu_ms_per_op.toFixed(3)} ms CPU, p50 ${p50_ms.toFixed(2)}, p99 ${p99_ms.toFixed(2)} ms\n`)
}
await get()
await tell('no idle connections')
const sockets: Socket[] = []
for (let i = 0; i < COUNT; i += 100) {
  sockets.push(...(await Promise.all(Array.from({ length: Math.min(100, COUNT - i) }, () => new Promise<Socket>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket))
    socket.on('error', reject)
  })))))
}
await tell(`${sockets.length} idle connections`)
for (const socket of sockets) socket.destroy()
closeConnections()
await cloud.stop()
