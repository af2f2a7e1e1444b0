/** The older two kinds of versions: what is replaced moves to another container, and (with `X-Versions-Location`) comes back when its successor goes. */
import { Fault } from '#base/fault.ts'
import { listPage } from '../core/listing.ts'
import { unquote } from '../core/names.ts'
import { type Swift, versionText } from '../house.ts'
import { objectsIn } from '../store/listings.ts'
import { archiveName, archivePrefix, moveObject, objectOf, removeObject } from '../store/objects.ts'
import type { ContainerRow, ObjectRow } from '../store/tables.ts'
import { type Answer, type Ask, containerSeen, done, forget, type Layer, lost, metadataOf, ok } from './ask.ts'
import { living } from './object.ts'
import { authorize } from './rights.ts'

const MARKER = 'application/x-deleted;swift_versions_deleted=1'

interface Keeping { into: ContainerRow; location: string; history: boolean }

export const versionedWrites: Layer = (house, inner) => async (ask) => {
  const { method, names } = ask
  if (names.object === '' || (method !== 'PUT' && method !== 'DELETE')) return inner(ask)
  const into = await containerSeen(house, ask, names)
  const metadata = metadataOf(into)
  const history = metadata['x-history-location'] !== undefined
  const location = unquote((history ? metadata['x-history-location'] : metadata['x-versions-location']) ?? '')
  if (!into || !location) return inner(ask)
  await authorize(house, ask, names, 'write', metadata['x-container-write'])
  const keeping: Keeping = { into, location, history }
  return method === 'PUT' ? put(house, inner, ask, keeping) : remove(house, inner, ask, keeping)
}

async function put(house: Swift, inner: (ask: Ask) => Promise<Answer>, ask: Ask, { into, location }: Keeping): Promise<Answer> {
  const { names } = ask
  const archive = await archiveOf(house, ask, location)
  const old = await living(house, into.id, names.object)
  if (!old || old.content_type === MARKER) return inner(ask)
  // What stands there goes aside in the commit of its successor: until then it is read, and a refused upload changes nothing.
  return inner({ ...ask, archive: { container_id: into.id, name: names.object, to: archive.id } })
}

/** Named by when it was made; of two made in one millisecond the second goes behind the first. */
async function placeFor(house: Swift, archive: ContainerRow, old: ObjectRow): Promise<string> {
  for (let stamp = Number(old.created_at) * 1000; ; stamp += 10) {
    const name = archiveName(old.name, String(stamp))
    if (!(await objectOf(house.db, archive.id, name))) return name
  }
}

async function archiveOf(house: Swift, ask: Ask, location: string): Promise<ContainerRow> {
  const archive = await containerSeen(house, ask, { ...ask.names, container: location, object: '' })
  if (!archive) throw new Fault('precondition', 'The container of old versions does not exist.')
  return archive
}

async function remove(house: Swift, inner: (ask: Ask) => Promise<Answer>, ask: Ask, { into, location, history }: Keeping): Promise<Answer> {
  const { names } = ask
  const now = house.world.clock.now()
  if (history) {
    const archive = await archiveOf(house, ask, location)
    const old = await living(house, into.id, names.object)
    const prefix = archivePrefix(names.object)
    const archived = old && (await placeFor(house, archive, old))
    if (old) await house.commits.run((commit) => moveObject(commit, old, { container_id: archive.id, name: archived! }, now))
    const marker = await inner({ ...ask, method: 'PUT', names: { ...names, container: location, object: `${prefix}${versionText(String(house.stamp()))}` }, query: new URLSearchParams(), body: undefined, headers: { 'content-length': '0', 'content-type': MARKER }, granted: () => true, source: 'VW' })
    return !ok(marker.status) ? marker : old ? done(204) : lost()
  }
  const archive = await containerSeen(house, ask, { ...names, container: location, object: '' })
  const standing = await living(house, into.id, names.object)
  const answer = standing || !archive ? await inner(ask) : done(204)
  if (!ok(answer.status) || !archive) return answer
  forget(ask)
  const prefix = archivePrefix(names.object)
  const newest = async (): Promise<ObjectRow | undefined> => {
    const lines = await listPage({ limit: 1, marker: '', end_marker: '', prefix, delimiter: '', path: undefined, reverse: true }, (window) => objectsIn(house.db, archive.id, now, window))
    return lines[0]?.row && objectOf(house.db, archive.id, lines[0].row.name)
  }
  let top = await newest()
  if (!standing) {
    // It was deleted while markers were kept: the deletion itself is taken back.
    if (top?.content_type === MARKER) {
      const marker = top
      await house.commits.run((commit) => removeObject(commit, archive.id, marker.name, {}, now))
      top = await newest()
    }
    if (!top) return inner(ask)
  }
  if (top && top.content_type !== MARKER) {
    const back = top
    await house.commits.run((commit) => moveObject(commit, back, { container_id: into.id, name: names.object }, now))
  }
  return answer
}
