/** `hostId`: tells a project whether two of its servers share a host, and nothing else. */
import { createHash } from 'node:crypto'

export function hostIdHash(projectId: string, host: string | null): string {
  if (host === null || host === '') return ''
  const text = projectId + host
  let hash = known.get(text)
  if (hash === undefined) {
    if (known.size >= 20_000) known.clear()
    hash = createHash('sha224').update(text).digest('hex')
    known.set(text, hash)
  }
  return hash
}

/** A list of servers asks for the same few again and again. */
const known = new Map<string, string>()
