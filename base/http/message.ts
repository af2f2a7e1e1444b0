/**
 * A request and an answer as plain values. The same handler serves a socket (`server.ts`) and a caller in the same process
 * (`client.ts`), without knowing which.
 */
import type { Readable } from 'node:stream'

export type HttpBody = string | Uint8Array | Readable | undefined
/** Lower-case names. Several values of one name are an array. */
export type HttpHeaders = Record<string, string | string[]>

export interface HttpRequest {
  method: string
  /** As sent: still percent-encoded, without the query. */
  path: string
  /** As sent, without `?`. */
  query: string
  /** Lower-case names; repeated ones joined with `, `. */
  headers: Record<string, string>
  body: HttpBody
  /** Scheme, host and port as the client wrote them, for links: `http://127.0.0.1:5000`. */
  origin: string
  /** Address of the peer; `local` for a caller in this process. */
  remote: string
  /** Aborts when the client has gone. */
  signal?: AbortSignal
  /** Sends `100 Continue` if the client waits for it. */
  sendContinue?: () => void
  /** DER of the certificate by which the client has shown itself to a TLS front that is believed. Never from a header that a client can send. */
  certificate?: Uint8Array
  /** The part of the path that a front door has taken off, for links: `/compute`. */
  mount?: string
  /** The path that the client wrote, where the name of the host said the beginning of `path`. */
  shownPath?: string
}

export interface HttpResponse {
  status: number
  headers: HttpHeaders
  body?: HttpBody
}

export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>

/** Reads a whole body, or undefined when it has more than `limit` bytes (the rest is thrown away). */
export async function readBody(body: HttpBody, limit: number): Promise<Buffer | undefined> {
  if (body === undefined) return Buffer.alloc(0)
  if (typeof body === 'string') return body.length > limit ? undefined : Buffer.from(body)
  if (body instanceof Uint8Array) return body.length > limit ? undefined : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    const part = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer)
    size += part.length
    if (size <= limit) chunks.push(part)
  }
  if (size > limit) return undefined
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)
}

/**
 * The pieces of a body that came over a socket, each good until the next is asked for: then its memory is given back at once. Left to the
 * collection of garbage, the pieces of one large upload make it look through the whole heap again and again.
 */
export async function* passing(body: Readable): AsyncGenerator<Uint8Array> {
  for await (const chunk of body as AsyncIterable<Buffer>) {
    yield chunk
    // Small pieces share their memory with others.
    if (chunk.length >= 16_384 && chunk.length === chunk.buffer.byteLength) (chunk.buffer as ArrayBuffer).transfer(0)
  }
}

export function isStream(body: HttpBody): body is Readable {
  return typeof body === 'object' && !(body instanceof Uint8Array) && body !== null
}

/** Splits `path?query` as it stands on a request line. */
export function splitTarget(target: string): { path: string; query: string } {
  // The whole address instead of its path is allowed as well.
  const path = target.startsWith('http') ? /^https?:\/\/[^/?]*(.*)$/.exec(target)?.[1] : undefined
  if (path !== undefined) return splitTarget(path.startsWith('/') ? path : `/${path}`)
  const mark = target.indexOf('?')
  return mark < 0 ? { path: target, query: '' } : { path: target.slice(0, mark), query: target.slice(mark + 1) }
}

export function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}
