/** One operation of a service, and what its handler is given. */
import type { HttpBody, HttpHeaders, HttpRequest } from '#base/http/message.ts'
import type { Context } from './context.ts'
import type { Schema } from './schema.ts'
import type { ApiVersion, Versioned } from './version.ts'

/** What a handler answers; `json` is serialized by the corridor. */
export interface Reply {
  /** Default: the route's `status`. */
  status?: number
  headers?: HttpHeaders
  json?: unknown
  body?: HttpBody
}

/** A request on its way through a handler. */
export interface Rq<Body = unknown> {
  readonly context: Context
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** The parsed body, checked against the route's schema; of an action, what stands under its key. */
  readonly body: Body
  readonly version: ApiVersion
  readonly http: HttpRequest
  /** Where this service stands as the client sees it, for links: `http://host:5000/compute`. */
  readonly base: string
  /** Throws `forbidden` unless the rule holds for the target; the default target is the caller's own project and user. */
  authorize(rule: string, target?: PolicyTarget): void
  allows(rule: string, target?: PolicyTarget): boolean
}

export type PolicyTarget = Readonly<Record<string, unknown>>

export type Handler = (rq: Rq<never>) => Promise<Reply> | Reply

export interface Route {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'COPY' | 'OPTIONS'
  /** Template below the service's mount: `/v2.1/servers/{server_id}`. */
  path: string
  /** For `POST …/action`: the one key of the body. */
  action?: string
  /** Span and log name: `servers.create`. */
  name: string
  /** `token` (default) needs a valid one; `optional` takes one; `public` looks at none. */
  access?: 'token' | 'optional' | 'public'
  /** A rule judged by the corridor before the handler runs, with the caller's own project and user as the target. */
  policy?: string
  since?: ApiVersion
  /** Last version that has it. */
  until?: ApiVersion
  /** Schema of the JSON body (of an action: of the whole body). Without one, a JSON body is parsed if there is one. */
  body?: Schema | Versioned<Schema>
  /** `raw`: the handler reads `rq.http.body` itself. `none`: a body is ignored. Default `json`. */
  bodyKind?: 'json' | 'raw' | 'none'
  /** Schema of the query as an object of arrays of strings. */
  query?: Schema | Versioned<Schema>
  status: number | Versioned<number>
  handle: Handler
}

/** Keeps the body's type between schema and handler: `route<ServerCreate>({ … handle: (rq) => rq.body.server })`. */
export function route<Body = unknown>(definition: Omit<Route, 'handle'> & { handle: (rq: Rq<Body>) => Promise<Reply> | Reply }): Route {
  return definition as unknown as Route
}
