/** The forms that names and ids have on Placement's wire, as patterns of JSON Schema. */

/** A UUID with or without dashes; stored and answered with them. */
export const UUID_LIKE = '^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$'
/** A UUID as a key of an object: 36 characters of its alphabet, no more is asked. */
export const UUID_KEY = '^[0-9a-fA-F-]{36}$'
/** Resource classes, traits and consumer types. */
export const SYMBOL = '^[A-Z0-9_]+$'
/** What users may create. */
export const CUSTOM_SYMBOL = '^CUSTOM_[A-Z0-9_]+$'
/** Suffix of a request group, by version. */
export const NUMBERED_SUFFIX = '[1-9][0-9]*'
export const NAMED_SUFFIX = '[a-zA-Z0-9_-]{1,64}'

export const uuidLike = { type: 'string', pattern: UUID_LIKE } as const

/** A provider with this trait offers its inventory to every provider in one of its aggregates. */
export const SHARING_TRAIT = 'MISC_SHARES_VIA_AGGREGATE'

/** Largest amount of a resource. */
export const MAX_INT = 0x7fffffff

const CUSTOM = new RegExp(CUSTOM_SYMBOL)

export function isCustomSymbol(name: string): boolean {
  return name.length <= 255 && CUSTOM.test(name)
}

/** A UUID with dashes, lower case, whichever way it was written. */
export function dashed(uuid: string): string {
  const hex = uuid.replaceAll('-', '').toLowerCase()
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
