/**
 * A request on its way through Swift's features, and an answer on its way back. Every feature is a `Layer`: it may answer by itself, change
 * what goes on, change what comes back, or ask further requests of its own. The order of the layers is one literal list (layers.ts).
 */
import { Readable } from 'node:stream'
import { asFault, Fault } from '#base/fault.ts'
import { type HttpBody, readBody } from '#base/http/message.ts'
import { statusOf, TITLES } from '#stack/dialect.ts'
import type { Limits } from '../core/limits.ts'
import { escape } from '../core/markup.ts'
import { type Names, pathOf } from '../core/names.ts'
import type { Swift } from '../house.ts'
import type { AccountRow, ContainerRow, ObjectRow } from '../store/tables.ts'
import { accountOf, containerOf } from '../store/accounts.ts'
import type { Quota } from '../store/quotas.ts'
import { dialect } from './dialect.ts'

export interface Who {
  user_id?: string | undefined
  user_name?: string | undefined
  project_id?: string | undefined
  project_name?: string | undefined
  /** Domain of that project. */
  project_domain_id?: string | undefined
  /** User and project are of the default domain, where their names are nobody else's. */
  byName: boolean
  roles: readonly string[]
  /** Groups of tempauth; absent for Keystone's users. */
  groups?: readonly string[]
}

export type Right = 'read' | 'write' | 'own'

export interface Ask {
  method: string
  /** As sent, from `/v1` on. */
  path: string
  /** The path that the client sees, where the host name stands for the beginning of `path`. */
  shownPath?: string | undefined
  /** Signed by a temporary URL with this prefix; `query` carries it on to links of a listing. */
  temporary?: { prefix: string; query: string }
  names: Names
  query: URLSearchParams
  /** A copy of its own: layers add to it. */
  headers: Record<string, string>
  body: HttpBody
  who: Who
  /** Scheme, host and mount, for links. */
  base: string
  mount: string
  remote: string
  trans_id: string
  signal?: AbortSignal | undefined
  sendContinue?: (() => void) | undefined
  /** Who holds a signature, or a feature that acts by itself, is allowed this without asking an ACL. */
  granted?: ((names: Names, right: Right) => boolean) | undefined
  /** Metadata of an upload that is known once its bytes have come; `secret_id` is what its row will say. */
  late?: ((secret_id: string | null) => Record<string, string>) | undefined
  /** The key that hides the bytes of this object, if any: the S3 door's, which judges what fits. Elsewhere such objects are not read. */
  customer?: { key: Buffer | undefined } | undefined
  /** What an upload must keep to, and the container in which what stood there is kept: judged and done in the commit of its row. */
  quota?: Quota
  archive?: { container_id: string; name: string; to: string }
  /** The storage policy in whose place the bytes of an upload lie, when it is not the container's. */
  policy?: string | undefined
  /** Other limits of metadata than Swift's. */
  limits?: Limits
  /** The client says itself that this is a large object, which only the manifest does. */
  claimsLarge?: boolean
  /** What no client may say, and another cloud may that signs its requests. */
  sent?: { timestamp: string | undefined; slo: boolean }
  /** Another cloud sends this, where it was made at this instant (milliseconds). */
  received?: number
  /** What this request has read of accounts and containers. */
  seen: Map<string, Promise<unknown>>
  /** Name of the feature on whose behalf this is asked, e.g. `SLO`. */
  source?: string
}

export interface Content {
  size: number
  /** Without quotes. */
  etag: string
  /** Milliseconds. */
  modified: number
  /** Several ranges at once get the whole. */
  oneRange?: boolean
  open(start: number, end: number): Promise<Readable>
}

export interface Answer {
  status: number
  headers: Record<string, string | string[]>
  body?: HttpBody
  /** What a GET or HEAD is about: conditions and ranges are judged at the very end, and nothing is opened before. */
  content?: Content
  row?: ObjectRow
}

export type Serve = (ask: Ask) => Promise<Answer>
/** `inner` is what lies behind this layer, `whole` the entry of all layers that act on requests of users. */
export type Layer = (house: Swift, inner: Serve, whole: Serve) => Serve

export const HTML = { 'content-type': 'text/html; charset=UTF-8' }
export const TEXT = { 'content-type': 'text/plain; charset=utf-8' }

const ACCEPTED = '<html><h1>Accepted</h1><p>The request is accepted for processing.</p></html>'

export const done = (status: number, headers: Record<string, string> = {}): Answer => ({ status, headers: { ...HTML, ...headers, ...(status === 204 ? { 'content-length': '0' } : {}) }, ...(status === 202 ? { body: ACCEPTED } : {}) })
export const plain = (status: number, text: string, headers: Record<string, string> = {}): Answer => ({ status, headers: { ...TEXT, ...headers }, body: text })

/** An error page as Swift's: title and text, or `text` alone. */
export function page(status: number, text: string, headers: Record<string, string> = {}): Answer {
  return { status, headers: { ...HTML, ...headers }, body: `<html><h1>${TITLES[status] ?? 'Error'}</h1><p>${escape(text)}</p></html>` }
}

export const lost = (): Answer => page(404, 'The resource could not be found.')

/** What is thrown becomes an answer. */
export async function attempt(serve: Serve, ask: Ask): Promise<Answer> {
  try {
    return await serve(ask)
  } catch (thrown) {
    if (!(thrown instanceof Fault) || thrown.kind === 'internal') throw thrown
    return answerOf(thrown, ask)
  }
}

export function answerOf(thrown: unknown, ask: Ask): Answer {
  const fault = asFault(thrown)
  const status = statusOf(dialect, fault)
  const { headers, body } = dialect.errorBody(fault, status, ask.trans_id, { path: ask.path, origin: ask.base.slice(0, ask.base.length - ask.mount.length) } as never, 0)
  if (typeof fault.data.allow === 'string') headers.allow = fault.data.allow
  if (typeof fault.data.retry_after === 'number') headers['retry-after'] = String(fault.data.retry_after)
  return { status, headers, body }
}

/** A request that a feature makes: the same user, other names, and only the headers it gives. */
export function sub(ask: Ask, method: string, names: Names, options: { headers?: Record<string, string>; query?: string; body?: HttpBody; granted?: Ask['granted']; source?: string } = {}): Ask {
  return {
    ...ask, method, names, path: pathOf(names), query: new URLSearchParams(options.query ?? ''), headers: { ...(ask.headers.referer === undefined ? {} : { referer: ask.headers.referer }), ...options.headers }, body: options.body, sendContinue: undefined,
    granted: options.granted ?? ask.granted, ...(options.source === undefined ? {} : { source: options.source }),
  }
}

export const ok = (status: number): boolean => status >= 200 && status < 300

/** Throws away what an answer would have sent. */
export function drop(answer: Answer): void {
  if (answer.body instanceof Readable) answer.body.destroy()
}

/** The whole content of an answer as a stream; `undefined` when it is an error. */
export async function streamOf(answer: Answer): Promise<Readable> {
  if (answer.content) return answer.content.size === 0 ? Readable.from([]) : answer.content.open(0, answer.content.size - 1)
  if (answer.body instanceof Readable) return answer.body
  return answer.body === undefined ? Readable.from([]) : Readable.from([Buffer.from(answer.body as string)])
}

/** A small body whole: 413 when it is not. */
export async function small(ask: Ask, limit: number): Promise<Buffer> {
  if (Number(ask.headers['content-length'] ?? 0) > limit) throw new Fault('too_large', 'Your request is too large.')
  ask.sendContinue?.()
  const bytes = await readBody(ask.body, limit)
  if (!bytes) throw new Fault('too_large', 'Your request is too large.')
  return bytes
}

export function accountSeen(house: Swift, ask: Ask, account: string): Promise<AccountRow | undefined> {
  // Nothing has such a name, and not every database takes one in a question.
  return once(ask, `a/${account}`, async () => (account.includes('\0') ? undefined : accountOf(house.db, account)))
}

export function containerSeen(house: Swift, ask: Ask, names: Names): Promise<ContainerRow | undefined> {
  return once(ask, `c/${names.account}/${names.container}`, async () => ((names.account + names.container).includes('\0') ? undefined : containerOf(house.db, names.account, names.container)))
}

export function forget(ask: Ask): void {
  ask.seen.clear()
}

function once<T>(ask: Ask, key: string, read: () => Promise<T>): Promise<T> {
  const known = ask.seen.get(key) as Promise<T> | undefined
  if (known) return known
  const reading = read()
  ask.seen.set(key, reading)
  return reading
}

export const metadataOf = (row: { metadata: string } | undefined): Record<string, string> => (row ? (JSON.parse(row.metadata) as Record<string, string>) : {})
export const timestamp = (ms: number): string => (Number(ms) / 1000).toFixed(5)
export const httpDate = (ms: number): string => new Date(Math.ceil(Number(ms) / 1000) * 1000).toUTCString()

const DAY_MS = 86_400_000
let day = Number.NaN
let dayText = ''
const digits = (value: number, width: number): string => String(value).padStart(width, '0')

/** `2026-01-31T12:00:00.123000`. Lists have thousands of them, mostly of the same days: a `Date` for each would be half of what a list costs. */
export function isoMicros(ms: number): string {
  const at = Number(ms)
  const then = Math.floor(at / DAY_MS)
  if (then !== day) {
    dayText = new Date(then * DAY_MS).toISOString().slice(0, 11)
    day = then
  }
  const within = Math.floor(at - then * DAY_MS)
  const seconds = Math.floor(within / 1000)
  const minutes = Math.floor(seconds / 60)
  return `${dayText}${digits(Math.floor(minutes / 60), 2)}:${digits(minutes % 60, 2)}:${digits(seconds % 60, 2)}.${digits(within % 1000, 3)}000`
}
