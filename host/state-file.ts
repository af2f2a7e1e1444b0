/** Small files that a tool reads: written whole or not at all, and only when they differ. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes the file hold `text`. True when it did not before. */
export async function ensureFile(path: string, text: string, mode = 0o600): Promise<boolean> {
  if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return false
  await mkdir(dirname(path), { recursive: true, mode: 0o755 })
  const fresh = `${path}.new`
  await writeFile(fresh, text, { mode })
  await rename(fresh, path)
  return true
}

/** The file's text, or undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined)
}
