/**
 * How one service speaks: its error body, headers, version rules and the order of its doors. Facts only; the corridor and
 * the list engine read them.
 */
import type { Fault, FaultKind } from '#base/fault.ts'
import type { HttpHeaders, HttpRequest } from '#base/http/message.ts'
import type { VersionRules } from './version.ts'

export interface ErrorReply {
  headers: HttpHeaders
  body: string
}

export interface Dialect {
  /** Module and span name: `nova`. */
  service: string
  /** Catalog type: `compute`. */
  serviceType: string
  versions?: VersionRules
  /** Extra names under which the request id is sent, beside `x-openstack-request-id`. */
  requestIdHeaders?: readonly string[]
  /** How the id is spelled on the wire, where not as in the log. */
  requestIdText?: (requestId: string) => string
  /** Which is judged first, the shape of the body or the right to send it. */
  order: 'validate-first' | 'authorize-first'
  /** Largest JSON body, bytes. */
  maxBody: number
  /** A body must be declared `application/json` (else 415, or 400 when undeclared), and `Accept` must allow it (else 406). */
  strictMedia?: boolean
  /** `…/images/` is not the list but an image without an id: 404. Otherwise a slash at the end is overlooked. */
  slashMatters?: boolean
  /** Status where this service departs from `STATUS_OF`. */
  status?: Partial<Record<FaultKind, number>>
  errorBody(fault: Fault, status: number, requestId: string, request: HttpRequest, version: number): ErrorReply
  /** What a path that names nothing gets, whoever asks; without it a token is asked for first. */
  lost?: (request: HttpRequest) => Fault
  /** Wording of a refused policy; default as oslo.policy. */
  refusal?: (rule: string) => string
  /** Wording of a body that does not fit its schema. */
  schemaError?: (path: string, problem: SchemaProblem) => string
  /** Wording of a query that does not; default as for bodies. */
  queryError?: (path: string, problem: SchemaProblem) => string
  /** Extra headers on every answer. */
  headers?: (version: number) => HttpHeaders
}

export interface SchemaProblem {
  keyword: string
  message: string
  params: Readonly<Record<string, unknown>>
  value: unknown
}

export const STATUS_OF: Readonly<Record<FaultKind, number>> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  not_acceptable: 406,
  conflict: 409,
  gone: 410,
  length_required: 411,
  precondition: 412,
  too_large: 413,
  over_quota: 403,
  unsupported_media: 415,
  range: 416,
  unprocessable: 422,
  internal: 500,
  not_implemented: 501,
  unavailable: 503,
  timeout: 504,
  insufficient_storage: 507,
}

export const TITLES: Readonly<Record<number, string>> = {
  300: 'Multiple Choices',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Request Entity Too Large',
  415: 'Unsupported Media Type',
  416: 'Requested Range Not Satisfiable',
  422: 'Unprocessable Entity',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  507: 'Insufficient Storage',
}

export function statusOf(dialect: Dialect, fault: Fault): number {
  return dialect.status?.[fault.kind] ?? STATUS_OF[fault.kind]
}

export const JSON_HEADERS = { 'content-type': 'application/json' } as const

/** 401 as keystonemiddleware words it for every service that does not word its own. */
export function unauthorizedBody(): string {
  return '{"error": {"code": 401, "title": "Unauthorized", "message": "The request you have made requires authentication."}}'
}
