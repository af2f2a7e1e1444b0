/** Keypairs of users. Before 2.92 Nova makes one for who sends no public key; the private half is in the answer and nowhere else. */
import { createHash, X509Certificate } from 'node:crypto'
import { conflict, Fault, invalid, notFound } from '#base/fault.ts'
import { isoMicros } from '#base/clock.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import type { Schema } from '#stack/schema.ts'
import { type Reply, route, type Route, type Rq } from '#stack/route.ts'
import { type ApiVersion, byVersion, v } from '#stack/version.ts'
import { newSshKey, sshFingerprint } from '../core/ssh-keys.ts'
import type { Nova } from '../house.ts'
import { deleteKeypair, insertKeypair, keypairCount, keypairOf, keypairsOf } from '../store/keypairs.ts'
import { limitsOf } from '../store/quotas.ts'
import type { KeypairRow } from '../store/tables.ts'
import { nextLink } from './links.ts'
import { limitOf } from './paging.ts'
import { envelope, object } from './schemas.ts'

interface KeypairWish {
  name: string
  type?: 'ssh' | 'x509'
  public_key?: string
  user_id?: string
}

function createSchema(version: ApiVersion): Schema {
  const name: Schema = version >= v('2.92') ? { type: 'string', minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9 @._-]+$' } : { type: 'string', minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9 _-]+$' }
  return envelope(
    'keypair',
    object(
      {
        name,
        public_key: { type: 'string' },
        ...(version >= v('2.2') ? { type: { enum: ['ssh', 'x509'] } } : {}),
        ...(version >= v('2.10') ? { user_id: { type: 'string', minLength: 1, maxLength: 255 } } : {}),
      },
      version >= v('2.92') ? ['name', 'public_key'] : ['name'],
    ),
  )
}

export function keypairRoutes(nova: Nova): Route[] {
  return [
    route({ method: 'GET', path: '/v2.1/os-keypairs', name: 'keypairs.index', status: 200, handle: (rq) => list(nova, rq) }),
    route<{ keypair: KeypairWish }>({
      method: 'POST', path: '/v2.1/os-keypairs', name: 'keypairs.create', status: byVersion({ '2.1': 200, '2.2': 201 }),
      body: byVersion({ '2.1': createSchema(v('2.1')), '2.2': createSchema(v('2.2')), '2.10': createSchema(v('2.10')), '2.92': createSchema(v('2.92')) }),
      handle: (rq) => create(nova, rq),
    }),
    route({
      method: 'GET', path: '/v2.1/os-keypairs/{keypair_name}', name: 'keypairs.show', status: 200,
      async handle(rq) {
        const userId = userOf(rq, 'show', rq.query.get('user_id'))
        const row = await keypairOf(nova.db, userId, rq.params.keypair_name!)
        if (!row) throw noKeypair(rq.params.keypair_name!, userId)
        return { json: { keypair: { ...brief(rq, row), user_id: row.user_id, id: row.id, created_at: isoMicros(row.created_at), deleted: false, deleted_at: null, updated_at: null } } }
      },
    }),
    route({
      method: 'DELETE', path: '/v2.1/os-keypairs/{keypair_name}', name: 'keypairs.delete', status: byVersion({ '2.1': 202, '2.2': 204 }),
      async handle(rq) {
        const userId = userOf(rq, 'delete', rq.query.get('user_id'))
        if (!(await deleteKeypair(nova.db, userId, rq.params.keypair_name!))) throw noKeypair(rq.params.keypair_name!, userId)
        return {}
      },
    }),
  ]
}

const noKeypair = (name: string, userId: string): Fault => notFound(`Keypair ${name} not found for user ${userId}`)

/** Whose keys: from 2.10 an administrator may name another user. */
function userOf(rq: Rq<unknown>, verb: string, asked: string | null | undefined): string {
  const user_id = rq.version >= v('2.10') && asked ? asked : (rq.context.user_id ?? '')
  rq.authorize(`os_compute_api:os-keypairs:${verb}`, { user_id, project_id: rq.context.project_id })
  return user_id
}

const brief = (rq: Rq<unknown>, row: Omit<KeypairRow, 'id'>) => ({ name: row.name, fingerprint: row.fingerprint, public_key: row.public_key, ...(rq.version >= v('2.2') ? { type: row.type } : {}) })

async function list(nova: Nova, rq: Rq<unknown>): Promise<Reply> {
  const userId = userOf(rq, 'index', rq.query.get('user_id'))
  const paged = rq.version >= v('2.35')
  const limit = paged ? limitOf(rq.query, nova.config.max_limit) : nova.config.max_limit
  const marker = paged ? (rq.query.get('marker') ?? undefined) : undefined
  if (marker !== undefined && !(await keypairOf(nova.db, userId, marker))) throw invalid(`marker [${marker.slice(0, 100)}] not found`, { field: 'marker' })
  const rows = limit === 0 ? [] : await keypairsOf(nova.db, userId, limit + 1, marker)
  const page = rows.slice(0, limit)
  return { json: { keypairs: page.map((row) => ({ keypair: brief(rq, row) })), ...(paged && rows.length > limit ? { keypairs_links: nextLink(rq, page.at(-1)!.name) } : {}) } }
}

async function create(nova: Nova, rq: Rq<{ keypair: KeypairWish }>): Promise<Reply> {
  const wish = rq.body.keypair
  const user_id = userOf(rq, 'create', wish.user_id)
  const type = wish.type ?? 'ssh'
  const name = wish.name.trim()
  if (name === '') throw invalid('Keypair data is invalid: Keypair name must be string and between 1 and 255 characters long', { field: 'name' })
  const made = wish.public_key === undefined ? newKey(type, name) : { public_key: wish.public_key, fingerprint: fingerprintOf(type, wish.public_key) }
  const row = { user_id, name, type, fingerprint: made.fingerprint, public_key: made.public_key, created_at: nova.world.clock.now() }
  const { key_pairs } = await limitsOf(nova.db, rq.context.project_id ?? '', nova.config.quota)
  for (let attempt = 1; ; attempt++) {
    try {
      await nova.db.transaction(async (tx) => {
        if (key_pairs >= 0 && (await keypairCount(tx, user_id)) >= key_pairs) throw new Fault('over_quota', 'Quota exceeded, too many key pairs.')
        await insertKeypair(tx, row)
      })
      break
    } catch (thrown) {
      if (!isDuplicate(nova.db.engine, thrown)) throw thrown
      if (await keypairOf(nova.db, user_id, name)) throw conflict(`Key pair '${name}' already exists.`, { cause: thrown })
      // Two creates took the same number; the next one is free.
      if (attempt >= 10) throw thrown
    }
  }
  return { json: { keypair: { ...brief(rq, row), user_id, ...('private_key' in made ? { private_key: made.private_key } : {}) } } }
}

function newKey(type: 'ssh' | 'x509', name: string): { public_key: string; private_key: string; fingerprint: string } {
  if (type === 'x509') throw invalid('Keypair data is invalid: an x509 keypair needs the certificate as its public_key', { field: 'public_key' })
  return newSshKey(`Generated-by-Nova ${name}`.trim())
}

function fingerprintOf(type: 'ssh' | 'x509', publicKey: string): string {
  if (type === 'ssh') {
    const fingerprint = sshFingerprint(publicKey)
    if (fingerprint === undefined) throw invalid('Keypair data is invalid: failed to generate fingerprint', { field: 'public_key' })
    return fingerprint
  }
  try {
    return createHash('sha1').update(new X509Certificate(publicKey).raw).digest('hex').match(/../g)!.join(':')
  } catch (thrown) {
    throw invalid('Keypair data is invalid: failed to generate X509 fingerprint', { field: 'public_key', cause: thrown })
  }
}
