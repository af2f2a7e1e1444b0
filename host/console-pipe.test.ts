import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createHttp, type Server } from 'node:http'
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, it } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { type ConsolePipeEnd, type ConsolePipeOptions, pipeConsole } from './console-pipe.ts'

let directory: string
let path: string
let guests: NetServer
let http: Server
let guest: Promise<Socket>
let ended: Promise<ConsolePipeEnd>
let serverSide: WebSocket
let options: ConsolePipeOptions = {}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ondol-console-'))
  path = join(directory, 's')
  guests = createServer()
  guest = once(guests, 'connection').then(([socket]) => socket as Socket)
  await new Promise<void>((resolve) => guests.listen(path, resolve))
  http = createHttp()
  const sockets = new WebSocketServer({ noServer: true })
  ended = new Promise((resolve) => {
    http.on('upgrade', (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (browser) => {
        serverSide = browser
        void pipeConsole(browser, path, options).then(resolve)
      }),
    )
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
})
afterEach(async () => {
  options = {}
  http.close()
  guests.close()
  await rm(directory, { recursive: true })
})

const browse = (): WebSocket => new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`)

it('carries bytes both ways, the first ones included', async () => {
  const browser = browse()
  browser.on('open', () => browser.send(Buffer.from([0, 255, 1])))
  const there = await guest
  assert.deepEqual((await once(there, 'data'))[0], Buffer.from([0, 255, 1]))
  const back = once(browser, 'message')
  there.write(Buffer.from('RFB 003.008\n'))
  const [data, binary] = (await back) as [Buffer, boolean]
  assert.equal(data.toString(), 'RFB 003.008\n')
  assert.equal(binary, true)
  browser.close()
  await once(there, 'close')
  assert.deepEqual(await ended, { by: 'browser', received: 12, sent: 3 })
})

it('closes the browser when the guest ends, and when there is no guest', async () => {
  const browser = browse()
  const closed = once(browser, 'close')
  ;(await guest).destroy()
  assert.equal((await closed)[0], 1000)
  assert.equal((await ended).by, 'guest')
})

it('says so when the console cannot be reached', async () => {
  guests.close()
  await rm(path, { force: true })
  const [code] = (await once(browse(), 'close')) as [number]
  assert.equal(code, 1011)
})

it('refuses text where only bytes are understood', async () => {
  const browser = browse()
  browser.on('open', () => browser.send('text'))
  assert.equal((await once(browser, 'close'))[0], 1003)
  await ended
})

it('takes text for a terminal, and ends when told to', async () => {
  const abort = new AbortController()
  options = { text: true, signal: abort.signal }
  const browser = browse()
  browser.on('open', () => browser.send('ls\n'))
  const there = await guest
  assert.equal(String((await once(there, 'data'))[0]), 'ls\n')
  const closed = once(browser, 'close')
  abort.abort()
  assert.equal((await closed)[0], 1000)
  assert.equal((await ended).by, 'us')
})

it('stops reading a guest whose browser does not', async () => {
  const browser = browse()
  await once(browser, 'open')
  browser.pause()
  const there = await guest
  const chunk = Buffer.alloc(1 << 16)
  const total = 64 << 20
  let written = 0
  let stalled: (() => void) | undefined
  const stall = new Promise<void>((resolve) => (stalled = resolve))
  const pump = (): void => {
    while (written < total) {
      written += chunk.length
      if (!there.write(chunk)) {
        there.once('drain', pump)
        break
      }
    }
  }
  pump()
  const quiet = setInterval(() => there.writableLength > 0 && serverSide.bufferedAmount > 0 && before === written && stalled?.(), 100)
  let before = -1
  const mark = setInterval(() => (before = written), 90)
  await stall
  clearInterval(quiet)
  clearInterval(mark)
  assert.ok(written < total, `only ${written} bytes were taken`)
  assert.ok(serverSide.bufferedAmount < 4 << 20, 'little is kept in memory')
  let received = 0
  const all = new Promise<void>((resolve) =>
    browser.on('message', (data: Buffer) => {
      received += data.length
      if (received === total) resolve()
    }),
  )
  browser.resume()
  await all
  browser.close()
  assert.equal((await ended).received, total)
})
