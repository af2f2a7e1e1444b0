/** A body that fits a JSON Schema, made from the schema: for matrices over every route there is. */
import { type Schema, schemaCheck } from '../schema.ts'

type Node = Readonly<Record<string, unknown>>

/** What a property is filled with where its name says what it is; undefined lets the schema decide. */
export type Named = (name: string) => unknown

const STRINGS = [
  'x', '1', '00000000-0000-4000-8000-00000000abcd', 'a'.repeat(32), '10.0.0.7', '10.7.0.0/24', 'fd00::7', 'fa:16:3e:00:00:07', 'tcp', '2099-01-01T00:00:00Z', '2099-01-01T00:00:00', 'http://127.0.0.1:1/x',
  'ssh-rsa AAAA x', 'YWJj', 'True', 'a@b', '/dev/vdz', 'raw', 'CUSTOM_X', 'storage:x',
]

/** The smallest sample of the schema with at least one thing in every object; undefined when none was found. */
export function sample(schema: Schema, named: Named = () => undefined): unknown {
  const found = of(schema as Node, named)
  return schemaCheck(schema, found) ? found : undefined
}

function of(node: Node, named: Named): unknown {
  if ('const' in node) return node.const
  if (Array.isArray(node.enum)) return node.enum[0]
  for (const key of ['anyOf', 'oneOf']) {
    const choices = node[key] as readonly Node[] | undefined
    if (!choices) continue
    const made = choices.map((choice) => ofBoth(node, choice, named)).filter((value) => schemaCheck(node as Schema, value))
    if (made.length > 0) return made.find((value) => value !== null) ?? made[0]
  }
  if (Array.isArray(node.allOf)) return Object.assign({}, ...(node.allOf as Node[]).map((part) => of(part, named)))
  const type = Array.isArray(node.type) ? ((node.type as string[]).find((one) => one !== 'null') ?? 'null') : (node.type as string | undefined)
  if (type === 'object' || node.properties !== undefined || node.patternProperties !== undefined) return objectOf(node, named)
  if (type === 'array') return node.minItems === 0 || node.items === undefined ? [] : [of(node.items as Node, named)]
  if (type === 'integer' || type === 'number') return Math.max(1, (node.minimum as number | undefined) ?? 1)
  if (type === 'boolean') return true
  if (type === 'null') return null
  return STRINGS.find((text) => schemaCheck(node as Schema, text)) ?? 'x'
}

function ofBoth({ anyOf: _a, oneOf: _o, ...outer }: Node, choice: Node, named: Named): unknown {
  if (outer.type !== 'object' && outer.properties === undefined) return of(choice, named)
  return of({ ...outer, ...choice, properties: { ...(outer.properties as object), ...(choice.properties as object) }, required: [...((outer.required as string[]) ?? []), ...((choice.required as string[]) ?? [])] }, named)
}

function objectOf(node: Node, named: Named): unknown {
  const properties = (node.properties ?? {}) as Readonly<Record<string, Node>>
  const required = new Set((node.required ?? []) as string[])
  const made: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(properties)) {
    const given = named(name)
    if (given !== undefined && schemaCheck(schema as Schema, given)) made[name] = given
    else if (required.has(name)) made[name] = of(schema, named)
  }
  const first = ['name', 'description', ...Object.keys(properties)].find((name) => properties[name])
  if (Object.keys(made).length === 0 && first !== undefined) made[first] = of(properties[first]!, named)
  const patterns = Object.entries((node.patternProperties ?? {}) as Readonly<Record<string, Node>>)
  const more = typeof node.additionalProperties === 'object' ? (node.additionalProperties as Node) : undefined
  if (Object.keys(made).length === 0 && (patterns.length > 0 || more)) {
    const key = STRINGS.find((text) => patterns.length === 0 || new RegExp(patterns[0]![0], 'u').test(text)) ?? 'x'
    made[key] = of(patterns[0]?.[1] ?? more!, named)
  }
  return made
}
