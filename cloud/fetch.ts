/** A `fetch` that goes straight into a handler. */
import { Readable } from 'node:stream'
import { type HttpHandler, isStream } from '#base/http/message.ts'

export function fetchOf(handler: HttpHandler, origin: string): (target: string | URL | Request, init?: RequestInit) => Promise<Response> {
  return async (target, init) => {
    const request = target instanceof Request ? new Request(target, init) : new Request(new URL(target, origin), { ...init, ...(init?.body ? { duplex: 'half' } : {}) } as RequestInit)
    const url = new URL(request.url)
    const response = await handler({
      method: request.method,
      path: url.pathname,
      query: url.search.slice(1),
      headers: { host: url.host, ...Object.fromEntries(request.headers) },
      body: request.body ? Readable.fromWeb(request.body as Parameters<typeof Readable.fromWeb>[0]) : undefined,
      origin: url.origin,
      remote: 'local',
      signal: request.signal,
    })
    const headers = new Headers()
    for (const [name, value] of Object.entries(response.headers)) for (const one of [value].flat()) headers.append(name, one)
    const empty = request.method === 'HEAD' || [101, 204, 205, 304].includes(response.status)
    const body = isStream(response.body) ? Readable.toWeb(response.body) : response.body
    return new Response(empty ? null : ((body ?? null) as ConstructorParameters<typeof Response>[0]), { status: response.status, headers })
  }
}
