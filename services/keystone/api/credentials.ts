/** Credentials: secrets that Keystone keeps for users, encrypted. Those of type `ec2` open the doors of `/v3/ec2tokens` and `/v3/s3tokens`. */
import { createHash } from 'node:crypto'
import { forbidden, Fault, invalid } from '#base/fault.ts'
import type { Row } from '#stack/resource/resource.ts'
import type { Resource } from '#stack/resource/resource.ts'
import { structured, text } from '#stack/resource/field.ts'
import type { Reply, Route, Rq } from '#stack/route.ts'
import { deleteRows, findRow, findRows, insertRow, updateRow } from '../store/rows.ts'
import type { CredentialRow } from '../store/tables.ts'
import { delegationOf, refuseRestricted } from './delegation.ts'
import { id, ref } from './fields.ts'
import type { Keystone } from './house.ts'
import { allows, at, created, enforce, equals, listReply, newId, own, page, storing, there, updated, v3 } from './steps.ts'

export const CREDENTIAL: Resource = {
  one: 'credential',
  many: 'credentials',
  path: '/v3/credentials',
  table: 'keystone_credentials',
  extra: 'extra',
  fields: {
    id: id(),
    user_id: ref({ post: 'required', put: true }),
    project_id: ref(),
    type: text({ min: 1, max: 255 }, { post: 'required', put: true }),
    blob: { ...structured({ type: ['string', 'object'] }, { post: 'required', put: true }), stored: 'none' },
  },
}

export interface Ec2Blob {
  access: string
  secret: string
  trust_id?: string | null
  app_cred_id?: string | null
  access_token_id?: string | null
}

const DELEGATION = ['trust_id', 'app_cred_id', 'access_token_id'] as const

export const ec2Id = (access: string): string => createHash('sha256').update(access).digest('hex')

export async function sealBlob(house: Keystone, blob: string): Promise<string> {
  return house.credentialKeys.encrypt(Buffer.from(blob), Math.floor(house.world.clock.now() / 1000))
}

export async function openBlob(house: Keystone, row: CredentialRow): Promise<string> {
  const content = await house.credentialKeys.decrypt(row.encrypted_blob)
  if (!content) throw new Fault('internal', 'A credential cannot be read: no key fits.', { detail: row.id })
  return content.data.toString()
}

export async function ec2Blob(house: Keystone, row: CredentialRow): Promise<Ec2Blob> {
  return JSON.parse(await openBlob(house, row)) as Ec2Blob
}

export const credentialTarget = (row: Partial<CredentialRow> | undefined): Row => (row ? { credential: { id: row.id, user_id: row.user_id, project_id: row.project_id, type: row.type } } : {})

async function view(house: Keystone, rq: Rq, row: CredentialRow): Promise<Row> {
  return { ...(JSON.parse(row.extra) as Row), id: row.id, user_id: row.user_id, project_id: row.project_id, type: row.type, blob: await openBlob(house, row), links: { self: v3(rq, `credentials/${row.id}`) } }
}

/** 403 when the user has as many as allowed. */
export async function assertRoom(house: Keystone, user_id: string): Promise<void> {
  const limit = house.config.credential.user_limit
  if (limit >= 0 && (await findRows(house.db, 'keystone_credentials', { user_id })).length >= limit) throw forbidden(`Unable to create additional credentials, maximum of ${limit} already exceeded for user.`)
}

export function credentialRoutes(house: Keystone): Route[] {
  const { db } = house
  const find = async (rq: Rq, action: string): Promise<CredentialRow> => {
    const row = await findRow(db, 'keystone_credentials', { id: rq.params.credential_id! })
    enforce(rq, action, credentialTarget(row))
    return there(row, 'credential', rq.params.credential_id!)
  }

  const list = async (rq: Rq): Promise<Reply> => {
    const me = own(rq).user_id!
    enforce(rq, 'list_credentials', rq.context.system_scope ? {} : { credential: { user_id: me } })
    const seesAll = allows(rq, 'get_credential', { credential: { user_id: '' } })
    const { rows, ...more } = await page<CredentialRow>(house, rq, CREDENTIAL, seesAll ? [] : [equals('user_id', me)])
    return listReply(rq, 'credentials', await Promise.all(rows.map((row) => view(house, rq, row))), more)
  }

  const create = async (rq: Rq): Promise<Reply> => {
    const given = ((rq.body as Row | undefined)?.credential ?? {}) as Partial<CredentialRow>
    enforce(rq, 'create_credential', { credential: given })
    refuseRestricted(rq, 'credentials')
    const record = created(CREDENTIAL, rq)
    const type = record.type as string
    let blob = typeof record.blob === 'string' ? record.blob : JSON.stringify(record.blob)
    let credentialId = newId(house)
    if (type === 'ec2') {
      const parsed = ec2Parsed(blob)
      if (!record.project_id) throw invalid('Expecting to find project_id in credential. The server could not comply with the request since it is either malformed or otherwise incorrect.', { field: 'project_id' })
      credentialId = ec2Id(parsed.access)
      // What the caller's token may not do, the credential may not do either; and nobody writes a delegation into it by hand.
      for (const key of DELEGATION) delete parsed[key]
      blob = JSON.stringify({ ...parsed, ...delegationOf(rq) })
    } else if (Object.keys(delegationOf(rq)).length > 0 && type === 'totp') throw forbidden('A delegated token cannot make a second factor for its user.')
    await assertRoom(house, record.user_id as string)
    const row: CredentialRow = { id: credentialId, user_id: record.user_id as string, project_id: record.project_id as string | null, type, encrypted_blob: await sealBlob(house, blob), extra: JSON.stringify(record.extra) }
    await storing('credential', `Duplicate entry found with ID ${row.id}`, () => db.transaction((tx) => insertRow(tx, 'keystone_credentials', row)))
    return { json: { credential: await view(house, rq, row) } }
  }

  const update = async (rq: Rq): Promise<Reply> => {
    const row = await find(rq, 'update_credential')
    refuseRestricted(rq, 'credentials')
    const patch = updated(CREDENTIAL, rq, row.id)
    if (patch.user_id !== undefined && patch.user_id !== row.user_id) throw forbidden('The owner of a credential cannot be changed.')
    const old = await openBlob(house, row)
    const type = (patch.type as string | undefined) ?? row.type
    if (row.type === 'ec2' || type === 'ec2') await assertSameReach(house, rq, row, patch, old, type)
    let blob = patch.blob === undefined ? old : typeof patch.blob === 'string' ? patch.blob : JSON.stringify(patch.blob)
    if (type === 'ec2') {
      const parsed = ec2Parsed(blob)
      const before = row.type === 'ec2' ? ec2Parsed(old) : undefined
      // Rights stay as they were when the credential was made.
      for (const key of DELEGATION) {
        const kept = before?.[key]
        if (parsed[key] !== undefined && parsed[key] !== kept) throw forbidden(`${key} of a credential cannot be changed.`)
        if (kept === undefined || kept === null) delete parsed[key]
        else parsed[key] = kept
      }
      blob = JSON.stringify(parsed)
    }
    const columns: Partial<CredentialRow> = {
      type,
      ...(patch.project_id === undefined ? {} : { project_id: patch.project_id as string | null }),
      encrypted_blob: await sealBlob(house, blob),
      ...(patch.extra === undefined ? {} : { extra: JSON.stringify({ ...(JSON.parse(row.extra) as Row), ...(patch.extra as Row) }) }),
    }
    await db.transaction(async (tx) => {
      await updateRow(tx, 'keystone_credentials', { id: row.id }, columns)
      await house.revoke(tx)
    })
    return { json: { credential: await view(house, rq, { ...row, ...columns }) } }
  }

  const remove = async (rq: Rq): Promise<Reply> => {
    const row = await find(rq, 'delete_credential')
    refuseRestricted(rq, 'credentials')
    await deleteRows(db, 'keystone_credentials', { id: row.id })
    return {}
  }

  return [
    at('GET', '/v3/credentials', 'credentials.list', 200, list),
    at('POST', '/v3/credentials', 'credentials.create', 201, create),
    at('GET', '/v3/credentials/{credential_id}', 'credentials.show', 200, async (rq) => ({ json: { credential: await view(house, rq, await find(rq, 'get_credential')) } })),
    at('PATCH', '/v3/credentials/{credential_id}', 'credentials.update', 200, update),
    at('DELETE', '/v3/credentials/{credential_id}', 'credentials.delete', 204, remove),
  ]
}

function ec2Parsed(blob: string): Ec2Blob {
  let parsed: unknown
  try {
    parsed = JSON.parse(blob)
  } catch {
    throw invalid('Invalid blob in credential', { field: 'blob' })
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw invalid('Invalid blob in credential', { field: 'blob' })
  const { access, secret } = parsed as Partial<Ec2Blob>
  if (typeof access !== 'string' || access === '' || typeof secret !== 'string' || secret === '') throw invalid('Expecting to find access and secret in the blob of the credential.', { field: 'blob' })
  return parsed as Ec2Blob
}

/** Neither a delegated token nor a delegated credential moves to another project, and nothing becomes an EC2 credential by an update. */
async function assertSameReach(house: Keystone, rq: Rq, row: CredentialRow, patch: Row, old: string, type: string): Promise<void> {
  if (row.type !== type) throw forbidden('A credential cannot become one of type ec2, nor stop being one.')
  if (patch.project_id === undefined || patch.project_id === row.project_id) return
  const delegated = DELEGATION.some((key) => ec2Parsed(old)[key] != null) || Object.keys(delegationOf(rq)).length > 0
  if (delegated) throw forbidden('The project of a delegated credential cannot be changed.')
  if (typeof patch.project_id === 'string') there(await findRow(house.db, 'keystone_projects', { id: patch.project_id }), 'project', patch.project_id)
}
