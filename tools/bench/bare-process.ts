/** A bare `node:http` server that answers one fixed body: what the runtime itself can do with the same bytes. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

let body = Buffer.alloc(0)
const server = createServer((_req, res) => {
  res.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
  res.end(body)
})
process.on('message', (message) => {
  if (message === 'usage') {
    const { user, system } = process.cpuUsage()
    process.send!({ kind: 'usage', cpu_ms: (user + system) / 1000, rss_mib: process.memoryUsage.rss() / 2 ** 20 })
  } else if (message === 'stop') process.exit(0)
  else if (typeof message === 'string') {
    body = Buffer.from(message)
    process.send!({ kind: 'set' })
  }
})
process.on('disconnect', () => process.exit(0))
server.listen(0, '127.0.0.1', () => process.send!({ kind: 'ready', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }))
