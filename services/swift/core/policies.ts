/** Storage policies as `ondol.yaml` names them: which there are, which is the default, and where the bytes of each lie. */
import { invalid } from '#base/fault.ts'
import { nearest } from '#base/config.ts'

export type DriverKind = 'files' | 'memory' | 's3'

export interface S3Place { url: string; bucket: string; region: string; access_key: string; secret_key: string; storage_class?: string; placement?: string }

/** As configured. */
export interface PolicyConfig {
  name: string
  aliases?: string[]
  default?: boolean
  deprecated?: boolean
  driver?: DriverKind
  path?: string
  durability?: 'safe' | 'fast'
  s3?: Partial<S3Place>
}

export interface Policy {
  name: string
  aliases: readonly string[]
  default: boolean
  /** Has its objects still, and takes no new containers. */
  deprecated: boolean
  /** Where its bytes lie: empty is what `swift.driver` says, else a place of its own. Stands in the ids of bytes, so it never changes. */
  pool: string
  config: PolicyConfig
}

const KEYS = ['name', 'aliases', 'default', 'deprecated', 'driver', 'path', 'durability', 's3']
const S3_KEYS = ['url', 'bucket', 'region', 'access_key', 'secret_key', 'storage_class', 'placement']
const DRIVERS = ['files', 'memory', 's3']

/** Throws `invalid` naming the key that is wrong. */
export function policiesOf(given: readonly PolicyConfig[]): Policy[] {
  const wrong = (key: string, why: string): never => {
    throw invalid(`swift.policies${key} ${why}`, { field: `swift.policies${key}` })
  }
  if (given.length === 0) wrong('', 'must name at least one policy')
  const names = new Set<string>()
  for (const [i, one] of given.entries()) {
    const at = `[${i}]`
    known(one, KEYS, at, wrong)
    for (const [j, name] of [one.name, ...(Array.isArray(one.aliases) ? one.aliases : [])].entries()) {
      const key = j === 0 ? `${at}.name` : `${at}.aliases[${j - 1}]`
      if (typeof name !== 'string' || !/^[A-Za-z0-9-]{1,60}$/.test(name)) wrong(key, 'must be letters, digits and dashes, at most 60')
      if (names.has(name.toLowerCase())) wrong(key, `is taken: ${name} stands twice`)
      names.add(name.toLowerCase())
    }
    if (one.aliases !== undefined && !Array.isArray(one.aliases)) wrong(`${at}.aliases`, 'must be a list of names')
    for (const key of ['default', 'deprecated'] as const) if (one[key] !== undefined && typeof one[key] !== 'boolean') wrong(`${at}.${key}`, 'must be true or false')
    if (one.driver !== undefined && !DRIVERS.includes(one.driver)) wrong(`${at}.driver`, `must be one of ${DRIVERS.join(', ')}, not ${JSON.stringify(one.driver)}`)
    if (one.durability !== undefined && one.durability !== 'safe' && one.durability !== 'fast') wrong(`${at}.durability`, 'must be safe or fast')
    for (const key of ['path', 'durability'] as const) if (one[key] !== undefined && one.driver !== 'files') wrong(`${at}.${key}`, 'is for the driver files')
    if (one.path !== undefined && (typeof one.path !== 'string' || !one.path.startsWith('/'))) wrong(`${at}.path`, 'must be an absolute path')
    if (one.driver === 's3') {
      if (typeof one.s3 !== 'object' || one.s3 === null) wrong(`${at}.s3`, 'is wanted by the driver s3')
      known(one.s3!, S3_KEYS, `${at}.s3`, wrong)
      for (const [key, value] of Object.entries(one.s3!)) if (typeof value !== 'string') wrong(`${at}.s3.${key}`, 'must be text')
      for (const key of ['url', 'access_key', 'secret_key', 'bucket'] as const) if (!one.s3![key]) wrong(`${at}.s3.${key}`, 'is not given')
      if (!URL.canParse(one.s3!.url!)) wrong(`${at}.s3.url`, 'is no URL')
    } else if (one.s3 !== undefined) wrong(`${at}.s3`, 'is for the driver s3')
  }
  const defaults = given.flatMap((one, i) => (one.default ? [i] : []))
  if (defaults.length > 1) wrong(`[${defaults[1]}].default`, 'is the second default')
  const standard = defaults[0] ?? 0
  if (given[standard]!.deprecated) wrong(`[${standard}].deprecated`, 'cannot be: the policy is the default')
  const places = new Map<string, string>()
  for (const [i, one] of given.entries()) {
    const place = one.driver === 's3' ? `${new URL(one.s3!.url!).origin}/${one.s3!.bucket}` : one.driver === 'files' && one.path !== undefined ? one.path.replace(/\/+$/, '') : undefined
    if (place === undefined) continue
    // What lies in the place of another would be taken for bytes that nothing holds.
    if (places.has(place)) wrong(`[${i}].${one.driver === 's3' ? 's3.bucket' : 'path'}`, `is where ${places.get(place)} has its bytes; every policy wants a place of its own`)
    places.set(place, one.name)
  }
  return given.map((one, i) => ({ name: one.name, aliases: one.aliases ?? [], default: i === standard, deprecated: one.deprecated ?? false, pool: one.driver === undefined ? '' : one.name.toLowerCase(), config: one }))
}

function known(given: object, keys: readonly string[], at: string, wrong: (key: string, why: string) => never): void {
  for (const key of Object.keys(given)) {
    if (keys.includes(key)) continue
    const near = nearest(key, keys)
    wrong(`${at}.${key}`, `is not known${near ? `; did you mean ${near}?` : ''}`)
  }
}

/** By name or alias, in any case of letters. */
export function policyNamed(policies: readonly Policy[], name: string): Policy | undefined {
  const low = name.toLowerCase()
  return policies.find((one) => one.name.toLowerCase() === low || one.aliases.some((alias) => alias.toLowerCase() === low))
}

/** What the S3 door calls a policy that has a place of its own, as a storage class: its first alias, or its name. */
export const className = ({ name, aliases }: Policy): string => (aliases[0] ?? name).toUpperCase().replaceAll('-', '_')

/** The policy that a storage class means; undefined: there is no such class, or nothing new is taken by it. */
export function policyOfClassName(policies: readonly Policy[], name: string): Policy | undefined {
  const found = name === name.toUpperCase() ? policyNamed(policies, name.replaceAll('_', '-')) : undefined
  return found && found.pool !== '' && !found.deprecated ? found : undefined
}

export const defaultPolicy = (policies: readonly Policy[]): Policy => policies.find((one) => one.default)!

/** The place in which bytes lie, by their id (`drivers/pools.ts`); empty for that which `swift.driver` names. */
export const poolOf = (bytesId: string): string => (bytesId.startsWith('@') ? bytesId.slice(1, bytesId.indexOf('/')) : '')
/** The id as the driver of the place gave it. */
export const bareId = (bytesId: string): string => (bytesId.startsWith('@') ? bytesId.slice(bytesId.indexOf('/') + 1) : bytesId)

/** What rows say of the bytes whose ids begin alike. */
export interface HeldBelow {
  /** Ids that may be moved elsewhere. */
  movable: string[]
  /** Others hold some as well, which must stay where they are. */
  fixed: boolean
}
