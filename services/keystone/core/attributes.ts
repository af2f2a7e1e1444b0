/** What an identity provider says of somebody, under the names by which mappings ask. */

/** By lower-case name. A text may hold several values, separated by `;`, as a web server passes them on; what was read here is a list. */
export type Attributes = Readonly<Record<string, string | readonly string[]>>

/** The value of an attribute whose name may have been through HTTP: lower case, and `-` for `_`. */
export function attribute(found: Attributes, name: string): string | readonly string[] | undefined {
  const lower = name.toLowerCase()
  return found[lower] ?? found[lower.replaceAll('_', '-')]
}

/** The same where there is to be one value; undefined when there are several. */
export function oneValue(found: Attributes, name: string): string | undefined {
  const value = attribute(found, name)
  return typeof value === 'string' || value === undefined ? value : value.length === 1 ? value[0] : undefined
}

/**
 * The claims of OpenID Connect as the web server module for it names them: `OIDC-email`, and `HTTP_OIDC_EMAIL` as a WSGI server has it.
 * Objects are laid flat (`realm_access.roles`); REMOTE_USER is the subject at the issuer.
 */
export function claimAttributes(claims: Readonly<Record<string, unknown>>): Attributes {
  const found = new Map<string, readonly string[]>()
  const add = (name: string, value: unknown, depth: number): void => {
    if (value === null || value === undefined) return
    if (typeof value === 'object' && !Array.isArray(value)) {
      // Names differ by more than their case here, but not in a mapping: the one that is written as it is asked for comes first.
      const inside = Object.entries(value).sort(([a], [b]) => Number(a !== a.toLowerCase()) - Number(b !== b.toLowerCase()))
      if (depth < 4) for (const [key, inner] of inside) add(name === '' ? key : `${name}.${key}`, inner, depth + 1)
      return
    }
    const values = (Array.isArray(value) ? value : [value]).filter((one) => ['string', 'number', 'boolean'].includes(typeof one)).map(String).filter((one) => one !== '' && !one.includes('\0'))
    const lower = name.toLowerCase()
    if (values.length > 0) for (const spelling of [`oidc-${lower}`, `http_oidc_${lower.replaceAll('-', '_')}`]) if (!found.has(spelling)) found.set(spelling, values)
  }
  add('', claims, 0)
  const { sub, iss } = claims
  if (typeof sub === 'string' && typeof iss === 'string') found.set('remote_user', [`${sub}@${iss.replace(/^https?:\/\//, '')}`])
  return Object.fromEntries(found)
}
