/** Facts on fields that many of Keystone's nouns share. */
import { type Field, type FieldRules, structured, text } from '#stack/resource/field.ts'

/** Contains something that is no space. */
export const name = (max: number, rules: FieldRules = { post: 'required', put: true }): Field => text({ min: 1, max, pattern: String.raw`\S` }, rules)

export const ref = (rules: FieldRules = { post: 'optional', put: true }): Field => text({ min: 1, max: 64, pattern: '^[a-zA-Z0-9-]+$', null: true }, rules)

export const description = (rules: FieldRules = { post: 'optional', put: true }): Field => text({ max: 65_535, null: true }, rules)

/** In queries `?enabled` and anything but `0` and `false` mean true. */
export const onOff = (rules: FieldRules = { post: 'optional', put: true, default: true }): Field => ({
  schema: { type: 'boolean' },
  stored: 'flag',
  parse: (given) => (given === '0' || given.toLowerCase() === 'false' ? 0 : 1),
  ...rules,
})

export const id = (): Field => text({ max: 64 }, {})

export const resourceOptions = (): Field => structured({ type: 'object', properties: { immutable: { type: ['boolean', 'null'] } }, additionalProperties: false }, { post: 'optional', put: true, default: {} })

export const TAG = { type: 'string', minLength: 1, maxLength: 255, pattern: '^[^,/]*$' }
export const TAGS = { type: 'array', items: TAG, maxItems: 80, uniqueItems: true }
