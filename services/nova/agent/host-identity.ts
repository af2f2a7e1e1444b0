/** Who this host is: stored once, so that a new name is the same host, and the same name on a new disk is another (S15). */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Random } from '#base/random.ts'
import { readJson, writeDurably } from '#host/durable-file.ts'

/** Ids of this agent's hosts; more are made as more are asked for. */
export async function hostIds(dataDir: string, count: number, random: Random): Promise<string[]> {
  const path = join(dataDir, 'host-ids.json')
  const known = (await readJson<string[]>(path)) ?? []
  if (known.length >= count) return known.slice(0, count)
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const ids = [...known, ...Array.from({ length: count - known.length }, () => random.uuid())]
  await writeDurably(path, JSON.stringify(ids))
  return ids
}
