/** Uploads by an HTML form whose fields carry a signature over where, how much and until when. */
import { Readable } from 'node:stream'
import { Fault, isFault } from '#base/fault.ts'
import { isStream } from '#base/http/message.ts'
import { parameters, partsOf } from '../core/multipart.ts'
import { TITLES } from '#stack/dialect.ts'
import { escape } from '../core/markup.ts'
import type { Names } from '../core/names.ts'
import { readExpires, readSignature, sameText, signed } from '../core/signature.ts'
import type { Swift } from '../house.ts'
import { type Answer, type Ask, attempt, type Layer, ok, type Serve, sub } from './ask.ts'
import { keysFor } from './tempurl.ts'

const MOST_FIELD = 8192
const MOST_FIELDS = 1000

export const formpost: Layer = (house, inner) => async (ask) => {
  const type = ask.headers['content-type'] ?? ''
  if (ask.method !== 'POST' || ask.names.container === '' || !/^multipart\/form-data/i.test(type)) return inner(ask)
  const boundary = parameters(type).boundary
  if (!boundary) return inner(ask)
  ask.sendContinue?.()
  try {
    return await form(house, inner, ask, boundary)
  } catch (thrown) {
    if (isFault(thrown, 'unauthenticated')) return answer(ask, 401, 'Unauthorized', thrown.message)
    if (isFault(thrown, 'invalid')) return answer(ask, 400, 'Bad Request', `FormPost: ${thrown.message}`)
    throw thrown
  }
}

function answer(_ask: Ask, status: number, _title: string, message: string): Answer {
  return { status, headers: { 'content-type': 'text/plain' }, body: message }
}

async function form(house: Swift, inner: Serve, ask: Ask, boundary: string): Promise<Answer> {
  const fields: Record<string, string> = {}
  let files = 0
  let count = 0
  let status = 201
  let message = ''
  const source = isStream(ask.body) ? ask.body : Readable.from([Buffer.from((ask.body ?? '') as string)])
  for await (const part of partsOf(source as AsyncIterable<Uint8Array>, boundary)) {
    const { name = '', filename } = parameters(part.headers['content-disposition'] ?? '')
    if (filename === undefined || filename === '') {
      let text = ''
      for await (const chunk of part.body) {
        text += chunk.toString('latin1')
        if (text.length > MOST_FIELD) throw new Fault('invalid', 'a field is too long')
      }
      // What follows a file is not signed for it.
      if (files === 0) fields[name.toLowerCase()] = text.trim()
      if (++count > MOST_FIELDS) throw new Fault('invalid', 'there are too many fields')
      continue
    }
    files++
    if (files > Number(fields.max_file_count ?? 0)) {
      status = 400
      message = 'max file count exceeded'
      break
    }
    const sent = await upload(house, inner, ask, fields, filename, part)
    if (!ok(sent.status)) {
      status = sent.status
      if (sent.status === 413) throw new Fault('invalid', 'max_file_size exceeded')
      const said = String(sent.body ?? '')
      message = said.startsWith('<') ? '' : said
      break
    }
  }
  if (files === 0) {
    status = 400
    message = 'no files to process'
  }
  const { redirect } = fields
  // Where to is signed as well: an address of ours leads nobody on whom its owner did not send.
  // oxlint-disable-next-line no-control-regex
  if (redirect && /^https?:\/\/[^\x00-\x20\x7f]+$/i.test(redirect) && (await isSigned(house, ask, fields))) {
    const location = `${redirect}${redirect.includes('?') ? '&' : '?'}status=${status}&message=${encodeURIComponent(message)}`
    return { status: 303, headers: { location, 'content-type': 'text/html' }, body: `<html><body><p><a href="${escape(location)}">Click to continue...</a></p></body></html>` }
  }
  return { status, headers: { 'content-type': 'text/plain' }, body: `${status} ${status === 201 ? 'Created' : (TITLES[status] ?? 'Error')}${message === '' ? '' : `\r\nFormPost: ${message.replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase())}`}` }
}

async function isSigned(house: Swift, ask: Ask, fields: Record<string, string>): Promise<boolean> {
  const { account, container, object } = ask.names
  const signature = readSignature(fields.signature ?? '')
  if (!signature || !house.config.tempurl.digests.includes(signature.digest)) return false
  const keys = await keysFor(house, ask, ask.names)
  const rest = `\n${fields.redirect ?? ''}\n${fields.max_file_size}\n${fields.max_file_count}\n${fields.expires}`
  const paths = [ask.path, `${ask.mount}${ask.path}`, `/v1/${account}/${container}${object === '' ? '' : `/${object}`}`]
  return keys.some(({ key }) => paths.some((path) => sameText(signature.hex, signed(key, signature.digest, path + rest))))
}

async function upload(house: Swift, inner: Serve, ask: Ask, fields: Record<string, string>, filename: string, part: { headers: Record<string, string>; body: AsyncGenerator<Buffer> }): Promise<Answer> {
  const { account, container, object } = ask.names
  const signature = readSignature(fields.signature ?? '')
  const expires = readExpires(fields.expires ?? '')
  const wrong = (why: string): never => {
    throw new Fault('unauthenticated', `FormPost: ${why}`)
  }
  if (!signature || !house.config.tempurl.digests.includes(signature.digest)) return wrong('Invalid Signature')
  if (expires === undefined) throw new Fault('invalid', 'expired not an integer')
  if (expires * 1000 < house.world.clock.now()) return wrong('Form Expired')
  if (!/^\d+$/.test(fields.max_file_size ?? '')) throw new Fault('invalid', 'max_file_size not an integer')
  if (!/^\d+$/.test(fields.max_file_count ?? '')) throw new Fault('invalid', 'max_file_count not an integer')
  if (!(await isSigned(house, ask, fields))) return wrong('Invalid Signature')
  const target: Names = { account, container, object: `${object}${Buffer.from(filename, 'latin1').toString()}` }
  const headers: Record<string, string> = { 'transfer-encoding': 'chunked', 'content-type': fields['content-type'] ?? part.headers['content-type'] ?? 'application/octet-stream' }
  if (part.headers['content-encoding']) headers['content-encoding'] = part.headers['content-encoding']
  for (const [field, name] of [['x_delete_at', 'x-delete-at'], ['x_delete_after', 'x-delete-after']] as const) {
    if (fields[field] === undefined) continue
    if (!/^\d+$/.test(fields[field])) throw new Fault('invalid', `${field} not an integer: ${field === 'x_delete_at' ? 'Unix timestamp' : 'Number of seconds'} required.`)
    headers[name] = fields[field]
  }
  const limit = Number(fields.max_file_size)
  async function* limited(): AsyncGenerator<Buffer> {
    let size = 0
    for await (const chunk of part.body) {
      size += chunk.length
      if (size > limit) throw new Fault('too_large', 'max_file_size exceeded')
      yield chunk
    }
  }
  const granted = (to: Names): boolean => to.account === account && to.container === container
  return attempt(inner, { ...sub(ask, 'PUT', target, { headers, body: Readable.from(limited(), { objectMode: false }), granted, source: 'FP' }), who: { byName: false, roles: [] } })
}
