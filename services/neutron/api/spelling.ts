/** Collections may be written with hyphens or underscores, and old clients name the format of the answer: `/v2.0/local-ips.json`. */
import type { Route } from '#stack/route.ts'

/** Words of ours by where they stand: `local_ips`, `metering/metering_labels`, `routers/{}/conntrack_helpers`; names of users are never touched. */
export function spelling(routes: readonly Route[]): (path: string) => string {
  const words = new Map<string, string>()
  for (const { path } of routes) {
    const parts = path.split('/').map((part) => (part.startsWith('{') ? '{}' : part))
    for (const at of [2, 3, 4]) {
      const word = parts[at]
      if (word !== undefined && word !== '{}' && /[-_]/.test(word)) words.set(keyOf(parts, at), word)
    }
  }
  return (given) => {
    // Most are these, and cannot be written otherwise.
    if (PLAIN.test(given)) return given
    const path = given.endsWith('.json') ? given.slice(0, -5) : given
    const parts = path.split('/')
    const change = (at: number, before: string): void => {
      const part = parts[at]
      // Ids are the longest things here: no word of ours has their length.
      if (part === undefined || part.length === 36 || !/[-_]/.test(part)) return
      parts[at] = words.get(`${before}${part.replaceAll('-', '_')}`) ?? part
    }
    change(2, '')
    change(3, `${parts[2]!}/`)
    change(4, `${parts[2]!}/{}/`)
    return parts.join('/')
  }
}

const PLAIN = /^\/v2\.0\/[a-z]+(\/[\da-f]{8}-[\da-f-]{27})?$/

function keyOf(parts: readonly string[], at: number): string {
  return [...parts.slice(2, at), parts[at]!.replaceAll('-', '_')].join('/')
}
