/** Ways between hosts: who has the key gets through, both ways and whole; nobody else. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isFault } from '#base/fault.ts'
import { systemRandom } from '#base/random.ts'
import { agentTunnels, bridgeUnix, joinUnix, openTunnel, type Tunnels } from './tunnels.ts'

let dir: string
let guest: Server
let tunnels: Tunnels
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ondol-tunnels-'))
  // Says everything back, and ends when the other side does.
  guest = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket))
  await new Promise<void>((resolve) => guest.listen(join(dir, 'guest'), resolve))
  tunnels = agentTunnels({ ports: [49_152, 49_999], random: systemRandom })
})
after(async () => {
  await tunnels.close()
  await new Promise((resolve) => guest.close(resolve))
  await rm(dir, { recursive: true, force: true })
})

async function echoed(socket: NodeJS.ReadWriteStream, bytes: Buffer): Promise<Buffer> {
  const got: Buffer[] = []
  socket.end(bytes)
  for await (const chunk of socket) got.push(chunk as Buffer)
  return Buffer.concat(got)
}

test('bytes go through a tunnel and a bridge, whole, in both directions', async () => {
  const { way, withdraw } = await tunnels.offer('127.0.0.1', joinUnix(join(dir, 'guest')))
  const bytes = Buffer.alloc(3_000_001, 'ondol\n')
  assert.ok((await echoed(await openTunnel(way), bytes)).equals(bytes))
  const bridge = await bridgeUnix(join(dir, 'bridge'), way)
  const sent = await Promise.all([1, 2].map(() => echoed(connect({ path: join(dir, 'bridge'), allowHalfOpen: true }), bytes)))
  for (const one of sent) assert.ok(one.equals(bytes))
  bridge.close()
  withdraw()
  await assert.rejects(openTunnel(way), (thrown) => isFault(thrown, 'unavailable') && thrown.code === 'tunnel.refused')
})

test('a wrong key, noise, and a listener that is not there are refused', async () => {
  const { way } = await tunnels.offer('127.0.0.1', joinUnix(join(dir, 'guest')))
  await assert.rejects(openTunnel({ ...way, key: 'guess' }), /cannot be reached/)
  await assert.rejects(openTunnel({ ...way, port: 1 }), /cannot be reached/)
  const noise = connect({ port: way.port, host: way.host })
  noise.on('error', () => {})
  noise.write('x'.repeat(10_000))
  await new Promise((resolve) => noise.once('close', resolve))
  await assert.rejects(tunnels.offer('192.0.2.1', joinUnix(join(dir, 'guest'))), /own address/)
})

test('a guest that is gone ends the tunnel', async () => {
  const { way } = await tunnels.offer('127.0.0.1', joinUnix(join(dir, 'nobody')))
  const socket = await openTunnel(way)
  socket.resume()
  await new Promise((resolve) => socket.once('end', resolve).once('close', resolve))
  socket.destroy()
})
