/** Container sync: requests of another cloud, which are let in by their signature, and the copying of our own containers to other clouds. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { Fault, isFault } from '#base/fault.ts'
import { hexId } from '#base/ids.ts'
import type { HttpHandler } from '#base/http/message.ts'
import { lengthOfSegment, type Segment } from '../core/manifest.ts'
import { quote } from '../core/names.ts'
import { sameText } from '../core/signature.ts'
import { type Destination, destinationOf, realmNamed, syncSignature } from '../core/sync.ts'
import type { Swift } from '../house.ts'
import { containerById } from '../store/accounts.ts'
import { objectOf } from '../store/objects.ts'
import { objectCarriers } from '../store/moves.ts'
import { changedContainers, changesOf, forgetChange, forgetChanges, WHOLE } from '../store/sync.ts'
import type { ContainerRow, ObjectRow } from '../store/tables.ts'
import { type Answer, type Ask, containerSeen, done, drop, type Layer, metadataOf, plain, small, timestamp } from './ask.ts'
import { customersOf } from '../core/s3/customer-key.ts'
import { openBytes } from './keep.ts'

const METHODS = new Set(['HEAD', 'PUT', 'DELETE', 'GET', 'POST'])
const SLO_ETAG = 'x-object-sysmeta-slo-etag'
const SLO_SIZE = 'x-object-sysmeta-slo-size'

export const containerSync: Layer = (house, inner) => async (ask) => {
  const { 'x-container-sync-auth': auth, ...headers } = ask.headers
  if (auth === undefined || ask.names.container === '') return inner(ask)
  const { timestamp: stamp = '0', slo = false } = ask.sent ?? {}
  if (ask.names.object === '' || !METHODS.has(ask.method) || !(await signedWell(house, ask, auth, stamp))) {
    return plain(401, 'X-Container-Sync-Auth header not valid; contact cluster operator for support.', { 'www-authenticate': `SwiftContainerSync realm="${encodeURIComponent(ask.names.account)}"` })
  }
  const { account, container } = ask.names
  // What is signed is one object as it stands: no versions of it, nothing that is named by a query or taken from elsewhere.
  const granted: Ask['granted'] = (to, right) => right !== 'own' && to.account === account && to.container === container
  const query = new URLSearchParams(ask.query.get('symlink') === 'get' ? 'symlink=get' : '')
  for (const name of ['x-copy-from', 'x-copy-from-account', 'destination', 'destination-account', 'x-auth-token']) delete headers[name]
  const received = Math.floor(Number(stamp) * 1000)
  const next: Ask = { ...ask, query, headers, granted, who: { byName: false, roles: [] }, source: 'CS', ...(received > 0 ? { received } : {}) }
  try {
    return await inner(slo && ask.method === 'PUT' ? await asManifest(house, next) : next)
  } catch (thrown) {
    // What stands here is as new: nothing is to be done, and the other cloud need not know more.
    if (isFault(thrown, 'conflict') && thrown.code === 'swift.newer' && ask.method === 'PUT') return done(202)
    throw thrown
  }
}

async function signedWell(house: Swift, ask: Ask, auth: string, stamp: string): Promise<boolean> {
  const [name = '', nonce = '', signature = '', ...more] = auth.trim().split(/\s+/)
  const realm = realmNamed(house.config.container_sync.realms, name)
  const key = metadataOf(await containerSeen(house, ask, ask.names))['x-container-sync-key']
  if (!realm || !key || more.length > 0) return false
  const userKey = Buffer.from(key, 'latin1').toString()
  const paths = [ask.path, `${ask.mount}${ask.path}`]
  return [realm.key, realm.key2].some((one) => one !== undefined && paths.some((path) => sameText(signature, syncSignature(ask.method, path, stamp, nonce, one, userKey))))
}

/** A manifest comes as it is stored, and perhaps before its segments: it is taken as it is. */
async function asManifest(house: Swift, ask: Ask): Promise<Ask> {
  const text = await small(ask, house.config.slo.max_manifest_size)
  let segments: Segment[]
  try {
    segments = JSON.parse(text.toString()) as Segment[]
    if (!Array.isArray(segments)) throw new TypeError('no list')
  } catch (thrown) {
    throw new Fault('invalid', 'The manifest is no list.', { cause: thrown })
  }
  const hash = createHash('md5')
  for (const one of segments) hash.update(one.data !== undefined ? createHash('md5').update(Buffer.from(one.data, 'base64')).digest('hex') : one.range === undefined ? String(one.hash) : `${one.hash}:${one.range};`)
  const etag = hash.digest('hex')
  const size = String(segments.reduce((sum, one) => sum + lengthOfSegment(one), 0))
  return { ...ask, body: text, sendContinue: undefined, headers: { ...ask.headers, 'content-length': String(text.length), [SLO_ETAG]: etag, [SLO_SIZE]: size, 'x-backend-size': size, 'x-backend-listing': JSON.stringify({ slo_etag: `"${etag}"` }) } }
}

/** Tells the other clouds what changed. `to` gives a handler for an origin. A cloud that is away is asked again in the next round. */
export async function syncContainers(house: Swift, to: (origin: string) => HttpHandler, signal?: AbortSignal): Promise<{ sent: number; failed: number }> {
  const log = house.world.log.module('swift.sync')
  const sum = { sent: 0, failed: 0 }
  for (const id of await changedContainers(house.db)) {
    const container = await containerById(house.db, id)
    const { 'x-container-sync-to': value, 'x-container-sync-key': key } = metadataOf(container)
    if (!container || !value || !key) {
      await forgetChanges(house.db, id)
      continue
    }
    try {
      const destination = destinationOf(house.config.container_sync.realms, value)
      const send = sender(house, to(destination.origin), destination, Buffer.from(key, 'latin1').toString())
      for (let after: string | undefined; !signal?.aborted; ) {
        const rows = await changesOf(house.db, id, after, 100)
        for (const row of rows) {
          try {
            if (row.name === WHOLE) await sendAll(house, container, send, signal)
            else await send(row.name, await objectOf(house.db, id, row.name), Number(row.changed_at))
            await forgetChange(house.db, row)
            sum.sent++
          } catch (thrown) {
            sum.failed++
            log.warn('Failed to sync an object', { account: container.account, container: container.name, object: row.name, to: value, error: thrown })
            // Nobody there: the others would fail as well.
            if (isFault(thrown, 'unavailable')) throw thrown
          }
        }
        if (rows.length < 100) break
        after = rows.at(-1)!.name
      }
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown
      log.warn('Failed to sync a container', { account: container.account, container: container.name, to: value, error: thrown })
    }
  }
  return sum
}

type Send = (name: string, row: ObjectRow | undefined, changedAt: number) => Promise<void>

async function sendAll(house: Swift, container: ContainerRow, send: Send, signal: AbortSignal | undefined): Promise<void> {
  for (let after = ''; !signal?.aborted; ) {
    const page = await objectCarriers(house.db, container.id, after, 100)
    for (const { name } of page) {
      const row = await objectOf(house.db, container.id, name)
      if (row) await send(name, row, 0)
    }
    if (page.length < 100) return
    after = page.at(-1)!.name
  }
  throw new Fault('unavailable', 'Stopped before the end of the container.')
}

function sender(house: Swift, handler: HttpHandler, { realm, origin, path: base }: Destination, key: string): Send {
  const request = async (method: string, name: string, stamp: string, headers: Record<string, string> = {}, body?: Readable): Promise<Answer> => {
    const path = `${base}/${quote(name)}`
    const nonce = hexId(house.world.random)
    const auth = `${realm.name.toUpperCase()} ${nonce} ${syncSignature(method, path, stamp, nonce, realm.key, key)}`
    const answer = (await handler({ method, path, query: method === 'HEAD' ? 'symlink=get' : '', headers: { host: new URL(origin).host, 'x-timestamp': stamp, 'x-container-sync-auth': auth, ...headers }, body, origin, remote: 'local' })) as Answer
    drop(answer)
    answer.headers = Object.fromEntries(Object.entries(answer.headers).map(([one, text]) => [one.toLowerCase(), text]))
    return answer
  }
  const refused = (method: string, answer: Answer): Fault => new Fault(answer.status >= 500 ? 'unavailable' : 'conflict', 'The other cloud refused an object.', { detail: `${method} answered ${answer.status}` })
  return async (name, row, changedAt) => {
    const now = house.world.clock.now()
    if (!row || (row.delete_at !== null && Number(row.delete_at) <= now)) {
      const answer = await request('DELETE', name, timestamp(changedAt))
      if (![204, 404, 409].includes(answer.status)) throw refused('DELETE', answer)
      return
    }
    // Versions stay at home, as with Swift.
    if (row.version_id !== null) return
    // So does what only its owner's key opens.
    if (customersOf(row) !== undefined) return
    const stamp = timestamp(row.created_at)
    const there = await request('HEAD', name, stamp)
    if (there.status === 200 && Number(there.headers['x-timestamp']) >= Number(stamp)) return
    if (there.status !== 200 && there.status !== 404) throw refused('HEAD', there)
    const size = Number(row.stored)
    const body = size === 0 ? undefined : await openBytes(house, row, 0, size - 1)
    try {
      const answer = await request('PUT', name, stamp, { ...headersOf(row), 'content-length': String(size) }, body)
      if (![201, 202, 409].includes(answer.status)) throw refused('PUT', answer)
    } finally {
      body?.destroy()
    }
  }
}

/** What the other cloud needs to make the same object. */
function headersOf(row: ObjectRow): Record<string, string> {
  const out: Record<string, string> = { 'content-type': row.content_type }
  for (const [name, value] of Object.entries(metadataOf(row))) if (!name.startsWith('x-object-sysmeta-')) out[name] = value
  const inner = metadataOf(row)
  if (inner[SLO_ETAG] !== undefined) out['x-static-large-object'] = 'True'
  for (const end of ['', '-account', '-etag']) if (inner[`x-object-sysmeta-symlink-target${end}`] !== undefined) out[`x-symlink-target${end}`] = inner[`x-object-sysmeta-symlink-target${end}`]!
  if (row.parts === null) out.etag = row.etag
  if (row.delete_at !== null) out['x-delete-at'] = String(Math.floor(Number(row.delete_at) / 1000))
  return out
}
