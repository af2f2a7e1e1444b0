/** What every verb of Keystone is given. */
import type { Database, Tx } from '#base/sql/database.ts'
import { invalid, unavailable } from '#base/fault.ts'
import type { World } from '#base/world.ts'
import type { KeystoneConfig } from '../config.ts'
import { type EpochName, raiseEpoch } from '../store/epochs.ts'
import { type JwsKeys, jwsKeys } from '../store/jws-keys.ts'
import { type KeyRepository, keyRepository } from '../store/key-repository.ts'
import { type LoadTables, memoryTables } from '../store/memory-tables.ts'
import type { KeystoneTables } from '../store/tables.ts'
import type { OpenDirectory } from '../core/directory.ts'
import { type Directories, directories } from './directories.ts'
import { type RelyingParty, relyingParty } from './auth/relying-party.ts'
import { openidProviders } from '../core/openid/settings.ts'
import { type SamlService, samlService } from '../core/saml/settings.ts'
import type { AskProvider } from '../core/openid/provider-door.ts'
import { type TokenOffice, tokenOffice } from './auth/token-office.ts'
import { fernetSeal, jwsSeal } from './auth/token-seal.ts'

export interface Keystone {
  world: World
  config: KeystoneConfig
  db: Database<KeystoneTables>
  tokens: TokenOffice
  loadTables: LoadTables
  tokenKeys: KeyRepository
  jwsKeys: JwsKeys
  credentialKeys: KeyRepository
  receiptKeys: KeyRepository
  /** Of what a browser carries during a login by an identity provider. */
  federationKeys: KeyRepository
  /** Providers of OpenID Connect that are asked from here, by identity provider. */
  relyingParties: ReadonlyMap<string, RelyingParty>
  /** This Keystone as a service provider of SAML2. */
  saml: SamlService
  publicUrl(): string
  directories: Directories
  /** Inside the transaction of a change after which a token says less than before: no judgement made before it holds. */
  revoke(tx: Tx<KeystoneTables>, name?: EpochName): Promise<void>
  /** The same for a change after which a token may say more. */
  widen(tx: Tx<KeystoneTables>, name?: EpochName): Promise<void>
}

export interface KeystoneParts {
  world: World
  config: KeystoneConfig
  db: Database<KeystoneTables>
  dataDir: string
  publicUrl(): string
  /** Called after the commit of every revocation. */
  announce(): void
  /** Opens the directory of a domain (LDAP). Absent: every domain is in our tables. */
  openDirectory?: OpenDirectory
  /** The way to identity providers, and to files that hold secrets. Absent: this process speaks with none. */
  federation?: { ask: AskProvider; readFile(path: string): string }
}

function noDirectory(): never {
  throw unavailable('This process asks no directories.')
}

export function keystoneHouse(parts: KeystoneParts): Keystone {
  const { world, config, db, dataDir } = parts
  const loadTables = memoryTables(db)
  const tokenKeys = keyRepository(world, config.token.key_repository || `${dataDir}/fernet-keys`, config.token.max_active_keys)
  const { jws_private_key_repository, jws_public_key_repository } = config.jwt_tokens
  const jws = jwsKeys(world, jws_private_key_repository || `${dataDir}/jws-keys/private`, jws_public_key_repository || `${dataDir}/jws-keys/public`)
  const outside = parts.federation
  const saml = samlService(outside ? config.federation.saml : {}, (path) => outside!.readFile(path))
  for (const id of saml.providers.keys()) if (id in config.federation.openid) throw invalid(`keystone.federation: ${id} is either a provider of OpenID Connect or of SAML, not both`, { field: `keystone.federation.saml.providers.${id}` })
  const house: Keystone = {
    world,
    config,
    db,
    loadTables,
    tokenKeys,
    jwsKeys: jws,
    tokens: tokenOffice({ world, config, db, loadTables, seal: config.token.provider === 'jws' ? jwsSeal(jws) : fernetSeal(tokenKeys), publicUrl: parts.publicUrl }),
    credentialKeys: keyRepository(world, config.credential.key_repository || `${dataDir}/credential-keys`, config.credential.max_active_keys),
    receiptKeys: keyRepository(world, `${dataDir}/receipt-keys`, 3),
    federationKeys: keyRepository(world, config.federation.key_repository || `${dataDir}/federation-keys`, 3),
    relyingParties: new Map(outside ? [...openidProviders(config.federation.openid, outside.readFile)].map(([idp_id, provider]) => [idp_id, relyingParty(world, outside.ask, provider)]) : []),
    saml,
    publicUrl: parts.publicUrl,
    async revoke(tx, name = 'judgement') {
      await raiseEpoch(tx, name)
      tx.afterCommit(parts.announce)
    },
    widen: (tx, name = 'judgement') => raiseEpoch(tx, name),
    directories: directories(() => house, parts.openDirectory ?? noDirectory, parts.openDirectory ? config.domains : {}),
  }
  return house
}
