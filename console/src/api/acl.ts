/** A container's two access lists in Swift's words (`project:user`, `.r:*`, `.rlistings`), as lines of who may do what. */

export interface Grant {
  /** Ids; `*` is any. */
  project: string
  user: string
  read: boolean
  write: boolean
}

export interface Access {
  /** Everyone may read, without logging in; and may list. */
  everyone: boolean
  listings: boolean
  grants: readonly Grant[]
  /** Words that no line shows (referrers, users by one word); they stay. */
  others: { read: readonly string[]; write: readonly string[] }
}

const EVERYONE = '.r:*'
const LISTINGS = '.rlistings'

const words = (acl: string): string[] => acl.split(',').map((word) => word.trim()).filter((word) => word !== '')
const pair = (word: string): [project: string, user: string] | undefined => {
  const parts = word.split(':')
  return word.startsWith('.') || parts.length !== 2 || parts.includes('') ? undefined : (parts as [string, string])
}

export const isPublic = (read: string): boolean => words(read).includes(EVERYONE)

export function accessOf({ read, write }: { read: string; write: string }): Access {
  const grants = new Map<string, Grant>()
  const others: Record<'read' | 'write', string[]> = { read: [], write: [] }
  for (const [kind, acl] of [['read', read], ['write', write]] as const) {
    for (const word of words(acl)) {
      if (kind === 'read' && (word === EVERYONE || word === LISTINGS)) continue
      const found = pair(word)
      if (!found) others[kind].push(word)
      else grants.set(word, { ...(grants.get(word) ?? { project: found[0], user: found[1], read: false, write: false }), [kind]: true })
    }
  }
  return { everyone: isPublic(read), listings: words(read).includes(LISTINGS), grants: [...grants.values()], others }
}

export function aclsOf({ everyone, listings, grants, others }: Access): { read: string; write: string } {
  const of = (kind: 'read' | 'write'): string[] => [...grants.filter((one) => one[kind]).map(({ project, user }) => `${project.trim()}:${user.trim()}`), ...others[kind]]
  return { read: [...of('read'), ...(everyone ? [EVERYONE] : []), ...(listings ? [LISTINGS] : [])].join(','), write: of('write').join(',') }
}

/** A part of a word cannot hold what divides words. */
export const isPart = (text: string): boolean => /^[^\s,:.][^\s,:]*$/.test(text.trim())
