/** Implied roles: who has `admin` has all that follows from it. */
export interface RoleFacts {
  id: string
  name: string
  /** Empty for a role of the whole cloud. */
  domain_id: string
}

/** Every role that follows from these, themselves included, in breadth-first order. Circles end. */
export function inferRoles(given: Iterable<string>, implies: ReadonlyMap<string, readonly string[]>): string[] {
  const seen = new Set(given)
  for (const role of seen) for (const next of implies.get(role) ?? []) seen.add(next)
  return [...seen]
}

/** The roles a token shows: inferred, without those of a domain (they only imply others). */
export function tokenRoles(given: Iterable<string>, implies: ReadonlyMap<string, readonly string[]>, roles: ReadonlyMap<string, RoleFacts>): RoleFacts[] {
  const shown: RoleFacts[] = []
  for (const id of inferRoles(given, implies)) {
    const role = roles.get(id)
    if (role && role.domain_id === '') shown.push(role)
  }
  return shown
}
