/** Dynamic large objects: an object whose content is every object with a prefix, in the order of names. */
import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { Fault, invalid } from '#base/fault.ts'
import { listPage } from '../core/listing.ts'
import { unquote } from '../core/names.ts'
import { objectsIn } from '../store/listings.ts'
import { type Answer, attempt, containerSeen, type Layer, metadataOf, ok, sub } from './ask.ts'
import { concatenated } from './deliver.ts'
import { authorize } from './rights.ts'

const MANIFEST = 'x-object-manifest'
const PAGE = 10_000

export const dlo: Layer = (house, inner) => async (ask) => {
  const { method, names, query, headers } = ask
  if (names.object === '') return inner(ask)
  if ((method === 'PUT' || method === 'POST') && headers[MANIFEST] !== undefined) {
    const value = unquote(headers[MANIFEST])
    const [container, prefix] = split(value ?? '')
    if (value === undefined || container === '' || prefix === '' || value.includes('\0') || /[?&]/.test(headers[MANIFEST])) throw invalid('X-Object-Manifest must be in the format container/prefix', { field: 'X-Object-Manifest' })
    ask.headers[MANIFEST] = headers[MANIFEST].replace(/^\/+/, '')
    return inner(ask)
  }
  const answer = await inner(ask)
  const value = answer.headers[MANIFEST]
  if ((method !== 'GET' && method !== 'HEAD') || !answer.content || typeof value !== 'string' || query.get('multipart-manifest') === 'get') return answer
  const [container, prefix] = split(unquote(value) ?? '')
  const from = { account: names.account, container, object: '' }
  const row = await containerSeen(house, ask, from)
  // Whoever reads the manifest must be let into the listing that it stands for.
  await authorize(house, { ...ask, method: 'GET' }, from, 'read', metadataOf(row)['x-container-read'])
  const now = house.world.clock.now()
  const lines = row ? await listPage({ limit: PAGE, marker: '', end_marker: '', prefix, delimiter: '', path: undefined, reverse: false }, (window) => objectsIn(house.db, row.id, now, window)) : []
  const segments = lines.map((line) => line.row!)
  const etag = createHash('md5')
  let size = 0
  for (const one of segments) {
    etag.update(one.etag)
    size += Number(one.size)
  }
  const open = async (start: number, end: number): Promise<Readable> => {
    const openers: (() => Promise<Readable>)[] = []
    let at = 0
    for (const one of segments) {
      const length = Number(one.size)
      const [first, last] = [Math.max(start, at) - at, Math.min(end, at + length - 1) - at]
      at += length
      if (first > last) continue
      openers.push(async () => {
        const got: Answer = await attempt(inner, sub(ask, 'GET', { account: names.account, container, object: one.name }, { source: 'DLO' }))
        if (!ok(got.status) || !got.content || got.content.size < length) throw new Fault('conflict', `The segment ${one.name} cannot be read (${got.status}).`)
        return got.content.open(first, last)
      })
    }
    const [head, ...rest] = openers
    const stream = await head!()
    return rest.length === 0 ? stream : concatenated([async () => stream, ...rest])
  }
  const hash = etag.digest('hex')
  const modified = Math.max(answer.content.modified, ...segments.slice(0, 5000).map((one) => Number(one.created_at)))
  return { ...answer, headers: { ...answer.headers, etag: `"${hash}"` }, content: { size, etag: hash, modified, oneRange: true, open } }
}

function split(text: string): [string, string] {
  const path = text.replace(/^\/+/, '')
  const cut = path.indexOf('/')
  return cut < 0 ? [path, ''] : [path.slice(0, cut), path.slice(cut + 1)]
}
