import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { isFault } from '../fault.ts'
import { fetchOutbound, isPublicAddress } from './outbound.ts'

let server: Server
let port: number
let inner = 0

before(async () => {
  server = createServer((req, res) => {
    if (req.url === '/redirect') res.writeHead(302, { location: `http://127.0.0.1:${port}/inner` }).end()
    else if (req.url === '/metadata') res.writeHead(302, { location: 'http://169.254.169.254/latest' }).end()
    else {
      inner++
      res.end('bytes')
    }
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  port = (server.address() as AddressInfo).port
})
after(() => server.close())

const refused = (thrown: unknown): boolean => isFault(thrown, 'invalid')

test('A8: every spelling of an inner address is refused', async () => {
  for (const host of ['127.0.0.1', '2130706433', '0x7f000001', '0177.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '169.254.169.254', '10.0.0.1', '[fd00::1]', '[64:ff9b::7f00:1]', '0.0.0.0', 'localhost']) {
    await assert.rejects(fetchOutbound(`http://${host}:${port}/`), refused, host)
  }
  assert.equal(inner, 0)
})

test('A7: an allowed host that redirects inside is refused at the second hop', async () => {
  await assert.rejects(fetchOutbound(`http://localhost:${port}/redirect`, { allow: [`localhost:${port}`] }), refused)
  await assert.rejects(fetchOutbound(`http://localhost:${port}/metadata`, { allow: [`localhost:${port}`] }), refused)
  assert.equal(inner, 0)
})

test('A9: other schemes and names in the URI are refused', async () => {
  for (const uri of ['file:///etc/passwd', 'ftp://example.org/x', 'gopher://x', 'http://user:secret@example.org/', 'nonsense']) await assert.rejects(fetchOutbound(uri), refused, uri)
})

test('what is allowed is fetched', async () => {
  const answer = await fetchOutbound(`http://127.0.0.1:${port}/x`, { allow: [`127.0.0.1:${port}`] })
  let text = ''
  for await (const chunk of answer) text += String(chunk)
  assert.equal(text, 'bytes')
  assert.equal(isPublicAddress('93.184.216.34'), true)
})
