/** Swift: its addresses and headers. Names of containers and objects are any text; what is in them is no path and no markup. */
import { queryOptions } from '@tanstack/react-query'
import { session } from '../session.ts'
import { ApiError, send, type Sending } from './client.ts'

/** Of `/info`, what the dashboard asks for. */
export interface StoreInfo {
  swift: { policies: { name: string; default?: boolean }[]; max_file_size: number; max_container_name_length: number; max_object_name_length: number }
  slo?: { max_manifest_segments: number }
}

export const infoQuery = queryOptions({
  queryKey: ['store-info'],
  queryFn: async ({ signal }): Promise<StoreInfo> => (await send('GET', '/info', { signal })).json() as Promise<StoreInfo>,
  staleTime: 300_000,
})

/**
 * The address of an account, a container or an object, below the origin. A browser takes `.` and `..` out of addresses, so the slashes of a
 * name that has such a part are escaped. Throws an ApiError for the two names that no address of a browser can hold.
 */
export function pathOf(projectId: string, container?: string, object?: string): string {
  const account = `/v1/AUTH_${encodeURIComponent(projectId)}`
  if (container === undefined) return account
  if (isDots(container) || (object !== undefined && isDots(object))) throw new ApiError(400, 'A browser cannot ask for the names “.” and “..”.')
  const below = `${account}/${escaped(container)}`
  return object === undefined ? below : `${below}/${object.split('/').some(isDots) ? escaped(object) : quoted(object)}`
}

const isDots = (part: string): boolean => part === '.' || part === '..'

/** Also what stands in brackets and quotes, as signatures and other clients write it. */
const escaped = (text: string): string => encodeURIComponent(text.toWellFormed()).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)

/** As Swift wants names in headers and lists: escaped, slashes stay. */
export const quoted = (name: string): string => name.split('/').map(escaped).join('/')

export interface Asking extends Omit<Sending, 'token' | 'body'> {
  container?: string
  object?: string
  query?: Readonly<Record<string, string | number | undefined>>
}

/** Throws ApiError for what is no success. */
export async function ask(projectId: string, method: string, { container, object, query = {}, ...sending }: Asking = {}): Promise<Response> {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value))
  return send(method, `${pathOf(projectId, container, object)}${search.size > 0 ? `?${search}` : ''}`, { ...sending, token: await session.tokenFor(projectId) })
}

/** Text as a header carries it: its bytes in UTF-8, each as one character. */
export function toHeader(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text))
}

/** And back. What is no UTF-8 stays as it came. */
export function fromHeader(value: string): string {
  const codes = Array.from(value, (sign) => sign.charCodeAt(0))
  if (codes.some((code) => code > 255)) return value
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(codes))
  } catch {
    return value
  }
}

/** The headers that begin with `prefix`, by the rest of their names. */
export function metadataIn(headers: Headers, prefix: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, value] of headers) if (name.startsWith(prefix)) found[name.slice(prefix.length)] = fromHeader(value)
  return found
}

/** All that is known of a project's objects is kept below this key. */
export const storeKey = (projectId: string) => ['project', projectId, 'objects'] as const
