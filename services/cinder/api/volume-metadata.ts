/** Key-value pairs of volumes and snapshots: the same six verbs. */
import { invalid, notFound } from '#base/fault.ts'
import type { Tx } from '#base/sql/database.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import type { Cinder } from '../house.ts'
import { setSnapshotMetadata, snapshotById } from '../store/snapshots.ts'
import type { CinderTables } from '../store/tables.ts'
import { setVolumeMetadata, volumeById } from '../store/volumes.ts'
import { METADATA } from './body.ts'
import { loadSnapshot, loadVolume } from './load.ts'

type Pairs = Record<string, string>

interface Kind {
  noun: 'volumes' | 'snapshots'
  param: 'volume_id' | 'snapshot_id'
  rules: { read: string; create: string; update: string; delete: string }
  load(house: Cinder, rq: Rq, id: string, rule: string): Promise<{ id: string; metadata: string }>
  again(tx: Tx<CinderTables>, id: string): Promise<{ metadata: string } | undefined>
  write(tx: Tx<CinderTables>, id: string, pairs: Pairs, now: number): Promise<void>
}

const volume: Kind = {
  noun: 'volumes',
  param: 'volume_id',
  rules: { read: 'volume:get_volume_metadata', create: 'volume:create_volume_metadata', update: 'volume:update_volume_metadata', delete: 'volume:delete_volume_metadata' },
  load: loadVolume,
  again: volumeById,
  write: (tx, id, pairs, now) => setVolumeMetadata(tx, id, 'volume', pairs, now),
}

const snapshot: Kind = {
  noun: 'snapshots',
  param: 'snapshot_id',
  rules: { read: 'volume:get_snapshot_metadata', create: 'volume:update_snapshot_metadata', update: 'volume:update_snapshot_metadata', delete: 'volume:delete_snapshot_metadata' },
  load: loadSnapshot,
  again: snapshotById,
  write: setSnapshotMetadata,
}

const many = { type: 'object', required: ['metadata'], properties: { metadata: METADATA } }
const one = { type: 'object', required: ['meta'], properties: { meta: { ...METADATA, maxProperties: 1, minProperties: 1 } } }

export const metadataRoutes = (house: Cinder): Route[] => [volume, snapshot].flatMap((kind) => routesFor(house, kind))

function routesFor(house: Cinder, kind: Kind): Route[] {
  const base = `/${kind.noun}/{${kind.param}}/metadata`
  const name = (verb: string): string => `${kind.noun}.metadata.${verb}`
  const read = async (rq: Rq): Promise<Pairs> => JSON.parse((await kind.load(house, rq, rq.params[kind.param]!, kind.rules.read)).metadata) as Pairs
  const change = async (rq: Rq, rule: string, next: (pairs: Pairs) => Pairs): Promise<Pairs> => {
    const row = await kind.load(house, rq, rq.params[kind.param]!, rule)
    return house.db.transaction(async (tx) => {
      const now = await kind.again(tx, row.id)
      const pairs = next(JSON.parse(now?.metadata ?? '{}') as Pairs)
      await kind.write(tx, row.id, pairs, house.world.clock.now())
      return pairs
    })
  }
  const need = (pairs: Pairs, key: string): Pairs => {
    if (!(key in pairs)) throw notFound(`${kind.noun === 'volumes' ? 'Volume' : 'Snapshot'} has no metadata with key ${key.slice(0, 100)}.`)
    return pairs
  }
  return [
    route({ method: 'GET', path: base, name: name('list'), status: 200, handle: async (rq) => ({ json: { metadata: await read(rq) } }) }),
    route<{ metadata: Pairs }>({ method: 'POST', path: base, name: name('add'), body: many, status: 200, handle: async (rq) => ({ json: { metadata: await change(rq, kind.rules.create, (pairs) => ({ ...pairs, ...rq.body.metadata })) } }) }),
    route<{ metadata: Pairs }>({ method: 'PUT', path: base, name: name('replace'), body: many, status: 200, handle: async (rq) => ({ json: { metadata: await change(rq, kind.rules.update, () => rq.body.metadata) } }) }),
    route({ method: 'GET', path: `${base}/{key}`, name: name('show'), status: 200, handle: async (rq) => ({ json: { meta: { [rq.params.key!]: need(await read(rq), rq.params.key!)[rq.params.key!] } } }) }),
    route<{ meta: Pairs }>({
      method: 'PUT',
      path: `${base}/{key}`,
      name: name('set'),
      body: one,
      status: 200,
      handle: async (rq): Promise<Reply> => {
        const key = rq.params.key!
        if (!(key in rq.body.meta)) throw invalid('Request body and URI mismatch', { field: 'meta' })
        await change(rq, kind.rules.update, (pairs) => ({ ...pairs, ...rq.body.meta }))
        return { json: { meta: rq.body.meta } }
      },
    }),
    route({
      method: 'DELETE',
      path: `${base}/{key}`,
      name: name('delete'),
      bodyKind: 'none',
      status: 200,
      handle: async (rq) => {
        const key = rq.params.key!
        await change(rq, kind.rules.delete, (pairs) => {
          const { [key]: _, ...rest } = need(pairs, key)
          return rest
        })
        return {}
      },
    }),
  ]
}
