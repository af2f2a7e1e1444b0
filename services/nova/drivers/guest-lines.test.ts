import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isFault } from '#base/fault.ts'
import { guestLines } from './guest-lines.ts'
import { sharedWork } from './shared-work.ts'

const forever = (signal: AbortSignal): Promise<never> => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
const never = new AbortController().signal

describe('The line of a guest', () => {
  it('serves in order, goes on after a failure, and keeps guests apart', async () => {
    const lines = guestLines()
    const order: string[] = []
    const gate = Promise.withResolvers<void>()
    const work = [
      lines.run('a', async () => (await gate.promise, void order.push('a1'))),
      assert.rejects(lines.run('a', async () => (order.push('a2'), Promise.reject(new Error('a2 failed')))), /a2 failed/),
      lines.run('a', async () => void order.push('a3')),
    ]
    await lines.run('b', async () => void order.push('b'))
    gate.resolve()
    await Promise.all(work)
    assert.deepEqual(order, ['b', 'a1', 'a2', 'a3'])
  })

  it('lets destruction overtake: what runs gives up, what waits never begins, what comes later waits', async () => {
    const lines = guestLines()
    const order: string[] = []
    const begun = Promise.withResolvers<void>()
    const running = lines.run('a', (signal) => (begun.resolve(), forever(signal).finally(() => order.push('gave up')))).catch((thrown: unknown) => thrown)
    await begun.promise
    const waiting = lines.run('a', async () => void order.push('must not run')).catch((thrown: unknown) => thrown)
    const gone = lines.preempt('a', async () => void order.push('killed'), async () => void order.push('destroyed'))
    const again = lines.preempt('a', async () => {}, async () => void order.push('destroyed again'))
    const later = lines.run('a', async () => void order.push('made anew'))
    await Promise.all([gone, again, later])
    assert.ok(isFault(await running, 'conflict'))
    assert.ok(isFault(await waiting, 'conflict'))
    assert.deepEqual(order, ['killed', 'gave up', 'destroyed', 'destroyed again', 'made anew'])
  })

  it('destroys even when the killing failed, and tells', async () => {
    const lines = guestLines()
    let destroyed = false
    await assert.rejects(
      lines.preempt('a', () => Promise.reject(new Error('kill')), async () => void (destroyed = true)),
      /kill/,
    )
    assert.equal(destroyed, true)
  })
})

describe('Shared work', () => {
  it('is done once for all who wait', async () => {
    const share = sharedWork<number>()
    let times = 0
    const work = async (): Promise<number> => ++times
    assert.deepEqual(await Promise.all([share('k', never, work), share('k', never, work), share('k', never, work)]), [1, 1, 1])
    assert.equal(await share('k', never, work), 2)
  })

  it('is given up only when nobody waits', async () => {
    const share = sharedWork<string>()
    const gate = Promise.withResolvers<string>()
    let aborted = false
    const work = (signal: AbortSignal): Promise<string> => {
      signal.addEventListener('abort', () => (aborted = true))
      return Promise.race([gate.promise, forever(signal)])
    }
    const [one, two] = [new AbortController(), new AbortController()]
    const first = share('k', one.signal, work)
    const second = share('k', two.signal, work)
    one.abort(new Error('left'))
    await assert.rejects(first, /left/)
    assert.equal(aborted, false)
    gate.resolve('done')
    assert.equal(await second, 'done')
    const alone = new AbortController()
    const third = share('k', alone.signal, (signal) => (signal.addEventListener('abort', () => (aborted = true)), forever(signal)))
    alone.abort(new Error('left'))
    await assert.rejects(third, /left/)
    assert.equal(aborted, true)
  })

  it('may be tried again after it failed', async () => {
    const share = sharedWork<number>()
    await assert.rejects(share('k', never, () => Promise.reject(new Error('once'))), /once/)
    assert.equal(await share('k', never, async () => 1), 1)
  })
})
