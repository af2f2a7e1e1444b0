/** Changes to an image as JSON patches: version 2.1 (RFC 6902) and the older 2.0 form. */
import { conflict, Fault, forbidden, invalid } from '#base/fault.ts'
import { readBody } from '#base/http/message.ts'
import type { Rq } from '#stack/route.ts'
import { schemaAssert } from '#stack/schema.ts'
import type { GlanceConfig } from '../config.ts'
import type { ImageRow } from '../store/tables.ts'
import { dialect } from './dialect.ts'
import { applyFields, imageProperties, READ_ONLY } from './image-fields.ts'

export interface JsonPatch {
  op: 'add' | 'replace' | 'remove'
  /** First segment of the path, unescaped, and the rest (`/tags/-`). */
  name: string
  rest: string[]
  value: unknown
}

const MEDIA_TYPES = ['application/openstack-images-v2.1-json-patch', 'application/openstack-images-v2.0-json-patch']

export async function parsePatch(rq: Rq<never>): Promise<JsonPatch[]> {
  const type = (rq.http.headers['content-type'] ?? '').split(';')[0]!.trim()
  if (!MEDIA_TYPES.includes(type)) throw new Fault('unsupported_media', `Unsupported Content-Type ${type}: use ${MEDIA_TYPES[0]}`)
  const bytes = await readBody(rq.http.body, dialect.maxBody)
  if (!bytes) throw new Fault('too_large', 'The request body is too large.')
  let given: unknown
  try {
    given = JSON.parse(bytes.toString())
  } catch (thrown) {
    throw invalid('Malformed JSON in request body', { cause: thrown })
  }
  if (!Array.isArray(given)) throw invalid('Request body must be a JSON array of operation objects.')
  return given.map((one) => (type === MEDIA_TYPES[0] ? newer(one) : older(one)))
}

function newer(given: unknown): JsonPatch {
  const { op, path, value } = (given ?? {}) as { op?: unknown; path?: unknown; value?: unknown }
  if (op !== 'add' && op !== 'replace' && op !== 'remove') throw invalid('Operations must be add, replace or remove.', { field: 'op' })
  if (typeof path !== 'string') throw invalid("Unable to find 'path' in JSON Schema change", { field: 'path' })
  if (op !== 'remove' && value === undefined) throw invalid(`Operation "${op}" requires a member named "value".`, { field: 'value' })
  return { op, value, ...splitPath(path) }
}

function older(given: unknown): JsonPatch {
  const one = (given ?? {}) as Record<string, unknown>
  const op = (['add', 'replace', 'remove'] as const).find((name) => typeof one[name] === 'string')
  if (!op) throw invalid("Operation objects must contain exactly one member named 'add', 'remove', or 'replace'.", { field: 'op' })
  return { op, value: one.value, ...splitPath(one[op] as string) }
}

function splitPath(path: string): { name: string; rest: string[] } {
  if (!path.startsWith('/') || path === '/' || path.endsWith('/') || path.includes('//') || /~(?![01])/.test(path)) throw invalid(`Pointer \`${path.slice(0, 100)}\` is not a valid JSON pointer.`, { field: 'path' })
  const [name = '', ...rest] = path.slice(1).split('/').map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  return { name, rest }
}

/** The columns that the changes, applied in order, come to. */
export function applyPatch(row: ImageRow, changes: readonly JsonPatch[], config: GlanceConfig): Partial<ImageRow> {
  let patch: Partial<ImageRow> = {}
  for (const { op, name, rest, value } of changes) {
    const now = { ...row, ...patch }
    if (READ_ONLY.has(name)) throw forbidden(`Attribute '${name}' is read-only.`, { field: name })
    const isField = name in imageProperties
    if (rest.length > 0 && name !== 'tags') throw invalid(`Pointer \`/${name}/${rest.join('/')}\` does not lead to anything.`, { field: 'path' })
    if (op === 'remove') {
      if (isField) throw forbidden(`Property ${name} may not be removed.`, { field: name })
      const properties = JSON.parse(now.properties) as Record<string, string>
      if (!(name in properties)) throw conflict(`Property ${name} does not exist.`, { field: name })
      delete properties[name]
      patch = { ...patch, properties: JSON.stringify(properties) }
      continue
    }
    const whole = name === 'tags' && rest.length > 0 ? [...(JSON.parse(now.tags) as string[]), value] : value
    schemaAssert({ type: 'object', properties: imageProperties, additionalProperties: { type: 'string' } }, { [name]: whole }, dialect.schemaError)
    if (op === 'replace' && !isField && !(name in (JSON.parse(now.properties) as object))) throw conflict(`Property ${name} does not exist.`, { field: name })
    patch = { ...patch, ...applyFields({ [name]: whole }, now, config) }
  }
  return patch
}
