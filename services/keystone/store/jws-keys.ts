/**
 * The two folders of keys of JWS tokens, laid out as Keystone's: `private.pem` signs, and every file of the public folder verifies. So the
 * public keys of several API machines lie beside each other, and an old one stays until its tokens are over. Files of the private folder have mode 0600.
 */
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { chmod, link, mkdir, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { conflict, unavailable } from '#base/fault.ts'
import type { World } from '#base/world.ts'
import { jwsSign, jwsVerify, signingKey, verifyingKey } from '../core/jws.ts'
import { rereading } from './rereading.ts'

export interface JwsKeys {
  sign(claims: Readonly<Record<string, unknown>>): Promise<string>
  /** Undefined when no key fits, also after looking whether another machine has brought a new one. */
  verify(token: string): Promise<Record<string, unknown> | undefined>
  /** A new pair; answers the path of the public key. `conflict` when there is one, unless `replace`: then the public key of before stays. */
  create(replace: boolean): Promise<string>
  /** Names of the public keys; makes the first pair when there is none. */
  names(): Promise<string[]>
}

const PRIVATE = 'private.pem'

export function jwsKeys(world: World, privateDir: string, publicDir: string): JwsKeys {
  let signing: KeyObject | undefined
  let verifying: { name: string; key: KeyObject }[] = []
  let plain: KeyObject[] = []
  const log = world.log.module('keystone.keys')

  const folders = async (): Promise<void> => {
    await mkdir(publicDir, { recursive: true, mode: 0o755 })
    await mkdir(privateDir, { recursive: true, mode: 0o700 })
    await chmod(privateDir, 0o700)
  }
  const publicNames = async (): Promise<string[]> => (await readdir(publicDir)).filter((name) => !name.startsWith('.')).sort()

  /** The public key is there before anything is signed with the private one. Of several processes that make the first pair, one wins. */
  const write = async (replace: boolean): Promise<string> => {
    await folders()
    const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1', publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } })
    const publicPath = join(publicDir, `public-${createHash('sha256').update(pair.publicKey).digest('hex').slice(0, 16)}.pem`)
    const draft = join(privateDir, `.${world.random.uuid()}`)
    await writeFile(draft, pair.privateKey, { mode: 0o600 })
    await writeFile(publicPath, pair.publicKey, { mode: 0o644 })
    if (replace) await rename(draft, join(privateDir, PRIVATE))
    else {
      try {
        await link(draft, join(privateDir, PRIVATE))
      } catch (thrown) {
        await unlink(publicPath)
        if ((thrown as { code?: string }).code === 'EEXIST') throw conflict(`${join(privateDir, PRIVATE)} is there already: say --force for a new pair.`)
        throw thrown
      } finally {
        await unlink(draft)
      }
    }
    return publicPath
  }

  const keys = rereading(world, async () => {
    await folders()
    let pem = await textOf(join(privateDir, PRIVATE))
    if (pem === undefined && (await publicNames()).length === 0) {
      await write(false).catch((thrown: unknown) => log.info('Another process made the first pair of JWS keys', { error: thrown }))
      pem = await textOf(join(privateDir, PRIVATE))
    }
    signing = pem === undefined ? undefined : signingKey(pem)
    if (pem !== undefined && !signing) log.warn('Ignored a file that holds no private key on the curve P-256', { path: join(privateDir, PRIVATE) })
    const found: typeof verifying = []
    for (const name of await publicNames()) {
      const key = verifyingKey((await textOf(join(publicDir, name))) ?? '')
      if (key) found.push({ name, key })
      else log.warn('Ignored a file that holds no public key on the curve P-256', { path: join(publicDir, name) })
    }
    verifying = found
    plain = found.map(({ key }) => key)
  })

  return {
    async sign(claims) {
      await keys.recent()
      if (!signing) throw unavailable(`There is no key to sign tokens with: ${join(privateDir, PRIVATE)} is missing or cannot be read. Make one with: ondol keystone create_jws_keypair`)
      return jwsSign(signing, claims)
    },
    verify: (token) => keys.find(() => jwsVerify(plain, token)),
    async create(replace) {
      const path = await write(replace)
      await keys.again()
      return path
    },
    async names() {
      await keys.again()
      return verifying.map(({ name }) => name)
    },
  }
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (thrown) {
    if ((thrown as { code?: string }).code === 'ENOENT') return undefined
    throw thrown
  }
}
