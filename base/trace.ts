/**
 * Spans: what was done for a request, where, and how long it took. They are kept in a bounded ring in memory and handed to an
 * optional sink that keeps them on disk for `ondol trace`. A span is plain data; nothing secret belongs in `facts`.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from './clock.ts'
import { currentScope, narrowScope } from './scope.ts'
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

export interface Trace {
  /** Times `work` as a span below the current one. Outside a request it only runs `work`. */
  span<T>(kind: string, service: string, name: string, work: () => Promise<T>, facts?: Span['facts']): Promise<T>
  /** A moment without length: a state change. */
  mark(kind: string, service: string, name: string, facts?: Span['facts']): void
  /** The spans of a request (by its own or its global id) still in memory, oldest first. */
  of(requestId: string): Span[]
}

export function createTrace(clock: Clock, options: { capacity?: number; sink?: TraceSink; host?: string } = {}): Trace {
  const capacity = options.capacity ?? 20_000
  const ring: Span[] = []
  let next = 0
  // Spans of several processes meet in one trace: their ids must differ.
  const prefix = randomBytes(4).toString('hex')
  let serial = 0
  const keep = (span: Span): void => {
    if (ring.length < capacity) ring.push(span)
    else {
      ring[next] = span
      next = (next + 1) % capacity
    }
    options.sink?.write(span)
  }
  const make = (kind: string, service: string, name: string, facts: Span['facts']): Span | undefined => {
    const scope = currentScope()
    if (!scope) return undefined
    return {
      id: `${prefix}${(++serial).toString(36)}`,
      ...(scope.span === undefined ? {} : { parent: scope.span }),
      request_id: scope.request_id,
      ...(scope.global_request_id === undefined ? {} : { global_request_id: scope.global_request_id }),
      kind,
      service,
      name,
      ...(options.host === undefined ? {} : { host: options.host }),
      start: clock.now(),
      ms: 0,
      ...(facts === undefined ? {} : { facts }),
    }
  }
  return {
    async span(kind, service, name, work, facts) {
      const span = make(kind, service, name, facts)
      if (!span) return work()
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
      const span = make(kind, service, name, facts)
      if (span) keep(span)
    },
    of: (requestId) => ring.filter((span) => span.request_id === requestId || span.global_request_id === requestId).sort((a, b) => a.start - b.start),
  }
}

/** A trace that keeps nothing. */
export const noTrace: Trace = { span: (_kind, _service, _name, work) => work(), mark: () => {}, of: () => [] }
