/** Extra specs, project access and encryption of volume types. */
import { conflict, Fault, invalid, notFound } from '#base/fault.ts'
import { isDuplicate } from '#base/sql/engine-error.ts'
import { type Reply, type Route, route, type Rq } from '#stack/route.ts'
import type { Cinder } from '../house.ts'
import type { EncryptionRow, TypeRow } from '../store/tables.ts'
import { accessTo, deleteAccess, deleteEncryption, encryptionOf, insertAccess, insertEncryption, setEncryption, setType, typeById, volumesOfType } from '../store/types.ts'
import { actionBody, envelope, SPECS } from './body.ts'
import { loadType } from './load.ts'
import { stamp } from './volume-view.ts'
import { visibleSpecs } from './types.ts'

const X = 'volume_extension:types_extra_specs:'
const E = 'volume_extension:volume_type_encryption:'
const A = 'volume_extension:volume_type_access:'
const specsPath = '/types/{volume_type_id}/extra_specs'
const encryptionPath = '/types/{volume_type_id}/encryption'
const specsBody = { type: 'object', required: ['extra_specs'], properties: { extra_specs: { ...SPECS, minProperties: 1 } } }
const oneSpec = { ...SPECS, minProperties: 1, maxProperties: 1 }
const project = { type: 'object', required: ['project'], properties: { project: { type: 'string', minLength: 1, maxLength: 255 } } }

interface Encryption {
  encryption: { provider?: string; control_location?: 'front-end' | 'back-end'; cipher?: string | null; key_size?: number | string | null }
}
const encryptionFields = {
  provider: { type: 'string', maxLength: 255 },
  control_location: { enum: ['front-end', 'back-end'] },
  cipher: { type: ['string', 'null'], maxLength: 255 },
  key_size: { anyOf: [{ type: 'integer', minimum: 0, maximum: 2_147_483_647 }, { type: 'string', pattern: '^[0-9]+$' }, { type: 'null' }] },
}

export const typeSpecRoutes = (house: Cinder): Route[] => [
  route({ method: 'GET', path: specsPath, name: 'types.specs.list', policy: `${X}index`, status: 200, handle: async (rq) => ({ json: { extra_specs: visibleSpecs(rq, await typeOf(house, rq)) } }) }),
  route<{ extra_specs: Record<string, string> }>({ method: 'POST', path: specsPath, name: 'types.specs.create', policy: `${X}create`, body: specsBody, status: 200, handle: (rq) => addSpecs(house, rq) }),
  route({ method: 'GET', path: `${specsPath}/{key}`, name: 'types.specs.show', policy: `${X}show`, status: 200, handle: async (rq) => ({ json: one(visibleSpecs(rq, await typeOf(house, rq)), rq.params) }) }),
  route<Record<string, string>>({ method: 'PUT', path: `${specsPath}/{key}`, name: 'types.specs.update', policy: `${X}update`, body: oneSpec, status: 200, handle: (rq) => setSpec(house, rq) }),
  route({ method: 'DELETE', path: `${specsPath}/{key}`, name: 'types.specs.delete', policy: `${X}delete`, bodyKind: 'none', status: 202, handle: (rq) => removeSpec(house, rq) }),
  route({ method: 'GET', path: '/types/{volume_type_id}/os-volume-type-access', name: 'types.access.list', policy: `${A}get_all_for_type`, status: 200, handle: (rq) => listAccess(house, rq) }),
  route<{ project: string }>({ method: 'POST', path: '/types/{volume_type_id}/action', action: 'addProjectAccess', name: 'types.access.add', policy: `${A}addProjectAccess`, body: actionBody('addProjectAccess', project), status: 202, handle: (rq) => addAccess(house, rq) }),
  route<{ project: string }>({ method: 'POST', path: '/types/{volume_type_id}/action', action: 'removeProjectAccess', name: 'types.access.remove', policy: `${A}removeProjectAccess`, body: actionBody('removeProjectAccess', project), status: 202, handle: (rq) => removeAccess(house, rq) }),
  route({ method: 'GET', path: encryptionPath, name: 'types.encryption.show', policy: `${E}get`, status: 200, handle: (rq) => showEncryption(house, rq) }),
  route<Encryption>({ method: 'POST', path: encryptionPath, name: 'types.encryption.create', policy: `${E}create`, body: envelope('encryption', encryptionFields, ['provider', 'control_location']), status: 200, handle: (rq) => createEncryption(house, rq) }),
  route({ method: 'GET', path: `${encryptionPath}/{key}`, name: 'types.encryption.item', policy: `${E}get`, status: 200, handle: (rq) => encryptionItem(house, rq) }),
  route<Encryption>({ method: 'PUT', path: `${encryptionPath}/{key}`, name: 'types.encryption.update', policy: `${E}update`, body: envelope('encryption', encryptionFields), status: 200, handle: (rq) => updateEncryption(house, rq) }),
  route({ method: 'DELETE', path: `${encryptionPath}/{key}`, name: 'types.encryption.delete', policy: `${E}delete`, bodyKind: 'none', status: 202, handle: (rq) => removeEncryption(house, rq) }),
]

const typeOf = (house: Cinder, rq: Rq): Promise<TypeRow> => loadType(house, rq, rq.params.volume_type_id!)

function one(specs: Record<string, string>, params: Rq['params']): Record<string, string> {
  const key = params.key!
  if (specs[key] === undefined) throw notFound(`Volume Type ${params.volume_type_id!.slice(0, 100)} has no extra specs with key ${key.slice(0, 100)}.`)
  return { [key]: specs[key] }
}

/** Reads and writes in one transaction, so that two changes at once keep both. */
async function changeSpecs(house: Cinder, rq: Rq, next: (specs: Record<string, string>) => Record<string, string>): Promise<void> {
  const row = await typeOf(house, rq)
  await house.db.transaction(async (tx) => {
    const now = (await typeById(tx, row.id)) ?? row
    const specs = next(JSON.parse(now.extra_specs) as Record<string, string>)
    if (/^<is>\s*true$/i.test(specs.multiattach ?? '') !== /^<is>\s*true$/i.test((JSON.parse(now.extra_specs) as Record<string, string>).multiattach ?? '') && (await volumesOfType(tx, row.id)) > 0) {
      throw invalid(`Volume type ${row.id} is in use: its multiattach capability cannot change.`, { field: 'multiattach' })
    }
    await setType(tx, row.id, { extra_specs: JSON.stringify(specs), updated_at: house.world.clock.now() })
  })
}

async function addSpecs(house: Cinder, rq: Rq<{ extra_specs: Record<string, string> }>): Promise<Reply> {
  await changeSpecs(house, rq, (specs) => ({ ...specs, ...rq.body.extra_specs }))
  return { json: { extra_specs: rq.body.extra_specs } }
}

async function setSpec(house: Cinder, rq: Rq<Record<string, string>>): Promise<Reply> {
  if (!(rq.params.key! in rq.body)) throw invalid('Request body and URI mismatch', { field: rq.params.key! })
  await changeSpecs(house, rq, (specs) => ({ ...specs, ...rq.body }))
  return { json: rq.body }
}

async function removeSpec(house: Cinder, rq: Rq): Promise<Reply> {
  await changeSpecs(house, rq, (specs) => {
    one(specs, rq.params)
    const { [rq.params.key!]: _, ...rest } = specs
    return rest
  })
  return {}
}

async function listAccess(house: Cinder, rq: Rq): Promise<Reply> {
  const row = await typeOf(house, rq)
  if (row.is_public === 1) throw notFound('Access list not available for public volume types.')
  return { json: { volume_type_access: await accessTo(house.db, row.id) } }
}

async function addAccess(house: Cinder, rq: Rq<{ project: string }>): Promise<Reply> {
  const row = await typeOf(house, rq)
  if (row.is_public === 1) throw conflict('Type access modification is not applicable to public volume type.')
  try {
    await insertAccess(house.db, { volume_type_id: row.id, project_id: rq.body.project })
  } catch (thrown) {
    if (isDuplicate(house.db.engine, thrown)) throw conflict(`Volume type access for ${row.id} / ${rq.body.project} combination already exists.`)
    throw thrown
  }
  return {}
}

async function removeAccess(house: Cinder, rq: Rq<{ project: string }>): Promise<Reply> {
  const row = await typeOf(house, rq)
  if (row.is_public === 1) throw conflict('Type access modification is not applicable to public volume type.')
  if (!(await deleteAccess(house.db, { volume_type_id: row.id, project_id: rq.body.project }))) throw notFound(`Volume type access not found for ${row.id} / ${rq.body.project} combination.`)
  return {}
}

async function showEncryption(house: Cinder, rq: Rq): Promise<Reply> {
  const row = await typeOf(house, rq)
  const found = await encryptionOf(house.db, row.id)
  if (!found) return { json: {} }
  const { created_at, updated_at, ...wire } = found
  return { json: { ...wire, created_at: stamp(created_at), updated_at: stamp(updated_at), deleted: false, deleted_at: null } }
}

async function encryptionItem(house: Cinder, rq: Rq): Promise<Reply> {
  const row = await typeOf(house, rq)
  const found = await encryptionOf(house.db, row.id)
  const key = rq.params.key!
  const items: Record<string, unknown> = found ? { encryption_id: found.encryption_id, provider: found.provider, control_location: found.control_location, cipher: found.cipher, key_size: found.key_size } : {}
  if (!(key in items)) throw notFound(`Volume Type ${row.id} has no encryption with key ${key.slice(0, 100)}.`)
  return { json: { [key]: items[key] } }
}

const keySize = (given: number | string | null | undefined): number | null => (given === undefined || given === null ? null : Number(given))

async function insistUnused(house: Cinder, row: TypeRow, what: string): Promise<void> {
  if ((await volumesOfType(house.db, row.id)) > 0) throw invalid(`Cannot ${what} encryption specs. Volume type in use.`)
}

async function createEncryption(house: Cinder, rq: Rq<Encryption>): Promise<Reply> {
  const row = await typeOf(house, rq)
  await insistUnused(house, row, 'create')
  const { provider, control_location, cipher = null, key_size } = rq.body.encryption
  const made: EncryptionRow = { volume_type_id: row.id, encryption_id: house.world.random.uuid(), provider: provider!, control_location: control_location!, cipher, key_size: keySize(key_size), created_at: house.world.clock.now(), updated_at: null }
  try {
    await insertEncryption(house.db, made)
  } catch (thrown) {
    if (isDuplicate(house.db.engine, thrown)) throw conflict(`Volume type encryption for type ${row.id} already exists.`)
    throw thrown
  }
  const { created_at: _c, updated_at: _u, ...wire } = made
  return { json: { encryption: wire } }
}

async function existing(house: Cinder, rq: Rq): Promise<{ row: TypeRow; found: EncryptionRow }> {
  const row = await typeOf(house, rq)
  const found = await encryptionOf(house.db, row.id)
  if (!found || (rq.params.key !== 'provider' && rq.params.key !== found.encryption_id)) throw new Fault('not_found', `Volume type encryption for type ${row.id} does not exist.`)
  return { row, found }
}

async function updateEncryption(house: Cinder, rq: Rq<Encryption>): Promise<Reply> {
  const { row } = await existing(house, rq)
  await insistUnused(house, row, 'update')
  const { key_size, ...given } = rq.body.encryption
  await setEncryption(house.db, row.id, { ...given, ...(key_size === undefined ? {} : { key_size: keySize(key_size) }), updated_at: house.world.clock.now() })
  return { json: { encryption: rq.body.encryption } }
}

async function removeEncryption(house: Cinder, rq: Rq): Promise<Reply> {
  const { row } = await existing(house, rq)
  await insistUnused(house, row, 'delete')
  await deleteEncryption(house.db, row.id)
  return {}
}
