/** Calls to agents. All of them ensure, so a call that got no answer is made again until the flow's own end. */
import { isFault, unavailable } from '#base/fault.ts'
import { topicName } from '#base/bus/topic.ts'
import { type ComputeRpc, computeTopic } from '../contract/compute-rpc.ts'
import type { Nova } from '../house.ts'

type Payload<M extends keyof ComputeRpc> = Parameters<ComputeRpc[M]>[0]
type Answer<M extends keyof ComputeRpc> = Awaited<ReturnType<ComputeRpc[M]>>

export interface CallCompute {
  signal?: AbortSignal
  /** Milliseconds for one attempt. Default: the contract's. */
  timeout?: number
  /** Milliseconds for which an absent agent is waited for. Default `agent_wait`; 0 asks once. */
  wait?: number
}

export async function callCompute<M extends keyof ComputeRpc>(nova: Nova, hostId: string, method: M, payload: Payload<M>, options: CallCompute = {}): Promise<Answer<M>> {
  const { signal } = options
  const kind = computeTopic.kinds[method]
  const call = { timeout: options.timeout ?? (typeof kind === 'object' ? kind.call : 60_000), wait: options.wait ?? nova.config.agent_wait, ...(signal ? { signal } : {}) }
  for (;;) {
    try {
      return (await nova.bus.call(topicName(computeTopic, hostId), method, payload, call)) as Answer<M>
    } catch (thrown) {
      signal?.throwIfAborted()
      const code = isFault(thrown) ? thrown.code : undefined
      if (code === 'bus.nobody') throw unavailable('The compute host does not answer.', { code: 'nova.host_silent', cause: thrown })
      // A flow has a deadline of its own: until then an agent that works on it still is asked, and a broker that is away waited for.
      if (!signal || (code !== 'bus.timeout' && code !== 'bus.disconnected')) throw thrown
      await nova.world.clock.sleep(1_000, signal)
    }
  }
}
