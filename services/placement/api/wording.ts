/** How Placement words what does not fit a schema: the complaint, and where in the schema it arose. */
import type { SchemaProblem } from '#stack/dialect.ts'
import { jsonschemaText, repr } from '#stack/schema.ts'
import { UUID_LIKE } from '../contract/names.ts'

export function bodyWording(path: string, problem: SchemaProblem): string {
  return `JSON does not validate: ${complaint(path, problem)}`
}

/** In a query every parameter is a list, which is nothing to the client. */
export function queryWording(path: string, problem: SchemaProblem): string {
  return `Invalid query string parameters: ${complaint(path.replace(/\/\d+$/, ''), problem)}`
}

function complaint(path: string, problem: SchemaProblem): string {
  const isUuid = problem.keyword === 'pattern' && problem.params.pattern === UUID_LIKE
  const text = isUuid ? `${repr(problem.value)} is not a 'uuid'` : jsonschemaText(problem)
  const place = path.split('/').filter(Boolean).map((key) => (/^\d+$/.test(key) ? "['items']" : `['properties']['${key}']`))
  return `${text}\n\nFailed validating '${isUuid ? 'format' : problem.keyword}' in schema${place.join('')}`
}
