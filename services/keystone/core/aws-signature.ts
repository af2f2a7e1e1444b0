/** Signatures of EC2 (versions 0, 1, 2 and 4) and of S3 (version 2's HMAC-SHA1 and 4), computed from what the service has seen. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

export interface Ec2Request {
  access?: string
  signature?: string
  host?: string
  verb?: string
  path?: string
  params?: Readonly<Record<string, string>>
  headers?: Readonly<Record<string, string>>
  body_hash?: string
}

const hmac = (algorithm: 'sha1' | 'sha256', key: string | Buffer, data: string | Buffer): Buffer => createHmac(algorithm, key).update(data).digest()

/** RFC 3986: everything but letters, digits and `-_.~`. */
export function percent(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

export function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}

function header(request: Ec2Request, name: string): string | undefined {
  return Object.entries(request.headers ?? {}).find(([key]) => key.toLowerCase() === name)?.[1]
}

function isVersion4(request: Ec2Request): boolean {
  return header(request, 'authorization')?.startsWith('AWS4-HMAC-SHA256') === true || request.params?.['X-Amz-Algorithm'] === 'AWS4-HMAC-SHA256'
}

/** True when the signature is what this secret makes of the request; hosts are also tried without their port. */
export function ec2SignatureHolds(request: Ec2Request, secret: string): boolean {
  const given = request.signature ?? ''
  if (given === '') return false
  for (const host of new Set([request.host ?? '', (request.host ?? '').replace(/:\d+$/, '')])) {
    const made = ec2Signature({ ...request, host }, secret)
    if (made !== undefined && sameText(made, given)) return true
  }
  return false
}

function ec2Signature(request: Ec2Request, secret: string): string | undefined {
  if (isVersion4(request)) return version4(request, secret)
  const params = request.params ?? {}
  const keys = Object.keys(params).filter((key) => key !== 'Signature')
  switch (params.SignatureVersion) {
    case '0':
      return hmac('sha1', secret, (params.Action ?? '') + (params.Timestamp ?? '')).toString('base64')
    case '1': {
      const text = keys.sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1)).map((key) => key + params[key]).join('')
      return hmac('sha1', secret, text).toString('base64')
    }
    case '2': {
      const pairs = keys.sort().map((key) => `${percent(key)}=${percent(params[key]!)}`)
      const text = `${(request.verb ?? '').toUpperCase()}\n${request.host}\n${request.path}\n${pairs.join('&')}`
      return hmac(params.SignatureMethod === 'HmacSHA1' ? 'sha1' : 'sha256', secret, text).toString('base64')
    }
    default:
      return undefined
  }
}

/** A part of version 4's credentials: from the Authorization header, else from the query. */
function part(request: Ec2Request, name: string): string {
  const authorization = header(request, 'authorization')
  if (authorization !== undefined) return (authorization.split(`${name}=`)[1] ?? '').split(',')[0]!.trim()
  return request.params?.[`X-Amz-${name}`] ?? ''
}

export function ec2Date(request: Ec2Request): string | undefined {
  if (isVersion4(request)) return header(request, 'x-amz-date') ?? request.params?.['X-Amz-Date']
  return request.params?.Timestamp
}

function version4(request: Ec2Request, secret: string): string | undefined {
  const params = request.params ?? {}
  const verb = (request.verb ?? '').toUpperCase()
  const names = part(request, 'SignedHeaders')
  const canonicalHeaders = names.split(';').flatMap((name) => {
    const value = name === 'host' ? (header(request, 'host') ?? request.host) : header(request, name)
    return value === undefined ? [] : [`${name}:${value.trim()}`]
  })
  const query = verb === 'POST' ? '' : Object.keys(params).filter((key) => key !== 'X-Amz-Signature').sort().map((key) => `${percent(key)}=${percent(params[key]!)}`).join('&')
  const canonical = [verb, request.path ?? '/', query, `${canonicalHeaders.join('\n')}\n`, names, request.body_hash ?? ''].join('\n')
  const [, date, region, service, end] = part(request, 'Credential').split('/')
  const stamp = ec2Date(request)
  if (!date || !region || !service || !end || !stamp?.startsWith(date)) return undefined
  const text = ['AWS4-HMAC-SHA256', stamp, [date, region, service, end].join('/'), createHash('sha256').update(canonical).digest('hex')].join('\n')
  return hmac('sha256', version4Key(secret, date, region, service), text).toString('hex')
}

function version4Key(secret: string, date: string, region: string, service: string): Buffer {
  return [region, service, 'aws4_request'].reduce((key, text) => hmac('sha256', key, text), hmac('sha256', `AWS4${secret}`, date))
}

export interface S3Signed {
  /** The string that was signed. */
  text: string
  signature: string
}

/** True when the signature is what this secret makes of the text. */
export function s3SignatureHolds({ text, signature }: S3Signed, secret: string): boolean {
  if (!text.startsWith('AWS4')) return sameText(hmac('sha1', secret, text).toString('base64'), signature)
  const lines = text.split('\n')
  const scope = (lines[2] ?? '').split('/')
  if (lines.length !== 4 || lines[0] !== 'AWS4-HMAC-SHA256' || scope.length !== 4 || scope[3] !== 'aws4_request' || !['s3', 'iam', 'sts'].includes(scope[2]!)) return false
  return sameText(hmac('sha256', version4Key(secret, scope[0]!, scope[1]!, scope[2]!), text).toString('hex'), signature)
}

/** The date in a signed text of S3; undefined when it has none (a pre-signed URL of version 2 has its end instead). */
export function s3Date(text: string): string | undefined {
  if (text.startsWith('AWS4')) return text.split('\n')[1]
  const lines = text.split('\n')
  return lines.find((line) => line.startsWith('x-amz-date:'))?.slice('x-amz-date:'.length) ?? (lines[3] || undefined)
}

/** Milliseconds of AWS' dates: `20261121T001122Z`, ISO 8601, RFC 1123, seconds since the epoch. */
export function awsInstant(text: string): number | undefined {
  const basic = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(text)
  if (basic) return Date.parse(`${basic[1]}-${basic[2]}-${basic[3]}T${basic[4]}:${basic[5]}:${basic[6]}Z`)
  if (/^\d{9,11}$/.test(text)) return Number(text) * 1000
  const ms = Date.parse(/^\d{4}-\d\d-\d\dT[\d:.]+$/.test(text) ? `${text}Z` : text)
  return Number.isNaN(ms) ? undefined : ms
}
