/** The few requests that the driver makes of an S3 store, signed with version 4, over the client of `base/http`. */
import { createHash, createHmac } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Clock } from '#base/clock.ts'
import { Fault, unavailable } from '#base/fault.ts'
import { remoteHandler } from '#base/http/client.ts'
import { type HttpResponse, isStream, readBody } from '#base/http/message.ts'
import { percent, signingKey } from '../../core/s3/signature.ts'

export interface S3Options { url: string; bucket: string; region: string; access_key: string; secret_key: string; storage_class?: string; placement?: string; /** Milliseconds without a byte before the store counts as away. Default 30,000. */ timeout?: number }

export interface S3Answer { status: number; headers: Record<string, string>; body: Buffer }

export interface S3Requests {
  /** Throws `unavailable` when there is no answer or one of 5xx; answers of 4xx come back. */
  ask(method: string, key: string, query?: Record<string, string>, body?: readonly Buffer[], headers?: Record<string, string>): Promise<S3Answer>
  stream(key: string, start: number, end: number): Promise<{ status: number; body: Readable | undefined; size: number }>
  close(): void
}

const RETRY_AFTER = 5

export function s3Requests(options: S3Options, clock: Clock): S3Requests {
  const url = new URL(options.url)
  const send = remoteHandler(url.origin, { timeout: options.timeout ?? 30_000 })
  const host = url.host
  const away = (cause: unknown): Fault => unavailable('The store of the bytes does not answer.', { cause, data: { retry_after: RETRY_AFTER } })
  const raw = async (method: string, key: string, query: Record<string, string>, body: readonly Buffer[] | undefined, extra: Record<string, string>): Promise<HttpResponse> => {
    const path = `${url.pathname.replace(/\/$/, '')}/${[options.bucket, ...key.split('/')].filter((one) => one !== '').map(percent).join('/')}`
    const stamp = new Date(clock.now()).toISOString().replaceAll(/[-:]|\.\d+/g, '')
    const text = Object.entries(query).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${percent(name)}=${percent(value)}`).join('&')
    const headers: Record<string, string> = { host, 'x-amz-date': stamp, 'x-amz-content-sha256': body === undefined ? EMPTY : 'UNSIGNED-PAYLOAD', ...(body === undefined ? {} : { ...(extra['content-md5'] === undefined ? { 'content-md5': md5Of(body).toString('base64') } : {}), 'content-length': String(body.reduce((sum, one) => sum + one.length, 0)) }), ...extra }
    const names = Object.keys(headers).sort()
    const canonical = `${method}\n${path}\n${text}\n${names.map((name) => `${name}:${headers[name]}\n`).join('')}\n${names.join(';')}\n${headers['x-amz-content-sha256']}`
    const scope = { date: stamp.slice(0, 8), region: options.region, service: 's3' }
    const scopeText = `${scope.date}/${scope.region}/s3/aws4_request`
    const signature = createHmac('sha256', signingKey(options.secret_key, scope)).update(`AWS4-HMAC-SHA256\n${stamp}\n${scopeText}\n${createHash('sha256').update(canonical).digest('hex')}`).digest('hex')
    headers.authorization = `AWS4-HMAC-SHA256 Credential=${options.access_key}/${scopeText}, SignedHeaders=${names.join(';')}, Signature=${signature}`
    try {
      return await send({ method, path, query: text, headers, body: body === undefined ? (method === 'PUT' || method === 'POST' ? Buffer.alloc(0) : undefined) : body.length <= 1 ? (body[0] ?? Buffer.alloc(0)) : Readable.from(body, { objectMode: false }), origin: url.origin, remote: 'local' })
    } catch (thrown) {
      throw away(thrown)
    }
  }
  return {
    async ask(method, key, query = {}, body, headers = {}) {
      // What was buffered may be sent again; a second time is as good as the first.
      for (let attempt = 1; ; attempt++) {
        try {
          const answer = await raw(method, key, query, body, headers)
          const bytes = (await readBody(answer.body, 64 << 20).catch((thrown: unknown) => Promise.reject(away(thrown)))) ?? Buffer.alloc(0)
          if (answer.status >= 500) throw away(new Error(`answered ${answer.status}: ${bytes.toString().slice(0, 200)}`))
          if (answer.status === 403) throw away(new Error(`refused: ${bytes.toString().slice(0, 200)}`))
          return { status: answer.status, headers: answer.headers as Record<string, string>, body: bytes }
        } catch (thrown) {
          if (attempt >= 3 || !(thrown instanceof Fault)) throw thrown
          await clock.sleep(100 * attempt)
        }
      }
    },
    async stream(key, start, end) {
      const answer = await raw('GET', key, {}, undefined, { range: `bytes=${start}-${end}` })
      if (answer.status >= 500) throw away(new Error(`answered ${answer.status}`))
      return { status: answer.status, body: isStream(answer.body) ? answer.body : undefined, size: Number(answer.headers['content-length'] ?? Number.NaN) }
    },
    close: () => send.close(),
  }
}

export function md5Of(pieces: readonly Buffer[]): Buffer {
  const hash = createHash('md5')
  for (const one of pieces) hash.update(one)
  return hash.digest()
}

const EMPTY = createHash('sha256').update('').digest('hex')
