/** Keypairs of users: public halves are kept, private ones are shown once to who had them made. */
import { conflict, type Fault, invalid, notFound, overQuota } from '#base/fault.ts'
import { isoMicros } from '#base/clock.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import type { Schema } from '#stack/schema.ts'
import { byVersion, v } from '#stack/version.ts'
import { newSshPair, sshFingerprint } from '../core/ssh-keys.ts'
import { certificateFingerprint, newCertificate } from '../core/x509-keys.ts'
import type { Nova } from '../house.ts'
import { deleteKeypair, insertKeypair, keypairCount, keypairOf, keypairsOf } from '../store/keypairs.ts'
import { userLimitsOf } from '../store/quotas.ts'
import type { NovaSql } from '../store/servers.ts'
import type { KeypairRow } from '../store/tables.ts'
import { nextLink } from './links.ts'
import { limitOf } from './paging.ts'
import { last, querySchema } from './queries.ts'
import { envelope, object } from './schemas.ts'

const keyName: Schema = { type: 'string', minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9_-]([a-zA-Z0-9_ -]*[a-zA-Z0-9_-])?$' }
const keyName92: Schema = { type: 'string', minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9@._-]([a-zA-Z0-9@._ -]*[a-zA-Z0-9@._-])?$' }
const public_key: Schema = { type: 'string' }
const type: Schema = { enum: ['ssh', 'x509'] }
const user_id: Schema = { type: 'string', minLength: 1, maxLength: 255 }

const createSchema = byVersion<Schema>({
  '2.1': envelope('keypair', object({ name: keyName, public_key }, ['name'])),
  '2.2': envelope('keypair', object({ name: keyName, public_key, type }, ['name'])),
  '2.10': envelope('keypair', object({ name: keyName, public_key, type, user_id }, ['name'])),
  '2.92': envelope('keypair', object({ name: keyName92, public_key: { type: 'string', minLength: 1 }, type, user_id }, ['name', 'public_key'])),
})
const oneQuery = byVersion<Schema>({ '2.1': querySchema([], false), '2.10': querySchema(['user_id'], false), '2.75': querySchema(['user_id'], true) })
const listQuery = byVersion<Schema>({ '2.1': querySchema([], false), '2.10': querySchema(['user_id'], false), '2.35': querySchema(['user_id', 'limit', 'marker'], false), '2.75': querySchema(['user_id', 'limit', 'marker'], true) })

interface Create {
  name: string
  public_key?: string
  type?: 'ssh' | 'x509'
  user_id?: string
}

export function keypairRoutes(nova: Nova): Route[] {
  const all = '/v2.1/os-keypairs'
  const one = `${all}/{keypair_name}`
  return [
    route({ method: 'GET', path: all, name: 'keypairs.index', query: listQuery, status: 200, handle: (rq) => list(nova, rq) }),
    route<{ keypair: Create }>({ method: 'POST', path: all, name: 'keypairs.create', body: createSchema, status: byVersion({ '2.1': 200, '2.2': 201 }), handle: (rq) => create(nova, rq) }),
    route({
      method: 'GET', path: one, name: 'keypairs.show', query: oneQuery, status: 200,
      async handle(rq) {
        const owner = ownerOf(rq, 'show', askedUser(rq))
        const row = await keypairOf(nova.db, owner, rq.params.keypair_name!)
        if (!row) throw noKeypair(rq.params.keypair_name!, owner)
        return { json: { keypair: { ...keypairView(rq, row), user_id: row.user_id, id: row.id, created_at: isoMicros(row.created_at), deleted: false, deleted_at: null, updated_at: null } } }
      },
    }),
    route({
      method: 'DELETE', path: one, name: 'keypairs.delete', query: oneQuery, status: byVersion({ '2.1': 202, '2.2': 204 }),
      async handle(rq) {
        const owner = ownerOf(rq, 'delete', askedUser(rq))
        if (!(await deleteKeypair(nova.db, owner, rq.params.keypair_name!))) throw noKeypair(rq.params.keypair_name!, owner)
        return {}
      },
    }),
  ]
}

/** Another user's keypairs can be meant since 2.10. */
const askedUser = (rq: Rq<unknown>): string | undefined => (rq.version >= v('2.10') ? last(rq.query, 'user_id') : undefined)

function ownerOf(rq: Rq<unknown>, verb: 'index' | 'create' | 'show' | 'delete', asked: string | undefined): string {
  const owner = asked ?? rq.context.user_id ?? ''
  rq.authorize(`os_compute_api:os-keypairs:${verb}`, { user_id: owner })
  return owner
}

const noKeypair = (name: string, owner: string): Fault => notFound(`Keypair ${name} not found for user ${owner}`)

async function list(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const owner = ownerOf(rq, 'index', askedUser(rq))
  const paged = rq.version >= v('2.35')
  const limit = paged ? limitOf(rq.query, nova.config.max_limit) : 1_000_000
  const marker = paged ? last(rq.query, 'marker') : undefined
  if (marker !== undefined && !(await keypairOf(nova.db, owner, marker))) throw invalid(`marker [${marker}] not found`, { field: 'marker' })
  const found = limit === 0 ? [] : await keypairsOf(nova.db, owner, limit + 1, marker)
  const rows = found.slice(0, limit)
  const more = paged && rows.length > 0 && found.length > limit
  return { json: { keypairs: rows.map((row) => ({ keypair: keypairView(rq, row) })), ...(more ? { keypairs_links: nextLink(rq, rows.at(-1)!.name) } : {}) } }
}

function keypairView(rq: Rq<unknown>, row: Pick<KeypairRow, 'name' | 'public_key' | 'fingerprint' | 'type'>): Record<string, unknown> {
  return { name: row.name, public_key: row.public_key, fingerprint: row.fingerprint, ...(rq.version >= v('2.2') ? { type: row.type } : {}) }
}

async function create(nova: Nova, rq: Rq<{ keypair: Create }>): Promise<Reply> {
  const wish = rq.body.keypair
  const owner = ownerOf(rq, 'create', wish.user_id)
  const kind = wish.type ?? 'ssh'
  // Before the costly making of a key: what cannot be kept.
  await assertRoom(nova, nova.db, rq, owner, wish.name)
  const made = await material(nova, wish, kind, owner)
  for (let attempt = 1; ; attempt++) {
    try {
      await nova.db.transaction(async (tx) => {
        await assertRoom(nova, tx, rq, owner, wish.name)
        await insertKeypair(tx, { user_id: owner, name: wish.name, type: kind, fingerprint: made.fingerprint, public_key: made.public_key, created_at: nova.world.clock.now() })
      })
      break
    } catch (thrown) {
      // The name is taken, which the next look tells, or only the number is.
      if (!isDuplicate(nova.db.engine, thrown) || attempt === 10) throw thrown
    }
  }
  const view = keypairView(rq, { name: wish.name, type: kind, ...made })
  return { json: { keypair: { ...view, user_id: owner, ...('private_key' in made ? { private_key: made.private_key } : {}) } } }
}

async function assertRoom(nova: Nova, sql: NovaSql, rq: Rq<unknown>, owner: string, name: string): Promise<void> {
  if (await keypairOf(sql, owner, name)) throw conflict(`Key pair '${name}' already exists.`)
  const { key_pairs } = await userLimitsOf(sql, rq.context.project_id ?? '', owner, nova.quotas)
  if (key_pairs >= 0 && (await keypairCount(sql, owner)) >= key_pairs) throw overQuota('Quota exceeded, too many key pairs.')
}

async function material(nova: Nova, wish: Create, kind: 'ssh' | 'x509', owner: string): Promise<{ public_key: string; fingerprint: string; private_key?: string }> {
  const given = wish.public_key
  if (given === undefined) return kind === 'ssh' ? newSshPair('Generated-by-Nova') : newCertificate(owner, nova.world.clock.now(), Buffer.from(nova.world.random.bytes(15)))
  const fingerprint = kind === 'ssh' ? sshFingerprint(given) : certificateFingerprint(given)
  if (fingerprint === undefined) throw invalid(`Keypair data is invalid: failed to generate fingerprint of the ${kind} public key`, { field: 'public_key' })
  return { public_key: given, fingerprint }
}
