/** Collections may be written with hyphens or underscores, and old clients name the format of the answer: `/v2.0/local-ips.json`. */
import type { Route } from '#stack/route.ts'

/** Where words of ours may stand in a path; what follows are names of users, such as tags. */
const WORDS = [2, 3, 4]

export function spelling(routes: readonly Route[]): (path: string) => string {
  const words = new Map<string, string>()
  for (const { path } of routes) for (const at of WORDS) {
    const word = path.split('/')[at]
    if (word !== undefined && !word.startsWith('{') && /[-_]/.test(word)) words.set(word.replaceAll('-', '_'), word)
  }
  return (given) => {
    const path = given.endsWith('.json') ? given.slice(0, -5) : given
    const parts = path.split('/')
    // What follows here is the alias of an extension, whose hyphens are its own.
    if (parts[2] === 'extensions') return path
    let changed = false
    for (const at of WORDS) {
      const part = parts[at]
      // Ids are the longest things here: no word of ours has their length.
      if (part === undefined || part.length === 36 || !/[-_]/.test(part)) continue
      const word = words.get(part.replaceAll('-', '_'))
      if (word === undefined || word === part) continue
      parts[at] = word
      changed = true
    }
    return changed ? parts.join('/') : path
  }
}
