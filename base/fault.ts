/**
 * The closed union of things that go wrong (law 10). It knows no HTTP: a service's dialect turns a kind into a status and a body.
 * `message` is for the user and becomes wire text; what only an operator may read goes in `cause` or `detail`.
 */
export type FaultKind =
  | 'invalid' // the request is wrong; `field` names what
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'conflict' // state of the resource, or a duplicate
  | 'gone'
  | 'too_large' // a body or an answer over its limit
  | 'over_quota'
  | 'precondition' // an If-Match or generation that no longer holds
  | 'unsupported_media'
  | 'unprocessable'
  | 'not_acceptable' // a version nobody speaks
  | 'method_not_allowed'
  | 'range' // a byte range that cannot be had
  | 'length_required'
  | 'unavailable' // try again later
  | 'insufficient_storage'
  | 'not_implemented'
  | 'timeout'
  | 'internal'

export interface FaultOptions {
  /** Stable word for programs, e.g. `placement.concurrent_update` or `IpAddressInUse`. */
  code?: string
  /** The field of the body, or the query parameter, that is at fault. */
  field?: string
  /** For the log only. */
  detail?: unknown
  cause?: unknown
  /** Facts that a dialect may put in headers or body: `Allow`, `Retry-After`, versions. */
  data?: Readonly<Record<string, unknown>>
}

export class Fault extends Error {
  readonly kind: FaultKind
  readonly code: string | undefined
  readonly field: string | undefined
  readonly detail: unknown
  readonly data: Readonly<Record<string, unknown>>

  constructor(kind: FaultKind, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'Fault'
    this.kind = kind
    this.code = options.code
    this.field = options.field
    this.detail = options.detail
    this.data = options.data ?? {}
  }
}

const maker =
  (kind: FaultKind) =>
  (message: string, options?: FaultOptions): Fault =>
    new Fault(kind, message, options)

export const invalid = maker('invalid')
export const unauthenticated = maker('unauthenticated')
export const forbidden = maker('forbidden')
export const notFound = maker('not_found')
export const conflict = maker('conflict')
export const gone = maker('gone')
export const overQuota = maker('over_quota')
export const tooLarge = maker('too_large')
export const unavailable = maker('unavailable')
export const notImplemented = maker('not_implemented')
export const timedOut = maker('timeout')
export const internal = maker('internal')

/** Any thrown thing as a Fault; what is not one becomes `internal` with the original as its cause. */
export function asFault(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown
  return new Fault('internal', 'An unexpected error prevented the server from fulfilling your request.', { cause: thrown })
}

export function isFault(thrown: unknown, kind?: FaultKind): thrown is Fault {
  return thrown instanceof Fault && (kind === undefined || thrown.kind === kind)
}

/** One line for a log: the message and the chain of its causes, each once. */
export function faultChain(thrown: unknown): string {
  const parts: string[] = []
  for (let at: unknown = thrown; at; at = at instanceof Error ? at.cause : undefined) {
    parts.push(at instanceof Error ? (at instanceof Fault && at.detail ? `${at.message} (${String(at.detail)})` : at.message) : String(at))
  }
  return parts.join(': ')
}

/** A Fault as plain data, to cross the bus or to stand in a flow's journal. */
export interface FaultData {
  kind: FaultKind
  message: string
  code?: string
  field?: string
}

export function faultToData(thrown: unknown): FaultData {
  const fault = asFault(thrown)
  const message = fault.kind === 'internal' && !(thrown instanceof Fault) ? faultChain(thrown) : fault.message
  return {
    kind: fault.kind,
    message,
    ...(fault.code === undefined ? {} : { code: fault.code }),
    ...(fault.field === undefined ? {} : { field: fault.field }),
  }
}

export function faultFromData(data: FaultData): Fault {
  return new Fault(data.kind, data.message, {
    ...(data.code === undefined ? {} : { code: data.code }),
    ...(data.field === undefined ? {} : { field: data.field }),
  })
}
