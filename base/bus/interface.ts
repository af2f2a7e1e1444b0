/**
 * Messages between the processes of one house (law 9): the API and its workers to agents, and back. A message is only a wake-up
 * (law 1): rows are the truth, so losing one costs time and nothing else.
 *
 * A topic is a name such as `nova.compute.<host>`. Several servers of one topic share its calls and casts; a fan-out reaches every one.
 * Payloads are JSON. The envelope carries the request's scope, a deadline and the sender; the handler runs inside that scope.
 */
export interface Bus {
  /** Asks and waits. Throws the handler's Fault, `timeout` past the limit, `unavailable` when nobody serves the topic. */
  call(topic: string, method: string, payload: unknown, options?: CallOptions): Promise<unknown>
  /** Tells one server of the topic; resolves when the bus has taken it. */
  cast(topic: string, method: string, payload: unknown): Promise<void>
  /** Tells every server of the topic that is there now. */
  fanout(topic: string, method: string, payload: unknown): Promise<void>
  serve(topic: string, handlers: Handlers, options?: ServeOptions): Promise<Serving>
  close(): Promise<void>
}

export type Handlers = Readonly<Record<string, (payload: never, info: MessageInfo) => Promise<unknown> | unknown>>

export interface CallOptions {
  /** Milliseconds. Default 60,000. */
  timeout?: number
  signal?: AbortSignal
}

export interface ServeOptions {
  /** Messages handled at once. Default 64. */
  concurrency?: number
}

export interface MessageInfo {
  topic: string
  method: string
  /** Milliseconds since the epoch; past it nobody waits any more. */
  deadline?: number
  /** Aborts when the caller has given up, where the bus can know. */
  signal: AbortSignal
}

export interface Serving {
  /** Takes no more messages and waits for those under way. */
  close(): Promise<void>
}
