/** How Placement words what does not fit a schema. */
import type { SchemaProblem } from '#stack/dialect.ts'
import { jsonschemaText } from '#stack/schema.ts'

export function bodyWording(path: string, problem: SchemaProblem): string {
  return `JSON does not validate: ${jsonschemaText(problem)}${path === '' ? '' : ` at ${path}`}`
}

export function queryWording(path: string, problem: SchemaProblem): string {
  return `Invalid query string parameters: ${jsonschemaText(problem)}${path === '' ? '' : ` at ${path}`}`
}
