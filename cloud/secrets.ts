/** The secrets that this cloud made for itself: drawn once, kept across restarts in one file of mode 0600. */
import { chmod, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { invalid } from '#base/fault.ts'
import type { Random } from '#base/random.ts'
import { Secret } from '#base/secret.ts'

export interface Secrets {
  /** The secret of that name, drawn at first use. */
  get(name: string): Secret
  save(): Promise<void>
}

const LETTERS = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'

/** The password of the houses' users as an operator gave it; undefined when none was given. A file must be its owner's alone. */
export async function servicePassword({ password, password_file }: { password: string; password_file: string }): Promise<Secret | undefined> {
  if (password_file === '') return password === '' ? undefined : new Secret(password)
  const found = await stat(password_file).catch((thrown: unknown) => {
    throw invalid(`service.password_file ${password_file} cannot be read`, { field: 'service.password_file', cause: thrown })
  })
  if ((found.mode & 0o077) !== 0) throw invalid(`service.password_file ${password_file} can be read by others: chmod 0600 ${password_file}`, { field: 'service.password_file' })
  const text = (await readFile(password_file, 'utf8')).trim()
  if (text === '') throw invalid(`service.password_file ${password_file} is empty`, { field: 'service.password_file' })
  return new Secret(text)
}

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
