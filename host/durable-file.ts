/** Files that are whole or not there, whatever line the process dies at. */
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Writes beside, syncs, renames over, syncs the directory. Mode 0600. */
export async function writeDurably(path: string, data: string | Uint8Array): Promise<void> {
  const beside = `${path}.new`
  const handle = await open(beside, 'w', 0o600)
  try {
    await handle.writeFile(data)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(beside, path)
  await syncDirectory(dirname(path))
}

/** The parsed file, or undefined when there is none. What is not JSON throws: a durable file is never half-written. */
export async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw thrown
  }
}

/** Makes a rename or an unlink inside it survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Makes `path` by `make(temporary)` and a rename, so that a half-made file never has the name. What an earlier, killed attempt left
 * under the temporary name is removed first.
 */
export async function makeWhole<T>(path: string, make: (temporary: string) => Promise<T>): Promise<T> {
  const temporary = `${path}.part`
  await rm(temporary, { force: true })
  try {
    const made = await make(temporary)
    const handle = await open(temporary, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
    await syncDirectory(dirname(path))
    return made
  } catch (thrown) {
    await rm(temporary, { force: true })
    throw thrown
  }
}
