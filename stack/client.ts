/**
 * Calls another house's contract over REST (law 9). The handler behind a name is either the house's real door in this process or
 * a remote one; callers cannot tell. The request id goes along as the global one, so one story has one id.
 */
import { Fault, type FaultKind } from '#base/fault.ts'
import { type HttpBody, type HttpHandler, type HttpResponse, headerText, readBody } from '#base/http/message.ts'
import { currentScope } from '#base/scope.ts'
import type { Secret } from '#base/secret.ts'
import type { World } from '#base/world.ts'
import type { Operation, OperationInput } from './contract.ts'
import { STATUS_OF } from './dialect.ts'

/** In whose name a call is made. */
export interface Caller {
  /** The user's token, or the service's own. */
  token: Secret
  /** The calling service's token when the first is a user's. */
  serviceToken?: Secret
}

/** Services by name (`keystone`, `nova` …): the door of each, and the path under which its contract's paths begin. */
export type Doors = (service: string) => HttpHandler

export interface Client {
  call<In extends OperationInput, Out>(caller: Caller, service: string, operation: Operation<In, Out>, input: In): Promise<Out>
  /** The bare answer, for bodies that are not JSON. */
  send(caller: Caller, service: string, request: { method: string; path: string; query?: string; headers?: Record<string, string>; body?: HttpBody }): Promise<HttpResponse>
}

const MAX_ANSWER = 256 * 2 ** 20

const KIND_OF = new Map<number, FaultKind>(Object.entries(STATUS_OF).filter(([kind]) => kind !== 'over_quota').map(([kind, status]) => [status, kind as FaultKind]))

export function client(doors: Doors, world: World, service: string): Client {
  const send: Client['send'] = (caller, target, request) => {
    const scope = currentScope()
    const headers: Record<string, string> = { ...request.headers, 'x-auth-token': caller.token.reveal(), 'user-agent': `ondol-${service}` }
    if (caller.serviceToken) headers['x-service-token'] = caller.serviceToken.reveal()
    const id = scope?.global_request_id ?? scope?.request_id
    if (id) headers['x-openstack-request-id'] = id
    return doors(target)({
      method: request.method,
      path: request.path,
      query: request.query ?? '',
      headers,
      body: request.body,
      origin: 'http://localhost',
      remote: 'local',
    })
  }
  return {
    send,
    async call<In extends OperationInput, Out>(caller: Caller, target: string, operation: Operation<In, Out>, input: In): Promise<Out> {
      const name = `${operation.method} ${operation.path}`
      return world.trace.span('call', service, `${target} ${name}`, async () => {
        const headers: Record<string, string> = {}
        if (operation.version) headers['openstack-api-version'] = operation.version
        if (input.body !== undefined) headers['content-type'] = 'application/json'
        const response = await send(caller, target, {
          method: operation.method,
          path: fill(operation.path, input.params ?? {}),
          query: queryText(input.query),
          headers,
          body: input.body === undefined ? undefined : JSON.stringify(input.body),
        })
        const bytes = typeof response.body === 'string' ? response.body : (await readBody(response.body, MAX_ANSWER))?.toString()
        if (bytes === undefined) throw new Fault('internal', `The answer of ${target} is too large`)
        if (response.status >= 400) throw remoteFault(target, name, response, bytes)
        return (bytes === '' || !/json/.test(headerText(response.headers['content-type']) ?? '') ? undefined : JSON.parse(bytes)) as Out
      })
    },
  }
}

function fill(template: string, params: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(params[key] ?? ''))
}

function queryText(query: OperationInput['query']): string {
  if (!query) return ''
  const out = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined) continue
    if (Array.isArray(value)) for (const one of value) out.append(key, one)
    else out.append(key, String(value))
  }
  return out.toString()
}

/** The other house's error as a Fault of ours: its kind by status, its message as it stands. */
function remoteFault(service: string, name: string, response: HttpResponse, text: string): Fault {
  const kind: FaultKind = response.status === 413 ? 'over_quota' : (KIND_OF.get(response.status) ?? (response.status >= 500 ? 'internal' : 'invalid'))
  const { message, code } = messageIn(text)
  return new Fault(kind, message ?? `${service} answered ${response.status}`, {
    ...(code === undefined ? {} : { code }),
    detail: `${name} at ${service} answered ${response.status}`,
    data: { service, status: response.status, body: text.slice(0, 4000) },
  })
}

function messageIn(text: string): { message?: string; code?: string } {
  let found: { message?: string; code?: string } = {}
  const look = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    const record = value as Record<string, unknown>
    const message = record.message ?? record.detail
    if (typeof message === 'string' && message !== '') {
      const code = record.type ?? (typeof record.code === 'string' ? record.code : undefined)
      found = { message, ...(typeof code === 'string' ? { code } : {}) }
      return
    }
    for (const inner of Object.values(record)) if (found.message === undefined) look(inner)
  }
  try {
    look(JSON.parse(text))
  } catch {
    const title = /<h1>[^<]*<\/h1>\s*([\s\S]*?)<br/.exec(text)?.[1]?.trim()
    if (title) found = { message: title }
  }
  return found
}
