/**
 * Spans: what was done for a request, where, and how long it took. They are kept in a bounded ring in memory and handed to an
 * optional sink that keeps them on disk for `ondol trace`. A span is plain data; nothing secret belongs in `facts`.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from './clock.ts'
import { currentScope, narrowScope, type Scope } from './scope.ts'
import { faultChain } from './fault.ts'

export interface Span {
  id: string
  parent?: string
  request_id: string
  global_request_id?: string
  /** `rest`, `rpc`, `flow`, `step`, `sql`, `driver`, `state`. */
  kind: string
  /** `nova`, `neutron` … */
  service: string
  name: string
  host?: string
  /** Milliseconds since the epoch. */
  start: number
  /** Milliseconds; with fractions. */
  ms: number
  error?: string
  facts?: Readonly<Record<string, unknown>>
}

export interface TraceSink {
  write(span: Span): void
}

export interface OpenSpan {
  close(thrown?: unknown): void
}

export interface Trace {
  /** Begins the outermost span of a request, whose scope is given, and makes it the current one; `close` ends it. */
  open(scope: Scope, kind: string, service: string, name: string): OpenSpan
  /** Times `work` as a span below the current one. Outside a request it only runs `work`. */
  span<T>(kind: string, service: string, name: string, work: () => Promise<T>, facts?: Span['facts']): Promise<T>
  /** A moment without length: a state change. */
  mark(kind: string, service: string, name: string, facts?: Span['facts']): void
  /** The spans of a request (by its own or its global id) still in memory, oldest first. */
  of(requestId: string): Span[]
}

export function createTrace(clock: Clock, options: { capacity?: number; sink?: TraceSink; host?: string } = {}): Trace {
  // What a sink keeps need not be kept twice.
  const capacity = options.capacity ?? (options.sink ? 0 : 20_000)
  const ring: Span[] = []
  let next = 0
  // Spans of several processes meet in one trace: their ids must differ.
  const prefix = randomBytes(4).toString('hex')
  let serial = 0
  const keep = (span: Span): void => {
    if (ring.length < capacity) ring.push(span)
    else if (capacity > 0) {
      ring[next] = span
      next = (next + 1) % capacity
    }
    options.sink?.write(span)
  }
  // One shape for every span, so that reading and writing them is quick.
  const make = (scope: Scope, kind: string, service: string, name: string, facts: Span['facts']): Span => {
    const span: Span = { id: prefix + (++serial).toString(36), request_id: scope.request_id, kind, service, name, start: clock.now(), ms: 0 }
    if (scope.span !== undefined) span.parent = scope.span
    if (scope.global_request_id !== undefined) span.global_request_id = scope.global_request_id
    if (options.host !== undefined) span.host = options.host
    if (facts !== undefined) span.facts = facts
    return span
  }
  return {
    open(scope, kind, service, name) {
      const span = make(scope, kind, service, name, undefined)
      scope.span = span.id
      const began = performance.now()
      return {
        close(thrown) {
          if (thrown !== undefined) span.error = faultChain(thrown)
          span.ms = performance.now() - began
          keep(span)
        },
      }
    },
    async span(kind, service, name, work, facts) {
      const scope = currentScope()
      if (!scope) return work()
      const span = make(scope, kind, service, name, facts)
      const began = performance.now()
      try {
        return await narrowScope({ span: span.id }, work)
      } catch (thrown) {
        span.error = faultChain(thrown)
        throw thrown
      } finally {
        span.ms = performance.now() - began
        keep(span)
      }
    },
    mark(kind, service, name, facts) {
      const scope = currentScope()
      if (scope) keep(make(scope, kind, service, name, facts))
    },
    of: (requestId) => ring.filter((span) => span.request_id === requestId || span.global_request_id === requestId).sort((a, b) => a.start - b.start),
  }
}

const noSpan: OpenSpan = { close: () => {} }

/** A trace that keeps nothing. */
export const noTrace: Trace = { open: () => noSpan, span: (_kind, _service, _name, work) => work(), mark: () => {}, of: () => [] }
