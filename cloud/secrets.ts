/** The secrets that this cloud made for itself: drawn once, kept across restarts in one file of mode 0600. */
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Random } from '#base/random.ts'
import { Secret } from '#base/secret.ts'

export interface Secrets {
  /** The secret of that name, drawn at first use. */
  get(name: string): Secret
  save(): Promise<void>
}

const LETTERS = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'

export async function openSecrets(path: string, random: Random): Promise<Secrets> {
  let values: Record<string, string> = {}
  try {
    values = JSON.parse(await readFile(path, 'utf8')) as Record<string, string>
  } catch (thrown) {
    if ((thrown as { code?: string }).code !== 'ENOENT') throw thrown
  }
  let changed = false
  return {
    get(name) {
      if (values[name] === undefined) {
        values[name] = Array.from({ length: 24 }, () => LETTERS[random.below(LETTERS.length)]).join('')
        changed = true
      }
      return new Secret(values[name])
    },
    async save() {
      if (!changed) return
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      await writeFile(`${path}.new`, JSON.stringify(values, null, 2), { mode: 0o600 })
      await chmod(`${path}.new`, 0o600)
      await rename(`${path}.new`, path)
      changed = false
    },
  }
}
