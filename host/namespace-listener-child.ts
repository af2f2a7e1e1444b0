/** The child of namespace-listener.ts: `node namespace-listener-child.ts ADDRESS PORT`, with an IPC channel. */
import { createServer } from 'node:net'

const [address, port] = process.argv.slice(2)
const server = createServer()
server.on('error', (thrown) => {
  process.stderr.write(thrown.message)
  process.exit(1)
})
server.listen({ host: address, port: Number(port), exclusive: true }, () => {
  process.send?.('listening', server, { keepOpen: false }, (thrown) => {
    if (thrown) process.stderr.write(thrown.message)
    process.exit(thrown ? 1 : 0)
  })
})
