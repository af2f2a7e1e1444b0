/** The screen of a server: the page speaks RFB over the WebSocket that its address names, and shows a machine's name as text. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Listening, listen } from '../../base/http/server.ts'
import { buildConsole, consoleDist } from '../../cloud/console-build.ts'
import { consoleSite } from '../../cloud/console.ts'
import { frontDoor } from '../../cloud/front-door.ts'
import { openPage } from './browser.ts'

const NAME = '<b>guest</b>'

describe('vnc page', () => {
  const sockets = new WebSocketServer({ noServer: true })
  const opened: { target: string; origin: string | undefined }[] = []
  let door: Listening

  before(async () => {
    await buildConsole({ env: process.env })
    door = await listen(frontDoor([{ path: '/console', handler: consoleSite({ dist: consoleDist, state: () => ({ kind: 'built' }) }) }]), {
      port: 0,
      onUpgrade: (request, socket, head, raw) => {
        opened.push({ target: `${request.path}?${request.query}`, origin: request.headers.origin })
        if (request.query === 'token=good') sockets.handleUpgrade(raw, socket, head, playGuest)
        else socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      },
    })
  })
  after(async () => {
    for (const socket of sockets.clients) socket.terminate()
    await door?.close(0)
  })

  test('it connects with its origin, paints, and shows the name as text', async () => {
    const { page, troubles } = await openPage(door.url)
    await page.goto(`/console/vnc.html?path=${encodeURIComponent('compute/consoles?token=good')}`)
    await page.getByText('Connected').waitFor()
    await page.getByText(NAME, { exact: true }).waitFor()
    assert.equal(await page.locator('b').count(), 0)
    assert.deepEqual(opened.pop(), { target: '/compute/consoles?token=good', origin: door.url })
    // The one pixel that the guest painted is red.
    const painted = (): Promise<number[]> => page.evaluate("[...document.querySelector('canvas').getContext('2d').getImageData(0, 0, 1, 1).data]")
    for (let frame = 0; frame < 100 && (await painted())[0] !== 255; frame++) await page.evaluate('new Promise(requestAnimationFrame)')
    assert.deepEqual(await painted(), [255, 0, 0, 255])
    assert.deepEqual(troubles, [])
    await page.context().close()
  })

  test('a refused token is said; no address leads to another host', async () => {
    const { page } = await openPage(door.url)
    await page.goto(`/console/vnc#path=${encodeURIComponent('compute/consoles?token=bad')}`)
    await page.getByText('The connection was refused.').waitFor()
    opened.length = 0
    await page.goto(`/console/vnc.html?path=${encodeURIComponent('//127.0.0.2:1/x')}`)
    await page.getByText('The connection was refused.').waitFor()
    assert.deepEqual(opened.map(({ target }) => target), ['/127.0.0.2:1/x?'])
    await page.goto('/console/vnc.html')
    await page.getByText('This address names no console.').waitFor()
    await page.context().close()
  })
})

/** RFB 3.8 without a password, a screen of one pixel. */
function playGuest(socket: WebSocket): void {
  const answers = [
    () => Buffer.from([1, 1]),
    () => Buffer.from([0, 0, 0, 0]),
    () => {
      const init = Buffer.alloc(24)
      init.writeUInt16BE(1, 0)
      init.writeUInt16BE(1, 2)
      init.set([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0], 4)
      init.writeUInt32BE(NAME.length, 20)
      return Buffer.concat([init, Buffer.from(NAME)])
    },
  ]
  socket.on('message', (data: Buffer) => {
    const next = answers.shift()
    if (next) socket.send(next())
    // FramebufferUpdateRequest: one raw rectangle, little-endian BGRX or RGBX as noVNC asks: red first.
    else if (data.includes(3)) socket.send(Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 255, 0, 0, 255]))
  })
  socket.send(Buffer.from('RFB 003.008\n'))
}
