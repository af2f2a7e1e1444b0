import assert from 'node:assert/strict'
import { test } from 'node:test'
import { safeNext, to } from '../src/paths.ts'
import { socketUrl } from '../src/vnc/socket-url.ts'

const HERE = 'https://cloud.example'

test('every page has one address', () => {
  assert.deepEqual(
    [to.home(), to.login({ next: '/console/x' }), to.project('p'), to.servers('p')],
    [
      { to: '/' },
      { to: '/login', search: { next: '/console/x' } },
      { to: '/projects/$project_id', params: { project_id: 'p' } },
      { to: '/projects/$project_id/servers', params: { project_id: 'p' } },
    ],
  )
})

test('a login leads back into the dashboard only (A19)', () => {
  assert.equal(safeNext('/console/projects/p/servers?name=a%20b', HERE), '/console/projects/p/servers?name=a%20b')
  const others = [undefined, '', '/', '//evil.example', '/\\evil.example', '\\\\evil.example', '/\t/evil.example', '/console\n', 'https://evil.example/console/', 'javascript:alert(1)', '/consolex', '/console/../identity', '/compute']
  for (const next of others) assert.equal(safeNext(next, HERE), '/console/', String(next))
})

test('a screen comes from the host of its page only', () => {
  const from = (address: string): string | undefined => socketUrl({ href: `${HERE}/console/vnc.html${address}` })
  assert.equal(from('?path=compute/c%3Ftoken%3Dt'), 'wss://cloud.example/compute/c?token=t')
  assert.equal(from('#path=/compute/c%3Ftoken%3Dt'), 'wss://cloud.example/compute/c?token=t')
  for (const path of ['//evil.example/c', '/\\evil.example', '\\/evil.example', '\t//evil.example', 'https://evil.example', '@evil.example']) {
    const url = from(`?path=${encodeURIComponent(path)}`)
    assert.equal(new URL(url!).host, 'cloud.example', path)
  }
  assert.equal(from(''), undefined)
})
