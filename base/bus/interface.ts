/**
 * Messages between the processes of one house (law 9): the API and its workers to agents, and back. A message is only a wake-up
 * (law 1): rows are the truth, so losing one costs time and nothing else.
 *
 * A topic is a name such as `nova.compute.<host>`. Several servers of one topic share its calls and casts; a fan-out reaches every one.
 * Payloads are JSON. The envelope carries the request's scope, a deadline and the sender; the handler runs inside that scope.
 * A message may come twice. `topic.ts` gives topics types: prefer it to the bare calls here.
 */
export interface Bus {
  /**
   * Asks and waits. Throws the handler's Fault, `timeout` past the limit, `unavailable` when nobody serves the topic or the broker is away. A request
   * that got lost, or whose server died, is sent again: the handler may see it twice.
   */
  call(topic: string, method: string, payload: unknown, options?: CallOptions): Promise<unknown>
  /** Tells one server of the topic; resolves when the bus has taken it. When nobody ever served the topic it is dropped. */
  cast(topic: string, method: string, payload: unknown): Promise<void>
  /** Tells every server of the topic that is there now. */
  fanout(topic: string, method: string, payload: unknown): Promise<void>
  /** Throws `conflict` when the topic is served exclusively. */
  serve(topic: string, handlers: Handlers, options?: ServeOptions): Promise<Serving>
  /** False while the broker cannot be reached. */
  readonly up: boolean
  /** Ends every serving as its `close` does; calls that still wait fail with `unavailable`. */
  close(): Promise<void>
}

export type Handlers = Readonly<Record<string, (payload: never, info: MessageInfo) => Promise<unknown> | unknown>>

export interface CallOptions {
  /** Milliseconds. Default 60,000. */
  timeout?: number
  signal?: AbortSignal
  /** Milliseconds for which a server or a broker that is away is waited for. Default: a server not at all, a broker as the bus was told. */
  wait?: number
}

export interface ServeOptions {
  /** Messages handled at once. Default 64. */
  concurrency?: number
  /** No other server may share the topic's calls. */
  exclusive?: boolean
}

export type MessageKind = 'call' | 'cast' | 'fanout'

export interface MessageInfo {
  /** The same when a message comes twice. */
  id: string
  topic: string
  method: string
  kind: MessageKind
  /** Name of the process that sent it. */
  sender: string
  /** Milliseconds since the epoch; past it nobody waits any more. */
  deadline?: number
  /** Aborts when the caller has given up, or its time is over. */
  signal: AbortSignal
}

export interface Serving {
  /** Takes no more messages and waits for those under way. */
  close(): Promise<void>
}
