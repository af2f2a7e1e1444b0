/** Container ACLs: `.r:` referrers, `.rlistings`, `project:user` with wildcards, and role names. */
import { invalid } from '#base/fault.ts'

export interface Acl { referrers: string[]; groups: string[] }

/** The ACL as it is stored: words trimmed, referrer spellings made one. Throws `invalid`. */
const quoted = (text: string): string => `'${text}'`

export function cleanAcl(header: string, value: string): string {
  const out: string[] = []
  for (const raw of value.split(',')) {
    const word = raw.trim()
    if (word === '') continue
    const colon = word.indexOf(':')
    if (colon < 0 || !word.startsWith('.')) {
      out.push(word)
      continue
    }
    const kind = word.slice(0, colon).trim()
    if (!['.r', '.ref', '.referer', '.referrer'].includes(kind)) throw invalid(`Unknown designator ${quoted(kind)} in ACL: ${quoted(raw)}`, { field: header })
    if (/write/i.test(header)) throw invalid(`Referrers not allowed in write ACL: ${quoted(raw)}`, { field: header })
    let host = word.slice(colon + 1).trim()
    const negated = host.startsWith('-')
    if (negated) host = host.slice(1).trim()
    if (host !== '*' && host.startsWith('*')) host = host.slice(1).trim()
    if (host === '' || host === '.') throw invalid(`No host/domain value after referrer designation in ACL: ${quoted(raw)}`, { field: header })
    out.push(`.r:${negated ? '-' : ''}${host}`)
  }
  return out.join(',')
}

export function parseAcl(value: string | undefined): Acl {
  const referrers: string[] = []
  const groups: string[] = []
  for (const word of (value ?? '').split(',')) {
    if (word.startsWith('.r:')) referrers.push(word.slice(3))
    else if (word.trim() !== '') groups.push(word.trim())
  }
  return { referrers, groups }
}

/** The last rule that fits the host of the Referer decides. */
export function referrerAllowed(referrer: string | undefined, rules: readonly string[]): boolean {
  let allowed = false
  const host = hostOf(referrer)
  for (const rule of rules) {
    if (rule.startsWith('-')) {
      const name = rule.slice(1)
      if (name === host || (name.startsWith('.') && host.endsWith(name))) allowed = false
    } else if (rule === '*' || rule === host || (rule.startsWith('.') && host.endsWith(rule))) allowed = true
  }
  return allowed
}

function hostOf(referrer: string | undefined): string {
  if (!referrer || /[\s\\]/.test(referrer)) return 'unknown'
  try {
    return new URL(referrer).hostname || 'unknown'
  } catch {
    return 'unknown'
  }
}

export interface Grantee { project_id?: string | undefined; project_name?: string | undefined; user_id?: string | undefined; user_name?: string | undefined; roles: readonly string[]; byName: boolean }

/** True when a word of the ACL names this user of this project, or one of its roles. Names count in the default domain alone, where nobody else can take them. */
export function grantedTo(groups: readonly string[], who: Grantee): boolean {
  // A name that looks like an id would be taken for the one whose id it is.
  const named = (name: string | undefined): string | undefined => (who.byName && name !== undefined && name !== '*' && !/^[0-9a-f]{32}$/i.test(name) ? name : undefined)
  const projects = ['*', who.project_id, named(who.project_name)]
  const users = ['*', who.user_id, named(who.user_name)]
  return groups.some((word) => {
    if (word.startsWith('.')) return false
    const at = word.indexOf(':')
    if (at < 0) return who.roles.some((role) => role.toLowerCase() === word.toLowerCase())
    return projects.includes(word.slice(0, at)) && users.includes(word.slice(at + 1))
  })
}
