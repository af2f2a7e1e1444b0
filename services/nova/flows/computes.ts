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
  const { clock } = nova.world
  const wait = options.wait ?? nova.config.agent_wait
  let until = clock.now() + wait
  for (;;) {
    try {
      const kind = computeTopic.kinds[method]
      const call = { timeout: options.timeout ?? (typeof kind === 'object' ? kind.call : 60_000), ...(options.signal ? { signal: options.signal } : {}) }
      return (await nova.bus.call(topicName(computeTopic, hostId), method, payload, call)) as Answer<M>
    } catch (thrown) {
      options.signal?.throwIfAborted()
      const code = isFault(thrown) ? thrown.code : undefined
      if (code !== 'bus.nobody' && code !== 'bus.timeout' && code !== 'bus.disconnected') throw thrown
      // While the broker is away nothing is known of the host; afterwards it has its time to be there again.
      if (code === 'bus.disconnected') {
        if (!options.signal && clock.now() >= until) throw thrown
        if (options.signal) until = Math.max(until, clock.now() + wait)
      }
      // An agent that works on it still is asked until the flow's deadline; one that is not there only for a while.
      if (code === 'bus.nobody' && clock.now() >= until) throw unavailable('The compute host does not answer.', { code: 'nova.host_silent', cause: thrown })
      if (code === 'bus.timeout' && !options.signal) throw thrown
      await clock.sleep(Math.min(1_000, Math.max(50, wait / 10)), options.signal)
    }
  }
}
