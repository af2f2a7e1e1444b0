/**
 * Topics with types: what a house's processes say to each other, in one place, from which both ends come.
 *
 *     // nova/contract/compute-rpc.ts
 *     export interface ComputeRpc {
 *       power(payload: { server_id: string }): Promise<{ power_state: number }>
 *       wake(payload: { reason: string }): Promise<void>
 *     }
 *     export const computeTopic = defineTopic<ComputeRpc>('nova.compute', { power: 'call', wake: 'cast' })
 *
 *     await clientOf(bus, computeTopic, host).power({ server_id })
 *     await serverOf(bus, computeTopic, { power: async ({ server_id }, info) => …, wake: … }, { at: host })
 *
 * The compiler insists that every method has a kind, that only methods without an answer are casts and fan-outs, and that the
 * server implements all of them.
 */
import type { Bus, CallOptions, MessageInfo, ServeOptions, Serving } from './interface.ts'

// The payload is whatever the contract says.
// oxlint-disable-next-line no-explicit-any
type Method = (payload: any) => Promise<unknown>
type Input<M> = M extends (payload: infer I) => Promise<unknown> ? I : never
type Output<M> = M extends (payload: never) => Promise<infer O> ? O : never

/** `call` waits for the answer, for the given milliseconds when a number is named; `cast` tells one server, `fanout` all of them. */
type Kind<M> = [Output<M>] extends [void] ? 'call' | { readonly call: number } | 'cast' | 'fanout' : 'call' | { readonly call: number }

type AnyKind = 'call' | { readonly call: number } | 'cast' | 'fanout'

export type Kinds<Rpc> = { readonly [M in keyof Rpc]: Kind<Rpc[M]> }

export interface Topic<Rpc> {
  readonly name: string
  readonly kinds: Kinds<Rpc>
}

export type RpcClient<Rpc> = { readonly [M in keyof Rpc]: (payload: Input<Rpc[M]>, options?: CallOptions) => Promise<Output<Rpc[M]>> }
export type RpcServer<Rpc> = { readonly [M in keyof Rpc]: (payload: Input<Rpc[M]>, info: MessageInfo) => Promise<Output<Rpc[M]>> | Output<Rpc[M]> }

export function defineTopic<Rpc extends { [M in keyof Rpc]: Method }>(name: string, kinds: Kinds<Rpc>): Topic<Rpc> {
  return Object.freeze({ name, kinds: Object.freeze({ ...kinds }) })
}

/** The topic's name on the bus: `nova.compute`, or `nova.compute.<at>` for one place of many. */
export function topicName<Rpc>(topic: Topic<Rpc>, at?: string): string {
  return at === undefined ? topic.name : `${topic.name}.${at}`
}

export function clientOf<Rpc>(bus: Pick<Bus, 'call' | 'cast' | 'fanout'>, topic: Topic<Rpc>, at?: string): RpcClient<Rpc> {
  const name = topicName(topic, at)
  const client: Record<string, (payload: unknown, options?: CallOptions) => Promise<unknown>> = {}
  for (const [method, kind] of Object.entries(topic.kinds) as [string, AnyKind][]) {
    if (kind === 'cast') client[method] = (payload) => bus.cast(name, method, payload)
    else if (kind === 'fanout') client[method] = (payload) => bus.fanout(name, method, payload)
    else {
      const timeout = typeof kind === 'object' ? { timeout: kind.call } : {}
      client[method] = (payload, options) => bus.call(name, method, payload, { ...timeout, ...options })
    }
  }
  return client as RpcClient<Rpc>
}

export function serverOf<Rpc>(bus: Bus, topic: Topic<Rpc>, implementation: RpcServer<Rpc>, options: ServeOptions & { at?: string } = {}): Promise<Serving> {
  // Only what the topic names is served, whatever else the implementing object has; `this` stays the object.
  const handlers: Record<string, (payload: never, info: MessageInfo) => unknown> = {}
  for (const method of Object.keys(topic.kinds) as (keyof Rpc & string)[]) handlers[method] = (payload, info) => implementation[method](payload, info)
  return bus.serve(topicName(topic, options.at), handlers, options)
}
