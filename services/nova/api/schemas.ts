/** Pieces of body schemas that several nouns use. */
import type { Schema } from '#stack/schema.ts'

const NAME = String.raw`^(?!\s)[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f]$`
export const UUID = '^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$'
export const nameText: Schema = { type: 'string', minLength: 1, maxLength: 255, pattern: NAME }
/** `since 2.94` a FQDN. */
export const hostnameText: Schema = { type: 'string', minLength: 1, maxLength: 63, pattern: '^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$' }
export const fqdnText: Schema = { type: 'string', minLength: 1, maxLength: 255, pattern: String.raw`^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*\.?$` }
export const uuidText: Schema = { type: 'string', pattern: UUID }
export const text255: Schema = { type: 'string', maxLength: 255 }
export const description: Schema = { type: ['string', 'null'], maxLength: 255, pattern: String.raw`^[^\x00-\x08\x0b\x0c\x0e-\x1f]*$` }
export const flag: Schema = { enum: [true, false, 'True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes', 'y', 't', 'False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no', 'n', 'f'] }
export const diskConfig: Schema = { enum: ['AUTO', 'MANUAL'] }
export const ipv4Text: Schema = { type: 'string', pattern: String.raw`^(\d{1,3}(\.\d{1,3}){3})?$` }
export const ipv6Text: Schema = { type: 'string', pattern: '^([0-9a-fA-F:.]*:[0-9a-fA-F:.]*)?$' }
export const metadataObject: Schema = { type: 'object', patternProperties: { [String.raw`^[a-zA-Z0-9-_:. /]{1,255}$`]: { type: 'string', maxLength: 255 } }, additionalProperties: false }
export const adminPass: Schema = { type: 'string' }
export const tagText: Schema = { type: 'string', minLength: 1, maxLength: 60, pattern: '^[^,/]*$' }
export const deviceTag: Schema = tagText
export const imageRef: Schema = { type: 'string', pattern: '^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})?$' }
export const personality: Schema = { type: 'array', items: object({ path: { type: 'string' }, contents: { type: 'string', pattern: '^[A-Za-z0-9+/=\\s]*$' } }, []) }

export function object(properties: Readonly<Record<string, Schema>>, required: readonly string[] = [], additional = false): Schema {
  return { type: 'object', properties, required, additionalProperties: additional }
}

/** `{key: {…}}` with nothing beside it. */
export function envelope(key: string, inner: Schema): Schema {
  return object({ [key]: inner }, [key])
}

/** An action whose value does not matter: `{"os-stop": null}`. */
export const bare = (key: string): Schema => object({ [key]: {} }, [key])

export const isTrue = (value: unknown): boolean => value === true || (typeof value === 'string' && ['1', 'true', 't', 'yes', 'y', 'on'].includes(value.toLowerCase()))
