/** Microversions as whole numbers that compare: `2.79` is 2079. A service that has none speaks version 0. */
export type ApiVersion = number

/** `2.79` → 2079; undefined for anything else. */
export function parseVersion(text: string): ApiVersion | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})$/.exec(text)
  return match ? Number(match[1]) * 1000 + Number(match[2]) : undefined
}

/** A version literal in code: `v('2.53')`. */
export function v(text: `${number}.${number}`): ApiVersion {
  let version = literals.get(text)
  if (version === undefined) literals.set(text, (version = parseVersion(text)!))
  return version
}

/** Views ask for the same few hundred literals on every request. */
const literals = new Map<string, ApiVersion>()

export function formatVersion(version: ApiVersion): string {
  return `${Math.floor(version / 1000)}.${version % 1000}`
}

/** How a service negotiates. The first header that names the service wins; `latest` is the newest. */
export interface VersionRules {
  /** Word in `OpenStack-API-Version: <type> <version>`. */
  type: string
  /** Other words for it that clients use there, e.g. the type of the catalog. */
  also?: readonly string[]
  /** An older header that carries the bare version, e.g. `X-OpenStack-Nova-API-Version`. */
  legacyHeader?: string
  min: ApiVersion
  max: ApiVersion
}

export type Negotiated = { version: ApiVersion } | { bad: string } | { unsupported: string }

/** The version that a request asks for; without a header the oldest. */
export function negotiate(rules: VersionRules, headers: Readonly<Record<string, string>>): Negotiated {
  let asked: string | undefined
  const header = headers['openstack-api-version']
  if (header !== undefined) {
    for (const part of header.split(',')) {
      const [type, version] = part.trim().split(/\s+/)
      if (version && (type === rules.type || rules.also?.includes(type!))) asked = version
    }
  }
  if (asked === undefined && rules.legacyHeader) asked = headers[rules.legacyHeader.toLowerCase()]?.trim()
  if (asked === undefined || asked === '') return { version: rules.min }
  if (asked === 'latest') return { version: rules.max }
  const version = parseVersion(asked)
  if (version === undefined) return { bad: asked }
  return version < rules.min || version > rules.max ? { unsupported: asked } : { version }
}

/** Facts that changed over versions, newest last: `since('2.1', a, '2.19', b)` is b from 2.19 on. */
export interface Versioned<T> {
  readonly steps: readonly { since: ApiVersion; value: T }[]
}

export function byVersion<T>(steps: Readonly<Record<`${number}.${number}`, T>>): Versioned<T> {
  return {
    steps: Object.entries(steps)
      .map(([since, value]) => ({ since: parseVersion(since)!, value }))
      .sort((a, b) => a.since - b.since),
  }
}

export function isVersioned<T>(fact: T | Versioned<T>): fact is Versioned<T> {
  return typeof fact === 'object' && fact !== null && Array.isArray((fact as Versioned<T>).steps)
}

/** The value that holds at a version; undefined before the first step. */
export function atVersion<T>(fact: T | Versioned<T>, version: ApiVersion): T | undefined {
  if (!isVersioned(fact)) return fact
  let found: T | undefined
  for (const step of fact.steps) if (step.since <= version) found = step.value
  return found
}
