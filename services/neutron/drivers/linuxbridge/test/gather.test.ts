import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gather } from '../gather.ts'
import { linkChanges, type Links } from '../links.ts'
import { Locks } from '../locks.ts'

describe('gather', () => {
  it('runs together what came together, and what came meanwhile next', async () => {
    const runs: string[][] = []
    const submit = gather<string>(async (parts) => {
      runs.push([...parts])
      await Promise.resolve()
    })
    const first = Promise.all([submit('a'), submit('b')])
    await Promise.resolve()
    await Promise.all([first, submit('c'), submit('d')])
    assert.deepEqual(runs, [['a', 'b'], ['c', 'd']])
  })

  it('gives a failure to the one it belongs to', async () => {
    const submit = gather<string>(async (parts) => {
      if (parts.includes('bad')) throw new Error('bad')
    })
    const results = await Promise.allSettled([submit('a'), submit('bad'), submit('c')])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    await submit('later')
  })
})

describe('locks', () => {
  it('keep the order for one thing, none between two, and the whole alone', async () => {
    const locks = new Locks()
    const said: string[] = []
    const work = (name: string, turns: number) => async (): Promise<void> => {
      said.push(`${name}+`)
      for (let i = 0; i < turns; i++) await Promise.resolve()
      said.push(`${name}-`)
    }
    const all = [locks.one('x', work('x1', 40)), locks.one('x', work('x2', 1)), locks.one('y', work('y', 1)), locks.all(work('all', 20)), locks.one('y', work('late', 1))]
    await Promise.all(all)
    assert.ok(said.indexOf('x1-') < said.indexOf('x2+'))
    assert.ok(said.indexOf('y+') < said.indexOf('x1-'))
    assert.deepEqual(said.slice(-4), ['all+', 'all-', 'late+', 'late-'])
  })

  it('go on after a failure', async () => {
    const locks = new Locks()
    await assert.rejects(locks.one('x', () => Promise.reject(new Error('no'))))
    await assert.rejects(locks.all(() => Promise.reject(new Error('no'))))
    assert.equal(await locks.one('x', async () => 1), 1)
  })
})

describe('links', () => {
  it('need nothing when all is as wished', () => {
    const links: Links = new Map()
    const want = { ifname: 'tap1', kind: 'tun', create: [['tuntap', 'add', 'dev', 'tap1', 'mode', 'tap']], up: true, master: 'br', mtu: 1450, ifalias: 'port 1' }
    assert.deepEqual(linkChanges(links, want), [
      ['tuntap', 'add', 'dev', 'tap1', 'mode', 'tap'],
      ['link', 'set', 'dev', 'tap1', 'alias', 'port 1', 'mtu', '1450', 'master', 'br', 'up'],
    ])
    assert.deepEqual(linkChanges(links, want), [])
    assert.deepEqual(linkChanges(links, { ...want, up: false }), [['link', 'set', 'dev', 'tap1', 'down']])
    assert.deepEqual(linkChanges(links, { ...want, kind: 'veth', create: [['x']] })[0], ['link', 'del', 'tap1'])
  })
})
