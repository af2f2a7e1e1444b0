/** `database.json` in the data folder: where the database of this cloud is, once it has moved or is about to. It holds a secret, so it is its owner's alone. */
import { open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

export interface DatabaseNote {
  /** What the move is known by in both databases. */
  id: string
  /** URLs with their secrets. */
  from: string
  to: string
  /** `moving`: the truth is still where it was, unless that database says otherwise. */
  state: 'moving' | 'moved'
}

export const notePath = (dataDir: string): string => join(dataDir, 'database.json')

export async function readNote(dataDir: string): Promise<DatabaseNote | undefined> {
  const text = await readFile(notePath(dataDir), 'utf8').catch((thrown: { code?: string }) => {
    if (thrown.code === 'ENOENT') return undefined
    throw thrown
  })
  return text === undefined ? undefined : (JSON.parse(text) as DatabaseNote)
}

/** It is on the disk when this returns. */
export async function writeNote(dataDir: string, note: DatabaseNote): Promise<void> {
  const path = notePath(dataDir)
  const file = await open(`${path}.new`, 'w', 0o600)
  try {
    await file.chmod(0o600)
    await file.writeFile(`${JSON.stringify(note, null, 1)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
  await syncFolder(dataDir)
}

export async function removeNote(dataDir: string): Promise<void> {
  await rm(notePath(dataDir), { force: true })
  await syncFolder(dataDir)
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** For people: without the password. */
export function shownUrl(url: string): string {
  return url.replace(/^(\w+:\/\/[^/:@]*):.*@/, '$1:…@')
}

/** Whether two URLs name one database; passwords and options do not count. */
export function samePlace(one: string, other: string): boolean {
  return plain(one) === plain(other)
}

function plain(url: string): string {
  if (url.startsWith('sqlite:')) return url
  try {
    const { protocol, username, hostname, port, pathname } = new URL(url)
    const engine = /^postgres/.test(protocol) ? 'postgres' : 'mysql'
    return `${engine}://${username}@${hostname}:${port || (engine === 'postgres' ? 5432 : 3306)}${pathname.replace(/\/$/, '')}`
  } catch {
    return url
  }
}
