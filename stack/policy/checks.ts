/**
 * The questions a rule may ask, each compiled once to a closure:
 *
 * - `role:admin` — a role by that name, in any case; `role:%(name)s` likewise from the target
 * - `rule:owner` — another rule (compile.ts)
 * - `project_id:%(project_id)s` — an attribute of the credentials equals a value of the target; dots go inward, and of a list any
 *   element will do. `tenant_id` is the old name of `project_id` on both sides.
 * - `is_admin:True`, `system_scope:all` — an attribute equals a literal
 * - `'public':%(visibility)s`, `True:%(shared)s`, `None:%(domain_id)s` — a literal equals a value of the target
 * - `field:networks:shared=True`, `field:port:device_owner=~^network:` — a field of the target, by value or regular expression
 * - `http://judge/%(name)s`, `https://…` — a remote judge
 *
 * Values compare as Python prints them: `True`, `None`, `1`. What the target does not have never matches.
 * Unlike the original, a null owner in the target does not equal a null attribute of the credentials: two that belong to
 * nobody do not belong to each other. `domain_id:None` and `None:%(domain_id)s` ask for nulls in words.
 */
import type { Credentials, Target } from './interface.ts'
import { PolicySyntaxError } from './parse.ts'

/** What the closures get besides: the answers of remote judges, by address. Absent means that nobody may be asked. */
export type Remote = (url: string) => boolean
export type Check = (target: Target, credentials: Credentials, remote: Remote | undefined) => boolean

export function compileCheck(name: string, match: string): Check {
  if (name === 'role') return roleCheck(match)
  if (name === 'field') return fieldCheck(match)
  if (name === 'http' || name === 'https') return remoteCheck(name, match)
  const literal = literalText(name)
  return literal === undefined ? attributeCheck(name, match) : literalCheck(literal, match)
}

function roleCheck(match: string): Check {
  const wanted = template(match)
  if (typeof wanted === 'string') {
    const role = wanted.toLowerCase()
    return (_target, credentials) => hasRole(credentials.roles, role)
  }
  return (target, credentials) => {
    const role = wanted(target)
    return typeof role === 'string' && hasRole(credentials.roles, role.toLowerCase())
  }
}

function hasRole(roles: readonly string[] | undefined, role: string): boolean {
  if (!roles) return false
  for (const held of roles) {
    if (held === role || (held.length === role.length && held.toLowerCase() === role)) return true
  }
  return false
}

function attributeCheck(name: string, match: string): Check {
  const wanted = template(match)
  const old = ALIASES.get(name)
  const path = name.split('.')
  const holds = (credentials: Credentials, text: string): boolean => {
    let value = credentials[name]
    if (value === undefined && old !== undefined) value = credentials[old]
    if (typeof value === 'string') return value === text
    if (value === undefined && path.length > 1) return pathHolds(credentials, path, 0, text)
    return pythonText(value) === text
  }
  if (typeof wanted === 'string') return (_target, credentials) => holds(credentials, wanted)
  return (target, credentials) => {
    const text = wanted(target)
    return typeof text === 'string' && holds(credentials, text)
  }
}

/** `tenant_id` is `project_id` since Keystone v3; `user` and `tenant` are older names still. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['tenant_id', 'project_id'],
  ['tenant', 'project_id'],
  ['user', 'user_id'],
])

function pathHolds(value: unknown, path: readonly string[], at: number, text: string): boolean {
  if (Array.isArray(value) && at > 0) return value.some((element) => pathHolds(element, path, at, text))
  const key = path[at]
  if (key === undefined) return pythonText(value) === text
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return false
  return pathHolds((value as Target)[key], path, at + 1, text)
}

function literalCheck(literal: string, match: string): Check {
  const wanted = template(match)
  if (typeof wanted === 'string') {
    const same = literal === wanted
    return () => same
  }
  if (literal === 'None') return (target) => wanted(target) === null || wanted(target) === literal
  return (target) => wanted(target) === literal
}

/** The text of a Python literal (`'x'`, `True`, `None`, `12`), or undefined when it is a name. */
export function literalText(name: string): string | undefined {
  if (name === 'True' || name === 'False' || name === 'None') return name
  const quote = name[0]
  if ((quote === "'" || quote === '"') && name.length >= 2 && name.endsWith(quote)) return name.slice(1, -1)
  return /^-?\d+(\.\d+)?$/.test(name) ? name : undefined
}

function fieldCheck(match: string): Check {
  const colon = match.indexOf(':')
  const equals = match.indexOf('=', colon)
  if (colon <= 0 || equals < 0) throw new PolicySyntaxError(`"field:${match}" is no check: write field:<resource>:<field>=<value>`)
  const resource = match.slice(0, colon)
  const field = match.slice(colon + 1, equals)
  const value = match.slice(equals + 1)
  // A rule of networks also judges their ports and subnets: those carry `network:shared`.
  const ofParent = keyReader(`${resource.endsWith('s') ? resource.slice(0, -1) : resource}:${field}`)
  const read = (target: Target): unknown => {
    const own = target[field]
    return own === undefined ? ofParent(target) : own
  }
  if (value.startsWith('~')) {
    const pattern = regex(value.slice(1), match)
    return (target) => {
      const found = read(target)
      return typeof found === 'string' && pattern.test(found)
    }
  }
  const truth = /^(true|1|yes|on)$/i.test(value)
  return (target) => {
    const found = read(target)
    if (found === undefined || found === null) return false
    return typeof found === 'boolean' ? found === truth : pythonText(found) === value
  }
}

function regex(source: string, match: string): RegExp {
  try {
    return new RegExp(`^(?:${source})`)
  } catch {
    throw new PolicySyntaxError(`"field:${match}" holds no regular expression`)
  }
}

function remoteCheck(name: string, match: string): Check {
  const rest = template(match)
  return (target, _credentials, remote) => {
    if (!remote) return false
    const text = typeof rest === 'string' ? rest : rest(target)
    return typeof text === 'string' && remote(`${name}:${text}`)
  }
}

/** Fills `%(key)s` from a target: undefined when the target lacks a key, null when the whole match is one key and that is null. */
type Template = (target: Target) => string | null | undefined

/** Text without `%(key)s` stays text. */
function template(match: string): string | Template {
  const parts = match.split(/%\(([^)]+)\)[sd]/)
  if (parts.length === 1) return match.replaceAll('%%', '%')
  const read = parts.filter((_, index) => index % 2 === 1).map(reader)
  const between = parts.filter((_, index) => index % 2 === 0).map((text) => text.replaceAll('%%', '%'))
  const only = read[0]!
  if (read.length === 1 && between.join('') === '') {
    return (target) => {
      const value = only(target)
      return typeof value === 'string' || value === undefined || value === null ? value : pythonText(value)
    }
  }
  return (target) => {
    let text = between[0]!
    for (let index = 0; index < read.length; index++) {
      const value = read[index]!(target)
      if (value === undefined) return undefined
      text += pythonText(value) + between[index + 1]!
    }
    return text
  }
}

/** The keys that a match wants from the target. */
export function templateKeys(match: string): string[] {
  return [...match.matchAll(/%\(([^)]+)\)[sd]/g)].map((found) => found[1]!)
}

export function targetHas(target: Target, key: string): boolean {
  return reader(key)(target) !== undefined
}

/** How to read a key of the target: by its own name, else by its newer name, else inward along `.` and `:`. */
function reader(key: string): (target: Target) => unknown {
  const newer = key.replace(/(^|[.:])tenant_id$/, '$1project_id')
  if (newer !== key) {
    const old = keyReader(key)
    const renamed = keyReader(newer)
    return (target) => {
      const value = old(target)
      return value === undefined ? renamed(target) : value
    }
  }
  return keyReader(key)
}

function keyReader(key: string): (target: Target) => unknown {
  const path = key.split(/[.:]/)
  if (path.length === 1) return (target) => known(target[key])
  return (target) => {
    const value = known(target[key])
    return value === undefined ? inward(target, path) : value
  }
}

function inward(target: Target, path: readonly string[]): unknown {
  let value: unknown = target
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Target)[part]
  }
  return known(value)
}

/** What `Object.prototype` lends is not a value of the target. */
function known(value: unknown): unknown {
  return typeof value === 'function' ? undefined : value
}

/** As Python's `str` prints it. */
export function pythonText(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (Array.isArray(value)) return `[${value.map((element) => (typeof element === 'string' ? `'${element}'` : pythonText(element))).join(', ')}]`
  return typeof value === 'object' ? JSON.stringify(value) : String(value as number | bigint)
}
