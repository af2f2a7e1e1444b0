/** What an operator does beside the API, as `keystone-manage` did: keys, a lost password, sweeping, and a look at what is not well. */
import { stat } from 'node:fs/promises'
import { notFound } from '#base/fault.ts'
import { hexId } from '#base/ids.ts'
import type { Secret } from '#base/secret.ts'
import type { World } from '#base/world.ts'
import type { Database } from '#base/sql/database.ts'
import { keystoneHouse } from '../api/house.ts'
import { newHash, storePassword } from '../api/auth/password.ts'
import { verifyPassword } from '../core/password-hash.ts'
import { openBlob, sealBlob } from '../api/credentials.ts'
import { dropUser } from '../store/clean-up.ts'
import type { Imported } from '../store/import/arrival.ts'
import { importKeystone, type ImportWish } from './import.ts'
import type { KeystoneConfig } from '../config.ts'
import { bootstrap } from '../store/bootstrap.ts'
import { findRow, findRows, updateRow } from '../store/rows.ts'
import { sweep, type Swept } from '../store/sweep.ts'
import type { KeystoneTables } from '../store/tables.ts'
import { currentPassword, userByName } from '../store/users.ts'

export interface ManageParts {
  world: World
  config: KeystoneConfig
  db: Database
  dataDir: string
}

export interface Symptom {
  name: string
  message: string
}

export interface KeystoneManage {
  /** Running processes take the new keys up by themselves within half a minute. */
  rotateTokenKeys(): Promise<void>
  /** New keys for credentials, and every credential written anew with the primary. Answers how many. */
  rotateCredentialKeys(): Promise<number>
  migrateCredentials(): Promise<number>
  /** Makes what is missing, and gives admin this password. True when anything changed. */
  bootstrap(password: Secret, region: string): Promise<boolean>
  /** By name in the default domain. All the user's tokens die; a user who is disabled or locked out is not any more. */
  resetPassword(userName: string, password: string): Promise<void>
  /** Makes what is missing of the two folders of keys. */
  setupKeys(kind: KeyKind): Promise<number[]>
  rotateReceiptKeys(): Promise<void>
  rotateFederationKeys(): Promise<void>
  /** A new pair of keys for JWS tokens; answers the path of the public one. `conflict` when there is one, unless `replace`. */
  createJwsKeys(replace: boolean): Promise<string>
  /** Takes over what another Keystone has. */
  import(wish: ImportWish): Promise<Imported>
  /** Removes users that came from outside (federation) of one domain, or of all: they come anew with their next login. Answers how many. */
  purgeMapped(domain?: string): Promise<number>
  sweep(): Promise<Swept>
  doctor(): Promise<Symptom[]>
}

export type KeyKind = 'fernet' | 'credential' | 'receipt' | 'federation'

export function keystoneManage(parts: ManageParts): KeystoneManage {
  const { world, config, dataDir } = parts
  const db = parts.db.as<KeystoneTables>()
  const house = keystoneHouse({ world, config, db, dataDir, publicUrl: () => '', announce: () => {} })
  const migrateCredentials = async (): Promise<number> => {
    let count = 0
    for (const row of await findRows(db, 'keystone_credentials')) {
      if (await house.credentialKeys.isPrimary(row.encrypted_blob)) continue
      await updateRow(db, 'keystone_credentials', { id: row.id, encrypted_blob: row.encrypted_blob }, { encrypted_blob: await sealBlob(house, await openBlob(house, row)) })
      count++
    }
    return count
  }
  const resetPassword = async (userName: string, password: string): Promise<void> => {
    const user = await userByName(db, 'default', userName)
    if (!user) throw notFound(`Could not find user: ${userName}.`)
    const hash = await newHash(house, password)
    await db.transaction(async (tx) => {
      await updateRow(tx, 'keystone_users', { id: user.id }, { enabled: 1, failed_auth_count: 0, failed_auth_at: null })
      await storePassword(house, tx, user, hash, { self_service: false, first: false })
    })
  }
  return {
    rotateTokenKeys: () => house.tokenKeys.rotate(),
    async rotateCredentialKeys() {
      await house.credentialKeys.rotate()
      return migrateCredentials()
    },
    migrateCredentials,
    resetPassword,
    async bootstrap(password, region) {
      const known = await userByName(db, 'default', 'admin')
      const stored = known && (await currentPassword(db, known.id))
      const right = stored !== undefined && (await verifyPassword(password.reveal(), stored.hash))
      const hashes = new Map(known ? [] : [['admin', await newHash(house, password.reveal())]])
      const changed = await db.transaction(async (tx) => {
        const made = await bootstrap(tx, { region, admin: { name: 'admin', password, project: 'admin' }, services: [], users: [], catalog: [] }, { now: world.clock.now(), newId: () => hexId(world.random), hashes })
        if (made) await house.widen(tx, 'tables')
        return made
      })
      if (known && (!right || known.enabled !== 1)) await resetPassword('admin', password.reveal())
      return changed || (known !== undefined && !right)
    },
    setupKeys: (kind) => ({ fernet: house.tokenKeys, credential: house.credentialKeys, receipt: house.receiptKeys, federation: house.federationKeys })[kind].numbers(),
    rotateReceiptKeys: () => house.receiptKeys.rotate(),
    rotateFederationKeys: () => house.federationKeys.rotate(),
    createJwsKeys: (replace) => house.jwsKeys.create(replace),
    import: (wish) => importKeystone(house, wish),
    async purgeMapped(domain) {
      const rows = await findRows(db, 'keystone_users', { federated: 1, ...(domain === undefined ? {} : { domain_id: domain }) })
      await db.transaction(async (tx) => {
        for (const row of rows) await dropUser(tx, row.id)
        if (rows.length > 0) await house.revoke(tx)
      })
      return rows.length
    },
    sweep: () => sweep(db, world.clock.now()),
    async doctor() {
      const symptoms: Symptom[] = []
      const sick = (name: string, message: string): void => void symptoms.push({ name, message })
      for (const [kind, keys] of [['fernet-keys', house.tokenKeys], ['credential-keys', house.credentialKeys]] as const) {
        const numbers = await keys.numbers()
        if (!numbers.includes(0)) sick(`${kind}.staged`, `${dataDir}/${kind} has no staged key: the next rotation would cut other processes off.`)
        if (numbers.length < 2) sick(`${kind}.few`, `${dataDir}/${kind} holds only one key.`)
        const { mode } = await stat(`${dataDir}/${kind}`)
        if ((mode & 0o077) !== 0) sick(`${kind}.mode`, `${dataDir}/${kind} can be read by others: chmod 0700.`)
      }
      if (config.token.provider === 'jws' && (await house.jwsKeys.names()).length === 0) sick('jws-keys', 'No public key can be read: every token is refused.')
      if (config.token.max_active_keys < 2) sick('token.max_active_keys', 'With fewer than two active keys a rotation ends every token at once.')
      if (config.password_hashing.algorithm === 'argon2id' && config.password_hashing.memory_kib * config.password_hashing.passes < 19_456) sick('password_hashing', 'Passwords are hashed more cheaply than is safe outside of tests.')
      const compliance = config.security_compliance
      if (compliance.minimum_password_age > 0 && compliance.password_expires_days !== null && compliance.minimum_password_age >= compliance.password_expires_days) sick('security_compliance.age', 'Passwords expire before they may be changed.')
      if (compliance.password_regex !== null && compliance.password_regex_description === null) sick('security_compliance.regex', 'password_regex has no description: users are shown the expression.')
      const admin = await findRow(db, 'keystone_roles', { domain_id: '', name: 'admin' })
      if (!admin || (await findRows(db, 'keystone_assignments', { role_id: admin.id })).length === 0) sick('admin', 'Nobody has the role admin.')
      for (const row of await findRows(db, 'keystone_credentials')) {
        if (!(await house.credentialKeys.decrypt(row.encrypted_blob))) sick('credentials', `Credential ${row.id} cannot be read with any key.`)
      }
      return symptoms
    },
  }
}
