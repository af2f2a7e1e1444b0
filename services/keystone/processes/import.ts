/**
 * Move in: what another Keystone has, taken over with its ids, so that whatever names them goes on to. Hashes of passwords come as they
 * are and are made anew at the next login. May be run again: what is here by its id stays as it is.
 *
 * Where a name is taken: a role, region or service of ours stands for the other's; a user or a project of ours steps aside (its name gets
 * an ending), because tokens and other services' rows carry the other's ids.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { invalid } from '#base/fault.ts'
import { hexId } from '#base/ids.ts'
import type { Database } from '#base/sql/database.ts'
import { sealBlob } from '../api/credentials.ts'
import type { Keystone } from '../api/house.ts'
import { fernetDecrypt, fernetKey, type FernetKey } from '../core/fernet.ts'
import { readForeign } from '../store/foreign-keystone.ts'
import { importDelegation } from '../store/import/delegation.ts'
import { importIdentity } from '../store/import/identity.ts'
import { importRest } from '../store/import/rest.ts'
import { type Arrival, arrival, type Imported } from '../store/import/arrival.ts'
import type { KeystoneTables } from '../store/tables.ts'

export interface ImportWish {
  /** The other Keystone's database. */
  from: Database
  /** Folders of its keys. Without those of credentials none may be there; without those of tokens its tokens end. */
  fernetKeys?: string
  credentialKeys?: string
}

export async function importKeystone(house: Keystone, wish: ImportWish): Promise<Imported> {
  const foreign = await readForeign(wish.from)
  const tokenKeys = wish.fernetKeys === undefined ? [] : await keysIn(wish.fernetKeys)
  const blobs = await openCredentials(house, foreign.credential, wish.credentialKeys)
  const db = house.db as Database<KeystoneTables>
  let found: Arrival | undefined
  await db.transaction(async (tx) => {
    const at = arrival(tx, { now: house.world.clock.now(), newId: () => hexId(house.world.random) })
    await importIdentity(at, foreign)
    await importDelegation(at, foreign, blobs)
    await importRest(at, foreign)
    await house.revoke(tx, 'judgement')
    await house.revoke(tx, 'tables')
    found = at
  })
  if (tokenKeys.length > 0) await house.tokenKeys.adopt(tokenKeys.map(({ text }) => text))
  return { ...found!.report(), keys: tokenKeys.length }
}

/** The newest first, as they are tried. Throws `invalid` for a folder without keys. */
async function keysIn(dir: string): Promise<FernetKey[]> {
  const names = await readdir(dir).catch((thrown: unknown) => {
    throw invalid(`The folder of keys ${dir} cannot be read`, { cause: thrown })
  })
  const keys: FernetKey[] = []
  for (const name of names.filter((one) => /^\d+$/.test(one)).sort((a, b) => Number(b) - Number(a))) {
    const key = fernetKey(await readFile(join(dir, name), 'utf8'))
    if (key) keys.push(key)
  }
  if (keys.length === 0) throw invalid(`${dir} holds no Fernet keys (files named 0, 1, …)`)
  return keys
}

/** Sealed anew with our own keys, by id. */
async function openCredentials(house: Keystone, rows: readonly Readonly<Record<string, unknown>>[], dir: string | undefined): Promise<Map<string, string>> {
  const sealed = new Map<string, string>()
  if (rows.length === 0) return sealed
  if (dir === undefined) throw invalid(`The other Keystone has ${rows.length} credential(s): name the folder of its credential keys`, { field: 'credential_keys' })
  const keys = await keysIn(dir)
  for (const row of rows) {
    const content = fernetDecrypt(keys, String(row.encrypted_blob))
    if (!content) throw invalid(`Credential ${String(row.id)} fits none of the keys in ${dir}: nothing was taken over`, { field: 'credential_keys' })
    sealed.set(String(row.id), await sealBlob(house, content.data.toString()))
  }
  return sealed
}
