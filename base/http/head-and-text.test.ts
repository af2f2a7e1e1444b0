/** The head of an answer is bytes, whatever letters its body has. */
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, test } from 'node:test'
import { listen } from './server.ts'

test('a text beyond ASCII leaves the values of headers as they are', async () => {
  const value = Buffer.from('Straße').toString('latin1')
  const server = await listen(() => Promise.resolve({ status: 200, headers: { 'x-meta': value }, body: '☃' }), { port: 0 })
  after(() => server.close())
  const got = await new Promise<{ value: unknown; text: string }>((resolve, reject) => {
    request(server.url, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => resolve({ value: answer.headers['x-meta'], text: Buffer.concat(chunks).toString() }))
    }).on('error', reject).end()
  })
  assert.deepEqual(got, { value, text: '☃' })
})
