/** Requests to the cloud's public APIs, on the origin that served this page. Every failure is an `ApiError`. */
import type { Operation, OperationInput } from '#stack/contract.ts'

export class ApiError extends Error {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  /** Tells the whole story: `ondol trace <request_id>`. */
  readonly requestId: string | undefined
  readonly headers: Headers

  constructor(status: number, message: string, headers = new Headers()) {
    super(message)
    this.status = status
    this.headers = headers
    this.requestId = headers.get('x-openstack-request-id') ?? headers.get('x-compute-request-id') ?? headers.get('x-trans-id') ?? undefined
  }
}

export interface Sending {
  token?: string
  /** Goes as JSON. */
  body?: unknown
  /** Goes as it is, in the place of a body; its type is in `headers`. */
  raw?: string
  headers?: Readonly<Record<string, string>>
  signal?: AbortSignal
  /** Is sent to its end even when the page goes away. */
  keepalive?: boolean
}

export async function send(method: string, path: string, { token, body, raw, headers, signal, keepalive }: Sending = {}): Promise<Response> {
  const response = await fetch(path, {
    method,
    headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...(token ? { 'x-auth-token': token } : {}), ...headers },
    ...(raw !== undefined ? { body: raw } : body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
    ...(keepalive ? { keepalive } : {}),
    // A token is the only authority: cookies of other programs on this host go nowhere.
    credentials: 'omit',
    redirect: 'error',
    // Objects say when they were modified, and a browser takes that for leave to show them for a while as they were.
    cache: 'no-store',
  }).catch((thrown: unknown) => {
    if (signal?.aborted) throw thrown
    throw new ApiError(0, thrown instanceof Error ? thrown.message : String(thrown))
  })
  if (response.ok) return response
  throw new ApiError(response.status, messageIn(await response.text().catch(() => '')) ?? response.statusText, response.headers)
}

/** What the text of an answer says that is no success: JSON of a service, or Swift's small pages and plain lines. */
export function messageIn(text: string): string | undefined {
  try {
    return messageOf(JSON.parse(text))
  } catch {
    const words = (/<p>([\s\S]*)<\/p>/.exec(text)?.[1] ?? text).replaceAll(/<[^>]*>/g, ' ').trim().slice(0, 1000)
    const signs: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', '#x27': "'", amp: '&' }
    return words === '' ? undefined : words.replaceAll(/&(lt|gt|quot|#x27|amp);/g, (_, name: string) => signs[name]!)
  }
}

/** Calls an operation of a house's contract; `mount` is where the front door has the house. */
export async function call<In extends OperationInput, Out>(mount: string, operation: Operation<In, Out>, input: In, sending: Omit<Sending, 'body'>): Promise<Out> {
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(input.params?.[name] ?? ''))
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(input.query ?? {})) for (const one of [value].flat()) if (one !== undefined) query.append(name, String(one))
  const headers = operation.version === undefined ? {} : { 'openstack-api-version': operation.version }
  const response = await send(operation.method, `${mount}${path}${query.size > 0 ? `?${query}` : ''}`, { ...sending, headers, body: input.body })
  const text = await response.text()
  return (text === '' ? undefined : JSON.parse(text)) as Out
}

/** Each service wraps its message otherwise: `{error: {message}}`, `{itemNotFound: {message}}`, `{errors: [{detail}]}` … */
export function messageOf(said: unknown): string | undefined {
  if (typeof said !== 'object' || said === null) return undefined
  const { message, detail, faultstring } = said as Record<string, unknown>
  for (const text of [message, detail, faultstring]) if (typeof text === 'string') return text
  for (const inner of Object.values(said)) {
    const text = messageOf(inner)
    if (text !== undefined) return text
  }
  return undefined
}
