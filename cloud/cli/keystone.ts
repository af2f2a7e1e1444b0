/** `ondol keystone`: what an operator does beside the API, as with `keystone-manage`. Works on the data of a cloud, running or not. */
import { hostname } from 'node:os'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { loadConfig } from '#base/config.ts'
import { invalid } from '#base/fault.ts'
import { openDatabase } from '#base/sql/open.ts'
import { migrate } from '#base/sql/table.ts'
import { world } from '#base/world.ts'
import { flowMigrations } from '#base/flow/journal.ts'
import { Secret } from '#base/secret.ts'
import type { KeystoneConfig } from '#keystone/config.ts'
import { type KeyKind, type KeystoneManage, keystoneManage } from '#keystone/processes/manage.ts'
import { type CloudConfig, configSchema } from '../config.ts'
import { openHome } from '../database-home.ts'
import { houses } from '../houses.ts'
import { openSecrets } from '../secrets.ts'
import { placeOf } from './place.ts'
import { table } from './table.ts'

export interface KeystoneOptions {
  data?: string
  config?: string
  from?: string
  fernetKeys?: string
  credentialKeys?: string
  domain?: string
  password?: string
  force?: boolean
  json?: boolean
}

interface Desk {
  manage: KeystoneManage
  options: KeystoneOptions
  words: readonly string[]
  region: string
  say(text: string): void
  /** Of the cloud's own administrator, as in its clouds.yaml. */
  adminPassword(): Promise<Secret>
}

const setup = (kind: KeyKind) => async ({ manage, say }: Desk): Promise<object> => {
  const keys = await manage.setupKeys(kind)
  say(`The ${kind} keys are there: ${keys.join(', ')} (the first is primary, 0 is next).`)
  return { keys }
}

const COMMANDS: Readonly<Record<string, { what: string; run(desk: Desk): Promise<object> }>> = {
  bootstrap: {
    what: 'make what a cloud cannot be without, and give admin the password of clouds.yaml; may be repeated',
    async run({ manage, say, adminPassword, region }) {
      const made = await manage.bootstrap(await adminPassword(), region)
      say(made ? 'Made what was missing; admin has the password of clouds.yaml.' : 'Everything was there.')
      return { changed: made }
    },
  },
  'fernet setup': { what: 'make the keys of tokens where there are none', run: setup('fernet') },
  'fernet rotate': { what: 'a new key for tokens; tokens made so far stay valid', run: ({ manage, say }) => manage.rotateTokenKeys().then(() => (say('Rotated. Running processes take the new keys up within half a minute.'), {})) },
  'credential setup': { what: 'make the keys of credentials where there are none', run: setup('credential') },
  'credential rotate': { what: 'a new key for credentials, and every credential written anew with it', run: ({ manage, say }) => manage.rotateCredentialKeys().then((count) => (say(`Rotated; ${count} credential(s) written anew.`), { migrated: count })) },
  'credential migrate': { what: 'write every credential anew that an older key wrote', run: ({ manage, say }) => manage.migrateCredentials().then((count) => (say(`${count} credential(s) written anew.`), { migrated: count })) },
  'receipt setup': { what: 'make the keys of auth receipts where there are none', run: setup('receipt') },
  'receipt rotate': { what: 'a new key for auth receipts', run: ({ manage, say }) => manage.rotateReceiptKeys().then(() => (say('Rotated.'), {})) },
  'federation setup': { what: 'make the keys of logins by identity providers where there are none', run: setup('federation') },
  'federation rotate': { what: 'a new key for logins by identity providers', run: ({ manage, say }) => manage.rotateFederationKeys().then(() => (say('Rotated.'), {})) },
  create_jws_keypair: {
    what: '[--force]: a new pair of keys for tokens of the provider jws; the public keys of before stay valid',
    run: ({ manage, options, say }) => manage.createJwsKeys(options.force === true).then((path) => (say(`Made a pair. Every machine of the control plane needs ${path}.`), { public_key: path })),
  },
  doctor: {
    what: 'what is not well; ends with 1 when something is not',
    async run({ manage, say }) {
      const symptoms = await manage.doctor()
      for (const { name, message } of symptoms) say(`${name}: ${message}`)
      if (symptoms.length === 0) say('All is well.')
      else process.exitCode = 1
      return { symptoms }
    },
  },
  'mapping purge': { what: 'remove users that came by federation (--domain: of one); they come anew with their next login', run: ({ manage, options, say }) => manage.purgeMapped(options.domain).then((count) => (say(`Removed ${count} user(s).`), { removed: count })) },
  'trust flush': { what: 'remove trusts, revocations and OAuth tokens that are over', run: ({ manage, say }) => manage.sweep().then((swept) => (say(`Removed ${swept.trusts} trust(s), ${swept.revocations} revocation(s), ${swept.oauth_tokens} OAuth token(s).`), swept)) },
  'password reset': {
    what: 'USER [--password WORD]: a new password, drawn when not given; enables the user and ends all their tokens',
    async run({ manage, words, options, say }) {
      const user = words[0]
      if (!user) throw invalid('Say whose: ./ondol keystone password reset USER')
      const password = options.password ?? drawn()
      await manage.resetPassword(user, password)
      say(options.password === undefined ? `The password of ${user} is now ${password}` : `Set the password of ${user}.`)
      return options.password === undefined ? { user, password } : { user }
    },
  },
  import: {
    what: '--from URL [--fernet-keys DIR] [--credential-keys DIR]: take over what another Keystone has',
    async run({ manage, options, say }) {
      if (!options.from) throw invalid("Say from where: --from mysql://keystone:secret@192.0.2.10/keystone")
      const from = await openDatabase({ url: options.from.replace(/^(\w+)\+\w+:/, '$1:').replace(/\?charset=\w+$/, '') })
      try {
        const done = await manage.import({ from, ...(options.fernetKeys ? { fernetKeys: resolve(options.fernetKeys) } : {}), ...(options.credentialKeys ? { credentialKeys: resolve(options.credentialKeys) } : {}) })
        say(table(['TABLE', 'TAKEN OVER'], Object.entries(done.rows)).trimEnd())
        for (const note of done.notes) say(note)
        say(done.keys ? `Tokens of the other Keystone are valid here (${done.keys} keys).` : 'Tokens of the other Keystone are not valid here: no --fernet-keys were given.')
        return done
      } finally {
        await from.close()
      }
    },
  },
}

export function keystoneHelp(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length))
  return `\nCommands:\n${Object.entries(COMMANDS).map(([name, { what }]) => `  ${name.padEnd(width)}  ${what}`).join('\n')}\n`
}

export async function keystone(given: readonly string[], options: KeystoneOptions): Promise<void> {
  const name = [given.slice(0, 2).join(' '), given[0] ?? ''].find((one) => one in COMMANDS)
  if (name === undefined) throw invalid(`Unknown command '${given.join(' ')}'.\n${keystoneHelp()}`)
  const place = placeOf(options.data)
  const configFile = options.config ? resolve(options.config) : undefined
  const config = (await loadConfig(configSchema(houses), { ...(configFile ? { file: configFile } : {}), host: hostname(), env: process.env })) as unknown as CloudConfig & { keystone: KeystoneConfig }
  const here = world({})
  await mkdir(place.dir, { recursive: true, mode: 0o700 })
  const sharedDir = config.shared_dir || place.dir
  const { database: db } = await openHome({ dataDir: place.dir, config: config.database, now: () => here.clock.now() })
  try {
    await migrate(db, [{ house: 'base', migrations: flowMigrations }, ...houses.map((house) => house.plate.migrations)], here.clock.now())
    const manage = keystoneManage({ world: here, config: config.keystone, db, dataDir: join(sharedDir, 'keystone') })
    const answer = await COMMANDS[name]!.run({
      manage,
      options,
      region: config.region,
      words: given.slice(name.split(' ').length),
      say: (text) => void (options.json ? undefined : process.stdout.write(`${text}\n`)),
      async adminPassword() {
        const secrets = await openSecrets(join(sharedDir, 'secrets.json'), here.random)
        const password = options.password === undefined ? secrets.get('user:admin') : new Secret(options.password)
        await secrets.save()
        return password
      },
    })
    if (options.json) process.stdout.write(`${JSON.stringify(answer, null, 1)}\n`)
  } finally {
    await db.close()
  }
}

function drawn(): string {
  return world({}).random.bytes(18).toString('base64url')
}
