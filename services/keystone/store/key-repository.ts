/**
 * A folder of Fernet keys, laid out as Keystone's: files named by number, the highest is primary (it encrypts), `0` is staged (it will be
 * the next primary, and every process can already read what it writes), the others only decrypt. Files have mode 0600.
 */
import { chmod, link, mkdir, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { World } from '#base/world.ts'
import { type FernetContent, fernetDecrypt, fernetEncrypt, type FernetKey, fernetKey, fernetKeyText } from '../core/fernet.ts'
import { rereading } from './rereading.ts'

export interface KeyRepository {
  encrypt(data: Uint8Array, seconds: number): Promise<string>
  /** Undefined when no key fits, also after looking whether another process has brought new ones. */
  decrypt(token: string): Promise<FernetContent | undefined>
  /** Promotes the staged key and drops the oldest beyond `keep`. */
  rotate(): Promise<void>
  /** Lets what other keys (texts, the newest first) have written be read too. The primary stays the primary. */
  adopt(texts: readonly string[]): Promise<void>
  /** Numbers of the keys there are, the primary first, the staged last. */
  numbers(): Promise<number[]>
  /** True when what was written has been written with the primary. */
  isPrimary(token: string): Promise<boolean>
}

export function keyRepository(world: World, dir: string, keep: number): KeyRepository {
  let keys: { number: number; key: FernetKey }[] = []
  let plain: FernetKey[] = []

  /** Puts a new key under a number that is free; of several processes that do it at once, one wins and all read what it wrote. */
  const write = async (number: number): Promise<void> => {
    const path = join(dir, `.${number}.${world.random.uuid()}`)
    await writeFile(path, fernetKeyText(world.random.bytes(32)), { mode: 0o600 })
    try {
      await link(path, join(dir, String(number)))
    } catch (thrown) {
      if ((thrown as { code?: string }).code !== 'EEXIST') throw thrown
    } finally {
      await unlink(path)
    }
  }
  const list = async (): Promise<number[]> => (await readdir(dir)).filter((name) => /^\d+$/.test(name)).map(Number).sort((a, b) => a - b)

  const reader = rereading(world, async () => {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await chmod(dir, 0o700)
    let numbers = await list()
    if (numbers.length === 0) {
      await write(0)
      await write(1)
      numbers = [0, 1]
    }
    const found: typeof keys = []
    for (const number of numbers.reverse()) {
      const path = join(dir, String(number))
      await chmod(path, 0o600)
      const key = fernetKey(await readFile(path, 'utf8'))
      if (key) found.push({ number, key })
      else world.log.module('keystone.keys').warn('Ignored a file that holds no Fernet key', { path })
    }
    keys = found
    plain = found.map(({ key }) => key)
  })

  return {
    async encrypt(data, seconds) {
      await reader.recent()
      return fernetEncrypt(plain[0]!, data, seconds, world.random.bytes(16))
    },
    decrypt: (token) => reader.find(() => fernetDecrypt(plain, token)),
    async rotate() {
      await reader.again()
      const highest = keys[0]!.number
      await rename(join(dir, '0'), join(dir, String(highest + 1)))
      await write(0)
      const numbers = (await list()).filter((number) => number > 0)
      for (const old of numbers.slice(0, Math.max(0, numbers.length - (keep - 1)))) await unlink(join(dir, String(old)))
      await reader.again()
    },
    async adopt(texts) {
      await reader.again()
      const known = new Set(keys.map(({ key }) => key.text))
      const fresh_ones = texts.filter((text) => !known.has(text)).reverse()
      if (fresh_ones.length === 0) return
      const highest = keys[0]!.number
      // First the primary moves up, under both numbers for a moment: what encrypts never changes.
      await link(join(dir, String(highest)), join(dir, String(highest + fresh_ones.length)))
      for (const [i, text] of fresh_ones.entries()) {
        const path = join(dir, `.adopted.${world.random.uuid()}`)
        await writeFile(path, text, { mode: 0o600 })
        await rename(path, join(dir, String(highest + i)))
      }
      await reader.again()
    },
    async numbers() {
      await reader.again()
      return keys.map(({ number }) => number)
    },
    async isPrimary(token) {
      await reader.recent()
      return fernetDecrypt([plain[0]!], token) !== undefined
    },
  }
}
