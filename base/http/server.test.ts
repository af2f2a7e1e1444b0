/** What a server makes of requests that are not quite as they should be. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { readBody } from './message.ts'
import { listen } from './server.ts'

/** All that comes back for these bytes, until the server ends the connection. */
function raw(port: number, ...pieces: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => {
      for (const piece of pieces) socket.write(piece)
    })
    socket.on('data', (chunk) => (text += String(chunk)))
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
}

test('what comes behind a request does not take its answer; a body that is none does; an expectation of something else is passed over', async () => {
  const server = await listen(
    async ({ body, headers }) => {
      const bytes = await readBody(body, 1000)
      // Whatever was wrong with what follows is known before this answers.
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
      return { status: 200, headers: {}, body: `got ${String(bytes)} ${headers.expect ?? ''}` }
    },
    { port: 0 },
  )
  try {
    const head = 'PUT / HTTP/1.1\r\nHost: x\r\n'
    assert.match(await raw(server.port, `${head}Content-Length: 4\r\n\r\nbodyand more that is no request\r\n\r\n`), /^HTTP\/1\.1 200 .*got body /s)
    assert.match(await raw(server.port, `${head}\r\nno length was said\r\n\r\n`), /^HTTP\/1\.1 200 /)
    assert.match(await raw(server.port, `${head}Transfer-Encoding: chunked\r\n\r\nnonsense\r\n`), /^HTTP\/1\.1 400 /)
    assert.match(await raw(server.port, `${head}Expect: 200\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody`), /^HTTP\/1\.1 200 .*got body 200/s)
  } finally {
    await server.close()
  }
})
