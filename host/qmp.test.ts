import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, it } from 'node:test'
import { isFault } from '#base/fault.ts'
import { guestAgentExecute } from './guest-agent.ts'
import { connectQmp, qmpReason } from './qmp.ts'

let directory: string
let path: string
let server: Server
let last: Socket

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ondol-qmp-'))
  path = join(directory, 's')
})
afterEach(async () => {
  last?.destroy()
  await new Promise((resolve) => server.close(resolve))
  await rm(directory, { recursive: true })
})

type Answer = (message: { execute: string; arguments?: Record<string, unknown>; id?: number }, socket: Socket) => void

/** A monitor that greets and then lets `answer` speak. */
function monitor(answer: Answer, greets = true): Promise<void> {
  server = createServer((socket) => {
    last = socket
    socket.on('error', () => {})
    if (greets) socket.write('{"QMP":{"version":{},"capabilities":[]}}\r\n')
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1').replaceAll('\xff', '')
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const message = JSON.parse(text.slice(0, end)) as Parameters<Answer>[0]
        text = text.slice(end + 1)
        if (message.execute === 'qmp_capabilities') socket.write(`{"return":{},"id":${message.id}}\n`)
        else answer(message, socket)
      }
    })
  })
  return new Promise((resolve) => server.listen(path, resolve))
}

it('matches answers by id, in any order and in any pieces', async () => {
  const kept: { id: number; execute: string }[] = []
  await monitor((message, socket) => {
    kept.push({ id: message.id!, execute: message.execute })
    if (kept.length < 2) return
    const [first, second] = kept
    const text = `{"return":"${second!.execute}é","id":${second!.id}}\n{"event":"STOP","data":{}}\n{"return":"${first!.execute}","id":${first!.id}}\n`
    const bytes = Buffer.from(text)
    const cut = bytes.indexOf(0xc3) + 1 // in the middle of a character
    socket.write(bytes.subarray(0, cut), () => setImmediate(() => socket.write(bytes.subarray(cut))))
  })
  const qmp = await connectQmp(path)
  const stopped = qmp.waitEvent('STOP')
  assert.deepEqual(await Promise.all([qmp.execute('a'), qmp.execute('b')]), ['a', 'bé'])
  assert.deepEqual(await stopped, { event: 'STOP', data: {} })
  qmp.close()
})

it('gives QEMU\'s refusal as a fault, its words for the log only', async () => {
  await monitor((message, socket) => socket.write(`{"error":{"class":"DeviceNotFound","desc":"Device /secret/path not found"},"id":${message.id}}\n`))
  const qmp = await connectQmp(path)
  await assert.rejects(qmp.execute('device_del'), (thrown) => {
    assert.ok(isFault(thrown, 'internal'))
    assert.equal(thrown.code, 'qmp.DeviceNotFound')
    assert.ok(!thrown.message.includes('/secret'))
    assert.equal(qmpReason(thrown), 'Device /secret/path not found')
    return true
  })
  qmp.close()
})

it('lets nothing wait for ever: a mute monitor, a mute command, a lost one', async () => {
  await monitor((message, socket) => {
    if (message.execute === 'quit') socket.destroy()
  })
  const qmp = await connectQmp(path)
  await assert.rejects(qmp.execute('mute', undefined, { timeout: 20 }), (thrown) => isFault(thrown, 'timeout'))
  await assert.rejects(qmp.waitEvent('NEVER', { timeout: 20 }), (thrown) => isFault(thrown, 'timeout'))
  const waiting = qmp.waitEvent('NEVER')
  await assert.rejects(qmp.execute('quit'), (thrown) => isFault(thrown, 'unavailable') && thrown.code === 'qmp.closed')
  await assert.rejects(waiting, (thrown) => isFault(thrown, 'unavailable'))
  await qmp.closed
  await assert.rejects(qmp.execute('after'), (thrown) => isFault(thrown, 'unavailable'))
  await assert.rejects(qmp.waitEvent('AFTER'), (thrown) => isFault(thrown, 'unavailable'))
})

it('calls a monitor that does not greet busy', async () => {
  await monitor(() => {}, false)
  await assert.rejects(connectQmp(path, { timeout: 50 }), (thrown) => isFault(thrown, 'unavailable') && thrown.code === 'qmp.unreachable')
})

it('waits for a socket that is not there yet', async () => {
  setTimeout(() => void monitor((message, socket) => socket.write(`{"return":1,"id":${message.id}}\n`)), 80)
  const qmp = await connectQmp(path, { timeout: 5_000 })
  assert.equal(await qmp.execute('x'), 1)
  qmp.close()
})

it('speaks with the guest agent, past what an earlier client left', async () => {
  await monitor((message, socket) => {
    if (message.execute === 'guest-sync-delimited') socket.write(`{"return":{"stale":true}}\n\xff{"return":${String(message.arguments?.id)}}\n`, 'latin1')
    else if (message.execute === 'guest-ping') socket.write('{"return":{}}\n')
    else if (message.execute === 'guest-bad') socket.write('{"error":{"desc":"no"}}\n')
  }, false)
  assert.deepEqual(await guestAgentExecute(path, 'guest-ping'), {})
  await assert.rejects(guestAgentExecute(path, 'guest-bad'), (thrown) => isFault(thrown, 'internal') && thrown.code === 'guest_agent.refused')
  await assert.rejects(guestAgentExecute(path, 'guest-mute', undefined, { timeout: 30 }), (thrown) => isFault(thrown, 'timeout'))
})
