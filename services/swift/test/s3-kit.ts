/** The S3 door alone, with access keys of two projects and a clock of the test's choice; requests are signed as a client would. */
import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { VirtualClock } from '#base/clock.ts'
import { withDefaults } from '#base/config.ts'
import type { HttpHandler } from '#base/http/message.ts'
import { type Answer, houseKit, personaFacts, type RequestOptions } from '#stack/test/house-kit.ts'
import { checksum } from '../core/s3/checksums.ts'
import { percent, signingKey } from '../core/s3/signature.ts'
import { type SwiftConfig, swiftConfig } from '../config.ts'
import type { Swift } from '../house.ts'
import { controlProcess } from '../processes/control.ts'

export interface S3Options {
  /** A key of `kit.keys`, or nobody. Default `a`. */
  by?: 'a' | 'b' | 'reader' | 'limited' | 'disabled' | 'unknown' | 'nobody'
  body?: string | Buffer
  headers?: Record<string, string>
  /** Instead of the digest of the body. */
  sha256?: string
  /** Signs this request and sends that one. */
  instead?: { method?: string; target?: string; headers?: Record<string, string> }
  /** The region that the signature names. */
  region?: string
  /** The instant that the signature names. */
  at?: number
  host?: string
  remote?: string
  origin?: string
}

export interface S3Kit {
  house: Swift
  clock: VirtualClock
  s3(method: string, target: string, options?: S3Options): Promise<Answer>
  /** A link, signed for one method. */
  link(method: string, target: string, options?: { by?: 'a' | 'b'; expires?: number; signed?: Record<string, string> }): string
  visit(method: string, target: string, options?: RequestOptions): Promise<Answer>
  /** At Swift's door. */
  swift(method: string, target: string, options?: RequestOptions): Promise<Answer>
  start(): Promise<void>
  close(): Promise<void>
}

const WHO = { a: 'member@project-a', b: 'member@project-b', reader: 'reader@project-a', limited: 'bystander@project-a', disabled: 'member@project-a', unknown: 'member@project-a' } as const
const secretOf = (by: keyof typeof WHO): string => `secret-of-${by}`
const accessOf = (by: keyof typeof WHO): string => `access-${by}`

/** Keystone, as far as the S3 door asks it. */
export const keystone: HttpHandler = async ({ method, path, body }) => {
  const project = /\/v3\/projects\/([\w-]+)$/.exec(path)?.[1]
  const json = (status: number, value: unknown) => ({ status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) })
  if (project !== undefined) return ['project-a', 'project-b'].includes(project) ? json(200, { project: { id: project, name: project, domain_id: 'default' } }) : json(404, { error: { message: 'no such project', code: 404 } })
  const found = (Object.keys(WHO) as (keyof typeof WHO)[]).find((by) => (method === 'GET' ? path.endsWith(createHash('sha256').update(accessOf(by)).digest('hex')) : String(body).includes(`"${accessOf(by)}"`)))
  if (!found || found === 'unknown') return json(404, { error: { message: 'no such credential', code: 404 } })
  if (method === 'GET') return json(200, { credential: { id: 'x', type: 'ec2', blob: JSON.stringify({ access: accessOf(found), secret: secretOf(found) }), user_id: found, project_id: null } })
  if (found === 'disabled') return json(401, { error: { message: 'The request you have made requires authentication.', code: 401 } })
  const { user_id, user_name, project_id, project_name, roles } = personaFacts(WHO[found])
  return json(200, { token: { user: { id: user_id, name: user_name, domain: { id: 'default' } }, project: { id: project_id, name: project_name, domain: { id: 'default' } }, roles: roles.map((name) => ({ id: name, name })) } })
}

export async function s3Kit(config: Record<string, unknown> = {}): Promise<S3Kit> {
  const clock = new VirtualClock(Date.parse('2026-01-01T12:00:00Z'))
  const kit = await houseKit<SwiftConfig>({ config: withDefaults(swiftConfig, { driver: 'memory', ...config }) as SwiftConfig, policies: [], clock, houses: { keystone } })
  const process = controlProcess(kit.parts)
  await kit.migrate(process.plate)
  const lower = (answer: Answer): Answer => ({ ...answer, headers: Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), value])) })
  const visit = async (method: string, target: string, options?: RequestOptions): Promise<Answer> => lower(await kit.request(process.handler, method, target, options))
  const stampOf = (at: number): string => new Date(at).toISOString().replaceAll(/[-:]|\.\d{3}/g, '')
  const canonicalQuery = (query: string): string => query.split('&').filter((pair) => pair !== '').map((pair) => [...pair.split('='), ''].slice(0, 2).map((text) => percent(decodeURIComponent(text))).join('=')).sort().join('&')
  const signature = (by: keyof typeof WHO, stamp: string, canonical: string, region = 'us-east-1'): { scope: string; hex: string } => {
    const scope = { date: stamp.slice(0, 8), region, service: 's3' }
    const text = ['AWS4-HMAC-SHA256', stamp, `${scope.date}/${region}/s3/aws4_request`, createHash('sha256').update(canonical).digest('hex')].join('\n')
    return { scope: `${scope.date}/${region}/s3/aws4_request`, hex: createHmac('sha256', signingKey(secretOf(by), scope)).update(text).digest('hex') }
  }
  return {
    house: process.house,
    clock,
    visit,
    swift: (method, target, options) => visit(method, target, { as: 'member', ...options }),
    s3(method, target, { by = 'a', body, headers = {}, sha256, instead = {}, at = clock.now(), host = '127.0.0.1:5000', remote, origin, region } = {}) {
      const send = (more: Record<string, string>): Promise<Answer> => visit(instead.method ?? method, instead.target ?? target, { ...(body === undefined ? {} : { body }), ...(remote === undefined ? {} : { remote }), ...(origin === undefined ? {} : { origin }), headers: { host, ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }), ...headers, ...more, ...instead.headers } })
      if (by === 'nobody') return send({})
      const [path = '', query = ''] = target.split('?')
      const digest = sha256 ?? createHash('sha256').update(body ?? '').digest('hex')
      const stamp = stampOf(at)
      const signed: Record<string, string> = { host, 'x-amz-content-sha256': digest, 'x-amz-date': stamp, ...Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-amz-'))) }
      const names = Object.keys(signed).sort()
      const { scope, hex } = signature(by, stamp, [method, path.split('/').map((part) => percent(decodeURIComponent(part))).join('/'), canonicalQuery(query), ...names.map((name) => `${name}:${Buffer.from(signed[name]!, 'latin1').toString('utf8')}`), '', names.join(';'), digest].join('\n'), region)
      return send({ ...signed, authorization: `AWS4-HMAC-SHA256 Credential=${accessOf(by)}/${scope}, SignedHeaders=${names.join(';')}, Signature=${hex}` })
    },
    link(method, target, { by = 'a', expires = 600, signed = {} } = {}) {
      const [path = '', query = ''] = target.split('?')
      const stamp = stampOf(clock.now())
      const names = ['host', ...Object.keys(signed)].sort()
      const full = `${query}${query === '' ? '' : '&'}X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${percent(`${accessOf(by)}/${stamp.slice(0, 8)}/us-east-1/s3/aws4_request`)}&X-Amz-Date=${stamp}&X-Amz-Expires=${expires}&X-Amz-SignedHeaders=${percent(names.join(';'))}`
      const values: Record<string, string> = { host: '127.0.0.1:5000', ...signed }
      const { hex } = signature(by, stamp, [method, path, canonicalQuery(full), ...names.map((name) => `${name}:${values[name]}`), '', names.join(';'), 'UNSIGNED-PAYLOAD'].join('\n'))
      return `${path}?${full}&X-Amz-Signature=${hex}`
    },
    start: () => process.start(),
    async close() {
      await process.close()
      await kit.close()
    },
  }
}

/** `code` of an error's document. */
export const codeOf = (answer: Answer): string => /<Code>(\w+)<\/Code>/.exec(answer.text)?.[1] ?? String(answer.status)

/** Requests of which the answer must be a good one, and those that must be refused with a code. */
export function judging(s3: S3Kit['s3']): { ok: S3Kit['s3']; refused(code: string, ...args: Parameters<S3Kit['s3']>): Promise<void> } {
  return {
    async ok(...args) {
      const answer = await s3(...args)
      assert.ok(answer.status < 300, `${args[0]} ${args[1]}: ${answer.status} ${answer.text}`)
      return answer
    },
    refused: async (code, ...args) => assert.equal(codeOf(await s3(...args)), code, `${args[0]} ${args[1]}`),
  }
}

/** CRC-32 as headers have it. */
export function crc32Of(text: string): string {
  const sum = checksum('CRC32')
  sum.update(Buffer.from(text))
  return sum.digest()
}

export { accessOf, secretOf }
