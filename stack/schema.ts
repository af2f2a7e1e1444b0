/** JSON Schemas compiled at first use, and their complaints in the words clients of OpenStack know. */
import { Fault } from '#base/fault.ts'
import { Compile } from 'typebox/schema'
import type { SchemaProblem } from './dialect.ts'

/** A JSON Schema (2020-12); TypeBox types are such schemas. */
export type Schema = object

interface Compiled {
  Check(value: unknown): boolean
  Errors(value: unknown): [boolean, { keyword: string; instancePath: string; params: Record<string, unknown>; message: string }[]]
}

const compiled = new WeakMap<Schema, Compiled>()

export function schemaCheck(schema: Schema, value: unknown): boolean {
  return compiledOf(schema).Check(value)
}

/** Throws an `invalid` Fault naming the field when `value` does not fit. */
export function schemaAssert(schema: Schema, value: unknown, wording: (path: string, problem: SchemaProblem) => string = schemaWording): void {
  const checker = compiledOf(schema)
  if (checker.Check(value)) return
  const errors = checker.Errors(value)[1]
  const first = errors.find((one) => one.keyword === 'additionalProperties') ?? errors.findLast((one) => one.keyword === 'anyOf' || one.keyword === 'oneOf') ?? errors.find((one) => one.keyword !== 'boolean') ?? errors[0]
  const path = first?.instancePath.slice(1) ?? ''
  const problem: SchemaProblem = first
    ? { keyword: first.keyword, message: first.message, params: first.params, value: valueAt(value, path) }
    : { keyword: '', message: 'does not fit', params: {}, value }
  throw new Fault('invalid', wording(path, problem), { field: fieldOf(path, problem) })
}

function fieldOf(path: string, problem: SchemaProblem): string {
  const extra = problem.params.additionalProperties ?? problem.params.requiredProperties
  const name = Array.isArray(extra) ? String(extra[0]) : ''
  return [path, name].filter(Boolean).join('/')
}

function valueAt(value: unknown, path: string): unknown {
  let at = value
  for (const key of path.split('/').filter(Boolean)) at = (at as Record<string, unknown> | undefined)?.[key]
  return at
}

function compiledOf(schema: Schema): Compiled {
  let checker = compiled.get(schema)
  if (!checker) {
    checker = Compile(schema as Parameters<typeof Compile>[0]) as unknown as Compiled
    compiled.set(schema, checker)
  }
  return checker
}

/** Python's `repr`, near enough for the messages that clients show. */
export function repr(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (typeof value === 'string') return value.includes("'") && !value.includes('"') ? `"${value}"` : `'${value.replaceAll("'", "\\'")}'`
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`
  if (typeof value === 'object') return `{${Object.entries(value).map(([k, one]) => `${repr(k)}: ${repr(one)}`).join(', ')}}`
  return String(value)
}

/** The complaint of Python's jsonschema. */
export function jsonschemaText(problem: SchemaProblem): string {
  const { keyword, params, value } = problem
  const shown = repr(value).slice(0, 200)
  switch (keyword) {
    case 'required':
      return `${repr((params.requiredProperties as string[])[0])} is a required property`
    case 'additionalProperties': {
      const extra = params.additionalProperties as string[]
      return `Additional properties are not allowed (${extra.map(repr).join(', ')} ${extra.length === 1 ? 'was' : 'were'} unexpected)`
    }
    case 'type':
      return `${shown} is not of type ${[params.type].flat().map(repr).join(', ')}`
    case 'minLength':
      return `${shown} is too short`
    case 'maxLength':
      return `${shown} is too long`
    case 'minimum':
      return `${shown} is less than the minimum of ${String(params.limit)}`
    case 'maximum':
      return `${shown} is greater than the maximum of ${String(params.limit)}`
    case 'pattern':
      return `${shown} does not match ${repr(params.pattern)}`
    case 'enum':
      return `${shown} is not one of ${repr(params.allowedValues)}`
    case 'const':
      return `${repr(params.allowedValue)} was expected`
    case 'format':
      return `${shown} is not a ${repr(params.format)}`
    case 'uniqueItems':
      return `${shown} has non-unique elements`
    case 'minItems':
      return `${shown} is too short`
    case 'maxItems':
      return `${shown} is too long`
    case 'minProperties':
      return `${shown} does not have enough properties`
    case 'maxProperties':
      return `${shown} has too many properties`
    case 'anyOf':
    case 'oneOf':
      return `${shown} is not valid under any of the given schemas`
    default:
      return problem.message
  }
}

/** Nova's and Cinder's frame around it. */
export function schemaWording(path: string, problem: SchemaProblem): string {
  const text = jsonschemaText(problem)
  if (path === '' || problem.keyword === 'required' || problem.keyword === 'additionalProperties') return path === '' ? text : `Invalid input for field/attribute ${path.split('/').at(-1)}. Value: ${repr(problem.value).slice(0, 200)}. ${text}`
  return `Invalid input for field/attribute ${path.split('/').at(-1)}. Value: ${repr(problem.value).slice(0, 200)}. ${text}`
}
