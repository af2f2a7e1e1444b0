import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFault } from '../fault.ts'
import { world } from '../world.ts'
import type { MessageInfo } from './interface.ts'
import { memoryBus } from './memory.ts'
import { clientOf, defineTopic, serverOf } from './topic.ts'

interface ComputeRpc {
  power(payload: { server_id: string }): Promise<{ power_state: number }>
  wake(payload: { reason: string }): Promise<void>
  forget(payload: { server_id: string }): Promise<void>
}
const computeTopic = defineTopic<ComputeRpc>('nova.compute', { power: { call: 50 }, wake: 'cast', forget: 'fanout' })

test('client and server come from one definition', async () => {
  const bus = memoryBus(world())
  const heard: string[] = []
  const serve = (at: string) =>
    serverOf(
      bus,
      computeTopic,
      {
        power: async ({ server_id }) => ({ power_state: server_id.length }),
        wake: ({ reason }) => void heard.push(`${at} ${reason}`),
        forget: ({ server_id }, info: MessageInfo) => void heard.push(`${at} ${info.kind} ${server_id}`),
      },
      { at },
    )
  await serve('h1')
  await serve('h2')
  await serve('h2')
  assert.deepEqual(await clientOf(bus, computeTopic, 'h1').power({ server_id: 'abc' }), { power_state: 3 })
  await clientOf(bus, computeTopic, 'h2').wake({ reason: 'rows' })
  await clientOf(bus, computeTopic, 'h2').forget({ server_id: 's' })
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(heard, ['h2 rows', 'h2 fanout s', 'h2 fanout s'])
  await bus.close()
})

test('a method’s own time limit holds unless the caller names one', async () => {
  const bus = memoryBus(world())
  await serverOf(bus, computeTopic, { power: () => new Promise(() => {}), wake: () => {}, forget: () => {} })
  await assert.rejects(clientOf(bus, computeTopic).power({ server_id: 'x' }), (thrown) => isFault(thrown, 'timeout') && thrown.message.includes('50 ms'))
  await assert.rejects(clientOf(bus, computeTopic).power({ server_id: 'x' }, { timeout: 5 }), (thrown) => isFault(thrown, 'timeout') && thrown.message.includes('5 ms'))
})

// What the compiler refuses. These lines are checked by `tsc`, never run.
export function refused(): void {
  const bus = memoryBus(world())
  // @ts-expect-error a method is missing
  defineTopic<ComputeRpc>('t', { power: 'call', wake: 'cast' })
  // @ts-expect-error a cast has no answer
  defineTopic<ComputeRpc>('t', { power: 'cast', wake: 'cast', forget: 'cast' })
  // @ts-expect-error the server lacks two methods
  void serverOf(bus, computeTopic, { power: async () => ({ power_state: 1 }) })
  // @ts-expect-error the payload is of another shape
  void clientOf(bus, computeTopic).power({ server: 'x' })
}
